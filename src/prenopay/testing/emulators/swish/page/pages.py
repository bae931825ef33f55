"""The emulated phone: opens requests by number, token or app link, and answers them as the payer does.

Where a phone would open ``swish://paymentrequest?token=…&callbackurl=…``, a desktop goes to
``/phone?token=…&callbackurl=…``.
"""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Final
from urllib.parse import parse_qs, urlsplit

from prenopay.testing.emulators.swish.calls import PHONE_PATH
from prenopay.testing.emulators.swish.objects import Payment, Status
from prenopay.testing.emulators.swish.page.layout import CSS_PATH, redirect
from prenopay.testing.emulators.swish.page.texts import Texts, texts_for
from prenopay.testing.emulators.swish.page.views import (
    end_page,
    home_page,
    is_web_address,
    request_page,
    unknown_page,
)
from prenopay.testing.emulators.swish.payer_side import PayerRefused, PayerSide
from prenopay.testing.emulators.swish.register import Register
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest

__all__ = ["Pages"]

_FOLDER: Final = files("prenopay.testing.emulators.swish.page")
_SPACERS: Final = re.compile(r"[\s()-]+")
_NATIONAL: Final = re.compile(r"0(\d{7,12})")
_INTERNATIONAL: Final = re.compile(r"(?:\+|00)?([1-9]\d{7,14})")


class Pages:
    """Serves the phone's pages."""

    def __init__(self, register: Register, payer: PayerSide) -> None:
        """Show the requests of ``register``; act through ``payer``."""
        self._register = register
        self._payer = payer

    def answer(self, request: EmulatorRequest) -> EmulatorAnswer:
        """Answer one call of a browser."""
        texts = texts_for(request.header("accept-language"))
        match request.method, request.path.rstrip("/"):
            case "GET", path if path == PHONE_PATH:
                return self._open(texts, request.query)
            case "GET", path if path == CSS_PATH:
                css = _FOLDER.joinpath("phone.css").read_bytes()
                return EmulatorAnswer(status=200, headers=(("content-type", "text/css; charset=utf-8"),), body=css)
            case "POST", path if path == f"{PHONE_PATH}/answer":
                return self._act(texts, request.form)
            case _:
                return unknown_page(texts)

    def _open(self, texts: Texts, query: dict[str, str]) -> EmulatorAnswer:
        link, callback_url = _read_link(query.get("token", "").strip()), query.get("callbackurl", "")
        token, callback_url = link[0], callback_url or link[1]
        if token or query.get("id"):
            payment = self._by_code(token) or self._register.payments.get(query.get("id", ""))
            return self._show(texts, payment, callback_url)
        given = query.get("number", "").strip()
        number = _number(given)
        if given and not number:
            return home_page(texts, self._waiting(), wrong=given)
        return home_page(texts, self._waiting(number), number=number)

    def _show(self, texts: Texts, payment: Payment | None, callback_url: str, *, wrong: str = "") -> EmulatorAnswer:
        if payment is None:
            return unknown_page(texts)
        ends = payment.created + self._register.behaviour.payer_may_act_for
        too_late = self._register.now() > ends
        if payment.status is not Status.CREATED or too_late:
            return end_page(texts, payment, callback_url=callback_url, too_late=too_late)
        return request_page(texts, payment, ends=ends, callback_url=callback_url, wrong=wrong)

    def _act(self, texts: Texts, form: dict[str, str]) -> EmulatorAnswer:
        """Do what the payer's button says; what no payer can do any more shows how it ended."""
        payment, callback_url = self._register.payments.get(form.get("id", "")), form.get("callbackurl", "")
        if payment is None:
            return unknown_page(texts)
        given = form.get("number", "")
        if given and not _number(given):
            return self._show(texts, payment, callback_url, wrong=given)
        try:
            if form.get("answer") == "approve":
                self._payer.approve(payment, msisdn=_number(given))
            elif form.get("answer") == "decline":
                self._payer.decline(payment)
        except PayerRefused:
            return self._show(texts, payment, callback_url)
        # The app goes back to the shop whatever the payer said; being back proves nothing.
        if is_web_address(callback_url):
            return redirect(callback_url)
        return self._show(texts, payment, callback_url)

    def _by_code(self, code: str) -> Payment | None:
        """Return the request of a token, or of a QR code's text, which is a token behind a D."""
        return self._register.by_token(code) or self._register.by_token(code.removeprefix("D"))

    def _waiting(self, number: str = "") -> list[Payment]:
        waiting = [payment for payment in self._register.payments.values() if payment.status is Status.CREATED]
        return [payment for payment in waiting if not number or payment.payer == number][::-1]


def _number(given: str) -> str:
    """Return a phone number in Swish's form; empty for what is none."""
    bare = _SPACERS.sub("", given)
    national, international = _NATIONAL.fullmatch(bare), _INTERNATIONAL.fullmatch(bare)
    if national and national[1][0] != "0":
        return f"46{national[1]}"
    return international[1] if international else ""


def _read_link(given: str) -> tuple[str, str]:
    """Return token and return address of what was pasted: a token, a QR code's text, or an app link."""
    if given.startswith("swish:"):
        query = parse_qs(urlsplit(given).query)
        return query.get("token", [""])[0], query.get("callbackurl", [""])[0]
    return given, ""
