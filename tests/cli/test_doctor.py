"""``prenopay doctor`` finds what is wrong with an account, says what to fix, and harms nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from sqlalchemy import text

from prenopay.books import schema
from prenopay.books.engine import open_engine
from prenopay.errors import Unauthenticated
from prenopay.testing.faults import Fault, FaultKind
from prenopay.testing.server import serve
from prenopay.values.subjects import Subject
from prenopay.web.wsgi import CallbackApp
from tests.cli.desk import TOKEN, Desk
from tests.transport.certificates import Authority
from tests.transport.gateway import Gateway, answering

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has in the class above
        pass


@contextmanager
def listening(app: WSGIApplication) -> Iterator[WSGIServer]:
    with make_server("127.0.0.1", 0, app, handler_class=_Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def page(_environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [("content-type", "text/html"), ("content-length", "2")])
    return [b"hi"]


@pytest.fixture
def shop(desk: Desk) -> Iterator[Desk]:
    """The desk, with the shop's callback app running where the settings say."""
    with listening(page) as server:
        desk.callback_url = f"http://127.0.0.1:{server.server_port}/callbacks"
        desk.write()
        accounts = desk.accounts()
        server.set_app(CallbackApp(accounts))
        yield desk
        accounts.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def found(desk: Desk, name: str) -> tuple[bool, str, str]:
    """Run it, and return whether one thing is well, what was found, and what to fix."""
    ran = desk.run("doctor", "--json")
    (probe,) = [probe for probe in ran.json["accounts"]["cards"] if probe["name"] == name]
    assert (ran.code, ran.json["ok"]) == ((0, True) if _all_well(ran.json) else (1, False))
    return probe["ok"], probe["found"], probe["fix"]


def _all_well(told: dict[str, dict[str, list[dict[str, object]]]]) -> bool:
    return all(probe["ok"] for probes in told["accounts"].values() for probe in probes)


def test_a_shop_that_is_well_is_told_so(shop: Desk) -> None:
    ran = shop.run("doctor")
    assert ran.code == 0
    name, *probes = ran.lines
    assert name == "cards"
    assert [line.split(":")[0].split() for line in probes] == [
        ["ok", "credentials"],
        ["ok", "clock"],
        ["ok", "callbacks"],
    ]


def test_nothing_is_left_behind(shop: Desk) -> None:
    assert shop.run("doctor", "--json").json["ok"] is True
    assert shop.run("payments", "list", "--json").json == []
    assert shop.run("inbox", "list", "--json").json == []
    assert shop.emulator.orders == ()


def test_a_token_of_somebody_elses_is_found_out(shop: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_TOKEN", TOKEN + "-of-yesterday")
    ok, what, fix = found(shop, "credentials")
    assert (ok, what) == (False, "the gateway answered 401")
    assert "access_token" in fix
    assert "FAIL  credentials: the gateway answered 401" in shop.run("doctor").out


def test_a_merchant_that_is_not_the_tokens_is_found_out_by_the_first_payment(shop: Desk) -> None:
    other = "5e1f0000-0000-4000-8000-0000000000ff"
    shop.write(payee_id=other)
    ok, what, _fix = found(shop, "credentials")
    assert (ok, "payee_id is checked only when" in what) == (True, True)
    shop.account["payee_id"] = other
    with pytest.raises(Unauthenticated, match="set payee_id to the merchant"):
        shop.bought()


def test_a_clock_that_is_wrong_is_found_out(shop: Desk) -> None:
    shop.emulator.clock.advance(timedelta(minutes=5))
    ok, what, fix = found(shop, "clock")
    assert not ok
    assert what.startswith("our clock is -")
    assert "NTP" in fix


def test_a_clock_that_is_nearly_right_is_right_enough(shop: Desk) -> None:
    shop.emulator.clock.advance(timedelta(seconds=30))
    assert found(shop, "clock")[0]


def test_a_gateway_that_is_down_is_found_out(shop: Desk) -> None:
    port = free_port()
    shop.write(base_url=f"http://127.0.0.1:{port}")
    ok, what, fix = found(shop, "reach")
    assert not ok
    assert "refused" in what or "failed" in what
    assert f"127.0.0.1:{port}" in fix


def test_a_gateway_that_is_ill_is_found_out(shop: Desk) -> None:
    shop.emulator.faults.add(Fault(kind=FaultKind.STATUS_BEFORE, status=500, times=9))
    assert found(shop, "credentials")[:2] == (False, "the gateway answered 500")


def test_a_certificate_that_is_not_trusted_is_found_out(shop: Desk) -> None:
    with serve(shop.emulator, tls=Authority().server(), deliver_callbacks=False) as served:
        shop.write(base_url=served.url)
        ok, what, fix = found(shop, "reach")
    assert not ok
    assert "certificate verify failed" in what
    assert "trusts its certificate" in fix


def test_an_address_that_leads_elsewhere_is_found_out(shop: Desk) -> None:
    def moved(_environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        start_response("302 Found", [("location", "https://elsewhere.example/"), ("content-length", "0")])
        return [b""]

    with listening(moved) as server:
        shop.write(base_url=f"http://127.0.0.1:{server.server_port}")
        ok, what, fix = found(shop, "credentials")
    assert (ok, what) == (False, "the gateway answered 302")
    assert "base_url" in fix


# Callbacks


def test_a_shop_that_does_not_run_is_found_out(desk: Desk) -> None:
    desk.callback_url = f"http://127.0.0.1:{free_port()}/callbacks"
    desk.write()
    ok, what, fix = found(desk, "callbacks")
    assert not ok
    assert what.startswith(f"the shop did not answer at {desk.callback_url}/cards/payment/doctor (")
    assert "gateway" not in what
    assert "start the shop" in fix


def test_the_connection_to_the_shop_is_hung_up(desk: Desk) -> None:
    with Gateway(answering(b"HTTP/1.1 204 No Content\r\n\r\n")) as kept_alive:
        desk.callback_url = kept_alive.url
        desk.write()
        assert found(desk, "callbacks")[0]
        kept_alive.until_hung_up()


def test_keys_that_are_not_the_shops_are_found_out(shop: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_KEY", "another-secret-key-that-is-long-enough")
    ok, what, fix = found(shop, "callbacks")
    assert (ok, what) == (False, f"{shop.callback_url}/cards/payment/doctor answered 404")
    assert "callback_keys" in fix


def test_a_page_that_is_not_the_callback_app_is_found_out(desk: Desk) -> None:
    with listening(page) as server:
        desk.callback_url = f"http://127.0.0.1:{server.server_port}/"
        desk.write()
        ok, what, fix = found(desk, "callbacks")
    assert not ok
    assert what.endswith("/cards/payment/doctor answered 200")
    assert "callback_url" in fix


def test_a_shop_that_does_not_know_the_account_is_found_out(shop: Desk) -> None:
    more = '[accounts.new]\nprovider="swedbankpay"\nenvironment="test"\naccess_token="env:DESK_TOKEN"\n'
    more += f'payee_id="{shop.account["payee_id"]}"\nbase_url="{shop.url}"\n'
    shop.write(more=more)
    probes = {probe["name"]: probe for probe in shop.run("doctor", "new", "--json").json["accounts"]["new"]}
    assert probes["callbacks"]["found"] == f"{shop.callback_url}/new/payment/doctor answered 503"
    assert probes["callbacks"]["fix"] == (
        "the app answers but does not know this account: restart the shop with these settings"
    )


def test_the_signature_of_an_address_is_not_shown(shop: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts = shop.accounts()
    mac = accounts.callback_urls.url("cards", Subject.payment("doctor")).rsplit("/", 1)[1]
    accounts.close()
    shown = shop.run("doctor").out + shop.run("doctor", "--json").out
    monkeypatch.setenv("DESK_TOKEN", "wrong")
    assert mac not in shown + shop.run("doctor").out


# Which accounts


def test_only_the_accounts_that_are_named_are_looked_at(shop: Desk) -> None:
    more = '[accounts.down]\nprovider="swedbankpay"\nenvironment="test"\naccess_token="env:DESK_TOKEN"\n'
    more += f'payee_id="{shop.account["payee_id"]}"\nbase_url="http://127.0.0.1:{free_port()}"\n'
    shop.write(more=more)
    assert set(shop.run("doctor", "cards", "--json").json["accounts"]) == {"cards"}
    assert shop.run("doctor", "cards").code == 0
    assert shop.run("doctor", "down").code == 1
    assert shop.run("doctor").code == 1


def test_an_account_that_nobody_has_is_refused(shop: Desk) -> None:
    assert shop.run("doctor", "nobody").err == "prenopay: there is no account 'nobody' here; known are: cards\n"


# What cannot even be opened


@pytest.mark.parametrize(
    ("account", "why"),
    [
        ({"base_url": "https://api.payex.com"}, "a test account cannot reach the production host"),
        ({"base_url": "https://api.swedbankpay.com"}, "a test account cannot reach the production host"),
        ({"environment": "production"}, "a production account cannot be pointed at '127.0.0.1'"),
        ({"payee_id": "my-shop"}, "payee_id must be the merchant's GUID"),
        ({"base_url": "http://gateway.example"}, "base_url must use https"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_is_called(
    shop: Desk,
    account: dict[str, str],
    why: str,
) -> None:
    shop.write(**account)
    ran = shop.run("doctor")
    assert ran.code == 2
    assert why in ran.err
    assert not shop.emulator.transcript.seen


def test_an_account_with_open_payments_that_cannot_be_opened_is_not_called_left_out(
    shop: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.bought()
    monkeypatch.setenv("DESK_KEY", "a-long-random-text-from-your-secret-store")  # the key of the docs
    shop.write(environment="production", base_url="", payee_id="00000000-1111-2222-3333-444444444444")
    for named in ((), ("cards",)):
        (probe,) = shop.run("doctor", *named, "--json").json["accounts"]["cards"]
        assert (probe["name"], probe["ok"]) == ("settings", False)
        assert "https" in probe["found"]


def test_a_database_without_tables_is_refused_with_the_cure(shop: Desk) -> None:
    shop.write(database=f"sqlite:///{shop.folder}/empty.db")
    ran = shop.run("doctor")
    assert ran.code == 2
    assert "the database has no tables of prenopay" in ran.err
    assert "prenopay db upgrade" in ran.err


@pytest.mark.parametrize(
    ("version", "cure"), [("0000", "run: prenopay db upgrade"), ("9999", "run the newer prenopay")]
)
def test_tables_of_another_version_are_refused_with_the_cure(shop: Desk, version: str, cure: str) -> None:
    engine = open_engine(shop.database)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {schema.VERSION_TABLE} SET version_num = '{version}'"))  # noqa: S608 - our own
    engine.dispose()
    ran = shop.run("doctor")
    assert ran.code == 2
    assert f"schema {version}" in ran.err
    assert cure in ran.err


def test_a_database_that_cannot_be_opened_is_refused(shop: Desk) -> None:
    shop.write(database=f"sqlite:///{shop.folder}/no/such/folder.db")
    assert "there is no folder" in shop.run("doctor").err


def test_a_database_server_that_is_down_is_refused_without_its_password(shop: Desk) -> None:
    shop.write(database=f"postgresql://shop:the-desks-secret-password@127.0.0.1:{free_port()}/shop")
    assert shop.run("doctor").code == 2
