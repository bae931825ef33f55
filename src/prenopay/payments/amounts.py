"""The pure arithmetic of part captures and part refunds: what is left, and how much of it is VAT.

Lines say their own VAT. What no lines name shares the VAT that lines leave, in proportion to the amounts. So the VAT
of all parts of an order adds up to the order's, and the VAT of all refunds to that of the captures, in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from prenopay.errors import Conflict, InvalidOrder
from prenopay.values.money import Money
from prenopay.values.orders import Order, OrderLine, check_sums, sums_of
from prenopay.values.payments import OperationKind, Payment

__all__ = ["Part", "Parts", "fitted", "part_of"]


_BOUNDED: Final = frozenset({OperationKind.CAPTURE, OperationKind.REFUND})
"""What cannot be more than is left. If the books have no money yet, the gateway judges: it may have been paid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One capture or refund that happened, or may have. ``lines`` is how many lines said its VAT."""

    amount: Money
    vat: Money
    lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The captures and the refunds of a payment that happened, or may have."""

    captures: tuple[Part, ...] = ()
    refunds: tuple[Part, ...] = ()


def part_of(
    payment: Payment,
    kind: OperationKind,
    amount: Money | None,
    lines: tuple[OrderLine, ...],
    *,
    order: Order,
    parts: Parts,
    being_refunded: Money,
    whole_only: bool = False,
    lines_came_later: bool = False,
) -> tuple[Money | None, Money | None]:
    """Return amount and VAT of a change, and compute what the host left open.

    ``being_refunded`` is the sum of refunds whose result is not known yet. ``whole_only``: the gateway takes all
    that is left, or nothing. ``lines_came_later``: an update gave the order lines. Raises ``InvalidOrder`` for an
    impossible amount or VAT, for more than is left, and for lines that the gateway does not take or does not get,
    ``Conflict`` if nothing is left.
    """
    if kind is OperationKind.CANCEL:
        return None, None
    _check_lines(kind, lines, has_lines=bool(order.lines) or lines_came_later)
    if lines:
        amount = sums_of(lines)[0] if amount is None else amount
        check_sums(amount, None, lines)
    taken, whole = _taken_and_whole(payment, kind, being_refunded)
    if amount is None:
        amount = whole - taken
        if amount.minor <= 0:
            raise _nothing_left(payment, kind, taken, whole)
    if amount.currency != payment.amount.currency or amount.minor <= 0:
        message = f"amount: must be more than zero, in {payment.amount.currency}, not {amount}"
        raise InvalidOrder(message, field="amount")
    if not payment.amount:
        message = f"amount: the order stores a method and is about no money, so there is nothing to {kind}"
        raise InvalidOrder(message, field="amount")
    if kind in _BOUNDED and whole and amount > whole - taken:
        message = (
            f"amount: {amount} is more than is left to {kind}: {taken} of {whole} is already done "
            "or under way; observe the payment if the gateway has taken more"
        )
        raise InvalidOrder(message, field="amount")
    if whole_only and amount < whole - taken:
        message = f"amount: this gateway does not {kind} in parts; leave amount and lines out to {kind} {whole - taken}"
        raise InvalidOrder(message, field="amount")
    if kind is OperationKind.UPDATE:
        scaled = _rounded(order.vat_amount.minor * amount.minor, payment.amount.minor)
        return amount, sums_of(lines)[1] if lines else Money(scaled, amount.currency)
    left = _left(payment, kind, taken, order=order, parts=parts)
    return amount, left.vat_of_lines(amount, lines) if lines else left.vat_of(amount)


def _check_lines(kind: OperationKind, lines: tuple[OrderLine, ...], *, has_lines: bool) -> None:
    """Raise ``InvalidOrder`` for lines where the order has none, or for none where the order has some.

    A capture can only have lines if the order has (Swedbank Pay: order items, 2026-11-30). A new amount of an order
    with lines needs new lines (Swedbank Pay: update, 2026-07-01).
    """
    if kind is OperationKind.CAPTURE and lines and not has_lines:
        message = "lines: the order was made without lines, so its captures cannot have any; give the amount only"
        raise InvalidOrder(message, field="lines")
    if kind is OperationKind.UPDATE and has_lines and not lines:
        message = "lines: the order has lines, which no longer add up to the amount; give the new lines, too"
        raise InvalidOrder(message, field="lines")


def _nothing_left(payment: Payment, kind: OperationKind, taken: Money, whole: Money) -> Conflict:
    why = f"nothing is left to {kind}: {taken} of {whole} is already done or under way"
    if not whole:
        word = "captured" if kind is OperationKind.REFUND else "reserved"
        why = f"nothing is left to {kind}: nothing is {word}, the payment is {payment.state}; observe it if it was paid"
    return Conflict(why).about(account=payment.account, payment_id=payment.payment_id)


def fitted(lines: tuple[OrderLine, ...], vat: Money | None) -> tuple[OrderLine, ...]:
    """Return ``lines`` whose VAT adds up to ``vat``: the largest lines state what rounding left over."""
    if not lines or vat is None:
        return lines
    over, stated = (vat - sums_of(lines)[1]).minor, list(lines)
    for place in sorted(range(len(lines)), key=lambda place: -lines[place].amount.minor):
        amount, own = lines[place].amount.minor, lines[place].vat_amount.minor
        if over and amount > 0 and not lines[place].only_with:
            fits = min(max(own + over, 0), amount)
            stated[place], over = replace(lines[place], vat=Money(fits, vat.currency)), over - (fits - own)
    return tuple(stated)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Left:
    """What was not taken of a whole, in minor units, and how the VAT in it is shared by parts without lines."""

    amount: int
    vat: int
    shared: int
    """What no lines name of the whole, taken or not."""
    shared_vat: int
    rounded: int
    """How many lines and parts were rounded so far: their VAT may be off by as many minor units."""
    vat_is_known: bool = True
    """Whether the order says how much VAT there is."""

    def vat_of(self, part: Money) -> Money:
        """Return the VAT in ``part``, which no lines name: its share, and never so much that the rest has none."""
        gone, vat_gone = self.shared - self.amount, self.shared_vat - self.vat
        share = _share(self.shared_vat, gone + part.minor, self.shared) - vat_gone
        return Money(self._possible(share, part.minor), part.currency)

    def vat_of_lines(self, part: Money, lines: tuple[OrderLine, ...]) -> Money:
        """Return the VAT in ``part``: what its ``lines`` say, to the minor units that rounding leaves over.

        Raises ``InvalidOrder`` if the order cannot have that VAT in them.
        """
        own = sums_of(lines)[1]
        if not self.vat_is_known or part.minor > self.amount:  # more than is left is for the gateway to judge
            return own
        vat = Money(self._possible(own.minor, part.minor), part.currency)
        if abs((own - vat).minor) > self.rounded + len(lines):
            left, rest = Money(self.vat, part.currency), Money(self.amount, part.currency)
            message = (
                f"lines: {own} of VAT in {part} is not possible: the {rest} that are left have {left} in them; "
                "leave lines out, and the part has its share"
            )
            raise InvalidOrder(message, field="lines")
        return vat

    def _possible(self, vat: int, part: int) -> int:
        """Return ``vat`` within the bounds of which part and rest both have a VAT that is a part of them."""
        least = max(self.vat - max(self.amount - part, 0), 0) if part <= self.amount else 0
        return min(max(vat, least), part, max(self.vat, 0))


def _left(payment: Payment, kind: OperationKind, taken: Money, *, order: Order, parts: Parts) -> _Left:
    """Return what a capture or refund is a part of: what is left of the order, or of what was captured."""
    vat_is_known = order.vat is not None or bool(order.lines)
    # The VAT belongs to the whole order, so it is shared over the order and not over what the bank approved of it.
    ordered = max(payment.authorized - payment.cancelled, payment.amount)
    said = sum(each.vat.minor for each in parts.captures)
    vat = order.vat_amount.minor if vat_is_known else said
    captures = _left_of(ordered.minor, vat, payment.captured.minor, parts.captures)
    if kind is OperationKind.REFUND:
        captured = payment.captured.minor
        captured_vat = min(max(vat - captures.vat, 0), captured)
        left = _left_of(captured, captured_vat, taken.minor, parts.refunds)
        return replace(left, rounded=left.rounded + captures.rounded + len(order.lines), vat_is_known=vat_is_known)
    return replace(captures, rounded=captures.rounded + len(order.lines), vat_is_known=vat_is_known)


def _left_of(whole: int, vat: int, taken: int, parts: Sequence[Part]) -> _Left:
    """Return what is left of ``whole``. What was ``taken`` of it beyond ``parts`` had its share of the VAT."""
    by_lines = [each for each in parts if each.lines]
    shared = whole - sum(each.amount.minor for each in by_lines)
    shared_vat = vat - sum(each.vat.minor for each in by_lines)
    named, named_vat = sum(each.amount.minor for each in parts), sum(each.vat.minor for each in parts)
    unnamed = max(taken - named, 0)
    return _Left(
        amount=whole - named - unnamed,
        vat=vat - named_vat - _share(shared_vat, unnamed, shared),
        shared=shared,
        shared_vat=shared_vat,
        rounded=sum(max(each.lines, 1) for each in parts),
    )


def _share(vat: int, part: int, whole: int) -> int:
    """Return the share of ``vat`` in ``part`` of ``whole``: all of it, if the part is not smaller."""
    return _rounded(vat * part, whole) if part < whole else vat


def _rounded(number: int, divisor: int) -> int:
    return (2 * number + divisor) // (2 * divisor)


def _taken_and_whole(payment: Payment, kind: OperationKind, being_refunded: Money) -> tuple[Money, Money]:
    match kind:
        case OperationKind.CAPTURE:
            return payment.captured, payment.authorized - payment.cancelled
        case OperationKind.REFUND:
            return payment.refunded + being_refunded, payment.captured
        case _:
            return Money.zero(payment.amount.currency), payment.amount
