"""What the gateway refuses: credentials, requests, too many of them; and answers nobody can read."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from prenopay import Environment, Outcome, Payer, PaymentState, Secret
from prenopay.errors import (
    ConfigurationError,
    Conflict,
    IllegalTransition,
    InvalidOrder,
    NotFound,
    OutcomeUnknown,
    PrenopayError,
    ProviderUnavailable,
    RateLimited,
    Rejected,
    Unauthenticated,
    UnexpectedAnswer,
)
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.testing.emulators.swedbankpay import Merchant, SwedbankPayEmulator
from prenopay.testing.faults import Fault, FaultBody, FaultKind
from prenopay.testing.http import EmulatorSender
from tests.behaviour.shop import Shop, an_order

OTHER_PAYEE = "99999999-8888-7777-6666-555555555555"


def test_a_wrong_token_is_reported(shop: Shop) -> None:
    payments = shop.add("wrong", access_token=Secret("wrong-token"))

    error = shop.tries(lambda: payments.create(an_order(), operation_id="order:1"))

    assert isinstance(error, Unauthenticated)
    assert "access_token" in error.advice
    assert "did not say why; check access_token and payee_id" in str(error)
    assert "wrong-token" not in str(error)
    assert payments.operation("order:1").outcome is Outcome.NOT_ATTEMPTED


def test_a_wrong_payee_is_reported_and_nothing_is_payable(shop: Shop) -> None:
    payments = shop.add("wrong", payee_id=OTHER_PAYEE)

    error = shop.tries(lambda: payments.create(an_order(), operation_id="order:1"))

    assert isinstance(error, PrenopayError)
    assert payments.operation("order:1").outcome is Outcome.NOT_ATTEMPTED
    assert payments.find()[0].state is PaymentState.CREATED


def test_after_the_credentials_are_fixed_the_same_call_goes_through(shop: Shop) -> None:
    payments = shop.add("mended", access_token=Secret("wrong-token"))
    shop.tries(lambda: payments.create(an_order(), operation_id="order:1"))
    again = shop.restarted()

    payment = again.add("mended").create(an_order(), operation_id="order:1")

    assert payment.state is PaymentState.PENDING
    again.close()


def test_a_refused_request_names_the_fields(shop: Shop) -> None:
    order = an_order(extra={"payeeInfo": {"subsite": "!!"}})

    error = shop.tries(lambda: shop.payments.create(order, operation_id="order:1"))

    assert isinstance(error, Rejected)
    assert [name for name, _text in error.problems] == ["PaymentOrder.PayeeInfo.Subsite"]
    assert "fix" in error.advice


def test_a_field_without_a_name_here_is_passed_through(shop: Shop) -> None:
    payment = shop.payments.create(
        an_order(extra={"requestDeliveryInfo": True, "payeeInfo": {"productCategory": "A123"}}),
        operation_id="order:1",
    )

    assert payment.state is PaymentState.PENDING


def test_too_many_requests_can_be_repeated(shop: Shop) -> None:
    shop.emulator.faults.add(Fault(kind=FaultKind.STATUS_BEFORE, call="create", status=429, retry_after=7))

    error = shop.tries(shop.bought)

    assert isinstance(error, RateLimited)
    assert error.retry_after == 7
    assert shop.payments.operation("order:1").outcome is Outcome.NOT_ATTEMPTED
    assert shop.bought().state is PaymentState.PENDING


@pytest.mark.parametrize("body", FaultBody)
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Rejected),
        (401, Unauthenticated),
        (403, Unauthenticated),
        (404, Conflict),
        (500, ProviderUnavailable),
        (502, ProviderUnavailable),
        (503, ProviderUnavailable),
        (504, ProviderUnavailable),
        (302, UnexpectedAnswer),
    ],
)
def test_answers_without_a_problem_are_read_by_their_status(
    shop: Shop,
    status: int,
    kind: type[PrenopayError],
    body: FaultBody,
) -> None:
    shop.emulator.faults.add(Fault(kind=FaultKind.STATUS_BEFORE, call="create", status=status, body=body, times=5))

    error = shop.tries(shop.bought)

    assert type(error) is kind
    assert (error.account, error.provider, error.operation_id) == ("cards", "swedbankpay", "order:1")
    assert error.payment_id == shop.payments.find()[0].payment_id


def test_a_gateway_that_does_not_answer_is_left_at_the_deadline(shop: Shop) -> None:
    began = shop.clock.now()
    shop.emulator.faults.add(Fault(kind=FaultKind.DELAY, call="create", seconds=3600))

    error = shop.tries(shop.bought)

    assert isinstance(error, OutcomeUnknown)
    assert (shop.clock.now() - began).total_seconds() <= 31


def test_the_deadline_holds_for_all_calls_of_a_use_case_together(shop: Shop) -> None:
    payment = shop.paid()
    began = shop.clock.now()
    shop.emulator.faults.add(Fault(kind=FaultKind.DELAY, seconds=20, times=5))

    operation = shop.payments.capture(payment.payment_id, operation_id="capture:1")

    assert operation.outcome is Outcome.UNKNOWN
    assert (shop.clock.now() - began).total_seconds() <= 31


@pytest.mark.parametrize(
    ("environment", "base_url", "word"),
    [
        (Environment.TEST, "https://api.payex.com", "production"),
        (Environment.PRODUCTION, "https://api.externalintegration.payex.com", "production"),
        (Environment.PRODUCTION, "http://127.0.0.1:8001", "production"),
        (Environment.TEST, "http://gateway.example", "https"),
        (Environment.TEST, "ftp://gateway.example", "base_url"),
    ],
)
def test_the_two_environments_are_kept_apart(environment: Environment, base_url: str, word: str) -> None:
    with pytest.raises(ConfigurationError, match=word):
        SwedbankPay(
            account="cards",
            environment=environment,
            payee_id=OTHER_PAYEE,
            access_token=Secret("token"),
            base_url=base_url,
        )


def test_one_merchants_token_does_not_reach_anothers_orders(open_shop: Callable[..., Shop]) -> None:
    emulator = SwedbankPayEmulator(
        merchants=[Merchant(), Merchant(payee_id=OTHER_PAYEE, access_token="other-token")],
    )
    shop = open_shop(emulator=emulator)
    other = shop.add("other", payee_id=OTHER_PAYEE, access_token=Secret("other-token"))
    payment = shop.bought()

    for use_case in (other.get, other.observe, other.timeline, other.order, other.erase_payer):
        assert isinstance(shop.tries(partial(use_case, payment.payment_id)), NotFound)
    error = shop.tries(lambda: other.capture(payment.payment_id, operation_id="capture:1"))
    assert isinstance(error, NotFound)
    assert other.find() == ()


@pytest.mark.every_store
def test_probing_says_what_is_wrong_without_doing_anything(shop: Shop) -> None:
    assert all(probe.ok for probe in shop.payments.probe())

    (credentials, clock) = shop.add("wrong", access_token=Secret("wrong-token")).probe()

    assert not credentials.ok
    assert "merchant portal" in credentials.fix
    assert clock.ok
    assert len(shop.emulator.orders) == 0


def test_probing_reports_a_gateway_that_is_not_there(shop: Shop) -> None:
    shop.emulator.faults.add(Fault(kind=FaultKind.REFUSE, times=10))

    (reach,) = shop.payments.probe()

    assert (reach.name, reach.ok) == ("reach", False)
    assert "api.externalintegration.payex.com" in reach.fix


def test_an_email_address_is_no_name_of_a_payer(shop: Shop) -> None:
    order = an_order(payer=Payer(reference="astrid@example.com"))
    error = shop.tries(lambda: shop.payments.create(order, operation_id="order:1"))
    assert isinstance(error, InvalidOrder)
    assert (error.field, "payer.email" in str(error)) == ("payer.reference", True)
    assert not shop.emulator.transcript.seen
    assert shop.payments.create(an_order(payer=Payer(reference="reader@8f3a")), operation_id="order:1").redirect_url


def test_a_gateway_that_does_not_know_our_payment_says_what_to_check(shop: Shop) -> None:
    payment = shop.bought("order:1")
    elsewhere = shop.restarted(sender=EmulatorSender(SwedbankPayEmulator(clock=shop.clock).mounts))

    assert elsewhere.bought("order:2").provider_reference != payment.provider_reference
    error = elsewhere.tries(lambda: elsewhere.payments.observe(payment.payment_id))
    elsewhere.close()

    assert isinstance(error, Conflict)
    assert (error.http_status, error.stated) == (404, False)
    assert str(error).endswith(f"; {error.advice}")
    assert "check payee_id and environment" in error.advice


def test_an_id_that_is_no_payment_id_is_said_to_be_none(shop: Shop) -> None:
    error = shop.tries(lambda: shop.payments.observe("order:1"))
    assert isinstance(error, NotFound)
    assert str(error).endswith("; a payment id starts with pay_")


def test_an_answer_that_the_books_refuse_is_asked_for_again(shop: Shop) -> None:
    """The gateway has forgotten its orders, and gives one's id to another."""
    numbered = [EmulatorSender(SwedbankPayEmulator(clock=shop.clock, seed=7).mounts) for _ in range(2)]
    before = shop.restarted(sender=numbered[0])
    before.bought("order:1")
    forgetful = before.restarted(sender=numbered[1])
    before.close()

    refused = forgetful.tries(lambda: forgetful.payments.create(an_order(), operation_id="order:2"))

    assert isinstance(refused, IllegalTransition)
    assert "which is another payment's" in str(refused)
    assert "same seed" in str(refused)
    (open_one,) = forgetful.payments.open_operations()
    assert "which is another payment's" in open_one.error
    assert forgetful.payments.create(an_order(), operation_id="order:2").redirect_url
    forgetful.close()
