"""An account that cannot work is refused with the key and the fix, and a certificate only meets its own world."""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12

from prenopay import Secret
from prenopay.cli import settings
from prenopay.errors import ConfigurationError
from prenopay.provider import Environment, PaymentProvider, ReferenceAlphabet

from .authority import NUMBER, PRODUCTION_ROOT, TEST_ROOT, certificate, issued, key_pem, pem, rsa_key
from .samples import config, provider

_LIVE = {"environment": Environment.PRODUCTION, "certificate": issued(root=PRODUCTION_ROOT).whole_pem}


def _only(key: object, leaf: object) -> bytes:
    """Return a PKCS#12 with a key or a certificate, and nothing else."""
    made: Any = pkcs12.serialize_key_and_certificates
    body: bytes = made(b"swish", key, leaf, None, serialization.BestAvailableEncryption(b"swish"))
    return body


_ODD_KEY = key_pem(ec.generate_private_key(ec.SECP256R1()))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"number": "123 467 93 04"}, "number must be the merchant's Swish number, ten digits"),
        ({"number": "9871065216"}, "number must be"),
        ({"number": "٣٣٣٣٣٣٣٣٣٣"}, "number must be"),
        ({"certificate": b""}, "certificate is empty"),
        ({"signing_key": b"x"}, "signing_key needs signing_certificate"),
        ({"base_url": "https://cpc.getswish.net"}, "a test account cannot reach the production host"),
        ({"qr_url": "https://CPC.getswish.net"}, "qr_url: a test account cannot reach the production host"),
        ({"qr_url": "ftp://qr.example"}, "qr_url must be like"),
        ({**_LIVE, "base_url": "https://mss.cpc.getswish.net"}, "base_url: a production account cannot be pointed"),
        ({**_LIVE, "base_url": "https://127.0.0.1:8002"}, "base_url: a production account cannot be pointed"),
        ({**_LIVE, "qr_url": "https://127.0.0.1:8002"}, "qr_url: a production account cannot be pointed"),
        ({**_LIVE, "trust": b"x"}, "trust: a production account trusts public roots only"),
    ],
)
def test_an_account_that_cannot_work_says_why(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        config(**fields)


@pytest.mark.parametrize(
    ("fields", "url", "qr", "hosts"),
    [
        (
            {},
            "https://mss.cpc.getswish.net",
            "https://mpc.getswish.net/qrg-swish/api/v1",
            {"mss.cpc.getswish.net", "mpc.getswish.net"},
        ),
        (
            _LIVE,
            "https://cpc.getswish.net",
            "https://mpc.getswish.net/qrg-swish/api/v1",
            {"cpc.getswish.net", "mpc.getswish.net"},
        ),
        (
            {"base_url": "https://127.0.0.1:8002/"},
            "https://127.0.0.1:8002",
            "https://127.0.0.1:8002/qrg-swish/api/v1",
            {"127.0.0.1:8002"},
        ),
        (
            {"base_url": "https://sandbox.example", "qr_url": "https://qr.example/v1/"},
            "https://sandbox.example",
            "https://qr.example/v1",
            {"sandbox.example", "qr.example"},
        ),
        (
            {"base_url": "https://mss.cpc.getswish.net"},
            "https://mss.cpc.getswish.net",
            "https://mpc.getswish.net/qrg-swish/api/v1",
            {"mss.cpc.getswish.net", "mpc.getswish.net"},
        ),
    ],
)
def test_an_account_calls_its_own_world(fields: dict[str, Any], url: str, qr: str, hosts: set[str]) -> None:
    made = config(**fields)
    assert (url, qr, frozenset(hosts)) == (made.api_url, made.qr_api_url, made.hosts)


def test_nothing_secret_shows() -> None:
    shown = repr(config(password="hush", signing_certificate=b"s", signing_key=b"k", signing_password="hush"))
    assert not [word for word in ("BEGIN", "hush") if word in shown]


def test_the_provider_says_what_it_is() -> None:
    made = provider(deadline_seconds=7.5)
    assert isinstance(made, PaymentProvider)
    limits = made.limits
    expected = ("swish", 7.5, timedelta(days=390), frozenset({"SEK"}), ReferenceAlphabet.HEX, 32)
    assert expected == (
        made.name,
        limits.deadline_seconds,
        limits.resend_window,
        limits.currencies,
        limits.reference.alphabet,
        limits.reference.length,
    )
    assert {"capture", "update", "charge", "store"} == set(limits.not_supported)


# Certificates


def test_a_certificate_may_be_given_in_many_forms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, key = tmp_path / "swish.pem", tmp_path / "swish.key"
    file.write_bytes(issued().chain_pem)
    key.write_bytes(issued().key_pem)
    whole = issued().whole_pem
    monkeypatch.setenv("SWISH_PEM", whole.decode().replace("\n", "\\n"))
    encrypted = key_pem(rsa_key("merchant"), b"hush")
    given: list[dict[str, Any]] = [
        *({"certificate": each} for each in (whole, whole.decode(), Secret(whole.decode()), "env:SWISH_PEM")),
        *({"certificate": of(file), "private_key": of(key)} for of in (Path, str, "file:{}".format)),
        {"certificate": issued().chain_pem + encrypted, "password": Secret("hush")},
        {"certificate": issued().old_pkcs12(), "password": "swish"},
        {"certificate": _only(None, issued().leaf), "private_key": issued().key_pem, "password": "swish"},
    ]
    for fields in given:
        assert config(**fields).credentials().number == NUMBER


def test_a_pkcs12_may_stand_in_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "swish.p12"
    file.write_bytes(issued().pkcs12())
    monkeypatch.setenv("SWISH_P12", base64.b64encode(issued().pkcs12()).decode())
    monkeypatch.setenv("SWISH_PASSWORD", "swish")
    (tmp_path / "password").write_text("swish\n")
    passwords = ("swish", Secret("swish"), "env:SWISH_PASSWORD", f"file:{tmp_path / 'password'}")
    in_text = Secret(base64.b64encode(issued().pkcs12()).decode())
    for given, password in zip((file, "env:SWISH_P12", issued().pkcs12(), in_text), passwords, strict=True):
        found = config(certificate=given, password=password).credentials()
        assert (found.number, len(found.chain)) == (NUMBER, 2)


def test_settings_may_name_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "swish.p12").write_bytes(issued().pkcs12())
    monkeypatch.setenv("SWISH_PASSWORD", "swish")
    file = tmp_path / "prenopay.toml"
    file.write_text(
        f"""
        database = "sqlite:///{tmp_path}/prenopay.db"
        callback_url = "https://shop.example/prenopay"
        callback_keys = []
        [accounts.swish]
        provider = "swish"
        environment = "test"
        number = "{NUMBER}"
        certificate = "file:swish.p12"
        password = "env:SWISH_PASSWORD"
        """,
    )
    (account,) = settings.load_settings(file).accounts
    assert account.provider().name == "swish"
    file.write_text(file.read_text().replace("env:SWISH_PASSWORD", "swish"))
    with pytest.raises(ConfigurationError, match=r"accounts\.swish\.password: is a secret"):
        settings.load_settings(file)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"certificate": Path("nowhere.pem")}, "certificate: 'nowhere.pem' cannot be read: No such file"),
        ({"certificate": "nowhere.pem"}, "certificate: 'nowhere.pem' cannot be read"),
        ({"certificate": "file:nowhere.pem"}, "certificate: 'nowhere.pem' cannot be read"),
        ({"certificate": "bad\0name"}, r"certificate: must not hold the character U\+0000"),
        ({"certificate": "env:SWISH_IS_NOT_THERE"}, "certificate: the environment has no SWISH_IS_NOT_THERE"),
        ({"certificate": Secret("no PEM at all!")}, "certificate: is neither PEM"),
        ({"certificate": b"\x00\x01\x02"}, "certificate: is neither PEM .* nor PKCS#12; is it the right file"),
        ({"certificate": b"-----BEGIN CERTIFICATE-----\nAAAA\n"}, "holds no readable certificate"),
        ({"certificate": issued().chain_pem}, "no private key with the certificate; set private_key"),
        ({"certificate": issued().chain_pem, "private_key": issued().chain_pem}, "there is no private key"),
        (
            {"certificate": issued().chain_pem, "private_key": key_pem(rsa_key("other"))},
            rf"the private key does not belong to the certificate \({NUMBER}, ",
        ),
        (
            {"certificate": issued().chain_pem, "private_key": issued().key_pem[:300]},
            "the private key cannot be read; was it cut short",
        ),
        (
            {"certificate": issued().chain_pem, "private_key": key_pem(rsa_key("merchant"), b"hush")},
            "the private key is encrypted; set its password",
        ),
        (
            {"certificate": issued().chain_pem, "private_key": key_pem(rsa_key("merchant"), b"hush"), "password": "x"},
            "the password does not open it",
        ),
        ({"certificate": issued().pkcs12(), "password": "wrong"}, "this PKCS#12 cannot be read; check its password"),
        ({"certificate": issued().pkcs12()}, "this PKCS#12 cannot be read; check its password"),
        (
            {"certificate": issued().old_pkcs12(), "password": "wrong"},
            "encrypted with 3DES, .* or the password is wrong; convert it with: openssl pkcs12 -legacy",
        ),
        (
            {"certificate": issued().old_pkcs12().replace(b"\x0c\x01\x03", b"\x0c\x01\x06"), "password": "swish"},
            "encrypted with RC2 with 40 bits, .* convert it with: openssl pkcs12 -legacy",
        ),
        ({"password": "env:SWISH_IS_NOT_THERE"}, "password: the environment has no"),
        ({"certificate": _only(None, issued().leaf), "password": "swish"}, "set private_key"),
        ({"certificate": _only(issued().key, None), "password": "swish"}, "this PKCS#12 holds no certificate"),
        ({"certificate": issued().chain_pem + _ODD_KEY}, "the private key is not RSA"),
        ({"certificate": issued(root=PRODUCTION_ROOT).whole_pem}, "certificate of Swish's production environment"),
        (
            {"environment": Environment.PRODUCTION},
            "certificate of Swish's test environment, the account's environment is production; order one",
        ),
        (
            {"signing_certificate": issued(root=PRODUCTION_ROOT).whole_pem},
            "signing_certificate: this is a certificate of Swish's production",
        ),
    ],
)
def test_a_certificate_that_cannot_work_says_why(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as refused:
        provider(**fields)
    assert "account 'swish'" in str(refused.value)


def test_a_file_that_is_none_of_it_is_refused(tmp_path: Path) -> None:
    for name, content in (("empty", b""), ("large", b"x" * 300_000)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ConfigurationError, match=f"{name}.* (empty|too large)"):
            provider(certificate=tmp_path / name)


def test_the_order_of_certificates_does_not_matter_and_the_root_is_left_out() -> None:
    given = issued()
    customers, bank = given.chain
    shuffled = pem(given.root, bank, customers, given.leaf) + given.key_pem
    assert (given.leaf, (customers, bank)) == (
        (found := config(certificate=shuffled).credentials()).leaf,
        found.chain,
    )


@pytest.mark.parametrize("environment", Environment)
def test_an_emulators_certificate_is_of_neither_environment(environment: Environment) -> None:
    emulated = issued(root="Swish Root CA v2 Emulator").whole_pem
    assert config(environment=environment, certificate=emulated).credentials().number == NUMBER
    real = issued(root={"test": TEST_ROOT, "production": PRODUCTION_ROOT}[environment]).whole_pem
    assert config(environment=environment, certificate=real).provider().name == "swish"


def test_a_certificate_that_is_not_rsa_is_not_the_keys() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    odd = certificate("odd", key, by=("odd", rsa_key("merchant")))
    assert config(certificate=pem(odd) + issued().whole_pem).credentials().leaf == issued().leaf


def test_a_key_that_openssl_finds_too_small_is_refused() -> None:
    small = certificate(NUMBER, rsa_key("small", 1024), by=("odd", rsa_key("merchant")), is_authority=False)
    account = config(certificate=pem(small) + key_pem(rsa_key("small", 1024)))
    with pytest.raises(ConfigurationError, match=r"OpenSSL does not take it .*; order one with RSA 4096"):
        account.tls()


def test_what_signs_payouts_is_the_same_pair_unless_another_is_given() -> None:
    other = issued(key="signing")
    assert config().signing_credentials().leaf == issued().leaf
    assert config(signing_certificate=other.whole_pem).signing_credentials().leaf == other.leaf
