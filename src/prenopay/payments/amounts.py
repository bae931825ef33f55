"""The pure arithmetic of part captures and part refunds: what is left, and how much of it is VAT."""

from __future__ import annotations

from prenopay.errors import Conflict, InvalidOrder
from prenopay.values.money import Money
from prenopay.values.orders import OrderLine, check_sums, sums_of
from prenopay.values.payments import OperationKind, Payment

__all__ = ["part_of", "vat_of_part"]


def part_of(
    payment: Payment,
    kind: OperationKind,
    amount: Money | None,
    lines: tuple[OrderLine, ...],
    *,
    order_vat: Money,
    being_refunded: Money,
    whole_only: bool = False,
) -> tuple[Money | None, Money | None]:
    """Return amount and VAT of a change, and compute what the host left open.

    ``being_refunded`` is the sum of refunds whose result is not known yet. ``whole_only``: the gateway takes all
    that is left, or nothing. Raises ``InvalidOrder`` for an impossible amount, ``Conflict`` if nothing is left.
    """
    if kind is OperationKind.CANCEL:
        return None, None
    if lines:
        amount = sums_of(lines)[0] if amount is None else amount
        check_sums(amount, None, lines)
    taken, whole = _taken_and_whole(payment, kind, being_refunded)
    if amount is None:
        amount = whole - taken
        if amount.minor <= 0:
            message = f"nothing is left to {kind}: {taken} of {whole} is already done or under way"
            raise Conflict(message).about(account=payment.account, payment_id=payment.payment_id)
    if amount.currency != payment.amount.currency or amount.minor <= 0:
        message = f"amount: must be more than zero, in {payment.amount.currency}, not {amount}"
        raise InvalidOrder(message, field="amount")
    if whole_only and amount < whole - taken:
        message = f"amount: this gateway does not {kind} in parts; leave amount and lines out to {kind} {whole - taken}"
        raise InvalidOrder(message, field="amount")
    if lines:
        return amount, sums_of(lines)[1]
    if kind is OperationKind.UPDATE:
        return amount, Money(order_vat.minor * amount.minor // payment.amount.minor, amount.currency)
    # The VAT belongs to the whole order, so it is shared over the order and not over the part that was taken.
    ordered = max(whole, payment.amount)
    return amount, vat_of_part(order_vat, ordered, before=min(taken, ordered), part=amount)


def vat_of_part(vat: Money, whole: Money, *, before: Money, part: Money) -> Money:
    """Return the VAT in ``part`` of ``whole``, after ``before`` was taken.

    If the parts add up to ``whole``, their VAT adds up to ``vat``. The sizes of the parts do not matter.
    """
    if not whole or part.minor > whole.minor - before.minor:
        return Money(min(vat.minor, part.minor), part.currency)

    def share(upto: Money) -> int:
        return (2 * vat.minor * upto.minor + whole.minor) // (2 * whole.minor)

    return Money(share(before + part) - share(before), part.currency)


def _taken_and_whole(payment: Payment, kind: OperationKind, being_refunded: Money) -> tuple[Money, Money]:
    match kind:
        case OperationKind.CAPTURE:
            return payment.captured, payment.authorized - payment.cancelled
        case OperationKind.REFUND:
            return payment.refunded + being_refunded, payment.captured
        case _:
            return Money.zero(payment.amount.currency), payment.amount
