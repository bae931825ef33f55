"""Swish over real mutual TLS: who gets in, by which certificate, and what the handshake refuses."""

from __future__ import annotations

import ssl
import stat
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from prenopay.testing.emulators.swish import (
    DEFAULT_NUMBER,
    IssuedCertificate,
    ServedSwish,
    SwishAuthority,
    SwishEmulator,
    SwishMerchant,
    serve_swish,
)
from prenopay.testing.emulators.swish.authority import load_pair

from .swish_calling import Shop

PATH = "/swish-cpcapi/api/v2/paymentrequests"
OTHER = "1230000025"


@pytest.fixture(scope="module")
def authority() -> SwishAuthority:
    return SwishAuthority()


@pytest.fixture(scope="module")
def certificate(authority: SwishAuthority) -> IssuedCertificate:
    return authority.issue(DEFAULT_NUMBER, key_size=2048)


@pytest.fixture
def emulator(authority: SwishAuthority) -> SwishEmulator:
    return SwishEmulator(authority=authority, merchants=[SwishMerchant(), SwishMerchant(number=OTHER)])


@pytest.fixture
def served(emulator: SwishEmulator) -> Iterator[ServedSwish]:
    with serve_swish(emulator, deliver_callbacks=False) as served:
        yield served


def _put(served: ServedSwish, tls: ssl.SSLContext, number: str = DEFAULT_NUMBER) -> httpx.Response:
    shop = Shop(number=number)
    with httpx.Client(base_url=served.api.url, verify=tls) as client:
        return client.put(f"{PATH}/{shop.new_id()}", json=shop.request())


def test_the_whole_chain_opens_the_door(
    served: ServedSwish, authority: SwishAuthority, certificate: IssuedCertificate
) -> None:
    answer = _put(served, certificate.client_tls(authority.server_root_pem))
    assert answer.status_code == 201
    assert answer.content == b""
    assert answer.headers["location"].startswith(f"{served.api.url}/swish-cpcapi/api/v1/paymentrequests/")
    assert answer.headers["PaymentRequestToken"]


def test_the_leaf_alone_is_refused(
    served: ServedSwish, authority: SwishAuthority, certificate: IssuedCertificate
) -> None:
    with pytest.raises((httpx.ConnectError, httpx.ReadError)):
        _put(served, certificate.client_tls(authority.server_root_pem, with_chain=False))


def test_no_certificate_is_refused(served: ServedSwish, authority: SwishAuthority) -> None:
    with pytest.raises((httpx.ConnectError, httpx.ReadError)):
        _put(served, ssl.create_default_context(cadata=authority.server_root_pem.decode()))


def test_a_foreign_certificate_is_refused(served: ServedSwish, authority: SwishAuthority) -> None:
    foreign = SwishAuthority(bank="Falska banken").issue(DEFAULT_NUMBER, key_size=2048)
    with pytest.raises((httpx.ConnectError, httpx.ReadError)):
        _put(served, foreign.client_tls(authority.server_root_pem))


def test_an_expired_certificate_is_refused(served: ServedSwish, authority: SwishAuthority) -> None:
    now = datetime.now(UTC)
    old = authority.issue(
        DEFAULT_NUMBER, key_size=2048, not_before=now - timedelta(days=800), not_after=now - timedelta(hours=1)
    )
    with pytest.raises((httpx.ConnectError, httpx.ReadError)):
        _put(served, old.client_tls(authority.server_root_pem))


def test_the_server_is_nobody_without_its_root(served: ServedSwish, certificate: IssuedCertificate) -> None:
    tls = ssl.create_default_context()
    load_pair(tls, certificate.chain_pem, certificate.key_pem)
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        _put(served, tls)


def test_a_number_without_agreement_gets_401(served: ServedSwish, authority: SwishAuthority) -> None:
    stranger = authority.issue("1239999999", key_size=2048)
    answer = _put(served, stranger.client_tls(authority.server_root_pem), "1239999999")
    assert (answer.status_code, answer.content) == (401, b"")


def test_the_certificate_decides_whose_number_it_is(served: ServedSwish, authority: SwishAuthority) -> None:
    other = authority.issue(OTHER, key_size=2048)
    answer = _put(served, other.client_tls(authority.server_root_pem))
    assert answer.status_code == 403
    assert answer.json() == [
        {"errorCode": "PA01", "errorMessage": "Parameter is not correct.", "additionalInformation": ""}
    ]


def test_tls_13_is_spoken_only_where_it_is_allowed(
    emulator: SwishEmulator, served: ServedSwish, authority: SwishAuthority, certificate: IssuedCertificate
) -> None:
    tls = certificate.client_tls(authority.server_root_pem)
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    with pytest.raises((httpx.ConnectError, httpx.ReadError)):
        _put(served, tls)
    with serve_swish(emulator, most=ssl.TLSVersion.TLSv1_3, deliver_callbacks=False) as newer:
        assert _put(newer, tls).status_code == 201


def test_the_phone_needs_no_certificate_and_serves_no_merchant(served: ServedSwish) -> None:
    with httpx.Client(base_url=served.phone.url) as client:
        assert client.get("/phone").status_code == 200
        assert client.get("/__emulator__/clock").status_code == 200
        assert client.get("/swish-cpcapi/api/v1/paymentrequests/X").status_code == 421


def test_a_leaf_has_what_swish_writes_and_no_more(certificate: IssuedCertificate, authority: SwishAuthority) -> None:
    leaf = certificate.leaf
    assert leaf.subject.rfc4514_string() == f"C=SE,O=5560000000,CN={DEFAULT_NUMBER}"
    assert {type(extension.value) for extension in leaf.extensions} == {
        x509.SubjectKeyIdentifier,
        x509.AuthorityKeyIdentifier,
        x509.CertificatePolicies,
    }
    policies = leaf.extensions.get_extension_for_class(x509.CertificatePolicies).value
    assert policies[0].policy_identifier.dotted_string == "1.2.752.237.1.1.1"
    names = [part.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value for part in certificate.chain]
    assert names == ["Emulatorbanken Customer CA1 v2 for Swish", "Emulatorbanken Root CA v2 for Swish"]
    customers, bank = certificate.chain
    root = x509.load_pem_x509_certificate(authority.root_pem)
    leaf.verify_directly_issued_by(customers)
    customers.verify_directly_issued_by(bank)
    bank.verify_directly_issued_by(root)
    assert len(certificate.serial) == 32


def test_a_pkcs12_holds_key_leaf_and_both_intermediates(certificate: IssuedCertificate) -> None:
    key, leaf, chain = pkcs12.load_key_and_certificates(certificate.pkcs12(b"hemligt"), b"hemligt")
    assert isinstance(key, rsa.RSAPrivateKey)
    assert leaf == certificate.leaf
    assert len(chain) == 2
    assert certificate.chain_pem.count(b"BEGIN CERTIFICATE") == 3


def test_a_request_is_signed_for_the_number_and_its_subject_is_ignored(authority: SwishAuthority) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "whatever")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    pem = request.public_bytes(serialization.Encoding.PEM)
    with pytest.raises(ValueError, match="4096 bits"):
        authority.sign(pem, number=OTHER)
    signed = authority.sign(pem, number=OTHER, least_key_size=2048)
    assert signed.leaf.public_key() == key.public_key()
    assert signed.leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == OTHER
    assert signed.key_pem == b""


def test_keys_are_4096_bits_unless_said_otherwise(authority: SwishAuthority) -> None:
    key = authority.issue(OTHER).leaf.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert key.key_size == 4096


def test_keys_of_their_own_differ(authority: SwishAuthority) -> None:
    made = [authority.issue(OTHER, key_size=2048, own_key=True).leaf.public_key() for _ in range(2)]
    assert made[0] != made[1]
    signing = authority.issue(OTHER, key_size=2048, purpose="signing").leaf.public_key()
    assert signing != authority.issue(OTHER, key_size=2048).leaf.public_key()


def test_nothing_stays_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: SwishAuthority, certificate: IssuedCertificate
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    modes: list[int] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    class _Watching:
        def load_cert_chain(self, name: str) -> None:
            modes.append(stat.S_IMODE(Path(name).stat().st_mode))
            context.load_cert_chain(name)

    load_pair(_Watching(), certificate.chain_pem, certificate.key_pem)  # type: ignore[arg-type]  # it only watches
    authority.server_tls()
    assert modes == [0o600]
    assert list(tmp_path.iterdir()) == []
