"""Part captures and part refunds: what is left, and how much of it is VAT."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prenopay import Money, OperationKind, OrderLine, Payment, PaymentState
from prenopay.errors import Conflict, InvalidOrder
from prenopay.payments.amounts import part_of, vat_of_part

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
) -> tuple[Money | None, Money | None]:
    return part_of(of, kind, amount, lines, order_vat=sek(2000), being_refunded=sek(being_refunded))


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


def test_more_than_is_left_is_for_the_gateway_to_judge() -> None:
    assert (sek(20000), sek(2000)) == part(paid(), _CAPTURE, sek(20000))


def lines(*amounts: int) -> tuple[OrderLine, ...]:
    return tuple(OrderLine(name="part", amount=sek(amount), vat_percent=6) for amount in amounts)


@pytest.mark.parametrize("amount", [None, sek(5300)])
def test_lines_say_amount_and_vat(amount: Money | None) -> None:
    assert (sek(5300), sek(300)) == part(paid(), _CAPTURE, amount, lines(4240, 1060))


def test_lines_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(InvalidOrder, match="the lines add up to"):
        part(paid(), _CAPTURE, sek(5000), lines(4240, 1060))


# VAT of parts


@pytest.mark.parametrize(
    ("vat", "whole", "before", "amount", "expected"),
    [
        (2000, 10000, 0, 10000, 2000),
        (2000, 10000, 0, 3333, 667),
        (2000, 10000, 3333, 3333, 666),
        (2000, 10000, 6666, 3334, 667),
        (1, 2, 0, 1, 1),
        (1, 2, 1, 1, 0),
        (0, 100, 0, 50, 0),
        (100, 100, 0, 50, 50),
        (2000, 10000, 9000, 2000, 2000),  # more than is left: all the VAT there is
        (2000, 10000, 10000, 500, 500),  # but never more than the part
        (0, 0, 0, 500, 0),
    ],
)
def test_a_part_holds_its_share_of_the_vat(vat: int, whole: int, before: int, amount: int, expected: int) -> None:
    assert sek(expected) == vat_of_part(sek(vat), sek(whole), before=sek(before), part=sek(amount))
