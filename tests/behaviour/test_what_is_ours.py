"""Only what is ours is believed and offered: two databases never share a reference, and a wrong page is kept back."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from prenopay import FlagKind, PageStyle, PaymentState
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.testing.databases import empty_sqlite
from prenopay.testing.http import EmulatorSender
from tests.behaviour.shop import Shop, sek

SEAMLESS: dict[str, Any] = {"page": PageStyle.SEAMLESS, "payment_page_url": "https://shop.example/pay"}


class Editing:
    """A sender that makes every answer to a create ten times dearer."""

    def __init__(self) -> None:
        self.sender: EmulatorSender | None = None

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - see the port
        assert self.sender is not None
        answer = await self.sender.send(request, timeout=timeout)
        dearer = re.sub(rb'("amount": ?)11900\b', rb"\g<1>119000", answer.body)
        return replace(answer, body=dearer) if request.label == "create" else answer


def opened(open_shop: Callable[..., Shop]) -> Shop:
    editing = Editing()
    shop = open_shop(sender=editing)
    editing.sender = EmulatorSender(shop.emulator.mounts)
    return shop


@pytest.mark.parametrize("page", [{}, SEAMLESS], ids=["redirect", "seamless"])
def test_a_payment_of_another_amount_is_not_offered(open_shop: Callable[..., Shop], page: dict[str, Any]) -> None:
    shop = opened(open_shop)

    payment = shop.bought(**page)

    assert payment.quarantined
    assert (payment.redirect_url, payment.seamless_view, payment.app_switch) == (None, None, None)
    assert [flag.kind for flag in payment.flags] == [FlagKind.MISMATCH]
    assert shop.bought(**page) == payment, "the same create again offers it no more"
    seen = shop.payments.observe(payment.payment_id)  # the gateway's own order is right after all
    assert (seen.state, seen.amount, seen.quarantined) == (PaymentState.PENDING, sek(11900), False)


def test_two_databases_of_one_merchant_never_use_the_same_reference(shop: Shop) -> None:
    shop.bought()
    with empty_sqlite() as database:
        other = Shop("blocking", database, emulator=shop.emulator)
        other.bought()
        theirs = other.payments.operation("order:1")
        other.close()

    ours = shop.payments.operation("order:1")
    assert ours.reference != theirs.reference
    assert (ours.attempts, theirs.attempts) == (1, 1)
