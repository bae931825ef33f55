"""The payment page itself: what is paid for, and a menu of ways to pay, each with its form."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from prenopay.testing.emulators.jsonvalues import JsonObject
from prenopay.testing.emulators.markup import Html, element, join
from prenopay.testing.emulators.swedbankpay.cards import TEST_CARDS, TestCard
from prenopay.testing.emulators.swedbankpay.declines import is_magic_amount, swish_decline
from prenopay.testing.emulators.swedbankpay.instruments import Instrument
from prenopay.testing.emulators.swedbankpay.orders import Attempt, PaymentOrder
from prenopay.testing.emulators.swedbankpay.page.layout import page
from prenopay.testing.emulators.swedbankpay.page.stored import consent_field, stored_forms
from prenopay.testing.emulators.swedbankpay.page.visit import Visit
from prenopay.testing.emulators.swedbankpay.tokens import StoredToken
from prenopay.testing.http import EmulatorAnswer

__all__ = ["menu_page"]

_DEFAULT_MSISDN: Final = "+46739000001"


def menu_page(visit: Visit, query: dict[str, str], stored: Sequence[StoredToken]) -> EmulatorAnswer:
    """Return the page. ``query`` may say which method is open, which card is chosen and what went wrong.

    ``stored`` is what the payer may choose of what was saved before.
    """
    texts, menu = visit.texts, visit.order.menu
    failed = _failed_attempt(visit.order, query.get("failed", ""))
    opened = query.get("method") or (failed.instrument.name if failed else "")
    if not opened and (len(menu) == 1 or visit.order.request.get("expandFirstInstrument") is True):
        opened = menu[0].name
    methods = [*stored_forms(visit, stored)]
    methods += [_method(visit, instrument, query, is_open=instrument.name == opened) for instrument in menu]
    content = (
        *_failure(visit, failed),
        element("div", *(() if visit.is_framed else (_summary(visit),)), _choice(visit, methods), class_="columns"),
    )
    events: list[JsonObject] = []
    if failed is not None:
        events.append(visit.event("OnPaymentAttemptFailed", details=_problem_word(failed)))
    title = f"{texts.not_paid}: {visit.merchant}" if failed else f"{_purpose(visit)} {visit.merchant}"
    return page(visit, *content, title=title, events=events)


def _purpose(visit: Visit) -> str:
    if visit.order.is_typed_by_staff:
        return f"{visit.texts.staff_title}:"
    return visit.texts.save_at if visit.order.is_verification else visit.texts.pay_to


def _failed_attempt(order: PaymentOrder, number: str) -> Attempt | None:
    return next((entry for entry in order.attempts if str(entry.number) == number and entry.problem), None)


def _problem_word(attempt: Attempt) -> str:
    return str((attempt.problem or {}).get("type", "")).rsplit("/", maxsplit=1)[-1]


def _failure(visit: Visit, failed: Attempt | None) -> tuple[Html, ...]:
    if failed is None:
        return ()
    texts = visit.texts
    why = texts.failures.get(_problem_word(failed), texts.declined)
    heading = element("strong", texts.not_paid)  # no heading: the page's first one comes after it
    return (element("div", heading, element("p", why), class_="alert", role="alert"),)


def _summary(visit: Visit) -> Html:
    texts, order = visit.texts, visit.order
    heading = element("h1", element("span", _purpose(visit), class_="quiet"), " ", visit.merchant)
    lines = [_line(visit, item) for item in order.items if not item.get("restrictedToInstruments")]
    shown = element("ul", *lines, class_="lines") if lines else join(())
    vat = texts.of_which_vat.format(amount=visit.money(order.vat_amount))
    total = element(
        "p",
        element("span", texts.to_pay),
        element("strong", visit.price),
        class_="total",
    )
    if order.is_verification:
        total = element("p", texts.nothing_charged, class_="quiet")
    return element(
        "section",
        heading,
        element("p", order.text("description"), class_="description"),
        shown,
        total,
        element("p", vat, class_="vat quiet") if order.vat_amount else join(()),
        class_="summary",
        aria_label=texts.your_order,
    )


def _line(visit: Visit, item: JsonObject) -> Html:
    quantity, amount = item.get("quantity"), item.get("amount")
    count = f"{quantity} {item.get('quantityUnit')}" if isinstance(quantity, int | Decimal) and quantity != 1 else ""
    return element(
        "li",
        element("span", str(item.get("name")), element("small", count, class_="quiet") if count else ""),
        element("span", visit.money(amount if isinstance(amount, int) else 0), class_="amount"),
    )


def _choice(visit: Visit, methods: list[Html]) -> Html:
    texts, order = visit.texts, visit.order
    links: list[Html] = []
    if not visit.is_framed and order.part_text("urls", "cancelUrl"):
        button = element("button", texts.cancel, type="submit", class_="link")
        links.append(element("form", button, method="post", action=visit.href("/cancel")))
    terms = order.part_text("urls", "termsOfServiceUrl")
    if terms:
        links.append(element("a", texts.terms, href=terms, target="_blank", rel="noopener", class_="terms"))
    return element(
        "section",
        element("h1" if visit.is_framed else "h2", texts.choose_method, id="choose", class_="choose"),
        element("div", *methods, class_="methods"),
        element("div", *links, class_="links") if links else join(()),
        aria_labelledby="choose",
    )


def _method(visit: Visit, instrument: Instrument, query: dict[str, str], *, is_open: bool) -> Html:
    name = element("span", visit.method(instrument), class_="name")
    mark = element("span", class_="mark", aria_hidden="true")
    return element(
        "details",
        element("summary", mark, name),
        _form(visit, instrument, query, is_chosen=is_open),
        class_="method",
        name="method",
        open=is_open,
        data_instrument=instrument.name.lower(),
    )


def _form(visit: Visit, instrument: Instrument, query: dict[str, str], *, is_chosen: bool) -> Html:
    texts = visit.texts
    error = query.get("error", "") if is_chosen else ""
    if instrument.is_card:
        fields = _card_fields(visit, query, error=error)
    elif instrument.name == "Swish":
        fields = _phone_field(visit, error=error)
    else:
        text = texts.opens_app if instrument.opens_app else texts.goes_straight
        fields = (element("p", text, class_="quiet"),)
    said = texts.save if visit.order.is_verification else texts.pay.format(amount=visit.price)
    button = element("button", said, type="submit", class_="pay")
    if instrument.is_card or instrument.is_bank_account:
        fields = (*fields, *consent_field(visit, instrument.name))
    hidden = element("input", type="hidden", name="method", value=instrument.name)
    form = element("form", hidden, *fields, button, method="post", action=visit.href("/pay"), autocomplete="off")
    cards = (_test_cards(visit, is_open="card" in query or error == "card"),) if instrument.is_card else ()
    return element("div", form, *cards, class_="inside")


def _card_fields(visit: Visit, query: dict[str, str], *, error: str) -> tuple[Html, ...]:
    texts, card = visit.texts, _chosen_card(query)
    month, year = card.expiry.split("/")
    number = " ".join(card.number[start : start + 4] for start in range(0, len(card.number), 4))
    staff = (element("p", texts.staff_text, class_="note"),) if visit.order.is_typed_by_staff else ()
    return (
        *staff,
        *_magic_note(visit, str(visit.price), is_magic=is_magic_amount(visit.order.amount)),
        _field(
            "pan",
            texts.card_number,
            "" if error == "card" else number,
            error=texts.bad_card if error == "card" else "",
        ),
        element(
            "div",
            _field(
                "expiry",
                texts.expiry,
                f"{month}/{year[-2:]}",
                hint=texts.expiry_hint,
                error=texts.bad_expiry if error == "expiry" else "",
            ),
            _field("cvc", texts.security_code, card.cvc, error=texts.bad_code if error == "cvc" else ""),
            class_="pair",
        ),
    )


def _phone_field(visit: Visit, *, error: str) -> tuple[Html, ...]:
    texts = visit.texts
    number = visit.order.part_text("payer", "msisdn") or _DEFAULT_MSISDN
    wrong = texts.bad_phone if error == "msisdn" else ""
    description = visit.order.text("description")
    return (
        *_magic_note(visit, description, is_magic=swish_decline(description) is not None),
        _field("msisdn", texts.phone_number, "" if error else number, hint=texts.phone_hint, error=wrong, kind="tel"),
    )


def _magic_note(visit: Visit, what: str, *, is_magic: bool) -> tuple[Html, ...]:
    return (element("p", visit.texts.magic_note.format(what=what), class_="note"),) if is_magic else ()


def _field(name: str, label: str, value: str, *, hint: str = "", error: str = "", kind: str = "text") -> Html:
    told = [f"{name}-hint"] if hint else []
    told += [f"{name}-error"] if error else []
    return element(
        "div",
        element("label", label, for_=name),
        element("small", hint, id=f"{name}-hint", class_="quiet") if hint else join(()),
        element(
            "input",
            id=name,
            name=name,
            value=value,
            type=kind,
            inputmode="tel" if kind == "tel" else "numeric",
            autocomplete="off",
            required=True,
            autofocus=bool(error),
            aria_invalid="true" if error else False,
            aria_describedby=" ".join(told) or False,
        ),
        element("p", error, id=f"{name}-error", class_="wrong") if error else join(()),
        class_="field",
    )


def _chosen_card(query: dict[str, str]) -> TestCard:
    place = query.get("card", "0")
    return TEST_CARDS[int(place)] if place.isdecimal() and int(place) < len(TEST_CARDS) else TEST_CARDS[0]


def _test_cards(visit: Visit, *, is_open: bool) -> Html:
    texts = visit.texts
    return element(
        "details",
        element("summary", texts.test_cards),
        element("p", texts.test_cards_intro, class_="quiet"),
        element("ul", *(_test_card(visit, place, card) for place, card in enumerate(TEST_CARDS))),
        class_="cards",
        open=is_open,
    )


def _test_card(visit: Visit, place: int, card: TestCard) -> Html:
    texts, last = visit.texts, card.number[-4:]
    number = " ".join(card.number[start : start + 4] for start in range(0, len(card.number), 4))
    return element(
        "li",
        element(
            "a",
            element("span", card.brand, class_="brand"),
            element("span", number, class_="number"),
            element("span", texts.asks_3d_secure if card.is_challenged else texts.pays_at_once, class_="quiet"),
            href=visit.href(method="CreditCard", card=str(place)),
            aria_label=texts.use.format(brand=card.brand, last=last),
        ),
    )
