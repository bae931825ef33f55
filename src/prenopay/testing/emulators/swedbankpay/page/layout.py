"""The frame of every page: language, ribbon, title, and the security headers that keep it alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from prenopay.testing.emulators.jsonvalues import JsonObject, write_json
from prenopay.testing.emulators.markup import Html, document, element
from prenopay.testing.emulators.swedbankpay.calls import PAGE_PATH
from prenopay.testing.emulators.swedbankpay.page.texts import Texts
from prenopay.testing.emulators.swedbankpay.page.visit import Visit, host_origins
from prenopay.testing.http import EmulatorAnswer

__all__ = ["ASSETS_PATH", "page", "plain_page", "redirect"]

ASSETS_PATH: Final = f"{PAGE_PATH}/assets"
_POLICY: Final = ("default-src 'none'", "style-src 'self'", "script-src 'self'", "base-uri 'none'")
_PRIVATE: Final = (
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
)


def page(
    visit: Visit,
    *content: Html,
    title: str,
    status: int = 200,
    events: Sequence[JsonObject] = (),
) -> EmulatorAnswer:
    """Return a page of an order; ``events`` are told to the framing page, if there is one."""
    main, ribbon = element("main", *content), _ribbon(visit.texts)
    if not visit.is_framed or not visit.may_be_shown:
        body = element("body", ribbon, main, class_="framed" if visit.is_framed else "alone")
        return _answer(visit.texts, body, title=title, status=status)
    body = element(
        "body",
        ribbon,
        main,
        element("script", src=f"{ASSETS_PATH}/frame.js"),
        class_="framed",
        data_host=visit.host,
        data_order=visit.order.id,
        data_events=write_json(list(events)).decode(),
    )
    return _answer(visit.texts, body, title=title, status=status, framed_by=host_origins(visit.order))


def plain_page(texts: Texts, *content: Html, title: str, status: int) -> EmulatorAnswer:
    """Return a page that belongs to no order."""
    body = element("body", _ribbon(texts), element("main", *content), class_="alone")
    return _answer(texts, body, title=title, status=status)


def redirect(url: str) -> EmulatorAnswer:
    """Send the browser to ``url`` with a GET."""
    return EmulatorAnswer(status=303, headers=(("location", url), *_PRIVATE))


def _ribbon(texts: Texts) -> Html:
    return element("header", element("p", texts.ribbon), class_="ribbon")


def _answer(
    texts: Texts,
    body: Html,
    *,
    title: str,
    status: int,
    framed_by: Sequence[str] = ("'none'",),
) -> EmulatorAnswer:
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="robots", content="noindex"),
        element("title", title),
        element("link", rel="stylesheet", href=f"{ASSETS_PATH}/page.css"),
    )
    policy = "; ".join((*_POLICY, f"frame-ancestors {' '.join(framed_by)}"))
    return EmulatorAnswer(
        status=status,
        headers=(("content-type", "text/html; charset=utf-8"), ("content-security-policy", policy), *_PRIVATE),
        body=document(element("html", head, body, lang=texts.language)),
    )
