"""The frame of every page: a phone with an app in it, and the security headers that keep it alone."""

from __future__ import annotations

from typing import Final

from prenopay.testing.emulators.markup import Html, document, element
from prenopay.testing.emulators.swish.calls import PHONE_PATH
from prenopay.testing.emulators.swish.page.texts import Texts
from prenopay.testing.http import EmulatorAnswer

__all__ = ["CSS_PATH", "page", "redirect"]

CSS_PATH: Final = f"{PHONE_PATH}/phone.css"
_POLICY: Final = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"
_PRIVATE: Final = (
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
)


def page(texts: Texts, *content: Html, title: str, status: int = 200) -> EmulatorAnswer:
    """Return a page."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="robots", content="noindex"),
        element("title", title),
        element("link", rel="stylesheet", href=CSS_PATH),
    )
    bar = element("p", element("a", texts.app, href=PHONE_PATH), class_="bar")
    phone = element("div", bar, element("main", *content), class_="phone")
    body = element("body", element("p", texts.ribbon, class_="ribbon", role="note"), phone)
    return EmulatorAnswer(
        status=status,
        headers=(("content-type", "text/html; charset=utf-8"), ("content-security-policy", _POLICY), *_PRIVATE),
        body=document(element("html", head, body, lang=texts.language)),
    )


def redirect(url: str) -> EmulatorAnswer:
    """Send the browser to ``url`` with a GET."""
    return EmulatorAnswer(status=303, headers=(("location", url), *_PRIVATE))
