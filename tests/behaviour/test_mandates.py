"""A reader's card is stored, shown, replaced and removed; the consent stays written down."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from prenopay import CaptureMode, EventKind, Payer, PaymentState, Subject
from prenopay.books import schema
from prenopay.books.engine import open_engine
from prenopay.books.vault import Vault
from prenopay.errors import ConfigurationError, Conflict, InvalidOrder, MandateUnusable, NotFound, PrenopayError
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.testing.faults import Fault, FaultKind
from prenopay.values.mandates import Consent, ConsentKind, MandateKind, MandateState, StoreMethod
from tests.behaviour.shop import CONSENT, READER, Rewriter, Shop, an_order, sek
from tests.everything import everything
from tests.rewiring import rewire

_FILE_HEADER = "payer_reference,kind,token,display,text_version,agreed_at\n"


def verify(shop: Shop, operation_id: str, **store: Any) -> Any:
    """Let the reader store a card without a purchase."""
    order = an_order(amount=sek(0), lines=(), payer=READER, store=StoreMethod(consent=CONSENT, **store))
    payment = shop.payments.create(order, operation_id=operation_id)
    shop.pay(payment, pan="5226600159865967")
    return shop.payments.observe(payment.payment_id)


@pytest.mark.every_store
def test_a_card_is_stored_with_a_purchase(shop: Shop) -> None:
    mandate = shop.stored()

    assert (mandate.state, mandate.kind, mandate.payer_reference) == (
        MandateState.ACTIVE,
        MandateKind.UNSCHEDULED,
        READER.reference,
    )
    assert "•••• 0416" in mandate.display
    assert mandate.consent == CONSENT
    assert EventKind.MANDATE_ACTIVE.value in shop.told
    assert [each.state for each in shop.mandates.history(mandate.mandate_id)] == [
        MandateState.PROPOSED,
        MandateState.ACTIVE,
    ]


def test_a_card_is_stored_without_a_purchase(shop: Shop) -> None:
    payment = verify(shop, "verify:1")

    (mandate,) = shop.mandates.of_payer(READER.reference)
    assert (payment.state, payment.captured, payment.is_paid) == (PaymentState.CAPTURED, sek(0), True)
    assert mandate.state is MandateState.ACTIVE
    told = [event for event in shop.events if event.kind is EventKind.MANDATE_ACTIVE]
    assert [event.mandate_id for event in told] == [mandate.mandate_id]


def test_until_the_payer_completes_nothing_is_stored_and_nothing_is_paid(shop: Shop) -> None:
    order = an_order(amount=sek(0), lines=(), payer=READER, store=StoreMethod(consent=CONSENT))
    payment = shop.payments.create(order, operation_id="verify:1")

    (mandate,) = shop.mandates.of_payer(READER.reference)
    assert (mandate.state, payment.is_paid) == (MandateState.PROPOSED, False)

    shop.payments.cancel(payment.payment_id, operation_id="cancel:1")
    (mandate,) = shop.mandates.of_payer(READER.reference)
    assert (mandate.state, mandate.reason) == (MandateState.DELETED, "not completed")


def test_several_kinds_are_stored_at_once(shop: Shop) -> None:
    kinds = (MandateKind.UNSCHEDULED, MandateKind.RECURRENCE, MandateKind.ONE_CLICK)
    shop.stored(store=StoreMethod(consent=CONSENT, kinds=kinds))

    held = shop.mandates.of_payer(READER.reference)
    assert {each.kind for each in held} == set(kinds)
    assert {each.state for each in held} == {MandateState.ACTIVE}


def test_a_new_card_replaces_the_old_one(shop: Shop) -> None:
    old = shop.stored()
    shop.later(days=40)
    verify(shop, "verify:new", replaces=old.mandate_id)
    shop.later(minutes=1)
    shop.accounts.sweep()

    new, before = shop.mandates.of_payer(READER.reference)
    assert (before.mandate_id, before.state, before.replaced_by) == (
        old.mandate_id,
        MandateState.REPLACED,
        new.mandate_id,
    )
    assert (new.state, new.replaces) == (MandateState.ACTIVE, old.mandate_id)
    at_gateway = [each for each in shop.emulator.tokens(READER.reference) if each.is_active]
    assert len(at_gateway) == 1


def test_another_readers_card_is_never_replaced(shop: Shop) -> None:
    theirs = shop.stored(payer=Payer(reference="R-78"))
    error = shop.tries(lambda: verify(shop, "verify:mine", replaces=theirs.mandate_id))

    assert isinstance(error, MandateUnusable)
    assert "another payer's" in str(error)
    assert len(shop.payments.find()) == 1
    assert shop.mandates.of_payer(READER.reference) == ()
    assert shop.mandates.get(theirs.mandate_id).state is MandateState.ACTIVE


def test_a_card_of_another_account_is_never_replaced(shop: Shop) -> None:
    old = shop.stored()
    other = shop.add("other")
    order = an_order(amount=sek(0), lines=(), payer=READER, store=StoreMethod(consent=CONSENT, replaces=old.mandate_id))
    error = shop.tries(lambda: other.create(order, operation_id="verify:other"))
    assert isinstance(error, NotFound)
    assert shop.mandates.get(old.mandate_id).state is MandateState.ACTIVE


def test_a_card_that_was_removed_or_never_stored_is_not_replaced(shop: Shop) -> None:
    removed = shop.stored()
    shop.mandates.remove(removed.mandate_id, reason="the reader asked")
    asked = shop.bought("order:open", payer=READER, store=StoreMethod(consent=CONSENT))
    proposed = next(each for each in shop.mandates.of_payer(READER.reference) if each.payment_id == asked.payment_id)
    for mandate_id in (removed.mandate_id, proposed.mandate_id):
        error = shop.tries(lambda: verify(shop, "verify:1", replaces=mandate_id))  # noqa: B023 - called at once
        assert isinstance(error, MandateUnusable)


def test_a_link_of_another_reader_is_never_replaced(shop: Shop) -> None:
    theirs = shop.bought("order:theirs", payer=Payer(reference="R-78"))
    error = shop.tries(
        lambda: shop.payments.replace(theirs.payment_id, an_order(payer=READER), operation_id="order:mine")
    )
    assert isinstance(error, InvalidOrder)
    assert error.field == "payer.reference"
    assert shop.payments.observe(theirs.payment_id).state is PaymentState.PENDING


def test_a_token_that_another_payer_has_is_never_taken_over(shop: Shop) -> None:
    token = shop.emulator.store_card("old-1").token
    assert shop.mandates.take_over(a_file(token)).added == 1
    for dry_run in (True, False):
        report = shop.mandates.take_over(a_file(token, payer="old-2"), check=False, dry_run=dry_run)
        assert (report.added, report.known, report.problems[0].column) == (0, 0, "token")
    assert shop.mandates.of_payer("old-2") == ()


def test_a_card_that_the_gateway_shows_to_two_readers_stays_with_the_first(rewriting: tuple[Shop, Rewriter]) -> None:
    shop, between = rewriting
    token = shop.emulator.store_card("R-77").token
    assert shop.mandates.take_over(a_file(token, payer="R-77")).added == 1
    asked = shop.bought(payer=Payer(reference="R-78"), store=StoreMethod(consent=CONSENT))
    shop.pay(asked)
    own = shop.emulator.tokens("R-78")[-1].token
    between.rewrite = lambda _, answer: replace(answer, body=answer.body.replace(own.encode(), token.encode()))

    shop.payments.observe(asked.payment_id)
    (refused,) = shop.mandates.of_payer("R-78")
    (first,) = shop.mandates.of_payer("R-77")
    assert (refused.state, first.state) == (MandateState.DELETED, MandateState.ACTIVE)
    assert ended(shop) == [(refused.mandate_id, "the gateway showed a method that another payer has stored")]


def test_a_card_proposed_with_a_payment_that_never_was_is_not_proposed_for_ever(shop: Shop) -> None:
    shop.emulator.faults.add(Fault(kind=FaultKind.REFUSE, call="create", times=9))
    assert shop.tries(lambda: shop.bought(payer=READER, store=StoreMethod(consent=CONSENT))) is not None
    (mandate,) = shop.mandates.of_payer(READER.reference)
    assert mandate.state is MandateState.PROPOSED

    shop.later(days=40)
    shop.accounts.sweep()
    (mandate,) = shop.mandates.of_payer(READER.reference)
    assert (mandate.state, mandate.reason) == (MandateState.DELETED, "not completed")
    assert ended(shop) == []


@pytest.mark.every_store
def test_a_removed_card_is_gone_here_and_at_the_gateway(shop: Shop) -> None:
    mandate = shop.stored()
    removed = shop.mandates.remove(mandate.mandate_id, reason="the reader asked", actor="reader")

    assert (removed.state, removed.reason) == (MandateState.DELETED, "the reader asked")
    assert not any(each.is_active for each in shop.emulator.tokens(READER.reference))
    assert tokens_kept(shop) == 0
    assert shop.mandates.history(mandate.mandate_id)[-1].actor == "reader"
    assert shop.mandates.remove(mandate.mandate_id, reason="again").state is MandateState.DELETED


@pytest.mark.parametrize("kind", [FaultKind.REFUSE, FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER])
def test_a_removal_that_is_interrupted_is_finished_by_the_sweep(shop: Shop, kind: FaultKind) -> None:
    mandate = shop.stored()
    shop.emulator.faults.add(Fault(kind=kind, call="delete-token", times=9))
    shop.emulator.faults.add(Fault(kind=kind, call="get-token", times=9))

    error = shop.tries(lambda: shop.mandates.remove(mandate.mandate_id, reason="the reader asked"))
    assert isinstance(error, PrenopayError)
    assert shop.mandates.get(mandate.mandate_id).state is MandateState.DELETED, "it is never charged again from now on"

    shop.emulator.faults.clear()
    shop.later(hours=1)
    shop.accounts.sweep()
    assert not any(each.is_active for each in shop.emulator.tokens(READER.reference))
    assert tokens_kept(shop) == 0


@pytest.mark.every_store
def test_all_cards_of_a_payer_are_removed_only_if_that_is_confirmed(shop: Shop) -> None:
    shop.stored()
    verify(shop, "verify:2")
    error = shop.tries(lambda: shop.mandates.remove_all(READER.reference, reason="moved", confirm=""))
    assert isinstance(error, InvalidOrder)
    assert "other systems" in str(error)

    left = shop.mandates.remove_all(READER.reference, reason="moved", confirm=READER.reference)
    assert {each.state for each in left} == {MandateState.DELETED}
    assert not any(each.is_active for each in shop.emulator.tokens(READER.reference))


@pytest.mark.every_store
def test_what_the_issuer_changed_silently_is_shown_after_a_refresh(shop: Shop) -> None:
    mandate = shop.stored(pan="4111112000003211")
    (token,) = shop.emulator.tokens(READER.reference)
    shop.emulator.replace_card(token.token, "4111112000006545", "11/2035")

    (shown,) = shop.mandates.refresh(READER.reference)
    assert shown.mandate_id == mandate.mandate_id
    assert shown.display != mandate.display
    assert shown.state is MandateState.ACTIVE


@pytest.mark.every_store
def test_a_card_that_the_gateway_no_longer_has_is_revoked_when_a_later_look_confirms_it(shop: Shop) -> None:
    mandate = shop.stored()
    (token,) = shop.emulator.tokens(READER.reference)
    shop.emulator.archive_token(token.token, reason="the bank asked for it")

    for _ in range(2):
        shop.mandates.refresh(READER.reference)
        assert shop.mandates.get(mandate.mandate_id).state is MandateState.ACTIVE
    assert shop.mandates.missing() == (shop.mandates.get(mandate.mandate_id),)
    shop.later(hours=25)
    assert shop.accounts.sweep().failures == ()
    assert shop.mandates.get(mandate.mandate_id).state is MandateState.REVOKED
    assert shop.mandates.missing() == ()
    assert ended(shop) == [(mandate.mandate_id, "the gateway no longer has it")]

    shop.later(days=70)
    for _ in range(3):
        shop.accounts.sweep()
    assert tokens_kept(shop) == 0


# What a gateway does not show


def hiding(tokens: Callable[[], tuple[Any, ...]]) -> Callable[[HttpRequest, HttpResponse], HttpResponse]:
    """Return what makes the gateway's lists leave out some tokens, as a list does that lags."""

    def rewrite(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
        if request.method != "GET" or request.label not in {"list methods", "remove methods"}:
            return answer
        listed: dict[str, Any] = json.loads(answer.body)
        hidden = {each.token for each in tokens()}
        envelope: dict[str, Any] = listed["tokens"]
        envelope["tokenList"] = [each for each in envelope["tokenList"] if each["token"] not in hidden]
        return replace(answer, body=json.dumps(listed).encode())

    return rewrite


def no_payer(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    """Have the gateway say that it does not know the payer."""
    if request.label != "list methods":
        return answer
    body = {"type": "https://api.payex.com/psp/errordetail/notfound", "title": "Not found", "status": 404}
    return HttpResponse(status=404, headers=answer.headers, body=json.dumps(body).encode())


@pytest.mark.parametrize("how", ["a list that lags", "an unknown payer"])
def test_one_look_that_shows_no_card_ends_none(rewriting: tuple[Shop, Rewriter], how: str) -> None:
    shop, between = rewriting
    mandates = [shop.stored("order:1"), shop.stored("order:2", pan="5226612199533406")]
    between.rewrite = no_payer if how == "an unknown payer" else hiding(shop.emulator.tokens)
    shown = shop.mandates.refresh(READER.reference)
    assert {each.state for each in shown} == {MandateState.ACTIVE}
    assert len(shop.mandates.missing()) == 2

    between.rewrite = lambda _request, answer: answer
    shop.later(hours=25)
    assert shop.accounts.sweep().failures == ()
    assert shop.mandates.missing() == ()
    for number, mandate in enumerate(mandates):
        assert shop.drawn(mandate, f"renewal:{number}").succeeded
    assert ended(shop) == []


@pytest.mark.every_store
def test_a_card_that_is_seen_again_works_again(rewriting: tuple[Shop, Rewriter]) -> None:
    shop, between = rewriting
    mandate = shop.stored()
    between.rewrite = hiding(shop.emulator.tokens)
    shop.mandates.refresh(READER.reference)
    shop.later(hours=25)
    shop.accounts.sweep()
    assert isinstance(shop.tries(lambda: shop.drawn(mandate, "renewal:1")), MandateUnusable)

    between.rewrite = lambda _request, answer: answer
    shop.later(days=3)
    assert shop.accounts.sweep().failures == ()
    assert shop.drawn(mandate, "renewal:2").succeeded
    told = [event.kind for event in shop.events if event.mandate_id == mandate.mandate_id]
    assert told == [EventKind.MANDATE_ACTIVE, EventKind.MANDATE_ENDED, EventKind.MANDATE_ACTIVE]
    states = [each.state for each in shop.mandates.history(mandate.mandate_id)]
    assert states[-2:] == [MandateState.REVOKED, MandateState.ACTIVE]


def test_a_card_that_rests_still_rests_when_it_is_seen_again(rewriting: tuple[Shop, Rewriter]) -> None:
    shop, between = rewriting
    mandate = shop.stored()
    shop.emulator.decline_next_charge("acquirererrordonotretry")
    shop.drawn(mandate, "renewal:1")
    between.rewrite = hiding(shop.emulator.tokens)
    shop.mandates.refresh(READER.reference)
    shop.later(hours=25)
    shop.accounts.sweep()
    assert shop.mandates.get(mandate.mandate_id).state is MandateState.REVOKED

    between.rewrite = lambda _request, answer: answer
    shop.mandates.refresh(READER.reference)
    assert shop.mandates.get(mandate.mandate_id).state is MandateState.SUSPENDED
    shop.later(days=31)
    shop.accounts.sweep()
    assert shop.mandates.get(mandate.mandate_id).state is MandateState.ACTIVE


def test_a_card_that_was_charged_while_it_was_missing_is_not_revoked(rewriting: tuple[Shop, Rewriter]) -> None:
    shop, between = rewriting
    mandate = shop.stored()
    between.rewrite = hiding(shop.emulator.tokens)
    shop.mandates.refresh(READER.reference)
    shop.later(hours=20)
    assert shop.drawn(mandate, "renewal:1").succeeded
    shop.later(hours=5)
    shop.accounts.sweep()
    assert shop.mandates.get(mandate.mandate_id).state is MandateState.ACTIVE


def test_many_cards_that_are_missing_at_once_wait_for_a_person(rewriting: tuple[Shop, Rewriter]) -> None:
    shop, between = rewriting
    held = [(f"old-{number}", shop.emulator.store_card(f"old-{number}").token) for number in range(12)]
    lines = [f"{payer},unscheduled,{token},Visa,terms-1,2024-05-01T12:00:00Z\n" for payer, token in held]
    assert shop.mandates.take_over(_FILE_HEADER + "".join(lines)).added == 12
    between.rewrite = hiding(shop.emulator.tokens)
    for payer, _ in held:
        shop.mandates.refresh(payer)
    shop.later(hours=25)
    report = shop.accounts.sweep()

    assert "more than 10 stored methods are missing at the gateway at once" in report.failures[0]
    assert {each.state for each in shop.mandates.missing()} == {MandateState.ACTIVE}
    assert len(shop.mandates.missing()) == 12
    for mandate in shop.mandates.missing()[:2]:
        shop.mandates.remove(mandate.mandate_id, reason="looked in the portal", actor="Ann")
    shop.later(days=8)
    shop.accounts.sweep()
    assert shop.mandates.missing() == ()
    assert len(ended(shop)) == 12


def test_a_removal_of_all_cards_finds_those_that_a_list_leaves_out(rewriting: tuple[Shop, Rewriter]) -> None:
    shop, between = rewriting
    shop.stored()
    between.rewrite = hiding(shop.emulator.tokens)
    shop.mandates.remove_all(READER.reference, reason="moved", confirm=READER.reference)
    assert not any(each.is_active for each in shop.emulator.tokens(READER.reference))
    assert tokens_kept(shop) == 0


def test_a_process_without_keys_takes_no_card_for_missing(shop: Shop) -> None:
    mandate = shop.stored()
    rewire(shop.accounts.target, vault=Vault(()))
    with pytest.raises(ConfigurationError, match="token_keys"):
        shop.mandates.refresh(READER.reference)
    assert shop.mandates.missing() == ()
    assert shop.mandates.get(mandate.mandate_id).state is MandateState.ACTIVE


def test_no_token_leaves_the_vault(shop: Shop) -> None:
    mandate = shop.stored()
    (token,) = shop.emulator.tokens(READER.reference)
    engine = open_engine(shop.database)
    with engine.connect() as connection:
        stored = everything(connection)
    engine.dispose()

    shown = [stored, shop.events, mandate, shop.mandates.history(mandate.mandate_id)]
    assert token.token not in repr(shown)


@pytest.mark.every_store
def test_tokens_are_sealed_again_when_keys_are_rotated(shop: Shop) -> None:
    mandate = shop.stored()
    assert shop.mandates.reseal() == 1
    assert shop.drawn(mandate, "renewal:1").succeeded


def test_an_order_that_stores_must_name_its_payer(shop: Shop) -> None:
    with pytest.raises(InvalidOrder, match=r"payer\.reference"):
        an_order(store=StoreMethod(consent=CONSENT), payer=Payer(email="a@example.com"))
    assert shop.payments.find() == ()


def test_without_a_key_nothing_is_stored(shop: Shop) -> None:
    rewire(shop.accounts.target, vault=Vault(()))
    with pytest.raises(ConfigurationError, match="token_keys"):
        shop.stored()
    assert shop.payments.find() == ()


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("consent.text_version", {"text_version": " "}),
        ("consent.channel", {"channel": ""}),
        ("consent.agreed_at", {"agreed_at": datetime(2026, 1, 2)}),  # noqa: DTZ001 - what is refused
        ("consent.most", {"kind": ConsentKind.FIXED}),
        ("consent.most", {"most": sek(0)}),
    ],
)
def test_a_consent_that_proves_nothing_is_refused(field: str, changes: dict[str, Any]) -> None:
    values: dict[str, Any] = {"text_version": "t", "agreed_at": datetime(2026, 1, 2, tzinfo=UTC), "channel": "web"}
    with pytest.raises(InvalidOrder) as caught:
        Consent(**(values | changes))
    assert caught.value.field == field


# Taking over from another system


def a_file(*tokens: str, payer: str = "old-1") -> str:
    lines = [f"{payer},unscheduled,{token},Visa •••• 0004,terms-1,2024-05-01T12:00:00Z\n" for token in tokens]
    return _FILE_HEADER + "".join(lines)


@pytest.mark.every_store
def test_tokens_of_another_system_are_taken_over_once(shop: Shop) -> None:
    token = shop.emulator.store_card("old-1").token
    text = a_file(token)

    assert shop.mandates.take_over(text, dry_run=True).added == 1
    assert shop.mandates.of_payer("old-1") == ()
    assert (shop.mandates.take_over(text).added, shop.mandates.take_over(text).known) == (1, 1)
    (mandate,) = shop.mandates.of_payer("old-1")
    assert mandate.state is MandateState.ACTIVE
    assert shop.drawn(mandate, "renewal:old-1").succeeded
    shop.books_agree()


def test_a_token_of_another_merchant_stops_the_whole_file(shop: Shop) -> None:
    good = shop.emulator.store_card("old-1").token
    report = shop.mandates.take_over(a_file(good, "00000000-0000-4000-8000-000000000000"))

    (problem,) = report.problems
    assert (report.added, problem.line, problem.column) == (0, 3, "token")
    assert "no such token" in problem.why
    assert shop.mandates.of_payer("old-1") == ()


def test_all_faults_of_the_file_are_reported_at_once(shop: Shop) -> None:
    report = shop.mandates.take_over(a_file("", "").replace("unscheduled", "weekly", 1), check=False)
    assert [problem.line for problem in report.problems] == [2, 3]


def test_one_account_never_sees_anothers_mandates(shop: Shop) -> None:
    mandate = shop.stored()
    other = shop.add("other")
    error = shop.tries(
        lambda: other.charge(mandate.mandate_id, sek(100), operation_id="foreign:1", description="x"),
    )
    assert isinstance(error, NotFound)


def test_an_order_without_a_purchase_is_captured_at_once_and_asks_for_no_capture(shop: Shop) -> None:
    order = an_order(
        amount=sek(0),
        lines=(),
        payer=READER,
        store=StoreMethod(consent=CONSENT),
        capture=CaptureMode.AUTOMATIC,
    )
    payment = shop.payments.create(order, operation_id="verify:auto")
    shop.pay(payment)
    shop.payments.observe(payment.payment_id)
    assert [call.call for call in shop.emulator.transcript.seen if call.call == "capture"] == []


def tokens_kept(shop: Shop) -> int:
    """Return how many sealed tokens the books hold."""
    engine = open_engine(shop.database)
    with engine.connect() as connection:
        count = len(list(connection.execute(select(schema.tokens))))
    engine.dispose()
    return count


# What time does


def test_a_card_that_expires_is_reported_ahead_and_then_ends(shop: Shop) -> None:
    mandate = shop.stored()
    assert mandate.expires is not None
    days = (mandate.expires - shop.clock.now().date()).days
    shop.later(days=days - 40)
    shop.accounts.sweep()
    assert shop.mandates.get(mandate.mandate_id).state is MandateState.EXPIRING
    assert EventKind.MANDATE_EXPIRING.value in shop.told
    assert shop.drawn(mandate, "renewal:last").succeeded

    shop.later(days=42)
    shop.accounts.sweep()
    ended = shop.mandates.get(mandate.mandate_id)
    assert (ended.state, ended.reason) == (MandateState.EXPIRED, "the card has run out")


def test_a_suspension_with_a_term_ends_with_it(shop: Shop) -> None:
    mandate = shop.stored()
    shop.emulator.decline_next_charge("acquirererrordonotretry")
    assert shop.drawn(mandate, "renewal:1").decline is not None
    assert shop.mandates.get(mandate.mandate_id).state is MandateState.SUSPENDED

    shop.later(days=29)
    shop.accounts.sweep()
    assert shop.mandates.get(mandate.mandate_id).state is MandateState.SUSPENDED
    shop.later(days=2)
    shop.accounts.sweep()
    assert shop.mandates.get(mandate.mandate_id).state is MandateState.ACTIVE
    assert shop.drawn(mandate, "renewal:2").succeeded


# Payment links


@pytest.mark.every_store
def test_a_link_is_replaced_and_only_the_new_one_can_be_paid(shop: Shop) -> None:
    old = shop.bought("link:1")
    new = shop.payments.replace(old.payment_id, an_order(amount=sek(9900)), operation_id="link:2")
    again = shop.payments.replace(old.payment_id, an_order(amount=sek(9900)), operation_id="link:2")

    assert new.payment_id == again.payment_id != old.payment_id
    assert shop.payments.get(old.payment_id).state is PaymentState.CANCELLED
    shop.pay(new)
    assert shop.payments.observe(new.payment_id).authorized == sek(9900)
    error = shop.tries(lambda: shop.payments.replace(new.payment_id, an_order(), operation_id="link:3"))
    assert isinstance(error, Conflict)


def test_staff_type_a_card_from_the_phone(shop: Shop) -> None:
    payment = shop.bought(paid_by_staff=True)
    shop.pay(payment)
    assert shop.payments.observe(payment.payment_id).state is PaymentState.AUTHORIZED


# Events for the host


def ended(shop: Shop) -> list[tuple[str | None, str]]:
    return [(event.mandate_id, event.detail) for event in shop.events if event.kind is EventKind.MANDATE_ENDED]


def test_the_host_is_notified_once_of_each_removal(shop: Shop) -> None:
    one, other = shop.stored("order:1"), shop.stored("order:2", payer=Payer(reference="R-78"))
    shop.mandates.remove(one.mandate_id, reason="the reader asked", actor="reader")
    shop.mandates.remove(one.mandate_id, reason="once more")
    shop.mandates.remove_all("R-78", reason="moved abroad", confirm="R-78")

    assert ended(shop) == [(one.mandate_id, "the reader asked"), (other.mandate_id, "moved abroad")]


def test_a_method_gone_at_the_gateway_is_reported(shop: Shop) -> None:
    mandate = shop.stored()
    (held,) = shop.emulator.tokens()
    shop.emulator.archive_token(held.token)
    shop.mandates.refresh(READER.reference)
    shop.later(hours=25)
    shop.accounts.sweep()

    assert ended(shop) == [(mandate.mandate_id, "the gateway no longer has it")]


def test_a_method_from_another_system_is_reported_with_its_charges(shop: Shop) -> None:
    held = shop.emulator.store_card(READER.reference)
    line = f"{READER.reference},unscheduled,{held.token},Visa,terms-2026,2026-01-02T00:00:00Z\n"
    assert shop.mandates.take_over(_FILE_HEADER + line).added == 1
    (mandate,) = shop.mandates.of_payer(READER.reference)
    shop.drawn(mandate, "renewal:1")
    shop.mandates.remove(mandate.mandate_id, reason="the reader asked")

    assert ended(shop) == [(mandate.mandate_id, "the reader asked")]
    assert shop.events[-1].subject == Subject.mandate(mandate.mandate_id)


# Offered again


ONE_CLICK = StoreMethod(consent=CONSENT, kinds=(MandateKind.ONE_CLICK,))


@pytest.mark.every_store
def test_a_returning_reader_is_offered_the_remembered_card(shop: Shop) -> None:
    shop.stored(store=ONE_CLICK)
    (remembered,) = shop.mandates.to_offer(READER.reference)
    payment = shop.bought("order:again", payer=READER, pay_with=remembered.mandate_id)
    shop.emulator.pay_by_stored(payment.provider_reference or "")

    assert shop.payments.observe(payment.payment_id).authorized == payment.amount
    assert remembered.mandate_id in shop.mandates.to_offer(READER.reference)[0].mandate_id


@pytest.mark.parametrize(
    ("kinds", "payer", "why"),
    [
        ((MandateKind.UNSCHEDULED,), READER, "is unscheduled"),
        ((MandateKind.ONE_CLICK,), Payer(reference="R-78"), "another payer's"),
    ],
)
def test_a_method_that_the_payer_may_not_click_is_not_offered(
    shop: Shop, kinds: tuple[MandateKind, ...], payer: Payer, why: str
) -> None:
    mandate = shop.stored(store=StoreMethod(consent=CONSENT, kinds=kinds))
    error = shop.tries(lambda: shop.bought("order:again", payer=payer, pay_with=mandate.mandate_id))

    assert isinstance(error, MandateUnusable)
    assert why in str(error)
    assert len(shop.payments.find()) == 1


def test_a_removed_method_is_not_offered(shop: Shop) -> None:
    mandate = shop.stored(store=ONE_CLICK)
    shop.mandates.remove(mandate.mandate_id, reason="the reader asked")

    assert shop.mandates.to_offer(READER.reference) == ()
    error = shop.tries(lambda: shop.bought("order:again", payer=READER, pay_with=mandate.mandate_id))
    assert isinstance(error, MandateUnusable)


@pytest.mark.parametrize("kind", [MandateKind.ONE_CLICK, MandateKind.UNSCHEDULED])
def test_a_method_is_remembered_for_as_long_as_was_agreed(shop: Shop, kind: MandateKind) -> None:
    until = (shop.clock.now() + timedelta(days=30)).date()
    consent = Consent(text_version="t", agreed_at=CONSENT.agreed_at, channel="web", until=until)
    mandate = shop.stored(store=StoreMethod(consent=consent, kinds=(kind,)))
    shop.later(days=30)
    shop.accounts.sweep()
    assert shop.mandates.get(mandate.mandate_id).state is MandateState.ACTIVE

    shop.later(days=1)
    assert shop.mandates.to_offer(READER.reference) == ()
    if kind is MandateKind.UNSCHEDULED:
        assert isinstance(shop.tries(lambda: shop.drawn(mandate, "renewal:1")), MandateUnusable)
    shop.accounts.sweep()
    shop.accounts.sweep()

    assert shop.mandates.get(mandate.mandate_id).state is MandateState.EXPIRED
    assert ended(shop) == [(mandate.mandate_id, "the payer's consent ended")]
    assert [token for token in shop.emulator.tokens() if token.is_active] == []


def test_a_payer_who_does_not_tick_the_box_leaves_nothing_half_stored(shop: Shop) -> None:
    asking = StoreMethod(consent=CONSENT, kinds=(MandateKind.ONE_CLICK,), asks_in_page=True)
    payment = shop.bought(payer=READER, store=asking, capture=CaptureMode.AUTOMATIC)
    shop.pay(payment, remember=False)
    shop.payments.observe(payment.payment_id)
    (mandate,) = shop.mandates.of_payer(READER.reference)
    assert mandate.state is MandateState.PENDING

    shop.later(days=8)
    shop.accounts.sweep()
    (mandate,) = shop.mandates.of_payer(READER.reference)
    assert (mandate.state, mandate.reason) == (MandateState.DELETED, "the gateway sent no token")
    assert ended(shop) == []


def test_a_card_that_is_stored_when_the_order_is_over_is_removed_at_the_gateway(shop: Shop) -> None:
    """The host gave the order up, and its page could not be closed: nobody may charge the card."""
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_BEFORE, call="create"))
    assert shop.tries(lambda: shop.bought(payer=READER, store=StoreMethod(consent=CONSENT))) is not None
    made = shop.payments.operation("order:1")
    assert shop.payments.expire(made.payment_id).state is PaymentState.EXPIRED
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_BEFORE, call="abort"))
    payment = shop.bought(payer=READER, store=StoreMethod(consent=CONSENT))
    shop.pay(payment)
    shop.payments.observe(payment.payment_id)
    (mandate,) = shop.mandates.of_payer(READER.reference)
    assert mandate.state is MandateState.DELETED

    shop.accounts.sweep()
    assert [token.is_active for token in shop.emulator.tokens()] == [False]


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER])
def test_a_lost_page_is_made_without_the_card_that_was_removed_since(shop: Shop, kind: FaultKind) -> None:
    shop.stored(store=ONE_CLICK)
    (offered,) = shop.mandates.to_offer(READER.reference)
    shop.emulator.faults.add(Fault(kind=kind, call="create"))
    order = {"payer": READER, "pay_with": offered.mandate_id}
    assert shop.tries(lambda: shop.bought("order:again", **order)) is not None
    shop.mandates.remove(offered.mandate_id, reason="asked for")

    shop.later(minutes=20)
    assert shop.accounts.sweep().failures == ()

    payment = shop.payments.get(shop.payments.operation("order:again").payment_id)
    assert payment.state is PaymentState.PENDING
    shop.pay(payment)
    assert shop.payments.observe(payment.payment_id).state is PaymentState.AUTHORIZED
    shop.books_agree()
