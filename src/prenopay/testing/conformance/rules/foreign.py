"""What is not ours: another system's object under our reference, an answer about another payment, a strange page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

import pytest

from prenopay.ports import HttpRequest, HttpResponse
from prenopay.provider import (
    ChangeRequest,
    ChargeRequest,
    ChargesMandates,
    CreateRequest,
    PayoutRequest,
    PaysOut,
    Refunds,
    Secret,
)
from prenopay.testing.conformance.rules.mandates import drawn, stored
from prenopay.testing.conformance.stage import Stage, changes_something, needs
from prenopay.testing.faults import FaultKind
from prenopay.testing.gateway import Payouts as SendsMoney, StoredMethods
from prenopay.values.orders import Initiator, Payer
from prenopay.values.payments import FlagKind, Outcome, Payment

__all__ = ["Foreign"]

UNSENT: Final = (FaultKind.REFUSE, FaultKind.DROP_BEFORE)
"""How our own request fails to arrive: certainly (the next is a first try again), or as far as anybody knows."""
_ELSEWHERE: Final = "https://other.example/callbacks/account"
"""The address of the other system's callbacks."""


class Foreign:
    """Two systems may share one merchant: only what is ours in every part is believed."""

    @pytest.mark.parametrize("fault", UNSENT)
    @pytest.mark.parametrize("less", [0, 100])
    def test_a_payment_of_another_system_is_not_ours(self, stage: Stage, fault: FaultKind, less: int) -> None:
        """Somebody pays another system's payment under our reference: ours is not paid, and theirs is not offered."""
        with stage.losing(fault, "create_payment"):
            stage.tries(stage.bought)
        reference = stage.operation("order:1").reference
        theirs = stage.asks(
            lambda provider, send: provider.create_payment(
                send,
                CreateRequest(
                    order=stage.order(amount=stage.money(stage.due - less)),
                    payment_id="pay_00000000000000000000000000",
                    reference=reference,
                    callback_url=f"{_ELSEWHERE}/payment/pay_00000000000000000000000000/signature",
                ),
            )
        )
        name = theirs.observation.provider_reference
        stage.gateway.pays(name)

        for _ in range(3):
            stage.later(minutes=2)
            stage.tries(stage.bought)
            stage.sweep()
            (ours,) = stage.every_payment()
            stage.tries(lambda: stage.observed(ours))  # noqa: B023 - called at once

        (ours,) = stage.every_payment()
        assert (ours.authorized.minor, ours.captured.minor) == (0, 0), f"what others paid is in our books: {ours!r}"
        assert ours.provider_reference != name, "the payment of another system became ours"

    @needs(Refunds)
    @pytest.mark.parametrize("fault", UNSENT)
    @pytest.mark.parametrize("of_ours", [False, True], ids=["of another payment", "of another amount"])
    def test_a_refund_of_another_system_is_not_ours(self, stage: Stage, fault: FaultKind, *, of_ours: bool) -> None:
        """A refund under our reference, of another payment or amount, is not the one we asked for."""
        if of_ours and not stage.provider.limits.partial_refund:
            pytest.skip("the gateway gives back the whole only")
        payment, other = stage.taken("order:1"), stage.taken("order:2")
        asked = stage.money(stage.due // 3 if stage.provider.limits.partial_refund else payment.captured.minor)
        with stage.losing(fault, "refund"):
            stage.tries(lambda: _refund(stage, payment, asked.minor))
        theirs = ChangeRequest(
            payment_id=(payment if of_ours else other).payment_id,
            provider_reference=str((payment if of_ours else other).provider_reference),
            reference=stage.operation("it").reference,
            amount=stage.money(stage.due // 4) if of_ours else asked,
            vat=stage.money(0),
            lines=(),
            description="theirs",
            callback_url=f"{_ELSEWHERE}/payment/pay_00000000000000000000000000/signature",
        )
        stage.asks(lambda provider, send: provider.refund(send, theirs))
        stage.later(minutes=5)
        stage.gateway.settle()
        before = stage.at_gateway(payment).refunded

        for _ in range(4):
            stage.later(minutes=5)
            stage.tries(lambda: _refund(stage, payment, asked.minor))
            stage.sweep()

        given = stage.at_gateway(payment).refunded - before
        outcome = stage.operation("it").outcome
        assert given in {0, asked.minor}, f"{given} was given back, and {asked.minor} was asked for"
        assert outcome is not Outcome.SUCCEEDED or given == asked.minor, "another's refund was taken for ours"

    @needs(PaysOut, gateway=(SendsMoney,))
    @pytest.mark.parametrize("fault", UNSENT)
    @pytest.mark.parametrize("more", [0, 100], ids=["to another", "of another amount"])
    def test_a_payout_of_another_system_is_not_ours(self, stage: Stage, fault: FaultKind, more: int) -> None:
        """A payout under our reference to someone else, or of another amount, is not the one we asked for."""
        gateway = stage.gateway
        assert isinstance(gateway, SendsMoney)
        order = gateway.payout_order()
        with stage.losing(fault, "pay_out"):
            stage.tries(lambda: stage.do(lambda payments: payments.pay_out(order, operation_id="payout:1")))
        reference = stage.do(lambda payments: payments.payout("payout:1")).reference
        amount = stage.money(order.amount.minor + more)
        theirs = replace(order, amount=amount, payee_phone=order.payee_phone if more else "+46739000009")
        body = stage.provider.write_payout(
            PayoutRequest(
                order=theirs,
                payout_id="out_00000000000000000000000000",
                reference=reference,
                callback_url=f"{_ELSEWHERE}/payout/out_00000000000000000000000000/signature",
                asked_at=stage.gateway.clock.now(),
            )
        )
        stage.asks(lambda provider, send: provider.pay_out(send, reference, body, again=False))

        for _ in range(4):
            stage.later(minutes=5)
            stage.tries(lambda: stage.do(lambda payments: payments.pay_out(order, operation_id="payout:1")))
            stage.sweep()

        made = stage.do(lambda payments: payments.payout("payout:1"))
        ours = gateway.paid_out() - amount.minor
        assert ours in {0, order.amount.minor}, f"{ours} was sent, and {order.amount.minor} was asked for"
        assert made.outcome is not Outcome.SUCCEEDED or ours, "another's payout was taken for ours"

    @needs(ChargesMandates, gateway=(StoredMethods,))
    @pytest.mark.parametrize("fault", UNSENT)
    def test_a_charge_of_another_system_is_not_ours(self, stage: Stage, fault: FaultKind) -> None:
        """A charge under our reference of another amount is not the one we asked for."""
        mandate = stored(stage)
        assert isinstance(stage.gateway, StoredMethods)
        before = stage.taken_at_gateway()
        with stage.losing(fault, "charge"):
            stage.tries(lambda: drawn(stage, mandate))
        order = stage.order(
            amount=stage.money(stage.due - 100),
            initiator=Initiator.MERCHANT,
            payer=Payer(reference=mandate.payer_reference),
        )
        theirs = ChargeRequest(
            order=order,
            payment_id="pay_00000000000000000000000000",
            reference=stage.operation("charge:1").reference,
            callback_url=f"{_ELSEWHERE}/payment/pay_00000000000000000000000000/signature",
            kind=mandate.kind,
            token=Secret(next(iter(stage.gateway.tokens()))),
        )
        stage.asks(lambda provider, send: provider.charge(send, theirs))

        for _ in range(3):
            stage.later(hours=1)
            stage.tries(lambda: drawn(stage, mandate))
            stage.sweep()

        ours = stage.taken_at_gateway() - before - order.amount.minor
        outcome = stage.operation("charge:1").outcome
        assert ours in {0, stage.due}, f"{ours} was taken, and {stage.due} was asked for once"
        assert outcome is not Outcome.SUCCEEDED or ours == stage.due, "another's charge was taken for ours"

    def test_an_answer_about_another_payment_changes_nothing(self, stage: Stage) -> None:
        """A look that is answered with another payment is refused and shown: by an error, or by a flag."""
        payment, other = stage.bought("order:1"), stage.taken("order:2")
        before = stage.got(payment)

        with stage.wire.edited(_answers_of(stage, other)):
            error = stage.tries(lambda: stage.observed(payment))

        after = stage.got(payment)
        assert (after.state, after.authorized, after.captured, after.provider_reference) == (
            before.state,
            before.authorized,
            before.captured,
            before.provider_reference,
        ), "the answer about another payment was written down"
        assert error is not None or after.flags, "nobody hears of it"
        assert stage.observed(payment).is_open

    @needs(Refunds)
    def test_a_change_is_not_made_to_another_payment(self, stage: Stage) -> None:
        """While looks are answered with another payment, a refund gives nothing of that other one back."""
        payment, other = stage.taken("order:1"), stage.taken("order:2")

        with stage.wire.edited(_answers_of(stage, other)):
            stage.tries(lambda: _refund(stage, payment, payment.captured.minor))

        assert stage.at_gateway(other).refunded == 0, "the refund went to another payer"
        assert stage.got(other).refunded.minor == 0
        given = stage.at_gateway(payment).refunded
        assert stage.operation("it").outcome is not Outcome.SUCCEEDED or given == payment.captured.minor

    def test_a_page_elsewhere_is_not_offered(self, stage: Stage) -> None:
        """A page or script that is not encrypted, or not at one of the gateway's hosts, is left out and flagged."""
        url = stage.bought("order:1").redirect_url
        if url is None:
            pytest.skip("the gateway has no page to redirect to")
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}".encode()
        strange = (b"http://" + parts.netloc.encode(), b"https://pay.evil.example", b"javascript://" + origin[8:])
        for number, instead in enumerate(strange, start=2):

            def moved(_request: HttpRequest, answer: HttpResponse, instead: bytes = instead) -> HttpResponse:
                return replace(answer, body=answer.body.replace(origin, instead))

            with stage.wire.edited(moved):
                error = stage.tries(lambda: stage.bought(f"order:{number}"))  # noqa: B023 - called at once
            made = next(each for each in stage.every_payment() if each.payment_id not in _known(stage, number))
            offered = (made.redirect_url, made.seamless_view, made.app_switch)
            assert offered == (None, None, None), f"{instead!r} is offered to the payer"
            assert error is not None or FlagKind.MISMATCH in {flag.kind for flag in made.flags}


def _known(stage: Stage, number: int) -> set[str]:
    """Return the payments that were made before the one of ``number``."""
    return {stage.operation(f"order:{each}").subject.id for each in range(1, number)}


def _answers_of(stage: Stage, other: Payment) -> Callable[[HttpRequest, HttpResponse], HttpResponse]:
    """Return an edit that answers every look with what the gateway says about ``other``."""
    kept: list[HttpResponse] = []

    def keep(_request: HttpRequest, answer: HttpResponse) -> HttpResponse:
        kept.append(answer)
        return answer

    with stage.wire.edited(keep):
        stage.seen_at_gateway(other)

    def edit(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
        return answer if changes_something(request) else kept[0]

    return edit


def _refund(stage: Stage, payment: Payment, minor: int) -> object:
    return stage.do(lambda payments: payments.refund(payment.payment_id, stage.money(minor), operation_id="it"))
