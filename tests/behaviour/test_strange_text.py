"""NUL and halves of characters in what a gateway sends: both databases store the rest, and nothing waits forever."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from dataclasses import fields, replace
from enum import IntEnum, StrEnum
from typing import Any
from urllib.parse import urlsplit

import pytest

import prenopay
from prenopay import CallbackRequest, CaptureMode, Money, OrderLine, Payer, PaymentState, PayoutOrder, Subject
from prenopay._arguments import fitted, refuse_misuse
from prenopay.books import codec
from prenopay.books.engine import _Transactions, open_engine
from prenopay.errors import InvalidOrder, NotFound, UnexpectedAnswer
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swedbankpay import SwedbankPayEmulator
from prenopay.testing.http import EmulatorSender
from prenopay.values.mandates import StoreMethod
from prenopay.values.orders import Address, RiskFacts
from tests.behaviour.shop import CONSENT, READER, Rewriter, Shop, an_order, sek
from tests.documents import paths_of
from tests.everything import everything
from tests.providers.swedbankpay import samples as card
from tests.providers.swish import samples as swish
from tests.rewiring import core_of

_STRANGE = rb'{"strange \u0000": "\u0000 \\u0000 \ud83d",'


class _Strange(EmulatorSender):
    """Adds a text to every answer that PostgreSQL does not take as it is."""

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - the port's shape
        answer = await super().send(request, timeout=timeout)
        return replace(answer, body=answer.body.replace(b"{", _STRANGE, 1))


def test_an_answer_with_strange_text_is_written_down(open_shop: Callable[..., Shop]) -> None:
    emulator = SwedbankPayEmulator(clock=VirtualClock())
    shop = open_shop(emulator=emulator, sender=_Strange(emulator.mounts))
    payment = shop.bought()
    shop.pay(payment)

    assert shop.payments.observe(payment.payment_id).state is PaymentState.AUTHORIZED
    assert [event.payment_id for event in shop.events] == [payment.payment_id]


@pytest.mark.parametrize("to_account", [False, True])
def test_a_callback_with_strange_text_is_worked_on(shop: Shop, *, to_account: bool) -> None:
    payment = shop.bought()
    shop.pay(payment)
    subject = None if to_account else Subject.payment(payment.payment_id)
    path = urlsplit(core_of(shop.accounts.target).callback_urls.url("cards", subject)).path
    body: dict[str, Any] = {"paymentOrder": {"id": f"{payment.provider_reference}"}, "\0": "\0"}

    reply = shop.accounts.receive(CallbackRequest(path=path, body=json.dumps(body).encode()))
    assert reply.status == 200
    shop.accounts.work(reply.address)
    assert shop.payments.get(payment.payment_id).state is PaymentState.AUTHORIZED

    body["paymentOrder"]["id"] += "\0\ud83d"
    reply = shop.accounts.receive(CallbackRequest(path=path, body=json.dumps(body).encode()))
    shop.accounts.work(reply.address)
    assert all(callback.done_at is not None for callback in shop.accounts.callbacks())


class _LongNumbers(EmulatorSender):
    """Makes each number of a transaction longer than its column, with a character that PostgreSQL does not take."""

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - the port's shape
        answer = await super().send(request, timeout=timeout)
        long = rb'"number":"\g<1>' + b"9" * 90 + rb'\\u0000"'
        return replace(answer, body=re.sub(rb'"number":\s*"?(\d+)"?', long, answer.body))


@pytest.mark.every_store
def test_numbers_that_fit_no_column_are_written_once(open_shop: Callable[..., Shop]) -> None:
    emulator = SwedbankPayEmulator(clock=VirtualClock())
    shop = open_shop(emulator=emulator, sender=_LongNumbers(emulator.mounts))
    payment = shop.bought(capture=CaptureMode.AUTOMATIC)
    shop.pay(payment)
    for source in ("host", "the page to which the reader comes back"):
        shop.payments.observe(payment.payment_id, source=source)
    shop.payments.refund(payment.payment_id, sek(1000), operation_id="refund:1")
    shop.payments.refund(payment.payment_id, sek(1000), operation_id="refund:2")
    shop.payments.observe(payment.payment_id)

    seen = shop.payments.get(payment.payment_id)
    assert (seen.captured, seen.refunded, seen.flags) == (sek(11900), sek(2000), ())
    assert shop.told.count("payment.refunded") == 2
    shop.books_agree()


_UNFIT = "\0\ud83d\x1b[31m\r\n"


@pytest.mark.two_stores
def test_each_text_of_an_answer_may_be_strange(rewriting: tuple[Shop, Rewriter]) -> None:
    """Every text of a paid order is strange once: the books take the answer, and hold nothing that cannot be shown."""
    shop, rewriter = rewriting
    payment = shop.bought()
    shop.pay(payment)
    count = 0

    def strange(_request: HttpRequest, answer: HttpResponse) -> HttpResponse:
        document = json.loads(answer.body)
        paths = list(paths_of(document))
        if count < len(paths):
            *within, last = paths[count]
            place = document
            for step in within:
                place = place[step]
            place[last] += _UNFIT
        return replace(answer, body=json.dumps(document).encode())

    rewriter.rewrite = strange
    for count in range(60):  # noqa: B007 - read by the function above
        error = shop.tries(lambda: shop.payments.observe(payment.payment_id))
        assert error is None or isinstance(error, UnexpectedAnswer), error
        assert str(error).isprintable()

    assert shop.payments.observe(payment.payment_id).state is PaymentState.AUTHORIZED
    shown = [(event.detail, event.decline, as_text(event.raw)) for event in shop.events]
    shown += [(flag.detail, None, "") for flag in shop.payments.get(payment.payment_id).flags]
    assert [each for each in shown if not all(text.isprintable() for text in each if isinstance(text, str))] == []
    engine = open_engine(shop.database)
    with engine.connect() as connection:
        kept = as_text([list(row) for row in everything(connection)])
    engine.dispose()
    assert [each for each in ("\\u0000", "\\ud83d", "\\u001b") if each in kept] == []


def as_text(value: Any) -> str:
    """Return every text of a value, escaped."""
    return json.dumps(value, default=repr)


_FLAWS = ("\0", "\x1b[2J", "\ud83d")


@pytest.mark.parametrize("flaw", _FLAWS)
def test_an_order_with_a_strange_character_is_refused_by_name(shop: Shop, flaw: str) -> None:
    said: dict[str, Callable[[], object]] = {
        "description": lambda: an_order(description=f"One{flaw}"),
        "order_reference": lambda: an_order(order_reference=f"K{flaw}"),
        "return_url": lambda: an_order(return_url=f"https://shop.example/{flaw}"),
        "payer.reference": lambda: Payer(reference=f"R{flaw}"),
        "payer.email": lambda: Payer(email=f"leia@shop.example{flaw}"),
        "address.street": lambda: Address(street=f"Gatan{flaw}"),
        "risk.pick_up_name": lambda: RiskFacts(pick_up_name=f"Leia{flaw}"),
        "lines.name": lambda: OrderLine(name=f"Paper{flaw}", amount=sek(100), vat_percent=6),
        "metadata": lambda: an_order(metadata={"a": f"b{flaw}"}),
        "extra": lambda: an_order(extra={"deep": [{f"a{flaw}": 1}]}),
        "consent.channel": lambda: replace(CONSENT, channel=f"web{flaw}"),
        "reference": lambda: PayoutOrder(amount=sek(100), payee_phone="46701234567", reference=f"P{flaw}"),
        "period": lambda: shop.payments.charge(
            "man_1", sek(100), operation_id="charge:1", description="One", period=f"2026{flaw}"
        ),
        "reason": lambda: shop.payments.settle_by_hand(
            "order:1", provider_reference=None, person="Han", reason=f"seen{flaw}"
        ),
    }
    for field, make in said.items():
        with pytest.raises(InvalidOrder, match="must not hold the character U\\+") as refused:
            make()
        assert refused.value.field == field
    assert an_order(description="One month,\r\n\tin words").description == "One month,\r\n\tin words"


_UNNAMED = ("\t", "\xa0", "\xad", "\u200b", "\u200d", "\u202e", "\u3000", "\ufeff")
_MEANT = "must not (hold the character U\\+|begin or end with a space)"


def test_a_name_that_may_come_back_in_another_form_is_refused(shop: Shop) -> None:
    takes: dict[str, Callable[[str], object]] = {
        "order_reference": lambda name: an_order(order_reference=name),
        "payer.reference": lambda name: Payer(reference=name),
        "reference": lambda name: PayoutOrder(amount=sek(100), payee_phone="46701234567", reference=name),
        "payee_reference": lambda name: PayoutOrder(
            amount=sek(100), payee_phone="46701234567", reference="P", payee_reference=name
        ),
    }
    for field, make in takes.items():
        for name in (*(f"K{each}1" for each in _UNNAMED), " K", "K "):
            with pytest.raises(InvalidOrder, match=_MEANT) as refused:
                make(name)
            assert refused.value.field == field
        make("K\xe5 1")
    header = "payer_reference,kind,token,text_version,agreed_at"
    line = "R\u00a01,unscheduled,token,terms,2026-01-31T12:00:00+01:00"
    (problem,) = shop.payments.mandates.take_over(f"{header}\n{line}\n", dry_run=True, check=False).problems
    assert (problem.column, problem.line) == ("payer_reference", 2)


@pytest.mark.parametrize("change", [{"order_reference": "K" * 101}, {"payer": Payer(reference="R" * 200)}])
@pytest.mark.every_store
def test_a_name_that_fits_no_column_is_refused(shop: Shop, change: dict[str, Any]) -> None:
    if "payer" in change:
        shop.bought(**change)
        with pytest.raises(InvalidOrder, match="at most 200 characters"):
            Payer(reference="R" * 201)
        return
    with pytest.raises(InvalidOrder, match="at most"):
        shop.bought(**change)


_LONG = ("1 " * 8_000, "a" * 16_000, "pay_\0", "pay_\ud83d", "pay_ö", "")


def test_an_id_that_no_id_can_have_is_refused_before_anything_is_asked(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: object) -> None:
        pytest.fail("the database was asked")

    monkeypatch.setattr(_Transactions, "_run", asked)
    needed = {"order": an_order(), "amount": sek(100), "description": "x", "reason": "x", "provider_reference": None}
    tried = 0
    for named in (shop.payments, shop.mandates):
        for name, method in inspect.getmembers(type(named.target), inspect.iscoroutinefunction):
            parameters = dict(list(inspect.signature(method).parameters.items())[1:])
            ids = set() if name.startswith("_") else {"payment_id", "mandate_id", "operation_id"} & parameters.keys()
            for place in ids:
                given = {each: needed.get(each, "x") for each, what in parameters.items() if what.default is what.empty}
                for strange in _LONG:
                    tried += 1
                    error = shop.tries(lambda: getattr(named, name)(**given | {place: strange}))  # noqa: B023 - called at once
                    assert isinstance(error, InvalidOrder | NotFound), (name, place, error)
                    assert len(str(error)) < 300
                    assert str(error).isprintable()
    assert tried > 100


_LINE: dict[str, Any] = {"name": "Paper", "amount": sek(11900), "vat_percent": 6}
_VALUES: dict[str, Callable[..., Any]] = {
    "Order": an_order,
    "Payer": lambda **named: an_order(payer=Payer(**named)),
    "Address": lambda **named: an_order(payer=Payer(billing_address=Address(**named))),
    "RiskFacts": lambda **named: an_order(risk=RiskFacts(**named)),
    "OrderLine": lambda **named: an_order(lines=(OrderLine(**_LINE | named),)),
    "Consent": lambda **named: an_order(payer=READER, store=StoreMethod(consent=replace(CONSENT, **named))),
}


def test_no_error_quotes_more_than_a_line_of_what_a_host_hands_over() -> None:
    tried, longest = 0, 0
    for provider in (card.provider(), swish.provider()):
        for name, make in _VALUES.items():
            kind = getattr(prenopay, name)
            for field in (each.name for each in fields(kind) if each.type == "str"):
                for text in ("1 " * 8_000, "é" * 16_000, "https://shop.example/" + "a" * 16_000):
                    tried += 1
                    try:
                        provider.check_order(make(**{field: text}))
                    except InvalidOrder as error:
                        longest = max(longest, len(str(error)))
    assert tried > 150
    assert 0 < longest < 400


class _Word(StrEnum):
    A = "K-8"


class _Number(IntEnum):
    A = 18


def test_what_inherits_a_value_is_refused_by_name_and_what_stands_for_a_text_is_that_text(shop: Shop) -> None:
    for kind in codec._BY_TYPE:
        inherits = type(f"Own{kind.__name__}", (kind,), {})
        with pytest.raises(TypeError, match=f"must be {kind.__name__} itself, not Own{kind.__name__}"):
            fitted("it", object.__new__(inherits), kind, refuse_misuse)
    with pytest.raises(InvalidOrder, match="amount: must be Money itself"):
        an_order(amount=type("Kronor", (Money,), {})(11900, "SEK"))

    named = an_order(order_reference=_Word.A, description=_Word.A, metadata={_Word.A: _Number.A}, age_limit=_Number.A)
    assert [type(each) for each in (named.order_reference, named.description, named.age_limit)] == [str, str, int]
    payment = shop.payments.create(named, operation_id="order:named")
    assert shop.payments.order(payment.payment_id) == named
    assert [each.payment_id for each in shop.payments.find(order_reference=_Word.A)] == [payment.payment_id]


def test_the_accounts_know_their_names(shop: Shop) -> None:
    accounts: Any = shop.accounts.target
    assert ("cards" in accounts, "other" in accounts, list(accounts)) == (True, False, ["cards"])
