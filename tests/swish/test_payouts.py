"""Payouts: signed once, sent as the same bytes, looked up before a repeat, erased when they have ended."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from prenopay import EventKind, Outcome, Subject
from prenopay.books import schema
from prenopay.books.engine import open_engine
from prenopay.errors import IdReused, InvalidOrder, NotSent, PrenopayError, Unauthenticated
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.testing.emulators.swish import DEFAULT_NUMBER, KeyPurpose, is_payout_signature
from prenopay.testing.faults import Fault, FaultKind
from prenopay.testing.http import EmulatorSender
from tests.behaviour.shop import sek
from tests.everything import everything
from tests.swish.shop import OTHER_NUMBER, PERSONAL_NUMBER, SwishShop, a_payout, authority, certificate


class Listening:
    """Keeps the payouts that were sent."""

    def __init__(self, shop: SwishShop) -> None:
        self._sender = EmulatorSender(shop.swish.mounts)
        self.bodies: list[bytes] = []

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109
        if request.label == "payout" and request.method == "POST":
            self.bodies.append(request.body)
        return await self._sender.send(request, timeout=timeout)


def stored_bodies(shop: SwishShop) -> list[bytes]:
    engine = open_engine(shop.database)
    with engine.connect() as connection:
        found = [bytes(body) for body in connection.scalars(select(schema.payouts.c.body))]
    engine.dispose()
    return found


def everything_stored(shop: SwishShop) -> str:
    engine = open_engine(shop.database)
    with engine.connect() as connection:
        rows = everything(connection)
    engine.dispose()
    return repr(rows)


def pay_out(shop: SwishShop, **changes: Any) -> Any:
    return shop.payments.pay_out(a_payout(**changes), operation_id="payout:1")


def arrive(shop: SwishShop) -> None:
    shop.later(minutes=1)
    shop.deliver_callbacks()


@pytest.mark.every_store
def test_a_payout_is_under_way_until_it_has_arrived(shop: SwishShop) -> None:
    payout = pay_out(shop)
    assert payout.outcome is Outcome.PENDING

    shop.later(seconds=5)
    shop.deliver_callbacks()
    assert shop.payments.payout("payout:1").outcome is Outcome.PENDING, "debited is not paid"
    arrive(shop)

    payout = shop.payments.payout("payout:1")
    assert payout.outcome is Outcome.SUCCEEDED
    assert shop.payments.payouts() == (payout,)
    shop.books_agree()


def test_without_callbacks_the_sweep_sees_it_arrive(shop: SwishShop) -> None:
    pay_out(shop)
    shop.later(minutes=5)
    assert shop.accounts.sweep().failures == ()
    assert shop.payments.payout("payout:1").outcome is Outcome.SUCCEEDED
    shop.books_agree()


def test_it_is_signed_once_and_resent_as_the_same_bytes(shop: SwishShop) -> None:
    sender = Listening(shop)
    process = shop.restarted(sender=sender)
    shop.swish.faults.add(Fault(kind=FaultKind.DROP_BEFORE, call="payout", times=3))
    for _ in range(3):
        assert process.tries(lambda: pay_out(process)) is not None
        process.later(minutes=3)
    (body,) = stored_bodies(shop)
    assert pay_out(process).outcome is Outcome.PENDING
    process.close()

    assert len(sender.bodies) == 4
    assert set(sender.bodies) == {body}
    sent = json.loads(body)
    payload = body[len(b'{"payload":') : body.index(b"}") + 1]
    key = certificate().leaf.public_key()
    assert is_payout_signature(key, payload, sent["signature"])  # type: ignore[arg-type]  # leaves are RSA
    assert len(shop.swish.payouts) == 1
    arrive(shop)
    shop.books_agree()


def test_a_uuid_that_was_seen_before_is_looked_up(shop: SwishShop) -> None:
    """The gateway acted on the first try, and the look-up before the second does not find it yet."""
    shop.swish.faults.add(
        Fault(kind=FaultKind.DROP_AFTER, call="payout"),
        Fault(kind=FaultKind.STATUS_BEFORE, call="get-payout", status=404),
    )
    assert shop.tries(lambda: pay_out(shop)) is not None
    shop.later(minutes=3)

    again = pay_out(shop)

    assert shop.calls("payout") == 2, "the second was answered with RP09"
    assert again.outcome in {Outcome.PENDING, Outcome.SUCCEEDED}
    assert len(shop.swish.payouts) == 1
    arrive(shop)
    shop.accounts.sweep()
    shop.books_agree()


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER, FaultKind.HALF_BODY])
@pytest.mark.parametrize("how", ["again", "resolve", "sweep"])
def test_a_lost_answer_is_found_out_and_sent_once(shop: SwishShop, kind: FaultKind, how: str) -> None:
    shop.swish.faults.add(Fault(kind=kind, call="payout"))
    shop.tries(lambda: pay_out(shop))
    assert shop.payments.payout("payout:1").outcome is Outcome.UNKNOWN or kind is FaultKind.HALF_BODY
    shop.later(minutes=3)
    if how == "again":
        pay_out(shop)
    elif how == "resolve":
        shop.payments.resolve_payout("payout:1")
    else:
        assert shop.accounts.sweep().failures == ()
    for _ in range(3):
        shop.later(minutes=10)
        shop.accounts.sweep()

    assert shop.payments.payout("payout:1").outcome is Outcome.SUCCEEDED
    assert len(shop.swish.payouts) == 1
    shop.books_agree()


def test_what_did_not_leave_was_not_attempted(shop: SwishShop) -> None:
    shop.swish.faults.add(Fault(kind=FaultKind.REFUSE, call="payout", times=50))
    assert isinstance(shop.tries(lambda: pay_out(shop)), NotSent)
    assert shop.payments.payout("payout:1").outcome is Outcome.NOT_ATTEMPTED
    shop.swish.faults.clear()

    pay_out(shop)
    arrive(shop)
    assert shop.payments.payout("payout:1").outcome is Outcome.SUCCEEDED


def test_a_wrong_certificate_sends_nothing_and_the_next_try_is_signed_again(shop: SwishShop) -> None:
    sender = Listening(shop)
    foreign = certificate(OTHER_NUMBER)
    signing = {"signing_certificate": foreign.chain_pem, "signing_key": foreign.key_pem}
    process = shop.restarted(sender=sender, **signing)
    error = process.tries(lambda: pay_out(process))
    process.close()
    assert isinstance(error, PrenopayError)
    assert shop.payments.payout("payout:1").outcome is Outcome.NOT_ATTEMPTED
    assert shop.swish.payouts == ()

    mended = shop.restarted(sender=sender)
    assert pay_out(mended).outcome is Outcome.PENDING
    mended.close()
    assert len(set(sender.bodies)) == 2
    arrive(shop)
    shop.books_agree()


def test_a_signing_certificate_of_its_own_is_named_and_used(shop: SwishShop) -> None:
    shop.swish.behaviour = replace(shop.swish.behaviour, payout_signers="signing_only")
    assert shop.tries(lambda: pay_out(shop)) is not None
    signing = authority().issue(DEFAULT_NUMBER, key_size=2048, purpose=KeyPurpose.SIGNING)
    process = shop.restarted(signing_certificate=signing.certificate_pem, signing_key=signing.key_pem)

    assert pay_out(process).outcome is Outcome.PENDING
    process.close()
    arrive(shop)
    shop.books_agree()


def test_a_bank_that_does_no_payouts_is_ours_to_fix(shop: SwishShop) -> None:
    error = shop.tries(lambda: pay_out(shop, description="ACMT13"))
    assert isinstance(error, Unauthenticated)
    assert shop.payments.payout("payout:1").outcome is Outcome.NOT_ATTEMPTED


@pytest.mark.parametrize("code", ["ACMT15", "RF07"])
def test_a_refusal_is_a_decline_and_ends_it(shop: SwishShop, code: str) -> None:
    payout = pay_out(shop, description=code)
    assert payout.outcome is Outcome.DECLINED
    assert payout.decline.provider_code == code
    assert shop.swish.payouts == ()


def test_one_that_fails_at_the_bank_is_declined(shop: SwishShop) -> None:
    payout = pay_out(shop)
    shop.swish.fail(payout.reference, "FF10")
    shop.deliver_callbacks()
    assert shop.payments.payout("payout:1").outcome is Outcome.DECLINED
    shop.books_agree()


def test_the_personal_number_is_gone_when_it_has_ended(shop: SwishShop) -> None:
    pay_out(shop)
    assert PERSONAL_NUMBER in everything_stored(shop)

    arrive(shop)

    assert stored_bodies(shop) == [b""]
    stored = everything_stored(shop)
    assert [secret for secret in (PERSONAL_NUMBER, "701740606") if secret in stored] == []


@pytest.mark.every_store
def test_the_same_id_pays_once_and_another_payout_under_it_is_refused(shop: SwishShop) -> None:
    first = pay_out(shop)
    assert pay_out(shop).payout_id == first.payout_id
    others: list[tuple[dict[str, Any], str]] = [
        ({"reference": "VINST-2"}, "reference"),
        ({"amount": sek(1), "description": "more"}, "amount, description"),
        ({"payee_phone": "46701740607"}, "payee_phone, payee_personal_number or payee_reference"),
    ]
    for other, named in others:
        error = shop.tries(functools.partial(pay_out, shop, **other))
        assert isinstance(error, IdReused)
        assert f"(these differ: {named})" in str(error)
    arrive(shop)
    assert pay_out(shop).outcome is Outcome.SUCCEEDED
    assert shop.calls("payout") == 1


@pytest.mark.parametrize("changes", [{"payee_personal_number": ""}, {"payee_phone": "12"}, {"reference": "Vinst å"}])
def test_what_cannot_be_expressed_is_refused_and_not_stored(shop: SwishShop, changes: dict[str, Any]) -> None:
    assert isinstance(shop.tries(lambda: pay_out(shop, **changes)), InvalidOrder)
    assert shop.payments.payouts() == ()


def test_a_callback_that_lies_about_a_payout_changes_nothing(shop: SwishShop) -> None:
    payout = pay_out(shop)
    shop.swish.forge_callback(payout.reference, naming="AB" * 16)
    shop.deliver_callbacks()
    assert shop.payments.payout("payout:1").outcome is Outcome.PENDING


# What the host hears


def test_the_host_hears_once_that_a_payout_has_arrived(shop: SwishShop) -> None:
    payout = pay_out(shop)
    arrive(shop)
    shop.accounts.sweep()
    shop.payments.resolve_payout("payout:1")

    (heard,) = shop.events
    assert (heard.kind, heard.subject) == (EventKind.PAYOUT_PAID, Subject.payout(payout.payout_id))
    assert (heard.operation_id, heard.amount, heard.number) == ("payout:1", payout.amount, 1)
    assert (heard.payment_id, heard.state, heard.is_paid) == ("", None, False)


def test_the_host_hears_once_that_a_payout_did_not_leave(shop: SwishShop) -> None:
    payout = pay_out(shop)
    shop.swish.fail(payout.reference, "FF10")
    shop.deliver_callbacks()
    shop.accounts.sweep()

    (heard,) = shop.events
    assert heard.kind is EventKind.PAYOUT_DECLINED
    assert heard.decline == shop.payments.payout("payout:1").decline


def test_a_person_settles_a_payout_that_certainly_did_not_happen(shop: SwishShop) -> None:
    shop.swish.faults.add(Fault(kind=FaultKind.DROP_BEFORE, call="payout", times=9))
    shop.tries(lambda: pay_out(shop))
    early = shop.tries(lambda: by_hand(shop))
    shop.later(minutes=11)

    settled = by_hand(shop)

    assert "only an unknown outcome" in str(early) or "on its way" in str(early)
    assert settled.outcome is Outcome.NOT_ATTEMPTED
    assert shop.payments.payout("payout:1").outcome is Outcome.NOT_ATTEMPTED


def by_hand(shop: SwishShop) -> Any:
    return shop.payments.settle_by_hand(
        "payout:1", provider_reference=None, person="Siv", reason="the bank's list shows none"
    )


def test_a_success_that_is_not_the_gateways_proves_nothing(shop: SwishShop) -> None:
    shop.swish.faults.add(Fault(kind=FaultKind.STATUS_BEFORE, status=200, call="payout"))
    shop.tries(lambda: pay_out(shop))

    assert shop.payments.payout("payout:1").outcome is Outcome.UNKNOWN
    for _ in range(3):
        shop.later(minutes=30)
        shop.accounts.sweep()
    assert shop.payments.payout("payout:1").outcome is Outcome.SUCCEEDED
    assert len(shop.swish.payouts) == 1
