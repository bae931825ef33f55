"""The payment page: what is paid for, a menu of ways to pay, what bank or app asks, and where it ends."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from urllib.parse import urlencode, urlsplit

from prenopay.testing.control import PayerRefused
from prenopay.testing.emulators.pages import (
    Html,
    Language,
    asset,
    html,
    money_text,
    page,
    redirect,
    stylesheet,
    swedish,
)
from prenopay.testing.emulators.swedbankpay.cards import (
    TEST_CARDS,
    Instrument,
    TestCard,
    amount_decline,
    find_card,
    is_good_until,
    swish_decline,
)
from prenopay.testing.emulators.swedbankpay.orders import Attempt, PaymentOrder, Status, TokenRecord
from prenopay.testing.emulators.swedbankpay.payer import Payer, PayerAnswer, PayerResult, is_asked, is_swedish_mobile
from prenopay.testing.emulators.swedbankpay.register import PAGE_PATH, Register
from prenopay.testing.emulators.swedbankpay.tokens import asks_consent, card_typed, stored_choices
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest, JsonObject, as_list, write_json

_HERE: Final = "prenopay.testing.emulators.swedbankpay"
_ASSETS: Final = f"{PAGE_PATH}/assets"
_DOTS: Final = "\N{BULLET}" * 4
_NAMES: Final = {
    "CreditCard": "Card",
    "ApplePay": "Apple Pay",
    "GooglePay": "Google Pay",
    "ClickToPay": "Click to Pay",
    "Invoice-PayExFinancingSe": "Invoice",
    "Invoice-PayExFinancingNo": "Invoice",
    "Invoice-PayMonthlyInvoiceSe": "Monthly invoice",
    "CreditAccount-CreditAccountSe": "Pay by instalments",
}
"""What people call the instruments."""
_FAILURES: Final = {
    "acquirerinsufficientfunds": "There is not enough money on the card.",
    "acquirercardexpired": "The card has expired.",
    "3dsecureusercancelled": "You cancelled at your bank.",
    "usercancelled": "You cancelled in the app.",
    "bankidcancelled": "BankID was cancelled.",
    "swishdeclined": "You declined in Swish.",
    "swishtimeout": "It took too long.",
}
_FIELDS: Final = {
    "pan": ("Card number", "", "Only the published test cards can be used here."),
    "expiry": ("Valid thru", "MM/YY", "Write month and year as MM/YY, not in the past."),
    "cvc": ("Security code", "", "Write the three or four digits of the security code."),
    "msisdn": (
        "Mobile number",
        "A Swedish number, such as 073-900 00 01",
        "Write a Swedish mobile number, such as 073-900 00 01.",
    ),
}
"""What is typed on the page: label, hint, and the message where it is wrong."""
_ENGLISH: Final = Language("en", {})
_SWEDISH: Final = swedish(__package__ or "")


def _language(culture: str) -> Language:
    """Return the language of a tag such as ``sv-SE``; English for every other language."""
    return _SWEDISH if culture.lower().startswith("sv") else _ENGLISH


def _host_origins(order: PaymentOrder) -> tuple[str, ...]:
    """Return the origins that may frame the order's page."""
    parts = (urlsplit(str(url)) for url in as_list(order.part("urls").get("hostUrls")) or [])
    return tuple(f"{part.scheme}://{part.netloc}" for part in parts)


@dataclass(frozen=True, slots=True)
class _Visit:
    """What every link on the page carries along. ``host`` is the origin of the framing page, if there is one."""

    order: PaymentOrder
    culture: str
    host: str

    @property
    def say(self) -> Language:
        """The page's language: the order's, unless the visit asks for another."""
        return _language(self.culture or self.order.text("language"))

    @property
    def merchant(self) -> str:
        """The name the payer knows the merchant by."""
        return self.order.part_text("payeeInfo", "payeeName") or self.order.merchant.name

    @property
    def may_be_shown(self) -> bool:
        """Whether the framing page is one that the order names."""
        return not self.host or self.host in _host_origins(self.order)

    @property
    def price(self) -> str:
        """The order's amount."""
        return self.money(self.order.amount)

    def money(self, amount: int) -> str:
        """Return an amount in the order's currency."""
        return money_text(amount, self.order.currency, self.say.tag)

    def method(self, instrument: Instrument) -> str:
        """Return what people call an instrument."""
        return self.say(_NAMES[instrument.name]) if instrument.name in _NAMES else instrument.name

    def href(self, path: str = "", **parameters: str) -> str:
        """Return a link to a part of this order's page."""
        carried = {"culture": self.culture, "host": self.host} | parameters
        query = urlencode({key: value for key, value in carried.items() if value})
        return f"{PAGE_PATH}/{self.order.page_token}{path}{'?' if query else ''}{query}"

    def page(self, main: Html, title: str, *, status: int = 200, events: Sequence[JsonObject] = ()) -> EmulatorAnswer:
        """Return a page of the order; ``events`` are reported to the framing page, if there is one."""
        if not self.host or not self.may_be_shown:
            return _page(self.say, main, title, status=status, look="framed" if self.host else "alone")
        data = html(
            ' data-host="{v.host}" data-order="{v.order.id}" data-events="{events}"',
            v=self,
            events=write_json(list(events)).decode(),
        )
        return _page(self.say, main, title, status=status, data=data, framed_by=" ".join(_host_origins(self.order)))


def _page(
    say: Language,
    main: Html,
    title: str,
    *,
    status: int,
    look: str = "framed",
    data: Html | None = None,
    framed_by: str = "'none'",
) -> EmulatorAnswer:
    body = html(
        '<body class="{look}"{data}><header class="ribbon">'
        "<p>{say[Emulator: no money moves. Never type a real card number.]}</p></header>"
        "<main>{main}</main>{script}</body>",
        look=look,
        data=data,
        say=say,
        main=main,
        script=Html(f'<script src="{_ASSETS}/frame.js"></script>') if data else None,
    )
    css = f"{_ASSETS}/page.css"
    return page(say, body, title=title, css=css, status=status, scripted=True, framed_by=framed_by)


class Pages:
    """Serves the payment page and the seamless view's script to payers' browsers."""

    def __init__(self, register: Register, payer: Payer) -> None:
        """Show the orders of ``register``; act through ``payer``."""
        self._register = register
        self._payer = payer

    def answer(self, request: EmulatorRequest) -> EmulatorAnswer:
        """Answer one call of a browser."""
        match request.method, request.path.removeprefix(PAGE_PATH).strip("/").split("/"):
            case "GET", ["assets", "page.css"]:
                return stylesheet(__package__ or "")
            case "GET", ["assets", "frame.js"]:
                headers = (("content-type", "text/javascript"),)
                return EmulatorAnswer(status=200, headers=headers, body=asset(_HERE, "frame.js"))
            case "GET", ["client", token]:
                return self._script(request, token)
            case method, [token, *rest]:
                return self._page(request, method, token, "/".join(rest))
            case _:
                return _not_found(_ENGLISH)

    def _page(self, request: EmulatorRequest, method: str, token: str, part: str) -> EmulatorAnswer:
        order, query = self._register.by_token(token), request.query
        if order is None:
            return _not_found(_language(request.header("accept-language")))
        visit = _Visit(order, query.get("culture", ""), query.get("host", ""))
        say, merchant = visit.say, visit.merchant
        if not visit.may_be_shown:
            text = say("The address {host} is not among the order's hostUrls.", host=visit.host)
            return visit.page(*_box(say["This site may not show the payment"], text), status=403)
        if order.status is not Status.INITIALIZED:
            return _closed(visit)
        if self._register.page_has_expired(order):
            text = say("Ask {merchant} for a new one. Nothing was charged.", merchant=merchant)
            events: list[JsonObject] = [{"event": "OnError", "details": "expired"}]
            return visit.page(*_box(say("This link has expired"), text), status=410, events=events)
        match method, part:
            case "GET", "":
                self._register.open_page(order, "HostedView" if visit.host else "Redirect")
                return _menu(visit, query, stored_choices(self._register, order))
            case "GET", "question":
                number = query.get("attempt", "")
                asked = next((each for each in order.open_attempts if str(each.number) == number), None)
                return redirect(visit.href()) if asked is None else _question(visit, asked)
            case "POST", "pay" | "answer" | "cancel":
                try:
                    return self._act(visit, part, request.form)
                except PayerRefused:  # what no payer can do (an old tab) leads back to the page
                    return redirect(visit.href())
            case _:
                return _not_found(say)

    def _act(self, visit: _Visit, part: str, form: dict[str, str]) -> EmulatorAnswer:
        order = visit.order.id
        if part == "cancel":
            return redirect(self._payer.cancel(order).next_url)
        if part == "answer":
            answer, attempt = form.get("answer", ""), form.get("attempt", "")
            if answer not in set(PayerAnswer) or not attempt.isdecimal():
                return redirect(visit.href())
            return _onward(visit, self._payer.answer(order, PayerAnswer(answer), attempt=int(attempt)))
        if "stored" in form:
            offered, place = stored_choices(self._register, visit.order), form["stored"]
            if not place.isdecimal() or int(place) >= len(offered):
                return redirect(visit.href())
            chosen = offered[int(place)]
            asks = chosen.card is not None and is_asked(visit.order, chosen.card)
            answer = PayerAnswer.LEAVE if asks else PayerAnswer.APPROVE
            return _onward(visit, self._payer.pay_by_stored(order, token=chosen.token, answer=answer))
        return self._pay(visit, form)

    def _pay(self, visit: _Visit, form: dict[str, str]) -> EmulatorAnswer:
        """Pay as the form says; a field that is wrong is shown again, empty: a number typed here is never kept."""
        method, remember, order = form.get("method", ""), form.get("remember") == "yes", visit.order.id
        expiry = re.sub(r"^(\d\d) ?/ ?(?:20)?(\d\d)$", r"\1/20\2", form.get("expiry", "").strip())
        msisdn = re.sub(r"^0(7\d{8})$", r"+46\1", re.sub(r"[ -]", "", form.get("msisdn", "")))
        wrong = ""
        match method:
            case "CreditCard" if find_card(form.get("pan", "")) is None:
                wrong = "pan"
            case "CreditCard" if not is_good_until(expiry, self._register.now()):
                wrong = "expiry"
            case "CreditCard" if not re.fullmatch(r"\d{3,4}", form.get("cvc", "").strip()):
                wrong = "cvc"
            case "CreditCard":
                typed = card_typed(form.get("pan", ""), expiry, self._register, PayerRefused)
                answer = PayerAnswer.LEAVE if is_asked(visit.order, typed) else PayerAnswer.APPROVE
                pan = form.get("pan", "")
                card = self._payer.pay_by_card(order, pan=pan, expiry=expiry, answer=answer, remember=remember)
                return _onward(visit, card)
            case "Swish" if not is_swedish_mobile(msisdn):
                wrong = "msisdn"
            case _:
                opens_app = any(entry.opens_app for entry in visit.order.menu if entry.name == method)
                answer = PayerAnswer.LEAVE if opens_app else PayerAnswer.APPROVE
                paid = self._payer.pay_by(order, method, msisdn=msisdn, answer=answer, remember=remember)
                return _onward(visit, paid)
        return redirect(visit.href(method=method, error=wrong))

    def _script(self, request: EmulatorRequest, token: str) -> EmulatorAnswer:
        order = self._register.by_token(token)
        if order is None:
            return EmulatorAnswer(status=404)
        settings = {
            "page": f"{request.origin}{PAGE_PATH}/{order.page_token}",
            "origin": request.origin,
            "paymentOrder": order.id,
            "hosts": list(_host_origins(order)),
            "culture": request.query.get("culture", order.text("language")),
        }
        body = asset(_HERE, "checkout.js") + b"offerCheckout(" + write_json(settings) + b");\n"
        headers = (("content-type", "application/javascript; charset=utf-8"), ("cache-control", "no-store"))
        return EmulatorAnswer(status=200, headers=headers, body=body)


def _onward(visit: _Visit, result: PayerResult) -> EmulatorAnswer:
    """Move the browser on: home when paid, to the question while one is open, else back to the menu."""
    if result.status is not Status.INITIALIZED:
        return redirect(visit.href() if visit.host else result.next_url)
    if result.problem:
        return redirect(visit.href(failed=str(result.attempt)))
    return redirect(visit.href("/question", attempt=str(result.attempt)))


# The pages around the menu


def _box(title: str, text: str, more: Html | None = None) -> tuple[Html, str]:
    """Return a page's only box, and its title."""
    return html('<div class="box"><h1>{title}</h1><p>{text}</p>{more}</div>', title=title, text=text, more=more), title


def _not_found(say: Language) -> EmulatorAnswer:
    box = _box(say["There is no such payment"], say["Check that the whole link was copied."])
    return _page(say, *box, status=404, look="alone")


def _closed(visit: _Visit) -> EmulatorAnswer:
    """Return what a payer sees who comes to an order that is no longer open."""
    order, say, merchant = visit.order, visit.say, visit.merchant
    url, event = order.part_text("urls", "completeUrl"), "OnPaid"
    if order.status is Status.ABORTED:
        url, event = order.part_text("urls", "cancelUrl") or url, "OnAborted"
        title, text = "This payment is closed", say["It was cancelled, and nothing was charged."]
    elif order.is_verification and order.status is Status.PAID:
        said = "{merchant} may charge it as you have agreed. Nothing was charged now."
        title, text = "It is saved", say(said, merchant=merchant)
    else:
        said, amount = "{merchant} has your payment of {amount}.", visit.money(order.authorized)
        title, text = "The payment is done", say(said, merchant=merchant, amount=amount)
    back = html('<a href="{url}" class="pay">{text}</a>', url=url, text=say("Back to {merchant}", merchant=merchant))
    events: list[JsonObject] = [{"event": event, "redirectUrl": url}]
    return visit.page(*_box(say[title], text, None if visit.host else back), events=events)


def _question(visit: _Visit, attempt: Attempt) -> EmulatorAnswer:
    """Return what the payer is asked: by the bank, or in the app."""
    say, price, merchant, method = visit.say, visit.price, visit.merchant, visit.method(attempt.instrument)
    events: list[JsonObject] = [{"event": "OnPaymentAttemptStarted", "instrument": attempt.instrument.name.lower()}]
    if attempt.card is not None:
        saves = "{merchant} wants to save your card {card}. Nothing is charged now."
        asked = saves if visit.order.is_verification else "{merchant} wants to charge {amount} to your card {card}."
        text = say(asked, merchant=merchant, amount=price, card=f"{_DOTS} {attempt.card.masked[-4:]}")
        answers = {PayerAnswer.APPROVE: ("Approve", "pay"), PayerAnswer.CANCEL: ("Cancel", "other")}
        return visit.page(*_box(say["Your bank asks"], text, _answers(visit, attempt, answers)), events=events)
    answers = {
        PayerAnswer.APPROVE: ("Approve", "pay"),
        PayerAnswer.DECLINE: ("Decline", "other"),
        PayerAnswer.TIME_OUT: ("Do nothing until it times out", "link"),
    }
    phone = html(
        '<div class="phone"><p class="app">{method}</p><p class="ask">{ask}</p>{answers}</div>',
        method=method,
        ask=say("Pay {amount} to {merchant}", amount=price, merchant=merchant),
        answers=_answers(visit, attempt, answers),
    )
    waits = say["The payment waits for your answer in the app. Here is the phone:"]
    return visit.page(*_box(say("Open {method} on your phone", method=method), waits, phone), events=events)


def _answers(visit: _Visit, attempt: Attempt, choices: Mapping[PayerAnswer, tuple[str, str]]) -> Html:
    button = '<button type="submit" name="answer" value="{answer}" class="{look}">{text}</button>'
    return html(
        '<form method="post" action="{action}" class="answers">'
        '<input type="hidden" name="attempt" value="{attempt.number}">{buttons}</form>',
        action=visit.href("/answer"),
        attempt=attempt,
        buttons=[html(button, answer=each, text=visit.say[text], look=look) for each, (text, look) in choices.items()],
    )


# The menu


def _menu(visit: _Visit, query: dict[str, str], stored: Sequence[TokenRecord]) -> EmulatorAnswer:
    """Return the page itself. ``query`` may say which method is open, which card is chosen and what went wrong.

    ``stored`` is what the payer may choose of what was saved before.
    """
    say, order, menu, number = visit.say, visit.order, visit.order.menu, query.get("failed", "")
    failed = next((each for each in order.attempts if str(each.number) == number and each.problem), None)
    opened = query.get("method") or (failed.instrument.name if failed else "")
    if not opened and (len(menu) == 1 or order.asks("expandFirstInstrument")):
        opened = menu[0].name
    purpose = say["Save a way to pay at" if order.is_verification else "Pay to"]
    if order.is_typed_by_staff:
        purpose = f"{say['Payment by phone or letter']}:"
    alert, events, title = None, list[JsonObject](), f"{purpose} {visit.merchant}"
    if failed is not None:
        word = str((failed.problem or {}).get("type", "")).rsplit("/", maxsplit=1)[-1]
        events.append({"event": "OnPaymentAttemptFailed", "details": word})
        title = f"{say['The payment was not completed']}: {visit.merchant}"
        alert = html(  # no heading: the page's first one comes after it
            '<div class="alert" role="alert"><strong>{say[The payment was not completed]}</strong><p>{why}</p></div>',
            say=say,
            why=say[_FAILURES.get(word, "It was declined. Try again, or choose another way to pay.")],
        )
    main = html(
        '{alert}<div class="columns">{summary}{choice}</div>',
        alert=alert,
        summary=None if visit.host else _summary(visit, purpose),
        choice=_choice(visit, [_stored(visit, stored), *(_method(visit, each, query, opened) for each in menu)]),
    )
    return visit.page(main, title, events=events)


def _summary(visit: _Visit, purpose: str) -> Html:
    order = visit.order
    lines = [_line(visit, item) for item in order.items if not item.get("restrictedToInstruments")]
    total = '<p class="total"><span>{v.say[To pay]}</span><strong>{v.price}</strong></p>'
    vat = visit.say("of which VAT {amount}", amount=visit.money(order.vat_amount))
    return html(
        '<section class="summary" aria-label="{v.say[Your order]}"><h1><span class="quiet">{purpose}</span> '
        '{v.merchant}</h1><p class="description">{description}</p>{lines}{total}{vat}</section>',
        v=visit,
        purpose=purpose,
        description=order.text("description"),
        lines=html('<ul class="lines">{lines}</ul>', lines=lines) if lines else None,
        total=html(
            '<p class="quiet">{v.say[Nothing is charged now.]}</p>' if order.is_verification else total, v=visit
        ),
        vat=html('<p class="vat quiet">{vat}</p>', vat=vat) if order.vat_amount else None,
    )


def _line(visit: _Visit, item: JsonObject) -> Html:
    quantity, amount = item.get("quantity"), item.get("amount")
    count = f"{quantity} {item.get('quantityUnit')}" if isinstance(quantity, int | Decimal) and quantity != 1 else ""
    return html(
        '<li><span>{name}{count}</span><span class="amount">{amount}</span></li>',
        name=str(item.get("name")),
        count=html('<small class="quiet">{count}</small>', count=count) if count else None,
        amount=visit.money(amount if isinstance(amount, int) else 0),
    )


def _choice(visit: _Visit, methods: list[Html]) -> Html:
    terms, links = visit.order.part_text("urls", "termsOfServiceUrl"), list[Html]()
    if not visit.host and visit.order.part_text("urls", "cancelUrl"):
        button = '<button type="submit" class="link">{say[Cancel and go back]}</button>'
        form = f'<form method="post" action="{{action}}">{button}</form>'
        links.append(html(form, action=visit.href("/cancel"), say=visit.say))
    if terms:
        link = '<a href="{url}" target="_blank" rel="noopener" class="terms">{say[Terms of purchase]}</a>'
        links.append(html(link, url=terms, say=visit.say))
    return html(
        '<section aria-labelledby="choose"><{h} id="choose" class="choose">{say[How do you want to pay?]}</{h}>'
        '<div class="methods">{methods}</div>{links}</section>',
        h="h1" if visit.host else "h2",
        say=visit.say,
        methods=methods,
        links=html('<div class="links">{links}</div>', links=links) if links else None,
    )


def _stored(visit: _Visit, stored: Sequence[TokenRecord]) -> Html:
    """Return one button for each stored card or account; the tokens themselves stay at the gateway."""
    forms: list[Html] = []
    for place, entry in enumerate(stored):
        name = f"{entry.card.brand + ' ' if entry.card else ''}{_DOTS} {entry.name[-4:]}"
        said = visit.say("Pay {amount} with {name}", amount=visit.price, name=name)
        forms.append(_form(visit, html('<input type="hidden" name="stored" value="{place}">', place=place), said))
    box = '<div class="stored"><h3>{say[Saved before]}</h3>{forms}</div>'
    return html(box, say=visit.say, forms=forms) if forms else Html("")


def _form(visit: _Visit, fields: Html, button: str) -> Html:
    return html(
        '<form method="post" action="{action}" autocomplete="off">{fields}'
        '<button type="submit" class="pay">{button}</button></form>',
        action=visit.href("/pay"),
        fields=fields,
        button=button,
    )


def _method(visit: _Visit, instrument: Instrument, query: dict[str, str], opened: str) -> Html:
    say, is_open, cards, consent = visit.say, instrument.name == opened, None, None
    error, word = query.get("error", "") if is_open else "", instrument.name.lower()
    if instrument.is_card:
        fields = _card_fields(visit, query, error)
        cards = _test_cards(visit, is_open="card" in query or error == "pan")
    elif instrument.name == "Swish":
        fields = _phone_field(visit, error)
    else:
        straight = "The payment is approved as soon as you press the button."
        text = "You approve the payment in the app on your phone." if instrument.opens_app else straight
        fields = html('<p class="quiet">{text}</p>', text=say[text])
    if asks_consent(visit.order) and (instrument.is_card or instrument.is_bank_account):
        # Empty until the payer ticks it, as consent has to be.
        consent = html(
            '<p class="consent"><input type="checkbox" id="remember-{word}" name="remember" value="yes"> '
            '<label for="remember-{word}">{say[Save this for the next time]}</label></p>',
            word=word,
            say=say,
        )
    whole = html(
        '<input type="hidden" name="method" value="{name}">{fields}{consent}',
        name=instrument.name,
        fields=fields,
        consent=consent,
    )
    said = say["Save"] if visit.order.is_verification else say("Pay {amount}", amount=visit.price)
    inside = html('<div class="inside">{form}{cards}</div>', form=_form(visit, whole, said), cards=cards)
    name = visit.method(instrument)
    if len(visit.order.menu) == 1:  # nothing to choose: a heading that closed it would only be in the way
        return html('<div class="method"><h3>{name}</h3>{inside}</div>', name=name, inside=inside)
    return html(
        '<details class="method" name="method"{open} data-instrument="{word}"><summary>'
        '<span class="mark" aria-hidden="true"></span><span class="name">{name}</span></summary>{inside}</details>',
        open=" open" if is_open else None,
        word=word,
        name=name,
        inside=inside,
    )


def _card_fields(visit: _Visit, query: dict[str, str], error: str) -> Html:
    say, order, place = visit.say, visit.order, query.get("card", "0")
    card = TEST_CARDS[int(place) if place.isdecimal() and int(place) < len(TEST_CARDS) else 0]
    staff = '<p class="note">{say[Type the card as the payer gives it. The bank asks nothing.]}</p>'
    return html(
        '{staff}{magic}{number}<div class="pair">{expiry}{code}</div>',
        staff=html(staff, say=say) if order.is_typed_by_staff else None,
        magic=_magic_note(visit, visit.price) if amount_decline(order.amount) else None,
        number=_field(say, "pan", _spaced(card), error),
        expiry=_field(say, "expiry", f"{card.expiry[:3]}{card.expiry[-2:]}", error),
        code=_field(say, "cvc", card.cvc, error),
    )


def _phone_field(visit: _Visit, error: str) -> Html:
    number, description = visit.order.part_text("payer", "msisdn") or "+46739000001", visit.order.text("description")
    magic = _magic_note(visit, description) if swish_decline(description) else None
    return html("{magic}{field}", magic=magic, field=_field(visit.say, "msisdn", number, error))


def _magic_note(visit: _Visit, what: str) -> Html:
    said = "This order will be declined on purpose: {what} is one of the published test values."
    return html('<p class="note">{text}</p>', text=visit.say(said, what=what))


def _field(say: Language, name: str, value: str, error: str) -> Html:
    """Return a field with its label; one that is wrong is empty: a number that was typed never comes back."""
    (label, hint, wrong), is_wrong, is_phone = _FIELDS[name], error == name, name == "msisdn"
    told = " ".join([f"{name}-hint"] * bool(hint) + [f"{name}-error"] * is_wrong)
    keeps = not is_wrong or name in {"expiry", "cvc"}  # these are the test card's, and say nothing
    return html(
        '<div class="field"><label for="{name}">{label}</label>{hint}<input id="{name}" name="{name}" value="{value}" '
        'type="{kind}" inputmode="{mode}" autocomplete="off" required{state}{described}>{wrong}</div>',
        name=name,
        label=say[label],
        hint=html('<small id="{n}-hint" class="quiet">{hint}</small>', n=name, hint=say[hint]) if hint else None,
        value=value if keeps else "",
        kind="tel" if is_phone else "text",
        mode="tel" if is_phone else "numeric",
        state=Html(' autofocus aria-invalid="true"') if is_wrong else None,
        described=html(' aria-describedby="{told}"', told=told) if told else None,
        wrong=html('<p id="{n}-error" class="wrong">{wrong}</p>', n=name, wrong=say[wrong]) if is_wrong else None,
    )


def _spaced(card: TestCard) -> str:
    return " ".join(card.number[start : start + 4] for start in range(0, len(card.number), 4))


def _test_cards(visit: _Visit, *, is_open: bool) -> Html:
    row = (
        '<li><a href="{href}" aria-label="{label}"><span class="brand">{card.brand}</span>'
        '<span class="number">{number}</span><span class="quiet">{asks}</span></a></li>'
    )
    rows = [
        html(
            row,
            href=visit.href(method="CreditCard", card=str(place)),
            label=visit.say("Use {brand} ending in {last}", brand=card.brand, last=card.number[-4:]),
            card=card,
            number=_spaced(card),
            asks=visit.say["asks in 3-D Secure" if card.is_challenged else "pays at once"],
        )
        for place, card in enumerate(TEST_CARDS)
    ]
    return html(
        '<details class="cards"{open}><summary>{say[Other test cards]}</summary><p class="quiet">'
        "{say[Choose one and the form is filled in. Other numbers are refused.]}</p><ul>{rows}</ul></details>",
        open=" open" if is_open else None,
        say=visit.say,
        rows=rows,
    )
