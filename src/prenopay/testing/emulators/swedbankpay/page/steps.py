"""The pages around the menu: what the bank or the app asks, and where it ends."""

from __future__ import annotations

from prenopay.testing.emulators.jsonvalues import JsonObject
from prenopay.testing.emulators.markup import Html, element
from prenopay.testing.emulators.swedbankpay.orders import Attempt, Status
from prenopay.testing.emulators.swedbankpay.page.layout import page, plain_page
from prenopay.testing.emulators.swedbankpay.page.texts import Texts
from prenopay.testing.emulators.swedbankpay.page.visit import Visit
from prenopay.testing.emulators.swedbankpay.payer_side import PayerAnswer
from prenopay.testing.http import EmulatorAnswer

__all__ = ["closed_page", "expired_page", "foreign_frame_page", "not_found_page", "question_page"]


def question_page(visit: Visit, attempt: Attempt) -> EmulatorAnswer:
    """Return what the payer is asked: by the bank, or in the app."""
    started = visit.event("OnPaymentAttemptStarted", instrument=attempt.instrument.name.lower())
    if attempt.card is not None:
        return _bank_page(visit, attempt, started)
    return _app_page(visit, attempt, started)


def closed_page(visit: Visit) -> EmulatorAnswer:
    """Return what a payer sees who comes to an order that is no longer open."""
    texts, order = visit.texts, visit.order
    if order.status is Status.ABORTED:
        url = order.part_text("urls", "cancelUrl") or order.part_text("urls", "completeUrl")
        event, title, text = "OnAborted", texts.closed_title, texts.closed_text
    else:
        url = order.part_text("urls", "completeUrl")
        event, title = "OnPaid", texts.paid_title
        text = texts.paid_text.format(merchant=visit.merchant, amount=visit.money(order.authorized))
    if order.is_verification and order.status is Status.PAID:
        title, text = texts.saved_title, texts.saved_text.format(merchant=visit.merchant)
    link = element("a", texts.back.format(merchant=visit.merchant), href=url, class_="pay")
    content = (element("h1", title), element("p", text), *(() if visit.is_framed else (link,)))
    box = element("div", *content, class_="box")
    return page(visit, box, title=title, events=[visit.event(event, redirectUrl=url)])


def expired_page(visit: Visit) -> EmulatorAnswer:
    """Return what a payer sees who comes too late."""
    texts = visit.texts
    text = texts.expired_text.format(merchant=visit.merchant)
    box = element("div", element("h1", texts.expired_title), element("p", text), class_="box")
    events = [visit.event("OnError", details="expired")]
    return page(visit, box, title=texts.expired_title, status=410, events=events)


def foreign_frame_page(visit: Visit) -> EmulatorAnswer:
    """Return what stands in the frame of a site that the order does not name."""
    texts = visit.texts
    text = texts.not_allowed_text.format(host=visit.host)
    box = element("div", element("h1", texts.not_allowed_title), element("p", text), class_="box")
    return page(visit, box, title=texts.not_allowed_title, status=403)


def not_found_page(texts: Texts) -> EmulatorAnswer:
    """Return what stands at an address that belongs to no order."""
    content = (element("h1", texts.not_found_title), element("p", texts.not_found_text))
    return plain_page(texts, element("div", *content, class_="box"), title=texts.not_found_title, status=404)


def _bank_page(visit: Visit, attempt: Attempt, started: JsonObject) -> EmulatorAnswer:
    texts = visit.texts
    masked = attempt.card.masked if attempt.card else ""
    card = f"\N{BULLET}\N{BULLET}\N{BULLET}\N{BULLET} {masked[-4:]}"
    asked = texts.bank_saves if visit.order.is_verification else texts.bank_text
    text = asked.format(merchant=visit.merchant, amount=visit.price, card=card)
    box = element(
        "div",
        element("p", "3-D Secure", class_="quiet"),
        element("h1", texts.bank_title),
        element("p", text),
        _answers(
            visit,
            attempt,
            (PayerAnswer.APPROVE, texts.approve, "pay"),
            (PayerAnswer.CANCEL, texts.cancel_step, "other"),
        ),
        class_="box",
    )
    return page(visit, box, title=texts.bank_title, events=[started])


def _app_page(visit: Visit, attempt: Attempt, started: JsonObject) -> EmulatorAnswer:
    texts, method = visit.texts, visit.method(attempt.instrument)
    title = texts.app_title.format(method=method)
    phone = element(
        "div",
        element("p", method, class_="app"),
        element("p", texts.app_text.format(amount=visit.price, merchant=visit.merchant), class_="ask"),
        _answers(
            visit,
            attempt,
            (PayerAnswer.APPROVE, texts.approve, "pay"),
            (PayerAnswer.DECLINE, texts.decline, "other"),
            (PayerAnswer.TIME_OUT, texts.time_out, "link"),
        ),
        class_="phone",
    )
    box = element("div", element("h1", title), element("p", texts.waits_for_answer), phone, class_="box")
    return page(visit, box, title=title, events=[started])


def _answers(visit: Visit, attempt: Attempt, *choices: tuple[PayerAnswer, str, str]) -> Html:
    number = element("input", type="hidden", name="attempt", value=str(attempt.number))
    buttons = [
        element("button", text, type="submit", name="answer", value=answer, class_=look)
        for answer, text, look in choices
    ]
    return element("form", number, *buttons, method="post", action=visit.href("/answer"), class_="answers")
