"""Every verb of both providers, and how far each is led by good answers before the stranger's answer comes."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, TypeAlias

from prenopay import Money, Order, PageStyle, Payer, Secret
from prenopay._blocking import run_blocking
from prenopay.ports import HttpRequest, HttpResponse, Send
from prenopay.provider import CreateRequest
from prenopay.providers.swedbankpay import RepeatedReference
from prenopay.providers.swish.consents import CHARGE, CONSENT
from prenopay.values.mandates import MandateKind, StoreMethod
from tests.providers.swedbankpay import samples as card
from tests.providers.swedbankpay.test_charges import request_of as charge_of
from tests.providers.swedbankpay.test_tokens import new_list, new_token, old_list, old_token
from tests.providers.swish import samples as swish

__all__ = ["CARD_VERBS", "SWISH_VERBS", "Answering", "Verb", "enveloped", "opened"]

Verb: TypeAlias = tuple[Callable[[Send], Coroutine[Any, Any, Any]], Sequence[HttpResponse]]
"""What to call, and the good answers that it gets first."""

_CALLS_MOST: Final = 10
_READER: Final = Payer(reference="reader-7")
_OPEN: Final = card.order()
_RESERVED: Final = card.answer(card.order("Paid", rels=card.RESERVED, paid=card.paid(), remainingCaptureAmount=14900))
_TAKEN: Final = card.answer(card.order("Paid", rels=card.TAKEN, paid=card.paid(), remainingReversalAmount=14900))
_ORDER: Final = Order(
    amount=Money(14900, "SEK"),
    description="Digital",
    return_url="https://shop.example",
    page=PageStyle.SEAMLESS,
    payment_page_url="https://shop.example/pay",
)
_REQUEST: Final = CreateRequest(
    order=_ORDER, payment_id="pay_1", reference="REF1", callback_url="https://shop.example/cb"
)


class Answering:
    """Gives the good answers one by one, then the stranger's for ever; a verb that never stops asking fails."""

    def __init__(self, first: Sequence[HttpResponse], then: HttpResponse) -> None:
        self._answers = list(first)
        self._then = then
        self.asked = 0

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        self.asked += 1
        if self.asked > _CALLS_MOST:
            message = f"asked {self.asked} times"
            raise AssertionError(message)
        return self._answers.pop(0) if self._answers else self._then


def _card_verbs() -> Mapping[str, Verb]:
    new, old = card.provider(payer_api=True), card.provider(payer_api=False)
    refusing = card.provider(repeated_reference=RepeatedReference.REFUSED)
    change, token, unscheduled = card.change(), Secret(card.STORED), MandateKind.UNSCHEDULED
    failed = card.answer(card.order("Failed", rels=(), operation="Recur", failed={"id": "x"}))
    opened_order = card.answer(_OPEN)
    return {
        "create": (lambda send: new.create_payment(send, _REQUEST), ()),
        "observe": (lambda send: new.observe(send, card.ORDER_ID), ()),
        "capture": (lambda send: new.capture(send, change), ()),
        "capture then": (lambda send: new.capture(send, change), (_RESERVED,)),
        "capture twice": (lambda send: new.capture(send, change), (_RESERVED, card.SEEN_BEFORE[0])),
        "refund then": (lambda send: new.refund(send, change), (_TAKEN,)),
        "cancel then": (lambda send: new.cancel(send, change), (_RESERVED,)),
        "abort then": (lambda send: new.cancel(send, change), (opened_order,)),
        "update then": (lambda send: new.update(send, change), (opened_order,)),
        "charge": (lambda send: new.charge(send, charge_of()), ()),
        "charge then": (lambda send: new.charge(send, charge_of()), (failed,)),
        "charge again": (lambda send: refusing.charge(send, charge_of(again=True)), ()),
        "methods": (lambda send: new.observe_methods(send, "reader-7"), ()),
        "methods old": (lambda send: old.observe_methods(send, "reader-7"), ()),
        "remove": (lambda send: new.remove_method(send, unscheduled, token, reason="ended"), ()),
        "remove then": (
            lambda send: new.remove_method(send, unscheduled, token, reason="ended"),
            (card.answer({"token": new_token()}),),
        ),
        "remove old": (lambda send: old.remove_method(send, unscheduled, token, reason="ended"), ()),
        "remove all": (
            lambda send: new.remove_all_methods(send, "reader-7", reason="closed"),
            (card.answer(new_list(new_token())),),
        ),
        "remove all old": (
            lambda send: old.remove_all_methods(send, "reader-7", reason="closed"),
            (card.answer(old_list(old_token())),),
        ),
        "probe": (new.probe, ()),
    }


def _swish_verbs() -> Mapping[str, Verb]:
    provider, ours = swish.provider(), swish.recurring()
    paid = swish.answer(swish.payment("PAID"))
    seen = swish.errors("RP09")
    phone = swish.request_of(swish.asked(**swish.by_phone()))
    refund, again = swish.change(4950), swish.change(4950, again=True)
    storing = swish.asked(0, store=StoreMethod(consent=card.CONSENT, kinds=(MandateKind.CONSENT,)), payer=_READER)
    observed = run_blocking(provider.observe(swish.Script(paid), swish.UUID))
    consent, lost = swish.request_of(storing), swish.request_of(storing, again=True)

    return {
        "create": (lambda send: provider.create_payment(send, swish.request_of()), ()),
        "create phone": (lambda send: provider.create_payment(send, phone), ()),
        "create again": (lambda send: provider.create_payment(send, swish.request_of(again=True)), ()),
        "create twice": (lambda send: provider.create_payment(send, swish.request_of()), (seen,)),
        "observe": (lambda send: provider.observe(send, swish.UUID), ()),
        "cancel": (lambda send: provider.cancel(send, swish.change()), ()),
        "cancel late": (lambda send: provider.cancel(send, swish.change()), (swish.errors("RP07"),)),
        "refund": (lambda send: provider.refund(send, refund), ()),
        "refund then": (lambda send: provider.refund(send, refund), (paid,)),
        "refund again": (lambda send: provider.refund(send, again), ()),
        "refund twice": (lambda send: provider.refund(send, refund), (paid, seen)),
        "observe refund": (lambda send: provider.observe_refund(send, again, observed), ()),
        "payout": (lambda send: provider.pay_out(send, swish.UUID, b"{}", again=False), ()),
        "payout again": (lambda send: provider.pay_out(send, swish.UUID, b"{}", again=True), ()),
        "observe payout": (lambda send: provider.observe_payout(send, swish.UUID, b"{}"), ()),
        "qr": (lambda send: provider.draw_qr(send, "t", image="svg"), ()),
        "probe": (provider.probe, ()),
        "consent": (lambda send: ours.create_payment(send, consent), ()),
        "consent again": (lambda send: ours.create_payment(send, lost), ()),
        "consent twice": (lambda send: ours.create_payment(send, consent), (seen,)),
        "observe consent": (lambda send: ours.observe(send, f"{CONSENT}{swish.UUID}"), ()),
        "observe charge": (lambda send: ours.observe(send, f"{CHARGE}{swish.UUID}"), ()),
        "charge": (lambda send: ours.charge(send, swish.charge_of()), ()),
        "charge again": (lambda send: ours.charge(send, swish.charge_of(again=True)), ()),
        "charge twice": (lambda send: ours.charge(send, swish.charge_of()), (seen,)),
        "charge inactive": (lambda send: ours.charge(send, swish.charge_of()), (swish.errors("PA01"),)),
        "remove": (lambda send: ours.remove_method(send, MandateKind.CONSENT, Secret("c"), reason="ended"), ()),
    }


CARD_VERBS: Final[Callable[[], Mapping[str, Verb]]] = functools.cache(_card_verbs)
SWISH_VERBS: Final[Callable[[], Mapping[str, Verb]]] = functools.cache(_swish_verbs)


def enveloped(head: Mapping[str, Any], body: bytes) -> bytes:
    """Write what a target needs beside the stranger's body: a line of JSON before it."""
    return json.dumps(head).encode() + b"\n" + body


def opened(envelope: bytes) -> tuple[Mapping[str, Any], bytes]:
    """Read what ``enveloped`` wrote."""
    head, _, body = envelope.partition(b"\n")
    decoded: Mapping[str, Any] = json.loads(head)
    return decoded, body
