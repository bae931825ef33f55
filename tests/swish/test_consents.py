"""Standing consents, experimental: signed once in the app, charged while the payer is absent, withdrawn."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from prenopay import DeclineCode, EventKind, Operation, Outcome, Payer, Payment, PaymentState
from prenopay.books import schema
from prenopay.books.engine import open_engine
from prenopay.errors import Conflict, InvalidOrder, MandateUnusable, PrenopayError, UnsupportedOperation
from prenopay.testing.faults import Fault, FaultKind
from prenopay.values.mandates import Mandate, MandateKind, MandateState, StoreMethod
from prenopay.values.orders import PageStyle
from prenopay.values.payments import Action
from prenopay.values.subjects import Subject
from tests.behaviour.shop import CONSENT, an_order, sek
from tests.everything import stored_answers
from tests.swish.shop import PERSONAL_NUMBER, PHONE, SwishShop
from tests.swish.test_lost_answers import ENDS, LOST, OPEN_ERRORS

READER = Payer(reference="R-77", phone="+" + PHONE, personal_number=PERSONAL_NUMBER)
_CONSENTS, _CHARGES = "/consents/", "/payments/single/"


@pytest.fixture
def shop(open_shop: Callable[..., SwishShop]) -> SwishShop:
    """Return a shop whose account has recurring payments turned on."""
    return open_shop(recurring=True)


def when_sending(path: str, fault: Fault) -> Fault:
    return replace(fault, call="recurring", method="POST", path=path)


def asked(shop: SwishShop, operation_id: str = "consent:1", *, by_phone: bool = False, **store: Any) -> Payment:
    """Ask the reader for a consent, in the app or on the phone."""
    order = an_order(
        amount=sek(0),
        lines=(),
        payer=READER,
        page=PageStyle.PHONE if by_phone else PageStyle.REDIRECT,
        store=StoreMethod(consent=CONSENT, kinds=(MandateKind.CONSENT,), **store),
    )
    payment: Payment = shop.payments.create(order, operation_id=operation_id)
    return payment


def consent_id(payment: Payment) -> str:
    assert payment.provider_reference is not None
    return payment.provider_reference.removeprefix("consent:")


def signed(shop: SwishShop, operation_id: str = "consent:1", **how: Any) -> Mandate:
    """Let the reader sign a consent, and return the mandate."""
    payment = asked(shop, operation_id, **how)
    shop.swish.sign_consent(consent_id(payment), msisdn=PHONE)
    shop.payments.observe(payment.payment_id)
    mandate: Mandate = next(
        each for each in shop.mandates.of_payer(READER.reference) if each.payment_id == payment.payment_id
    )
    return mandate


def drawn(shop: SwishShop, mandate: Mandate, operation_id: str = "renewal:1", **details: Any) -> Operation:
    return shop.drawn(mandate, operation_id, **details)


def settled(shop: SwishShop, operation_id: str = "renewal:1") -> Operation:
    """Let the gateway finish and send its callback, and return the charge."""
    shop.later(seconds=30)
    shop.swish.settle()
    shop.deliver_callbacks()
    operation: Operation = shop.payments.operation(operation_id)
    return operation


def consents(shop: SwishShop) -> list[str]:
    """Return the states of the gateway's consents, oldest first."""
    return [each.status for each in shop.swish.consents]


def books_agree(shop: SwishShop) -> None:
    """Check that every charge's totals are the gateway's."""
    theirs = shop.swish.books()
    ours = [each for each in shop.payments.find(limit=500) if str(each.provider_reference).startswith("recurring:")]
    for payment in ours:
        gateway = theirs.pop(str(payment.provider_reference).removeprefix("recurring:"), None)
        expected = (0, 0) if gateway is None else (gateway.paid, gateway.refunded)
        assert (payment.captured.minor, payment.refunded.minor) == expected, payment
    assert not theirs


# A life


@pytest.mark.parametrize("by_phone", [False, True])
def test_a_consent_is_signed_charged_refunded_and_removed(shop: SwishShop, by_phone: bool) -> None:  # noqa: FBT001 - of the table
    payment = asked(shop, by_phone=by_phone)
    (proposed,) = shop.mandates.of_payer(READER.reference)
    assert (payment.state, proposed.state) == (PaymentState.PENDING, MandateState.PROPOSED)
    assert (payment.app_switch is None) is by_phone

    shop.swish.sign_consent(payment.app_switch.token if payment.app_switch else consent_id(payment), msisdn=PHONE)
    shop.deliver_callbacks()
    payment = shop.payments.get(payment.payment_id)
    (mandate,) = shop.mandates.of_payer(READER.reference)
    assert (payment.state, payment.captured, payment.is_paid) == (PaymentState.CAPTURED, sek(0), True)
    assert (mandate.state, mandate.kind, mandate.display) == (
        MandateState.ACTIVE,
        MandateKind.CONSENT,
        f"Swish •••• {PHONE[-4:]}",
    )

    first = drawn(shop, mandate, period="2026-02")
    assert first.outcome is Outcome.PENDING
    assert settled(shop).succeeded
    charge = shop.payments.get(first.payment_id)
    assert (charge.state, charge.captured, charge.flags) == (PaymentState.CAPTURED, sek(11900), ())
    assert isinstance(shop.tries(lambda: drawn(shop, mandate, "renewal:again", period="2026-02")), Conflict)

    shop.refund(charge, sek(1900))
    shop.later(minutes=5)
    shop.accounts.sweep()
    assert shop.payments.get(first.payment_id).refunded == sek(1900)
    books_agree(shop)

    removed = shop.mandates.remove(mandate.mandate_id, reason="the reader asked")
    assert (removed.state, consents(shop)) == (MandateState.DELETED, ["REVOKED"])
    shop.deliver_callbacks()
    assert isinstance(shop.tries(lambda: drawn(shop, mandate, "renewal:2")), MandateUnusable)
    assert shop.payments.get(payment.payment_id).flags == ()
    assert shop.accounts.callbacks(open_only=True) == ()
    for kind in (EventKind.MANDATE_ACTIVE, EventKind.CAPTURED, EventKind.REFUNDED):
        assert shop.told.count(kind.value) == 1, kind


def test_it_is_off_unless_asked_for(open_shop: Callable[..., SwishShop]) -> None:
    shop = open_shop()
    error = shop.tries(lambda: asked(shop))
    assert isinstance(error, InvalidOrder)
    assert error.field == "store"
    assert "recurring = true" in str(error)
    charging = shop.tries(lambda: shop.payments.charge("man_1", sek(100), operation_id="1", description="One month"))
    assert isinstance(charging, UnsupportedOperation)
    assert "recurring = true" in charging.reason
    assert len(shop.swish.transcript.seen) == 0


@pytest.mark.every_store
def test_payments_work_as_before(shop: SwishShop) -> None:
    payment = shop.captured()
    shop.refund(payment)
    shop.later(minutes=5)
    shop.accounts.sweep()
    assert shop.payments.get(payment.payment_id).refunded == payment.captured
    cancelled = shop.bought("order:2")
    assert shop.payments.cancel(cancelled.payment_id, operation_id="cancel:2").succeeded
    shop.deliver_callbacks()
    assert all(each.flags == () for each in shop.payments.find())
    shop.books_agree()


# A consent that does not come to be


def test_a_reader_may_say_no(shop: SwishShop) -> None:
    payment = asked(shop)
    shop.swish.sign_consent(consent_id(payment), agrees=False)
    shop.deliver_callbacks()

    payment = shop.payments.get(payment.payment_id)
    (mandate,) = shop.mandates.of_payer(READER.reference)
    assert payment.state is PaymentState.DECLINED
    assert payment.decline is not None
    assert payment.decline.code is DeclineCode.CANCELLED_BY_PAYER
    assert (mandate.state, mandate.reason) == (MandateState.DELETED, "not completed")


def test_an_unsigned_consent_is_ended_when_its_time_is_over(shop: SwishShop) -> None:
    payment = asked(shop)
    assert Action.CANCEL in payment.allowed_actions
    shop.later(minutes=8)
    assert shop.accounts.sweep().failures == ()

    assert shop.payments.get(payment.payment_id).state is PaymentState.EXPIRED
    assert consents(shop) == ["REVOKED"]
    shop.deliver_callbacks()
    assert shop.payments.get(payment.payment_id).flags == ()


def test_a_consent_that_swish_forgot_expires_too(shop: SwishShop) -> None:
    payment = asked(shop)
    shop.swish._register.consents.clear()
    shop.later(minutes=8)
    assert shop.accounts.sweep().failures == ()
    assert shop.payments.get(payment.payment_id).state is PaymentState.EXPIRED
    (mandate,) = shop.mandates.of_payer(READER.reference)
    assert not mandate.state.is_chargeable


def test_an_unsigned_consent_can_be_cancelled(shop: SwishShop) -> None:
    payment = asked(shop)
    assert shop.payments.cancel(payment.payment_id, operation_id="cancel:1").succeeded
    assert consents(shop) == ["REVOKED"]
    mandate = signed(shop, "consent:2")
    assert mandate.payment_id is not None
    paid = shop.payments.get(mandate.payment_id)
    assert isinstance(shop.tries(lambda: shop.payments.cancel(paid.payment_id, operation_id="cancel:2")), Conflict)


@pytest.mark.parametrize("fault", LOST)
def test_a_lost_token_is_ended_and_asked_for_again(shop: SwishShop, fault: Fault) -> None:
    shop.swish.faults.add(when_sending(_CONSENTS, fault))
    assert isinstance(shop.tries(lambda: asked(shop)), OPEN_ERRORS)
    payment = asked(shop)

    waiting = [each for each in consents(shop) if each == "PENDING"]
    assert (payment.state, waiting) == (PaymentState.PENDING, ["PENDING"])
    assert payment.app_switch is not None
    shop.swish.sign_consent(payment.app_switch.token)
    shop.deliver_callbacks()
    assert len(shop.payments.find()) == 1
    (mandate,) = shop.mandates.of_payer(READER.reference)
    assert mandate.state is MandateState.ACTIVE
    assert shop.payments.get(payment.payment_id).flags == ()


@pytest.mark.parametrize("fault", ENDS)
def test_a_phone_that_was_asked_is_not_asked_again(shop: SwishShop, fault: Fault) -> None:
    shop.swish.faults.add(when_sending(_CONSENTS, fault))
    assert isinstance(shop.tries(lambda: asked(shop, by_phone=True)), OPEN_ERRORS)
    for consent in shop.swish.consents:
        shop.swish.sign_consent(consent.id)
    payment = asked(shop, by_phone=True)
    if payment.is_open:
        shop.swish.sign_consent(consent_id(payment))
    shop.payments.observe(payment.payment_id)

    assert consents(shop) == ["ACTIVE"]
    (mandate,) = shop.mandates.of_payer(READER.reference)
    assert mandate.state is MandateState.ACTIVE


# Charges


LOST_CHARGES = [
    pytest.param(*fault.values, how, id=f"{fault.id}, {how}")
    for how in ("again", "resolve", "sweep")
    for fault in (LOST if how == "again" else ENDS)
]


@pytest.mark.parametrize(("fault", "how"), LOST_CHARGES)
def test_a_charge_without_an_answer_is_made_once(shop: SwishShop, fault: Fault, how: str) -> None:
    mandate = signed(shop)
    shop.swish.faults.add(when_sending(_CHARGES, fault))
    assert drawn(shop, mandate).outcome is Outcome.UNKNOWN

    shop.later(minutes=2)
    if how == "again":
        drawn(shop, mandate)
    elif how == "resolve":
        shop.payments.resolve("renewal:1")
    for _ in range(3):
        shop.later(minutes=10)
        assert shop.accounts.sweep().failures == ()

    assert shop.payments.operation("renewal:1").succeeded
    assert len(shop.swish.charges) == 1
    assert shop.told.count(EventKind.CAPTURED.value) == 1
    books_agree(shop)


@pytest.mark.parametrize("code", ["RF07", "TM01"])
def test_a_charge_that_fails_is_declined_and_may_be_tried_again(shop: SwishShop, code: str) -> None:
    mandate = signed(shop)
    shop.payments.charge(mandate.mandate_id, sek(11900), operation_id="renewal:1", description=code)
    made = settled(shop)

    assert (made.outcome, shop.payments.get(made.payment_id).state) == (Outcome.DECLINED, PaymentState.DECLINED)
    assert made.decline is not None
    assert made.decline.provider_code == code
    assert EventKind.EXPIRED.value not in shop.told
    assert shop.mandates.get(mandate.mandate_id).state is MandateState.ACTIVE
    drawn(shop, mandate, "renewal:1:try-2")
    assert settled(shop, "renewal:1:try-2").succeeded
    books_agree(shop)


def test_a_charge_whose_outcome_swish_does_not_know_is_unknown(shop: SwishShop) -> None:
    mandate = signed(shop)
    shop.payments.charge(mandate.mandate_id, sek(11900), operation_id="renewal:1", description="DS24")
    made = settled(shop)

    payment = shop.payments.get(made.payment_id)
    assert (payment.state, [flag.kind.value for flag in payment.flags]) == (PaymentState.UNKNOWN, ["uncertain"])
    assert made.outcome is Outcome.PENDING


def test_a_consent_that_the_payer_withdrew_is_not_charged(shop: SwishShop) -> None:
    mandate = signed(shop)
    (consent,) = shop.swish.consents
    assert shop.swish.revoke_consent(consent.id) == "REVOKED"
    made = drawn(shop, mandate)

    assert made.outcome is Outcome.DECLINED
    assert made.decline is not None
    assert made.decline.code is DeclineCode.MANDATE_INACTIVE
    assert shop.payments.get(made.payment_id).state is PaymentState.DECLINED
    assert shop.mandates.get(mandate.mandate_id).state is MandateState.SUSPENDED
    assert EventKind.MANDATE_SUSPENDED.value in shop.told
    calls = len(shop.swish.transcript.seen)
    assert isinstance(shop.tries(lambda: drawn(shop, mandate, "renewal:2")), MandateUnusable)
    assert len(shop.swish.transcript.seen) == calls, "nothing is sent"


@pytest.mark.every_store
def test_a_charge_can_be_settled_by_what_a_person_found(shop: SwishShop) -> None:
    mandate = signed(shop)
    shop.swish.faults.add(when_sending(_CHARGES, Fault(kind=FaultKind.DROP_AFTER)))
    made = drawn(shop, mandate)
    shop.later(minutes=15)
    (charge,) = shop.swish.charges
    found = shop.payments.settle_by_hand(
        made.operation_id, provider_reference=f"recurring:{charge.id}", person="Eva", reason="is in the bank's list"
    )
    assert found.succeeded
    books_agree(shop)


@pytest.mark.parametrize("fault", ENDS)
@pytest.mark.parametrize("told", [True, False])
def test_a_lost_charge_is_found_though_its_consent_is_removed(shop: SwishShop, fault: Fault, told: bool) -> None:  # noqa: FBT001 - of the table
    mandate = signed(shop)
    shop.swish.faults.add(when_sending(_CHARGES, fault))
    assert drawn(shop, mandate).outcome is Outcome.UNKNOWN
    shop.mandates.remove(mandate.mandate_id, reason="asked for")
    assert consents(shop) == ["REVOKED"]

    shop.later(minutes=11)
    if told:
        shop.deliver_callbacks()
    for _ in range(3):
        assert shop.accounts.sweep().failures == ()
        shop.later(minutes=10)

    made = shop.payments.operation("renewal:1")
    became = {"PAID": Outcome.SUCCEEDED, "ERROR": Outcome.DECLINED, "": Outcome.NOT_ATTEMPTED}
    assert made.outcome is became[next((each.status for each in shop.swish.charges), "")]
    books_agree(shop)


def test_money_of_a_lost_charge_is_reported_at_its_callback(shop: SwishShop) -> None:
    mandate = signed(shop)
    shop.swish.faults.add(when_sending(_CHARGES, Fault(kind=FaultKind.DROP_AFTER)))
    assert drawn(shop, mandate).outcome is Outcome.UNKNOWN
    shop.later(seconds=50)
    shop.swish.settle()
    shop.mandates.remove(mandate.mandate_id, reason="asked for")
    shop.deliver_callbacks()

    assert shop.payments.operation("renewal:1").succeeded
    assert shop.told.count(EventKind.CAPTURED.value) == 1
    books_agree(shop)


# Removing


@pytest.mark.every_store
def test_all_of_a_readers_consents_go_one_by_one(shop: SwishShop) -> None:
    signed(shop)
    signed(shop, "consent:2")
    left = shop.mandates.remove_all(READER.reference, reason="moved", confirm=READER.reference)
    assert {each.state for each in left} == {MandateState.DELETED}
    assert consents(shop) == ["REVOKED", "REVOKED"]


def test_a_removal_that_is_interrupted_is_finished_by_the_sweep(shop: SwishShop) -> None:
    mandates = [signed(shop), signed(shop, "consent:2")]
    shop.swish.faults.add(Fault(kind=FaultKind.DROP_BEFORE, call="recurring", method="DELETE", times=9))
    error = shop.tries(
        lambda: shop.mandates.remove_all(READER.reference, reason="moved", confirm=READER.reference),
    )
    assert isinstance(error, PrenopayError)
    assert {shop.mandates.get(each.mandate_id).state for each in mandates} == {MandateState.DELETED}

    shop.swish.faults.clear()
    shop.later(hours=1)
    assert shop.accounts.sweep().failures == ()
    assert consents(shop) == ["REVOKED", "REVOKED"]


def test_swish_cannot_list_a_readers_consents(shop: SwishShop) -> None:
    mandate = signed(shop)
    error = shop.tries(lambda: shop.mandates.refresh(READER.reference))
    assert isinstance(error, UnsupportedOperation)
    assert "observe the payment" in error.reason
    assert shop.mandates.get(mandate.mandate_id).state is MandateState.ACTIVE


def test_a_new_consent_replaces_the_old_one(shop: SwishShop) -> None:
    old = signed(shop)
    new = signed(shop, "consent:2", replaces=old.mandate_id)
    shop.later(minutes=1)
    shop.accounts.sweep()
    assert shop.mandates.get(old.mandate_id).replaced_by == new.mandate_id
    assert consents(shop) == ["REVOKED", "ACTIVE"]


# What must not be seen


def test_nothing_secret_is_logged_shown_or_kept(shop: SwishShop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "prenopay")
    payment = asked(shop, "consent:app")
    mandate = signed(shop, by_phone=True)
    drawn(shop, mandate)
    settled(shop)
    shop.swish.faults.add(when_sending(_CHARGES, Fault(kind=FaultKind.STATUS_AFTER, status=500)))
    drawn(shop, mandate, "renewal:2")
    assert payment.app_switch is not None
    urls = [
        shop.accounts.callback_urls.url(shop.account_name, Subject.payment(each.payment_id))
        for each in shop.payments.find()
    ]
    secrets = [payment.app_switch.token, *urls, PHONE, PHONE[2:], PERSONAL_NUMBER]

    logged = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    shown = repr([*shop.payments.find(), *shop.events, *shop.mandates.find(), shop.payments.provider])
    engine = open_engine(shop.database)
    with engine.connect() as connection:
        columns = (schema.events.c.body, schema.operations.c.error)
        rows = [tuple(row) for column in columns for row in connection.execute(select(column))]
        kept = repr([*rows, *stored_answers(connection)])
    engine.dispose()

    assert len(shop.events) > 2
    for text in (logged, shown, kept):
        assert [secret for secret in secrets if secret in text] == []
