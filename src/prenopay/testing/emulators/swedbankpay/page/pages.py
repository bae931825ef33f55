"""Where a payer's browser comes in: finds the order behind the address and answers with a page, or moves it on."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Final

from prenopay.testing.emulators.jsonvalues import write_json
from prenopay.testing.emulators.swedbankpay.calls import PAGE_PATH
from prenopay.testing.emulators.swedbankpay.cards import find_card, is_good_until
from prenopay.testing.emulators.swedbankpay.orders import Status
from prenopay.testing.emulators.swedbankpay.page.layout import redirect
from prenopay.testing.emulators.swedbankpay.page.menu import menu_page
from prenopay.testing.emulators.swedbankpay.page.steps import (
    closed_page,
    expired_page,
    foreign_frame_page,
    not_found_page,
    question_page,
)
from prenopay.testing.emulators.swedbankpay.page.texts import texts_for
from prenopay.testing.emulators.swedbankpay.page.visit import Visit, host_origins
from prenopay.testing.emulators.swedbankpay.payer_side import (
    PayerAnswer,
    PayerRefused,
    PayerResult,
    PayerSide,
    is_swedish_mobile,
)
from prenopay.testing.emulators.swedbankpay.register import Register
from prenopay.testing.emulators.swedbankpay.storing import stored_choices
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest

__all__ = ["Pages"]

_ASSETS: Final = {"page.css": "text/css", "frame.js": "text/javascript"}
_SHORT_EXPIRY: Final = re.compile(r"^(\d\d) ?/ ?(?:20)?(\d\d)$")
_SECURITY_CODE: Final = re.compile(r"\d{3,4}")
_NATIONAL_NUMBER: Final = re.compile(r"^0(7\d{8})$")


class Pages:
    """Serves the payment page and the seamless view's script."""

    def __init__(self, register: Register, payer: PayerSide) -> None:
        """Show the orders of ``register``; act through ``payer``."""
        self._register = register
        self._payer = payer

    def answer(self, request: EmulatorRequest) -> EmulatorAnswer:
        """Answer one call of a browser."""
        match request.method, request.path.removeprefix(PAGE_PATH).strip("/").split("/"):
            case "GET", ["assets", name] if name in _ASSETS:
                return EmulatorAnswer(status=200, headers=(("content-type", _ASSETS[name]),), body=_asset(name))
            case "GET", ["client", token]:
                return self._script(request, token)
            case method, [token, *rest]:
                return self._page(request, method, token, "/".join(rest))
            case _:
                return not_found_page(texts_for(""))

    def _page(self, request: EmulatorRequest, method: str, token: str, part: str) -> EmulatorAnswer:
        order = self._register.by_token(token)
        if order is None:
            return not_found_page(texts_for(request.header("accept-language")))
        visit = Visit.of(order, request.query)
        if not visit.may_be_shown:
            return foreign_frame_page(visit)
        if order.status is not Status.INITIALIZED:
            return closed_page(visit)
        if self._register.page_has_expired(order):
            return expired_page(visit)
        match method, part:
            case "GET", "":
                self._payer.open_page(order, integration="HostedView" if visit.is_framed else "Redirect")
                return menu_page(visit, request.query, stored_choices(self._register, order))
            case "GET", "question":
                return self._question(visit, request.query.get("attempt", ""))
            case "POST", "pay" | "answer" | "cancel":
                return self._act(visit, part, request.form)
            case _:
                return not_found_page(visit.texts)

    def _question(self, visit: Visit, number: str) -> EmulatorAnswer:
        asked = next((attempt for attempt in visit.order.open_attempts if str(attempt.number) == number), None)
        return redirect(visit.href()) if asked is None else question_page(visit, asked)

    def _act(self, visit: Visit, part: str, form: dict[str, str]) -> EmulatorAnswer:
        """Do what the payer's button says; what no payer can do (an old tab) leads back to the page."""
        try:
            match part:
                case "cancel":
                    return redirect(self._payer.cancel(visit.order).next_url)
                case "answer":
                    answer = form.get("answer", "")
                    attempt = form.get("attempt", "")
                    if answer not in set(PayerAnswer) or not attempt.isdecimal():
                        return redirect(visit.href())
                    result = self._payer.answer(visit.order, PayerAnswer(answer), attempt=int(attempt))
                    return _onward(visit, result)
                case _:
                    return self._pay(visit, form)
        except PayerRefused:
            return redirect(visit.href())

    def _pay(self, visit: Visit, form: dict[str, str]) -> EmulatorAnswer:
        """Pay as the form says; a field that is wrong is shown again, empty: a number typed here is never kept."""
        remember = form.get("remember") == "yes"
        if "stored" in form:
            return self._pay_by_stored(visit, form["stored"])
        method = form.get("method", "")
        wrong = self._wrong_field(method, form)
        if wrong:
            return redirect(visit.href(method=method, error=wrong))
        if method == "CreditCard":
            number, expiry = form.get("pan", ""), _whole_year(form)
            leave = PayerAnswer.LEAVE
            card = self._payer.pay_by_card(visit.order, number=number, expiry=expiry, answer=leave, remember=remember)
            return _onward(visit, card)
        opens_app = any(entry.opens_app for entry in visit.order.menu if entry.name == method)
        answer = PayerAnswer.LEAVE if opens_app else PayerAnswer.APPROVE
        msisdn = _international(form)
        paid = self._payer.pay_by(visit.order, method, msisdn=msisdn, answer=answer, remember=remember)
        return _onward(visit, paid)

    def _pay_by_stored(self, visit: Visit, place: str) -> EmulatorAnswer:
        """Pay by what stands at ``place`` in the list of what was saved."""
        offered = stored_choices(self._register, visit.order)
        if not place.isdecimal() or int(place) >= len(offered):
            return redirect(visit.href())
        chosen = offered[int(place)]
        answer = PayerAnswer.LEAVE if chosen.card else PayerAnswer.APPROVE
        return _onward(visit, self._payer.pay_by_stored(visit.order, token=chosen.token, answer=answer))

    def _wrong_field(self, method: str, form: dict[str, str]) -> str:
        match method:
            case "CreditCard" if find_card(form.get("pan", "")) is None:
                return "card"
            case "CreditCard" if not is_good_until(_whole_year(form), self._register.now()):
                return "expiry"
            case "CreditCard" if not _SECURITY_CODE.fullmatch(form.get("cvc", "").strip()):
                return "cvc"
            case "Swish" if not is_swedish_mobile(_international(form)):
                return "msisdn"
            case _:
                return ""

    def _script(self, request: EmulatorRequest, token: str) -> EmulatorAnswer:
        order = self._register.by_token(token)
        if order is None:
            return EmulatorAnswer(status=404)
        settings = {
            "page": f"{request.origin}{PAGE_PATH}/{order.page_token}",
            "origin": request.origin,
            "paymentOrder": order.id,
            "hosts": list(host_origins(order)),
            "culture": request.query.get("culture", order.text("language")),
        }
        body = _asset("checkout.js") + b"offerCheckout(" + write_json(settings) + b");\n"
        headers = (("content-type", "application/javascript; charset=utf-8"), ("cache-control", "no-store"))
        return EmulatorAnswer(status=200, headers=headers, body=body)


def _onward(visit: Visit, result: PayerResult) -> EmulatorAnswer:
    """Move the browser on: home when paid, to the question while one is open, else back to the menu."""
    if result.status is not Status.INITIALIZED:
        return redirect(visit.href() if visit.is_framed else result.next_url)
    if result.problem:
        return redirect(visit.href(failed=str(result.attempt)))
    return redirect(visit.href("/question", attempt=str(result.attempt)))


def _whole_year(form: dict[str, str]) -> str:
    return _SHORT_EXPIRY.sub(r"\1/20\2", form.get("expiry", "").strip())


def _international(form: dict[str, str]) -> str:
    bare = re.sub(r"[ -]", "", form.get("msisdn", ""))
    return _NATIONAL_NUMBER.sub(r"+46\1", bare)


def _asset(name: str) -> bytes:
    return files(__package__ or "").joinpath(name).read_bytes()
