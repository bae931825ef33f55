"""Turns templates into responses: language, money and security headers in one place."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from examples.publisher_shop.shop import Shop
from examples.publisher_shop.texts import TEXTS
from prenopay import Money

_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Render ``template`` in the reader's language."""
    language = language_of(request)
    texts, shop = TEXTS[language], Shop.of(request)

    def say(key: str, **details: object) -> str:
        return texts[key].format(**details)

    html = _environment.get_template(template).render(
        language=language,
        say=say,
        name=lambda group, word: texts.get(f"{group}.{word}", word),
        money=lambda amount: money(amount, language),
        clock=lambda at: shop.cards.local_time(at).strftime("%Y-%m-%d %H:%M"),
        month=lambda period: month(period, texts["months"]),
        **values,
    )
    return HTMLResponse(html, status_code=status, headers=_safety_headers(shop.url))


def language_of(request: Request) -> str:
    """Return the language that the reader chose, otherwise Swedish."""
    language = request.cookies.get("language", "")
    return language if language in TEXTS else "sv"


def money(amount: Money, language: str) -> str:
    """Write an amount as people write it in ``language``."""
    kronor, ore = divmod(abs(amount.minor), 100)
    sign = "\N{MINUS SIGN}" if amount.minor < 0 else ""
    if language == "en":
        return f"{sign}SEK\N{NO-BREAK SPACE}{kronor:,}.{ore:02d}"
    grouped = f"{kronor:,}".replace(",", "\N{NO-BREAK SPACE}")
    return f"{sign}{grouped},{ore:02d}\N{NO-BREAK SPACE}kr"


def month(period: str, names: str) -> str:
    """Write ``2026-11`` as people write a month."""
    year, number = period.split("-")
    return f"{names.split()[int(number) - 1]} {year}"


def _safety_headers(shop_url: str) -> dict[str, str]:
    """Let forms lead to the gateway, which has the same scheme (https) as the shop; allow nothing else elsewhere."""
    policy = (
        "default-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        f"form-action 'self' {urlsplit(shop_url).scheme}:",
    )
    return {
        "content-security-policy": "; ".join(policy),
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
    }
