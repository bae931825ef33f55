"""The settings of one agreement with Swedbank Pay: which merchant, whose token, which environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import ClassVar, Final, TypeVar

from prenopay._text import quoted
from prenopay.provider import Environment, HttpProviderConfig, ReferenceAlphabet, ReferenceRule, Secret

__all__ = ["ReferenceFormat", "RepeatedReference", "SwedbankPayAccount"]

ProviderT_co = TypeVar("ProviderT_co", covariant=True)

_PAYEE_ID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_EMULATED: Final[Mapping[str, frozenset[str]]] = {
    "payee_id": frozenset(f"5e1f0000-0000-4000-8000-00000000e1f{merchant}" for merchant in "01"),
    "access_token": frozenset({"emulator-token", "emulator-second-key"}),
}
"""What the emulators take and the docs show. Everybody knows it: a production account refuses it."""
_TOKEN: Final = re.compile(r"[\w.~+/=-]+", re.ASCII)


class ReferenceFormat(Enum):
    """The format of a ``payeeReference`` under the agreement (docs: payee reference)."""

    ALPHANUMERIC_30 = ReferenceRule(alphabet=ReferenceAlphabet.CAPITALS_AND_DIGITS, length=30)
    """Swedbank Pay settles ("Redovisningsservice"): every page of the docs allows 30."""
    ALPHANUMERIC_50 = ReferenceRule(alphabet=ReferenceAlphabet.CAPITALS_AND_DIGITS, length=50)
    """The longer form that the 3.1 pages allow."""
    DIGITS_12 = ReferenceRule(alphabet=ReferenceAlphabet.DIGITS, length=12)
    """The merchant settles with its own acquirer ("Eget konto")."""


class RepeatedReference(StrEnum):
    """What the gateway does with a charge whose ``payeeReference`` it has seen before.

    The docs demand unique references, and do not say how a repeated one is answered.
    """

    UNKNOWN = "unknown"
    """Nothing is promised: a charge whose answer was lost is never sent again."""
    REFUSED = "refused"
    """The gateway's support has confirmed that it is refused: sending it again does not move money twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SwedbankPayAccount(HttpProviderConfig[ProviderT_co]):
    """The settings of an account with Swedbank Pay; see ``HttpProviderConfig`` for those that every gateway has.

    ``payee_id`` and ``access_token`` come from the merchant portal of the same environment.
    ``host_urls`` are the origins of the shop's pages (default: the origin of ``Order.return_url``).

    ``payer_api`` chooses how stored methods are listed and removed: through the Payer API, which new
    integrations must use (docs: token handling, 2026-07-01), or through the older ``payerownedtokens``, which
    ends with version 3.2. ``repeated_reference`` decides what happens to a charge whose answer was lost.
    """

    GATEWAY_HOSTS: ClassVar[Mapping[Environment, tuple[str, ...]]] = {
        Environment.TEST: ("api.externalintegration.payex.com", "api.externalintegration.swedbankpay.com"),
        Environment.PRODUCTION: ("api.payex.com", "api.swedbankpay.com"),
    }

    PAGE_HOSTS: ClassVar[tuple[str, ...]] = (".payex.com", ".swedbankpay.com")
    """The domains of the payment page and its script (docs: seamless view, content security policy, 2026-07-01)."""

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
    payer_api: bool = True
    repeated_reference: RepeatedReference = RepeatedReference.UNKNOWN

    def __post_init__(self) -> None:
        """Refuse settings that cannot work; the error names the key and the fix."""
        super(SwedbankPayAccount, self).__post_init__()  # a class with slots is a new class, which super() misses
        why = f"payee_id must be the merchant's GUID from the merchant portal, not {quoted(self.payee_id)}"
        self._require(bool(_PAYEE_ID.fullmatch(self.payee_id)), why)
        why = "access_token holds characters that no token has; was it cut or quoted by mistake?"
        self._require(bool(_TOKEN.fullmatch(self.access_token.reveal())), why)
        for key, given in (("payee_id", self.payee_id.lower()), ("access_token", self.access_token.reveal())):
            is_real = self.environment is not Environment.PRODUCTION or given not in _EMULATED[key]
            self._require(is_real, f"{key} is that of prenopay's emulator; take yours from the merchant portal")

    @property
    def tokens_url(self) -> str:
        """Where stored methods are listed and removed: the docs show the Payer API on the newer brand's host."""
        own = self.GATEWAY_HOSTS[self.environment]
        return self.base_url.rstrip("/") or f"https://{own[1 if self.payer_api else 0]}"
