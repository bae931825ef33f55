"""What the mock does that the rules of the conformance suite do not ask of every gateway."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from prenopay import CaptureMode, DeclineCode, Environment, Outcome, PaymentState
from prenopay.errors import ConfigurationError, InvalidOrder
from prenopay.provider import VERBS, ChargesMandates, DrawsQr, PaysOut, ReceivesCallbacks, RefundsApart, StoresMandates
from prenopay.testing.mock import Manner, Mock, MockGateway, MockProvider, MockProviderApart, PayerRefused
from prenopay.values.mandates import MandateState, StoreMethod
from prenopay.values.money import Money
from prenopay.values.orders import Instrument, PageStyle
from tests.behaviour.shop import CONSENT, READER, sek
from tests.swish.shop import a_payout

from .conftest import OpenShop, Shop


def test_the_mock_can_do_everything() -> None:
    every = {protocol for protocol, _verb in VERBS.values()}
    every |= {ChargesMandates, DrawsQr, PaysOut, ReceivesCallbacks, StoresMandates}
    assert every <= set(MockProvider.__mro__)
    assert RefundsApart not in MockProvider.__mro__
    assert every | {RefundsApart} <= set(MockProviderApart.__mro__)
    assert isinstance(Mock(account="a").provider(), MockProvider)
    assert isinstance(Mock(account="a", refunds_apart=True).provider(), MockProviderApart)


def test_the_mock_is_for_tests_only() -> None:
    with pytest.raises(ConfigurationError, match="test environment"):
        Mock(account="mock", environment=Environment.PRODUCTION)


@pytest.mark.parametrize("apart", [False, True])
def test_refunds_may_be_objects_of_their_own(open_shop: OpenShop, apart: bool) -> None:  # noqa: FBT001
    shop = open_shop(mock=Mock(account="mock", refunds_apart=apart), tell_twice=False)
    payment = shop.paid(capture=CaptureMode.AUTOMATIC)
    shop.gateway.script("refund", Manner.PENDING)
    assert shop.payments.refund(payment.payment_id, sek(1000), operation_id="refund:1").outcome is Outcome.PENDING
    shop.gateway.finish_pending()
    shop.callbacks.deliver()
    assert shop.payments.operation("refund:1").succeeded
    assert shop.payments.refund(payment.payment_id, operation_id="refund:2").succeeded
    assert shop.payments.get(payment.payment_id).refunded == sek(11900)


def test_what_is_reserved_can_be_released_after_a_part_was_taken(shop: Shop) -> None:
    payment = shop.paid()
    shop.payments.capture(payment.payment_id, sek(4000), operation_id="capture:1")
    assert shop.payments.cancel(payment.payment_id, operation_id="cancel:1").succeeded
    payment = shop.payments.get(payment.payment_id)
    assert (payment.state, payment.captured, payment.cancelled) == (PaymentState.CAPTURED, sek(4000), sek(7900))


def test_the_payer_may_try_again(shop: Shop) -> None:
    payment = shop.bought()
    shop.payer.wait(payment)
    shop.payer.decline(payment)
    assert shop.payments.get(payment.payment_id).decline.code is DeclineCode.CANCELLED_BY_PAYER
    shop.payer.approve(payment)
    assert shop.payments.get(payment.payment_id).state is PaymentState.AUTHORIZED
    assert shop.told == ["payment.attempt_declined", "payment.authorized"]


def test_swish_alone_takes_the_money_at_once_and_ends_with_a_no(shop: Shop) -> None:
    payment = shop.paid(only_instrument=Instrument.SWISH)
    assert (payment.state, payment.instrument, payment.is_paid) == (PaymentState.CAPTURED, "swish", True)
    payment = shop.bought("order:2", only_instrument=Instrument.SWISH)
    shop.payer.decline(payment)
    assert shop.payments.get(payment.payment_id).state is PaymentState.DECLINED


def test_an_app_payment_has_a_code_to_show(shop: Shop) -> None:
    payment = shop.bought(only_instrument=Instrument.SWISH)
    assert payment.app_switch.qr_content.startswith("D")
    assert shop.payments.draw_qr(payment.payment_id).startswith(b"<svg")
    assert shop.payments.draw_qr(payment.payment_id, image="png").startswith(b"\x89PNG")
    with pytest.raises(InvalidOrder):
        shop.payments.draw_qr(payment.payment_id, image="gif")


def test_each_page_style_has_its_way_in(shop: Shop) -> None:
    assert shop.bought().redirect_url.startswith("https://mock.invalid/pay/")
    assert shop.bought("order:2", page=PageStyle.SEAMLESS).seamless_view.script_url.endswith(".js")


def test_a_payer_who_vanishes_is_found_out_by_the_sweep(shop: Shop) -> None:
    payment = shop.bought()
    shop.payer.vanish(payment)
    with pytest.raises(PayerRefused, match="closed the page"):
        shop.payer.approve(payment)
    assert shop.callbacks.attempts == ()
    shop.accounts.sweep()
    assert shop.payments.get(payment.payment_id).state is PaymentState.PENDING
    shop.clock.advance(timedelta(days=1, minutes=1))
    shop.accounts.sweep()
    assert shop.payments.get(payment.payment_id).state is PaymentState.EXPIRED
    assert shop.told == ["payment.expired"]


def test_nobody_pays_when_the_page_has_lived(open_shop: OpenShop) -> None:
    gateway = MockGateway(page_lives=timedelta(minutes=5))
    shop = open_shop(mock=Mock(account="mock", gateway=gateway))
    payment = shop.bought()
    shop.clock.advance(timedelta(minutes=5))
    with pytest.raises(PayerRefused, match="its time is over"):
        shop.payer.approve(payment)


def test_a_method_is_stored_charged_and_removed(shop: Shop) -> None:
    mandate = shop.stored()
    assert (mandate.state, mandate.display) == (MandateState.ACTIVE, "Mock •••• 0000, 01/28")
    charged = shop.payments.charge(mandate.mandate_id, sek(9900), operation_id="charge:1", description="One month")
    assert charged.succeeded
    assert shop.payments.get(charged.payment_id).is_paid
    shop.mandates.remove(mandate.mandate_id, reason="the reader asked")
    assert shop.mandates.refresh(READER.reference)[0].state is MandateState.DELETED
    assert shop.gateway.methods(READER.reference) == ()


def test_a_method_is_stored_without_a_purchase(shop: Shop) -> None:
    payment = shop.paid(amount=sek(0), lines=(), payer=READER, store=StoreMethod(consent=CONSENT))
    assert (payment.state, payment.captured) == (PaymentState.CAPTURED, sek(0))
    assert shop.mandates.of_payer(READER.reference)[0].state is MandateState.ACTIVE


def test_all_methods_of_a_payer_go_at_once(shop: Shop) -> None:
    shop.stored()
    shop.gateway.store_card(READER.reference)
    shop.gateway.store_card("somebody-else")
    shop.mandates.remove_all(READER.reference, reason="GDPR", confirm=READER.reference)
    assert shop.gateway.methods(READER.reference) == ()
    assert len(shop.gateway.methods("somebody-else")) == 1


def test_a_charge_of_a_method_that_is_gone_suspends_it(shop: Shop) -> None:
    mandate = shop.stored()
    shop.gateway.remove_methods_of(READER.reference)
    charged = shop.payments.charge(mandate.mandate_id, sek(9900), operation_id="charge:1", description="One month")
    assert charged.decline.code is DeclineCode.MANDATE_INACTIVE
    assert shop.mandates.get(mandate.mandate_id).state is MandateState.SUSPENDED


@pytest.mark.parametrize("code", [None, DeclineCode.DECLINED])
def test_a_pending_charge_ends_later(shop: Shop, code: DeclineCode | None) -> None:
    mandate = shop.stored()
    shop.gateway.script("charge", Manner.PENDING)
    charged = shop.payments.charge(mandate.mandate_id, sek(9900), operation_id="charge:1", description="One month")
    assert charged.outcome is Outcome.PENDING
    shop.gateway.finish_pending(decline=code)
    shop.callbacks.deliver()
    assert shop.payments.operation("charge:1").outcome is (Outcome.DECLINED if code else Outcome.SUCCEEDED)
    assert shop.payments.get(charged.payment_id).is_paid is (code is None)


def lost_charge(shop: Shop) -> Any:
    mandate = shop.stored()
    shop.gateway.script("charge", Manner.LOST_AFTER)
    charged = shop.payments.charge(mandate.mandate_id, sek(9900), operation_id="charge:1", description="One month")
    assert charged.outcome is Outcome.UNKNOWN
    return charged


def test_a_lost_charge_stays_unknown_until_a_person_settles_it(shop: Shop) -> None:
    charged = lost_charge(shop)
    shop.clock.advance(timedelta(days=3))
    shop.accounts.sweep()
    assert shop.payments.operation("charge:1").outcome is Outcome.UNKNOWN
    found = shop.gateway.find(charged.reference)
    settled = shop.payments.settle_by_hand(
        "charge:1", provider_reference=found, person="Eva", reason="seen in the portal"
    )
    assert settled.succeeded
    assert [totals.authorized for totals in shop.gateway.books().values()] == [11900, 9900]


def test_a_mock_that_finds_charges_settles_a_lost_one_by_itself(open_shop: OpenShop) -> None:
    shop = open_shop(mock=Mock(account="mock", finds_charges=True), tell_twice=False)
    lost_charge(shop)
    assert shop.payments.resolve("charge:1").succeeded
    assert [totals.authorized for totals in shop.gateway.books().values()] == [11900, 9900]


def test_a_payout_can_be_declined(shop: Shop) -> None:
    shop.gateway.script("pay_out", decline=DeclineCode.PAYER_NOT_ENROLLED)
    payout = shop.payments.pay_out(a_payout(), operation_id="payout:1")
    assert (payout.outcome, payout.decline.code) == (Outcome.DECLINED, DeclineCode.PAYER_NOT_ENROLLED)


def test_other_currencies_are_refused(shop: Shop) -> None:
    with pytest.raises(InvalidOrder, match="DKK, EUR, NOK, SEK"):
        shop.bought(amount=Money(100, "USD"))
    with pytest.raises(InvalidOrder, match="DKK, EUR, NOK, SEK"):
        shop.payments.pay_out(a_payout(amount=Money(100, "USD")), operation_id="payout:1")


def test_a_callback_of_something_else_is_unreadable() -> None:
    assert Mock.inspect(b'{"payment": "mock-000001"}').provider_reference == "mock-000001"
    for body in (b"[]", b"{}", b"nonsense", b'{"payment": 1}'):
        with pytest.raises(ValueError, match=r"not a callback|Expecting"):
            Mock.inspect(body)


def test_the_doctor_finds_the_mock_well(shop: Shop) -> None:
    assert all(probe.ok for probe in shop.payments.probe())
    shop.gateway.script("probe", Manner.UNAUTHENTICATED)
    assert not shop.payments.probe()[0].ok
