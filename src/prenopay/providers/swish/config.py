"""One agreement with Swish: which number, whose certificate, which of the gateway's worlds."""

from __future__ import annotations

import ipaddress
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import SplitResult, urlsplit

from prenopay.errors import ConfigurationError
from prenopay.provider import Environment, Inspection, ProviderConfig, Secret
from prenopay.providers.swish.material import KeyMaterial, read_material, read_secret

if TYPE_CHECKING:
    import ssl

    from prenopay.providers.swish.certificates import Credentials
    from prenopay.providers.swish.consents import SwishRecurringProvider
    from prenopay.providers.swish.provider import SwishProvider

__all__ = ["Swish", "SwishAccount", "SwishRecurring"]

ProviderT_co = TypeVar("ProviderT_co", covariant=True)

_HOSTS: Final = {
    Environment.TEST: "mss.cpc.getswish.net",
    Environment.PRODUCTION: "cpc.getswish.net",
}
_QR_HOST: Final = "mpc.getswish.net"
"""Draws QR codes for both worlds: the simulator has no service of its own (integrators)."""
_QR_PATH: Final = "/qrg-swish/api/v1"

_NUMBER: Final = re.compile(r"123[0-9]{7}")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SwishAccount(ProviderConfig[ProviderT_co]):
    """An account with Swish Handel: what ``Swish`` and ``SwishRecurring`` have in common.

    ``number`` is the merchant's Swish number, ``certificate`` what portal.swish.nu gave out for it: PEM
    (with the issuing certificates, and the key if it stands in the same file) or PKCS#12, as bytes, as
    text, as a ``Path``, or as ``env:NAME`` or ``file:path``. ``private_key`` is the PEM key where it
    stands apart, ``password`` what protects key or PKCS#12. ``signing_…`` is the pair that signs payouts,
    where that is another one.

    ``clean_texts`` lets texts lose what Swish does not take; otherwise such an order is refused.
    ``base_url``, ``qr_url`` and ``trust`` (further root certificates, PEM) point a test account at an
    emulator or at the sandbox; production accounts cannot be pointed elsewhere. ``callback_sources`` and
    ``trusted_proxies`` are an extra, optional check of where callbacks come from. ``recurring`` turns on
    standing consents, which are experimental.
    """

    number: str
    certificate: KeyMaterial = field(repr=False)
    private_key: KeyMaterial = field(default="", repr=False)
    password: Secret | str = field(default="", repr=False)
    signing_certificate: KeyMaterial = field(default="", repr=False)
    signing_key: KeyMaterial = field(default="", repr=False)
    signing_password: Secret | str = field(default="", repr=False)
    payouts_without_personal_number: bool = False
    base_url: str = ""
    qr_url: str = ""
    trust: KeyMaterial = field(default="", repr=False)
    clean_texts: bool = False
    recurring: bool = False
    deadline_seconds: float = 30.0
    callback_sources: tuple[str, ...] = field(default=())
    trusted_proxies: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        """Refuse settings that cannot work, naming the key and the fix; certificates are read when used."""
        super(SwishAccount, self).__post_init__()  # slots make a new class, which super() without names misses
        where = self._where
        if not _NUMBER.fullmatch(self.number):
            message = (
                f"{where}: number must be the merchant's Swish number, ten digits that begin with 123 "
                f"and no spaces, not {self.number!r}"
            )
            raise ConfigurationError(message)
        if not self.certificate:
            message = f"{where}: certificate is empty; it is what portal.swish.nu gave out for {self.number}"
            raise ConfigurationError(message)
        if self.signing_key and not self.signing_certificate:
            message = f"{where}: signing_key needs signing_certificate beside it"
            raise ConfigurationError(message)
        if not (math.isfinite(self.deadline_seconds) and self.deadline_seconds > 0):
            message = f"{where}: deadline_seconds must be a number more than zero, not {self.deadline_seconds}"
            raise ConfigurationError(message)
        for key, networks in (("callback_sources", self.callback_sources), ("trusted_proxies", self.trusted_proxies)):
            for network in networks:
                try:
                    ipaddress.ip_network(network)
                except ValueError as error:
                    message = f"{where}: {key}: {network!r} is not a network such as 192.0.2.16/29"
                    raise ConfigurationError(message) from error
        self._check_urls()

    @property
    def api_url(self) -> str:
        """Where the API lives, without a slash at the end."""
        return self.base_url.rstrip("/") or f"https://{_HOSTS[self.environment]}"

    @property
    def qr_api_url(self) -> str:
        """Where QR codes are drawn, without a slash at the end."""
        if self.qr_url:
            return self.qr_url.rstrip("/")
        return (f"https://{_QR_HOST}" if self._is_at_swish else self.api_url) + _QR_PATH

    @property
    def hosts(self) -> frozenset[str]:
        """The only hosts that requests may go to."""
        return frozenset(urlsplit(url).netloc.lower() for url in (self.api_url, self.qr_api_url))

    def credentials(self) -> Credentials:
        """Read certificate and key; raises ``ConfigurationError`` saying what is wrong with them."""
        return self._load("certificate", self.certificate, "private_key", self.private_key, self.password)

    def signing_credentials(self) -> Credentials:
        """Read what signs payouts: the pair for it where there is one, else the same pair as for TLS."""
        if not self.signing_certificate:
            return self.credentials()
        return self._load(
            "signing_certificate", self.signing_certificate, "signing_key", self.signing_key, self.signing_password
        )

    def tls(self) -> ssl.SSLContext:
        """Return a context that shows the certificate with its chain; raises ``ConfigurationError``."""
        from prenopay.providers.swish.certificates import client_context  # noqa: PLC0415 - loads cryptography

        trust = read_material(self._where, "trust", self.trust) if self.trust else b""
        return client_context(self._where, self.credentials(), trust)

    @classmethod
    def inspect(cls, body: bytes) -> Inspection:
        """Say how a stored payment, refund, payout, callback or error body is read; raises ``ValueError``."""
        from prenopay.providers.swish.inspection import inspect  # noqa: PLC0415 - loads pydantic

        return inspect(body)

    @property
    def _is_at_swish(self) -> bool:
        """Whether the account calls one of Swish's own two worlds, and not an emulator or the sandbox."""
        return urlsplit(self.api_url).hostname in _HOSTS.values()

    @property
    def _where(self) -> str:
        return f"account {self.account!r}"

    def _load(
        self,
        name: str,
        certificate: KeyMaterial,
        key_name: str,
        key: KeyMaterial,
        password: Secret | str,
    ) -> Credentials:
        from prenopay.providers.swish.certificates import load, refuse_other_world  # noqa: PLC0415 - loads cryptography

        password_name = "signing_password" if name.startswith("signing") else "password"
        credentials = load(
            f"{self._where}: {name}",
            read_material(self._where, name, certificate),
            read_material(self._where, key_name, key) if key else b"",
            read_secret(self._where, password_name, password),
            key=key_name,
        )
        if self._is_at_swish:
            refuse_other_world(f"{self._where}: {name}", credentials, self.environment)
        return credentials

    def _check_urls(self) -> None:
        for key, url in (("base_url", self.base_url), ("qr_url", self.qr_url)):
            if url:
                self._check_url(key, url)
        if self.trust and self.environment is Environment.PRODUCTION:
            message = f"{self._where}: trust: a production account trusts public roots only; leave it out"
            raise ConfigurationError(message)

    def _check_url(self, key: str, url: str) -> None:
        where = f"{self._where}: {key}"
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").lower()
        except ValueError as error:
            message = f"{where}: {error}: {url!r}"
            raise ConfigurationError(message) from error
        if parts.scheme not in {"http", "https"} or not host or parts.query or parts.username:
            message = f"{where} must be like https://host or https://127.0.0.1:8002, not {url!r}"
            raise ConfigurationError(message)
        if parts.scheme == "http" and host not in _LOOPBACK:
            message = f"{where} must use https, or be on this machine: {url!r}"
            raise ConfigurationError(message)
        self._refuse_other_hosts(key, parts)

    def _refuse_other_hosts(self, key: str, parts: SplitResult) -> None:
        ours = _HOSTS[Environment.PRODUCTION] if key == "base_url" else _QR_HOST
        host = (parts.hostname or "").lower()
        if self.environment is Environment.PRODUCTION and (host != ours or parts.scheme != "https"):
            message = f"{self._where}: {key}: a production account cannot be pointed at {host!r}; leave {key} out"
            raise ConfigurationError(message)
        if self.environment is Environment.TEST and host == _HOSTS[Environment.PRODUCTION]:
            message = f"{self._where}: {key}: a test account cannot reach the production host {host!r}; leave it out"
            raise ConfigurationError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swish(SwishAccount["SwishProvider"]):
    """An account with Swish Handel; see ``SwishAccount`` for its fields."""

    def provider(self) -> SwishProvider:
        """Build the provider that speaks for this account; raises ``ConfigurationError``."""
        from prenopay.providers.swish.consents import SwishRecurringProvider  # noqa: PLC0415 - loads pydantic
        from prenopay.providers.swish.provider import SwishProvider  # noqa: PLC0415 - loads pydantic

        return SwishRecurringProvider(self) if self.recurring else SwishProvider(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class SwishRecurring(SwishAccount["SwishRecurringProvider"]):
    """As ``Swish`` with ``recurring=True``, and type checkers know that its payments can be charged. Experimental."""

    recurring: bool = field(default=True, init=False)

    def provider(self) -> SwishRecurringProvider:
        """Build the provider that speaks for this account; raises ``ConfigurationError``."""
        from prenopay.providers.swish.consents import SwishRecurringProvider  # noqa: PLC0415 - loads pydantic

        return SwishRecurringProvider(self)
