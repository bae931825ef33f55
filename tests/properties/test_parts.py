"""The VAT of the parts is the VAT of the whole, for every division of a payment into parts, by lines and by amount."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import assume, given, strategies as st

from prenopay import Money, OperationKind, Order, OrderLine, Payment, PaymentState
from prenopay.errors import InvalidOrder
from prenopay.payments.amounts import Part, Parts, fitted, part_of
from prenopay.values.orders import sums_of
from tests.unit.examples import payment

_RATES = st.sampled_from([0, 6, 12, 25])
_LINES = st.lists(st.tuples(st.integers(1, 10**6), _RATES), min_size=1, max_size=6)
_NOTHING = Money.zero("SEK")


def sek(minor: int) -> Money:
    return Money(minor, "SEK")


def an_order(lines: list[tuple[int, int]]) -> Order:
    return Order(
        amount=sek(sum(amount for amount, _ in lines)),
        lines=tuple(OrderLine(name="line", amount=sek(amount), vat_percent=rate) for amount, rate in lines),
        description="Paper",
        return_url="https://shop.example/thanks",
    )


@dataclass
class Divided:
    """An order that is captured, or given back, part by part."""

    order: Order
    kind: OperationKind
    captures: list[Part] = field(default_factory=list[Part])
    refunds: list[Part] = field(default_factory=list[Part])

    @property
    def parts(self) -> list[Part]:
        """The parts so far of the kind that goes on."""
        return self.captures if self.kind is OperationKind.CAPTURE else self.refunds

    @property
    def taken(self) -> Payment:
        """The payment as it is now."""
        captured, refunded = (sum((each.amount for each in of), _NOTHING) for of in (self.captures, self.refunds))
        amount = self.order.amount
        whole = payment(state=PaymentState.AUTHORIZED, amount=amount, due=amount)
        return replace(whole, authorized=amount, captured=captured, refunded=refunded, cancelled=_NOTHING)

    @property
    def left(self) -> int:
        """What is left to take."""
        whole = self.order.amount if self.kind is OperationKind.CAPTURE else self.taken.captured
        return (whole - sum((each.amount for each in self.parts), _NOTHING)).minor

    def take(self, amount: Money | None = None, lines: tuple[OrderLine, ...] = ()) -> Part:
        """Take one more part and return it."""
        parts = Parts(captures=tuple(self.captures), refunds=tuple(self.refunds))
        found, vat = part_of(
            self.taken, self.kind, amount, lines, order=self.order, parts=parts, being_refunded=_NOTHING
        )
        assert found is not None
        assert vat is not None
        self.parts.append(Part(amount=found, vat=vat, lines=len(lines)))
        return self.parts[-1]

    def take_all(self, data: st.DataObject) -> None:
        """Take everything: order lines, amounts and the rest, in an order that the data decide."""
        lines = list(self.order.lines)
        while self.left:
            choices = ["rest", "amount"]
            if any(line.amount.minor <= self.left for line in lines):
                choices.append("lines")
            match data.draw(st.sampled_from(choices)):
                case "rest":
                    self.take()
                case "amount":
                    self.take(sek(data.draw(st.integers(1, self.left))))
                case _:
                    line = data.draw(st.sampled_from([each for each in lines if each.amount.minor <= self.left]))
                    self.take_line(line)
                    lines.remove(line)

    def take_line(self, line: OrderLine) -> None:
        """Take an order line with its own VAT; it may be refused only if an amount took from its VAT before."""
        by_lines = all(each.lines for each in (*self.captures, *self.refunds))
        try:
            part = self.take(lines=(line,))
        except InvalidOrder:
            if by_lines:
                raise
            return
        if by_lines:
            assert part.vat == line.vat_amount
        assert sums_of(fitted((line,), part.vat)) == (part.amount, part.vat)


def total(parts: list[Part]) -> Money:
    return sum((each.vat for each in parts), _NOTHING)


@given(_LINES, st.data())
def test_the_vat_of_all_captures_and_of_all_refunds_adds_up_to_the_orders(
    lines: list[tuple[int, int]], data: st.DataObject
) -> None:
    divided = Divided(an_order(lines), OperationKind.CAPTURE)
    divided.take_all(data)
    assert total(divided.captures) == divided.order.vat_amount

    divided.kind = OperationKind.REFUND
    divided.take_all(data)
    assert total(divided.refunds) == divided.order.vat_amount
    for each in (*divided.captures, *divided.refunds):
        assert _NOTHING <= each.vat <= each.amount


@given(_LINES, st.data())
def test_refunds_of_a_part_add_up_to_the_vat_that_was_captured(
    lines: list[tuple[int, int]], data: st.DataObject
) -> None:
    divided = Divided(an_order(lines), OperationKind.CAPTURE)
    divided.take_line(data.draw(st.sampled_from(divided.order.lines)))
    assume(divided.left)
    divided.take(sek(data.draw(st.integers(1, divided.left))))

    captured = total(divided.captures)
    divided.kind = OperationKind.REFUND
    divided.take_all(data)
    assert total(divided.refunds) == captured


@given(_LINES, st.data())
def test_lines_have_their_own_vat_and_the_rest_has_that_of_the_other_lines(
    lines: list[tuple[int, int]], data: st.DataObject
) -> None:
    order = an_order(lines)
    chosen = data.draw(st.lists(st.sampled_from(range(len(lines))), unique=True, max_size=len(lines) - 1))
    divided = Divided(order, OperationKind.CAPTURE)
    for place in chosen:
        assert divided.take(lines=(order.lines[place],)).vat == order.lines[place].vat_amount
    others = [line.vat_amount for place, line in enumerate(order.lines) if place not in chosen]
    assert divided.take().vat == sum(others, _NOTHING)


@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=8), st.data())
def test_every_part_by_amount_has_its_share_to_one_minor_unit(parts: list[int], data: st.DataObject) -> None:
    whole = sum(parts)
    vat = data.draw(st.integers(0, whole))
    order = Order(amount=sek(whole), vat=sek(vat), description="Paper", return_url="https://shop.example/thanks")
    divided = Divided(order, data.draw(st.sampled_from([OperationKind.CAPTURE])))
    for amount in parts:
        share = divided.take(sek(amount)).vat.minor
        assert abs(share * whole - vat * amount) <= whole
    assert total(divided.captures) == sek(vat)
