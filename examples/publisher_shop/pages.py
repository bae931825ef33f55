"""Turns templates into answers: language, money and safety headers in one place."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from examples.publisher_shop.texts import TEXTS
from prenopay import Money

_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

SAFETY_HEADERS = {
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'; form-action 'self' http: https:",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    **values: Any,
) -> HTMLResponse:
    """Render ``template`` in the reader's language."""
    language = request.cookies.get("language", "sv")
    if language not in TEXTS:
        language = "sv"
    texts = TEXTS[language]

    def say(key: str, **details: object) -> str:
        return texts[key].format(**details)

    html = _environment.get_template(template).render(
        language=language,
        path=request.url.path,
        say=say,
        money=lambda amount: money(amount, language),
        clock=clock,
        **values,
    )
    return HTMLResponse(html, status_code=status, headers=SAFETY_HEADERS | (headers or {}))


def money(amount: Money, language: str) -> str:
    """Write an amount as readers of ``language`` do."""
    kronor, ore = divmod(abs(amount.minor), 100)
    sign = "\u2212" if amount.minor < 0 else ""
    if language == "en":
        return f"{sign}SEK {kronor:,}.{ore:02d}"
    return f"{sign}{kronor:,}".replace(",", "\u00a0") + (f",{ore:02d}" if ore else "") + "\u00a0kr"


def clock(at: datetime) -> str:
    """Write a time for people."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M")
