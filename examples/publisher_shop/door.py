"""Who may come in: forms from our own pages only, staff who know the password, and nobody by another address.

A newspaper with its own login (such as OpenID Connect) replaces ``logged_in``.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Final, Literal, TypedDict
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from examples.publisher_shop.pages import page
from examples.publisher_shop.sessions import SESSION_SECONDS
from examples.publisher_shop.shop import Shop

COOKIE: Final = "staff"
READ_ONLY: Final = frozenset({"GET", "HEAD", "OPTIONS"})

Endpoint = Callable[[Request], Awaitable[Response]]


class CookieScope(TypedDict):
    """Where the browser sends the session's cookie: to the staff's pages, and from no other site."""

    path: str
    secure: bool
    httponly: bool
    samesite: Literal["strict"]


class OwnAddressOnly:
    """Lets pages see one address, the shop's own, and refuses what another site makes a reader's browser send.

    A caller may write any ``Host``, and a redirect that is built from it leads where the caller wants. So the shop's
    address is a setting, and whatever the caller wrote is replaced by it.

    A browser says where a request comes from, in ``Sec-Fetch-Site`` or ``Origin``, and a page cannot change
    that (cross-site request forgery). A gateway is not a browser and sends neither header, so its callbacks pass.
    """

    def __init__(self, app: ASGIApp, *, origin: str) -> None:
        """Guard ``app``, whose own pages are at ``origin``."""
        self.app = app
        self.origin = origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, or refuse it."""
        if scope["type"] == "http":
            scope = self._at_home(scope)
            if scope["method"] not in READ_ONLY and self._is_foreign(Headers(scope=scope)):
                refusal = page(Request(scope), "error.html", status=403, kind="foreign")
                await refusal(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _at_home(self, scope: Scope) -> Scope:
        own = urlsplit(self.origin)
        others = [(name, value) for name, value in scope["headers"] if name != b"host"]
        return {**scope, "scheme": own.scheme, "headers": [(b"host", own.netloc.encode()), *others]}

    def _is_foreign(self, headers: Headers) -> bool:
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site not in {"same-origin", "none"}
        return headers.get("origin", self.origin) != self.origin


def for_staff(endpoint: Endpoint) -> Endpoint:
    """Send anyone who is not logged in to the login page."""

    @functools.wraps(endpoint)
    async def guarded(request: Request) -> Response:
        if not await logged_in(request):
            return RedirectResponse("/staff/login", status_code=303)
        return await endpoint(request)

    return guarded


async def logged_in(request: Request) -> bool:
    """Return whether the browser has an open session."""
    cookie = request.cookies.get(COOKIE, "")
    return bool(cookie) and await Shop.of(request).sessions.is_open(cookie)


async def may_try(request: Request) -> bool:
    """Count one more try of a password; return whether the caller has one left.

    Behind a proxy, name it (``--proxy``): the server then believes its ``X-Forwarded-For``. Otherwise all callers
    count as one. A server of your own must not believe anyone else (uvicorn: ``--no-proxy-headers``).
    """
    return await Shop.of(request).sessions.may_try(_host(request))


async def log_in(request: Request, given: str) -> Response | None:
    """Start a session if the password is right; otherwise return ``None``."""
    shop = Shop.of(request)
    cookie = await shop.sessions.begin(_host(request), given)
    if cookie is None:
        return None
    inside = RedirectResponse("/staff/", status_code=303)
    inside.set_cookie(COOKIE, cookie, max_age=SESSION_SECONDS, **_only_here(shop))
    return inside


async def log_out(request: Request) -> Response:
    """End the session, here and in every browser that has a copy of its cookie."""
    shop, outside = Shop.of(request), RedirectResponse("/staff/login", status_code=303)
    await shop.sessions.end(request.cookies.get(COOKIE, ""))
    outside.delete_cookie(COOKIE, **_only_here(shop))
    return outside


def _only_here(shop: Shop) -> CookieScope:
    return {"path": "/staff", "secure": shop.url.startswith("https:"), "httponly": True, "samesite": "strict"}


def _host(request: Request) -> str:
    return "" if request.client is None else request.client.host
