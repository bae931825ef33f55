"""Nothing secret leaves: no token, no callback identifier, no key, no phone and no personal number."""

from __future__ import annotations

import logging

import pytest
from sqlalchemy import select

from prenopay import Payer
from prenopay.books import schema
from prenopay.books.engine import open_engine
from prenopay.providers.swish.encoding import callback_identifier
from prenopay.testing.emulators.swish import SwishPayer
from prenopay.testing.faults import Fault, FaultKind
from prenopay.values.subjects import Subject
from tests.behaviour.shop import KEY
from tests.everything import stored_answers
from tests.swish.shop import PERSONAL_NUMBER, PHONE, SwishShop, a_payout, by_phone, certificate

PAYER = Payer(phone="+" + PHONE, personal_number=PERSONAL_NUMBER, must_match_personal_number=True)


def live(shop: SwishShop) -> list[str]:
    """Do all sorts of things; return what must not be seen of them."""
    shop.swish.enrol(SwishPayer(msisdn=PHONE, ssn=PERSONAL_NUMBER))
    asked = shop.bought("order:1", **by_phone(payer=PAYER))
    shop.pay(asked)
    shop.deliver_callbacks()
    shop.swish.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="create"))
    shop.tries(lambda: shop.bought("order:2"))
    scanned = shop.bought("order:2")
    shop.pay(scanned, msisdn=PHONE)
    shop.payments.observe(scanned.payment_id)
    shop.refund(shop.payments.get(scanned.payment_id))
    shop.payments.pay_out(a_payout(), operation_id="payout:1")
    shop.swish.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="payout"))
    shop.tries(lambda: shop.payments.pay_out(a_payout(reference="VINST-2"), operation_id="payout:2"))
    for _ in range(3):
        shop.later(minutes=5)
        shop.deliver_callbacks()
        shop.accounts.sweep()
    tokens = [each.token for each in shop.swish.payments if each.token]
    urls = [
        shop.accounts.callback_urls.url(shop.account_name, Subject.payment(each.payment_id))
        for each in shop.payments.find()
    ]
    keys = [certificate().key_pem.decode().splitlines()[3], KEY]
    return [*tokens, *map(callback_identifier, urls), *keys, PHONE, PHONE[2:], PERSONAL_NUMBER]


def leaks(text: str, secrets: list[str]) -> list[str]:
    assert len(secrets) >= 9
    return [secret for secret in secrets if secret.lower() in text.lower()]


def test_logs_hold_no_secret(shop: SwishShop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "prenopay")
    secrets = live(shop)

    everything = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)

    assert leaks(everything, secrets) == []
    exchanges = [record for record in caplog.records if record.name == "prenopay.exchange"]
    assert len(exchanges) == len(shop.swish.transcript.seen)


def test_values_show_no_secret(shop: SwishShop) -> None:
    secrets = live(shop)
    payments = shop.payments.find()
    shown = [
        *payments,
        *(shop.payments.order(payment.payment_id) for payment in payments),
        *shop.payments.payouts(),
        *shop.events,
        *shop.accounts.callbacks(),
        *(each for payment in payments for each in shop.payments.timeline(payment.payment_id)),
        a_payout(),
        shop.payments.target,
        shop.payments.provider,
        shop.payments.provider._config,
    ]

    assert leaks("\n".join(repr(value) for value in shown), secrets) == []
    assert leaks(repr([event.raw for event in shop.events]), secrets) == []


def test_stored_answers_hold_no_secret(shop: SwishShop) -> None:
    secrets = live(shop)
    engine = open_engine(shop.database)
    with engine.connect() as connection:
        columns = (schema.events.c.body, schema.operations.c.error, schema.payouts.c.body)
        rows = [tuple(row) for column in columns for row in connection.execute(select(column))]
        rows += stored_answers(connection)
    engine.dispose()

    assert rows
    assert leaks(repr(rows), secrets) == []
