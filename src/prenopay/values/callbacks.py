"""Callbacks as plain values: an HTTP request without a framework, the reply to it, and the URLs that we hand out."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NoReturn
from urllib.parse import urlsplit

from prenopay._arguments import check_arguments, check_fields, checked_fields, fitted, refuse_misuse, refuse_setting
from prenopay._hidden import HiddenText, HidesArguments, hide
from prenopay._keys import MAKE_ONE, host_keys, published
from prenopay._redaction import Secret, scrub
from prenopay._text import quoted, show_fields
from prenopay.errors import ConfigurationError, Unverified
from prenopay.values.subjects import Subject, SubjectKind

__all__ = [
    "BODY_LIMIT_BYTES",
    "MARK_KEY_CHARACTERS",
    "CallbackAddress",
    "CallbackReply",
    "CallbackRequest",
    "CallbackUrls",
    "Heard",
    "source_address",
]

BODY_LIMIT_BYTES: Final = 64 * 1024
"""A longer body is refused before it is read whole. No gateway's callback comes near this."""

MARK_KEY_CHARACTERS: Final = 8
"""How many characters of a mark say which key made it."""

_MAC_BYTES: Final = 16
_MARK_CHARACTERS: Final = 64
_SUBJECT_PARTS: Final = 4
_ACCOUNT_PARTS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackRequest(metaclass=HidesArguments):
    """A callback as it came in: the raw body as bytes, never parsed or encoded again by a framework.

    Path and body become types whose ``repr`` is a mask: the path is a capability.
    """

    path: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False, hash=False)
    query: str = field(default="", repr=False)
    peer: str = ""
    method: str = "POST"

    def __post_init__(self) -> None:
        """Refuse values of other types, such as a body that a framework has decoded. Hide path, query and body."""
        check_fields(self, any_text=True)
        hide(self, "path", "query", "body")


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class CallbackReply:
    """The reply to the gateway. The callback is stored safely by now: send the reply as it is.

    ``address`` says what to work on after the reply was sent. It is ``None`` if there is nothing, or if somebody else
    works on it already.
    """

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    address: CallbackAddress | None = None


@dataclass(frozen=True, slots=True)
@checked_fields
class CallbackAddress:
    """Whose callback it is, by its path: the account and the subject. An account's own address has no subject."""

    account: str
    subject: Subject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Heard:
    """What a provider reads in a callback. Nothing in it is trusted: it only says where to look.

    ``names`` are the gateway's names (or our references) of what changed. At a subject's own address they are
    compared with that subject. At an account's address they are the only clue. ``problem`` says why the body is
    not one of this gateway's; it is for people.
    """

    names: tuple[str, ...] = ()
    problem: str = ""

    def __post_init__(self) -> None:
        """Make the texts fit to be shown and stored: a stranger may have written them."""
        show_fields(self)
        object.__setattr__(self, "problem", scrub(self.problem))


class CallbackUrls(metaclass=HidesArguments):
    """Makes and checks callback URLs that are capabilities.

    The URL of a subject is ``{base}/{account}/{kind}/{id}/{mac}``. The URL of an account is
    ``{base}/{account}/{mac}``, for gateways that take one address for everything. The MAC is HMAC-SHA256 under the
    host's key, so a forged path is refused before any database or network work.

    Several keys may be valid at once: the first makes URLs, all of them verify. To rotate, put the new key first.
    Drop the old key when its payments have ended (a payment page lives 28 days) and the addresses of accounts are
    registered again.
    """

    def __init__(self, base_url: str, keys: Sequence[Secret | str]) -> None:
        """Take the public base URL of the mounted callback app, and the host's keys, newest first."""
        _require_reachable(base_url)
        secrets = host_keys("callback_keys", keys)
        if not secrets:
            message = f"callback_keys must hold at least one key; {MAKE_ONE}"
            raise ConfigurationError(message)
        self.base_url: str = base_url.rstrip("/")
        self._keys = tuple(key.reveal().encode() for key in secrets)
        self._keys_are_published = published(secrets)

    def require_production(self) -> None:
        """Raise ``ConfigurationError`` unless payers' money may depend on this address and these keys."""
        parts = urlsplit(self.base_url)
        if parts.scheme != "https" or is_loopback((parts.hostname or "").lower()):
            _refuse(f"a production account needs an https URL that its gateway can reach, not {self.base_url!r}")
        if self._keys_are_published:
            message = f"callback_keys holds a key of prenopay's docs or tests, which everybody knows; {MAKE_ONE}"
            raise ConfigurationError(message)

    @check_arguments(refuse_misuse, any_text=True)
    def url(self, account: str, subject: Subject | None = None) -> str:
        """Return the callback URL of one subject, or of a whole account. Its ``repr`` is a mask."""
        parts = _parts(account, subject)
        return HiddenText("/".join([self.base_url, *parts, _mac(self._keys[0], parts)]))

    @check_arguments(refuse_misuse, any_text=True)
    def verify(self, path: str) -> CallbackAddress:
        """Return whose path this is; raises ``Unverified`` unless we made it.

        Slashes that a framework or a proxy adds at the end or doubles do not count.
        """
        path = HiddenText(path)
        address = self._named_in(path)
        if address is None:
            message = "this is not a callback URL that was handed out here"
            raise Unverified(message)
        return address

    def _named_in(self, path: str) -> CallbackAddress | None:
        parts = tuple(part for part in path.split("/") if part)
        for count in (_SUBJECT_PARTS, _ACCOUNT_PARTS):
            named, mac = parts[-count:-1], parts[-1:]
            ours = len(named) == count - 1 and all(part.isascii() for part in parts[-count:])
            if ours and self._is_ours(named, mac[0]):
                return _address(named)
        return None

    @check_arguments(refuse_misuse, any_text=True)
    def marks(self, *parts: str) -> tuple[str, ...]:
        """Return fingerprints of ``parts``, one under each key, newest first.

        Without the key nobody finds a part by trying. The first eight characters say which key it was.
        """
        return tuple(_mark(key, parts) for key in self._keys)

    def _is_ours(self, named: Sequence[str], mac: str) -> bool:
        return any(hmac.compare_digest(_mac(key, named).encode(), mac.encode()) for key in self._keys)


def _require_reachable(base_url: str) -> None:
    """Raise ``ConfigurationError`` for a URL that no gateway can call, or that everybody on the way can read."""
    fitted("callback_url", base_url, str, refuse_setting)
    try:
        parts = urlsplit(base_url)
        host, _port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        _refuse(f"{error}: {quoted(base_url)}")
    if parts.scheme not in {"https", "http"} or not host or parts.username or any(map(str.isspace, base_url)):
        _refuse(f"must be an absolute URL like https://shop.example/callbacks, not {quoted(base_url)}")
    if "?" in base_url or "#" in base_url:
        _refuse(f"must have no query and no fragment, because a path is added: {quoted(base_url)}")
    if parts.scheme == "http" and not is_loopback(host):
        _refuse(f"must use https, or be on this machine: {quoted(base_url)}")


def _refuse(why: str) -> NoReturn:
    message = f"callback_url: {why}"
    raise ConfigurationError(message)


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine, by its name or by its address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _parts(account: str, subject: Subject | None) -> tuple[str, ...]:
    return (account,) if subject is None else (account, subject.kind.value, subject.id)


def _address(named: Sequence[str]) -> CallbackAddress:
    if len(named) == 1:
        return CallbackAddress(named[0])
    account, kind, name = named
    return CallbackAddress(account, Subject(SubjectKind(kind), name))


def _mac(key: bytes, parts: Sequence[str]) -> str:
    digest = hmac.new(key, "\n".join(["prenopay-callback", *parts]).encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:_MAC_BYTES]).decode().rstrip("=")


def _mark(key: bytes, parts: Sequence[str]) -> str:
    name = hmac.new(key, b"prenopay-mark-key", hashlib.sha256).hexdigest()[:MARK_KEY_CHARACTERS]
    own = hmac.new(key, b"prenopay-mark", hashlib.sha256).digest()
    return name + hmac.new(own, "\n".join(parts).encode(), hashlib.sha256).hexdigest()[: _MARK_CHARACTERS - len(name)]


@check_arguments(refuse_misuse, any_text=True)
def source_address(
    request: CallbackRequest,
    trusted_proxies: Sequence[str],
) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that a callback came from, behind the proxies that are trusted.

    ``X-Forwarded-For`` is read from the right, and only while the hop that wrote the entry is in
    ``trusted_proxies``. Returns ``None`` if an address cannot be read.
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
            # A socket for IPv4 and IPv6 shows an IPv4 caller as mapped. A zone ("%eth0") means nothing elsewhere,
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
