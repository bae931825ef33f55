"""Stored cards at the Swedbank Pay emulator: how an order stores them, who may see and end them, and in which API."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from prenopay.testing.control import ControlRefused
from prenopay.testing.emulators.swedbankpay import (
    ArchivedBy,
    Behaviour,
    Merchant as Agreement,
    PayerAnswer,
    PayerRefused,
    Status,
    SwedbankPayEmulator,
    TokenKind,
)

from .calling import Answer, Merchant
from .storing import CHALLENGED, NETWORK, PAYER, card_token, charge, stored, verify

OWNED = "/psp/paymentorders/payerownedtokens/p-1"
PAYERS = "/online/payers"
DELETE = {"state": "Deleted", "comment": "Unsubscribed"}
ARCHIVE = {"reason": "Unsubscribed", "updatedBy": "Payee"}
FLAGS = {kind: f"generate{kind.value.capitalize()}Token" for kind in TokenKind}


def _asks(*kinds: TokenKind) -> dict[str, Any]:
    return {FLAGS[kind]: True for kind in kinds}


def _paid(merchant: Merchant, order: str) -> dict[str, Any]:
    paid: dict[str, Any] = merchant.get(order, "paid").order["paid"]
    return paid


# Storing


def test_a_purchase_stores_one_token_of_each_kind_asked_for() -> None:
    for kind in TokenKind:
        merchant = Merchant()
        emulator = merchant.emulator
        order = merchant.order(payer=PAYER, **_asks(kind))
        assert emulator.tokens() == ()
        emulator.pay_by_card(order, expiry="03/2031")
        (token,) = _paid(merchant, order)["tokens"]
        (kept,) = emulator.tokens("p-1")
        assert token == {"type": kind.value, "token": kept.token, "name": "492500******0004", "expiryDate": "03/2031"}
        assert _paid(merchant, order)["paymentTokenGenerated"] is (kind is TokenKind.PAYMENT)
        assert (kept.kind, kept.is_active, kept.made_by, kept.instrument) == (kind, True, order, "CreditCard")
        assert kept.token not in repr(kept)


def test_nothing_is_stored_until_the_payer_has_gone_through_with_it(
    merchant: Merchant, emulator: SwedbankPayEmulator
) -> None:
    order = merchant.order(payer=PAYER, generateUnscheduledToken=True)
    emulator.pay_by_card(order, pan=CHALLENGED, answer=PayerAnswer.CANCEL)
    emulator.pay_by_card(order, pan=CHALLENGED, answer=PayerAnswer.LEAVE)
    assert emulator.tokens() == ()
    emulator.answer(order, PayerAnswer.APPROVE)
    assert len(emulator.tokens()) == 1


def test_the_order_goes_on_telling_of_its_token_when_it_is_cancelled(merchant: Merchant) -> None:
    token = stored(merchant)
    order = merchant.emulator.order("S1").id
    merchant.cancel(order, "X1")
    assert merchant.get(order, "cancelled").order["cancelled"]["tokens"] == [token]


def test_storing_needs_a_payer_reference() -> None:
    for kind in TokenKind:
        merchant = Merchant()
        answer = merchant.create(**_asks(kind))
        assert (answer.status, answer.problem_names) == (400, [f"PaymentOrder.Generate{kind.value.capitalize()}Token"])
        assert merchant.create(payer={"email": "leia@example.com"}, **_asks(kind)).status == 400


# Consent


def test_the_payer_is_asked_unless_the_merchant_has_asked() -> None:
    cases: list[bool] = [True, False]
    for remember in cases:
        cases_1: list[tuple[dict[str, Any], bool]] = [
            ({}, True),
            ({"disableStoredPaymentDetails": True}, False),
            ({"disableStoredPaymentDetails": True, "enablePaymentDetailsConsentCheckbox": True}, True),
        ]
        for changes, asks in cases_1:
            merchant = Merchant()
            emulator = merchant.emulator
            order = merchant.order(payer=PAYER, generatePaymentToken=True, **changes)
            emulator.pay_by_card(order, remember=remember)
            is_stored = remember or not asks
            assert _paid(merchant, order)["paymentTokenGenerated"] is is_stored
            assert len(emulator.tokens()) == is_stored


def test_a_charge_token_is_stored_whatever_is_said_of_the_next_time(
    merchant: Merchant, emulator: SwedbankPayEmulator
) -> None:
    order = merchant.order(payer=PAYER, generatePaymentToken=True, generateUnscheduledToken=True)
    emulator.pay_by_card(order, remember=False)
    assert [token.kind for token in emulator.tokens()] == [TokenKind.UNSCHEDULED]


# What can be stored


def _menu(answer: Answer) -> list[str]:
    return list(answer.order["viewableInstruments"])


def test_the_menu_shrinks_to_what_can_be_charged_later(merchant: Merchant) -> None:
    with_address = {**PAYER, "email": "leia@example.com"}
    assert _menu(merchant.create("A1", payer=PAYER, generateUnscheduledToken=True)) == ["CreditCard"]
    both = merchant.create("A2", payer=with_address, generateUnscheduledToken=True)
    assert _menu(both) == ["CreditCard", "Trustly"]
    assert _menu(merchant.create("A3", payer=with_address, generateRecurrenceToken=True)) == ["CreditCard"]
    one_click = _menu(merchant.create("A4", payer=PAYER, generatePaymentToken=True))
    assert "Swish" in one_click
    assert "Trustly" not in one_click


def test_an_agreement_may_store_bank_accounts_for_recurrence() -> None:
    merchant = Merchant(SwedbankPayEmulator(merchants=[Agreement(has_trustly_recurrence=True)]))
    answer = merchant.create(payer={**PAYER, "email": "leia@example.com"}, generateRecurrenceToken=True)
    assert _menu(answer) == ["CreditCard", "Trustly"]


def test_a_bank_account_is_stored_without_a_date(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    order = merchant.order(payer={**PAYER, "email": "leia@example.com"}, generateUnscheduledToken=True)
    emulator.pay_by(order, "Trustly")
    (token,) = _paid(merchant, order)["tokens"]
    assert re.fullmatch(r"\*{3}\d{4}", token["name"])
    assert "expiryDate" not in token


# One click


def test_the_page_offers_the_newest_three_stored_cards(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    pans = ("4925000000000004", "4581097032723517", "4581099940323133", "5226600159865967")
    tokens = [card_token(emulator, kind=TokenKind.PAYMENT, pan=pan) for pan in pans]
    order = merchant.order(payer=PAYER, generatePaymentToken=True)
    with pytest.raises(PayerRefused, match="offers no such"):
        emulator.pay_by_stored(order, token=tokens[0])
    assert emulator.pay_by_stored(order, token=tokens[1]).status is Status.PAID
    paid = _paid(merchant, order)
    assert (paid["details"]["maskedPan"], paid["paymentTokenGenerated"]) == ("458109******3517", False)
    prefills = [entry.get("prefill") for entry in merchant.get(order, "history").order["history"]["historyList"]]
    assert True in prefills


def test_stored_cards_are_shown_only_to_their_payer_where_asked() -> None:
    cases: list[dict[str, Any]] = [
        {"generatePaymentToken": None},
        {"disableStoredPaymentDetails": True},
        {"payer": {"payerReference": "p-2"}},
        {"generateMotoPayment": True},
    ]
    for changes in cases:
        merchant = Merchant()
        emulator = merchant.emulator
        card_token(emulator, kind=TokenKind.PAYMENT)
        order = merchant.order(**{"payer": PAYER, "generatePaymentToken": True, **changes})
        with pytest.raises(PayerRefused, match="offers no such"):
            emulator.pay_by_stored(order)


def test_ended_expired_and_charge_tokens_are_not_offered(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    card_token(emulator)
    emulator.archive_token(card_token(emulator, kind=TokenKind.PAYMENT))
    emulator.expire_card(card_token(emulator, kind=TokenKind.PAYMENT))
    order = merchant.order(payer=PAYER, generatePaymentToken=True)
    with pytest.raises(PayerRefused, match="offers no such"):
        emulator.pay_by_stored(order)


def test_a_named_token_is_the_one_offered_and_shown(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    token = card_token(emulator, kind=TokenKind.PAYMENT, pan=CHALLENGED)
    card_token(emulator, kind=TokenKind.PAYMENT)
    order = merchant.order(payer=PAYER, paymentToken=token, disableStoredPaymentDetails=True)
    assert merchant.get(order).order["paymentToken"] == token
    assert emulator.pay_by_stored(order, answer=PayerAnswer.LEAVE).status is Status.INITIALIZED
    assert emulator.answer(order, PayerAnswer.APPROVE).status is Status.PAID
    assert _paid(merchant, order)["details"]["acquirerTransactionType"] == "3DSECURE"


def test_a_named_card_past_its_date_is_declined(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    token = card_token(emulator, kind=TokenKind.PAYMENT)
    order = merchant.order(payer=PAYER, paymentToken=token)
    emulator.expire_card(token)
    assert emulator.pay_by_stored(order).problem.endswith("/creditcard/acquirercardexpired")


def test_a_stored_account_pays_at_once(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    token = emulator.store_account("p-1", kind=TokenKind.PAYMENT).token
    order = merchant.order(payer=PAYER, paymentToken=token)
    assert emulator.pay_by_stored(order).status is Status.PAID
    assert _paid(merchant, order)["instrument"] == "Trustly"


def test_a_token_that_cannot_be_used_is_refused_when_the_order_is_made() -> None:
    cases: list[tuple[str, int, str]] = [
        ("p-1", 404, "inputerror"),
        ("p-2", 400, "inputerror"),
        ("p-1", 422, "paymenttokeninactive"),
    ]
    for payer, status, problem in cases:
        merchant = Merchant()
        emulator = merchant.emulator
        token = card_token(emulator, kind=TokenKind.UNSCHEDULED if status == 404 else TokenKind.PAYMENT)
        if status == 422:
            emulator.archive_token(token)
        answer = merchant.create(payer={"payerReference": payer}, paymentToken=token)
        assert (answer.status, answer.problem) == (status, problem)
        assert emulator.orders == ()


# Verify, staff, links


def test_a_verify_stores_and_leaves_nothing_to_take(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    made = merchant.create(**verify())
    assert (made.order["operation"], made.order["amount"], made.order["vatAmount"]) == ("Verify", 0, 0)
    assert set(made.rels) == {"abort", "abort-paymentattempt", "redirect-checkout"}
    order = made.order["id"]
    assert emulator.pay_by_card(order, pan=CHALLENGED).status is Status.PAID
    shown = merchant.get(order, "paid,financialTransactions")
    assert shown.order["status"] == "Paid"
    assert set(shown.rels) == {"redirect-checkout"}
    assert not [name for name in shown.order if name.startswith("remaining")]
    paid = shown.order["paid"]
    assert (paid["amount"], [token["type"] for token in paid["tokens"]]) == (0, ["unscheduled"])
    assert "transactionType" not in paid
    assert shown.order["financialTransactions"]["financialTransactionsList"] == []
    assert len(emulator.callbacks.waiting) == 1
    assert emulator.books()[order].authorized == 0
    assert merchant.capture(order, 1, "K1").status == 403
    assert merchant.cancel(order, "K2").status == 403


def test_a_verify_with_a_page_of_its_own_is_framed_and_never_updated(merchant: Merchant) -> None:
    urls = {
        "hostUrls": ["https://shop.example"],
        "completeUrl": "https://shop.example/complete",
        "paymentUrl": "https://shop.example/pay",
    }
    made = merchant.create(**verify(urls=urls))
    assert "view-checkout" in made.rels
    assert "redirect-checkout" not in made.rels
    assert merchant.patch(made.order["id"], "UpdateOrder", amount=100, vatAmount=0).status == 403


def test_a_verify_may_say_what_kind_of_transaction_it_was(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    emulator.behaviour = Behaviour(verification_type="Verification")
    order = merchant.order(**verify())
    emulator.pay_by_card(order)
    assert _paid(merchant, order)["transactionType"] == "Verification"


def test_staff_types_a_card_and_no_bank_asks(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    made = merchant.create(generateMotoPayment=True)
    assert _menu(made) == ["CreditCard"]
    order = made.order["id"]
    with pytest.raises(PayerRefused, match="no bank asks"):
        emulator.pay_by_card(order, pan=CHALLENGED, answer=PayerAnswer.DECLINE)
    assert emulator.pay_by_card(order, pan=CHALLENGED).status is Status.PAID
    assert _paid(merchant, order)["details"]["acquirerTransactionType"] == "STANDARD"


def test_staff_needs_an_agreement() -> None:
    merchant = Merchant(SwedbankPayEmulator(merchants=[Agreement(has_moto=False)]))
    answer = merchant.create(generateMotoPayment=True)
    assert (answer.status, answer.problem) == (403, "configurationerror")


# The older API


def test_a_payers_tokens_are_listed_with_what_ends_each(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    token = card_token(emulator, pan=NETWORK, expiry="09/2035")
    answer = merchant.call("GET", OWNED)
    (shown,) = answer.body["payerOwnedTokens"]["tokens"]
    assert (shown["token"], shown["tokenType"], shown["networkTokenized"]) == (token, "Unscheduled", True)
    parameters = shown["instrumentParameters"]
    assert (parameters["expiryDate"], parameters["lastFourPan"]) == ("09/2035", "3211")
    assert re.fullmatch(r"\d{4}", parameters["lastFourDPan"])
    assert set(answer.rels) == {"delete-payerownedtokens"}
    (operation,) = shown["operations"]
    assert operation["rel"] == "delete-unscheduledtokens"
    assert merchant.call("PATCH", operation["href"], DELETE).status == 200
    assert emulator.tokens()[0].archived_by is ArchivedBy.PAYEE
    assert emulator.tokens()[0].archive_reason == "Unsubscribed"


def test_each_kind_is_deleted_at_its_own_path_in_any_case() -> None:
    cases: list[tuple[TokenKind, set[str]]] = [
        (TokenKind.PAYMENT, {"paymentToken", "instrument", "instrumentDisplayName", "correlationId"}),
        (TokenKind.UNSCHEDULED, {"token", "instrument", "instrumentDisplayName", "correlationId"}),
        (TokenKind.RECURRENCE, {"token", "isDeleted"}),
    ]
    for kind, members in cases:
        merchant = Merchant()
        emulator = merchant.emulator
        token = card_token(emulator, kind=kind)
        path = f"/psp/paymentorders/{kind.value}Tokens/{token}"
        assert merchant.call("GET", path).body["token"] == token
        answer = merchant.call("PATCH", path, DELETE)
        assert answer.status == 200
        assert set(answer.body) - {"instrumentParameters"} == members
        again = merchant.call("PATCH", path.lower(), DELETE)
        assert (again.status, again.problem) == (422, "paymenttokeninactive")
        assert again.problem_names == [f"{kind.value.capitalize()}Token"]


def test_an_account_is_listed_without_a_card(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    kept = emulator.store_account("p-1")
    (shown,) = merchant.call("GET", OWNED).body["payerOwnedTokens"]["tokens"]
    assert (shown["instrument"], shown["instrumentDisplayName"]) == ("Trustly", kept.name)
    assert shown["instrumentParameters"]["maskedAccountNumber"] == kept.name
    assert "networkTokenized" not in shown


def test_token_paths_know_no_other_methods(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    token = card_token(emulator)
    assert merchant.call("POST", OWNED, DELETE).status == 404
    assert merchant.call("POST", f"/psp/paymentorders/unscheduledtokens/{token}", DELETE).status == 404


def test_deleting_all_ends_every_kind(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    for kind in TokenKind:
        card_token(emulator, kind=kind)
    theirs = emulator.store_card("p-2")
    answer = merchant.call("PATCH", merchant.call("GET", OWNED).rels["delete-payerownedtokens"], DELETE)
    assert answer.status == 200
    assert [token["tokenType"] for token in answer.body["payerOwnedTokens"]["tokens"]] == [
        "Payment",
        "Recurrence",
        "Unscheduled",
    ]
    assert "operations" not in answer.body
    assert all("operations" not in token for token in answer.body["payerOwnedTokens"]["tokens"])
    assert [token.payer_reference for token in emulator.tokens() if token.is_active] == [theirs.payer_reference]


def test_a_missing_token_is_refused_as_documents_or_recordings_say() -> None:
    cases: list[Any] = [404, 400]
    for status in cases:
        merchant = Merchant()
        emulator = merchant.emulator
        emulator.behaviour = Behaviour(missing_token_status=status)
        token = card_token(emulator)
        answer = merchant.call("PATCH", f"/psp/paymentorders/paymenttokens/{token}", DELETE)
        assert (answer.status, answer.body["status"], answer.problem) == (status, status, "inputerror")
        assert answer.body["problems"] == [
            {"name": "PaymentToken", "description": "The given PaymentToken does not exist."}
        ]


def test_a_payer_without_tokens_is_missing_or_empty() -> None:
    cases: list[str] = [OWNED, f"{PAYERS}/p-1", f"{PAYERS}/p-1/archives"]
    for path in cases:
        cases_1: list[tuple[Any, int]] = [("notfound", 404), ("empty", 200)]
        for unknown, status in cases_1:
            merchant = Merchant()
            emulator = merchant.emulator
            emulator.behaviour = Behaviour(unknown_payer=unknown)
            assert merchant.call("GET", path).status == status


def test_another_merchants_tokens_are_not_there() -> None:
    other = "11111111-2222-4333-8444-555555555555"
    agreements = [Agreement(access_token="one"), Agreement(payee_id=other, access_token="two")]
    emulator = SwedbankPayEmulator(merchants=agreements)
    token = card_token(emulator)
    theirs = Merchant(emulator, token="two")
    assert theirs.call("GET", OWNED).status == 404
    assert theirs.call("GET", f"{PAYERS}/tokens/{token}-Unscheduled").status == 404
    assert theirs.call("PATCH", f"/psp/paymentorders/unscheduledtokens/{token}", DELETE).status == 404
    payee = {"payeeId": other, "payeeReference": "C1"}
    assert charge(theirs, token, payeeInfo=payee).problem_names == ["UnscheduledToken"]
    assert emulator.tokens()[0].is_active


# The Payer API


def test_the_payer_api_lists_renames_and_archives(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    token = card_token(emulator)
    listed = merchant.call("GET", f"{PAYERS}/p-1", accept="application/json")
    assert listed.body["tokens"]["payerReference"] == "p-1"
    assert set(listed.rels) == {"get-payer-tokens", "archive-payer-tokens"}
    (shown,) = listed.body["tokens"]["tokenList"]
    assert (shown["state"], shown["displayName"], shown["tokenType"]) == ("Active", "0004", "Unscheduled")
    rels = {operation["rel"]: operation["href"] for operation in shown["operations"]}
    assert rels["get-token"].startswith("https://api.externalintegration.swedbankpay.com/online/payers/tokens/")
    renamed = merchant.call("PATCH", rels["update-displayname"], {"displayName": "The green card"})
    assert renamed.body["token"]["displayName"] == "The green card"
    assert renamed.body["id"] == f"/tokens/{token}-Unscheduled/displaynames"
    ended = merchant.call("PATCH", rels["archive-token"], ARCHIVE).body["token"]
    assert (ended["state"], ended["archivedBy"], ended["archiveReason"]) == ("Archived", "PAYEE", "Unsubscribed")
    assert [operation["rel"] for operation in ended["operations"]] == ["get-token"]
    assert merchant.call("GET", f"{PAYERS}/p-1").body["tokens"]["tokenList"] == []
    archive = merchant.call("GET", f"{PAYERS}/p-1/archives")
    assert [entry["token"] for entry in archive.body["tokens"]["tokenList"]] == [token]
    assert set(archive.rels) == {"get-archived-payer-tokens"}
    assert merchant.call("GET", rels["get-token"]).body["token"]["state"] == "Archived"
    assert merchant.call("PATCH", rels["archive-token"], ARCHIVE).status == 422


def test_all_of_a_payers_tokens_are_archived(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    card_token(emulator)
    emulator.store_account("p-1")
    answer = merchant.call("PATCH", f"{PAYERS}/p-1/archives", {**ARCHIVE, "updatedBy": "TOKENISSUER"})
    assert [token["archivedBy"] for token in answer.body["tokens"]["tokenList"]] == ["TOKEN_ISSUER"] * 2
    account = answer.body["tokens"]["tokenList"][1]
    assert set(account["instrumentParameters"]) == {"accountId", "maskedAccountNumber"}
    assert not any(token.is_active for token in emulator.tokens())


def test_one_click_tokens_have_two_names() -> None:
    cases: list[str] = ["Payment", "payment", "OneClick"]
    for suffix in cases:
        merchant = Merchant()
        emulator = merchant.emulator
        token = card_token(emulator, kind=TokenKind.PAYMENT)
        emulator.behaviour = dataclasses.replace(emulator.behaviour, one_click_suffix="OneClick")
        answer = merchant.call("GET", f"{PAYERS}/TOKENS/{token}-{suffix}")
        assert answer.body["token"]["id"] == f"{PAYERS}/tokens/{token}-OneClick"


def test_the_payer_api_refuses_what_it_does_not_know() -> None:
    cases: list[tuple[str, str, object, int]] = [
        ("GET", "/tokens/none-Payment", None, 404),
        ("GET", "/tokens/none-Cash", None, 404),
        ("GET", "", None, 404),
        ("DELETE", "/p-1", None, 404),
        ("PATCH", "/tokens/{token}-Unscheduled/colours", {}, 404),
        ("PATCH", "/tokens/{token}-Unscheduled/archives", {"reason": "x", "updatedBy": "Me"}, 400),
        ("PATCH", "/tokens/{token}-Unscheduled/archives", {"updatedBy": "Payee"}, 400),
        ("PATCH", "/tokens/{token}-Unscheduled/displaynames", {"displayName": ""}, 400),
        ("PATCH", "/p-1/archives", {}, 400),
    ]
    for method, path, body, status in cases:
        merchant = Merchant()
        emulator = merchant.emulator
        token = card_token(emulator)
        assert merchant.call(method, f"{PAYERS}{path.format(token=token)}", body).status == status
        assert emulator.tokens()[0].is_active


def test_a_payers_name_is_read_as_addresses_write_it(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    emulator.store_card("p/1 å")
    listed = merchant.call("GET", f"{PAYERS}/p%2F1%20%C3%A5")
    assert listed.body["tokens"]["payerReference"] == "p/1 å"
    assert merchant.call("GET", listed.rels["get-payer-tokens"]).status == 200
    owned = merchant.call("GET", "/psp/paymentorders/payerOwnedTokens/p%2F1%20%C3%A5")
    assert owned.body["payerOwnedTokens"]["id"].endswith("/p%2F1%20%C3%A5")


def test_token_calls_have_names_for_faults_and_transcripts(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    token = card_token(emulator)
    merchant.call("GET", OWNED)
    merchant.call("GET", f"{PAYERS}/tokens/{token}-Unscheduled")
    merchant.call("PATCH", f"{PAYERS}/tokens/{token}-Unscheduled/displaynames", {"displayName": "x"})
    merchant.call("PATCH", f"/psp/paymentorders/unscheduledTokens/{token}", DELETE)
    merchant.call("PATCH", f"{PAYERS}/p-1/archives", ARCHIVE)
    charge(merchant, token)
    called = [(seen.call, seen.reference) for seen in emulator.transcript.seen]
    names = ["get-tokens", "get-token", "rename-token", "delete-token", "delete-tokens"]
    assert called == [*((name, "") for name in names), ("charge", "C1")]


# Behind the merchant's back


def test_the_keeper_refuses_what_nobody_could_do(emulator: SwedbankPayEmulator) -> None:
    plain, account = card_token(emulator), emulator.store_account("p-1").token
    with pytest.raises(ControlRefused, match="network tokens only"):
        emulator.replace_card(plain, NETWORK, "09/2035")
    with pytest.raises(ControlRefused, match="bank account"):
        emulator.expire_card(account)
    with pytest.raises(ControlRefused, match="no such token"):
        emulator.archive_token("none")
    with pytest.raises(ControlRefused, match="published test cards"):
        emulator.store_card("p-1", pan="4111111111111111")
    with pytest.raises(ControlRefused, match="expiry"):
        emulator.store_card("p-1", expiry="12/2025")
    with pytest.raises(ControlRefused, match="acquirercardstolen"):
        emulator.decline_next_charge("sorry")
