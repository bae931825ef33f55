"""A payee who was erased is gone; so is a payer whom only Swish has named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prenopay import Payer, Subject
from prenopay.errors import Conflict, IdReused
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swish import SwishEmulator
from tests.behaviour.shop import Rewriter
from tests.everything import digests, remembered
from tests.swish.shop import PERSONAL_NUMBER, PHONE, SwishShop, a_payout, authority, by_phone

PAYEE = (PHONE[2:], "174 06 06", PERSONAL_NUMBER[2:], "winner-42")


def arrive(shop: SwishShop) -> None:
    shop.later(minutes=1)
    shop.deliver_callbacks()
    shop.accounts.sweep()


@pytest.mark.two_stores
def test_a_payee_is_erased_when_the_payout_has_ended(shop: SwishShop) -> None:
    order = a_payout(payee_reference="winner-42")

    def pay_out(**changes: Any) -> object:
        return shop.payments.pay_out(replace(order, **changes), operation_id="payout:1")

    pay_out()
    for name in ({"operation_id": "payout:1"}, {"payer_reference": "winner-42"}):
        assert isinstance(shop.tries(lambda: shop.payments.erase_payer(**name)), Conflict)  # noqa: B023 - called at once
    arrive(shop)
    paid = shop.payments.payout("payout:1")
    assert paid.succeeded
    assert isinstance(shop.tries(lambda: pay_out(payee_phone="46701740607")), IdReused)

    assert shop.payments.erase_payer(operation_id="payout:1") == (Subject.payout(paid.payout_id),)

    assert remembered(shop.database, PAYEE) == []
    assert shop.payments.pay_out(order, operation_id="payout:1") == paid
    arrive(shop)
    assert remembered(shop.database, PAYEE) == []
    assert len(shop.swish.payouts) == 1


def test_a_person_is_erased_as_payer_and_as_payee(shop: SwishShop) -> None:
    payer = Payer(reference="winner-42", phone="+" + PHONE, personal_number=PERSONAL_NUMBER)
    asked = shop.bought("order:1", **by_phone(payer=payer))
    shop.payments.pay_out(a_payout(payee_reference="winner-42"), operation_id="payout:1")
    arrive(shop)

    erased = shop.payments.erase_payer(payer_reference="winner-42")

    payout = shop.payments.payout("payout:1")
    assert erased == (Subject.payment(asked.payment_id), Subject.payout(payout.payout_id))
    shop.pay(asked)
    arrive(shop)
    assert shop.payments.get(asked.payment_id).is_paid
    assert remembered(shop.database, PAYEE) == []


def test_a_payer_whom_only_swish_has_named_is_erased(shop: SwishShop) -> None:
    payment = shop.bought()
    shop.payments.erase_payer(payment.payment_id)
    shop.pay(payment, msisdn=PHONE)
    arrive(shop)

    assert shop.payments.observe(payment.payment_id).is_paid
    assert remembered(shop.database, [PHONE[2:]]) == []
    assert shop.events[-1].raw == {}


def test_no_digest_gives_a_payee_away(sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has the database, and not the host's keys, cannot try numbers until a digest is the same."""

    def stored(name: str, phone: str, key: str) -> set[str]:
        monkeypatch.setattr("tests.behaviour.shop.KEY", f"the {key} key of a host that tests")
        database = f"sqlite:///{shutil.copy(sqlite_template, tmp_path / name)}"
        shop = SwishShop("blocking", database)
        payment = shop.bought(**by_phone(payer=Payer(phone="+" + phone)))
        shop.payments.pay_out(a_payout(payee_phone=phone), operation_id="payout:1")
        shop.pay(payment)
        arrive(shop)
        shop.close()
        return digests(database)

    mine, other_key, other_person = (
        stored("a.db", "46701740606", "first"),
        stored("b.db", "46701740606", "second"),
        stored("c.db", "46701740605", "first"),
    )
    assert mine & (other_key - other_person) == set()


QUOTED = "Birgit Bergström"
NOT_ENROLLED = {"status": "ERROR", "errorCode": "ACMT03", "errorMessage": QUOTED, "additionalInformation": QUOTED}


def gossiping(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    """Fail what is read, and refuse what is asked, with a person's name in every text."""
    if request.method == "GET":
        return replace(answer, body=json.dumps({**json.loads(answer.body), **NOT_ENROLLED}).encode())
    return replace(answer, status=422, body=json.dumps([NOT_ENROLLED]).encode())


def test_no_text_of_swish_names_an_erased_person(open_shop: Callable[..., SwishShop]) -> None:
    emulator = SwishEmulator(clock=VirtualClock(), authority=authority())
    between = Rewriter(emulator.mounts)
    shop = open_shop(emulator=emulator, sender=between)
    honest = between.rewrite
    open_one, paid = shop.bought("order:1"), shop.captured("order:2")
    shop.payments.pay_out(a_payout(), operation_id="payout:1")

    def says(refund: str) -> None:
        shop.tries(lambda: shop.refund(paid, operation_id=refund))
        between.rewrite = gossiping
        shop.payments.observe(open_one.payment_id)
        arrive(shop)
        between.rewrite = honest

    says("refund:1")
    payout, refund = shop.payments.payout("payout:1"), shop.payments.operation("refund:1")
    written = (payout.decline.text, refund.decline.text, shop.payments.get(open_one.payment_id).decline.text)
    assert [QUOTED in text for text in written] == [True] * 3

    shop.payments.erase_payer(operation_id="payout:1")
    shop.payments.erase_payer(open_one.payment_id)
    shop.payments.erase_payer(operation_id="refund:1")
    assert remembered(shop.database, [QUOTED]) == []
    assert shop.payments.payout("payout:1").decline == replace(payout.decline, text="")

    says("refund:2")
    assert remembered(shop.database, [QUOTED]) == []
