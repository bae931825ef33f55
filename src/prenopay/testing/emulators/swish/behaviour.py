"""The emulator's switches: all that Swish's texts leave open, or that was seen in more than one way.

The defaults are strict and like production: the payer must act, numbers must belong to the caller's
certificate, refunds are compared with the payment. ``MSS`` behaves as Getswish's own simulator does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Final, Literal

from prenopay.testing.callbacks import CallbackAddresses, RetrySchedule
from prenopay.testing.emulators.leniency import Leniency

__all__ = [
    "AWKWARD",
    "LENIENCIES",
    "LENIENT",
    "MSS",
    "AbsentStyle",
    "AmountStyle",
    "Behaviour",
    "DateStyle",
    "IdentifierPlace",
    "MessageSigns",
    "ReferenceSigns",
    "RemainingStyle",
]


class AmountStyle(StrEnum):
    """How amounts are written in answers."""

    NUMBER = "number"
    """``100.0``, as in the guide."""
    WHOLE_NUMBER = "whole_number"
    """``250`` when there are no öre."""
    STRING = "string"
    """``"100.00"``, as one documented refund callback has it."""


class DateStyle(StrEnum):
    """How moments are written."""

    ZULU = "zulu"
    """``2026-02-12T14:22:21.610Z``"""
    OFFSET = "offset"
    """``2026-02-12T15:22:21.610+0100``: Swedish time, no colon."""
    BARE = "bare"
    """``2026-02-12T14:22:21.610``: UTC, and no zone, as payouts have it."""
    BARE_SWEDISH = "bare_swedish"
    """``2026-02-12T15:22:21.610``: Swedish time, and no zone, as the oldest manuals say."""


class AbsentStyle(StrEnum):
    """How members without a value are written."""

    NULL = "null"
    EMPTY = "empty"
    """``""``"""
    MISSING = "missing"


class IdentifierPlace(StrEnum):
    """Where a callback carries the ``callbackIdentifier``."""

    BOTH = "both"
    HEADER = "header"
    BODY = "body"
    NOWHERE = "nowhere"


class RemainingStyle(StrEnum):
    """What RF08 says of the amount that can still be refunded; no text shows the format."""

    AMOUNT = "amount"
    """``"40.00"``"""
    TEXT = "text"
    """A sentence with the amount in it."""
    NOTHING = "nothing"
    """``null``, as the simulator answers."""


_LETTERS: Final = "A-Za-zÅÄÖåäö0-9"


class MessageSigns(Enum):
    """Which characters a message may have: (for payments, for refunds and payouts)."""

    NARROW = (rf"[{_LETTERS} :;.,?!()\"-]*", rf"[{_LETTERS} :;.,?!()\"]*")
    """MSS user guide 2.0: the hyphen for payments only."""
    WIDE = (rf"[{_LETTERS}À-ÿ :;.,?!()\"=#$%&*+/<'@^¡¢£€¥¿Š§šŽžŒœŸ-]*",) * 2
    """A newer copy of the developer site."""


class ReferenceSigns(Enum):
    """What a merchant's own reference may look like."""

    GUIDE = rf"[{_LETTERS}-]{{1,35}}"
    """MSS user guide 2.0."""
    DEVELOPER_SITE = r"[A-Za-z0-9 \-_.+*/]{1,36}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How this Swish behaves; make another with ``dataclasses.replace``."""

    # Requests
    numbers_are_checked: bool = True
    """403 PA01 unless the merchant's number is the certificate's; the objects of others cannot be seen."""
    minimum_amount: Decimal = Decimal("0.01")
    """Older texts say 1.00 (MSS user guide 2.0, tips); below it is AM06."""
    payout_ceiling: Decimal = Decimal(150_000)
    message_signs: MessageSigns = MessageSigns.WIDE
    reference_signs: ReferenceSigns = ReferenceSigns.GUIDE
    callback_addresses: CallbackAddresses = CallbackAddresses.PUBLIC
    """``https://`` on port 443 and a public certificate (Getswish: Merchant Integration Guide 2.6)."""
    lower_case_ids: bool = False
    """Take an ``instructionUUID`` in lower case; otherwise 400."""
    takes: frozenset[Leniency] = frozenset()
    """What it takes although the texts ask for something else; ``LENIENT`` takes what production takes.

    Without ``UNKNOWN_MEMBERS``, a member that no text names gets 400. ``null`` always counts as absent.
    """
    identical_repeat: Literal["RP09", "replay"] = "RP09"
    """The answer to the same ``instructionUUID`` with the same body; ``replay`` is the first answer again."""
    refund_in_progress: Literal["RP09", "RF09"] = "RP09"
    """The answer to the UUID of a refund that is not final yet."""
    errors_listed: Literal["all", "first"] = "all"
    field_error_code: str = "PA01"
    """For fields whose code is in no text: ageLimit, payerSSN's form, callbackIdentifier."""
    message_codes: bool = True
    """A message that is exactly a code makes that failure happen (MSS user guide 2.0, §5.4, §8.5)."""
    one_open_request_per_payer: bool = True
    """RP06, for e-commerce."""
    refunds_are_linked: bool = True
    """Compare refunds with the payment (RF02, RF03, RF04, RF06, RF08); the simulator takes any reference."""
    refund_pause: timedelta = timedelta(0)
    """Refunds closer together than this get 429; Getswish asks for one second."""

    # What the payer does, and when it is too late
    pays_itself_after: timedelta | None = None
    """Every request is paid after this time, without a payer; the simulator does it after four seconds."""
    payer_may_act_for: timedelta = timedelta(minutes=3)
    gives_up_after: timedelta = timedelta(minutes=5, seconds=30)
    """Then the request ends as TM01; between the two it is open, and nobody can pay it."""
    fake_payer: str = ""
    """The payer's number in a request without one; the simulator's is 46464646464."""

    # Answers
    amounts: AmountStyle = AmountStyle.NUMBER
    dates: DateStyle = DateStyle.ZULU
    payout_dates: DateStyle = DateStyle.BARE
    absent: AbsentStyle = AbsentStyle.NULL
    reference_early: bool = False
    """``paymentReference`` is in objects that were never paid, as in the guide's samples."""
    paid_date_on_cancelled: bool = False
    """``datePaid`` is in cancelled ones too."""
    token_in_object: bool = False
    """GET shows the ``paymentRequestToken`` again; no text says that it does."""
    token_style: Literal["hex", "opaque"] = "hex"  # noqa: S105 - the name of a style
    location_without_api: bool = False
    """One example of the guide leaves ``/api`` out of ``Location``."""
    stray_members: bool = False
    """Members that no text names."""
    open_status: str = "CREATED"
    """What an open payment says; some clients handle PENDING."""
    not_found_body: bool = True
    """404 with an RP04 array, as seen live; the guide's is empty."""
    no_information: Literal["null", "empty"] = "null"
    """What ``additionalInformation`` is when there is none."""
    remaining: RemainingStyle = RemainingStyle.AMOUNT

    # Refunds and payouts
    refund_first_state: Literal["CREATED", "VALIDATED"] = "VALIDATED"
    debited_after: timedelta = timedelta(seconds=4)
    settled_after: timedelta = timedelta(seconds=8)
    """Counted from the creation, as the simulator does."""
    payout_signers: Literal["any", "signing_only"] = "any"
    """Whether a merchant's TLS certificate may sign payouts."""
    payout_parameter_status: Literal[400, 403, 422] = 422
    """The status of PA01 for payouts; no text shows it."""
    bad_signature: Literal["PA01", "401"] = "PA01"
    payee_ssn_required: bool = True

    # Callbacks
    callback_on_cancel: bool = True
    identifier_place: IdentifierPlace = IdentifierPlace.BOTH
    callback_delay: timedelta = timedelta(0)
    retry_schedule: RetrySchedule = field(
        default_factory=lambda: RetrySchedule(
            seconds=(5, 10, 20, 40, *(60,) * 6), from_first=False, taken_by=frozenset({200})
        )
    )
    """Up to ten more, until exactly 200 (Merchant Integration Guide 2.6)."""


MSS: Final = Behaviour(
    numbers_are_checked=False,
    message_signs=MessageSigns.NARROW,
    one_open_request_per_payer=False,
    refunds_are_linked=False,
    pays_itself_after=timedelta(seconds=4),
    fake_payer="46464646464",
    reference_early=True,
    paid_date_on_cancelled=True,
    remaining=RemainingStyle.NOTHING,
    refund_first_state="CREATED",
    payout_signers="signing_only",
)
"""As the Merchant Swish Simulator (user guide 2.0): every request is paid after four seconds."""

AWKWARD: Final = Behaviour(
    amounts=AmountStyle.STRING,
    dates=DateStyle.OFFSET,
    payout_dates=DateStyle.BARE_SWEDISH,
    absent=AbsentStyle.EMPTY,
    reference_early=True,
    paid_date_on_cancelled=True,
    token_style="opaque",  # noqa: S106 - the name of a style
    location_without_api=True,
    stray_members=True,
    open_status="PENDING",
    not_found_body=False,
    no_information="empty",
    remaining=RemainingStyle.TEXT,
    identifier_place=IdentifierPlace.NOWHERE,
)
"""Everything a tolerant client must live with, at once."""

LENIENCIES: Final[Mapping[Leniency, str]] = MappingProxyType(
    {
        Leniency.UNKNOWN_MEMBERS: (
            "`id` in each body of the PHP client olssonm/swish-php 3.7, whose tests run at Getswish's simulator "
            "(2025-12)"
        ),
        Leniency.NUMBERS_FOR_TEXTS: (
            "`ageLimit` in the tests of the npm client swish-merchant 0.1.0, which run at Getswish's simulator (2020)"
        ),
    }
)
"""Each way in which Swish is more lenient than its texts, with its source."""

LENIENT: Final = Behaviour(takes=frozenset(LENIENCIES))
"""As lenient as production, for clients that are not prenopay's."""
