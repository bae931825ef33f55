"""An account's settings: one agreement with one provider."""

from __future__ import annotations

import ipaddress
import math
from abc import abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Generic, NoReturn, TypeVar
from urllib.parse import urlsplit

from prenopay._arguments import check_arguments, check_fields, refuse_setting
from prenopay._hidden import HidesArguments, raise_alone
from prenopay._text import quoted
from prenopay.errors import ConfigurationError
from prenopay.provider.values import Environment, Inspection
from prenopay.values.callbacks import CallbackRequest, is_loopback, source_address
from prenopay.values.days import TIME_ZONE, is_zone

if TYPE_CHECKING:
    import ssl

__all__ = ["HttpProviderConfig", "ProviderConfig"]

ProviderT_co = TypeVar("ProviderT_co", covariant=True)

_NAME_MOST: Final = 60
"""The width of the column that holds an account's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderConfig(Generic[ProviderT_co], metaclass=HidesArguments):
    """One account: one agreement with one provider. Subclasses add what their gateway needs.

    ``account`` is the host's name for it. It is part of callback URLs, table rows and log lines. ``time_zone`` is the
    merchant's, a region's name such as ``Europe/Helsinki``, or ``UTC``: there a consent, a card and a month end at
    midnight.
    """

    account: str
    environment: Environment
    time_zone: str = TIME_ZONE

    def __post_init__(self) -> None:
        """Refuse values of other types, and an account name that cannot be part of a URL.

        An enum's text and a secret's text are converted. Raises ``ConfigurationError``.
        """
        check_fields(self, self._refuse_setting)
        fits = self.account and all(each.isascii() and (each.isalnum() or each in "-_.") for each in self.account)
        if not fits or len(self.account) > _NAME_MOST:
            message = f"account: use 1 to {_NAME_MOST} letters, digits, '-', '_' or '.', not {quoted(self.account)}"
            raise ConfigurationError(message)
        if not self.account.strip("."):
            message = f"account: {self.account!r} in a URL means a folder; use a letter or a digit too"
            raise ConfigurationError(message)
        if not is_zone(self.time_zone):
            why = f"time_zone: use a name such as {TIME_ZONE}, not {quoted(self.time_zone)}"
            self._refuse_setting("time_zone", why)

    def _refuse_setting(self, _key: str, why: str) -> NoReturn:
        message = f"account {self.account!r}: {why}"
        raise ConfigurationError(message)

    def tls(self) -> ssl.SSLContext | None:
        """Return the TLS context, if the account has a certificate of its own; called once."""
        return None

    def secret_files(self) -> tuple[Path, ...]:
        """Return the files that the account reads secrets from; those that every user can read are reported."""
        return ()

    @abstractmethod
    def provider(self) -> ProviderT_co:
        """Build the provider of this account."""

    @classmethod
    @abstractmethod
    def inspect(cls, body: bytes) -> Inspection:
        """Say how the provider reads a stored body of this gateway; raises ``ValueError`` if it cannot."""


@check_arguments(refuse_setting)
@dataclass(frozen=True, slots=True, kw_only=True)
class HttpProviderConfig(ProviderConfig[ProviderT_co]):
    """An account with a gateway that is called over HTTP.

    ``base_url`` points a test account at an emulator; a production account cannot be pointed elsewhere.
    ``deadline_seconds`` limits one use case, retries and look-ups included.
    ``callback_sources`` (networks such as ``192.0.2.16/29``) and ``trusted_proxies`` are an optional check of
    the address that callbacks come from.
    """

    GATEWAY_HOSTS: ClassVar[Mapping[Environment, tuple[str, ...]]]
    """The gateway's hosts in each environment. The first is called; answers may link to any of them."""
    PAGE_HOSTS: ClassVar[tuple[str, ...]] = ()
    """Where the gateway's pages for payers are: see ``PaymentProvider.page_hosts``."""

    base_url: str = ""
    deadline_seconds: float = 30.0
    callback_sources: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse settings that cannot work; the error names the key and the fix."""
        super(HttpProviderConfig, self).__post_init__()  # a class with slots is a new class, which super() misses
        is_positive = math.isfinite(self.deadline_seconds) and self.deadline_seconds > 0
        self._require(is_positive, f"deadline_seconds must be a number more than zero, not {self.deadline_seconds}")
        for key, networks in (("callback_sources", self.callback_sources), ("trusted_proxies", self.trusted_proxies)):
            for network in networks:
                try:
                    ipaddress.ip_network(network)
                except ValueError:
                    message = f"{self._where}: {key}: {quoted(network)} is not a network such as 192.0.2.16/29"
                    raise_alone(ConfigurationError(message))
        self._check_url("base_url", self.base_url, self.GATEWAY_HOSTS[Environment.PRODUCTION])

    @property
    def api_url(self) -> str:
        """Where the API is, without a slash at the end."""
        return self.base_url.rstrip("/") or f"https://{self.GATEWAY_HOSTS[self.environment][0]}"

    @property
    def hosts(self) -> frozenset[str]:
        """The only hosts that requests may go to: the gateway's own, or else the one of ``base_url``."""
        own = frozenset(self.GATEWAY_HOSTS[self.environment])
        host = urlsplit(self.api_url).netloc.lower()
        return own if host in own else frozenset({host})

    @property
    def page_hosts(self) -> frozenset[str]:
        """Where payers' pages may be, and not only at ``hosts``: none if ``base_url`` leads elsewhere."""
        return frozenset(self.PAGE_HOSTS if self.hosts == frozenset(self.GATEWAY_HOSTS[self.environment]) else ())

    @property
    def perhaps_forgotten(self) -> str:
        """What to add where the gateway does not know a thing of ours: where ``base_url`` leads may be an emulator."""
        return "; an emulator forgets everything when it stops" if self.base_url else ""

    def source_problem(self, request: CallbackRequest) -> str:
        """Say why a callback cannot come from the gateway; empty if it can, or if no sources are configured."""
        if not self.callback_sources:
            return ""
        source = source_address(request, self.trusted_proxies)
        networks = map(ipaddress.ip_network, self.callback_sources)
        if source is not None and any(source in network for network in networks):
            return ""
        return f"came from {source}, which is not an address of the gateway"

    @property
    def _where(self) -> str:
        """How every error of this account begins."""
        return f"account {quoted(self.account)}"

    def _require(self, holds: bool, why: str) -> None:  # noqa: FBT001 - a condition, read in place
        if not holds:
            message = f"{self._where}: {why}"
            raise ConfigurationError(message)

    def _check_url(self, key: str, url: str, production_hosts: Collection[str]) -> None:
        """Refuse a ``url`` that is malformed, not encrypted, or of the other environment; empty is fine."""
        if not url:
            return
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").lower()
        except ValueError as error:
            message = f"{self._where}: {key}: {error}: {quoted(url)}"
            raise_alone(ConfigurationError(message))
        is_plain = parts.scheme in {"http", "https"} and bool(host) and not parts.query and not parts.username
        self._require(is_plain, f"{key} must be like https://host or http://127.0.0.1:8001, not {quoted(url)}")
        is_safe = parts.scheme == "https" or is_loopback(host)
        self._require(is_safe, f"{key} must use https, or be on this machine: {quoted(url)}")
        if self.environment is Environment.PRODUCTION:
            why = f"{key}: a production account cannot be pointed at {host!r}; leave {key} out"
            self._require(host in production_hosts, why)
        else:
            why = f"{key}: a test account cannot reach the production host {host!r}; leave {key} out"
            self._require(host not in self.GATEWAY_HOSTS[Environment.PRODUCTION], why)
