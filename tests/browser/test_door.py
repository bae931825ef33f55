"""The shop's door, by calls that no browser makes: guesses of the password, copied cookies, another ``Host``."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest
from examples.publisher_shop.__main__ import staff_password
from examples.publisher_shop.sessions import TRIES_MOST, TRIES_SECONDS, caller_of

from prenopay.errors import ConfigurationError

from .shops import PASSWORD, RunningShop, open_shop


@pytest.fixture
def caller(shop: RunningShop) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shop.url, trust_env=False) as client:
        yield client


def _log_in(caller: httpx.Client, password: str = PASSWORD) -> httpx.Response:
    return caller.post("/staff/login", data={"password": password})


def test_after_a_few_guesses_nothing_is_looked_at_for_a_while(caller: httpx.Client) -> None:
    assert [_log_in(caller, f"guess {number}").status_code for number in range(TRIES_MOST)] == [422] * TRIES_MOST
    for password in ("one more", PASSWORD):
        refused = _log_in(caller, password)
        assert (refused.status_code, "staff" in refused.cookies) == (429, False)
        assert "Vänta en kvart" in refused.text
        assert refused.headers["retry-after"] == str(TRIES_SECONDS)


def _guesses_from_elsewhere(url: str) -> list[int]:
    """Return the answers to guesses that each name another caller in ``X-Forwarded-For``."""
    with httpx.Client(base_url=url, trust_env=False) as client:
        return [
            client.post(
                "/staff/login", data={"password": "a guess"}, headers={"x-forwarded-for": f"192.0.2.{number}"}
            ).status_code
            for number in range(TRIES_MOST + 1)
        ]


def test_only_a_named_proxy_says_who_calls(
    shop: RunningShop, sqlite_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _guesses_from_elsewhere(shop.url) == [*[422] * TRIES_MOST, 429]
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")  # uvicorn reads it, and the shop does not
    for proxy, last in (("", 429), ("192.0.2.1", 429), ("127.0.0.1", 422)):
        with open_shop(sqlite_database, proxy=proxy) as other:
            assert _guesses_from_elsewhere(other.url)[-1] == last


def test_the_right_password_forgets_the_guesses_before_it(caller: httpx.Client) -> None:
    for _ in range(2):
        for number in range(TRIES_MOST - 1):
            assert _log_in(caller, f"guess {number}").status_code == 422
        assert _log_in(caller).status_code == 303


@pytest.mark.parametrize(
    ("host", "counted_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2::7", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("unix:", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_caller_is_counted_by_address_or_network(host: str, counted_as: str) -> None:
    assert caller_of(host) == counted_as


def test_a_copied_cookie_ends_with_the_session(caller: httpx.Client, shop: RunningShop) -> None:
    copied = {"cookie": f"staff={_log_in(caller).cookies['staff']}"}
    with httpx.Client(base_url=shop.url, trust_env=False, headers=copied) as thief:
        assert thief.get("/staff/").status_code == 200
        assert caller.post("/staff/logout").status_code == 303
        assert thief.get("/staff/").headers["location"] == "/staff/login"


def test_the_database_opens_no_session(caller: httpx.Client, shop: RunningShop) -> None:
    cookie = _log_in(caller).cookies["staff"]
    with closing(sqlite3.connect(shop.database.removeprefix("sqlite:///"))) as books:
        (digest,) = books.execute("SELECT digest FROM shop_sessions").fetchone()
        everything = "\n".join(books.iterdump())
    assert cookie not in everything
    caller.cookies.clear()
    assert caller.get("/staff/", headers={"cookie": f"staff={digest.hex()}"}).status_code == 303


def test_no_redirect_leads_where_the_caller_wants(caller: httpx.Client, shop: RunningShop) -> None:
    headers = {"host": "evil.example", "x-forwarded-host": "evil.example", "forwarded": "host=evil.example"}
    redirected = 0
    for path in ("/my", "/staff", "/my/cards/", "/staff/login/", "//evil.example/my", "/static"):
        answer = caller.get(path, headers=headers)
        there = answer.headers.get("location", f"{shop.url}/")
        assert there.startswith(f"{shop.url}/"), there
        assert "evil.example" not in answer.text
        redirected += answer.is_redirect
    assert redirected >= 3


def test_choosing_a_language_stays_in_the_shop(caller: httpx.Client, shop: RunningShop) -> None:
    for referer, there in (
        ("https://evil.example/buy/paper", "/buy/paper"),
        ("https://evil.example//evil.example/x", "//evil.example/x"),
        ("evil.example", "/"),
        (".evil.example/x", "/"),
        ("", "/"),
    ):
        answer = caller.get("/language/en", headers={"referer": referer})
        assert answer.headers["location"] == f"{shop.url}{there}"


def test_what_the_bank_prints_opens_nothing(caller: httpx.Client, shop: RunningShop) -> None:
    form = {"form": "a-form-of-the-tests", "email": "asta.lind@exempel.se", "instrument": "card"}
    assert caller.post("/buy/digital", data=form).status_code == 303
    order = shop.emulator.orders[0]
    number, secret = order.order_reference, shop.path_of(order.order_reference).rpartition("/")[2]
    with httpx.Client(base_url=shop.url, trust_env=False) as stranger:
        for path in ("", "/status", "/read", "/return"):
            assert stranger.get(f"/orders/{number}{path}").status_code == 404
        assert number in stranger.get(f"/orders/{secret}").text
    own = [each.getMessage() for each in shop.log if not each.name.startswith(("httpx", "httpcore"))]
    assert secret not in "\n".join(own)


def test_a_password_of_the_environment_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    for given in ("", PASSWORD):
        monkeypatch.setenv("SHOP_STAFF_PASSWORD", given)
        assert staff_password() == given
    monkeypatch.setenv("SHOP_STAFF_PASSWORD", "norrvik")
    with pytest.raises(ConfigurationError, match="at least 12 characters") as refused:
        staff_password()
    assert "norrvik" not in str(refused.value)
