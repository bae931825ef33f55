"""Reads links that others wrote: where one leads, and whether it opens an app on the payer's phone.

A link that a browser would run or show by itself opens no app.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

__all__ = ["host_of", "is_app_link"]

_APP_LINK: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://?[^/?#\s]")
_BROWSERS_OWN: Final = frozenset(
    [
        "about",
        "blob",
        "chrome",
        "data",
        "file",
        "filesystem",
        "ftp",
        "http",
        "https",
        "javascript",
        "vbscript",
        "view-source",
        "ws",
        "wss",
    ]
)
"""The schemes that belong to browsers. ``javascript://x/%0a…`` runs in the page that offers the link."""


def is_app_link(url: str) -> bool:
    """Whether ``url`` has the scheme of an app, such as ``swish://…`` or ``intent://…``, and no space in it."""
    matched = _APP_LINK.match(url)
    return matched is not None and matched[1].lower() not in _BROWSERS_OWN and url.isprintable() and " " not in url


def host_of(url: str) -> tuple[str, str, str | None]:
    """Return scheme, host as written (with its port) and host alone. What a gateway calls a link may be no URL."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.netloc.lower(), parts.hostname
    except ValueError:
        return "", "", None
