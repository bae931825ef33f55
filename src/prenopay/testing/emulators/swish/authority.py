"""Certificates as Swish issues them, and the signatures of payouts that are checked with them.

A root, a bank's two certificate authorities, and the merchants' leaves.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import ipaddress
import json
import os
import re
import ssl
import tempfile
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from prenopay._arguments import check_arguments, checked_fields, refuse_misuse

_POLICY: Final = x509.ObjectIdentifier("1.2.752.237.1.1.1")
"""The certificate policy in every leaf of the public test bundle."""
_VALID: Final = timedelta(days=2 * 365)
"""Merchants renew every second year."""
_AUTHORITY_LIVES: Final = timedelta(days=20 * 365)
_PKCS12_PASSWORD: Final = b"swish"  # the password of every .p12 in the public test bundle


class KeyPurpose(StrEnum):
    """What a merchant orders a certificate for."""

    TLS = "tls"
    SIGNING = "signing"
    """Signs payouts."""


@check_arguments(refuse_misuse, any_text=True)
@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class IssuedCertificate:
    """A merchant's certificate. Without a ``private_key`` (a signed request), the key PEM is empty."""

    number: str
    purpose: KeyPurpose
    leaf: x509.Certificate = field(repr=False)
    chain: tuple[x509.Certificate, ...] = field(repr=False)
    """The two intermediates, nearest first; the root is never sent."""
    private_key: rsa.RSAPrivateKey | None = field(default=None, repr=False)

    @property
    def serial(self) -> str:
        """The serial as payouts name it: 32 upper-case hex digits (MSS user guide 2.0, §11.1)."""
        return f"{self.leaf.serial_number:032X}"

    @property
    def certificate_pem(self) -> bytes:
        """The leaf alone: what the handshake refuses."""
        return _pem(self.leaf)

    @property
    def chain_pem(self) -> bytes:
        """Leaf and both intermediates, as in the ``.pem`` that the portal hands out."""
        return b"".join(map(_pem, (self.leaf, *self.chain)))

    @property
    def key_pem(self) -> bytes:
        """The key, PKCS#8, not encrypted."""
        return _private_pem(self.private_key) if self.private_key else b""

    def pkcs12(self, password: bytes = _PKCS12_PASSWORD) -> bytes:
        """Key, leaf and intermediates in one encrypted file."""
        encryption = serialization.BestAvailableEncryption(password)
        return pkcs12.serialize_key_and_certificates(
            b"swish", self.private_key, self.leaf, self.chain, encryption_algorithm=encryption
        )

    def client_tls(self, trust_pem: bytes, *, with_chain: bool = True) -> ssl.SSLContext:
        """Return a client's context that presents this certificate and trusts only ``trust_pem``."""
        context = ssl.create_default_context(cadata=trust_pem.decode())
        load_pair(context, self.chain_pem if with_chain else self.certificate_pem, self.key_pem)
        return context


@check_arguments(refuse_misuse, any_text=True)
class SwishAuthority:
    """A certificate authority of its own, in memory: nothing it makes is valid anywhere else.

    A process makes one key of each size and lends it to every number (making 4096 bits takes seconds);
    ``issue(…, own_key=True)`` makes a new one. Nothing stays on disk.
    """

    def __init__(self, *, now: datetime | None = None, bank: str = "Emulatorbanken", kept: bytes = b"") -> None:
        """Begin with a root and one bank; everything is valid from a day before ``now``.

        ``kept`` is the ``pem`` of an earlier one, which this one continues. Raises ``ValueError`` if it is none.
        """
        self._now = now or datetime.now(UTC)
        self._lock = threading.Lock()
        self._issued: list[IssuedCertificate] = []
        if kept:
            self._customer_key, self._server_key = map(_authority_key, _KEYS.findall(kept))
            self._root, self._bank, self._customers, self._server_root = x509.load_pem_x509_certificates(kept)
            return
        root_key, bank_key, self._customer_key = (_new_authority_key() for _ in range(3))
        self._root = self._authority("Swish Root CA v2 Emulator", root_key)
        self._bank = self._authority(f"{bank} Root CA v2 for Swish", bank_key, issuer=self._root, by=root_key)
        customers = f"{bank} Customer CA1 v2 for Swish"
        self._customers = self._authority(customers, self._customer_key, issuer=self._bank, by=bank_key)
        self._server_key = _new_authority_key()
        self._server_root = self._authority("Emulated Public Root", self._server_key)

    @property
    def pem(self) -> bytes:
        """What another process needs to continue this authority: two keys and four certificates."""
        keys = (self._customer_key, self._server_key)
        certificates = (self._root, self._bank, self._customers, self._server_root)
        return b"".join((*map(_private_pem, keys), *map(_pem, certificates)))

    @property
    def root_pem(self) -> bytes:
        """The root that merchants' certificates lead to."""
        return _pem(self._root)

    @property
    def server_root_pem(self) -> bytes:
        """The root to trust when calling the emulator: not the merchants' root, as with the real Swish."""
        return _pem(self._server_root)

    @property
    def issued(self) -> tuple[IssuedCertificate, ...]:
        """Everything issued so far."""
        with self._lock:
            return tuple(self._issued)

    def issue(
        self,
        number: str,
        *,
        organisation: str = "5560000000",
        key_size: int = 4096,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        purpose: KeyPurpose | str = KeyPurpose.TLS,
        own_key: bool = False,
    ) -> IssuedCertificate:
        """Issue a certificate with its key for a Swish ``number``; production takes 4096 bits and no less."""
        with _MAKING:
            key = _new_key(key_size) if own_key else _lent_key(key_size, KeyPurpose(purpose))
        leaf = self._leaf(number, organisation, key.public_key(), begins=not_before, ends=not_after)
        return self._note(leaf, number, KeyPurpose(purpose), key)

    def adopt(self, certificate_pem: bytes, key_pem: bytes, purpose: KeyPurpose) -> IssuedCertificate:
        """Take over what an earlier process issued as this authority; raises ``ValueError`` for anything else."""
        leaf, key = x509.load_pem_x509_certificate(certificate_pem), _private_key(key_pem)
        if not isinstance(key, rsa.RSAPrivateKey) or leaf.issuer != self._customers.subject:
            message = "this authority did not issue that certificate"
            raise ValueError(message)
        (name,) = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return self._note(leaf, str(name.value), purpose, key)

    def sign(
        self,
        csr_pem: bytes,
        *,
        number: str,
        organisation: str = "5560000000",
        purpose: KeyPurpose | str = KeyPurpose.TLS,
        least_key_size: int = 4096,
    ) -> IssuedCertificate:
        """Sign a PKCS#10 request, as the portal does: its subject is ignored, its key must be RSA 4096."""
        request = x509.load_pem_x509_csr(csr_pem)
        key = request.public_key()
        if not request.is_signature_valid or not isinstance(key, rsa.RSAPublicKey) or key.key_size < least_key_size:
            message = f"a certificate request needs an RSA key of {least_key_size} bits and a valid signature"
            raise ValueError(message)
        return self._note(self._leaf(number, organisation, key), number, KeyPurpose(purpose), None)

    def signing_certificate(self, number: str, serial: str, *, signing_only: bool) -> x509.Certificate | None:
        """Return the certificate of ``number`` with this serial, if it may sign payouts."""
        purposes = {KeyPurpose.SIGNING} if signing_only else set(KeyPurpose)
        wanted = [made for made in self.issued if made.number == number and made.purpose in purposes]
        return next((made.leaf for made in wanted if made.serial == serial), None)

    def server_tls(
        self,
        *,
        hosts: Iterable[str] = ("localhost", "127.0.0.1"),
        client_certificate: bool = True,
        most: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    ) -> ssl.SSLContext:
        """Return the server's context: without the caller's whole chain the handshake fails.

        TLS 1.3 is off, as the guide says of the simulator (MSS user guide 2.0, §3).
        """
        certificate, key = self.server_pair(hosts=hosts)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1_2, most
        load_pair(context, certificate, key)
        if client_certificate:
            # Only the root: a chain without its intermediates cannot be verified.
            context.load_verify_locations(cadata=self.root_pem.decode())
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def server_pair(self, *, hosts: Iterable[str] = ("localhost", "127.0.0.1")) -> tuple[bytes, bytes]:
        """Return certificate and key as PEM for a server; who trusts ``server_root_pem`` trusts it."""
        names = [_general_name(host) for host in hosts]
        key = _new_authority_key()
        begins = self._now - timedelta(days=1)
        subject = _name(str(names[0].value))
        built = _builder(
            subject,
            key.public_key(),
            self._server_root,
            begins,
            begins + _VALID,
            (x509.SubjectAlternativeName(names), False),
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            (_key_usage(ca=False), True),
        )
        return _pem(built.sign(self._server_key, hashes.SHA256())), _private_pem(key)

    def _authority(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        *,
        issuer: x509.Certificate | None = None,
        by: ec.EllipticCurvePrivateKey | None = None,
    ) -> x509.Certificate:
        """Return an authority's certificate, self-signed without an ``issuer``."""
        begins = self._now - timedelta(days=1)
        ends = begins + _AUTHORITY_LIVES
        is_ca = (x509.BasicConstraints(ca=True, path_length=None), True)
        built = _builder(_name(name), key.public_key(), issuer, begins, ends, is_ca, (_key_usage(ca=True), True))
        return built.sign(by or key, hashes.SHA512())

    def _leaf(
        self,
        number: str,
        organisation: str,
        key: rsa.RSAPublicKey,
        *,
        begins: datetime | None = None,
        ends: datetime | None = None,
    ) -> x509.Certificate:
        """Return a leaf with the extensions of the test bundle, and no others: no KeyUsage, no EKU."""
        begins = begins or self._now - timedelta(days=1)
        policy = x509.CertificatePolicies([x509.PolicyInformation(_POLICY, None)])
        subject, ends = _name(number, organisation), ends or begins + _VALID
        return _builder(subject, key, self._customers, begins, ends, (policy, False)).sign(
            self._customer_key, hashes.SHA512()
        )

    def _note(
        self, leaf: x509.Certificate, number: str, purpose: KeyPurpose, key: rsa.RSAPrivateKey | None
    ) -> IssuedCertificate:
        chain = (self._customers, self._bank)
        made = IssuedCertificate(number=number, purpose=purpose, leaf=leaf, chain=chain, private_key=key)
        with self._lock:
            self._issued.append(made)
        return made


def _builder(
    subject: x509.Name,
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
    issuer: x509.Certificate | None,
    begins: datetime,
    ends: datetime,
    *extensions: tuple[x509.ExtensionType, bool],
) -> x509.CertificateBuilder:
    """Return a certificate to be signed, by itself without an ``issuer``."""
    own = x509.SubjectKeyIdentifier.from_public_key(key)
    above = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value if issuer else own
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key)
        .serial_number(x509.random_serial_number() >> 32)  # 32 hex digits at most, as Swish's
        .not_valid_before(begins)
        .not_valid_after(ends)
    )
    by = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(above)
    for extension, is_critical in (*extensions, (own, False), (by, False)):
        built = built.add_extension(extension, is_critical)
    return built


def _name(common: str, organisation: str = "Emulator") -> x509.Name:
    parts = ((NameOID.COMMON_NAME, common), (NameOID.ORGANIZATION_NAME, organisation), (NameOID.COUNTRY_NAME, "SE"))
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in parts])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


_MAKING: Final = threading.Lock()


@functools.cache
def _lent_key(size: int, _: KeyPurpose) -> rsa.RSAPrivateKey:
    """Return the key that this process lends: signing payouts takes another than TLS."""
    return _new_key(size)


def _new_key(size: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=size)


def _new_authority_key() -> ec.EllipticCurvePrivateKey:
    """Make an authority's key: elliptic and quick, because only the kind of the leaves' keys matters."""
    return ec.generate_private_key(ec.SECP256R1())


_KEYS: Final = re.compile(rb"-----BEGIN [P]RIVATE KEY-----.*?-----END PRIVATE KEY-----\n", re.DOTALL)


def _private_key(pem: bytes) -> object:
    """Return a key that is not encrypted; raises ``ValueError`` if it is none."""
    try:
        return serialization.load_pem_private_key(pem, password=None)
    except (TypeError, UnsupportedAlgorithm) as error:
        message = "this is not a key that an emulator kept"
        raise ValueError(message) from error


def _authority_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = _private_key(pem)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        message = "this is no key of an authority"
        raise ValueError(message)  # noqa: TRY004 - the bytes are wrong, not their type
    return key


def _private_pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def load_pair(context: ssl.SSLContext, certificates_pem: bytes, key_pem: bytes) -> None:
    """Have ``context`` present the certificates: ``ssl`` reads only files, so there is one for a moment."""
    descriptor, name = tempfile.mkstemp(suffix=".pem")  # made with mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key_pem + certificates_pem)
        context.load_cert_chain(name)
    finally:
        Path(name).unlink()


# A payout's signature


@check_arguments(refuse_misuse, any_text=True)
def is_payout_signature(key: rsa.RSAPublicKey, payload: bytes, signature: str) -> bool:
    """Say whether ``signature`` (base64) is Swish's double hash of ``payload``.

    That is RSASSA-PKCS1-v1_5 with SHA-512 over the 64 bytes of SHA-512 over the payload: the digest is
    hashed again. The guide says little about it (MSS user guide 2.0, §11.2); four clients that the simulator
    accepts do it this way. A signature over the payload itself, or over a bare digest, is refused.
    """
    try:
        signed = base64.b64decode(signature, validate=True)
        key.verify(signed, hashlib.sha512(payload).digest(), padding.PKCS1v15(), hashes.SHA512())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


@check_arguments(refuse_misuse, any_text=True)
def sign_payout(key: rsa.RSAPrivateKey, payload: bytes) -> str:
    """Return the signature that ``is_payout_signature`` accepts."""
    signed = key.sign(hashlib.sha512(payload).digest(), padding.PKCS1v15(), hashes.SHA512())
    return base64.b64encode(signed).decode()


def payload_bytes(body: bytes) -> bytes:
    """Return the bytes of the member ``payload`` as they are in ``body``; raises ``ValueError`` if there is none.

    Nothing is re-encoded: key order, spacing and escapes are the sender's.
    """
    text, decoder = body.decode(), json.JSONDecoder()
    place, found = _past(text, 0, "{"), b""
    while True:
        name, place = decoder.raw_decode(text, _skip(text, place))
        start = _skip(text, _past(text, place, ":"))
        _, place = decoder.raw_decode(text, start)
        if name == "payload":
            if found:
                message = "there is more than one payload"
                raise ValueError(message)
            found = text[start:place].encode()
        place = _skip(text, place)
        if text[place : place + 1] != ",":
            break
        place += 1
    if not found:
        message = "there is no payload"
        raise ValueError(message)
    return found


def _skip(text: str, place: int) -> int:
    return place + len(text[place:]) - len(text[place:].lstrip(" \t\r\n"))


def _past(text: str, place: int, mark: str) -> int:
    place = _skip(text, place)
    if text[place : place + 1] != mark:
        message = f"{mark} is missing"
        raise ValueError(message)
    return place + 1
