"""The payment page where details are stored: the question, the saved cards, staff at the telephone, a Verify."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode, urlsplit

from prenopay.testing.emulators.swedbankpay import Status, SwedbankPayEmulator, TokenKind
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest

from .calling import Merchant
from .storing import CHALLENGED, PAYER, card_token, verify

CARD = {"method": "CreditCard", "pan": "4925 0000 0000 0004", "expiry": "12/30", "cvc": "123"}


def _visit(emulator: SwedbankPayEmulator, url: str, form: dict[str, str] | None = None) -> EmulatorAnswer:
    parts = urlsplit(url)
    outcome = emulator.handle(
        EmulatorRequest(
            method="GET" if form is None else "POST",
            target=f"{parts.path}?{parts.query}",
            body=urlencode(form or {}).encode(),
            origin="https://ecom.externalintegration.payex.com",
        )
    )
    assert isinstance(outcome, EmulatorAnswer)
    return outcome


def _page(merchant: Merchant, **changes: Any) -> str:
    return merchant.emulator.order(merchant.order(**{"payer": PAYER, **changes})).page_path


def _text(answer: EmulatorAnswer) -> str:
    return re.sub(r"<[^>]+>", " ", answer.body.decode()).replace("\N{NO-BREAK SPACE}", " ")


def _goes_to(answer: EmulatorAnswer) -> str:
    assert answer.status == 303
    return dict(answer.headers)["location"]


def test_the_box_is_empty_and_counts_when_ticked() -> None:
    cases: list[tuple[dict[str, str], int]] = [({"remember": "yes"}, 1), ({}, 0)]
    for ticked, kept in cases:
        merchant = Merchant()
        emulator = merchant.emulator
        page = _page(merchant, generatePaymentToken=True)
        shown = _visit(emulator, page).body.decode()
        (box,) = re.findall(r'<input type="checkbox"[^>]*>', shown)
        assert "checked" not in box
        assert "Spara till nästa gång" in shown
        assert _goes_to(_visit(emulator, f"{page}/pay", {**CARD, **ticked})) == "https://shop.example/complete"
        assert len(emulator.tokens()) == kept


def test_nothing_is_asked_where_the_merchant_has_asked() -> None:
    cases: list[dict[str, Any]] = [
        {"generateUnscheduledToken": True},
        {"generatePaymentToken": True, "disableStoredPaymentDetails": True},
        verify(),
    ]
    for changes in cases:
        merchant = Merchant()
        emulator = merchant.emulator
        page = _page(merchant, **changes)
        assert b"checkbox" not in _visit(emulator, page).body
        _visit(emulator, f"{page}/pay", CARD)
        assert len(emulator.tokens()) == 1


def test_the_answer_is_remembered_while_the_bank_asks(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    page = _page(merchant, generatePaymentToken=True)
    question = _goes_to(_visit(emulator, f"{page}/pay", {**CARD, "pan": CHALLENGED, "remember": "yes"}))
    (number,) = re.findall(r'name="attempt" value="(\d+)"', _visit(emulator, question).body.decode())
    _visit(emulator, f"{page}/answer", {"attempt": number, "answer": "approve"})
    assert [token.kind for token in emulator.tokens()] == [TokenKind.PAYMENT]


def test_saved_cards_are_buttons_without_their_tokens(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    tokens = [card_token(emulator, kind=TokenKind.PAYMENT, pan=pan) for pan in ("4581097032723517", CHALLENGED)]
    tokens.append(emulator.store_account("p-1", kind=TokenKind.PAYMENT).token)
    page = _page(merchant, generatePaymentToken=True, payer={**PAYER, "email": "leia@example.com"}, language="en-US")
    shown = _visit(emulator, page)
    assert not any(token in shown.body.decode() for token in tokens)
    assert "Visa \N{BULLET}\N{BULLET}\N{BULLET}\N{BULLET} 3517" in _text(shown)
    assert "/question" in _goes_to(_visit(emulator, f"{page}/pay", {"stored": "1"}))
    for odd in ("9", "x", "-1"):
        assert _goes_to(_visit(emulator, f"{page}/pay", {"stored": odd})) == page
    assert _goes_to(_visit(emulator, f"{page}/pay", {"stored": "0"})) == "https://shop.example/complete"


def test_no_saved_card_is_shown_to_strangers(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    card_token(emulator, kind=TokenKind.PAYMENT)
    page = _page(merchant, generatePaymentToken=True, payer={"payerReference": "p-2"})
    assert b'name="stored"' not in _visit(emulator, page).body


def test_staff_sees_what_the_page_is_for_and_is_not_asked(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    page = _page(merchant, generateMotoPayment=True)
    assert "Betalning per telefon eller brev" in _text(_visit(emulator, page))
    assert _goes_to(_visit(emulator, f"{page}/pay", {**CARD, "pan": CHALLENGED})) == "https://shop.example/complete"


def test_a_verify_says_that_nothing_is_charged(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    page = _page(merchant, **verify(language="en-US"))
    shown = _text(_visit(emulator, page))
    assert "Nothing is charged now." in shown
    assert "Pay SEK" not in shown
    question = _goes_to(_visit(emulator, f"{page}/pay", {**CARD, "pan": CHALLENGED}))
    assert "wants to save your card" in _text(_visit(emulator, question))
    _visit(emulator, f"{page}/pay", CARD)
    assert "It is saved" in _text(_visit(emulator, page))
    assert emulator.orders[0].status is Status.PAID


def test_no_card_number_is_kept_with_a_token(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    page = _page(merchant, generatePaymentToken=True)
    _visit(emulator, f"{page}/pay", {**CARD, "remember": "yes"})
    card_token(emulator)
    told = merchant.call("GET", "/psp/paymentorders/payerownedtokens/p-1").answer.body
    told += merchant.call("GET", "/online/payers/p-1").answer.body
    kept = told.decode() + repr(list(emulator._register.vault)) + repr(emulator.tokens())
    assert "4925000000000004" not in kept
