"""Part captures and part refunds: what is left, and how much of it is VAT."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from prenopay import Money, OperationKind, Order, OrderLine, Payment, PaymentState
from prenopay.errors import Conflict, InvalidOrder
from prenopay.payments.amounts import Part, Parts, fitted, part_of
from prenopay.values.orders import sums_of

from .examples import payment

_CAPTURE, _REFUND, _UPDATE = OperationKind.CAPTURE, OperationKind.REFUND, OperationKind.UPDATE


def sek(minor: int) -> Money:
    return Money(minor, "SEK")


def paid(*, authorized: int = 10000, captured: int = 0, refunded: int = 0, cancelled: int = 0) -> Payment:
    """Return a payment of an order of 100 kronor; 20 of them are VAT."""
    return replace(
        payment(state=PaymentState.AUTHORIZED, amount=sek(10000), due=sek(10000)),
        authorized=sek(authorized),
        captured=sek(captured),
        refunded=sek(refunded),
        cancelled=sek(cancelled),
    )


def part(
    of: Payment,
    kind: OperationKind,
    amount: Money | None = None,
    lines: tuple[OrderLine, ...] = (),
    *,
    being_refunded: int = 0,
    vat: int = 2000,
    captures: tuple[Part, ...] = (),
    refunds: tuple[Part, ...] = (),
) -> tuple[Money | None, Money | None]:
    order = Order(amount=sek(10000), vat=sek(vat), description="Paper", return_url="https://shop.example/thanks")
    parts = Parts(captures=captures, refunds=refunds)
    has_lines, under_way = bool(lines), sek(being_refunded)
    return part_of(
        of, kind, amount, lines, order=order, parts=parts, being_refunded=under_way, lines_came_later=has_lines
    )


def taken(amount: int, vat: int, *, lines: int = 0) -> Part:
    return Part(amount=sek(amount), vat=sek(vat), lines=lines)


# What is left


@pytest.mark.parametrize(
    ("of", "kind", "expected"),
    [
        (paid(), _CAPTURE, (10000, 2000)),
        (paid(captured=4000), _CAPTURE, (6000, 1200)),
        (paid(captured=4000, cancelled=1000), _CAPTURE, (5000, 1000)),
        (paid(authorized=6000), _CAPTURE, (6000, 1200)),  # the bank approved a part
        (paid(captured=10000), _REFUND, (10000, 2000)),
        (paid(captured=10000, refunded=2500), _REFUND, (7500, 1500)),
        (paid(captured=5000, cancelled=5000), _REFUND, (5000, 1000)),
        (paid(authorized=11900, captured=11900), _REFUND, (11900, 2000)),  # the gateway added a fee
        (paid(), _UPDATE, (10000, 2000)),
    ],
)
def test_what_the_host_leaves_open_is_what_is_left(
    of: Payment,
    kind: OperationKind,
    expected: tuple[int, int],
) -> None:
    amount, vat = expected
    assert (sek(amount), sek(vat)) == part(of, kind)


def test_refunds_under_way_are_not_given_back_twice() -> None:
    assert (sek(4000), sek(800)) == part(paid(captured=10000, refunded=2500), _REFUND, being_refunded=3500)


@pytest.mark.parametrize(
    ("of", "kind"),
    [
        (paid(captured=10000), _CAPTURE),
        (paid(cancelled=10000), _CAPTURE),
        (paid(), _REFUND),
        (paid(captured=10000, refunded=10000), _REFUND),
    ],
)
def test_nothing_left_is_a_conflict(of: Payment, kind: OperationKind) -> None:
    with pytest.raises(Conflict, match=f"nothing is left to {kind}") as caught:
        part(of, kind)
    assert ("paper", of.payment_id) == (caught.value.account, caught.value.payment_id)


def test_all_under_way_is_a_conflict_too() -> None:
    with pytest.raises(Conflict, match="nothing is left to refund"):
        part(paid(captured=10000), _REFUND, being_refunded=10000)


def test_a_cancel_has_no_amount() -> None:
    expected = (None, None)
    assert expected == part(paid(), OperationKind.CANCEL)


# What the host says


@pytest.mark.parametrize("amount", [sek(0), sek(-1), Money(100, "NOK")])
def test_an_amount_that_cannot_be_is_refused(amount: Money) -> None:
    with pytest.raises(InvalidOrder, match="amount: must be more than zero, in SEK") as caught:
        part(paid(), _CAPTURE, amount)
    expected = "amount"
    assert expected == caught.value.field


def test_a_stated_amount_is_taken_as_it_is() -> None:
    assert (sek(2500), sek(500)) == part(paid(), _CAPTURE, sek(2500))


@pytest.mark.parametrize(
    ("of", "kind", "amount", "being_refunded"),
    [
        (paid(), _CAPTURE, 10001, 0),
        (paid(captured=4000), _CAPTURE, 6001, 0),
        (paid(cancelled=4000), _CAPTURE, 6001, 0),
        (paid(captured=10000), _REFUND, 10001, 0),
        (paid(captured=10000, refunded=4000), _REFUND, 6001, 0),
        (paid(captured=10000), _REFUND, 6001, 4000),
        (paid(captured=10000, refunded=10000), _REFUND, 1, 0),
    ],
)
def test_more_than_is_left_is_refused(of: Payment, kind: OperationKind, amount: int, being_refunded: int) -> None:
    with pytest.raises(InvalidOrder, match=f"^amount: .* is more than is left to {kind}") as caught:
        part(of, kind, sek(amount), being_refunded=being_refunded)
    assert caught.value.field == "amount"
    assert part(of, kind, sek(amount - 1), being_refunded=being_refunded) if amount > 1 else True


@pytest.mark.parametrize("kind", [_CAPTURE, _REFUND])
def test_if_the_books_have_no_money_yet_the_gateway_judges(kind: OperationKind) -> None:
    assert sek(5000) == part(paid(authorized=0), kind, sek(5000))[0]


def lines(*amounts: int) -> tuple[OrderLine, ...]:
    return tuple(OrderLine(name="part", amount=sek(amount), vat_percent=6) for amount in amounts)


@pytest.mark.parametrize("amount", [None, sek(5300)])
def test_lines_say_amount_and_vat(amount: Money | None) -> None:
    assert (sek(5300), sek(300)) == part(paid(), _CAPTURE, amount, lines(4240, 1060))


def test_lines_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(InvalidOrder, match="the lines add up to"):
        part(paid(), _CAPTURE, sek(5000), lines(4240, 1060))


@pytest.mark.parametrize("kind", [_CAPTURE, _REFUND, _UPDATE])
@pytest.mark.parametrize("said", [{"amount": sek(100)}, {"lines": lines(100)}])
def test_an_amount_of_an_order_of_nothing_is_refused(kind: OperationKind, said: dict[str, Any]) -> None:
    nothing = replace(paid(authorized=0), amount=sek(0), due=sek(0))
    with pytest.raises(InvalidOrder, match=r"^amount: the order stores a method") as caught:
        part(nothing, kind, said.get("amount"), said.get("lines", ()))
    expected = "amount"
    assert expected == caught.value.field


# VAT of parts


@pytest.mark.parametrize(
    ("vat", "before", "amount", "expected"),
    [
        (2000, (), 10000, 2000),
        (2000, (), 3333, 667),
        (2000, (taken(3333, 667),), 3333, 666),
        (2000, (taken(3333, 667), taken(3333, 666)), 3334, 667),
        (0, (), 5000, 0),
        (10000, (), 5000, 5000),
        (1423, (taken(9400, 1383, lines=1),), 600, 40),  # the rest of an order of which a part was taken by lines
        (2000, (taken(4000, 2000, lines=1),), 3000, 0),
        (2000, (taken(9000, 1000, lines=2),), 1000, 1000),
    ],
)
def test_a_part_has_its_share_of_what_no_lines_name(
    vat: int, before: tuple[Part, ...], amount: int, expected: int
) -> None:
    captured = sum(each.amount.minor for each in before)
    assert (sek(amount), sek(expected)) == part(
        paid(captured=captured), _CAPTURE, sek(amount), vat=vat, captures=before
    )


def test_refunds_have_the_vat_of_what_was_captured() -> None:
    captures = (taken(4000, 226, lines=1),)
    assert (sek(4000), sek(226)) == part(paid(captured=4000), _REFUND, captures=captures)
    given = (taken(1000, 57, lines=1),)
    assert (sek(3000), sek(169)) == part(paid(captured=4000, refunded=1000), _REFUND, captures=captures, refunds=given)


def test_what_was_refunded_elsewhere_had_its_share() -> None:
    assert (sek(7500), sek(1500)) == part(paid(captured=10000, refunded=2500), _REFUND, captures=(taken(10000, 2000),))


def test_lines_whose_vat_cannot_be_in_what_is_left_are_refused() -> None:
    before = (taken(9000, 1000),)
    with pytest.raises(InvalidOrder, match=r"are left have 10\.00 SEK in them") as caught:
        part(paid(captured=9000), _CAPTURE, None, lines(1000), captures=before)
    expected = "lines"
    assert expected == caught.value.field


def test_what_rounding_leaves_over_goes_to_the_last_lines() -> None:
    before = (taken(4000, 226, lines=1), taken(4000, 226, lines=1))
    amount, vat = part(paid(captured=8000), _CAPTURE, None, lines(2000), captures=before, vat=566)
    assert (sek(2000), sek(114)) == (amount, vat)
    restated = fitted(lines(2000), vat)
    assert (sek(2000), sek(114)) == sums_of(restated)


def test_of_an_order_without_a_word_about_vat_lines_say_it() -> None:
    order = Order(amount=sek(10000), description="Paper", return_url="https://shop.example/thanks")
    found = part_of(
        paid(),
        _CAPTURE,
        None,
        lines(5300),
        order=order,
        parts=Parts(),
        being_refunded=sek(0),
        lines_came_later=True,
    )
    assert (sek(5300), sek(300)) == found
