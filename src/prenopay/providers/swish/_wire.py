"""Swish's JSON, named as the gateway names it: what we send, and what we read.

The guide itself writes one member in two cases (``payeeSsn`` and ``callbackURL``, ``payeeSSN`` and
``callbackUrl``). ``""`` means nothing; unknown values are kept as text. Amounts, currencies and statuses have
no defaults; an amount is a JSON number or a string, and never becomes a float.
Source: MSS guide 2.0, sections 5 to 12; experimental parts: ``getswish`` 0.4.1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, cast

from pydantic import BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from prenopay.provider import wire
from prenopay.provider.wire import In, Text, Unreadable, as_text, members_of, read, read_json

__all__ = ["problem_in", "problems_in", "read_problems", "signed_at"]

_DIGITS_MOST: Final = 15
"""The largest amount has 14 digits; a longer number is not an amount."""
_AMOUNT: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
_ERRORS_MOST: Final = 50

# What we send


def _name(name: str) -> str:
    """Return a member's name as the gateway spells it."""
    return to_camel(name).replace("Ssn", "SSN").replace("Uuid", "UUID")


class Out(wire.Out):
    """A request body, or a part of one."""

    model_config: ClassVar[ConfigDict] = ConfigDict(alias_generator=_name)


class PaymentRequestOut(Out):
    """``PUT v2/paymentrequests/{instructionUUID}``."""

    payee_payment_reference: str | None = None
    callback_url: str
    callback_identifier: str
    payer_alias: str | None = None
    payer_ssn: str | None = None
    age_limit: str | None = None
    payee_alias: str
    amount: str
    currency: str
    message: str


class RefundOut(Out):
    """``PUT v2/refunds/{instructionUUID}``."""

    payer_payment_reference: str | None = None
    original_payment_reference: str
    callback_url: str
    callback_identifier: str
    payer_alias: str
    amount: str
    currency: str
    message: str | None = None


class PatchOut(Out):
    """One member of ``PATCH v1/paymentrequests/{id}``."""

    op: str
    path: str
    value: str


class PayoutPayloadOut(Out):
    """``payload`` of ``POST v1/payouts``: the part that is signed."""

    payout_instruction_uuid: str
    payer_payment_reference: str
    payer_alias: str
    payee_alias: str
    payee_ssn: str | None = None
    amount: str
    currency: str
    payout_type: str
    message: str | None = None
    instruction_date: str
    signing_certificate_serial_number: str


class QrOut(Out):
    """``POST commerce`` of the QR service."""

    token: str
    format: str
    size: int | None = None
    border: int | None = None
    transparent: bool | None = None


class AliasOut(Out):
    """``payee`` and ``payer`` of recurring requests."""

    alias: str


class ConsentOut(Out):
    """``POST consents/{consentId}`` and ``POST consents/{consentId}/token``; the latter has no payer."""

    callback_url: str
    payee: AliasOut
    payer: AliasOut | None = None
    tin: str | None = None
    payee_payment_reference: str | None = None


class AmountOut(Out):
    """``amount`` of a charge: here an object, and a number."""

    value: float
    currency: str


class ChargeOut(Out):
    """``POST payments/single/{paymentId}``."""

    consent_id: str
    callback_url: str
    payee: AliasOut
    amount: AmountOut
    message: str


# What we read


def _upper(value: object) -> str:
    text = as_text(value).strip().upper()
    if not text:
        message = "is missing or empty"
        raise ValueError(message)
    return text


def _minor(value: object) -> int:
    """Read kronor, a number or a text, into whole öre."""
    written = isinstance(value, str) and not _AMOUNT.fullmatch(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str) or written:
        message = "is not an amount"
        raise ValueError(message)
    amount = Decimal(value)
    if not amount.is_finite() or amount < 0 or amount.adjusted() >= _DIGITS_MOST:
        message = "is not an amount"
        raise ValueError(message)
    # By digits, not by arithmetic: a thread's decimal context may round.
    _, digits, exponent = amount.as_tuple()
    places = int(exponent) + 2
    number = "".join(map(str, digits))
    if places < 0:
        number, parts = number[:places], number[places:]
        if parts.strip("0"):
            message = "has parts of an öre"
            raise ValueError(message)
    return int((number or "0") + "0" * max(places, 0))


def _alias(value: object) -> str:
    """Read the number inside ``{"alias": …}``."""
    return as_text(members_of(value).get("alias"))


def _when(value: object) -> datetime | None:
    """Read a time; one without a zone is UTC, which makes it later than Swedish time would."""
    try:
        read = datetime.fromisoformat(as_text(value))
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):  # no time, or one at the edge of the calendar
        return None


Alias = Annotated[str, BeforeValidator(_alias)]
Word = Annotated[str, BeforeValidator(_upper)]
Currency = Annotated[str, BeforeValidator(_upper), Field(pattern=r"^[A-Z]{3}$")]
Minor = Annotated[int, BeforeValidator(_minor)]
When = Annotated[datetime | None, BeforeValidator(_when)]


class Money(In):
    """What every object says about its money and state."""

    amount: Minor
    currency: Currency
    status: Word
    payer_alias: Text = Field(default="", repr=False)
    payee_alias: Text = Field(default="", repr=False)
    payment_reference: Text = ""
    """The bank's reference. The simulator fills it in before the payment."""
    error_code: Text = ""
    error_message: Text = ""
    date_created: When = None
    callback_url: Text = Field(default="", repr=False)


class Payment(Money):
    """A payment request: an answer to ``GET`` or ``PATCH``, and the body of its callbacks."""

    id: Word
    payee_payment_reference: Text = ""


class Refund(Money):
    """A refund."""

    id: Word
    original_payment_reference: Text = ""
    payer_payment_reference: Text = ""


class Payout(Money):
    """A payout; it has no ``id``."""

    payout_instruction_uuid: Word

    payer_payment_reference: Text = ""


class Asked(In):
    """What a request body of ours asks for, to be compared with an object."""

    amount: Minor = 0
    currency: Text = ""
    payer_alias: Text = Field(default="", repr=False)
    payee_alias: Text = Field(default="", repr=False)
    payee_payment_reference: Text = ""
    payer_payment_reference: Text = ""
    original_payment_reference: Text = ""


class Problem(In):
    """One error. Recurring answers name the members ``code`` and ``message``."""

    error_code: Text = ""
    error_message: Text = ""
    additional_information: Text = ""

    @property
    def text(self) -> str:
        """The message, and what the answer adds to it."""
        return " ".join(part for part in (self.error_message, self.additional_information) if part)


class Consent(In):
    """A standing consent (experimental)."""

    status: Word
    id: Text = ""
    consent_id: Text = ""
    payer: Alias = Field(default="", repr=False)
    payee: Alias = ""
    payee_payment_reference: Text = ""
    callback_url: Text = Field(default="", repr=False)
    error_code: Text = ""
    error_message: Text = ""

    @property
    def name(self) -> str:
        """Its id, from either member; empty if neither has it."""
        return self.id or self.consent_id


class Charge(Payment):
    """Money taken on a consent (experimental): a payment whose amount is an object and whose id may be missing."""

    id: Text = ""
    consent_id: Text = Field(default="", repr=False)

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, members: Mapping[str, Any]) -> Mapping[str, Any]:
        money = members_of(members.get("amount"))
        return {**members, "amount": money.get("value"), "currency": money.get("currency")} if money else members


def signed_at(body: bytes) -> datetime | None:
    """Return the time that a signed payout states: nothing of ours is older."""
    return _when(members_of(members_of(read_json(body)).get("payload")).get("instructiondate"))


def read_problems(body: bytes) -> tuple[Problem, ...]:
    """Read an array of errors, or one alone; raises ``Unreadable`` for what is neither."""
    decoded = read_json(body, exact=True)
    return problems_in(cast("Sequence[Any]", decoded) if isinstance(decoded, list) else (decoded,))


def problems_in(listed: Sequence[Any]) -> tuple[Problem, ...]:
    """Read decoded errors; raises ``Unreadable`` unless each is one."""
    problems = tuple(problem_in(each) for each in listed[:_ERRORS_MOST])
    if not problems:
        message = "the body is an empty array"
        raise Unreadable(message)
    return problems


def problem_in(decoded: Any) -> Problem:
    """Read one decoded error; raises ``Unreadable`` for what has no code."""
    lowered = members_of(decoded)
    if "errorcode" not in lowered and {"code", "message"} <= set(lowered):
        lowered |= {"errorcode": lowered["code"], "errormessage": lowered["message"]}
    if not as_text(lowered.get("errorcode")):
        message = "the body holds something that is not an error with a code"
        raise Unreadable(message)
    return read(Problem, lowered)
