"""Changing a payment: captures, refunds, cancels and updates, in whole and in part, each once."""

from __future__ import annotations

from prenopay.errors import Conflict, IdReused, InvalidOrder, PrenopayError, UnsupportedOperation
from prenopay.provider import VERBS, Cancels, Captures, Refunds, Updates
from prenopay.testing.conformance.stage import Stage, needs
from prenopay.values.money import Money
from prenopay.values.orders import CaptureMode, OrderLine
from prenopay.values.payments import Outcome, PaymentState

__all__ = ["Changing"]

_WORDS = "50 % tillbaka: 'sen' leverans & ett fel på sida 3 [bilagan] {rad 2}; vi ber om ursäkt!"
"""What staff may write about a change: longer than any gateway takes, and with characters that some refuse."""


class Changing:
    """What is done with a payment once it is there."""

    @needs(Captures)
    def test_a_capture_takes_all_that_is_reserved(self, stage: Stage) -> None:
        """Money is only reserved until it is captured; a capture takes the whole, whatever its description."""
        payment = stage.reserved()
        assert payment.state is PaymentState.AUTHORIZED, f"a provider that captures reserves first, not {payment.state}"
        assert stage.at_gateway(payment).captured == 0

        stage.do(lambda payments: payments.capture(payment.payment_id, operation_id="capture:1", description=_WORDS))
        stage.settle()

        assert stage.operation("capture:1").outcome is Outcome.SUCCEEDED
        assert stage.got(payment).is_paid
        stage.books_agree()

    @needs(Captures, limits=("partial_capture",))
    def test_captures_in_parts_add_up(self, stage: Stage) -> None:
        """Two partial captures take their sum, and never more than is reserved."""
        payment = stage.reserved()
        first, second = stage.money(stage.due // 3), stage.money(stage.due // 4)
        stage.do(lambda payments: payments.capture(payment.payment_id, first, operation_id="capture:1"))
        stage.settle()
        assert stage.at_gateway(payment).captured == first.minor
        stage.do(lambda payments: payments.capture(payment.payment_id, second, operation_id="capture:2"))
        stage.settle()
        assert stage.got(payment).captured == first + second

        error = stage.tries(
            lambda: stage.do(
                lambda payments: payments.capture(payment.payment_id, stage.money(stage.due), operation_id="capture:3")
            )
        )

        assert isinstance(error, Conflict | InvalidOrder)
        assert stage.at_gateway(payment).captured == (first + second).minor
        stage.books_agree()

    @needs(Captures, limits=("partial_capture",))
    def test_the_same_capture_is_made_once(self, stage: Stage) -> None:
        """A capture under the same id moves the money once; with another amount it is refused."""
        payment = stage.reserved()
        part = stage.money(stage.due // 3)
        for _ in range(2):
            stage.do(lambda payments: payments.capture(payment.payment_id, part, operation_id="capture:1"))
            stage.settle()

        error = stage.tries(
            lambda: stage.do(
                lambda payments: payments.capture(payment.payment_id, stage.money(1), operation_id="capture:1")
            )
        )

        assert isinstance(error, IdReused)
        assert stage.at_gateway(payment).captured == part.minor
        stage.books_agree()

    @needs(Refunds)
    def test_a_refund_gives_all_back(self, stage: Stage) -> None:
        """A refund gives back all that was captured, whatever its description, and the payment says so."""
        payment = stage.taken()

        stage.do(lambda payments: payments.refund(payment.payment_id, operation_id="refund:1", description=_WORDS))
        stage.settle()

        assert stage.operation("refund:1").outcome is Outcome.SUCCEEDED
        after = stage.got(payment)
        assert after.refunded == after.captured == payment.captured
        assert stage.told.count("payment.refunded") == 1
        stage.books_agree()

    @needs(Refunds, limits=("partial_refund",))
    def test_refunds_in_parts_add_up(self, stage: Stage) -> None:
        """Two partial refunds give back their sum."""
        payment = stage.taken()
        first, second = stage.money(stage.due // 3), stage.money(stage.due // 4)
        _refund(stage, payment.payment_id, "refund:1", first)
        _refund(stage, payment.payment_id, "refund:2", second)

        assert stage.got(payment).refunded == first + second
        assert stage.at_gateway(payment).refunded == (first + second).minor
        stage.books_agree()

    @needs(Refunds, limits=("partial_refund",))
    def test_no_more_is_given_back_than_was_taken(self, stage: Stage) -> None:
        """Refunds that together are more than was captured are refused before anything is sent."""
        payment = stage.taken()
        part = stage.money(stage.due * 2 // 3)
        _refund(stage, payment.payment_id, "refund:1", part)

        error = stage.tries(lambda: _refund(stage, payment.payment_id, "refund:2", part))

        assert isinstance(error, InvalidOrder), f"what came was {error!r}"
        gateway = stage.at_gateway(payment)
        assert gateway.refunded == part.minor <= gateway.captured
        stage.books_agree()

    @needs(Refunds, limits=("partial_refund",))
    def test_the_same_refund_is_made_once(self, stage: Stage) -> None:
        """A refund under the same id gives the money back once."""
        payment = stage.taken()
        part = stage.money(stage.due // 3)
        for _ in range(2):
            _refund(stage, payment.payment_id, "refund:1", part)

        assert stage.at_gateway(payment).refunded == part.minor
        stage.books_agree()

    @needs(Cancels)
    def test_a_cancelled_page_cannot_be_paid(self, stage: Stage) -> None:
        """Cancelling an open payment closes it at the gateway too."""
        payment = stage.bought()

        stage.do(lambda payments: payments.cancel(payment.payment_id, operation_id="cancel:1"))
        stage.settle()

        assert stage.operation("cancel:1").outcome is Outcome.SUCCEEDED
        assert stage.got(payment).state is PaymentState.CANCELLED
        assert not stage.could_pay(payment), "the payer could still pay a payment that was cancelled"

    @needs(Cancels)
    def test_a_cancel_that_comes_too_late_is_no_success(self, stage: Stage) -> None:
        """A payment that was paid meanwhile is cancelled with its money released, or refused with ``Conflict``."""
        payment = stage.bought(capture=CaptureMode.AUTOMATIC)
        stage.pays(payment)

        error = stage.tries(
            lambda: stage.do(lambda payments: payments.cancel(payment.payment_id, operation_id="cancel:1"))
        )
        stage.settle()
        stage.observed(payment)

        outcome, state = stage.operation("cancel:1").outcome, stage.got(payment).state
        if stage.taken_at_gateway() == 0:
            assert (error, outcome, state) == (None, Outcome.SUCCEEDED, PaymentState.CANCELLED)
        else:
            refused = {Outcome.NOT_ATTEMPTED, Outcome.DECLINED}
            assert outcome in refused, f"the gateway has the money, and the cancel says {outcome}"
            assert error is None or isinstance(error, Conflict), f"it was paid, which is Conflict; what came: {error!r}"
            assert stage.got(payment).is_paid, f"the gateway has the money, and the books say {state}"

    @needs(Cancels)
    def test_what_was_taken_cannot_be_cancelled(self, stage: Stage) -> None:
        """``cancel`` raises ``Conflict`` where the money was taken, whatever the books of the caller say."""
        payment = stage.taken()

        error = stage.tries(lambda: stage.cancel_at_gateway(payment))

        assert isinstance(error, Conflict), f"the money was taken, which is Conflict; what came was {error!r}"
        assert stage.observed(payment).is_paid

    @needs(Cancels, Captures)
    def test_a_cancel_releases_what_is_reserved(self, stage: Stage) -> None:
        """Cancelling a reserved payment takes nothing, and nothing can be taken after."""
        payment = stage.reserved()

        stage.do(lambda payments: payments.cancel(payment.payment_id, operation_id="cancel:1"))
        stage.settle()

        assert stage.got(payment).state is PaymentState.CANCELLED
        error = stage.tries(
            lambda: stage.do(lambda payments: payments.capture(payment.payment_id, operation_id="capture:1"))
        )
        assert isinstance(error, PrenopayError)
        assert stage.taken_at_gateway() == 0, f"the gateway still holds money: {stage.at_gateway(payment)}"

    @needs(Updates)
    def test_an_update_changes_what_is_paid(self, stage: Stage) -> None:
        """After an update the payer pays the new amount."""
        payment = stage.bought()
        less = stage.money(stage.due - 2000)
        lines = (OrderLine(name="Less", amount=less, vat_percent=6),)

        made = stage.do(lambda payments: payments.update(payment.payment_id, operation_id="update:1", lines=lines))
        stage.settle()
        stage.pays(stage.got(payment))
        seen = stage.observed(payment)

        assert made.outcome in {Outcome.SUCCEEDED, Outcome.PENDING}
        assert seen.due == less
        assert max(seen.authorized, seen.captured, key=_minor) == less
        assert seen.flags == ()

    def test_what_cannot_be_done_says_what_to_do_instead(self, stage: Stage) -> None:
        """A verb that the provider lacks raises ``UnsupportedOperation`` with ``limits.not_supported``'s advice."""
        payment = stage.bought()
        lacking = [verb for protocol, verb in VERBS.values() if protocol not in type(stage.provider).__mro__]
        for verb in lacking:
            assert stage.provider.limits.not_supported.get(verb), f"limits.not_supported says nothing about {verb!r}"
            error = stage.tries(lambda: _call(stage, payment.payment_id, verb))  # noqa: B023 - called at once
            assert isinstance(error, UnsupportedOperation)
            assert error.reason == stage.provider.limits.not_supported[verb]
        has = [verb for protocol, verb in VERBS.values() if protocol in type(stage.provider).__mro__]
        assert not set(has) & set(stage.provider.limits.not_supported), "what it can do is called not supported"


def _minor(money: Money) -> int:
    return money.minor


def _call(stage: Stage, payment_id: str, verb: str) -> object:
    """Call a verb by its name."""
    match verb:
        case "capture":
            return stage.do(lambda payments: payments.capture(payment_id, operation_id="it"))
        case "cancel":
            return stage.do(lambda payments: payments.cancel(payment_id, operation_id="it"))
        case "refund":
            return stage.do(lambda payments: payments.refund(payment_id, operation_id="it"))
        case _:
            return stage.do(lambda payments: payments.update(payment_id, stage.money(100), operation_id="it"))


def _refund(stage: Stage, payment_id: str, operation_id: str, amount: Money | None = None) -> None:
    stage.do(lambda payments: payments.refund(payment_id, amount, operation_id=operation_id))
    stage.settle()
