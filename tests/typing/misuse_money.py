"""Money that is not money: floats, bare numbers and texts are refused wherever an amount goes."""

from __future__ import annotations

from decimal import Decimal

from prenopay import Money, Order, OrderLine, Payment, Payments
from prenopay.provider import Refunds

price = Money(14900, "SEK")

Money(149.00, "SEK")  # refused: arg-type | reportArgumentType
Money(Decimal(149), "SEK")  # refused: arg-type | reportArgumentType
Money("14900", "SEK")  # refused: arg-type | reportArgumentType
Money(14900)  # refused: call-arg | reportCallIssue
Money.from_decimal(149.50, "SEK")  # refused: arg-type | reportArgumentType

added = price + 100  # refused: operator | reportOperatorIssue
taken_away = 100 - price  # refused: operator | reportOperatorIssue
scaled = price * 1.25  # refused: operator | reportOperatorIssue
squared = price * price  # refused: operator | reportOperatorIssue
halved = price / 2  # refused: operator | reportOperatorIssue
summed = sum([price, price])  # refused: list-item, list-item | reportCallIssue, reportArgumentType
is_more = price > 100  # refused: operator | reportOperatorIssue
is_same = price == 14900  # refused: comparison-overlap | reportUnnecessaryComparison
as_float = float(price)  # refused: arg-type | reportArgumentType
shares = price.allocate([0.5, 0.5])  # refused: list-item, list-item | reportArgumentType
with_vat = price.split_vat(25.0)  # refused: arg-type | reportArgumentType
price.minor = 1  # refused: misc | reportAttributeAccessIssue

Order(amount=149, description="x", return_url="y")  # refused: arg-type | reportArgumentType
OrderLine(name="x", amount=14900, vat_percent=6)  # refused: arg-type | reportArgumentType
OrderLine(name="x", amount=price, vat_percent=6.0)  # refused: arg-type | reportArgumentType


def give_back(payments: Payments[Refunds], payment: Payment) -> None:
    payments.refund("p", 50.0, operation_id="refund:1")  # refused: arg-type | reportArgumentType
    payments.refund("p", payment.captured.minor, operation_id="refund:1")  # refused: arg-type | reportArgumentType
    if payment.captured == 14900:  # refused: comparison-overlap | reportUnnecessaryComparison
        return
