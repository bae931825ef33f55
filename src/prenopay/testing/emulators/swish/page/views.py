"""What stands on the phone's pages: the start, a request with its two answers, and how it ended."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from urllib.parse import urlencode, urlsplit

from prenopay.testing.emulators.markup import Html, element
from prenopay.testing.emulators.swish.calls import PHONE_PATH
from prenopay.testing.emulators.swish.formats import swedish_time
from prenopay.testing.emulators.swish.objects import Payment, Status
from prenopay.testing.emulators.swish.page.layout import page
from prenopay.testing.emulators.swish.page.texts import Texts, money_text
from prenopay.testing.emulators.swish.payer_side import DEFAULT_PAYER
from prenopay.testing.http import EmulatorAnswer

__all__ = ["end_page", "home_page", "is_web_address", "request_page", "unknown_page"]


def home_page(texts: Texts, waiting: Iterable[Payment], *, number: str = "", wrong: str = "") -> EmulatorAnswer:
    """Return the start: what waits (for ``number``, if one is given), and the two ways in."""
    rows = [_row(texts, payment) for payment in waiting]
    heading = texts.open_for.format(number=f"+{number}") if number else texts.open_requests
    listed = element("ul", *rows, class_="requests") if rows else element("p", texts.none_open, class_="quiet")
    return page(
        texts,
        element("h1", texts.home_title),
        element("section", element("h2", heading), listed),
        element(
            "form",
            _number_field(texts, wrong or number, wrong=bool(wrong)),
            element("button", texts.show, class_="other"),
            action=PHONE_PATH,
        ),
        element(
            "form",
            _field(texts.token_label, "token", hint=texts.token_hint),
            element("button", texts.open, class_="other"),
            action=PHONE_PATH,
        ),
        title=texts.home_title,
        status=422 if wrong else 200,
    )


def request_page(
    texts: Texts,
    payment: Payment,
    *,
    ends: datetime,
    callback_url: str,
    wrong: str = "",
) -> EmulatorAnswer:
    """Return a request with its two answers; ``wrong`` is a number that was none."""
    facts = [
        (texts.to, f"{payment.merchant.name} ({payment.merchant.number})"),
        (texts.message, payment.message),
        (texts.reference, payment.reference),
    ]
    rows = [element("div", element("dt", name), element("dd", value)) for name, value in facts if value]
    number = _number_field(texts, wrong or payment.payer or DEFAULT_PAYER, wrong=bool(wrong))
    return page(
        texts,
        element("h1", texts.request_title, " ", element("strong", money_text(payment.amount), class_="amount")),
        element("dl", *rows),
        element(
            "form",
            element("input", type="hidden", name="id", value=payment.id),
            element("input", type="hidden", name="callbackurl", value=callback_url),
            *([number] if payment.token else []),
            element("button", texts.approve, class_="pay", name="answer", value="approve"),
            element("button", texts.decline, class_="other", name="answer", value="decline"),
            method="post",
            action=f"{PHONE_PATH}/answer",
        ),
        element("p", texts.answer_by.format(time=f"{swedish_time(ends):%H:%M:%S}"), class_="quiet"),
        title=f"{texts.request_title} {money_text(payment.amount)}",
        status=422 if wrong else 200,
    )


def end_page(texts: Texts, payment: Payment, *, callback_url: str, too_late: bool = False) -> EmulatorAnswer:
    """Return how a request ended, with the way back."""
    title, text = _ending(texts, payment, too_late=too_late)
    good = payment.status is Status.PAID
    way = [element("p", element("a", texts.home, href=PHONE_PATH, class_="link"))]
    if is_web_address(callback_url):
        way.insert(0, element("p", element("a", texts.back_to_shop, href=callback_url, class_="pay")))
    elif callback_url:
        way.insert(0, element("p", texts.goes_back.format(url=callback_url), class_="quiet"))
    sign = element("p", "✓" if good else "!", class_="sign good" if good else "sign", aria_hidden="true")
    return page(texts, sign, element("h1", title), element("p", text), *way, title=title)


def unknown_page(texts: Texts) -> EmulatorAnswer:
    """Return that there is nothing."""
    way = element("p", element("a", texts.home, href=PHONE_PATH, class_="link"))
    heading = element("h1", texts.unknown_title)
    return page(texts, heading, element("p", texts.unknown), way, title=texts.unknown_title, status=404)


def is_web_address(url: str) -> bool:
    """Say whether a browser can be sent there; apps have addresses of their own kind."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc) and url.isprintable()


def _ending(texts: Texts, payment: Payment, *, too_late: bool) -> tuple[str, str]:
    match payment.status:
        case Status.PAID:
            amount = money_text(payment.amount)
            return texts.paid_title, texts.paid.format(amount=amount, merchant=payment.merchant.name)
        case Status.DECLINED:
            return texts.declined_title, texts.declined
        case Status.CANCELLED:
            return texts.cancelled_title, texts.cancelled
        case _ if too_late or payment.error_code == "TM01":
            return texts.too_late_title, texts.too_late
        case _:
            return texts.failed_title, texts.failed.format(code=payment.error_code)


def _row(texts: Texts, payment: Payment) -> Html:
    query = {"token": payment.token} if payment.token else {"id": payment.id}
    who = texts.by_token if payment.token and not payment.payer else f"+{payment.payer}"
    return element(
        "li",
        element(
            "a",
            element("span", payment.merchant.name),
            element("span", money_text(payment.amount), class_="amount"),
            element("small", " · ".join(filter(None, (who, payment.message))), class_="quiet"),
            href=f"{PHONE_PATH}?{urlencode(query)}",
        ),
    )


def _number_field(texts: Texts, number: str, *, wrong: bool) -> Html:
    note = texts.number_wrong if wrong else ""
    return _field(texts.your_number, "number", value=number, hint=texts.number_hint, wrong=note)


def _field(label: str, name: str, *, value: str = "", hint: str, wrong: str = "") -> Html:
    kind = "tel" if name == "number" else "text"
    # No ids: one label holds its field and its words, so that two forms never disagree.
    parts = [
        element("span", label),
        element("small", hint, class_="quiet"),
        element(
            "input", type=kind, name=name, value=value, autocomplete="off", aria_invalid="true" if wrong else False
        ),
    ]
    if wrong:
        parts.append(element("small", wrong, class_="wrong", role="alert"))
    return element("label", *parts, class_="field")
