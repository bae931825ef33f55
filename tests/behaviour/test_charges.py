"""Drawing on a stored card: once for each operation, within the consent and what the schemes allow."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from prenopay import Advice, CaptureMode, DeclineCode, EventKind, Operation, Outcome, Payer, PaymentState
from prenopay.errors import CeilingReached, Conflict, IdReused, InvalidOrder, MandateUnusable, PrenopayError
from prenopay.providers.swedbankpay import RepeatedReference
from prenopay.testing.emulators.swedbankpay import Behaviour, DeclineChannel, DuplicateAnswer, TrustlyAnswer
from prenopay.testing.faults import Fault, FaultKind
from prenopay.values.mandates import Consent, ConsentKind, Mandate, MandateKind, MandateState, StoreMethod
from prenopay.values.money import Money
from tests.behaviour.shop import CONSENT, READER, Shop, an_order, sek

CHANNELS = (DeclineChannel.FAILED_ORDER, DeclineChannel.PROBLEM)


def captures(shop: Shop) -> int:
    """Return how many charges hold money at the gateway."""
    return sum(1 for totals in shop.emulator.books().values() if totals.captured)


def declined(shop: Shop, mandate: Mandate, word: str, operation_id: str, channel: DeclineChannel) -> Any:
    shop.emulator.decline_next_charge(word, channel=channel)
    return shop.drawn(mandate, operation_id)


@pytest.mark.every_store
def test_a_charge_takes_the_money_and_notifies_the_host(shop: Shop) -> None:
    mandate = shop.stored()
    made = shop.drawn(mandate, "renewal:2026-02", period="2026-02")

    payment = shop.payments.get(made.payment_id)
    assert made.outcome is Outcome.SUCCEEDED
    assert (payment.state, payment.captured, payment.is_paid) == (PaymentState.CAPTURED, sek(11900), True)
    assert shop.told[-2:] == [EventKind.AUTHORIZED.value, EventKind.CAPTURED.value]
    shop.books_agree()


def test_a_charge_may_be_reserved_first(shop: Shop) -> None:
    made = shop.drawn(shop.stored(), "renewal:1", capture=CaptureMode.MANUAL)
    assert shop.payments.get(made.payment_id).state is PaymentState.AUTHORIZED
    taken = shop.payments.capture(made.payment_id, operation_id="capture:1")
    assert taken.succeeded


def test_the_same_id_draws_once_and_another_amount_is_refused(shop: Shop) -> None:
    mandate = shop.stored()
    first, again = shop.drawn(mandate, "renewal:1"), shop.drawn(mandate, "renewal:1")
    other = shop.stored("order:store-2", pan="4925000000000004")
    others: list[tuple[Mandate, dict[str, Any], str]] = [
        (mandate, {"amount": 500}, "amount"),
        (other, {"period": "2026-12"}, "mandate_id, period"),
    ]
    for charged, changes, named in others:
        error = shop.tries(functools.partial(shop.drawn, charged, "renewal:1", **changes))
        assert isinstance(error, IdReused)
        assert f"(these differ: {named})" in str(error)

    assert first.payment_id == again.payment_id
    assert len(shop.emulator.charges()) == 1


@pytest.mark.every_store
def test_one_period_is_taken_once_whatever_the_ids(shop: Shop) -> None:
    mandate = shop.stored()
    shop.drawn(mandate, "renewal:a", period="2026-02")
    error = shop.tries(lambda: shop.drawn(mandate, "renewal:b", period="2026-02"))

    assert isinstance(error, Conflict)
    assert "renewal:a" in str(error)
    assert shop.drawn(mandate, "renewal:c", period="2026-03").succeeded
    error = shop.tries(lambda: shop.payments.charge("pay_1", sek(1), operation_id="x", description="x"))
    assert "the id of a mandate begins with man_" in str(error)


def test_one_period_is_taken_once_through_any_method_of_the_payer(shop: Shop) -> None:
    old = shop.stored("order:old")
    shop.drawn(old, "renewal:a", period="2026-02")
    new = shop.stored("order:new", pan="5226612199533406", store=StoreMethod(consent=CONSENT, replaces=old.mandate_id))
    error = shop.tries(lambda: shop.drawn(new, "renewal:b", period="2026-02"))

    assert isinstance(error, Conflict)
    assert "renewal:a" in str(error)
    assert len(shop.emulator.charges()) == 1
    assert shop.drawn(new, "renewal:c", period="2026-03").succeeded


def test_two_payers_pay_the_same_period_each(shop: Shop) -> None:
    mine = shop.stored("order:mine")
    theirs = shop.stored("order:theirs", payer=Payer(reference="R-78"))

    assert shop.drawn(mine, "renewal:mine", period="2026-02").succeeded
    assert shop.drawn(theirs, "renewal:theirs", period="2026-02").succeeded


def test_what_ends_another_payers_card_that_looks_the_same_does_not_end_this_one(shop: Shop) -> None:
    mine = shop.stored("order:mine")
    theirs = shop.stored("order:theirs", payer=Payer(reference="R-78"))
    made = declined(shop, theirs, "acquirercardstolen", "renewal:theirs", DeclineChannel.PROBLEM)

    assert made.decline is not None
    assert made.decline.advice is Advice.NEVER
    assert shop.drawn(mine, "renewal:mine").succeeded


def test_a_block_on_a_card_that_looks_the_same_blocks_this_one_too(shop: Shop) -> None:
    mine = shop.stored("order:mine")
    theirs = shop.stored("order:theirs", payer=Payer(reference="R-78"))
    declined(shop, theirs, "acquirererrordonotretry", "renewal:theirs", DeclineChannel.PROBLEM)
    error = shop.tries(lambda: shop.drawn(mine, "renewal:mine"))

    assert isinstance(error, CeilingReached)
    assert error.rule == "do-not-retry"


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_decline_is_a_result_with_advice(shop: Shop, channel: DeclineChannel) -> None:
    mandate = shop.stored()
    made = declined(shop, mandate, "acquirerinsufficientfunds", "renewal:1", channel)

    assert made.outcome is Outcome.DECLINED
    assert made.decline is not None
    assert (made.decline.code, made.decline.advice) == (DeclineCode.INSUFFICIENT_FUNDS, Advice.RETRY_LATER)
    assert shop.payments.get(made.payment_id).state is PaymentState.DECLINED
    assert EventKind.DECLINED.value in shop.told
    shop.later(days=2)
    assert shop.drawn(mandate, "renewal:1:try-2").succeeded
    shop.books_agree()


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_card_that_is_dead_is_never_drawn_on_again(shop: Shop, channel: DeclineChannel) -> None:
    mandate = shop.stored()
    made = declined(shop, mandate, "acquirercardstolen", "renewal:1", channel)

    assert made.decline.advice is Advice.NEVER
    assert shop.mandates.get(mandate.mandate_id).state is MandateState.SUSPENDED
    told = [event for event in shop.events if event.kind is EventKind.MANDATE_SUSPENDED]
    assert [event.mandate_id for event in told] == [mandate.mandate_id]
    calls = len(shop.emulator.transcript.seen)
    shop.later(days=400)
    assert isinstance(shop.tries(lambda: shop.drawn(mandate, "renewal:2")), MandateUnusable)
    assert len(shop.emulator.transcript.seen) == calls, "nothing is sent"


def test_the_schemes_ceilings_hold_before_anything_is_sent(shop: Shop) -> None:
    mandate = shop.stored(pan="5226600159865967")
    for attempt in range(10):
        declined(shop, mandate, "carddeclined", f"renewal:{attempt}", DeclineChannel.FAILED_ORDER)
        shop.later(minutes=1)
    calls = len(shop.emulator.transcript.seen)
    error = shop.tries(lambda: shop.drawn(mandate, "renewal:10"))

    assert isinstance(error, CeilingReached)
    assert error.rule == "mastercard-24-hours"
    assert error.not_before is not None
    assert timedelta(hours=23) < error.not_before - shop.clock.now() < timedelta(hours=24)
    assert len(shop.emulator.transcript.seen) == calls
    shop.later(hours=24)
    assert shop.drawn(mandate, "renewal:11").succeeded


@pytest.mark.parametrize(
    ("consent", "amount", "why"),
    [
        ({"most": sek(10000)}, 10001, "at most"),
        ({"kind": ConsentKind.FIXED, "most": sek(10000)}, 9999, "each time"),
        ({"most": Money(10000, "NOK")}, 9999, "agreed in NOK"),
    ],
)
def test_more_than_was_agreed_is_not_drawn(shop: Shop, consent: dict[str, Any], amount: int, why: str) -> None:
    agreed = Consent(text_version="t", agreed_at=CONSENT.agreed_at, channel="web", **consent)
    mandate = shop.stored(store=StoreMethod(consent=agreed))
    error = shop.tries(lambda: shop.drawn(mandate, "renewal:1", amount=amount))
    assert isinstance(error, MandateUnusable)
    assert why in str(error)
    assert shop.emulator.charges() == ()


def test_a_mandate_that_cannot_be_charged_says_why(shop: Shop) -> None:
    order = an_order(amount=sek(0), lines=(), payer=READER, store=StoreMethod(consent=CONSENT))
    shop.payments.create(order, operation_id="verify:open")
    (proposed,) = shop.mandates.of_payer(READER.reference)
    assert "proposed" in str(shop.tries(lambda: shop.drawn(proposed, "renewal:1")))

    removed = shop.stored()
    shop.mandates.remove(removed.mandate_id, reason="the reader asked")
    assert "deleted (the reader asked)" in str(shop.tries(lambda: shop.drawn(removed, "renewal:2")))

    kinds = (MandateKind.ONE_CLICK,)
    one_click = shop.stored("order:one-click", store=StoreMethod(consent=CONSENT, kinds=kinds))
    assert "payer present" in str(shop.tries(lambda: shop.drawn(one_click, "renewal:3")))


def test_an_impossible_amount_is_refused(shop: Shop) -> None:
    mandate = shop.stored()
    assert isinstance(shop.tries(lambda: shop.drawn(mandate, "renewal:0", amount=0)), InvalidOrder)


def test_a_token_that_the_gateway_does_not_know_suspends_the_mandate(shop: Shop) -> None:
    mandate = shop.stored()
    (token,) = shop.emulator.tokens(READER.reference)
    shop.emulator.archive_token(token.token, reason="gone")
    made = shop.drawn(mandate, "renewal:1")

    assert made.outcome is Outcome.DECLINED
    assert made.decline is not None
    assert made.decline.code is DeclineCode.MANDATE_INACTIVE
    assert shop.mandates.get(mandate.mandate_id).state is MandateState.SUSPENDED


# When no answer comes


def lost(shop: Shop, mandate: Mandate, kind: FaultKind = FaultKind.DROP_AFTER) -> Any:
    shop.emulator.faults.add(Fault(kind=kind, call="charge"))
    return shop.drawn(mandate, "renewal:1")


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER, FaultKind.HALF_BODY])
def test_a_lost_answer_stays_unknown_and_is_never_sent_again(shop: Shop, kind: FaultKind) -> None:
    mandate = shop.stored()
    made = lost(shop, mandate, kind)
    charges = len(shop.emulator.charges())

    assert made.outcome is Outcome.UNKNOWN
    assert shop.payments.get(made.payment_id).state is PaymentState.UNKNOWN
    for _ in range(4):
        shop.later(days=10)
        shop.accounts.sweep()
        assert shop.drawn(mandate, "renewal:1").outcome is Outcome.UNKNOWN
    assert len(shop.emulator.charges()) == charges
    assert captures(shop) <= 2
    error = shop.tries(lambda: shop.drawn(mandate, "renewal:2"))
    assert isinstance(error, Conflict)
    assert "settle it first" in str(error)


def test_a_request_that_never_left_may_be_sent_again(shop: Shop) -> None:
    mandate = shop.stored()
    shop.emulator.faults.add(Fault(kind=FaultKind.REFUSE, call="charge", times=9))
    assert isinstance(shop.tries(lambda: shop.drawn(mandate, "renewal:1")), PrenopayError)
    assert shop.payments.operation("renewal:1").outcome is Outcome.NOT_ATTEMPTED

    shop.emulator.faults.clear()
    assert shop.drawn(mandate, "renewal:1").succeeded
    assert len(shop.emulator.charges()) == 1


@pytest.mark.every_store
def test_a_person_who_finds_the_payment_settles_it(shop: Shop) -> None:
    mandate = shop.stored()
    made = lost(shop, mandate)
    shop.later(minutes=10)
    (charge,) = shop.emulator.charges()

    foreign = shop.bought("order:other")
    error = shop.tries(
        lambda: shop.payments.settle_by_hand(
            "renewal:1",
            provider_reference=foreign.provider_reference,
            person="Ann",
            reason="the portal",
        ),
    )
    assert isinstance(error, Conflict)
    settled = shop.payments.settle_by_hand(
        "renewal:1",
        provider_reference=charge.order,
        person="Ann",
        reason="found in the portal",
    )
    assert settled.outcome is Outcome.SUCCEEDED
    payment = shop.payments.get(made.payment_id)
    assert (payment.state, payment.captured) == (PaymentState.CAPTURED, sek(11900))
    assert any("Ann" in entry.text for entry in shop.payments.timeline(payment.payment_id))
    shop.books_agree()


def test_a_person_who_finds_nothing_frees_the_operation(shop: Shop) -> None:
    mandate = shop.stored()
    lost(shop, mandate, FaultKind.DROP_BEFORE)
    shop.later(minutes=10)
    settle = functools.partial(shop.payments.settle_by_hand, "renewal:1", provider_reference=None)
    for who in ({"person": "", "reason": "x"}, {"person": "Ann", "reason": " "}):
        assert isinstance(shop.tries(functools.partial(settle, **who)), InvalidOrder)
    settled = settle(person="Ann", reason="it is not in the portal")

    assert settled.outcome is Outcome.NOT_ATTEMPTED
    assert shop.drawn(mandate, "renewal:1").succeeded
    assert isinstance(shop.tries(functools.partial(settle, person="Ann", reason="again")), Conflict)


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER])
def test_a_lost_charge_is_sent_again_if_the_gateway_refuses_repeats(
    open_shop: Callable[..., Shop],
    kind: FaultKind,
) -> None:
    shop = open_shop(repeated_reference=RepeatedReference.REFUSED)
    shop.emulator.behaviour = Behaviour(duplicate_charge=DuplicateAnswer.CONFLICT)
    mandate = shop.stored()
    lost(shop, mandate, kind)
    shop.later(hours=1)
    shop.accounts.sweep()

    expected = Outcome.SUCCEEDED if kind is FaultKind.DROP_BEFORE else Outcome.UNKNOWN
    assert shop.payments.operation("renewal:1").outcome is expected
    assert len(shop.emulator.charges()) == 1


# A year


def test_a_year_of_draws_with_declines_and_a_new_card(shop: Shop) -> None:
    order = an_order(amount=sek(0), lines=(), payer=READER, store=StoreMethod(consent=CONSENT))
    first = shop.payments.create(order, operation_id="verify:1")
    shop.pay(first)
    shop.payments.observe(first.payment_id)
    (mandate,) = shop.mandates.of_payer(READER.reference)
    for month in range(1, 13):
        period = f"2026-{month:02}"
        if month in {3, 9}:
            soft = declined(shop, mandate, "acquirerinsufficientfunds", f"renewal:{period}", CHANNELS[month == 9])
            assert soft.outcome is Outcome.DECLINED
            shop.later(days=3)
        if month == 6:
            mandate = replaced(shop, mandate)
        assert shop.drawn(mandate, f"renewal:{period}:last", period=period).succeeded
        shop.later(days=27)
        shop.accounts.sweep()
    shop.mandates.remove(mandate.mandate_id, reason="the reader left")

    taken = sum(payment.captured.minor for payment in shop.payments.find(limit=500))
    assert taken == 12 * 11900
    shop.books_agree()
    assert not any(each.is_active for each in shop.emulator.tokens(READER.reference))


def replaced(shop: Shop, old: Mandate) -> Mandate:
    """Let the reader replace ``old`` with another card."""
    store = StoreMethod(consent=CONSENT, replaces=old.mandate_id)
    payment = shop.payments.create(
        an_order(amount=sek(0), lines=(), payer=READER, store=store),
        operation_id="verify:2",
    )
    shop.pay(payment, pan="5226600159865967")
    shop.payments.observe(payment.payment_id)
    new, before = shop.mandates.of_payer(READER.reference)
    assert (before.state, new.state) == (MandateState.REPLACED, MandateState.ACTIVE)
    found: Mandate = new
    return found


# Bank accounts, which answer later


def bank_account(shop: Shop) -> Mandate:
    """Take over a stored bank account from another system."""
    stored = shop.emulator.store_account(READER.reference)
    text = (
        "payer_reference;kind;token;display;instrument;text_version;agreed_at\n"
        f"{READER.reference};unscheduled;{stored.token};Bank •••• 0004;trustly;terms-2026;2026-01-02T00:00:00Z\n"
    )
    assert shop.mandates.take_over(text).added == 1
    mandate: Mandate = shop.mandates.of_payer(READER.reference)[0]
    return mandate


def the_charge(shop: Shop, made: Operation) -> str:
    reference: str = shop.payments.get(made.payment_id).provider_reference
    return reference


def test_a_bank_account_answers_later(shop: Shop) -> None:
    made = shop.drawn(bank_account(shop), "renewal:1", period="2026-02")
    assert made.outcome is Outcome.PENDING
    error = shop.tries(lambda: shop.drawn(bank(shop), "renewal:2", period="2026-02"))
    assert isinstance(error, Conflict)
    assert "period '2026-02' is taken, by operation 'renewal:1' (pending)" in str(error)

    shop.emulator.settle_trustly(the_charge(shop, made))
    shop.deliver_callbacks()

    assert shop.payments.operation("renewal:1").outcome is Outcome.SUCCEEDED
    assert shop.told == [EventKind.AUTHORIZED.value, EventKind.CAPTURED.value]
    shop.books_agree()


def test_a_bank_that_says_no_later_is_a_decline_with_advice(shop: Shop) -> None:
    made = shop.drawn(bank_account(shop), "renewal:1", period="2026-02")
    shop.emulator.settle_trustly(the_charge(shop, made), TrustlyAnswer.FAIL)
    shop.later(hours=2)
    shop.accounts.sweep()

    settled = shop.payments.operation("renewal:1")
    assert settled.outcome is Outcome.DECLINED
    assert settled.decline is not None
    assert shop.told == [EventKind.DECLINED.value]
    assert bank(shop).state is MandateState.ACTIVE
    assert shop.drawn(bank(shop), "renewal:2", period="2026-02").outcome is Outcome.PENDING


def test_money_that_was_released_before_it_could_be_read_was_not_declined(shop: Shop) -> None:
    mandate = shop.stored()
    shop.emulator.behaviour = replace(shop.emulator.behaviour, unknown_status="Frobnicated")
    made = shop.drawn(mandate, "renewal:1", capture=CaptureMode.MANUAL)
    assert made.outcome is Outcome.PENDING
    assert shop.payments.cancel(made.payment_id, operation_id="cancel:1").succeeded

    shop.emulator.behaviour = replace(shop.emulator.behaviour, unknown_status="")
    assert shop.payments.observe(made.payment_id).state is PaymentState.CANCELLED

    settled = shop.payments.operation("renewal:1")
    assert (settled.outcome, settled.decline) == (Outcome.SUCCEEDED, None)
    assert bank(shop).state is MandateState.ACTIVE
    shop.books_agree()


def bank(shop: Shop) -> Mandate:
    mandate: Mandate = shop.mandates.of_payer(READER.reference)[0]
    return mandate


def test_a_person_who_finds_a_declined_charge_settles_it(shop: Shop) -> None:
    mandate = shop.stored()
    shop.emulator.decline_next_charge("acquirerinsufficientfunds", channel=DeclineChannel.FAILED_ORDER)
    made = lost(shop, mandate)
    shop.later(minutes=10)
    (charge,) = shop.emulator.charges()

    settled = shop.payments.settle_by_hand(
        "renewal:1", provider_reference=charge.order, person="Ann", reason="found in the portal"
    )
    assert settled.outcome is Outcome.DECLINED
    assert shop.payments.get(made.payment_id).state is PaymentState.DECLINED
    assert shop.drawn(mandate, "renewal:2").succeeded
    shop.books_agree()


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER])
@pytest.mark.parametrize("repeated", RepeatedReference)
def test_a_lost_charge_on_a_removed_card_waits_for_a_person_and_stops_no_sweep(
    open_shop: Callable[..., Shop], kind: FaultKind, repeated: RepeatedReference
) -> None:
    shop = open_shop(repeated_reference=repeated)
    mandate = shop.stored()
    shop.emulator.faults.add(Fault(kind=kind, call="charge"))
    assert shop.drawn(mandate, "renewal:1").outcome is Outcome.UNKNOWN
    shop.mandates.remove(mandate.mandate_id, reason="asked for")

    for days in (0, 1, 20):
        shop.later(days=days, minutes=20)
        assert shop.accounts.sweep().failures == ()
    assert shop.payments.operation("renewal:1").outcome is Outcome.UNKNOWN

    made = shop.emulator.charges()
    found = made[0].order if made else None
    settled = shop.payments.settle_by_hand("renewal:1", provider_reference=found, person="Eva", reason="the portal")
    assert settled.outcome is (Outcome.SUCCEEDED if found else Outcome.NOT_ATTEMPTED)
    shop.books_agree()
