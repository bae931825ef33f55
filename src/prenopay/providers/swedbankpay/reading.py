"""From the gateway's JSON to observations and stored methods in our words. Pure.

The sums come from the list of financial transactions if the answer has it, and else from the remaining
amounts; never from a node being present, because unused nodes hold stray members. ``Paid`` alone does not
mean captured.

A token comes with few facts, and each of the gateway's lists says them in another way: the masked number is
the token's name, its display name, or the card's first six and last four digits.
Source: developer.swedbankpay.com, resource sub-models and token handling (2026-07-01).
"""

from __future__ import annotations

import calendar
import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from prenopay._redaction import Secret, scrub
from prenopay.provider import Attempt, Observation, ProviderTransaction, TransactionKind
from prenopay.provider.wire import Unreadable
from prenopay.providers.swedbankpay import _wire
from prenopay.providers.swedbankpay.encoding import instrument_of
from prenopay.providers.swedbankpay.problems import decline_of, is_undocumented
from prenopay.values.mandates import MandateKind, MethodSeen
from prenopay.values.money import Money
from prenopay.values.orders import Instrument
from prenopay.values.payments import Action, Decline, PaymentState

__all__ = [
    "ACTIVE",
    "Sums",
    "actions_of",
    "display_of",
    "is_sale",
    "is_verification",
    "methods_listed",
    "methods_stored",
    "observation_of",
    "state_of",
    "status_of",
    "sums_of",
]

ACTION_OF_REL: Final[Mapping[str, Action]] = {
    "capture": Action.CAPTURE,
    "cancel": Action.CANCEL,
    "abort": Action.CANCEL,
    "reversal": Action.REFUND,
    "update-order": Action.UPDATE,
    "create-paymentorder-capture": Action.CAPTURE,
    "create-paymentorder-cancel": Action.CANCEL,
    "create-paymentorder-reversal": Action.REFUND,
    "update-paymentorder-abort": Action.CANCEL,
    "update-paymentorder-updateorder": Action.UPDATE,
}
"""``rel`` → our word; the longer ones are of version 2."""

_STATES: Final = {
    "initialized": PaymentState.PENDING,
    "paid": PaymentState.AUTHORIZED,
    "failed": PaymentState.DECLINED,
    "cancelled": PaymentState.CANCELLED,
    "canceled": PaymentState.CANCELLED,
    "reversed": PaymentState.CAPTURED,
    "aborted": PaymentState.CANCELLED,
    # ``state`` of version 2, which says nothing of money
    "ready": PaymentState.PENDING,
    "pending": PaymentState.PENDING,
}
_PAID_STATUSES: Final = frozenset({"paid", "cancelled", "canceled", "reversed"})
_PAID_RELS_2: Final = frozenset(
    {
        "paid-paymentorder",
        "create-paymentorder-capture",
        "create-paymentorder-cancel",
        "create-paymentorder-reversal",
    },
)
_VERIFY: Final = "verify"
_TAKES_NO_MONEY: Final = frozenset({_VERIFY, "payout"})
"""Operations whose amount is not collected from the payer."""
_ONE_PHASE: Final = frozenset({Instrument.SWISH, Instrument.TRUSTLY})

_KINDS: Final = {
    "authorization": TransactionKind.AUTHORIZATION,
    "capture": TransactionKind.CAPTURE,
    "cancellation": TransactionKind.RELEASE,
    "cancel": TransactionKind.RELEASE,
    "reversal": TransactionKind.REFUND,
}
"""``type`` of a transaction → our kind. A ``Sale`` is authorization and capture at once: see ``_kinds_of``."""

ACTIVE: Final = frozenset({"", "active"})
"""``state`` of a token that works. The older API lists no other tokens, and gives no state."""

_METHOD_KINDS: Final = {
    "payment": MandateKind.ONE_CLICK,
    "oneclick": MandateKind.ONE_CLICK,
    "recurrence": MandateKind.RECURRENCE,
    "unscheduled": MandateKind.UNSCHEDULED,
}
"""``type`` of a token → our kind; the legacy "transaction on file" has none."""

_EXPIRY: Final = re.compile(r"(0[1-9]|1[0-2])/(\d{4}|\d{2})")
_YEARS: Final = range(2000, 2100)
"""The docs show years that cannot be (``12/0023``)."""
_MASKED: Final = re.compile(r"(?:(\d*)[*x•]+)?(\d{4,})(?<!\d{9})", re.IGNORECASE)
"""A masked number, or only its last digits: the digits before the mask, and those after it.

A name that the payer chose does not match, and neither does a number with so many digits that none is masked.
"""
_BIN: Final = 6
"""The number of leading digits that identify the issuer and the brand."""
_BRAND_MOST: Final = 30


@dataclass(frozen=True, slots=True)
class Sums:
    """Cumulative sums in minor units."""

    authorized: int = 0
    captured: int = 0
    refunded: int = 0
    cancelled: int = 0


def status_of(order: _wire.Order, rels: Collection[str]) -> str:
    """Return the order's status in lower case, from any API version."""
    if order.status is not None:
        return order.status.lower()
    state = (order.state or "").lower()
    if state in {"failed", "aborted"}:
        return state
    if "failed-paymentorder" in rels:
        return "failed"
    is_open = "update-paymentorder-abort" in rels
    remaining = (order.remaining_capture_amount or 0) + (order.remaining_reversal_amount or 0)
    if _PAID_RELS_2 & set(rels) or (remaining and not is_open):
        return "paid"
    return state


def actions_of(rels: Collection[str]) -> frozenset[Action]:
    """Return what the order's ``operations`` allow now."""
    return frozenset(ACTION_OF_REL[rel] for rel in rels if rel in ACTION_OF_REL)


def is_verification(order: _wire.Order) -> bool:
    """Whether the order only stores a method: it reserves nothing, even if it shows an amount."""
    return order.operation.lower() == _VERIFY


def state_of(status: str, sums: Sums, *, verified: bool = False) -> PaymentState:
    """Return our state; an undocumented status means that the payment is still open.

    A ``Verify`` that is ``Paid`` (``verified``) has succeeded and nothing is left to capture: its state is
    captured, and the sums say that the amount is zero.
    """
    if sums.captured or (verified and status == "paid"):
        return PaymentState.CAPTURED
    return _STATES.get(status, PaymentState.PENDING)


def sums_of(order: _wire.Order, rels: Collection[str]) -> Sums:
    """Work out what was authorized, captured, refunded and released."""
    status = status_of(order, rels)
    if status not in _PAID_STATUSES or order.operation.lower() in _TAKES_NO_MONEY:
        return Sums()
    amount = _authorized_amount(order)
    if status in {"cancelled", "canceled"}:
        return Sums(authorized=amount, cancelled=amount)
    listed = None if order.financial_transactions is None else order.financial_transactions.financial_transactions_list
    sums = _from_remaining(order, amount, rels) if listed is None else _from_list(order, amount, listed)
    if status == "reversed":
        captured = sums.captured or amount
        return Sums(authorized=amount, captured=captured, refunded=captured, cancelled=sums.cancelled)
    return sums


def _authorized_amount(order: _wire.Order) -> int:
    for node in (order.paid, order.cancelled, order.reversed):
        if node is not None and node.amount is not None:
            return node.amount
    return order.amount or 0


def is_sale(order: _wire.Order, listed: Collection[_wire.Transaction] = ()) -> bool:
    """Whether the money was taken at once: as the order says, or else by its instrument."""
    if any(each.type.lower() == "sale" for each in listed):
        return True
    said = [node.transaction_type.lower() for node in (order.paid, order.reversed) if node and node.transaction_type]
    if said:
        return said[0] == "sale"
    node = next((node for node in (order.paid, order.reversed) if node and node.instrument), None)
    instrument = node.instrument if node is not None else order.instrument
    return instrument_of(instrument) in _ONE_PHASE


def _from_list(order: _wire.Order, amount: int, listed: list[_wire.Transaction]) -> Sums:
    """Add up the listed transactions; the list often lacks the first authorization or sale."""
    summed = dict.fromkeys(TransactionKind, 0)
    for each in listed:
        kind = _KINDS.get(each.type.lower())
        if kind is not None and each.state.lower() != "failed":
            summed[kind] += each.amount or 0
    refunded = summed[TransactionKind.REFUND]
    # What can still be refunded was captured, even if the list is late.
    captured = max(summed[TransactionKind.CAPTURE], (order.remaining_reversal_amount or 0) + refunded)
    if is_sale(order, listed):
        captured = amount
    return Sums(amount, captured, refunded, summed[TransactionKind.RELEASE])


def _from_remaining(order: _wire.Order, amount: int, rels: Collection[str]) -> Sums:
    """Work out the sums from what remains; a missing amount is zero.

    Without the list a released remainder looks like a refund, and is counted as one.
    """
    left_to_capture = order.remaining_capture_amount or 0
    left_to_refund = order.remaining_reversal_amount or 0
    nothing_said = order.remaining_capture_amount is None and order.remaining_reversal_amount is None
    if is_sale(order):
        refunded = 0 if nothing_said or not left_to_refund else max(amount - left_to_refund, 0)
        return Sums(amount, amount, refunded)
    if left_to_capture:
        captured = max(amount - left_to_capture, 0)
        return Sums(amount, captured, max(captured - left_to_refund, 0))
    if left_to_refund:
        return Sums(amount, amount, max(amount - left_to_refund, 0))
    actions = actions_of(rels)
    taken = Action.REFUND in actions and Action.CAPTURE not in actions
    return Sums(amount, amount if taken else 0)


def observation_of(answer: _wire.OrderAnswer, *, currency: str, raw: Mapping[str, object]) -> Observation:
    """Return what the answer says, in our words.

    ``currency`` is the order's as we know it, used only where the answer leaves it out. Raises
    ``Unreadable`` for an order without status, amount or currency: none of them has a default.
    """
    order = answer.payment_order
    rels = [operation.rel for operation in answer.operations]
    currency = order.currency or currency
    _require(status=order.status or order.state, amount=order.amount, currency=currency or None)
    status, sums = status_of(order, rels), sums_of(order, rels)
    failed_for = order.failed.problem if status == "failed" and order.failed is not None else None
    is_surprise = is_undocumented(failed_for)
    paid = order.paid if status in _PAID_STATUSES else None
    named = paid or order.payee_info

    def money(minor: int | None) -> Money:
        return Money(minor or 0, currency)

    return Observation(
        provider_reference=order.id,
        state=PaymentState.UNKNOWN if is_surprise else state_of(status, sums, verified=is_verification(order)),
        authorized=money(sums.authorized),
        captured=money(sums.captured),
        refunded=money(sums.refunded),
        cancelled=money(sums.cancelled),
        submitted=money(0 if is_verification(order) else _submitted(order, paid)),
        fee=money(paid.fee_amount if paid else 0),
        discount=money(abs(paid.discount_amount or 0) if paid else 0),
        allowed_actions=actions_of(rels),
        instrument=instrument_of(paid.instrument if paid and paid.instrument else order.instrument),
        reference=named.payee_reference if named else None,
        order_reference=named.order_reference if named else None,
        decline=_final_decline(order, status),
        attempts=_attempts(order),
        transactions=_transactions(order, currency),
        failed_transactions=tuple(_failed_transactions(order, documented=True)),
        uncertain_transactions=tuple(_failed_transactions(order, documented=False)),
        methods=methods_stored(order) if status in _PAID_STATUSES else (),
        raw_status=order.status or order.state or "",
        status_is_known=status in _STATES and not is_surprise,
        raw=raw,
    )


def _require(**members: object) -> None:
    for name, value in members.items():
        if value is None:
            message = f"paymentOrder.{name} is missing"
            raise Unreadable(message)


def _submitted(order: _wire.Order, paid: _wire.Result | None) -> int | None:
    if paid is not None and paid.submitted_amount is not None:
        return paid.submitted_amount
    return order.amount


def _final_decline(order: _wire.Order, status: str) -> Decline | None:
    if status != "failed":
        return None
    return decline_of(order.failed.problem if order.failed is not None else None, order.updated)


def _attempts(order: _wire.Order) -> tuple[Attempt, ...]:
    if order.failed_attempts is None:
        return ()
    return tuple(
        Attempt(
            number=each.number or _when(each.created),
            created_at=each.created,
            instrument=instrument_of(each.instrument),
            decline=decline_of(each.problem, each.created, is_try=True),
        )
        for each in order.failed_attempts.failed_attempt_list
    )


def _transactions(order: _wire.Order, currency: str) -> tuple[ProviderTransaction, ...]:
    node = order.financial_transactions
    listed = (node.financial_transactions_list or []) if node is not None else []
    return tuple(
        ProviderTransaction(
            kind=kind,
            number=each.number,
            amount=None if each.amount is None else Money(each.amount, currency),
            reference=each.payee_reference,
            created_at=each.created,
        )
        for each in listed
        for kind in _kinds_of(each.type)
        if each.state.lower() != "failed"
    )


def _kinds_of(name: str) -> tuple[TransactionKind, ...]:
    if name.lower() == "sale":
        return (TransactionKind.AUTHORIZATION, TransactionKind.CAPTURE)
    kind = _KINDS.get(name.lower())
    return () if kind is None else (kind,)


def _failed_transactions(order: _wire.Order, *, documented: bool) -> Iterator[ProviderTransaction]:
    """Return what failed for a reason that the gateway documents, or else for one that it does not."""
    node = order.post_purchase_failed_attempts
    for each in node.post_purchase_failed_attempt_list if node is not None else []:
        if is_undocumented(each.problem) is documented:
            continue
        for kind in _kinds_of(each.type or each.transaction_type):
            yield ProviderTransaction(
                kind=kind,
                number=each.number or _when(each.created),
                amount=None,
                reference=None,
                created_at=each.created,
                decline=decline_of(each.problem, each.created),
            )


def _when(created: datetime | None) -> str:
    return "" if created is None else created.isoformat()


# Stored methods


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What an answer says about the card or account behind a token."""

    instrument: str | None
    brand: str = ""
    masked: tuple[str, ...] = ()
    """Masked numbers, the one that says most first."""
    bin: str = ""
    expiry: str = ""
    network_tokenized: bool = False

    @property
    def word(self) -> str:
        """The instrument in our word; a token without an instrument is a card's."""
        return instrument_of(self.instrument) or str(Instrument.CARD)

    @property
    def is_card(self) -> bool:
        return self.word == Instrument.CARD or bool(self.brand)

    @property
    def numbers(self) -> list[tuple[str, str]]:
        """The leading and trailing digits that the masked numbers show."""
        plain = [re.sub(r"[ -]", "", number) for number in self.masked]
        return [(match[1] or "", match[2]) for number in plain if (match := _MASKED.fullmatch(number))]

    @property
    def last_four(self) -> str:
        return next((shown[-4:] for _, shown in self.numbers), "")

    @property
    def first_six(self) -> str:
        shown = next((first for first, _ in self.numbers if len(first) >= _BIN), "") or self.bin
        return shown[:_BIN] if shown[:_BIN].isdecimal() and len(shown) >= _BIN else ""

    @property
    def expires(self) -> date | None:
        """The last day of the month in which the card expires."""
        match = _EXPIRY.fullmatch(self.expiry.strip())
        if match is None:
            return None
        month, year = int(match[1]), int(match[2]) + (2000 if len(match[2]) == 2 else 0)  # noqa: PLR2004 - MM/YY
        return date(year, month, calendar.monthrange(year, month)[1]) if year in _YEARS else None

    @property
    def display(self) -> str:
        """What the payer recognises, such as ``Visa •••• 0004, 12/27``."""
        name = self.brand or ("Card" if self.is_card else self.instrument or "")
        shows_number = self.is_card or self.word == Instrument.TRUSTLY  # other names may be phone numbers
        number = f" •••• {self.last_four}" if shows_number and self.last_four else ""
        until = f", {self.expires:%m/%y}" if self.is_card and self.expires else ""
        return scrub(name)[:_BRAND_MOST] + number + until

    @property
    def card_key(self) -> str:
        """Equal for two tokens of one card, renewed or not; the first six digits include the brand."""
        if not (self.is_card and self.first_six and self.last_four):
            return ""
        return hashlib.sha256(f"card {self.first_six} {self.last_four}".encode()).hexdigest()

    def method(self, kind: MandateKind, token: str) -> MethodSeen:
        return MethodSeen(
            kind=kind,
            token=Secret(token),
            display=self.display,
            instrument=self.word,
            expires=self.expires,
            card_key=self.card_key,
            network_tokenized=self.network_tokenized,
        )


def methods_stored(order: _wire.Order) -> tuple[MethodSeen, ...]:
    """Return the methods that a paid order stored, from any API version."""
    nodes = [node for node in (order.paid, order.cancelled, order.reversed) if node is not None]
    found = [method for node in nodes for method in _of_result(node)]
    root = _Facts(instrument=order.instrument)
    at_the_root = (order.payment_token, order.recurrence_token, order.unscheduled_token)
    return _without_repeats([*found, *_bare(root, at_the_root)])


def methods_listed(tokens: Iterable[_wire.ListedToken]) -> tuple[MethodSeen, ...]:
    """Return the methods among a payer's tokens that still work."""
    found = [
        _facts_of_listed(token).method(kind, token.token)
        for token in tokens
        if token.token and token.state.lower() in ACTIVE and (kind := _METHOD_KINDS.get(token.token_type.lower()))
    ]
    return _without_repeats(found)


def display_of(token: _wire.ListedToken) -> str:
    """Return what the payer recognises of a listed token, such as ``Visa •••• 0004, 12/27``."""
    return _facts_of_listed(token).display


def _of_result(node: _wire.Result) -> list[MethodSeen]:
    details = node.details or _wire.Details()
    is_card = instrument_of(node.instrument) in {None, Instrument.CARD}

    def facts(name: str, expiry: str) -> _Facts:
        return _Facts(
            instrument=node.instrument,
            brand=details.card_brand,
            masked=(name, details.masked_pan),
            bin=details.bin,
            expiry=expiry or details.expiry_date,
            network_tokenized=is_card and bool(details.masked_d_pan),  # a wallet has a number of the device
        )

    found = [
        facts(token.name, token.expiry_date).method(kind, token.token)
        for token in node.tokens
        if token.token and (kind := _METHOD_KINDS.get(token.type.lower()))
    ]
    return [*found, *_bare(facts("", ""), (node.payment_token, node.recurrence_token, node.unscheduled_token))]


def _bare(facts: _Facts, tokens: tuple[str, str, str]) -> list[MethodSeen]:
    """Return the methods of version 3.0 and earlier, which lists bare tokens."""
    kinds = (MandateKind.ONE_CLICK, MandateKind.RECURRENCE, MandateKind.UNSCHEDULED)
    return [facts.method(kind, token) for kind, token in zip(kinds, tokens, strict=True) if token]


def _facts_of_listed(token: _wire.ListedToken) -> _Facts:
    details = token.instrument_parameters or _wire.InstrumentParameters()
    return _Facts(
        instrument=token.instrument,
        brand=details.card_brand,
        masked=(
            details.last_four_pan,
            token.instrument_display_name,
            details.masked_account_number,
            token.display_name,
        ),
        bin=details.bin,
        expiry=details.expiry_pan or details.expiry_date,
        network_tokenized=token.network_tokenized,
    )


def _without_repeats(methods: Iterable[MethodSeen]) -> tuple[MethodSeen, ...]:
    """Keep the first of equal methods, which says most."""
    seen: dict[tuple[MandateKind, Secret], MethodSeen] = {}
    for method in methods:
        seen.setdefault((method.kind, method.token), method)
    return tuple(seen.values())
