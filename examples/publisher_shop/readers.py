"""Who the reader is: a secret key in the browser's cookie, and a number computed from it, which is not secret.

A newspaper with its own login replaces ``reader_of``.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from examples.publisher_shop.shop import Shop

COOKIE: Final = "reader"
NUMBER: Final = re.compile(r"L-[A-Z2-7]{12}")
YEAR_SECONDS: Final = 31_536_000


def key_of(request: Request) -> str:
    """Return the browser's key; empty if it has none."""
    return request.cookies.get(COOKIE, "")


def reader_of(request: Request) -> str:
    """Return the number of the reader who asks; empty for a new reader."""
    key = key_of(request)
    return reference_of(key) if key else ""


def reference_of(key: str) -> str:
    """Return the reader's number. The gateway and staff may see it; the key cannot be computed from it."""
    digest = base64.b32encode(hashlib.sha256(f"reader\n{key}".encode()).digest()).decode()
    return f"L-{digest[:12]}"


def remember(request: Request, answer: Response, key: str) -> Response:
    """Give the key to a browser that has none. ``lax`` lets the browser keep it on the way back from the gateway."""
    if not key_of(request):
        answer.set_cookie(
            COOKIE,
            key,
            max_age=YEAR_SECONDS,
            secure=Shop.of(request).url.startswith("https:"),
            httponly=True,
            samesite="lax",
        )
    return answer
