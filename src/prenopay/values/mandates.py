"""A payer's stored method and consent on any rail: what the payer agreed to, how it is shown, its state.

These values never hold the secret token. The ledger stores the token apart, encrypted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import final

from prenopay._arguments import check_fields, checked_fields
from prenopay._redaction import Secret, scrub
from prenopay._text import show_fields
from prenopay.errors import InvalidOrder
from prenopay.values.money import Money

__all__ = [
    "Consent",
    "ConsentKind",
    "ImportProblem",
    "ImportReport",
    "Mandate",
    "MandateChange",
    "MandateKind",
    "MandateState",
    "MethodSeen",
    "StoreMethod",
]


class MandateKind(StrEnum):
    """What a stored method may be used for."""

    UNSCHEDULED = "unscheduled"
    """Charges that the merchant starts, of any agreed size and time: the default for subscriptions."""
    RECURRENCE = "recurrence"
    """Charges that the merchant starts at fixed intervals."""
    ONE_CLICK = "one_click"
    """The payer pays again without typing; the payer is always present."""
    CONSENT = "consent"
    """A consent that lives in the payer's banking app."""


class MandateState(StrEnum):
    """The state of a mandate."""

    PROPOSED = "proposed"
    """The payer was asked; nothing is stored yet."""
    PENDING = "pending"
    """The payer agreed; the gateway has not confirmed it yet."""
    ACTIVE = "active"
    SUSPENDED = "suspended"
    """Not charged until something changes: a decline forbids it, or a ceiling was reached."""
    EXPIRING = "expiring"
    """Works, but not for long: ask the payer for another."""
    EXPIRED = "expired"
    REPLACED = "replaced"
    REVOKED = "revoked"
    """The payer withdrew the consent, or the gateway no longer has the method. It may come back there."""
    DELETED = "deleted"

    @property
    def is_chargeable(self) -> bool:
        """Whether it may be charged."""
        return self in {MandateState.ACTIVE, MandateState.EXPIRING}

    @property
    def has_ended(self) -> bool:
        """Whether it is over. Only a revoked one may come back."""
        return self in {MandateState.EXPIRED, MandateState.REPLACED, MandateState.REVOKED, MandateState.DELETED}


class ConsentKind(StrEnum):
    """What the payer agreed to pay."""

    FIXED = "fixed"
    """The amount that was named, every time."""
    VARIABLE = "variable"
    """Amounts that vary, up to ``most`` if it is given."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What the payer agreed to. It is evidence: it is kept as long as the mandate and its charges.

    ``text_version`` names the text that was shown. ``channel`` says where it was shown (``web``, ``phone``,
    ``import``). ``most`` is the amount of a ``FIXED`` consent, or the highest amount of a ``VARIABLE`` one, VAT
    included. ``until`` is the last day on which the method may be stored (``None``: until the payer withdraws the
    consent). It ends at midnight in the account's time zone. Raises ``InvalidOrder``.
    """

    kind: ConsentKind = ConsentKind.VARIABLE
    most: Money | None = None
    text_version: str
    agreed_at: datetime
    channel: str
    until: date | None = None

    def __post_init__(self) -> None:
        """Refuse a consent that proves nothing."""
        check_fields(self, prefix="consent.")
        if not self.text_version.strip():
            _refuse("consent.text_version", "name the text that the payer agreed to, such as 'terms-2026-01'")
        if not self.channel.strip():
            _refuse("consent.channel", "say where the payer agreed, such as 'web' or 'phone'")
        if self.agreed_at.tzinfo is None:
            _refuse("consent.agreed_at", "must be a time with a zone")
        if self.until is not None and self.until < self.agreed_at.date():
            _refuse("consent.until", f"{self.until} is before the payer agreed")
        if self.kind is ConsentKind.FIXED and self.most is None:
            _refuse("consent.most", "a fixed consent names its amount")
        if self.most is not None and self.most.minor <= 0:
            _refuse("consent.most", f"must be more than zero, not {self.most}")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StoreMethod:
    """Asks to store the method that the payer pays with, for later charges.

    With ``asks_in_page`` the gateway's page asks the payer with a checkbox of its own, where it can. Otherwise the
    host has asked, and ``consent`` says how. ``replaces`` names an older mandate of the same payer: the new one
    replaces it as soon as the new one works. Raises ``InvalidOrder``.
    """

    consent: Consent
    kinds: tuple[MandateKind, ...] = (MandateKind.UNSCHEDULED,)
    asks_in_page: bool = False
    replaces: str | None = None

    def __post_init__(self) -> None:
        """Refuse a request that asks for nothing."""
        check_fields(self, prefix="store.")
        if not self.kinds or len(set(self.kinds)) != len(self.kinds):
            _refuse("store.kinds", "name each kind of mandate once, and at least one")


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class MethodSeen:
    """A stored method as the gateway names it. ``token`` is the secret, ``display`` is for people.

    ``card_key`` is the same for two tokens of one card, because card-scheme ceilings count per card. It is empty
    if the gateway does not say enough.
    """

    kind: MandateKind
    token: Secret
    display: str
    instrument: str
    expires: date | None = None
    card_key: str = field(default="", repr=False)
    network_tokenized: bool = False

    def __post_init__(self) -> None:
        """Mask what is secret in the gateway's texts, and make them fit to be shown and stored."""
        show_fields(self)
        object.__setattr__(self, "display", scrub(self.display))


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Mandate:
    """A stored method and the consent behind it. Charge it while ``state.is_chargeable``.

    ``display`` is for the payer (``Visa •••• 0004, 12/27``). ``payment_id`` is the payment that stored it.
    ``replaced_by`` is the mandate that replaced it. ``reason`` says why it is suspended or has ended.
    """

    mandate_id: str
    account: str
    provider: str
    payer_reference: str
    kind: MandateKind
    state: MandateState
    consent: Consent
    time_zone: str
    """Where ``consent.until`` and ``expires`` end: the account's zone when the method was stored."""
    instrument: str
    display: str
    expires: date | None
    network_tokenized: bool
    payment_id: str | None
    replaces: str | None
    replaced_by: str | None
    reason: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class MandateChange:
    """One step in a mandate's life: who moved it to ``state``, when and why."""

    at: datetime
    state: MandateState
    actor: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class ImportProblem:
    """Why one line of a token file was refused: the line, the column, and what to do."""

    line: int
    column: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class ImportReport:
    """What an import did, or (``dry_run``) would do. Nothing is imported while there are ``problems``."""

    dry_run: bool
    added: int
    known: int
    problems: tuple[ImportProblem, ...]


def _refuse(field_name: str, why: str) -> None:
    message = f"{field_name}: {why}"
    raise InvalidOrder(message, field=field_name)
