"""What the emulated gateway remembers: orders, stored tokens, failures of cards; and records of it for tests."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from prenopay._arguments import checked_fields
from prenopay.testing.clock import VirtualClock
from prenopay.testing.control import ControlRefused
from prenopay.testing.emulators.control_page import Listed
from prenopay.testing.emulators.gateway import Memory, as_json, snapshot
from prenopay.testing.emulators.pages import money_text
from prenopay.testing.emulators.swedbankpay.behaviour import AttemptLimits, Behaviour, DeclineChannel
from prenopay.testing.emulators.swedbankpay.cards import DAY, MONTH, CardUsed
from prenopay.testing.emulators.swedbankpay.orders import (
    HistoryEntry,
    Merchant,
    PaymentOrder,
    Status,
    TokenKind,
    TokenRecord,
    TransactionKind,
    TransactionRecord,
)
from prenopay.testing.http import JsonObject, as_object

PAGE_PATH: Final = "/checkout"
_PAGE_LIVES: Final = timedelta(days=28)
"""How long a payer can pay."""
_FIRST_NUMBER: Final = 40_100_000_000
"""Numbers have eleven digits, so that nobody squeezes them into 32 bits."""
_PERSONAL: Final = frozenset(
    {"deliveryEmailAddress", "email", "homePhoneNumber", "msisdn", "socialSecurityNumber", "workPhoneNumber"}
)


def stamp(moment: datetime) -> str:
    """Return a time (UTC) as the gateway writes it: seven digits of a second."""
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}7Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDecline:
    """What the acquirer will say to a coming charge; without a ``channel``, reported as the behaviour says."""

    word: str = ""
    channel: DeclineChannel | None = None


class Vault:
    """Every token there ever was, in the order in which they were stored."""

    def __init__(self) -> None:
        """Begin empty."""
        self._tokens: dict[str, TokenRecord] = {}
        self._listed: tuple[datetime, list[TokenRecord]] | None = None

    def __iter__(self) -> Iterator[TokenRecord]:
        return iter(list(self._tokens.values()))

    def keep(self, stored: TokenRecord) -> TokenRecord:
        """Keep a token, or what became of it."""
        self._tokens[stored.token] = stored
        return stored

    def find(self, payee_id: str, token: str, kind: TokenKind | None = None) -> TokenRecord | None:
        """Return the payee's token of that kind (or of any); nobody sees another's."""
        found = self._tokens.get(token.lower())
        is_own = found is not None and found.payee_id == payee_id and kind in {None, found.kind}
        return found if is_own else None

    def of_payer(self, payee_id: str, payer_reference: str) -> list[TokenRecord]:
        """Return everything ever stored for a payer of the payee's."""
        return [stored for stored in self if (stored.payee_id, stored.payer_reference) == (payee_id, payer_reference)]

    def replace_card(self, stored: TokenRecord, card: CardUsed) -> TokenRecord:
        """Put another card behind ``stored`` and behind the payer's other active tokens for the same card."""
        for other in self.of_payer(stored.payee_id, stored.payer_reference):
            if other.is_active and other.card == stored.card:
                self.keep(replace(other, card=card))
        return self.keep(replace(stored, card=card))

    def lag(self, until: datetime, *, is_empty: bool) -> None:
        """Until then, list what is stored now, or nothing."""
        self._listed = until, [] if is_empty else list(self)

    def listed(self, payee_id: str, payer_reference: str, now: datetime) -> list[TokenRecord]:
        """Return everything stored for a payer as the lists show it."""
        until, then = self._listed or (now, [])
        shown = then if now < until else self
        return [stored for stored in shown if (stored.payee_id, stored.payer_reference) == (payee_id, payer_reference)]


class Reattempts:
    """The failures of every card at every payee, the schemes' limits, and blocked cards.

    The counts are the gateway's own (docs: problems, "Do Not Try Again & Excessive Reattempts"): per agreement
    and card number, so that another token for the same card changes nothing.
    """

    def __init__(self) -> None:
        """Begin without failures."""
        self._failures: dict[tuple[str, str], list[datetime]] = {}
        self._blocked: dict[tuple[str, str], datetime] = {}

    def failures(self, payee_id: str, card: CardUsed) -> list[datetime]:
        """Return when the card failed at the payee's."""
        return self._failures.setdefault((payee_id, card.masked), [])

    def fail(self, payee_id: str, card: CardUsed, now: datetime, *, blocks: bool) -> None:
        """Count a failure; one that ``blocks`` blocks the card for thirty days."""
        self.failures(payee_id, card).append(now)
        if blocks:
            self._blocked[payee_id, card.masked] = now + MONTH

    def is_blocked(self, payee_id: str, card: CardUsed, now: datetime) -> bool:
        """Say whether the card may not be tried at all."""
        until = self._blocked.get((payee_id, card.masked))
        return until is not None and now < until

    def windows(
        self, payee_id: str, card: CardUsed, limits: AttemptLimits, now: datetime
    ) -> list[tuple[str, int, int]]:
        """Return word, failures and what remains for each limit of the card's scheme; some schemes have none."""
        scheme = {
            "MasterCard": [("daily", DAY, limits.mastercard_daily), ("monthly", MONTH, limits.mastercard_monthly)],
            "Visa": [("monthly", MONTH, limits.visa_monthly)],
        }
        failures = self.failures(payee_id, card)
        found: list[tuple[str, int, int]] = []
        for word, span, most in scheme.get(card.brand, []):
            used = sum(now - each < span for each in failures)
            found.append((word, used, max(most - used, 0)))
        return found


class Register(Memory[Behaviour]):
    """The gateway's memory."""

    def __init__(
        self, *, clock: VirtualClock | None, merchants: Iterable[Merchant], behaviour: Behaviour, seed: int | None
    ) -> None:
        """Begin empty."""
        super().__init__(clock=clock, behaviour=behaviour, seed=seed)
        self.merchants: dict[str, Merchant] = {merchant.access_token: merchant for merchant in merchants}
        self.orders: dict[str, PaymentOrder] = {}
        self.vault: Vault = Vault()
        self.reattempts: Reattempts = Reattempts()
        self.planned_declines: list[PlannedDecline] = []
        self._last_number = _FIRST_NUMBER

    def new_guid(self) -> str:
        """Return a fresh id."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def new_number(self) -> int:
        """Return a fresh transaction number."""
        self._last_number += self.random.randint(1, 97)
        return self._last_number

    def new_order(self, merchant: Merchant, request: JsonObject, *, version: str, user_agent: str) -> PaymentOrder:
        """Return a fresh order, which is not remembered yet; its page's address is a secret."""
        return PaymentOrder(
            id=f"/psp/paymentorders/{self.new_guid()}",
            page_token=f"{self.random.getrandbits(256):064x}",
            merchant=merchant,
            version=version,
            created=self.now(),
            updated=self.now(),
            user_agent=user_agent,
            request=dict(request),
        )

    def by_token(self, page_token: str) -> PaymentOrder | None:
        """Return the order whose payment page this is; a charge has no page."""
        orders = (order for order in self.orders.values() if not order.is_charge)
        return next((order for order in orders if order.page_token == page_token), None)

    def find(self, name: str) -> PaymentOrder:
        """Return the order with this id, page or ``payeeReference``; raises ``ControlRefused``."""
        self.settle()
        last = urlsplit(name).path.strip("/").rsplit("/", maxsplit=1)[-1]
        for order in self.orders.values():
            if last in {order.id.rsplit("/", maxsplit=1)[-1], order.page_token, order.payee_reference}:
                return order
        message = f"there is no payment order {name!r}: pass payment.provider_reference"
        raise ControlRefused(message)

    def page_has_expired(self, order: PaymentOrder) -> bool:
        """Say whether the payer comes too late."""
        return self.now() >= order.created + _PAGE_LIVES

    def open_page(self, order: PaymentOrder, integration: str) -> None:
        """Show the payment page; the first time decides how the order is integrated."""
        if not order.integration:
            order.integration = integration
            self.note(order, "PaymentLoaded", "PaymentGateway")

    def note(
        self,
        order: PaymentOrder,
        name: str,
        by: str,
        *,
        instrument: str = "",
        number: int | None = None,
        amount: int | None = None,
        prefill: bool | None = None,
    ) -> None:
        """Write a line of the order's history."""
        order.updated = self.now()
        entry = HistoryEntry(
            created=order.updated,
            name=name,
            initiated_by=by,
            instrument=instrument,
            number=number,
            amount=amount,
            prefill=prefill,
        )
        order.history.append(entry)


# Records


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Totals:
    """What an order's movements add up to, in minor units."""

    currency: str
    authorized: int
    captured: int
    cancelled: int
    reversed: int


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class OrderRecord:
    """One payment order as it is now."""

    id: str
    operation: str
    payee_id: str
    payee_reference: str
    order_reference: str
    status: Status
    amount: int
    vat_amount: int
    totals: Totals
    transactions: tuple[TransactionRecord, ...]
    failed_attempts: tuple[str, ...]
    """The problem types of the payer's tries that failed."""
    failed_operations: tuple[TransactionKind, ...]
    open_attempts: tuple[int, ...]
    is_payable: bool
    """Whether somebody who opens its page now can pay it."""
    is_locked: bool
    page_path: str
    personal: tuple[str, ...] = field(repr=False)
    """Phone numbers, e-mail addresses and personal numbers in the order and in the payer's tries."""


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class ChargeRecord:
    """One charge of a token as it is now. ``problem`` is the type of what declined it."""

    order: str
    operation: str
    payee_reference: str
    payer_reference: str
    token: str = field(repr=False)
    instrument: str
    card: str
    """The masked card or account that was charged."""
    amount: int
    currency: str
    status: Status
    problem: str
    created: datetime


def record_of(register: Register, order: PaymentOrder) -> OrderRecord:
    """Return the order as a value; its page may be closed because its time is over."""
    is_open = not order.is_charge and not register.page_has_expired(order)
    return snapshot(
        OrderRecord,
        order,
        payee_id=order.merchant.payee_id,
        totals=snapshot(Totals, order),
        transactions=tuple(order.transactions),
        failed_attempts=tuple(str(attempt.problem["type"]) for attempt in order.attempts if attempt.problem),
        failed_operations=tuple(failed.kind for failed in order.failed_operations),
        open_attempts=tuple(attempt.number for attempt in order.open_attempts),
        is_payable=order.status is Status.INITIALIZED and is_open,
        page_path="" if order.is_charge else f"{PAGE_PATH}/{order.page_token}",
        personal=(*_personal(order.request), *(attempt.msisdn for attempt in order.attempts if attempt.msisdn)),
    )


def _personal(value: object) -> Iterator[str]:
    """Yield what identifies a person, wherever it is in a request."""
    for name, part in (as_object(value) or {}).items():
        if name in _PERSONAL and isinstance(part, str):
            yield part
        else:
            yield from _personal(part)


def charge_of(order: PaymentOrder) -> ChargeRecord | None:
    """Return the charge that an order is, if it is one."""
    attempt = next((entry for entry in order.attempts if entry.is_by_merchant), None)
    if attempt is None or attempt.stored is None:
        return None
    return snapshot(
        ChargeRecord,
        order,
        order=order.id,
        token=attempt.stored.token,
        instrument=attempt.instrument.name,
        card=attempt.stored.name,
        problem=str((order.failure or {}).get("type", "")),
    )


def describe(record: OrderRecord) -> JsonObject:
    """Return the record as JSON."""
    transactions = [
        {"type": each.kind, "created": stamp(each.created), **as_json(each, "amount", "number", "payee_reference")}
        for each in record.transactions
    ]
    names = ("id", "operation", "payee_id", "payee_reference", "order_reference", "status", "amount", "is_locked")
    return {
        **as_json(record, *names, "failed_attempts", "failed_operations", "open_attempts"),
        **as_json(record.totals, "currency", "authorized", "captured", "cancelled", "reversed"),
        "transactions": transactions,
        "page": record.page_path,
    }


def listed(record: OrderRecord) -> Listed:
    """Return the record as the control page lists it."""
    totals = record.totals
    sums = {
        "reserved": totals.authorized - totals.captured - totals.cancelled,
        "captured": totals.captured,
        "cancelled": totals.cancelled,
        "reversed": totals.reversed,
    }
    facts = [f"{name} {_money(amount, record)}" for name, amount in sums.items() if amount > 0]
    tries = len(record.failed_attempts)
    told = {
        "bank or app waits for an answer": record.open_attempts,
        f"{tries} failed {'try' if tries == 1 else 'tries'}": tries,
        "locked after too many failures": record.is_locked,
    }
    return Listed(
        name=record.id,
        reference=record.order_reference or record.payee_reference,
        made_by=record.payee_reference,
        text=record.operation,
        amount=_money(record.amount, record),
        status=record.status,
        facts=(*facts, *(text for text, is_so in told.items() if is_so)),
        is_open=record.is_payable,
        page=record.page_path,
    )


def _money(amount: int, record: OrderRecord) -> str:
    return money_text(amount, record.totals.currency, "en")
