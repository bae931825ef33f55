"""The emulated phone: opens requests by number, token or app link, and answers them as the payer does.

Where a phone would open ``swish://paymentrequest?token=…&callbackurl=…``, a desktop goes to
``/phone?token=…&callbackurl=…``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

from prenopay.testing.control import PayerRefused
from prenopay.testing.emulators.pages import Html, Language, html, money_text, page, redirect, stylesheet, swedish
from prenopay.testing.emulators.swish.payer import DEFAULT_PAYER, Payer
from prenopay.testing.emulators.swish.register import PHONE_PATH, Payment, Register, Status
from prenopay.testing.emulators.swish.requests import minor, swedish_time
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest

_CSS: Final = f"{PHONE_PATH}/phone.css"
_FIELDS: Final = {
    "number": ("Your mobile number", "Such as 070-174 06 06. Any number will do.", "tel"),
    "token": ("Code or link", "What the QR code says, or the link that begins with swish://", "text"),
}
"""What is typed: label, hint, and kind of field."""
_ENGLISH: Final = Language("en", {})
_SWEDISH: Final = swedish(__package__ or "")


class Pages:
    """Serves the phone's pages."""

    def __init__(self, register: Register, payer: Payer) -> None:
        """Show the requests of ``register``; act through ``payer``."""
        self._register = register
        self._payer = payer

    def answer(self, request: EmulatorRequest) -> EmulatorAnswer:
        """Answer one call of a browser, in the language it prefers; the app's own is Swedish."""
        say = _ENGLISH if request.header("accept-language").strip().lower().startswith("en") else _SWEDISH
        match request.method, request.path.rstrip("/").removeprefix(PHONE_PATH):
            case "GET", "":
                return self._open(say, request.query)
            case "GET", "/phone.css":
                return stylesheet(__package__ or "")
            case "POST", "/answer":
                return self._act(say, request.form)
            case _:
                return _unknown_page(say)

    def _open(self, say: Language, query: dict[str, str]) -> EmulatorAnswer:
        """Open what was pasted: a token, a QR code's text (a token behind a D), an app link, or a number."""
        token, callback_url = query.get("token", "").strip(), query.get("callbackurl", "")
        if token.startswith("swish:"):
            link = parse_qs(urlsplit(token).query)
            token, callback_url = link.get("token", [""])[0], callback_url or link.get("callbackurl", [""])[0]
        if token or query.get("id"):
            payment = self._register.by_token(token) or self._register.by_token(token.removeprefix("D"))
            return self._show(say, payment or self._register.payments.get(query.get("id", "")), callback_url)
        given = query.get("number", "").strip()
        number = _number(given)
        waiting = [each for each in self._register.payments.values() if each.status is Status.CREATED]
        mine = [each for each in waiting if not number or each.payer == number]
        return _home_page(say, mine[::-1], number=number, wrong="" if number else given)

    def _show(self, say: Language, payment: Payment | None, callback_url: str, wrong: str = "") -> EmulatorAnswer:
        if payment is None:
            return _unknown_page(say)
        ends = payment.created + self._register.behaviour.payer_may_act_for
        too_late = self._register.now() > ends
        if payment.status is not Status.CREATED or too_late:
            return _end_page(say, payment, callback_url, too_late=too_late)
        return _request_page(say, payment, ends, callback_url, wrong)

    def _act(self, say: Language, form: dict[str, str]) -> EmulatorAnswer:
        """Do what the payer's button says; what no payer can do any more shows how it ended."""
        payment, callback_url = self._register.payments.get(form.get("id", "")), form.get("callbackurl", "")
        given = form.get("number", "")
        if payment is None or (given and not _number(given)):
            return self._show(say, payment, callback_url, given)
        try:
            if form.get("answer") == "approve":
                self._payer.approve(payment.id, msisdn=_number(given))
            elif form.get("answer") == "decline":
                self._payer.decline(payment.id)
        except PayerRefused:
            return self._show(say, payment, callback_url)
        # The app goes back to the shop whatever the payer said; being back proves nothing.
        return redirect(callback_url) if _is_web_address(callback_url) else self._show(say, payment, callback_url)


def _number(given: str) -> str:
    """Return a phone number in Swish's form; empty for what is none."""
    bare = re.sub(r"[\s()-]+", "", given)
    national, international = re.fullmatch(r"0([1-9]\d{6,11})", bare), re.fullmatch(r"(?:\+|00)?([1-9]\d{7,14})", bare)
    return f"46{national[1]}" if national else international[1] if international else ""


def _is_web_address(url: str) -> bool:
    """Say whether a browser can be sent there; apps have addresses of their own kind."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc) and url.isprintable()


def _money(amount: Decimal) -> str:
    return money_text(minor(amount), "SEK", "sv")


# The pages


def _page(say: Language, main: Html, *, title: str, status: int = 200) -> EmulatorAnswer:
    body = html(
        '<body><p class="ribbon" role="note">{say[Emulated phone: no money moves]}</p><div class="phone">'
        '<p class="bar"><a href="{home}">{say[The payment app]}</a></p><main>{main}</main></div></body>',
        say=say,
        home=PHONE_PATH,
        main=main,
    )
    return page(say, body, title=title, css=_CSS, status=status)


def _home_page(say: Language, waiting: Iterable[Payment], *, number: str, wrong: str) -> EmulatorAnswer:
    """Return the start: what waits (for ``number``, if one is given), and the two ways in."""
    rows = [_row(say, payment) for payment in waiting]
    waiting_for = "Waiting for an answer from {number}" if number else "Waiting for an answer"
    listed = '<ul class="requests">{rows}</ul>' if rows else '<p class="quiet">{say[Nothing is waiting now.]}</p>'
    main = html(
        "<h1>{say[What do you want to pay?]}</h1><section><h2>{heading}</h2>{listed}</section>"
        '<form action="{home}">{by_number}<button class="other">{say[Show requests]}</button></form>'
        '<form action="{home}">{by_token}<button class="other">{say[Open]}</button></form>',
        say=say,
        heading=say(waiting_for, number=f"+{number}"),
        listed=html(listed, rows=rows, say=say),
        home=PHONE_PATH,
        by_number=_number_field(say, wrong or number, wrong),
        by_token=_field(say, "token"),
    )
    return _page(say, main, title=say["What do you want to pay?"], status=422 if wrong else 200)


def _request_page(say: Language, payment: Payment, ends: datetime, callback_url: str, wrong: str) -> EmulatorAnswer:
    """Return a request with its two answers; ``wrong`` is a number that was none."""
    payee = f"{payment.merchant.name} ({payment.merchant.number})"
    facts = {"To": payee, "Message": payment.message, "Reference": payment.reference}
    row, amount = "<div><dt>{name}</dt><dd>{value}</dd></div>", _money(payment.amount)
    main = html(
        '<h1>{say[Pay]} <strong class="amount">{amount}</strong></h1><dl>{rows}</dl>'
        '<form method="post" action="{home}/answer"><input type="hidden" name="id" value="{payment.id}">'
        '<input type="hidden" name="callbackurl" value="{back}">{number}'
        '<button class="pay" name="answer" value="approve">{say[Approve with BankID]}</button>'
        '<button class="other" name="answer" value="decline">{say[Cancel]}</button></form><p class="quiet">{until}</p>',
        say=say,
        amount=amount,
        rows=[html(row, name=say[name], value=value) for name, value in facts.items() if value],
        home=PHONE_PATH,
        payment=payment,
        back=callback_url,
        number=_number_field(say, wrong or payment.payer or DEFAULT_PAYER, wrong) if payment.token else None,
        until=say("Answer before {time}.", time=f"{swedish_time(ends):%H:%M:%S}"),
    )
    return _page(say, main, title=f"{say['Pay']} {amount}", status=422 if wrong else 200)


def _end_page(say: Language, payment: Payment, callback_url: str, *, too_late: bool) -> EmulatorAnswer:
    """Return how a request ended, with the way back."""
    match payment.status:
        case Status.PAID:
            amount, merchant = _money(payment.amount), payment.merchant.name
            title, text = "Paid", say("{amount} to {merchant}.", amount=amount, merchant=merchant)
        case Status.DECLINED:
            title, text = "Cancelled", say["You did not pay."]
        case Status.CANCELLED:
            title, text = "Withdrawn", say["The shop has withdrawn its request."]
        case _ if too_late or payment.error_code == "TM01":
            title, text = "Too late", say["The time to pay has passed. Ask the shop for a new request."]
        case _:
            title, text = "It did not work", say("The payment was not made ({code}).", code=payment.error_code)
    back = None
    if _is_web_address(callback_url):
        back = html('<p><a href="{url}" class="pay">{say[Back to the shop]}</a></p>', url=callback_url, say=say)
    elif callback_url:
        back = html('<p class="quiet">{text}</p>', text=say("On a phone this opens {url}", url=callback_url))
    good = payment.status is Status.PAID
    sign = '<p class="sign good" aria-hidden="true">✓</p>' if good else '<p class="sign" aria-hidden="true">!</p>'
    return _message_page(say, say[title], text, sign=Html(sign), back=back)


def _unknown_page(say: Language) -> EmulatorAnswer:
    """Return the page for a code without a request."""
    return _message_page(say, say["Not found"], say["There is no request with that code."], status=404)


def _message_page(
    say: Language, title: str, text: str, *, sign: Html | None = None, back: Html | None = None, status: int = 200
) -> EmulatorAnswer:
    main = html(
        '{sign}<h1>{title}</h1><p>{text}</p>{back}<p><a href="{home}" class="link">{say[To the start]}</a></p>',
        sign=sign,
        title=title,
        text=text,
        back=back,
        home=PHONE_PATH,
        say=say,
    )
    return _page(say, main, title=title, status=status)


def _row(say: Language, payment: Payment) -> Html:
    query = {"token": payment.token} if payment.token else {"id": payment.id}
    who = say["QR code or link"] if payment.token and not payment.payer else f"+{payment.payer}"
    return html(
        '<li><a href="{home}?{query}"><span>{payment.merchant.name}</span><span class="amount">{amount}</span>'
        '<small class="quiet">{about}</small></a></li>',
        home=PHONE_PATH,
        query=urlencode(query),
        payment=payment,
        amount=_money(payment.amount),
        about=" · ".join(filter(None, (who, payment.message))),
    )


def _number_field(say: Language, number: str, wrong: str) -> Html:
    return _field(say, "number", number, say["Write a mobile number, such as 070-174 06 06."] if wrong else "")


def _field(say: Language, name: str, value: str = "", wrong: str = "") -> Html:
    """Return a field. One label holds it and its words, so that two forms never have the same id."""
    label, hint, kind = _FIELDS[name]
    return html(
        '<label class="field"><span>{label}</span><small class="quiet">{hint}</small>'
        '<input type="{kind}" name="{name}" value="{value}" autocomplete="off"{state}>{wrong}</label>',
        label=say[label],
        hint=say[hint],
        kind=kind,
        name=name,
        value=value,
        state=Html(' aria-invalid="true"') if wrong else None,
        wrong=html('<small class="wrong" role="alert">{wrong}</small>', wrong=wrong) if wrong else None,
    )
