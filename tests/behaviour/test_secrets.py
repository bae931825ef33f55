"""Nothing secret leaves: not in logs, errors, reprs or events, nor in stored answers of the gateway."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from sqlalchemy import select

from prenopay import CaptureMode, Payer, Secret
from prenopay.books import schema
from prenopay.books.engine import open_engine
from prenopay.testing.emulators.swedbankpay import DEFAULT_ACCESS_TOKEN
from prenopay.testing.faults import Fault, FaultKind
from prenopay.values.events import Event
from prenopay.values.orders import Address, RiskFacts
from tests.behaviour.shop import KEY, Shop, an_order
from tests.everything import stored_answers

EMAIL, PHONE, STREET = "leia@example.com", "+46739000001", "Hemliga gatan 5"
PERSONAL_NUMBER = "199710202392"
PAYER = Payer(
    reference="R-77",
    first_name="Leia",
    last_name="Ahlström",
    email=EMAIL,
    phone=PHONE,
    personal_number=PERSONAL_NUMBER,
    shipping_address=Address(first_name="Leia", street=STREET, city="Järfälla", zip_code="17674"),
)
RISK = RiskFacts(delivery_email="han@example.com", pick_up_name="Han Solo")
BROWSER = "Mozilla/5.0 (a reader's own)"
SECRETS = (
    DEFAULT_ACCESS_TOKEN,
    KEY,
    EMAIL,
    PHONE,
    STREET,
    PERSONAL_NUMBER,
    "Ahlström",
    "han@example.com",
    "Han Solo",
    "4761739001010416",
)


def leaks(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


def live(shop: Shop) -> None:
    """Do all sorts of things."""
    payment = shop.bought(payer=PAYER, risk=RISK, payer_user_agent=BROWSER, capture=CaptureMode.AUTOMATIC)
    shop.pay(payment, pan="4761739001010416")
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="capture", method="POST"))
    shop.payments.observe(payment.payment_id)
    shop.later(minutes=10)
    shop.deliver_callbacks()
    shop.accounts.sweep()
    shop.payments.refund(payment.payment_id, operation_id="refund:1")
    wrong = shop.add("wrong", access_token=Secret("the-wrong-secret-token"))
    error = shop.tries(lambda: wrong.create(an_order(), operation_id="order:2"))
    assert "the-wrong-secret-token" not in f"{error!r} {error}"


def test_logs_hold_no_secret_and_one_line_an_exchange(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "prenopay")
    live(shop)

    everything = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)

    assert leaks(everything) == []
    exchanges = [record for record in caplog.records if record.name == "prenopay.exchange"]
    assert len(exchanges) == len(shop.emulator.transcript.seen)
    assert "cards POST create -> 201" in exchanges[0].getMessage()


def test_what_a_handler_raises_is_logged_masked_and_with_its_place(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_event: Event) -> None:
        message = f"cannot write to {EMAIL}"
        raise RuntimeError(message)

    shop.on_event = fails
    shop.pay(shop.bought(payer=PAYER))
    shop.deliver_callbacks()
    shop.accounts.sweep()

    failed = [each for each in caplog.records if "the handler failed" in each.getMessage()]
    assert failed
    for each in failed:
        assert "RuntimeError: cannot write to" in each.getMessage()
        assert f"{__file__}:" in each.getMessage()
        assert leaks(caplog.handler.format(each)) == []


def test_the_database_library_logs_no_row_and_no_parameter(
    open_shop: Callable[..., Shop], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "sqlalchemy")  # before it is opened: the library asks once
    live(open_shop())

    said = [record.getMessage() for record in caplog.records if record.name.startswith("sqlalchemy")]
    assert any(each.startswith("INSERT INTO prenopay_payers") for each in said)
    assert leaks("\n".join(said)) == []
    assert [each for each in said if each.startswith("Row ")] == []


def test_values_show_no_secret(shop: Shop) -> None:
    live(shop)
    (payment,) = shop.payments.find()
    shown = [
        payment,
        shop.payments.order(payment.payment_id),
        *shop.events,
        *shop.payments.timeline(payment.payment_id),
    ]

    assert leaks("\n".join(repr(value) for value in shown)) == []
    assert leaks(repr([event.raw for event in shop.events])) == []
    assert payment.redirect_url not in repr(payment)


def test_stored_answers_hold_no_secret(shop: Shop) -> None:
    live(shop)
    engine = open_engine(shop.database)
    with engine.connect() as connection:
        rows = [
            *stored_answers(connection),
            *connection.execute(select(schema.events.c.body)),
        ]
    engine.dispose()

    assert rows
    assert leaks(repr(rows)) == []
