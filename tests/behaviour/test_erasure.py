"""A person who was erased is gone: from every column of every table, from the files, and whatever comes later."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from prenopay import CallbackRequest, CallbackUrls, CaptureMode, Payer
from prenopay.books import schema
from prenopay.books.engine import open_engine
from prenopay.errors import Conflict, IdReused, InvalidOrder, RateLimited
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.testing.faults import Fault, FaultKind
from prenopay.testing.http import EmulatorSender
from prenopay.values.mandates import MandateState, StoreMethod
from prenopay.values.orders import Address, RiskFacts
from prenopay.values.subjects import Subject
from tests.behaviour.shop import CALLBACK_URL, CONSENT, KEY, Rewriter, Shop, an_order, sek
from tests.everything import cells, digests, remembered, text_of

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
    assert "Birgit Bergström has left" in str(error), "the caller hears it"
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


# What strangers write

QUOTED = "Birgit Bergström"
PROBLEM = {
    "title": f"{QUOTED} is not known",
    "detail": f"{QUOTED} left",
    "problems": [{"name": "payer", "description": QUOTED}],
}
DECLINED = "https://api.payex.com/psp/errordetail/creditcard/carddeclined"
FORBIDDEN = "https://api.payex.com/psp/errordetail/forbidden"


class Gossip:
    """A gateway, callers and a handler that write a person's name wherever they can write a text."""

    def __init__(self, shop: Shop, between: Rewriter) -> None:
        self.shop, self.between = shop, between
        self.number = 0

    def saying(self, problem: str, method: str) -> Callable[[HttpRequest, HttpResponse], HttpResponse]:
        body = json.dumps({"type": problem, "status": 403, **PROBLEM}).encode()

        def say(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
            return replace(answer, status=403, body=body) if request.method == method else answer

        return say

    def attempting(self, _request: HttpRequest, answer: HttpResponse) -> HttpResponse:
        """Add a failed try of the payer to what the gateway shows of an order."""
        body = json.loads(answer.body)
        if order := body.get("paymentOrder"):
            problem = {"type": DECLINED, "status": 403, **PROBLEM}
            failed = {"created": "2026-01-05T08:00:00Z", "instrument": "CreditCard", "number": 1000 + self.number}
            tries = [{**failed, "status": "Failed", "problem": problem}]
            order["failedAttempts"] = {"id": f"{order['id']}/failedattempts", "failedAttemptList": tries}
        return replace(answer, body=json.dumps(body).encode())

    def during(self, rewrite: Callable[[HttpRequest, HttpResponse], HttpResponse], call: Callable[[], object]) -> None:
        self.between.rewrite = rewrite
        self.shop.tries(call)
        self.between.rewrite = lambda _request, answer: answer

    def call(self, payment: Any, body: object, *, at_own_address: bool = False) -> None:
        address = None if at_own_address else Subject.payment(payment.payment_id)
        path = CallbackUrls(CALLBACK_URL, [KEY]).url("cards", address).removeprefix("https://shop.example")
        self.shop.works(self.shop.accounts.receive(CallbackRequest(path=path, body=json.dumps(body).encode())))

    def goes_round(self, payment: Any) -> None:
        """Let everybody say the name once."""
        self.number += 1
        shop, payment_id, name = self.shop, payment.payment_id, {"paymentOrder": {"id": payment.provider_reference}}
        self.during(self.attempting, lambda: shop.payments.observe(payment_id))
        for body in ({"paymentOrder": {"id": QUOTED}}, {"paymentOrder": QUOTED}, QUOTED):
            self.call(payment, body)
        for problem in (DECLINED, FORBIDDEN):
            refund = f"refund:{problem[-9:]}:{payment_id}:{self.number}"
            amount = sek(100)
            self.during(
                self.saying(problem, "POST"),
                lambda: shop.payments.refund(payment_id, amount, operation_id=refund),  # noqa: B023 - called at once
            )
        shop.later(hours=2)
        shop.accounts.sweep()
        refuse = self.saying(FORBIDDEN, "GET")
        self.during(refuse, lambda: self.call(payment, name, at_own_address=True))
        self.during(refuse, lambda: self.call(payment, {"paymentOrder": {"id": QUOTED}}))


def where(database: str) -> set[str]:
    """Return the columns in which the name is."""
    engine = open_engine(database)
    with engine.connect() as connection:
        found = {
            f"{table.name.removeprefix('prenopay_')}.{name}"
            for table in schema.metadata.sorted_tables
            for row in connection.execute(select(table)).mappings()
            for name, cell in row.items()
            if QUOTED in text_of(cell)
        }
    engine.dispose()
    return found


@pytest.mark.two_stores
def test_no_text_that_somebody_wrote_names_an_erased_person(rewriting: tuple[Shop, Rewriter]) -> None:
    shop, between = rewriting
    gossip, payer = Gossip(shop, between), Payer(reference="reader-1")

    def fails(_event: object) -> None:
        raise RuntimeError(QUOTED)

    paid = shop.captured(payer=payer)
    mandate = shop.stored(payer=payer)
    shop.on_event = fails
    gossip.during(gossip.saying(DECLINED, "POST"), lambda: shop.drawn(mandate, "charge:1"))
    charged = shop.payments.operation("charge:1").payment_id
    gossip.goes_round(paid)
    assert where(shop.database) >= {
        "attempts.decline", "deliveries.last_error", "events.body", "flags.detail", "inbox.last_error", "inbox.names",
        "operations.decline", "payments.decline",
    }  # fmt: skip

    shop.mandates.remove(mandate.mandate_id, reason="the reader left")
    shop.accounts.sweep()
    erased = shop.payments.erase_payer(payer_reference="reader-1")
    assert len(erased) == 4
    assert (where(shop.database), remembered(shop.database, [QUOTED])) == (set(), [])

    for each in (paid, shop.payments.get(charged)):
        gossip.goes_round(each)
    assert (where(shop.database), remembered(shop.database, [QUOTED])) == (set(), [])
    shop.later(hours=2)
    shop.accounts.sweep()
    assert (where(shop.database), remembered(shop.database, [QUOTED])) == (set(), [])
    declines = [each.decline for each in shop.payments.find() if each.decline is not None]
    assert {(each.code.value, each.text) for each in declines} == {("declined", "")}


def test_what_comes_while_the_person_is_erased_names_nobody(rewriting: tuple[Shop, Rewriter]) -> None:
    shop, between = rewriting
    gossip, other = Gossip(shop, between), shop.restarted(sender=EmulatorSender(shop.emulator.mounts))
    says: dict[str, Callable[[HttpRequest, HttpResponse], HttpResponse]] = {
        "order:tries": gossip.attempting,
        "order:error": gossip.saying(FORBIDDEN, "GET"),
    }
    for operation_id, say in says.items():
        payment = shop.bought(operation_id, payer=Payer(reference="reader-1"))

        def erase(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
            other.payments.erase_payer(payment.payment_id)  # noqa: B023 - called at once
            return say(request, answer)  # noqa: B023 - called at once

        gossip.during(erase, lambda: gossip.call(payment, {"paymentOrder": {"id": QUOTED}}))  # noqa: B023 - called at once
        assert (operation_id, where(shop.database)) == (operation_id, set())
    other.close()


def test_each_text_of_strangers_is_emptied_or_said_to_stay() -> None:
    """A new column with such a text must be emptied by an erasure, or be said to stay in the guide."""
    texts = {
        f"{table.name.removeprefix('prenopay_')}.{column.name}"
        for table in schema.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, schema.StrangersText)
    }
    hosts = {
        "decisions.reason",
        "mandate_changes.reason",
        "mandates.reason",
        "payments.description",
        "payouts.description",
    }
    emptied = {"deliveries.last_error", "flags.detail", "inbox.last_error", "inbox.note", "operations.error"}
    assert texts == hosts | emptied
