"""One agreement with Swedbank Pay: which merchant, whose token, which of the gateway's worlds."""

from __future__ import annotations

import ipaddress
import math
import re
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from prenopay.errors import ConfigurationError
from prenopay.provider import Environment, Inspection, ProviderConfig, ReferenceAlphabet, ReferenceRule, Secret

if TYPE_CHECKING:
    from prenopay.providers.swedbankpay.provider import SwedbankPayProvider

__all__ = ["ReferenceFormat", "RepeatedReference", "SwedbankPay"]

_HOSTS: Final = {
    Environment.TEST: ("api.externalintegration.payex.com", "api.externalintegration.swedbankpay.com"),
    Environment.PRODUCTION: ("api.payex.com", "api.swedbankpay.com"),
}
"""Both brands' hosts; the first is the one that is called, either may stand in answers."""

_PAYEE_ID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TOKEN: Final = re.compile(r"[\w.~+/=-]+", re.ASCII)
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class ReferenceFormat(Enum):
    """What a ``payeeReference`` may look like under the agreement (docs: payee reference)."""

    ALPHANUMERIC_30 = ReferenceRule(alphabet=ReferenceAlphabet.CAPITALS_AND_DIGITS, length=30)
    """Swedbank Pay settles ("Redovisningsservice"): 30 is safe on every page of the docs."""
    ALPHANUMERIC_50 = ReferenceRule(alphabet=ReferenceAlphabet.CAPITALS_AND_DIGITS, length=50)
    """The longer form that the 3.1 pages allow."""
    DIGITS_12 = ReferenceRule(alphabet=ReferenceAlphabet.DIGITS, length=12)
    """The merchant settles with an acquirer of its own ("Eget konto")."""


class RepeatedReference(StrEnum):
    """What the gateway does with a charge whose ``payeeReference`` it has seen before.

    The docs demand that references be unique, and do not say what a repeated one is answered with.
    """

    UNKNOWN = "unknown"
    """Nobody has promised anything: a charge whose answer was lost is never sent again."""
    REFUSED = "refused"
    """The gateway's support has confirmed that it is refused: then sending it again moves no money twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SwedbankPay(ProviderConfig["SwedbankPayProvider"]):
    """An account with Swedbank Pay.

    ``payee_id`` and ``access_token`` come from the merchant portal of the same environment.
    ``host_urls`` are the origins of the shop's pages (default: where ``Order.return_url`` leads).
    ``base_url`` points a test account at an emulator; production accounts cannot be pointed elsewhere.
    ``callback_sources`` (networks such as ``20.91.170.120/29``) and ``trusted_proxies`` are an extra,
    optional check of where callbacks come from.

    ``payer_api`` chooses how stored methods are listed and removed: the Payer API, which new
    integrations must use (docs: token handling, 2026-07-01), or the older ``payerownedtokens``, which
    ends with version 3.2. ``repeated_reference`` decides what happens to a charge whose answer was lost.
    """

    payee_id: str
    access_token: Secret
    payee_name: str = ""
    reference_format: ReferenceFormat = ReferenceFormat.ALPHANUMERIC_30
    host_urls: tuple[str, ...] = ()
    terms_url: str = ""
    logo_url: str = ""
    product_category: str = ""
    subsite: str = ""
    site_id: str = ""
    base_url: str = ""
    deadline_seconds: float = 30.0
    callback_sources: tuple[str, ...] = field(default=())
    trusted_proxies: tuple[str, ...] = field(default=())
    payer_api: bool = True
    repeated_reference: RepeatedReference = RepeatedReference.UNKNOWN

    def __post_init__(self) -> None:
        """Refuse settings that cannot work, naming the key and the fix."""
        super(SwedbankPay, self).__post_init__()  # slots make a new class, which super() without names misses
        where = f"account {self.account!r}"
        if not _PAYEE_ID.fullmatch(self.payee_id):
            message = f"{where}: payee_id must be the merchant's GUID from the merchant portal, not {self.payee_id!r}"
            raise ConfigurationError(message)
        if not _TOKEN.fullmatch(self.access_token.reveal()):
            message = f"{where}: access_token holds signs that no token has; was it cut or quoted by mistake?"
            raise ConfigurationError(message)
        if not (math.isfinite(self.deadline_seconds) and self.deadline_seconds > 0):
            message = f"{where}: deadline_seconds must be a number more than zero, not {self.deadline_seconds}"
            raise ConfigurationError(message)
        if self.repeated_reference not in set(RepeatedReference):
            known = " or ".join(f"{each.value!r}" for each in RepeatedReference)
            message = f"{where}: repeated_reference must be {known}, not {self.repeated_reference!r}"
            raise ConfigurationError(message)
        for key, networks in (("callback_sources", self.callback_sources), ("trusted_proxies", self.trusted_proxies)):
            for network in networks:
                try:
                    ipaddress.ip_network(network)
                except ValueError as error:
                    message = f"{where}: {key}: {network!r} is not a network such as 20.91.170.120/29"
                    raise ConfigurationError(message) from error
        self._check_base_url(where)

    @property
    def api_url(self) -> str:
        """Where the API lives, without a slash at the end."""
        return self.base_url.rstrip("/") or f"https://{_HOSTS[self.environment][0]}"

    @property
    def tokens_url(self) -> str:
        """Where stored methods are listed and removed: the docs show the Payer API on the newer brand's host."""
        return self.base_url.rstrip("/") or f"https://{_HOSTS[self.environment][1 if self.payer_api else 0]}"

    @property
    def hosts(self) -> frozenset[str]:
        """The only hosts the token may go to."""
        ours = frozenset(_HOSTS[self.environment])
        host = urlsplit(self.base_url).netloc.lower()
        return ours if not host or host in ours else frozenset({host})

    def provider(self) -> SwedbankPayProvider:
        """Build the provider that speaks for this account."""
        from prenopay.providers.swedbankpay.provider import SwedbankPayProvider  # noqa: PLC0415 - loads pydantic

        return SwedbankPayProvider(self)

    @classmethod
    def inspect(cls, body: bytes) -> Inspection:
        """Say how a stored payment order (any version), callback or problem is read; raises ``ValueError``."""
        from prenopay.providers.swedbankpay.inspection import inspect  # noqa: PLC0415 - loads pydantic

        return inspect(body)

    def _check_base_url(self, where: str) -> None:
        if not self.base_url:
            return
        try:
            parts = urlsplit(self.base_url)
            host = (parts.hostname or "").lower()
        except ValueError as error:
            message = f"{where}: base_url: {error}: {self.base_url!r}"
            raise ConfigurationError(message) from error
        if parts.scheme not in {"http", "https"} or not host or parts.query or parts.username:
            message = f"{where}: base_url must be like https://host or http://127.0.0.1:8001, not {self.base_url!r}"
            raise ConfigurationError(message)
        if parts.scheme == "http" and host not in _LOOPBACK:
            message = f"{where}: base_url must use https, or be on this machine: {self.base_url!r}"
            raise ConfigurationError(message)
        if self.environment is Environment.PRODUCTION and host not in _HOSTS[Environment.PRODUCTION]:
            message = f"{where}: a production account cannot be pointed at {host!r}; leave base_url out"
            raise ConfigurationError(message)
        if self.environment is Environment.TEST and host in _HOSTS[Environment.PRODUCTION]:
            message = f"{where}: a test account cannot reach the production host {host!r}; leave base_url out"
            raise ConfigurationError(message)
