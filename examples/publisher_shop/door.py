"""Who may come in: forms from our own pages only, and staff who know the password.

A newspaper with its own login (such as OpenID Connect) replaces ``logged_in``.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from examples.publisher_shop.pages import page
from examples.publisher_shop.shop import Shop

COOKIE: Final = "staff"
SESSION_SECONDS: Final = 8 * 60 * 60
READ_ONLY: Final = frozenset({"GET", "HEAD", "OPTIONS"})

Endpoint = Callable[[Request], Awaitable[Response]]


class OwnFormsOnly:
    """Refuses requests that another site makes a reader's browser send (cross-site request forgery).

    A browser says where a request comes from, in ``Sec-Fetch-Site`` or ``Origin``, and a page cannot change
    that. A gateway is not a browser and sends neither header, so its callbacks pass.
    """

    def __init__(self, app: ASGIApp, *, origin: str) -> None:
        """Guard ``app``, whose own pages are at ``origin``."""
        self.app = app
        self.origin = origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, or refuse it."""
        if scope["type"] == "http" and scope["method"] not in READ_ONLY and self._is_foreign(Headers(scope=scope)):
            refusal = page(Request(scope), "error.html", status=403, kind="foreign")
            await refusal(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _is_foreign(self, headers: Headers) -> bool:
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site not in {"same-origin", "none"}
        return headers.get("origin", self.origin) != self.origin


def for_staff(endpoint: Endpoint) -> Endpoint:
    """Send anyone who is not logged in to the login page."""

    @functools.wraps(endpoint)
    async def guarded(request: Request) -> Response:
        if not logged_in(request):
            return RedirectResponse("/staff/login", status_code=303)
        return await endpoint(request)

    return guarded


def logged_in(request: Request) -> bool:
    """Return whether the browser has a valid session."""
    until, _, mac = request.cookies.get(COOKIE, "").partition(".")
    genuine = hmac.compare_digest(mac.encode(), _mac(Shop.of(request), until).encode())
    return genuine and int(until) > time.time()


def log_in(request: Request, given: str) -> Response | None:
    """Start a session if the password is right; otherwise return ``None``."""
    shop = Shop.of(request)
    if not hmac.compare_digest(given.encode(), shop.staff_password.encode()):
        return None
    until = str(int(time.time()) + SESSION_SECONDS)
    inside = RedirectResponse("/staff/", status_code=303)
    inside.set_cookie(
        COOKIE,
        f"{until}.{_mac(shop, until)}",
        max_age=SESSION_SECONDS,
        path="/staff",
        secure=shop.url.startswith("https:"),
        httponly=True,
        samesite="strict",
    )
    return inside


def log_out(request: Request) -> Response:
    """End the session."""
    outside = RedirectResponse("/staff/login", status_code=303)
    secure = Shop.of(request).url.startswith("https:")
    outside.delete_cookie(COOKIE, path="/staff", secure=secure, httponly=True, samesite="strict")
    return outside


def session_key(callback_key: str, staff_password: str) -> bytes:
    """Derive the signing key of sessions. It is the same in every process, and changes with the password."""
    return hmac.digest(callback_key.encode(), b"staff session\n" + staff_password.encode(), "sha256")


def _mac(shop: Shop, until: str) -> str:
    return hmac.new(shop.session_key, until.encode(), hashlib.sha256).hexdigest()
