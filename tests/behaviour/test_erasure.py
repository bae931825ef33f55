"""A person who was erased is gone: from every column of every table, from the files, and whatever comes later."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prenopay import CaptureMode, Payer
from prenopay.errors import Conflict, IdReused, InvalidOrder, RateLimited
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.testing.faults import Fault, FaultKind
from prenopay.values.mandates import MandateState, StoreMethod
from prenopay.values.orders import Address, RiskFacts
from prenopay.values.subjects import Subject
from tests.behaviour.shop import CONSENT, Rewriter, Shop, an_order
from tests.everything import cells, digests, remembered

NUMBER = "199710202392"
PAYER = Payer(
    reference="reader-astrid-7f",
    first_name="Astrid",
    last_name="Ahlström",
    email="astrid@example.com",
    phone="+46739000001",
    home_phone="+4687654321",
    personal_number=NUMBER,
    billing_address=Address(first_name="Birgit", last_name="Bergström", street="Hemliga gatan 5", city="Järfälla"),
)
RISK = RiskFacts(delivery_email="han@example.com", pick_up_name="Han Solo")
BROWSER = "Mozilla/5.0 (a reader's own)"
PERSON = (
    "reader-astrid-7f", "Astrid", "Ahlstr", "astrid@", "739000001", "87654321", NUMBER[2:], "Birgit", "Bergstr",
    "Hemliga", "fälla", "han@", "Han Solo", "a reader's own", "•••• 0416", "476173",
)  # fmt: skip
"""What of the person must not be anywhere. A name is cut where a file has other bytes than a text has characters."""


def known(**changes: Any) -> dict[str, Any]:
    return {"payer": PAYER, "risk": RISK, "payer_user_agent": BROWSER, **changes}


def fails_once(_event: object) -> None:
    message = "there is no reader Astrid Ahlström"
    raise RuntimeError(message)


def later(shop: Shop, payment_id: str, order: Any, heard: list[Any]) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Return what may come after an erasure, of every kind."""
    payments, events = shop.payments, shop.on_event

    def again() -> None:
        for request in tuple(heard):
            if (reply := shop.accounts.receive(request)).address is not None:
                shop.accounts.work(reply.address)

    def failing() -> None:
        shop.on_event = fails_once
        payments.refund(payment_id, operation_id="refund:1")
        shop.on_event = events

    def retried() -> None:
        shop.later(hours=2)
        shop.accounts.retry_events()
        shop.accounts.sweep()

    def aging() -> None:
        shop.later(days=40)
        shop.accounts.sweep()

    yield "the payer pays", lambda: shop.pay(payments.get(payment_id))
    yield "callbacks", shop.deliver_callbacks
    yield "callbacks that come again", again
    yield "a replayed callback", lambda: shop.accounts.replay(shop.accounts.callbacks()[0].inbox_id)
    yield "a look", lambda: payments.observe(payment_id)
    yield "the same call again", lambda: payments.create(order, operation_id="order:1")
    yield "a refund whose event fails", failing
    yield "its callbacks", shop.deliver_callbacks
    yield "its event again", retried
    yield "time", aging


def listening(shop: Shop) -> list[Any]:
    """Keep every callback that comes in."""
    heard, receive = list[Any](), shop.accounts.receive

    def listen(request: Any) -> Any:
        heard.append(request)
        return receive(request)

    shop.accounts.receive = listen  # type: ignore[attr-defined]  # the shop's own way in
    return heard


@pytest.mark.two_stores
def test_whatever_comes_after_an_erasure_the_payer_stays_erased(shop: Shop) -> None:
    order = an_order(**known(capture=CaptureMode.AUTOMATIC))
    payment_id, heard = shop.payments.create(order, operation_id="order:1").payment_id, listening(shop)
    assert set(remembered(shop.database, ["astrid@example.com", BROWSER])) == {"astrid@example.com", BROWSER}

    assert shop.payments.erase_payer(payment_id) == (Subject.payment(payment_id),)
    assert remembered(shop.database, PERSON) == []

    for what, happens in later(shop, payment_id, order, heard):
        happens()
        assert (what, remembered(shop.database, PERSON)) == (what, [])
    assert heard, "no callback came"
    paid = shop.payments.get(payment_id)
    assert (paid.captured, paid.refunded) == (paid.amount, paid.amount)
    assert shop.told.count("payment.refunded") == 1


def test_what_a_gateway_says_after_an_erasure_is_not_kept(rewriting: tuple[Shop, Rewriter]) -> None:
    shop, between = rewriting
    payment = shop.captured(**known())
    shop.payments.erase_payer(payment.payment_id)
    problem = {"type": "https://x/inputerror", "title": "Birgit Bergström has left", "status": 400}

    def refuse(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
        return replace(answer, status=400, body=json.dumps(problem).encode()) if request.method == "POST" else answer

    between.rewrite = refuse
    error = shop.tries(lambda: shop.payments.refund(payment.payment_id, operation_id="refund:1"))
    assert "Birgit Bergström has left" in str(error), "the caller is told"
    assert remembered(shop.database, PERSON) == []


def test_no_digest_gives_a_person_away(sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has the database, and not the host's keys, cannot try numbers until a digest is the same."""

    def stored(name: str, phone: str, key: str) -> set[str]:
        monkeypatch.setattr("tests.behaviour.shop.KEY", f"the {key} key of a host that tests")
        database, payer = f"sqlite:///{shutil.copy(sqlite_template, tmp_path / name)}", replace(PAYER, phone=phone)
        shop = Shop("blocking", database)
        mandate = shop.stored(payer=payer)
        shop.drawn(mandate, "charge:1")
        shop.deliver_callbacks()
        shop.close()
        return digests(database)

    mine, other_key, other_person = (
        stored("a.db", "+46739000001", "first"),
        stored("b.db", "+46739000001", "second"),
        stored("c.db", "+46739000002", "first"),
    )
    assert mine & (other_key - other_person) == set()
    assert mine - other_key - other_person, "no digest was compared"


# By the host's reference


def test_a_person_is_erased_from_all_that_has_their_reference(shop: Shop) -> None:
    mandate = shop.stored(payer=PAYER)
    drawn = shop.drawn(mandate, "charge:1")
    other = shop.bought("order:other", payer=replace(PAYER, reference="somebody-else"))

    error = shop.tries(lambda: shop.payments.erase_payer(payer_reference=PAYER.reference))

    assert isinstance(error, Conflict)
    assert "remove_all" in str(error)
    assert shop.payments.order(drawn.payment_id).payer == Payer(reference=PAYER.reference)
    shop.mandates.remove_all(PAYER.reference, reason="the reader left", confirm=PAYER.reference)

    erased = shop.payments.erase_payer(payer_reference=PAYER.reference)

    mine = [Subject.payment(str(mandate.payment_id)), Subject.payment(drawn.payment_id)]
    assert list(erased) == [*sorted(mine, key=str), Subject.mandate(mandate.mandate_id)]
    assert shop.payments.order(other.payment_id).payer.email == PAYER.email
    shop.payments.erase_payer(other.payment_id)
    assert remembered(shop.database, PERSON) == []
    assert shop.payments.erase_payer(payer_reference=PAYER.reference) == ()

    repeated = shop.drawn(mandate, "charge:1")
    assert repeated == drawn
    for payment in shop.payments.find():
        shop.payments.observe(payment.payment_id)
    shop.later(days=1)
    assert shop.accounts.sweep().failures == ()
    assert remembered(shop.database, PERSON) == []
    left = shop.mandates.get(mandate.mandate_id)
    assert (left.state, left.consent) == (MandateState.DELETED, CONSENT)


def test_a_method_that_is_stored_after_the_erasure_is_removed_and_not_shown(shop: Shop) -> None:
    payment = shop.bought(payer=PAYER, store=StoreMethod(consent=CONSENT), capture=CaptureMode.AUTOMATIC)
    shop.mandates.remove_all(PAYER.reference, reason="the reader left", confirm=PAYER.reference)
    shop.payments.erase_payer(payer_reference=PAYER.reference)

    shop.pay(payment, pan="4761739001010416")
    shop.payments.observe(payment.payment_id)
    shop.later(hours=1)
    assert shop.accounts.sweep().failures == ()
    shop.payments.observe(payment.payment_id)

    assert shop.payments.get(payment.payment_id).is_paid
    assert remembered(shop.database, PERSON) == []
    assert [each.display for each in shop.mandates.find()] == ["erased"]


@pytest.mark.parametrize("names", [{}, {"payment_id": "pay_1", "payer_reference": "R"}, {"payer_reference": " "}])
def test_a_person_is_named_once(shop: Shop, names: dict[str, str]) -> None:
    assert isinstance(shop.tries(lambda: shop.payments.erase_payer(**names)), InvalidOrder)


# Personal numbers


def test_a_personal_number_is_dropped_when_the_order_is_not_sent_again(shop: Shop) -> None:
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_AFTER))
    shop.tries(lambda: shop.bought(payer=PAYER))
    (payment,) = shop.payments.find()
    assert shop.payments.order(payment.payment_id).payer == PAYER

    shop.later(hours=1)
    shop.payments.resolve("order:1")

    assert shop.payments.order(payment.payment_id).payer == replace(PAYER, personal_number="")
    assert shop.bought(payer=PAYER).payment_id == payment.payment_id
    others: tuple[dict[str, Any], ...] = ({"personal_number": "199001022384"}, {"phone": "+46739000002"})
    for changed in others:
        error = shop.tries(lambda: shop.bought(payer=replace(PAYER, **changed)))  # noqa: B023 - called at once
        assert isinstance(error, IdReused)
        assert f"payer.{next(iter(changed))})" in str(error)


def test_a_personal_number_is_dropped_when_the_order_is_refused(shop: Shop) -> None:
    shop.emulator.faults.add(Fault(kind=FaultKind.STATUS_BEFORE, status=429, times=9))
    assert isinstance(shop.tries(lambda: shop.bought(payer=PAYER)), RateLimited)
    shop.emulator.faults.clear()

    (payment,) = shop.payments.find()
    assert shop.payments.order(payment.payment_id).payer == replace(PAYER, personal_number="")
    shop.bought(payer=PAYER)
    assert shop.payments.order(payment.payment_id).payer == replace(PAYER, personal_number="")
    assert not any(NUMBER in cell for cell in cells(shop.database))
