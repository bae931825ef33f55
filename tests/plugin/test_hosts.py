"""Host projects in Django, Flask and Starlette test themselves with the fixtures, through their own test clients."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.conftest import real_part_is_missing
from tests.plugin.projects import run_tests
from tests.postgresql import Server

ORDER = """
from prenopay import CaptureMode, Money, Order

def order_of(number):
    return Order(
        amount=Money(11900, "SEK"),
        description="One month",
        return_url="https://shop.example/",
        order_reference=number,
        capture=CaptureMode.AUTOMATIC,
    )
"""

OPENED = (
    ORDER
    + """
import pytest
from prenopay import Accounts

SETTINGS = {"callback_url": "https://shop.example/callbacks", "callback_keys": ["a-key-for-tests-of-32-characters"]}

@pytest.fixture(params=["swedbankpay_account", "swish_account"])
def accounts(request, ledger, prenopay_sender, virtual_clock):
    accounts = Accounts.open(ledger, sender=prenopay_sender, clock=virtual_clock, **SETTINGS)
    accounts.payments = accounts.add(request.getfixturevalue(request.param))
    yield accounts
    accounts.close()

def a_story(accounts, client, payer, callbacks, assert_no_secrets):
    payments = accounts.payments
    payment = payments.create(order_of("K-1"), operation_id="order:K-1")
    assert client.get("/paid/K-1").status_code == 402
    callbacks.drop()
    payer.approve(payment)
    assert client.get("/paid/K-1").status_code == 402
    assert {attempt.status for attempt in callbacks.resend_lost(times=2)} == {200}
    assert client.get("/paid/K-1").status_code == 200
    assert [attempt.status for attempt in callbacks.forge(payment)] == [200]
    assert payments.get(payment.payment_id).flags
    assert_no_secrets(payment)
"""
)

FLASK = """
from flask import Flask
from prenopay.testing.delivery import to_client
from prenopay.web.wsgi import CallbackApp
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from shared import a_story, accounts

def test_flask(accounts, payer, callbacks, assert_no_secrets):
    app = Flask(__name__)
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/callbacks": CallbackApp(accounts)})

    @app.get("/paid/<number>")
    def paid(number):
        found = accounts.payments.find(order_reference=number)
        return "", 200 if any(payment.is_paid for payment in found) else 402

    client = app.test_client()
    callbacks.connect(to_client(client))
    a_story(accounts, client, payer, callbacks, assert_no_secrets)
"""

DJANGO = """
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["shop.example"],
    SECURE_SSL_REDIRECT=True,
    SECURE_REDIRECT_EXEMPT=["^paid/"],
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware"],
    ROOT_URLCONF=__name__,
    DEFAULT_CHARSET="utf-8",
    SECRET_KEY="x" * 50,
)
import django

django.setup()

from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.test import Client
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from prenopay import CallbackRequest
from prenopay.testing.delivery import to_client, to_wsgi
from prenopay.web.wsgi import CallbackApp
from shared import a_story, accounts

host = {}

def paid(request, number):
    found = host["accounts"].payments.find(order_reference=number)
    return HttpResponse(status=200 if any(payment.is_paid for payment in found) else 402)

@csrf_exempt
def callback(request, rest):
    reply = host["accounts"].receive(
        CallbackRequest(
            path=request.path,
            body=request.body,
            headers=dict(request.headers),
            peer=request.META["REMOTE_ADDR"],
            method=request.method,
        )
    )
    if reply.address is not None:
        host["accounts"].work(reply.address)
    return HttpResponse(reply.body, status=reply.status, headers=dict(reply.headers))

urlpatterns = [path("paid/<str:number>", paid), path("callbacks/<path:rest>", callback)]

def test_a_view_takes_callbacks(accounts, payer, callbacks, assert_no_secrets):
    host["accounts"] = accounts
    client = Client(headers={"host": "shop.example"})
    callbacks.connect(to_client(client))
    a_story(accounts, client, payer, callbacks, assert_no_secrets)

def test_the_wsgi_application_takes_callbacks(accounts, payer, callbacks, assert_no_secrets):
    host["accounts"] = accounts
    django_application, callback_app = get_wsgi_application(), CallbackApp(accounts)

    def application(environ, start_response):
        if environ["PATH_INFO"].startswith("/callbacks/"):
            return callback_app(environ, start_response)
        return django_application(environ, start_response)

    callbacks.connect(to_wsgi(application))
    a_story(accounts, Client(headers={"host": "shop.example"}), payer, callbacks, assert_no_secrets)
"""

STARLETTE = """
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from prenopay import AsyncAccounts
from prenopay.testing.delivery import to_client
from prenopay.web.asgi import CallbackApp
from shared import SETTINGS, order_of

@pytest.mark.parametrize("gateway", ["swedbankpay_account", "swish_account"])
def test_starlette(gateway, request, ledger, prenopay_sender, virtual_clock, payer, callbacks, assert_no_secrets):
    config = request.getfixturevalue(gateway)
    accounts = AsyncAccounts.open(ledger, sender=prenopay_sender, clock=virtual_clock, **SETTINGS)
    payments = accounts.add(config)
    made = []

    async def buy(request):
        made.append(await payments.create(order_of("K-1"), operation_id="order:K-1"))
        return Response(status_code=201)

    async def paid(request):
        found = await payments.find(order_reference=request.path_params["number"])
        return Response(status_code=200 if any(payment.is_paid for payment in found) else 402)

    @asynccontextmanager
    async def lifespan(app):
        yield
        await accounts.aclose()

    app = Starlette(
        routes=[
            Mount("/callbacks", CallbackApp(accounts)),
            Route("/buy", buy, methods=["POST"]),
            Route("/paid/{number}", paid),
        ],
        lifespan=lifespan,
    )
    with TestClient(app) as client:
        callbacks.connect(to_client(client))
        assert client.post("/buy").status_code == 201
        callbacks.hold()
        payer.approve(made[0])
        assert client.get("/paid/K-1").status_code == 402
        callbacks.duplicate()
        assert [attempt.status for attempt in callbacks.release()] == [200, 200]
        assert client.get("/paid/K-1").status_code == 200
        assert_no_secrets(*made)
"""

HTTPX = """
import asyncio

import httpx
import pytest

from prenopay import AsyncAccounts
from prenopay.testing.delivery import to_accounts, to_async_client, to_client
from prenopay.web.asgi import CallbackApp
from shared import SETTINGS, order_of

@pytest.mark.parametrize("by", ["client", "accounts"])
@pytest.mark.parametrize("gateway", ["swedbankpay_account", "swish_account"])
def test_async_code(by, gateway, request, ledger, prenopay_sender, virtual_clock, callbacks_async, payer_async):
    config = request.getfixturevalue(gateway)

    async def story():
        accounts = AsyncAccounts.open(ledger, sender=prenopay_sender, clock=virtual_clock, **SETTINGS)
        payments = accounts.add(config)
        app = CallbackApp(accounts)

        async def mounted(scope, receive, send):
            await app({**scope, "root_path": "/callbacks"}, receive, send)

        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=mounted)) as client:
            for refused in (lambda: to_accounts(accounts), lambda: to_client(client)):
                with pytest.raises(TypeError, match="callbacks_async"):
                    refused()
            callbacks = callbacks_async(accounts if by == "accounts" else to_async_client(client))
            payer = payer_async(callbacks)
            payment = await payments.create(order_of("K-1"), operation_id="order:K-1")
            callbacks.hold()
            await payer.approve(payment)
            assert not (await payments.get(payment.payment_id)).is_paid
            assert [attempt.status for attempt in await callbacks.release()] == [200]
            assert (await payments.get(payment.payment_id)).is_paid
        await accounts.aclose()

    asyncio.run(story())
"""

UNITTEST = """
import unittest

import pytest

from prenopay import Accounts
from shared import SETTINGS, order_of

class TestShop(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def given(self, request, ledger, prenopay_sender, virtual_clock, swedbankpay_account):
        self.accounts = Accounts.open(ledger, sender=prenopay_sender, clock=virtual_clock, **SETTINGS)
        self.payments = self.accounts.add(swedbankpay_account)
        yield
        self.accounts.close()

    def test_an_order_is_open(self):
        self.assertTrue(self.payments.create(order_of("K-1"), operation_id="order:K-1").is_open)

def test_by_name(request):
    assert request.getfixturevalue("ledger").startswith("sqlite:///")
"""

HOSTS = {
    "flask": (FLASK, 2),
    "django": (DJANGO, 4),
    "starlette": (STARLETTE, 2),
    "httpx": (HTTPX, 4),
    "unittest": (UNITTEST, 2),
}


@pytest.mark.parametrize("framework", HOSTS)
def test_a_host_tests_itself(framework: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(framework) is None:
        real_part_is_missing(f"{framework} is not installed")
    tests, count = HOSTS[framework]
    ran = run_tests(tmp_path, shared=OPENED, test_host=tests)
    assert (ran.count("passed"), ran.count("failed"), ran.count("error")) == (count, 0, 0), ran.said


def test_a_hosts_own_fixtures_go_before_the_plugins(tmp_path: Path) -> None:
    conftest = "import pytest\n\n@pytest.fixture\ndef ledger():\n    return 'the ledger of the host'\n"
    tests = "def test_it(ledger):\n    assert ledger == 'the ledger of the host'\n"
    ran = run_tests(tmp_path, conftest=conftest, test_host=tests)
    assert ran.count("passed") == 1, ran.said


OWN_NAMES = """
import pytest

@pytest.fixture
def virtual_clock():
    return "the host's clock"

@pytest.fixture
def mock_gateway():
    return "the host's gateway"

def test_it(prenopay_mock, prenopay_mock_async, swedbankpay_account, virtual_clock, mock_gateway):
    assert (virtual_clock, mock_gateway) == ("the host's clock", "the host's gateway")
    shop = prenopay_mock()
    shop.payer.approve(shop.payments.create(order_of("K-1"), operation_id="order:1"))
"""


def test_a_hosts_own_fixtures_leave_the_plugins_as_they_are(tmp_path: Path) -> None:
    ran = run_tests(tmp_path, test_host=ORDER + OWN_NAMES)
    assert ran.count("passed") == 1, ran.said


def test_fixtures_explain_themselves(tmp_path: Path) -> None:
    said = run_tests(tmp_path, "--fixtures", "-v").said
    for name in ("callbacks", "ledger", "payer", "prenopay_mock", "swish_server", "virtual_clock"):
        assert f"\n{name} -- " in said
    assert "no docstring" not in said.partition("fixtures defined from prenopay")[2].partition("fixtures defined")[0]


LEAKY = """
import logging

def test_that_logs_a_token(mock_gateway, assert_no_secrets):
    logging.getLogger("host").warning("charging %s", mock_gateway.store_card("R-77").reveal())

def test_that_forgets_what_it_granted(prenopay_mock):
    granted = set()

    def grant(event):
        if event.kind == "payment.captured":
            assert event.order_reference not in granted
            granted.add(event.order_reference)

    shop = prenopay_mock(on_event=grant)
    shop.payer.approve(shop.payments.create(order_of("K-1"), operation_id="order:1"))
"""


def test_a_leak_and_a_handler_that_cannot_be_told_twice_fail_the_hosts_tests(tmp_path: Path) -> None:
    ran = run_tests(tmp_path, test_host=ORDER + LEAKY)
    assert (ran.count("passed"), ran.count("error")) == (2, 2), ran.said
    assert "SecretsSeen: the log shows the secret mo…02" in ran.said
    assert "Events come at least once: remember event.event_id" in ran.said


LEDGERS = """
from prenopay import Accounts
from prenopay.testing.mock import Mock, MockSender

def buys(ledger):
    keys = ["a-key-for-tests-of-32-characters"]
    accounts = Accounts.open(
        ledger, callback_url="https://shop.example/callbacks", callback_keys=keys, sender=MockSender()
    )
    payments = accounts.add(Mock(account="mock"))
    assert payments.find() == ()
    payments.create(order_of("K-1"), operation_id="order:1")
    accounts.close()

def test_one(ledger):
    buys(ledger)

def test_another_that_finds_nothing_of_the_first(ledger):
    buys(ledger)
"""


def test_a_ledger_is_on_sqlite_where_no_server_is_given(tmp_path: Path) -> None:
    ran = run_tests(tmp_path, "-v", test_host=ORDER + LEDGERS)
    assert ran.count("passed") == 2, ran.said
    assert "postgresql" not in ran.said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("sqlite:///shop.db", "not sqlite://…"),
        ("mysql://shop:hemligt@db/shop", "not mysql://…"),
        ("shop.db", "not a text that is no URL"),
    ],
)
def test_a_server_that_is_no_postgresql_is_refused_by_name(given: str, said: str, tmp_path: Path) -> None:
    ran = run_tests(tmp_path, f"--prenopay-postgresql={given}", test_host=ORDER + LEDGERS)
    asked = "--prenopay-postgresql (or PRENOPAY_TEST_POSTGRESQL) takes postgresql://user@host/name"
    assert f"ERROR: {asked}, {said}" in ran.said
    assert "hemligt" not in ran.said


def test_a_schema_without_a_server_names_the_option(tmp_path: Path) -> None:
    ran = run_tests(tmp_path, test_host="def test_it(prenopay_postgresql):\n    pass\n")
    assert ran.count("error") == 1, ran.said
    assert "prenopay_postgresql needs a server: name a database with --prenopay-postgresql (or PRENOPAY_" in ran.said


LAX = """
from prenopay.testing.mock import Manner, Mock

def test_whose_handler_never_takes_an_event(prenopay_mock):
    shop = prenopay_mock(on_event=lambda event: {}["access"])
    shop.payer.approve(shop.payments.create(order_of("K-1"), operation_id="order:1"))

def test_whose_script_met_no_call(mock_gateway):
    mock_gateway.script("refund", Manner.REFUSE)
"""


def test_what_the_host_never_took_and_never_met_fails_its_tests(tmp_path: Path) -> None:
    ran = run_tests(tmp_path, test_host=ORDER + LAX)
    assert (ran.count("passed"), ran.count("error")) == (2, 2), ran.said
    assert "EventsNotTaken: on_event raised, and never took: payment.authorized (KeyError: 'access')" in ran.said
    assert "ScriptUnused: scripts met no call: refund (refuse)" in ran.said


@pytest.mark.postgresql
def test_a_ledger_is_on_both_where_a_server_is_given(tmp_path: Path, postgresql: Server) -> None:
    ran = run_tests(tmp_path, "-v", f"--prenopay-postgresql={postgresql.url}", test_host=ORDER + LEDGERS)
    assert ran.count("passed") == 4, ran.said
    assert ran.said.count("[postgresql] PASSED") == 2
