"""Keeps foreign web pages out of a served emulator: a browser on this machine reaches it for any page it shows.

Two rules. The host that a browser names must be an address or this machine: a foreign page may point its own name at
127.0.0.1 (DNS rebinding), and would then read every answer. And a page of another origin may not change anything.
Programs are not browsers: they name the address they call, and send neither header of the second rule.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from prenopay.testing.http import EmulatorAnswer, json_answer

__all__ = ["refusal"]

_ONLY_READ: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_MISDIRECTED: Final = 421
_FORBIDDEN: Final = 403


def refusal(method: str, headers: Mapping[str, str], *, scheme: str, served_at: str) -> EmulatorAnswer | None:
    """Return how a call is refused; ``None`` if it may come in.

    ``headers`` are found by names in lower case. ``served_at`` is the host of ``serve``.
    """
    host = headers.get("host", "")
    if host and not _is_ours(host, served_at):
        why = f"this emulator does not answer for {host[:100]!r}: call it by its address, or as localhost"
        return json_answer(_MISDIRECTED, {"error": why})
    if method not in _ONLY_READ and _is_foreign(headers, f"{scheme}://{host}"):
        return json_answer(_FORBIDDEN, {"error": "a page of another origin cannot change anything here"})
    return None


def _is_ours(host: str, served_at: str) -> bool:
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    if name in {"localhost", served_at.lower()} or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_foreign(headers: Mapping[str, str], own: str) -> bool:
    """Whether another origin's page makes the call; a browser says so itself, and no page can change it."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    return headers.get("origin", own).lower() != own.lower()
