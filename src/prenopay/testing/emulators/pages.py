"""What the emulators' pages for people are made of: escaped HTML, two languages, and headers that protect the page."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Final, cast

from prenopay.testing.http import EmulatorAnswer, as_object, read_json

__all__ = ["Html", "Language", "asset", "html", "money_text", "page", "redirect", "stylesheet", "swedish"]

_PRIVATE: Final = (
    ("cache-control", "no-store"),
    ("referrer-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
)
_PAGE: Final = """\
<!doctype html>
<html lang="{language}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">
<title>{title}</title><link rel="stylesheet" href="{css}"></head>
{body}</html>
"""


@dataclass(frozen=True, slots=True)
class Html:
    """Markup that is safe to send."""

    source: str


class _Escaping(string.Formatter):
    """Escapes every value that is not markup; a template may name members of a value, and entries of one."""

    def format_field(self, value: object, format_spec: str) -> str:
        if isinstance(value, Html | None):
            return value.source if value else ""
        if isinstance(value, list):
            return "".join(each.source for each in cast("list[Html]", value))
        return escape(format(value, format_spec))


def html(template: str, /, **parts: object) -> Html:
    """Fill ``template``: values are escaped, also within quotes; ``Html`` is taken as it is, ``None`` is nothing."""
    return Html(_Escaping().vformat(template, (), parts))


@dataclass(frozen=True, slots=True)
class Language:
    """One language of the pages: texts are written in English and looked up; English needs no table."""

    tag: str
    texts: Mapping[str, str]

    def __getitem__(self, text: str) -> str:
        return self.texts[text] if self.texts else text

    def __call__(self, text: str, **values: str) -> str:
        """Return ``text`` in this language, with its ``{…}`` filled in."""
        return self[text].format(**values)


def swedish(package: str) -> Language:
    """Return Swedish, with the texts in the package's ``swedish.json``."""
    texts = as_object(read_json(asset(package, "swedish.json"))) or {}
    return Language("sv", {text: str(said) for text, said in texts.items()})


def money_text(amount: int, currency: str, language: str) -> str:
    """Return an amount of minor units as people of that language write it; its parts never break over two lines."""
    major, minor = divmod(abs(amount), 100)
    sign = "\N{MINUS SIGN}" if amount < 0 else ""
    if language == "sv":
        grouped = f"{major:,}".replace(",", "\N{NO-BREAK SPACE}")
        return f"{sign}{grouped},{minor:02d}\N{NO-BREAK SPACE}{'kr' if currency == 'SEK' else currency}"
    return f"{sign}{currency}\N{NO-BREAK SPACE}{major:,}.{minor:02d}"


def page(
    say: Language,
    body: Html,
    *,
    title: str,
    css: str,
    status: int = 200,
    scripted: bool = False,
    framed_by: str = "'none'",
) -> EmulatorAnswer:
    """Return a whole page, which only the sites ``framed_by`` may show in a frame."""
    rules = ["default-src 'none'", "style-src 'self'", *(["script-src 'self'"] if scripted else []), "base-uri 'none'"]
    policy = "; ".join([*rules, f"frame-ancestors {framed_by}"])
    headers = (("content-type", "text/html; charset=utf-8"), ("content-security-policy", policy), *_PRIVATE)
    whole = html(_PAGE, language=say.tag, title=title, css=css, body=body)
    return EmulatorAnswer(status=status, headers=headers, body=whole.source.encode())


def redirect(url: str) -> EmulatorAnswer:
    """Send the browser to ``url`` with a GET."""
    return EmulatorAnswer(status=303, headers=(("location", url), *_PRIVATE))


def stylesheet(package: str) -> EmulatorAnswer:
    """Return the rules that all emulators share, and then those in the package's own ``page.css``."""
    body = asset(__package__ or "", "page.css") + asset(package, "page.css")
    return EmulatorAnswer(status=200, headers=(("content-type", "text/css; charset=utf-8"),), body=body)


def asset(package: str, name: str) -> bytes:
    """Return a file of ``package``."""
    return files(package).joinpath(name).read_bytes()
