"""The example shop at what strangers type: strange characters and long texts in every path, query and form."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from examples.publisher_shop.__main__ import emulated_account
from examples.publisher_shop.app import build
from starlette.routing import Mount, Route

from tests.postgresql import Server

URL = "https://shop.example"
PASSWORD = "norrvik-staff-password"
STRANGE = ("\0", "\x1b[2J", "ö", "1 " * 2_000, "a" * 9_000, "..", "%ff")
FIELDS = ("form", "email", "instrument", "phone", "action", "operation_id", "amount", "person", "reason", "mandate")


def routes_of(routes: Iterable[Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Return the method and the path of each page, with its names."""
    for route in routes:
        if isinstance(route, Mount) and route.routes and route.path != "/static":
            yield from routes_of(route.routes, before + route.path)
        elif isinstance(route, Route):
            yield from ((method, before + route.path) for method in (route.methods or ()) if method != "HEAD")


@pytest.mark.postgresql
def test_no_page_fails_at_what_a_stranger_types(postgresql: Server) -> None:
    """On the database that takes fewer texts than the other."""
    postgresql.empty()
    app = build(
        url=URL,
        database=postgresql.url,
        cards=emulated_account("http://127.0.0.1:9"),
        callback_key="a-callback-key-of-the-strangers-test-0123456789",
        staff_password=PASSWORD,
    )
    failed = set[tuple[str, str, str]]()

    async def visit() -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=URL, headers={"origin": URL}) as browser:
            entered = await browser.post("/staff/login", data={"password": PASSWORD})
            assert entered.status_code == 303, entered.text
            for strange in STRANGE:
                query = urlencode(dict.fromkeys(("after", "did", "lang", "back", "order"), strange))
                for method, path in routes_of(app.routes):
                    for place in named(path, strange):
                        form = dict.fromkeys(FIELDS, strange) if method == "POST" else None
                        answer = await browser.request(method, f"{place}?{query}", data=form)
                        if answer.status_code >= 500:
                            failed.add((method, path, strange[:9]))
        await app.state.shop.accounts.aclose()
        await app.state.shop.orders.aclose()

    asyncio.run(visit())
    postgresql.run("DROP TABLE IF EXISTS shop_orders, shop_fees CASCADE")
    assert failed == set()


def named(path: str, strange: str) -> Iterator[str]:
    """Return a path with every name strange, and with each of them strange alone."""
    names = [part for part in path.split("/") if part.startswith("{")]
    for odd in {*names, ""}:
        filled = path
        for name in names:
            usual = "cards" if "account" in name else "1"
            filled = filled.replace(name, quote(strange if odd in {"", name} else usual, safe=""))
        yield filled
