"""The monthly fee: which one is next, charging it to the saved card, and how each try ended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from examples.publisher_shop.catalogue import MONTHLY, OFFERS
from examples.publisher_shop.fee_book import FeeTry
from examples.publisher_shop.orders import ShopOrder, is_given_back
from examples.publisher_shop.paying import payment_of, standing
from examples.publisher_shop.saved_cards import usable
from examples.publisher_shop.shop import Shop
from prenopay import Advice, Mandate, Money, Operation, Outcome, Payment
from prenopay.errors import Conflict, NotFound

STILL_OPEN: Final = frozenset({Outcome.PENDING, Outcome.UNKNOWN})
NOT_CHARGED: Final = frozenset({"charged_later", "charged_not"})
DECEMBER: Final = 12


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """One line of a reader's payments: an order, or a try to charge a fee. ``word`` is its standing."""

    at: datetime
    offer: str
    period: str
    number: str
    path: str
    amount: Money
    word: str
    payment: Payment | None
    operation: Operation | None = None


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """A reader's payments, newest first, and the next fee (``None`` if all are paid, or one is open).

    ``paid`` contains the months that are paid; ``can_charge`` says whether there is a card to charge.
    """

    receipts: list[Receipt]
    paid: frozenset[str]
    due: FeeTry | None
    is_waiting: bool
    can_charge: bool

    @property
    def owed(self) -> list[Receipt]:
        """The fees that we tried to charge and that are not paid: the latest try of each month."""
        latest = {receipt.period: receipt for receipt in reversed(self.receipts) if receipt.period}
        return [
            receipt for receipt in latest.values() if receipt.word in NOT_CHARGED and receipt.period not in self.paid
        ]


async def ledger_of(shop: Shop, reader: str, cards: tuple[Mandate, ...]) -> Ledger:
    """Read a reader's orders and fees."""
    orders = await shop.orders.of_reader(reader) if reader else []
    bought = [await _bought(shop, order) for order in orders]
    tries = [(fee, await operation_of(shop, fee)) for fee in await shop.fees.of_reader(reader)]
    charged = [await _charged(shop, fee, operation) for fee, operation in tries if operation is not None]
    paid = _paid(shop, bought, charged)
    is_waiting = any(operation is not None and operation.outcome in STILL_OPEN for _fee, operation in tries)
    return Ledger(
        receipts=sorted([*bought, *charged], key=lambda receipt: receipt.at, reverse=True),
        paid=paid,
        due=None if is_waiting else _next(_month(shop, shop.now()), reader, cards, paid, tries),
        is_waiting=is_waiting,
        can_charge=usable(cards) is not None,
    )


async def charge(shop: Shop, fee: FeeTry, due: FeeTry | None) -> Operation:
    """Charge a fee once; an old form gets the outcome of its try. Raises ``Conflict`` if the fee is not due."""
    known = next(
        (each for each in await shop.fees.of_reader(fee.reader) if each.operation_id == fee.operation_id), None
    )
    if known is None and due != fee:
        message = f"the fee {fee.operation_id} is not the next fee"
        raise Conflict(message)
    fee = await shop.fees.add(fee)
    return await shop.cards.charge(
        fee.mandate_id,
        MONTHLY.price,
        operation_id=fee.operation_id,
        period=fee.period,
        description=f"Norrviks Dagblad {fee.period}",
        order_reference=fee.order_reference,
        lines=MONTHLY.lines("sv"),
    )


async def operation_of(shop: Shop, fee: FeeTry) -> Operation | None:
    """Return how a try ended; ``None`` if it was refused before anything was sent."""
    try:
        return await shop.cards.operation(fee.operation_id)
    except NotFound:
        return None


def _paid(shop: Shop, bought: list[Receipt], charged: list[Receipt]) -> frozenset[str]:
    """Return the months that are paid. A fee pays its own month; a purchase pays the first month that is unpaid."""
    paid = {receipt.period for receipt in charged if receipt.operation and receipt.operation.succeeded}
    for receipt in sorted(bought, key=lambda each: each.at):
        if OFFERS[receipt.offer].is_monthly and receipt.word == "thanks":
            period = _month(shop, receipt.at)
            while period in paid:
                period = _month_after(period)
            paid.add(period)
    return frozenset(paid)


def _next(
    this_month: str,
    reader: str,
    cards: tuple[Mandate, ...],
    paid: frozenset[str],
    tries: list[tuple[FeeTry, Operation | None]],
) -> FeeTry | None:
    """Return the next try: for this month, or for the next month if this one is paid.

    A try that did nothing is repeated under its own id while its card works: another tab may be making it.
    """
    card = usable(cards)
    period = next((month for month in (this_month, _month_after(this_month)) if month not in paid), None)
    if card is None or period is None:
        return None
    of_month = [(fee, made) for fee, made in tries if fee.period == period]
    if not of_month:
        return FeeTry(reader=reader, period=period, attempt=1, mandate_id=card.mandate_id)
    last, made = of_month[-1]
    works = any(each.mandate_id == last.mandate_id and each.state.is_chargeable for each in cards)
    if works and (made is None or made.outcome is Outcome.NOT_ATTEMPTED):
        return last
    return replace(last, attempt=last.attempt + 1, mandate_id=card.mandate_id)


async def _bought(shop: Shop, order: ShopOrder) -> Receipt:
    payment = await payment_of(shop, order)
    return Receipt(
        at=shop.now() if payment is None else payment.created_at,
        offer=order.offer,
        period="",
        number=order.number,
        path=order.path,
        amount=OFFERS[order.offer].price,
        word=standing(order, payment),
        payment=payment,
    )


async def _charged(shop: Shop, fee: FeeTry, operation: Operation) -> Receipt:
    payment = await shop.cards.get(operation.payment_id)
    word = _word(operation)
    if is_given_back(payment):
        word = "refunded"
    return Receipt(
        at=operation.created_at,
        offer=MONTHLY.key,
        period=fee.period,
        number="",
        path="",
        amount=MONTHLY.price,
        word=word,
        payment=payment,
        operation=operation,
    )


def _word(operation: Operation) -> str:
    match operation.outcome:
        case Outcome.SUCCEEDED:
            return "charged"
        case Outcome.DECLINED if operation.decline is not None and operation.decline.advice is Advice.RETRY_LATER:
            return "charged_later"
        case Outcome.DECLINED:
            return "charged_not"
        case Outcome.NOT_ATTEMPTED:
            return "charged_nothing"
        case _:
            return "charged_open"


def _month(shop: Shop, at: datetime) -> str:
    """Return the month that it is for the newspaper, wherever its server is."""
    return shop.cards.local_time(at).strftime("%Y-%m")


def _month_after(period: str) -> str:
    year, month = (int(part) for part in period.split("-"))
    return f"{year + 1}-01" if month == DECEMBER else f"{year}-{month + 1:02d}"
