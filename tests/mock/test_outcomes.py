"""What is planned happens: by script, and by amounts that choose."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from prenopay import Accounts, CaptureMode, DeclineCode, Outcome, PaymentState, upgrade_database
from prenopay.errors import (
    NotSent,
    OutcomeUnknown,
    PrenopayError,
    ProviderUnavailable,
    RateLimited,
    Rejected,
    Unauthenticated,
    UnexpectedAnswer,
)
from prenopay.testing.faults import Fault, FaultKind
from prenopay.testing.mock import AMOUNTS, DECLINES, Call, Manner, Mock, MockAmount, MockGateway, MockSender
from tests.behaviour.shop import an_order, sek

from .conftest import Shop

DECLINED = [each for each in AMOUNTS if each.manner is Manner.DECLINE]
ASTRAY = [each for each in AMOUNTS if each.manner is not Manner.DECLINE]
RAISES: dict[Manner, type[PrenopayError]] = {
    Manner.REFUSE: Rejected,
    Manner.NOT_SENT: NotSent,
    Manner.LOST_BEFORE: OutcomeUnknown,
    Manner.LOST_AFTER: OutcomeUnknown,
    Manner.UNAVAILABLE: ProviderUnavailable,
    Manner.UNREADABLE: UnexpectedAnswer,
    Manner.RATE_LIMITED: RateLimited,
    Manner.UNAUTHENTICATED: Unauthenticated,
}
ACTED = {Manner.LOST_AFTER, Manner.UNREADABLE}
ENDED = {Manner.PENDING, Manner.REFUSE, Manner.NOT_SENT}
NOTHING_FOR_SURE = {Manner.REFUSE, Manner.NOT_SENT, Manner.RATE_LIMITED, Manner.UNAUTHENTICATED}


def of(amount: MockAmount) -> str:
    return f"{amount.minor} {amount.code or amount.manner}"


def captured(shop: Shop, operation_id: str = "order:1", **changes: Any) -> Any:
    return shop.paid(operation_id, capture=CaptureMode.AUTOMATIC, **changes)


def test_every_decline_code_has_an_amount_and_an_advice() -> None:
    assert set(DECLINES) == set(DeclineCode)
    assert [str(each.code) for each in DECLINED] == list(DeclineCode)  # so each has one, in order
    assert len({each.minor for each in AMOUNTS}) == len(AMOUNTS)


def test_a_payer_is_declined_by_the_amount(shop: Shop) -> None:
    for amount in DECLINED:
        payment = shop.paid(f"order:{amount.minor}", amount=sek(amount.minor))
        assert payment.state is PaymentState.PENDING
        assert payment.decline.code is amount.code
        assert amount.code is not None
        assert (payment.decline.kind, payment.decline.advice) == DECLINES[amount.code]
    assert shop.told == ["payment.attempt_declined"] * len(DeclineCode)


def test_a_charge_is_declined_by_the_amount(shop: Shop) -> None:
    for amount in DECLINED:
        charged = shop.payments.charge(
            shop.stored(f"order:{amount.minor}").mandate_id,
            sek(amount.minor),
            operation_id=f"charge:{amount.minor}",
            description="One month",
        )
        assert (charged.outcome, charged.decline.code) == (Outcome.DECLINED, amount.code)


@pytest.mark.parametrize("amount", ASTRAY, ids=of)
def test_a_refund_goes_astray_by_the_amount_and_succeeds_when_repeated(shop: Shop, amount: MockAmount) -> None:
    payment = captured(shop, amount=sek(2_000_000))

    def refund() -> Any:
        return shop.payments.refund(payment.payment_id, sek(amount.minor), operation_id="refund:1")

    if amount.manner in NOTHING_FOR_SURE:
        with pytest.raises(RAISES[amount.manner]):
            refund()
    else:
        assert refund().outcome is (Outcome.PENDING if amount.manner is Manner.PENDING else Outcome.UNKNOWN)
    if amount.manner is Manner.PENDING:
        assert shop.gateway.finish_pending() == 1
        shop.callbacks.deliver()
        assert shop.payments.operation("refund:1").succeeded
    else:
        assert refund().succeeded
    assert shop.payments.get(payment.payment_id).refunded == sek(amount.minor)
    assert shop.gateway.books()[payment.provider_reference].refunded == amount.minor


@pytest.mark.parametrize("manner", RAISES)
def test_a_create_that_ends_in_an_error_makes_one_payment_when_repeated(shop: Shop, manner: Manner) -> None:
    shop.gateway.script("create", manner)
    with pytest.raises(RAISES[manner]):
        shop.bought()
    assert len(shop.gateway.books()) == (1 if manner in ACTED else 0)
    assert shop.bought().state is PaymentState.PENDING
    assert len(shop.gateway.books()) == 1


@pytest.mark.parametrize("manner", RAISES)
def test_a_change_that_ends_in_an_error_is_made_once(shop: Shop, manner: Manner) -> None:
    for call, kind in ((Call.CAPTURE, "captured"), (Call.REFUND, "refunded"), (Call.CANCEL, "cancelled")):
        payment = captured(shop, f"order:{call}") if call is Call.REFUND else shop.paid(f"order:{call}")
        shop.gateway.script(call, manner)
        change = partial(getattr(shop.payments, call.value), payment.payment_id, operation_id=f"{call}:1")
        if manner in NOTHING_FOR_SURE:
            with pytest.raises(RAISES[manner]):
                change()
        else:
            assert change().outcome is Outcome.UNKNOWN
        assert change().succeeded
        assert getattr(shop.gateway.books()[payment.provider_reference], kind) == 11900


def test_what_was_done_and_not_answered_is_called_back(shop: Shop) -> None:
    payment = shop.paid()
    shop.gateway.script("capture", Manner.LOST_AFTER)
    assert shop.payments.capture(payment.payment_id, operation_id="capture:1").outcome is Outcome.UNKNOWN
    shop.callbacks.deliver()
    assert shop.payments.operation("capture:1").succeeded


def test_a_scripted_decline_is_the_operations(shop: Shop) -> None:
    for call in (Call.CAPTURE, Call.REFUND, Call.CANCEL):
        payment = captured(shop, f"order:{call}") if call is Call.REFUND else shop.paid(f"order:{call}")
        shop.gateway.script(call, decline=DeclineCode.DO_NOT_RETRY)
        operation = getattr(shop.payments, call.value)(payment.payment_id, operation_id=f"{call}:1")
        assert (operation.outcome, operation.decline.code) == (Outcome.DECLINED, DeclineCode.DO_NOT_RETRY)


@pytest.mark.parametrize("code", [None, DeclineCode.REFUND_REFUSED])
def test_what_is_pending_ends_when_it_is_finished(shop: Shop, code: DeclineCode | None) -> None:
    payment = captured(shop)
    shop.gateway.script("refund", Manner.PENDING)
    assert shop.payments.refund(payment.payment_id, operation_id="refund:1").outcome is Outcome.PENDING
    shop.gateway.finish_pending(decline=code)
    shop.callbacks.deliver()
    operation = shop.payments.operation("refund:1")
    assert operation.outcome is (Outcome.SUCCEEDED if code is None else Outcome.DECLINED)
    assert shop.payments.get(payment.payment_id).refunded == sek(11900 if code is None else 0)


def test_a_script_waits_for_its_turn_and_ends(shop: Shop) -> None:
    payment = shop.paid()
    shop.gateway.script("capture", decline=DeclineCode.LIMIT_EXCEEDED, after=1, times=2)
    outcomes = [
        shop.payments.capture(payment.payment_id, sek(100), operation_id=f"capture:{number}").outcome
        for number in range(4)
    ]
    assert outcomes == [Outcome.SUCCEEDED, Outcome.DECLINED, Outcome.DECLINED, Outcome.SUCCEEDED]


def test_scripts_can_be_cleared(shop: Shop) -> None:
    shop.gateway.script("create", Manner.REFUSE)
    shop.gateway.clear_scripts()
    assert shop.bought().state is PaymentState.PENDING


@pytest.mark.parametrize(
    ("call", "manner", "decline", "said"),
    [
        ("create", None, DeclineCode.DECLINED, "create cannot end as decline"),
        ("approve", Manner.LOST_AFTER, None, "approve cannot end as lost_after"),
        ("observe", Manner.PENDING, None, "observe cannot end as pending"),
        ("refund", Manner.DECLINE, None, "a decline needs a code"),
        ("refund", Manner.LOST_AFTER, DeclineCode.DECLINED, "a decline needs a code"),
        ("aprove", None, None, r"call: must be one of create, .*, approve; not 'aprove'"),
        ("approve", "declined", None, r"manner: must be one of accept, decline, .*; not 'declined'"),
        ("approve", "", None, r"manner: must be one of accept, "),
        ("approve", None, "no_money", r"decline: must be one of .*insufficient_funds.*; not 'no_money'"),
    ],
)
def test_what_cannot_happen_is_refused_with_the_words_that_are_known(
    call: str, manner: Any, decline: Any, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        MockGateway().script(call, manner, decline=decline)


def test_words_do_as_well_as_values(shop: Shop) -> None:
    shop.gateway.script("approve", decline="insufficient_funds")
    assert shop.paid().decline.code is DeclineCode.INSUFFICIENT_FUNDS
    with pytest.raises(ValueError, match="code: must be one of"):
        shop.gateway.decline("mock", code="no")
    with pytest.raises(ValueError, match="decline: must be one of"):
        shop.gateway.finish_pending(decline="no")


@pytest.mark.parametrize("amount", [each for each in ASTRAY if each.manner not in ENDED], ids=of)
def test_a_charge_that_went_astray_by_its_amount_is_not_made_again(shop: Shop, amount: MockAmount) -> None:
    mandate = shop.stored()
    for _ in range(2):
        charged = shop.payments.charge(
            mandate.mandate_id, sek(amount.minor), operation_id="charge:1", description="One month"
        )
        assert charged.outcome is Outcome.UNKNOWN


def test_a_script_without_a_turn_is_refused() -> None:
    with pytest.raises(ValueError, match="times >= 1"):
        MockGateway().script("capture", Manner.REFUSE, times=0)


def test_the_gateway_says_what_it_was_asked(shop: Shop) -> None:
    shop.gateway.script("create", Manner.NOT_SENT)
    with pytest.raises(NotSent):
        shop.bought()
    shop.bought()
    seen = [(each.number, each.call, each.manner) for each in shop.gateway.seen]
    assert seen == [(1, Call.CREATE, Manner.NOT_SENT), (2, Call.CREATE, Manner.ACCEPT)]
    assert shop.gateway.find(shop.gateway.seen[1].reference) is not None
    # What certainly did not leave is sent again at once, a moment later: for the script it is one call.
    assert shop.clock.now() - shop.gateway.seen[0].at < timedelta(seconds=5)


def test_planned_faults_meet_the_mock_as_every_gateway(shop: Shop) -> None:
    payment = captured(shop)
    shop.gateway.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="refund"))
    assert shop.payments.refund(payment.payment_id, operation_id="refund:1").outcome is Outcome.UNKNOWN
    assert shop.payments.resolve("refund:1").succeeded
    assert [seen.outcome for seen in shop.gateway.transcript.calls("refund")] == ["dropped"]
    assert shop.gateway.books()[payment.provider_reference].refunded == 11900


def test_accounts_that_cannot_reach_the_mock_say_how_to(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/own.db"
    upgrade_database(database)
    accounts = Accounts.open(
        database,
        callback_url="https://shop.example/callbacks",
        callback_keys=["a-key-for-the-tests-that-is-long-enough"],
    )
    try:
        with pytest.raises(NotSent, match=r"sender=prenopay_sender, or with sender=MockSender\(\)"):
            accounts.add(Mock(account="mock")).create(an_order(), operation_id="order:1")
    finally:
        accounts.close()


def test_a_mock_sender_reaches_every_mock(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/own.db"
    upgrade_database(database)
    accounts = Accounts.open(
        database,
        callback_url="https://shop.example/callbacks",
        callback_keys=["a-key-for-the-tests-that-is-long-enough"],
        sender=MockSender(),
    )
    try:
        for name in ("one", "other"):
            payments = accounts.add(Mock(account=name))
            payment = payments.create(an_order(), operation_id="order:1")
            payments.provider.gateway.approve(str(payment.provider_reference))
            assert payments.observe(payment.payment_id).state is PaymentState.AUTHORIZED
    finally:
        accounts.close()
