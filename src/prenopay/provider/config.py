"""An account's settings: one agreement with one provider."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from prenopay.errors import ConfigurationError
from prenopay.provider.values import Environment, Inspection

if TYPE_CHECKING:
    import ssl

__all__ = ["ProviderConfig"]

ProviderT_co = TypeVar("ProviderT_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderConfig(ABC, Generic[ProviderT_co]):
    """One account: one agreement with one provider. Subclasses add what their gateway needs.

    ``account`` is the host's name for it: it stands in callback URLs, tables and logs.
    """

    account: str
    environment: Environment

    def __post_init__(self) -> None:
        """Refuse an account name that cannot stand in a URL."""
        fits = self.account and all(sign.isascii() and (sign.isalnum() or sign in "-_.") for sign in self.account)
        if not fits or len(self.account) > 60:  # noqa: PLR2004 - a column's width
            message = f"account: use 1 to 60 letters, digits, '-', '_' or '.', not {self.account!r}"
            raise ConfigurationError(message)

    def tls(self) -> ssl.SSLContext | None:
        """Return what to speak TLS with, where the account has a certificate of its own; asked once."""
        return None

    @abstractmethod
    def provider(self) -> ProviderT_co:
        """Build the provider that speaks for this account."""

    @classmethod
    @abstractmethod
    def inspect(cls, body: bytes) -> Inspection:
        """Say how a stored body of this gateway is read; raises ``ValueError`` for what cannot be."""
