"""The emulated phone: finds requests by number, token and link, answers them, and goes back to the shop."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urlencode

from prenopay.testing.emulators.swish import Status
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest

from .swish_calling import PAYER, Shop

BACK = "https://shop.example/return?o=1&x=å"


def _browse(shop: Shop, method: str = "GET", path: str = "", language: str = "sv", **fields: str) -> EmulatorAnswer:
    query = urlencode(fields)
    target = f"/phone{path}?{query}" if method == "GET" and query else f"/phone{path}"
    outcome = shop.emulator.phone.handle(
        EmulatorRequest(
            method=method,
            target=target,
            headers=(("accept-language", language),),
            body=query.encode() if method == "POST" else b"",
        )
    )
    assert isinstance(outcome, EmulatorAnswer)
    return outcome


def _text(answer: EmulatorAnswer) -> str:
    return unescape(re.sub(r"<[^>]+>", " ", answer.body.decode())).replace("\N{NO-BREAK SPACE}", " ")


def _press(shop: Shop, answer: str, **fields: str) -> EmulatorAnswer:
    return _browse(shop, "POST", "/answer", id=shop.emulator.payments[-1].id, answer=answer, **fields)


def test_the_start_lists_what_waits() -> None:
    shop = Shop()
    assert "Ingenting väntar" in _text(_browse(shop))
    shop.created(amount="1249.00", message="Två <böcker")
    shop.created(payerAlias=PAYER)
    page = _text(_browse(shop))
    assert "1 249,00 kr" in page
    assert "Två <böcker" in page
    assert f"+{PAYER}" in page
    mine = _text(_browse(shop, number="070-174 06 06"))
    assert "100,00 kr" in mine
    assert "1 249,00 kr" not in mine
    assert _browse(shop, number="hej").status == 422


def test_a_request_is_opened_by_token_code_or_link() -> None:
    cases: list[str] = ["{}", "D{}", "swish://paymentrequest?token={}&callbackurl=https%3A%2F%2Fx.example"]
    for form in cases:
        shop = Shop()
        page = _browse(shop, token=form.format(shop.create().token))
        text = _text(page)
        assert page.status == 200
        assert "Emulerat förlag (1230000017)" in text
        assert "En bok" in text
        assert "ORDER1" in text
        assert "13:03:00" in text
        assert ('value="https://x.example"' in page.body.decode()) is form.startswith("swish")


def test_approving_by_app_switch_goes_back_to_the_shop() -> None:
    shop = Shop()
    token = shop.create().token
    page = _browse(shop, token=token, callbackurl=BACK)
    assert 'value="https://shop.example/return?o=1&amp;x=å"' in page.body.decode()
    answer = _press(shop, "approve", number="070-174 06 06", callbackurl=BACK)
    assert (answer.status, dict(answer.headers)["location"]) == (303, BACK)
    (payment,) = shop.emulator.payments
    assert (payment.status, payment.payer) == (Status.PAID, PAYER)
    again = _browse(shop, token=token, callbackurl=BACK)
    assert "Betalt" in _text(again)
    assert "Tillbaka till butiken" in _text(again)


def test_declining_goes_back_too() -> None:
    shop = Shop()
    shop.created()
    assert _press(shop, "decline", callbackurl=BACK).status == 303
    assert shop.emulator.payments[0].status is Status.DECLINED


def test_a_named_payer_approves_and_stays() -> None:
    shop = Shop()
    payment = shop.created(payerAlias=PAYER)
    page = _browse(shop, id=payment)
    assert b'name="number"' not in page.body
    assert "Paid" in _text(_browse(shop, "POST", "/answer", "en-GB", id=payment, answer="approve"))


def test_a_browser_is_sent_to_web_addresses_only() -> None:
    cases: list[str] = ["myapp://swish", "javascript:alert(1)", "//evil.example", "https://"]
    for back in cases:
        shop = Shop()
        shop.created()
        answer = _press(shop, "approve", callbackurl=back)
        assert answer.status == 200
        assert b'href="' + back.encode() not in answer.body
        assert back in _text(answer)


def test_a_wrong_number_is_asked_for_again() -> None:
    shop = Shop()
    shop.created()
    answer = _press(shop, "approve", number="hej")
    assert answer.status == 422
    assert 'value="hej"' in answer.body.decode()
    assert shop.emulator.payments[0].status is Status.CREATED


def test_how_requests_end() -> None:
    shop = Shop()
    late = shop.created()
    shop.wait(181)
    assert "För sent" in _text(_browse(shop, id=late))
    assert "För sent" in _text(_press(shop, "approve"))
    withdrawn = shop.created()
    shop.cancel(withdrawn)
    assert "Återtagen" in _text(_browse(shop, id=withdrawn))
    declined = shop.created(message="RF07")
    shop.emulator.approve(declined)
    assert "(RF07)" in _text(_browse(shop, id=declined))


def test_what_is_not_there() -> None:
    shop = Shop()
    for answer in (_browse(shop, token="x"), _browse(shop, path="/x"), _browse(shop, "POST", "/answer", id="x")):
        assert answer.status == 404
    root = shop.emulator.phone.handle(EmulatorRequest(method="GET", target="/"))
    assert isinstance(root, EmulatorAnswer)
    assert root.status == 303


def test_pages_keep_to_themselves() -> None:
    shop = Shop()
    headers = dict(_browse(shop).headers)
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "same-origin"
    style = _browse(shop, path="/phone.css")
    assert dict(style.headers)["content-type"].startswith("text/css")
