"""Other makers' clients as witnesses: they pay, refund and fail at the served emulators as at the gateways."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from http.client import HTTPConnection, HTTPSConnection
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators import swedbankpay, swish
from prenopay.testing.emulators.swedbankpay import DEFAULT_ACCESS_TOKEN, DEFAULT_PAYEE_ID, SwedbankPayEmulator
from prenopay.testing.emulators.swish import (
    DEFAULT_NUMBER,
    Behaviour,
    ServedSwish,
    SwishAuthority,
    SwishEmulator,
    serve_swish,
)
from prenopay.testing.server import serve
from tests.conftest import real_part_is_missing

NPM_CLIENT = "swish-merchant@0.1.0"
AT_ONCE = Behaviour(pays_itself_after=timedelta(0), debited_after=timedelta(0), settled_after=timedelta(0))


# Swish


@dataclass(frozen=True)
class Merchant:
    """A merchant's files, and the emulator that they reach."""

    emulator: SwishEmulator
    served: ServedSwish
    folder: Path
    serial: str

    def ask(self, *command: str, **environment: str) -> Any:
        """Run a client's program; returns what it prints."""
        files = [str(self.folder / name) for name in ("c.pem", "k.pem", "t.pem")]
        run = subprocess.run(
            [*command, self.served.api.url, DEFAULT_NUMBER, *files],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, **environment, "FOLDER": str(self.folder), "SERIAL": self.serial},
        )
        assert run.returncode == 0, run.stderr
        return json.loads(run.stdout)


@pytest.fixture(scope="module")
def authority() -> SwishAuthority:
    return SwishAuthority()


@pytest.fixture
def merchant(authority: SwishAuthority, tmp_path: Path) -> Iterator[Merchant]:
    """Serve a strict Swish whose payers pay at once."""
    emulator = SwishEmulator(authority=authority, clock=VirtualClock(real_time=True), behaviour=AT_ONCE)
    tls, signing = (authority.issue(DEFAULT_NUMBER, key_size=2048, purpose=purpose) for purpose in ("tls", "signing"))
    assert signing.private_key is not None
    contents = {
        "c.pem": tls.chain_pem,
        "k.pem": tls.key_pem,
        "t.pem": authority.server_root_pem,
        "signing.key": signing.private_key.private_bytes(
            Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
        ),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    with serve_swish(emulator, deliver_callbacks=False) as served:
        yield Merchant(emulator, served, tmp_path, signing.serial)


def must_have(package: str) -> None:
    if find_spec(package) is None:
        real_part_is_missing(f"the PyPI client {package} is not installed")


SWISH = """
import json, sys
import swish

url, number, certificate, key, trust = sys.argv[1:]
here = swish.Environment("emulator", f"{url}/swish-cpcapi/api/", f"{url}/qrg-swish/api/v1/")
client = swish.SwishClient(here, number, (certificate, key), verify=trust)
request = {"currency": "SEK", "callback_url": "https://shop.example.com/cb", "message": "En bok"}
made = client.create_payment(amount=149.5, payee_payment_reference="BOK1", **request)
paid = client.get_payment(made.id)
named = client.create_payment(amount=10, payer_alias="46701740606", **request)
picture = client.commerce_qr_code(made.request_token, "svg")
back = client.create_refund(paid.payment_reference, 49.5, "SEK", request["callback_url"], payer_payment_reference="B1")
refund = client.get_refund(back.id)
try:
    client.create_refund(paid.payment_reference, 100.01, "SEK", request["callback_url"])
except swish.SwishError as error:
    refused = error.code if hasattr(error, "code") else str(error)
client.session.close()
print(json.dumps({
    "token": len(made.request_token), "status": paid.status, "amount": paid.amount, "dated": paid.date_paid is not None,
    "named": named.request_token, "picture": b"<svg" in picture, "refund": refund.status, "back": refund.amount,
    "refused": str(refused),
}))
"""


def test_the_pypi_client_swish_pays_and_refunds(merchant: Merchant) -> None:
    must_have("swish")
    said = merchant.ask(sys.executable, "-c", SWISH)
    assert "minus any previous refunds" in said.pop("refused")
    assert said == {
        "token": 32,
        "status": "PAID",
        "amount": 149.5,
        "dated": True,
        "named": None,
        "picture": True,
        "refund": "PAID",
        "back": 49.5,
    }
    assert [(totals.paid, totals.refunded) for totals in merchant.emulator.books().values()] == [
        (14_950, 4_950),
        (1_000, 0),
    ]


GETSWISH = """
import json, os, sys, urllib.request
import getswish
from getswish.environments import Certificate, Certificates, Environment

url, number, certificate, key, trust = sys.argv[1:]
here = Environment("emulator", f"{url}/swish-cpcapi/api/", recurring_base=url, qr_base=f"{url}/qrg-swish/api/")
signing = Certificate(private_key=os.environ["FOLDER"] + "/signing.key", public_serial=os.environ["SERIAL"])
files = Certificates(Certificate(certificate, key), Certificate(trust), signing)
client = getswish.SwishClient(here, files, number)
back = "https://shop.example.com/cb"

def refused(act, *arguments, **more):
    try:
        act(*arguments, **more)
    except getswish.SwishError as error:
        return sorted(error.errors)

def control(what, **body):
    urllib.request.urlopen(os.environ["CONTROL"] + what, json.dumps(body).encode()).close()

made = client.create_payment(149.5, back, message="En bok", payee_payment_reference="BOK1")
paid = client.retrieve_payment(made.id)
named = client.create_payment(10, back, "46701740606", message="En bok", age_limit="18")
refund = client.create_refund(paid.payment_reference, back, "46701740606", 49.5, payer_payment_reference="B1")
payout = client.create_payout("UT1", "46701740609", "190001010000", 200, back, message="Arvode, tack")
consent = client.create_recurring_mcommerce_consent(back)
control("payer", action="sign_consent", order=consent.consent_id)
drawn = client.create_recurring_payment(consent.consent_id, 99, back)
control("clock", advance_seconds=10)
print(json.dumps({
    "token": len(made.payment_request_token), "status": paid.status, "amount": paid.amount,
    "named": named.payment_request_token, "refund": client.retrieve_refund(refund.id).status,
    "payout": client.retrieve_payout(payout.payout_instruction_uuid).status,
    "picture": "<svg" in client.create_commerce_qr_code(made.payment_request_token, "svg"),
    "consent": client.retrieve_recurring_consent(consent.consent_id).status,
    "drawn": client.retrieve_recurring_payment(drawn.payment_id).status,
    "offered": client.check_recurring_alias_availability("46701740606").recurring_is_offered,
    "refused": {
        "too much": refused(client.create_refund, paid.payment_reference, back, "46701740606", 100.01),
        "twice": refused(client.create_payment, 1, back, id=made.id),
        "no https": refused(client.create_payment, 1, "http://shop.example.com/cb"),
        "too late": refused(client.cancel_payment, made.id),
        "unknown": refused(client.retrieve_payment, "0" * 32),
        "message": refused(client.create_payment, 1, back, message="ACMT07"),
    },
}))
"""


def test_the_pypi_client_getswish_pays_refunds_pays_out_and_charges(merchant: Merchant) -> None:
    must_have("getswish")
    said = merchant.ask(sys.executable, "-c", GETSWISH, CONTROL=f"{merchant.served.phone.url}/__emulator__/")
    assert said.pop("refused") == {
        "too much": ["RF08"],
        "twice": ["RP09"],
        "no https": ["RP03"],
        "too late": ["RP07"],
        "unknown": ["RP04"],
        "message": ["ACMT07"],
    }
    assert said == {
        "token": 32,
        "status": "PAID",
        "amount": 149.5,
        "named": None,
        "refund": "PAID",
        "payout": "PAID",
        "picture": True,
        "consent": "ACTIVE",
        "drawn": "PAID",
        "offered": True,
    }


SWISH_MERCHANT = """
const Swish = require('swish-merchant');
const [url, alias, cert, key, ca] = process.argv.slice(2);
const back = 'https://shop.example.com/cb';
const swish = new Swish({ alias, cert, key, ca, paymentRequestCallback: back, refundRequestCallback: back });
swish.url = `${url}/swish-cpcapi`;
const book = { phoneNumber: '070-174 06 06', amount: '149.50', message: 'En bok', payeePaymentReference: 'BOK1' };
const codes = (call) => call.then(() => [], (error) => error.errors.map((each) => each.errorCode));

async function run() {
  const made = await swish.createPaymentRequest({ ...book });
  const { data: paid } = await swish.retrievePaymentRequest(made);
  const refund = { originalPaymentReference: paid.paymentReference, amount: 49.5, payerPaymentReference: 'B1' };
  const back = await swish.retrieveRefundRequest(await swish.createRefundRequest({ ...refund }));
  return {
    status: paid.status, amount: paid.amount, payer: paid.payerAlias, refund: back.data.status, back: back.data.amount,
    tooMuch: await codes(swish.createRefundRequest({ ...refund, amount: '100.01' })),
    unknown: await codes(swish.retrievePaymentRequest({ id: '0'.repeat(32) })),
    message: await codes(swish.createPaymentRequest({ ...book, message: 'ACMT03' })),
    aged: await codes(swish.createPaymentRequest({ ...book, ageLimit: 22 })),
  };
}

run().then((said) => console.log(JSON.stringify(said)));
"""


@pytest.fixture(scope="session")
def npm_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the npm client in it, installed from the registry that npm is set up for."""
    if not (shutil.which("node") and shutil.which("npm")):
        real_part_is_missing("node and npm are not installed")
    folder = tmp_path_factory.mktemp("npm")
    (folder / "package.json").write_text("{}", encoding="utf-8")
    plainly = ("--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
    soon = ("--fetch-retries=1", "--fetch-timeout=20000", "--fetch-retry-mintimeout=1000")
    command = ["npm", "install", *plainly, *soon, NPM_CLIENT]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    if run.returncode:
        real_part_is_missing(f"npm cannot install {NPM_CLIENT}: {run.stderr.strip()[-200:]}")
    (folder / "witness.js").write_text(SWISH_MERCHANT, encoding="utf-8")
    return folder


def test_the_npm_client_swish_merchant_pays_and_refunds(merchant: Merchant, npm_client: Path) -> None:
    program = ("node", str(npm_client / "witness.js"))
    expected = {
        "status": "PAID",
        "amount": 149.5,
        "payer": "46701740606",
        "refund": "PAID",
        "back": 49.5,
        "tooMuch": ["RF08"],
        "unknown": ["RP04"],
        "message": ["ACMT03"],
    }
    assert merchant.ask(*program) == {**expected, "aged": ["PA01"]}
    merchant.emulator.behaviour = replace(AT_ONCE, takes=swish.LENIENT.takes)
    assert merchant.ask(*program) == {**expected, "aged": []}


@contextmanager
def connected(connection: HTTPConnection) -> Iterator[HTTPConnection]:
    try:
        yield connection
    finally:
        connection.close()


def test_requests_in_the_shape_of_a_php_client_of_swish(merchant: Merchant) -> None:
    """As olssonm/swish-php 3.7 sends them: every body in chunks, and the id in it too."""
    merchant.emulator.behaviour = replace(swish.LENIENT, debited_after=timedelta(0), settled_after=timedelta(0))
    tls = ssl.create_default_context(cafile=merchant.folder / "t.pem")
    tls.load_cert_chain(merchant.folder / "c.pem", merchant.folder / "k.pem")
    served, payment, back = merchant.served.api, "A" * 32, "B" * 32

    def send(method: str, path: str, body: object = None, media: str = "application/json") -> tuple[int, Any]:
        chunks = None if body is None else iter([json.dumps(body).encode()])
        connection.request(method, f"/swish-cpcapi/api/{path}", chunks, {"content-type": media, "accept": "*/*"})
        answer = connection.getresponse()
        said = answer.read()
        return answer.status, json.loads(said) if said else None

    money = {"amount": "100.00", "currency": "SEK", "message": "En bok", "callbackUrl": "https://shop.example.com/cb"}
    with connected(HTTPSConnection(served.host, served.port, timeout=10, context=tls)) as connection:
        asked = {**money, "id": payment, "payeeAlias": DEFAULT_NUMBER, "payerAlias": "46701740606"}
        assert send("PUT", f"v2/paymentrequests/{payment}", asked) == (201, None)
        merchant.emulator.approve(payment)
        paid = send("GET", f"v1/paymentrequests/{payment}")[1]
        wanted = {
            **money,
            "id": back,
            "payerAlias": DEFAULT_NUMBER,
            "originalPaymentReference": paid["paymentReference"],
        }
        assert send("PUT", f"v2/refunds/{back}", wanted) == (201, None)
        assert send("PUT", f"v2/refunds/{'C' * 32}", {**wanted, "id": "C" * 32})[1][0]["errorCode"] == "RF08"
        gone = [{"op": "replace", "path": "/status", "value": "cancelled"}]
        late = send("PATCH", f"v1/paymentrequests/{payment}", gone, "application/json-patch+json")
        assert (late[0], late[1][0]["errorCode"]) == (422, "RP07")
    assert [(each.paid, each.refunded) for each in merchant.emulator.books().values()] == [(10_000, 10_000)]


# Swedbank Pay


PHP_HEADERS = {
    "Accept": "application/json",
    "Session-Id": "6f1e0000-0000-4000-8000-000000000001",
    "Forwarded": "for=127.0.0.1; proto=https",
    "Authorization": f" Bearer {DEFAULT_ACCESS_TOKEN}",
    "Content-Type": "application/json;version=3.1; charset=utf-8",
    "User-Agent": "Swedbank Pay PHP SDK/6.3.0 PHP/8.3.11 Linux",
}
PHP_ITEM: dict[str, object] = {
    "reference": "P1",
    "name": "Ett år",
    "type": "PRODUCT",
    "class": "ProductGroup1",
    "itemUrl": "",
    "imageUrl": "",
    "description": "",
    "discountDescription": 0,
    "quantity": 1,
    "quantityUnit": "pcs",
    "unitPrice": 1500,
    "vatPercent": 600,
    "amount": 1500,
    "vatAmount": 85,
}
PHP_ORDER: dict[str, object] = {
    "operation": "Purchase",
    "currency": "SEK",
    "amount": "1500",
    "vatAmount": 85,
    "description": "Test Purchase",
    "userAgent": "Mozilla/5.0...",
    "language": "sv-SE",
    "generatePaymentToken": False,
    "disablePaymentMenu": False,
    "urls": {
        "hostUrls": ["https://shop.example.com"],
        "completeUrl": "https://shop.example.com/complete",
        "cancelUrl": "https://shop.example.com/cancel",
        "paymentUrl": "exampleshop://payment/",
        "callbackUrl": "https://shop.example.com/callback",
        "termsOfServiceUrl": "",
        "logoUrl": "",
    },
    "payeeInfo": {"payeeId": DEFAULT_PAYEE_ID, "payeeReference": "P1", "orderReference": "or-1", "payeeName": "Shop"},
    "payer": {"firstName": "", "email": "leia@example.com", "msisdn": "", "payerReference": "R77"},
    "metadata": {"key1": "value1", "key2": 2, "key3": 3.1, "key4": False},
    "clientInfo": {"integrationSdkName": "PHP", "integrationSdkVersion": "6.3.0"},
    "orderItems": [PHP_ITEM],
}


class PhpSdk:
    """Calls as Swedbank Pay's PHP SDK 6.3.0 does: reads the order first, then follows the path of a link in it."""

    def __init__(self, connection: HTTPConnection) -> None:
        self._connection = connection

    def send(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        said = b"" if body is None else json.dumps(body, indent=4).encode()  # a GET has an empty body
        headers = {**PHP_HEADERS, "Content-Length": str(len(said))}
        self._connection.request(method, path, said, headers)
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())

    def follow(self, order: str, rel: str, body: object) -> tuple[int, Any]:
        status, read = self.send("GET", order)
        assert status == 200, read
        link = next(each for each in read["operations"] if each["rel"] == rel)
        return self.send(link["method"], urlsplit(link["href"]).path, body)

    def move(self, order: str, rel: str, amount: int, reference: str) -> tuple[int, Any]:
        items = [{**PHP_ITEM, "unitPrice": amount, "amount": amount, "vatAmount": 0}]
        moved = {"amount": amount, "vatAmount": 0, "description": rel, "payeeReference": reference}
        return self.follow(order, rel, {"transaction": {**moved, "orderItems": items}})


def test_requests_in_the_shape_of_the_php_sdk_of_swedbank_pay() -> None:
    emulator = SwedbankPayEmulator(behaviour=swedbankpay.LENIENT)
    with (
        serve(emulator, deliver_callbacks=False) as served,
        connected(HTTPConnection(served.host, served.port, timeout=10)) as connection,
    ):
        sdk = PhpSdk(connection)
        status, made = sdk.send("POST", "/psp/paymentorders", {"paymentorder": PHP_ORDER})
        assert status == 201, made
        order = made["paymentOrder"]["id"]
        update = {
            "operation": "UpdateOrder",
            "amount": 1500,
            "vatAmount": 85,
            "orderItems": [PHP_ITEM],
            "clientInfo": {},
        }
        assert sdk.follow(order, "update-order", {"paymentorder": update})[0] == 200
        emulator.pay_by_card(order)
        assert sdk.move(order, "capture", 1000, "C1")[0] == 200
        status, refused = sdk.move(order, "capture", 501, "C2")
        assert (status, refused["problems"][0]["description"]) == (403, "Capture amount too high.")
        assert sdk.move(order, "reversal", 300, "R1")[0] == 200
        assert sdk.follow(order, "cancel", {"transaction": {"description": "rest", "payeeReference": "X1"}})[0] == 200
        assert sdk.send("GET", f"{order}/clientInfo")[1]["clientInfo"] == PHP_ORDER["clientInfo"]
        assert sdk.send("GET", "/psp/paymentorders/none")[0] == 404
        totals = emulator.order(order).totals
        assert (totals.captured, totals.reversed, totals.cancelled) == (1000, 300, 500)

        emulator.behaviour = swedbankpay.Behaviour()
        status, refused = sdk.send("POST", "/psp/paymentorders", {"paymentorder": PHP_ORDER})
        assert status == 400
        assert {each["name"].removeprefix("PaymentOrder.") for each in refused["problems"]} == {
            "Amount",
            "DisablePaymentMenu",
            "Urls.PaymentUrl",
            "Urls.TermsOfServiceUrl",
            "Urls.LogoUrl",
            "Payer.FirstName",
            "Payer.Msisdn",
            *(f"OrderItems[0].{name}" for name in ("ItemUrl", "ImageUrl", "Description", "DiscountDescription")),
        }
        assert sdk.send("GET", order)[1]["problems"][0]["name"] == "Accept"
