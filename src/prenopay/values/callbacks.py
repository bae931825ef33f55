"""Callbacks as plain values: an HTTP call without a framework, the reply to it, and how far it is trusted."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from prenopay._redaction import Secret
from prenopay.errors import ConfigurationError, Unverified

__all__ = [
    "BODY_LIMIT_BYTES",
    "CallbackAddress",
    "CallbackReply",
    "CallbackRequest",
    "CallbackUrls",
    "Hint",
    "PinnedSource",
    "Rejected",
    "Signed",
    "Trust",
    "source_address",
]

BODY_LIMIT_BYTES: Final = 64 * 1024
"""No gateway's callback comes near this; a longer body is refused before it is read whole."""

_MAC_BYTES: Final = 16
_KEY_LEAST: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackRequest:
    """What came in: the raw body as bytes, never parsed or re-encoded by a framework."""

    path: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False, hash=False)
    query: str = field(default="", repr=False)
    peer: str = ""
    method: str = "POST"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackReply:
    """What to answer the gateway: sent as it is, after the callback is safely stored.

    ``payment`` names the payment to work on after the reply has left, if any.
    """

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    payment: CallbackAddress | None = None


@dataclass(frozen=True, slots=True)
class CallbackAddress:
    """Whose callback it is: the account and payment that the path names."""

    account: str
    payment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """The body carries the gateway's valid signature: it may change state by itself."""

    provider_reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedSource:
    """Came to a capability URL from an address configured as the gateway's: still read back."""

    provider_reference: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """Unsigned: worth an authenticated look at the *stored* payment, and nothing more."""

    provider_reference: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Not what this gateway sends; ``reason`` is for people."""

    reason: str


Trust: TypeAlias = Signed | PinnedSource | Hint | Rejected


class CallbackUrls:
    """Makes and checks callback URLs that are capabilities: ``{base}/{account}/{payment}/{mac}``.

    The MAC is HMAC-SHA256 under the host's key, so a forged path is refused before any database or
    network work. Several keys may be valid at once: the first signs, all verify. To rotate, put the
    new key first and drop the old one when its payments have ended (a payment page lives 28 days).
    """

    def __init__(self, base_url: str, keys: Sequence[Secret | str]) -> None:
        """Take the public base URL of the mounted callback app, and the host's keys, newest first."""
        if not base_url.startswith(("https://", "http://")):
            message = f"callback_url must be an absolute http(s) URL, not {base_url!r}"
            raise ConfigurationError(message)
        if isinstance(keys, str | Secret):
            message = "callback_keys is a list of keys, newest first: put brackets around the one there is"
            raise ConfigurationError(message)
        if not keys:
            message = (
                "callback_keys must hold at least one key; make one with: "
                "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
            )
            raise ConfigurationError(message)
        secrets = [key if isinstance(key, Secret) else Secret(key) for key in keys]
        for key in secrets:
            if len(key.reveal()) < _KEY_LEAST:
                message = f"every callback key must have at least {_KEY_LEAST} signs"
                raise ConfigurationError(message)
        self.base_url: str = base_url.rstrip("/")
        self._keys = tuple(key.reveal().encode() for key in secrets)

    def url(self, account: str, payment_id: str) -> str:
        """Return the URL that the gateway is given for one payment."""
        return f"{self.base_url}/{account}/{payment_id}/{_mac(self._keys[0], account, payment_id)}"

    def verify(self, path: str) -> CallbackAddress:
        """Return whose path this is; raises ``Unverified`` unless we made it."""
        parts = path.split("/")[-3:]
        if len(parts) == 3 and all(part and part.isascii() for part in parts):  # noqa: PLR2004 - account, payment, mac
            account, payment_id, mac = parts
            for key in self._keys:
                if hmac.compare_digest(_mac(key, account, payment_id).encode(), mac.encode()):
                    return CallbackAddress(account, payment_id)
        message = "this is not a callback URL that was handed out here"
        raise Unverified(message)


def _mac(key: bytes, account: str, payment_id: str) -> str:
    digest = hmac.new(key, f"prenopay-callback\n{account}\n{payment_id}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:_MAC_BYTES]).decode().rstrip("=")


def source_address(
    request: CallbackRequest,
    trusted_proxies: Sequence[str],
) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address a callback came from, walking back over proxies that are trusted by name.

    ``X-Forwarded-For`` is read from the right, and only as far as each hop that wrote it is trusted;
    ``None`` where an address cannot be read.
    """
    proxies = [ipaddress.ip_network(network) for network in trusted_proxies]
    forwarded = next((value for name, value in request.headers.items() if name.lower() == "x-forwarded-for"), "")
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    hop = request.peer
    while True:
        try:
            address = ipaddress.ip_address(_without_port(hop))
        except ValueError:
            return None
        if isinstance(address, ipaddress.IPv6Address):
            # A socket for both shows a caller that came by IPv4 as mapped. A zone ("%eth0") means nothing elsewhere,
            # and may be any text of any length.
            address = address.ipv4_mapped or ipaddress.IPv6Address(int(address))
        if not hops or not any(address in network for network in proxies):
            return address
        hop = hops.pop()


def _without_port(hop: str) -> str:
    """Return the address of ``1.2.3.4:567`` or ``[::1]:567``, as some proxies write it."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
