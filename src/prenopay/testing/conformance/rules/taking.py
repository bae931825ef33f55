"""Taking a payment: made once, paid once, seen rightly, ended when nobody pays."""

from __future__ import annotations

from datetime import timedelta

from prenopay.errors import IdReused, InvalidOrder
from prenopay.testing.conformance.stage import Stage
from prenopay.values.money import Money
from prenopay.values.orders import CaptureMode
from prenopay.values.payments import Decline, Outcome, PaymentState

__all__ = ["Taking"]

_NOBODYS_CURRENCIES = ("XTS", "ZWL", "VES")
_DAY = timedelta(days=1)
_ODD = (*(f"K{each}1" for each in "\t\u00a0\u00ad\u200b\u200d\u202e\u2066\u3000\ufeff"), "K-1 ", " K-1", "K\u00e51")
"""Order references that may come back in another form, and one with a letter that is as good as others."""


class Taking:
    """From the order to the money."""

    def test_an_order_becomes_payable_and_is_paid(self, stage: Stage) -> None:
        """An order that was made payable can be paid, and then the whole of it is there."""
        payment = stage.bought(capture=CaptureMode.AUTOMATIC)
        assert payment.is_open, f"a new payment must be open, not {payment.state}"
        assert payment.provider_reference, "create_payment must return the gateway's name of the payment"
        assert payment.captured.minor == 0

        stage.pays(payment)
        stage.observed(payment)
        stage.settle()

        paid = stage.got(payment)
        assert paid.is_paid, f"the payer paid, and the books say {paid.state}, {paid.captured} of {paid.due}"
        assert paid.flags == ()
        stage.books_agree()

    def test_every_currency_that_is_declared_is_taken(self, stage: Stage) -> None:
        """Each of ``limits.currencies`` can be ordered and paid."""
        assert stage.provider.limits.currencies
        for currency in sorted(stage.provider.limits.currencies):
            payment = stage.reserved(f"order:{currency}", amount=Money(stage.due, currency))
            assert payment.amount == Money(stage.due, currency)
            assert (payment.authorized + payment.captured).minor > 0, f"{currency}: nothing came of {payment!r}"
            assert not payment.quarantined, f"{currency}: {payment.flags}"

    def test_what_cannot_be_expressed_is_refused_before_anything_is_sent(self, stage: Stage) -> None:
        """A currency that is not declared raises ``InvalidOrder``: nothing is written, nothing sent."""
        unknown = next(each for each in _NOBODYS_CURRENCIES if each not in stage.provider.limits.currencies)

        error = stage.tries(lambda: stage.bought(amount=Money(stage.due, unknown)))

        assert isinstance(error, InvalidOrder), f"check_order must refuse {unknown}; what came was {error!r}"
        assert stage.every_payment() == ()
        assert len(stage.gateway.books()) == 0
        assert stage.wire.seen == []

    def test_a_name_that_is_taken_comes_back_as_it_was_sent(self, stage: Stage) -> None:
        """An order reference with an odd character is refused and nothing is sent, or its payment is paid as usual."""
        for number, odd in enumerate(_ODD):
            error = stage.tries(lambda: stage.bought(f"order:{number}", order_reference=odd))  # noqa: B023 - called at once
            if error is not None:
                assert isinstance(error, InvalidOrder), f"{odd!r}: {error!r}"
                assert error.field == "order_reference"
                continue
            made = stage.operation(f"order:{number}").subject.id
            payment = next(each for each in stage.every_payment() if each.payment_id == made)
            stage.pays(payment)
            seen = stage.observed(payment)
            assert seen.flags == (), f"{odd!r} was taken, and the answer is not believed: {seen.flags}"
            assert (seen.authorized + seen.captured).minor > 0
        assert len(stage.gateway.books()) == len(stage.every_payment())

    def test_the_same_operation_id_is_one_payment(self, stage: Stage) -> None:
        """Making the same order payable twice under one id makes one payment, here and at the gateway."""
        first, again = stage.bought("order:1"), stage.bought("order:1")

        assert first == again
        assert len(stage.every_payment()) == 1
        assert len(stage.gateway.books()) == 1, f"the gateway has several payments: {sorted(stage.gateway.books())}"

    def test_two_operation_ids_are_two_payments(self, stage: Stage) -> None:
        """Two ids make two payments that the gateway can tell apart."""
        first, second = stage.bought("order:1"), stage.bought("order:2")
        assert first.provider_reference != second.provider_reference

        stage.pays(second)

        assert stage.observed(first).is_open
        assert not stage.observed(second).is_open
        assert stage.operation("order:1").reference != stage.operation("order:2").reference

    def test_the_same_id_for_another_order_is_refused(self, stage: Stage) -> None:
        """One id with other parameters raises ``IdReused``, and changes nothing."""
        payment = stage.bought("order:1")

        error = stage.tries(lambda: stage.bought("order:1", amount=stage.money(stage.due - 100)))

        assert isinstance(error, IdReused), f"what came was {error!r}"
        assert error.operation_id == "order:1"
        assert stage.every_payment() == (payment,)
        assert len(stage.gateway.books()) == 1

    def test_references_are_what_the_account_declares(self, stage: Stage) -> None:
        """Our references have the declared characters and length, and the gateway repeats none but ours."""
        rule = stage.provider.limits.reference
        payment = stage.reserved()
        reference = stage.operation("order:1").reference

        assert len(reference) == rule.length
        assert set(reference) <= set(rule.alphabet.value)
        seen = stage.seen_at_gateway(payment)
        assert seen.reference in {None, reference}, f"observe names {seen.reference!r}, and ours is {reference!r}"
        assert seen.order_reference in {None, stage.gateway.order().order_reference}

    def test_an_observation_adds_up(self, stage: Stage) -> None:
        """``observe`` returns cumulative totals: the same twice, and what was submitted is what was ordered."""
        payment = stage.taken()

        first, again = stage.seen_at_gateway(payment), stage.seen_at_gateway(payment)

        assert first == again, "two looks at a payment that nobody touched differ"
        assert first.submitted + first.fee - first.discount == payment.due
        assert first.captured.minor == stage.at_gateway(payment).captured
        assert first.status_is_known

    def test_an_observation_keeps_the_answer(self, stage: Stage) -> None:
        """``raw`` is the gateway's own answer: events contain it, and support asks for it."""
        assert stage.seen_at_gateway(stage.taken()).raw, "observe must return the decoded answer as raw"

    def test_a_decline_is_a_result_with_advice(self, stage: Stage) -> None:
        """A refusal is a ``Decline`` with code, kind, advice and the gateway's own word; it is no error."""
        payment = stage.bought()

        stage.gateway.declines(str(payment.provider_reference))
        seen = stage.observed(payment)

        assert seen.captured.minor == 0
        assert seen.authorized.minor == 0
        told = [event.decline for event in stage.events if event.decline is not None]
        declines: list[Decline] = [seen.decline] if seen.decline is not None else []
        declines += told
        assert declines, f"nothing says why the payer was refused: {seen!r}, told {stage.told}"
        assert all(each.provider_code for each in declines), "provider_code is what support asks for"
        assert seen.state in {PaymentState.PENDING, PaymentState.DECLINED, PaymentState.CANCELLED}

    def test_a_payment_that_nobody_pays_ends(self, stage: Stage) -> None:
        """After ``limits.page_lives`` and a sweep or two, an unpaid payment is over and takes no money."""
        payment = stage.bought()
        assert stage.provider.limits.page_lives > timedelta(0)

        stage.gateway.clock.advance(stage.provider.limits.page_lives)
        for _ in range(3):
            stage.later(hours=1)
            stage.sweep()

        ended = stage.got(payment)
        assert not ended.is_open, (
            f"after its time a payment is {ended.state}; does observe or cancel say that it ended?"
        )
        assert ended.captured.minor == 0
        assert stage.operation("order:1").outcome is Outcome.SUCCEEDED
        assert not stage.could_pay(payment), "the payer could still pay a payment that is over"

    def test_the_sweep_schedule_is_sane(self, stage: Stage) -> None:
        """``next_check`` looks at an open payment again, always later, and within the time of its page."""
        lives = stage.provider.limits.page_lives
        for age in (timedelta(0), lives / 2):
            wait = stage.provider.next_check(PaymentState.PENDING, age)
            assert wait is not None, f"an open payment of age {age} is never looked at again"
            assert timedelta(0) < wait <= max(lives, _DAY), f"an open payment of age {age} is looked at after {wait}"
