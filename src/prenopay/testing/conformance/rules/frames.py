"""What an error tracker collects of a failing call: nothing secret is in the variables of any frame."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import replace
from typing import Final, TypeAlias, cast

from prenopay._hidden import HiddenBytes, HiddenText
from prenopay.errors import OutcomeUnknown, PrenopayError, UnsupportedOperation
from prenopay.ports import HttpRequest, HttpResponse, Send
from prenopay.provider import (
    Cancels,
    Captures,
    ChangeRequest,
    ChargeRequest,
    ChargesMandates,
    CreateRequest,
    DrawsQr,
    PaymentProvider,
    PayoutRequest,
    PaysOut,
    Refunds,
    Secret,
    StoresMandates,
    Updates,
)
from prenopay.testing.conformance.rules.mandates import stored
from prenopay.testing.conformance.stage import CALLBACK_KEY, CALLBACK_URL, TOKEN_KEY, Everything, Stage, refused
from prenopay.testing.frames import shown_in
from prenopay.testing.gateway import Payouts as SendsMoney, StoredMethods
from prenopay.testing.secrets import ways_to_write
from prenopay.values.mandates import MandateKind
from prenopay.values.orders import Address, Initiator, Payer
from prenopay.values.payments import Payment

__all__ = ["Frames"]

Verb: TypeAlias = Callable[[Everything, Send], Coroutine[object, None, object]]
Failure: TypeAlias = Callable[[HttpRequest, HttpResponse], HttpResponse]
"""Makes of the gateway's answer to a request what arrives instead, or raises."""

_MAC: Final = "the-signature-of-a-callback-address"
_TOKEN: Final = "a-token-that-the-frames-must-not-show"  # noqa: S105 - it opens nothing
_STREET: Final = "Hemliga gatan 5"
_STEPS_MOST: Final = 8
"""No verb asks more often."""
_NUMBER: Final = re.compile(rb"(:\s*)\d+(?=\s*[,}])")


class Frames:
    """Trackers keep the local variables of every frame that an error passed, and the ``repr`` of what they hold."""

    def test_frames_of_errors_show_nothing_secret(self, stage: Stage) -> None:
        """Whatever fails, at each step of each verb: no frame's variable shows a credential, a link or a person."""
        verbs = _verbs(stage)
        shown: list[str] = []
        tried = set[str]()
        for name, verb in verbs.items():
            for failure in _FAILURES:
                for step in range(_STEPS_MOST):
                    error, met = _failed(stage, verb, step, failure)
                    if not met:
                        break
                    tried.add(name)
                    if error is not None:
                        shown += [f"{name}, {failure.__name__}: {each}" for each in _seen(stage, error)]

        assert {"create_payment", "observe"} <= tried, f"only these sent something: {tried}"
        assert shown == [], "\n".join(dict.fromkeys(shown))

    def test_frames_of_use_cases_show_nothing_secret(self, stage: Stage) -> None:
        """The same for a host's calls, down through the books and the wire."""
        shown: list[str] = []
        for number, failure in enumerate(_FAILURES):
            payment = stage.reserved(f"order:{number}", payer=_payer(stage))

            def fails(request: HttpRequest, failure: Failure = failure) -> HttpResponse:
                return failure(request, HttpResponse(status=200, body=b"{}"))

            for name, call in _calls(stage, payment, number).items():
                with stage.wire.answered(fails):
                    error = stage.tries(call)
                if error is not None:
                    shown += [f"{name}, {failure.__name__}: {each}" for each in _seen(stage, error)]
        assert shown == [], "\n".join(dict.fromkeys(shown))


# What is asked for


def _payer(stage: Stage) -> Payer:
    return replace(stage.gateway.payer(), billing_address=Address(street=_STREET, city="Järfälla", zip_code="17674"))


def _verbs(stage: Stage) -> Mapping[str, Verb]:
    """Return each verb that the provider has, with something to ask for."""
    provider, payer = stage.provider, _payer(stage)
    named = str(stage.reserved(payer=payer).provider_reference)
    method, paid = _method(stage), _reference(stage)
    every: dict[str, tuple[type, Verb]] = {
        "create_payment": (PaymentProvider, lambda each, send: each.create_payment(send, _create(stage, payer))),
        "observe": (PaymentProvider, lambda each, send: each.observe(send, named)),
        "probe": (PaymentProvider, lambda each, send: each.probe(send)),
        "capture": (Captures, lambda each, send: each.capture(send, _change(stage, named))),
        "refund": (Refunds, lambda each, send: each.refund(send, _change(stage, named))),
        "update": (Updates, lambda each, send: each.update(send, _change(stage, named))),
        "cancel": (Cancels, lambda each, send: each.cancel(send, _change(stage, named))),
        "observe_methods": (StoresMandates, lambda each, send: each.observe_methods(send, payer.reference)),
        "remove_all_methods": (
            StoresMandates,
            lambda each, send: each.remove_all_methods(send, payer.reference, reason=""),
        ),
        "charge": (ChargesMandates, lambda each, send: each.charge(send, _charge(stage, payer, method))),
        "remove_method": (StoresMandates, lambda each, send: each.remove_method(send, *method, reason="")),
        "pay_out": (PaysOut, lambda each, send: each.pay_out(send, paid, _payout(stage), again=False)),
        "observe_payout": (PaysOut, lambda each, send: each.observe_payout(send, paid, _payout(stage))),
        "draw_qr": (DrawsQr, lambda each, send: cast("DrawsQr", each).draw_qr(send, HiddenText(_TOKEN), image="svg")),
    }
    return {name: verb for name, (protocol, verb) in every.items() if protocol in type(provider).__mro__}


def _callback_url() -> str:
    return f"{CALLBACK_URL}/payment/pay_00000000000000000000000000/{_MAC}"


def _reference(stage: Stage) -> str:
    rule = stage.provider.limits.reference
    return rule.alphabet.value[0] * rule.length


def _create(stage: Stage, payer: Payer) -> CreateRequest:
    return CreateRequest(
        order=stage.order(payer=payer),
        payment_id="pay_00000000000000000000000000",
        reference=_reference(stage),
        callback_url=_callback_url(),
        offered=Secret(_TOKEN),
    )


def _change(stage: Stage, named: str) -> ChangeRequest:
    return ChangeRequest(
        payment_id="pay_00000000000000000000000000",
        provider_reference=named,
        reference=_reference(stage),
        amount=stage.money(stage.due),
        vat=stage.money(0),
        lines=(),
        description="One month",
        callback_url=_callback_url(),
    )


def _method(stage: Stage) -> tuple[MandateKind, Secret]:
    """Return a stored method that can be charged, where the gateway stores any."""
    if not isinstance(stage.gateway, StoredMethods) or StoresMandates not in type(stage.provider).__mro__:
        return MandateKind.UNSCHEDULED, Secret(_TOKEN)
    mandate = stored(stage)
    try:
        seen = stage.asks(lambda each, send: each.observe_methods(send, stage.gateway.payer().reference))
    except UnsupportedOperation:  # the gateway does not know payers
        return mandate.kind, Secret(next(iter(stage.gateway.tokens())))
    return next((each.kind, each.token) for each in seen if each.kind is mandate.kind)


def _payout(stage: Stage) -> HiddenBytes:
    assert isinstance(stage.gateway, SendsMoney)
    request = PayoutRequest(
        order=stage.gateway.payout_order(),
        payout_id="out_00000000000000000000000000",
        reference=_reference(stage),
        callback_url=_callback_url(),
        asked_at=stage.gateway.clock.now(),
    )
    return HiddenBytes(stage.provider.write_payout(request))


def _charge(stage: Stage, payer: Payer, method: tuple[MandateKind, Secret]) -> ChargeRequest:
    return ChargeRequest(
        order=stage.order(payer=payer, initiator=Initiator.MERCHANT),
        payment_id="pay_00000000000000000000000000",
        reference=_reference(stage),
        callback_url=_callback_url(),
        kind=method[0],
        token=method[1],
    )


def _calls(stage: Stage, payment: Payment, number: int) -> Mapping[str, Callable[[], object]]:
    asked = payment.payment_id
    return {
        "create": lambda: stage.bought(f"failing:{number}", payer=_payer(stage)),
        "observe": lambda: stage.observed(payment),
        "capture": lambda: stage.do(lambda payments: payments.capture(asked, operation_id=f"capture:{number}")),
        "cancel": lambda: stage.do(lambda payments: payments.cancel(asked, operation_id=f"cancel:{number}")),
        "probe": lambda: stage.do(lambda payments: payments.probe()),
    }


# What comes instead of an answer


def _lost(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    del answer
    message = f"{request.label}: no whole answer"
    raise OutcomeUnknown(message)


def _unreached(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    del answer
    return refused(request)


def _repeated(request: HttpRequest) -> bytes:
    said = f"refused: {dict(request.headers)} {request.url} ".encode()
    return said + request.body


def _echo_refused(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    del answer
    return HttpResponse(status=400, headers=(("content-type", "text/plain"),), body=_repeated(request))


def _echo_failed(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    del answer
    return HttpResponse(status=500, headers=(("content-type", "text/plain"),), body=_repeated(request))


def _echo_accepted(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    del answer
    return HttpResponse(status=200, headers=(("content-type", "application/json"),), body=_repeated(request))


def _mirrored(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    """The request's own body comes back as an answer: JSON, but not the one that is wanted."""
    del answer
    return HttpResponse(status=200, headers=(("content-type", "application/json"),), body=request.body or b"{}")


def _mirrored_refused(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    del answer
    return HttpResponse(status=422, headers=(("content-type", "application/json"),), body=request.body or b"{}")


def _broken_text(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    return replace(answer, body=(answer.body or request.body) + b"\xff")


def _without_numbers(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    del request
    return replace(answer, body=_NUMBER.sub(rb'\1"many"', answer.body))


_FAILURES: Final[tuple[Failure, ...]] = (
    _unreached,
    _lost,
    _echo_refused,
    _echo_failed,
    _echo_accepted,
    _mirrored,
    _mirrored_refused,
    _broken_text,
    _without_numbers,
)


def _failed(stage: Stage, verb: Verb, step: int, failure: Failure) -> tuple[PrenopayError | None, bool]:
    """Have request number ``step`` of ``verb`` fail; return the error, and whether there was such a request."""
    sent = 0

    async def ask(provider: Everything, send: Send) -> object:
        async def sends(request: HttpRequest) -> HttpResponse:
            nonlocal sent
            sent += 1
            if sent <= step:
                return await send(request)
            unanswered = failure in {_unreached, _lost}
            return failure(request, HttpResponse(status=0) if unanswered else await send(request))

        return await verb(provider, sends)

    error = stage.tries(lambda: stage.asks(ask))
    return error, sent > step


# What is seen


def _secrets(stage: Stage) -> set[str]:
    payer = stage.gateway.payer()
    persons = {payer.email, payer.phone.lstrip("+"), payer.personal_number, _STREET}
    if isinstance(stage.gateway, SendsMoney):
        payee = stage.gateway.payout_order()
        persons |= set(ways_to_write((payee.payee_phone, payee.payee_personal_number)))
    known = {*stage.gateway.secrets(), *stage.gateway.links(), CALLBACK_KEY, TOKEN_KEY, _MAC, _TOKEN, *persons}
    return known - {""}


def _seen(stage: Stage, error: BaseException) -> Iterator[str]:
    secrets = _secrets(stage)
    for shown in shown_in(error):
        for secret in secrets:
            if secret in shown.text:
                yield f"{secret[:2]}… ({len(secret)} characters) is in {shown.where}"
