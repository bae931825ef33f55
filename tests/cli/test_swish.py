"""``swish csr``, ``inspect swish`` and ``doctor`` for an account with Swish."""

from __future__ import annotations

import json
import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID

from prenopay.testing.callbacks import CallbackAddresses
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swish import DEFAULT_NUMBER, Behaviour, SwishAuthority, SwishEmulator, serve_swish
from tests.cli.desk import Desk

CSR = ("swish", "csr", "--number", DEFAULT_NUMBER, "--organisation", "5560000000")
FILES = ("--out-key", "swish.key", "--out-csr", "swish.csr")
PAID = {
    "id": "0123456789ABCDEF0123456789ABCDEF",
    "amount": "119.00",
    "currency": "SEK",
    "status": "PAID",
    "payerAlias": "46701740606",
    "callbackIdentifier": "11A86BE70EA346E4B1C39C874173F088",
}


@pytest.fixture(scope="module")
def authority() -> SwishAuthority:
    return SwishAuthority()


def test_a_key_and_a_request_are_made_and_the_portal_takes_them(desk: Desk, authority: SwishAuthority) -> None:
    assert desk.run(*CSR, *FILES, "--json").json == {"key": "swish.key", "csr": "swish.csr", "number": DEFAULT_NUMBER}

    key_file = desk.folder / "swish.key"
    key = load_pem_private_key(key_file.read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert (key.key_size, stat.S_IMODE(key_file.stat().st_mode)) == (4096, 0o600)
    request = (desk.folder / "swish.csr").read_bytes()
    subject = x509.load_pem_x509_csr(request).subject
    assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == DEFAULT_NUMBER
    assert authority.sign(request, number=DEFAULT_NUMBER).leaf.public_key() == key.public_key()


@pytest.mark.parametrize("there", ["swish.key", "swish.csr"])
def test_what_is_there_is_never_overwritten(desk: Desk, there: str) -> None:
    (desk.folder / there).write_text("precious", encoding="utf-8")
    ran = desk.run(*CSR, *FILES)
    assert ran.code == 2
    assert there in ran.err
    assert {file.name for file in desk.folder.glob("swish.*")} == {there}
    assert (desk.folder / there).read_text(encoding="utf-8") == "precious"


@pytest.mark.parametrize(("option", "value"), [("--number", "123"), ("--organisation", " ")])
def test_a_wrong_number_makes_nothing(desk: Desk, option: str, value: str) -> None:
    ran = desk.run(*CSR, *FILES, option, value)
    assert ran.code == 2
    assert option in ran.err
    assert list(desk.folder.glob("swish.*")) == []


def test_a_stored_body_is_read_without_its_secrets(desk: Desk) -> None:
    file = desk.folder / "body.json"
    file.write_text(json.dumps(PAID), encoding="utf-8")
    ran = desk.run("inspect", "swish", str(file))
    assert (ran.json["state"], ran.json["captured"], ran.json["currency"]) == ("captured", 11900, "SEK")
    assert [secret for secret in (PAID["payerAlias"], PAID["callbackIdentifier"]) if secret in ran.out] == []


def test_a_broken_body_is_one_line(desk: Desk) -> None:
    file = desk.folder / "body.json"
    file.write_bytes(b"{")
    assert desk.run("inspect", "swish", str(file)).code == 2


def settings(desk: Desk, authority: SwishAuthority, url: str, **changes: str) -> None:
    """Write settings with one account, at an emulated Swish."""
    issued = authority.issue(DEFAULT_NUMBER)
    contents = {"chain.pem": issued.chain_pem, "leaf.pem": issued.certificate_pem, "key.pem": issued.key_pem}
    for name, content in {**contents, "root.pem": authority.server_root_pem}.items():
        (desk.folder / name).write_bytes(content)
    account = {
        "provider": "swish",
        "environment": "test",
        "number": DEFAULT_NUMBER,
        "certificate": "file:chain.pem",
        "private_key": "file:key.pem",
        "trust": "file:root.pem",
        "base_url": url,
        **changes,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in account.items()]
    top = [f"database = {json.dumps(desk.database)}", 'callback_url = "http://127.0.0.1:9/callbacks"']
    desk.write_text("\n".join([*top, 'callback_keys = ["env:DESK_KEY"]', "[accounts.swish]", *lines]))


@pytest.mark.parametrize(
    ("changes", "whole"),
    [({}, True), ({"certificate": "file:leaf.pem"}, False), ({"number": "1230000025"}, False)],
    ids=["all well", "no chain", "another number"],
)
def test_doctor_looks_at_certificate_chain_and_number(
    desk: Desk,
    authority: SwishAuthority,
    changes: dict[str, str],
    whole: bool,  # noqa: FBT001
) -> None:
    local = Behaviour(callback_addresses=CallbackAddresses.LOCAL)
    emulator = SwishEmulator(authority=authority, clock=VirtualClock(real_time=True), behaviour=local)
    with serve_swish(emulator, deliver_callbacks=False) as served:
        settings(desk, authority, served.api.url, **changes)
        probes = desk.run("doctor", "swish", "--json").json["accounts"]["swish"]
    wrong = [probe for probe in probes if not probe["ok"] and "callback" not in probe["name"]]
    assert (wrong == []) is whole, probes
    assert whole or any("certificate" in json.dumps(probe) for probe in wrong)
