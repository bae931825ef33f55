"""Who reads: a secret key in the browser's cookie, and the number that follows from it, which is no secret.

A newspaper with a login of its own puts its reader's number in the place of ``reader_of``.
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
    """Return the key that the browser holds; empty where it holds none."""
    return request.cookies.get(COOKIE, "")


def reader_of(request: Request) -> str:
    """Return the number of the reader who asks; empty for one we have not met."""
    key = key_of(request)
    return reference_of(key) if key else ""


def reference_of(key: str) -> str:
    """Return the reader's number: the gateway and staff may see it, and nobody gets from it to the key."""
    digest = base64.b32encode(hashlib.sha256(f"reader\n{key}".encode()).digest()).decode()
    return f"L-{digest[:12]}"


def remember(request: Request, answer: Response, key: str) -> Response:
    """Give the key to a browser that has none. Who comes back from the gateway's page must still have it: lax."""
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
