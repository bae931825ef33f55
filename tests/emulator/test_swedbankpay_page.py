"""The payment page without a browser: what it shows, what its forms do, and what it never gives away."""

from __future__ import annotations

import ast
import json
import re
from datetime import timedelta
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from prenopay.testing.emulators.pages import html
from prenopay.testing.emulators.swedbankpay import PayerAnswer, Status, SwedbankPayEmulator, TokenKind
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest

from .calling import ITEM, Merchant
from .storing import CHALLENGED, PAYER, card_token, verify

CARD = {"method": "CreditCard", "pan": "4925 0000 0000 0004", "expiry": "12/30", "cvc": "123"}


class _Page(HTMLParser):
    """Collects the texts, and the attributes of every element."""

    def __init__(self, answer: EmulatorAnswer) -> None:
        super().__init__()
        self.status = answer.status
        self.source = answer.body.decode()
        self.headers = dict(answer.headers)
        self.texts: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.texts).replace("\N{NO-BREAK SPACE}", " ")

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def _answer(emulator: SwedbankPayEmulator, url: str, form: dict[str, str] | None = None) -> EmulatorAnswer:
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


def _get(emulator: SwedbankPayEmulator, url: str) -> _Page:
    return _Page(_answer(emulator, url))


def _post(emulator: SwedbankPayEmulator, url: str, form: dict[str, str]) -> str:
    """Send a form, and return where the browser is sent."""
    answer = _answer(emulator, url, form)
    assert answer.status == 303
    return dict(answer.headers)["location"]


@pytest.fixture
def page(merchant: Merchant) -> str:
    """The path of an order's page."""
    order = merchant.order()
    return merchant.emulator.order(order).page_path


def test_the_page_shows_what_is_paid_for(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    items = [{**ITEM, "name": "A <b>bold</b> & \"quoted\" 'name'", "quantity": 2.5}]
    created = merchant.create(orderItems=items, description="<script>alert(1)</script>")
    shown = _get(emulator, created.rels["redirect-checkout"])
    assert shown.status == 200
    assert "A <b>bold</b> & \"quoted\" 'name'" in shown.text
    assert "<script>alert(1)</script>" in shown.text
    assert "script" not in {tag for tag, _ in shown.elements}
    assert "b" not in {tag for tag, _ in shown.elements}
    assert "2.5 pcs" in shown.text
    assert "Att betala 15,00 kr" in shown.text
    assert "inga pengar flyttas" in shown.text
    assert merchant.get(str(created.order["id"])).order["integration"] == "Redirect"


def test_it_speaks_the_language_of_the_order() -> None:
    cases: list[tuple[str, str, str]] = [
        ("sv-SE", "sv", "15,00 kr"),
        ("en-US", "en", "SEK 15.00"),
        ("nb-NO", "en", "SEK 15.00"),
    ]
    for language, tag, amount in cases:
        merchant = Merchant()
        shown = _get(merchant.emulator, merchant.create(language=language).rels["redirect-checkout"])
        assert shown.all("html") == [{"lang": tag}]
        assert amount in shown.text


def test_every_field_has_a_label_and_every_page_one_heading(emulator: SwedbankPayEmulator, page: str) -> None:
    for url in (page, f"{page}?method=CreditCard&error=pan", f"{page}?method=Swish&error=msisdn"):
        shown = _get(emulator, url)
        labelled = {label["for"] for label in shown.all("label")}
        fields = {field["id"] for field in shown.all("input") if field["type"] != "hidden"}
        assert fields == labelled == {"pan", "expiry", "cvc", "msisdn"}
        ids = {attributes.get("id") for _, attributes in shown.elements}
        for field in shown.all("input"):
            assert set((field.get("aria-describedby") or "").split()) <= ids
        assert len(shown.all("h1")) == 1
        assert len(shown.all("title")) == 1


def test_the_page_may_not_be_framed_stored_or_scripted(emulator: SwedbankPayEmulator, page: str) -> None:
    headers = _get(emulator, page).headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "same-origin"
    assert _answer(emulator, "/checkout/assets/page.css").status == 200
    assert _answer(emulator, "/checkout/assets/secret.txt").status == 404


def test_the_menu_follows_the_order(merchant: Merchant) -> None:
    created = merchant.create(restrictedToInstruments=["Swish", "CreditCard"], expandFirstInstrument=True)
    methods = _get(merchant.emulator, created.rels["redirect-checkout"]).all("details")
    offered = [method["data-instrument"] for method in methods if method["class"] == "method"]
    assert offered == ["swish", "creditcard"]
    assert [method.get("data-instrument") for method in methods if "open" in method] == ["swish"]


def test_the_only_way_to_pay_is_open_and_cannot_be_closed(merchant: Merchant) -> None:
    created = merchant.create(restrictedToInstruments=["CreditCard"])
    shown = _get(merchant.emulator, created.rels["redirect-checkout"])
    assert [each["class"] for each in shown.all("details")] == ["cards"]  # the other test cards
    assert "pan" in {each["name"] for each in shown.all("input")}


def test_paying_by_card_sends_the_browser_home(emulator: SwedbankPayEmulator, page: str) -> None:
    assert _post(emulator, f"{page}/pay", CARD) == "https://shop.example/complete"
    assert emulator.order("A1").status is Status.PAID
    closed = _get(emulator, page)
    assert "Betalningen är klar" in closed.text
    assert "https://shop.example/complete" in {link["href"] for link in closed.all("a")}
    assert _answer(emulator, f"{page}/pay", CARD).status == 200
    assert emulator.order("A1").totals.authorized == 1500


def test_a_challenged_card_asks_on_a_page_of_its_own(emulator: SwedbankPayEmulator, page: str) -> None:
    question = _post(emulator, f"{page}/pay", {**CARD, "pan": "4761739001010416"})
    asked = _get(emulator, question)
    assert "Din bank frågar" in asked.text
    assert "0416" in asked.text
    (attempt,) = emulator.order("A1").open_attempts
    failed = _post(emulator, f"{page}/answer", {"attempt": str(attempt), "answer": "cancel"})
    shown = _get(emulator, failed)
    assert {"role": "alert", "class": "alert"}.items() <= shown.all("div")[0].items()
    assert "Du avbröt hos din bank." in shown.text
    assert _answer(emulator, question).status == 303


def test_swish_goes_by_way_of_the_phone(emulator: SwedbankPayEmulator, page: str) -> None:
    question = _post(emulator, f"{page}/pay", {"method": "Swish", "msisdn": "073-900 00 01"})
    assert "Öppna Swish i din telefon" in _get(emulator, question).text
    (attempt,) = emulator.order("A1").open_attempts
    home = _post(emulator, f"{page}/answer", {"attempt": str(attempt), "answer": "approve"})
    assert home == "https://shop.example/complete"


def test_other_ways_go_straight(emulator: SwedbankPayEmulator, page: str) -> None:
    assert _post(emulator, f"{page}/pay", {"method": "Trustly"}) == "https://shop.example/complete"


def test_the_cancel_link_aborts(emulator: SwedbankPayEmulator, page: str) -> None:
    assert _post(emulator, f"{page}/cancel", {}) == "https://shop.example/cancel"
    assert "Betalningen är stängd" in _get(emulator, page).text


def test_a_wrong_field_is_pointed_at(emulator: SwedbankPayEmulator, page: str) -> None:
    cases: list[tuple[dict[str, str], str]] = [
        ({**CARD, "pan": "4111 1111 1111 1111"}, "pan"),
        ({**CARD, "expiry": "12/20"}, "expiry"),
        ({**CARD, "expiry": "soon"}, "expiry"),
        ({**CARD, "cvc": "1"}, "cvc"),
        ({"method": "Swish", "msisdn": "112"}, "msisdn"),
    ]
    for form, error in cases:
        back = _post(emulator, f"{page}/pay", form)
        assert f"error={error}" in back
        assert "1111" not in back
        shown = _get(emulator, back)
        (wrong,) = [field for field in shown.all("input") if field.get("aria-invalid") == "true"]
        assert wrong["id"] == error
        assert emulator.order("A1").failed_attempts == ()


def test_what_no_button_says_leads_back_to_the_page(emulator: SwedbankPayEmulator, page: str) -> None:
    cases: list[tuple[str, dict[str, str]]] = [
        ("pay", {"method": "Vipps"}),
        ("pay", {}),
        ("answer", {"attempt": "1", "answer": "approve"}),
        ("answer", {"attempt": "x", "answer": "approve"}),
        ("answer", {"attempt": "1", "answer": "shout"}),
    ]
    for part, form in cases:
        assert _post(emulator, f"{page}/{part}", form) == page


def test_magic_values_are_announced(merchant: Merchant) -> None:
    created = merchant.create(amount=900361, description="RF07", language="en-US")
    shown = _get(merchant.emulator, created.rels["redirect-checkout"])
    assert shown.text.count("declined on purpose") == 2


def test_a_chosen_test_card_fills_the_form(emulator: SwedbankPayEmulator, page: str) -> None:
    cards = [link for link in _get(emulator, page).all("a") if "card=" in (link["href"] or "")]
    shown = _get(emulator, cards[1]["href"] or "")
    assert {"id": "pan", "value": "5226 6121 9953 3406"}.items() <= shown.all("input")[1].items()
    assert _get(emulator, f"{page}?method=CreditCard&card=999").all("input")[1]["value"] == "4761 7390 0101 0416"


def test_addresses_that_lead_nowhere(emulator: SwedbankPayEmulator, page: str, merchant: Merchant) -> None:
    assert _get(emulator, "/checkout/nothing").status == 404
    assert _get(emulator, "/checkout").status == 404
    assert _get(emulator, f"{page}/elsewhere").status == 404
    assert _answer(emulator, "/checkout/client/nothing").status == 404
    emulator.clock.advance(timedelta(days=29))
    late = _get(emulator, page)
    assert (late.status, "Länken har gått ut" in late.text) == (410, True)
    assert merchant.get("/psp/paymentorders/" + emulator.order("A1").id.rsplit("/", maxsplit=1)[-1]).status == 200


def test_no_card_number_is_kept_anywhere(emulator: SwedbankPayEmulator, page: str, merchant: Merchant) -> None:
    _post(emulator, f"{page}/pay", CARD)
    _post(
        emulator, f"{merchant.emulator.order(merchant.order('A2')).page_path}/pay", {**CARD, "pan": "4111111111111111"}
    )
    kept = repr(emulator.orders) + repr(emulator.transcript.seen) + repr(emulator.callbacks.waiting)
    kept += repr(_everything(emulator))
    assert not re.search(r"4925000000000004|4925 0000 0000 0004|4111111111111111", kept)


def _everything(root: object) -> list[object]:
    """Return every value reachable from the emulator's state, without the table of test cards."""
    seen: dict[int, object] = {}
    waiting = [vars(vars(root)["_register"])["orders"], vars(vars(vars(root)["_register"])["reattempts"])]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen[id(value)] = value
        if isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | set | frozenset):
            waiting += value
        elif hasattr(value, "__dataclass_fields__"):
            waiting += [getattr(value, name) for name in value.__dataclass_fields__]
    return [value for value in seen.values() if isinstance(value, str | int)]


# Framed


def _framed(merchant: Merchant, host: str) -> str:
    page = merchant.emulator.order(merchant.order()).page_path
    return f"{page}?{urlencode({'host': host, 'culture': 'en-US'})}"


def test_a_named_site_may_frame_the_page(merchant: Merchant) -> None:
    url = _framed(merchant, "https://shop.example")
    shown = _get(merchant.emulator, url)
    assert "frame-ancestors https://shop.example" in shown.headers["content-security-policy"]
    assert {"src": "/checkout/assets/frame.js"} in shown.all("script")
    assert "/cancel" not in shown.source
    assert shown.all("html") == [{"lang": "en"}]
    assert merchant.get(merchant.emulator.orders[0].id).order["integration"] == "HostedView"
    path, query = url.split("?")
    assert _post(merchant.emulator, f"{path}/pay?{query}", CARD).startswith(f"{path}?")
    assert "OnPaid" in _get(merchant.emulator, url).source


def test_a_site_that_is_not_named_may_not(merchant: Merchant) -> None:
    shown = _get(merchant.emulator, _framed(merchant, "https://evil.example"))
    assert (shown.status, shown.all("form")) == (403, [])
    assert "frame-ancestors 'none'" in shown.headers["content-security-policy"]


def test_an_aborted_order_tells_the_frame(merchant: Merchant) -> None:
    url = _framed(merchant, "https://shop.example")
    merchant.patch(merchant.emulator.orders[0].id, "Abort", abortReason="x")
    assert "OnAborted" in _get(merchant.emulator, url).source


def test_the_script_knows_page_and_sites(merchant: Merchant) -> None:
    created = merchant.create()
    answer = _answer(merchant.emulator, created.rels["view-checkout"])
    assert answer.headers[0] == ("content-type", "application/javascript; charset=utf-8")
    script = answer.body.decode()
    assert "hostedView.checkout" in script
    assert '"hosts": ["https://shop.example"]' in script
    assert '"culture": "sv-SE"' in script


def test_what_fills_a_template_is_escaped_unless_it_is_markup() -> None:
    made = html('<p class="{look}">{text}{more}</p>', look='"x" &', text="a < {b}", more=[html("<br>"), html("<hr>")])
    assert made.source == '<p class="&quot;x&quot; &amp;">a &lt; {b}<br><hr></p>'


def test_a_payer_who_is_asked_in_an_old_tab_is_led_back(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    order = merchant.order()
    left = emulator.pay_by_swish(order, answer=PayerAnswer.LEAVE)
    path = emulator.order(order).page_path
    merchant.patch(order, "PaymentAttemptAborted", abortReason="AbortedByUI")
    assert _post(emulator, f"{path}/answer", {"attempt": str(left.attempt), "answer": "approve"}) == path
    assert emulator.order(order).status is Status.INITIALIZED


# Where details are stored


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
        shown = _answer(emulator, page).body.decode()
        (box,) = re.findall(r'<input type="checkbox"[^>]*>', shown)
        assert "checked" not in box
        assert "Spara till nästa gång" in shown
        assert _goes_to(_answer(emulator, f"{page}/pay", {**CARD, **ticked})) == "https://shop.example/complete"
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
        assert b"checkbox" not in _answer(emulator, page).body
        _answer(emulator, f"{page}/pay", CARD)
        assert len(emulator.tokens()) == 1


def test_the_answer_is_remembered_while_the_bank_asks(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    page = _page(merchant, generatePaymentToken=True)
    question = _goes_to(_answer(emulator, f"{page}/pay", {**CARD, "pan": CHALLENGED, "remember": "yes"}))
    (number,) = re.findall(r'name="attempt" value="(\d+)"', _answer(emulator, question).body.decode())
    _answer(emulator, f"{page}/answer", {"attempt": number, "answer": "approve"})
    assert [token.kind for token in emulator.tokens()] == [TokenKind.PAYMENT]


def test_saved_cards_are_buttons_without_their_tokens(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    tokens = [card_token(emulator, kind=TokenKind.PAYMENT, pan=pan) for pan in ("4581097032723517", CHALLENGED)]
    tokens.append(emulator.store_account("p-1", kind=TokenKind.PAYMENT).token)
    page = _page(merchant, generatePaymentToken=True, payer={**PAYER, "email": "leia@example.com"}, language="en-US")
    shown = _answer(emulator, page)
    assert not any(token in shown.body.decode() for token in tokens)
    assert "Visa \N{BULLET}\N{BULLET}\N{BULLET}\N{BULLET} 3517" in _text(shown)
    assert "/question" in _goes_to(_answer(emulator, f"{page}/pay", {"stored": "1"}))
    for odd in ("9", "x", "-1"):
        assert _goes_to(_answer(emulator, f"{page}/pay", {"stored": odd})) == page
    assert _goes_to(_answer(emulator, f"{page}/pay", {"stored": "0"})) == "https://shop.example/complete"


def test_no_saved_card_is_shown_to_strangers(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    card_token(emulator, kind=TokenKind.PAYMENT)
    page = _page(merchant, generatePaymentToken=True, payer={"payerReference": "p-2"})
    assert b'name="stored"' not in _answer(emulator, page).body


def test_staff_sees_what_the_page_is_for_and_is_not_asked(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    page = _page(merchant, generateMotoPayment=True)
    assert "Betalning per telefon eller brev" in _text(_answer(emulator, page))
    assert _goes_to(_answer(emulator, f"{page}/pay", {**CARD, "pan": CHALLENGED})) == "https://shop.example/complete"


def test_a_verify_says_that_nothing_is_charged(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    page = _page(merchant, **verify(language="en-US"))
    shown = _text(_answer(emulator, page))
    assert "Nothing is charged now." in shown
    assert "Pay SEK" not in shown
    question = _goes_to(_answer(emulator, f"{page}/pay", {**CARD, "pan": CHALLENGED}))
    assert "wants to save your card" in _text(_answer(emulator, question))
    _answer(emulator, f"{page}/pay", CARD)
    assert "It is saved" in _text(_answer(emulator, page))
    assert emulator.orders[0].status is Status.PAID


def test_no_card_number_is_kept_with_a_token(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    page = _page(merchant, generatePaymentToken=True)
    _answer(emulator, f"{page}/pay", {**CARD, "remember": "yes"})
    card_token(emulator)
    told = merchant.call("GET", "/psp/paymentorders/payerownedtokens/p-1").answer.body
    told += merchant.call("GET", "/online/payers/p-1").answer.body
    kept = told.decode() + repr(list(emulator._register.vault)) + repr(emulator.tokens())
    assert "4925000000000004" not in kept


def test_every_text_that_pages_say_has_a_swedish_one() -> None:
    for package in ("swedbankpay", "swish"):
        folder = files(f"prenopay.testing.emulators.{package}")
        texts, source = (folder.joinpath(name).read_text("utf-8") for name in ("swedish.json", "page.py"))
        written = [str(each.value) for each in ast.walk(ast.parse(source)) if isinstance(each, ast.Constant)]
        in_templates = {text for each in written for text in re.findall(r"say\[([^\]]+)\]", each)}
        assert in_templates <= json.loads(texts).keys()
        assert json.loads(texts).keys() <= {*written, *in_templates}, "a text that no page says"
