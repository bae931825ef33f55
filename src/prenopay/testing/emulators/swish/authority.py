"""Certificates as Swish issues them: a root, a bank's two certificate authorities, and the merchants' leaves."""

from __future__ import annotations

import ipaddress
import ssl
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from prenopay.testing.emulators.swish.secrets_to_ssl import load_pair

__all__ = ["IssuedCertificate", "KeyPurpose", "SwishAuthority"]

_POLICY: Final = x509.ObjectIdentifier("1.2.752.237.1.1.1")
"""The certificate policy in every leaf of the public test bundle."""
_VALID: Final = timedelta(days=2 * 365)
"""Merchants renew every second year."""
_EXPONENT: Final = 65537
_AUTHORITY_LIVES: Final = timedelta(days=20 * 365)
_PKCS12_PASSWORD: Final = b"swish"  # the password of every .p12 in the public test bundle


class KeyPurpose(StrEnum):
    """What a merchant orders a certificate for."""

    TLS = "tls"
    SIGNING = "signing"
    """Signs payouts."""


@dataclass(frozen=True, slots=True, kw_only=True)
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
        if self.private_key is None:
            return b""
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        return self.private_key.private_bytes(encoding, form, serialization.NoEncryption())

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


class SwishAuthority:
    """A certificate authority of its own, in memory: nothing it makes is valid anywhere else.

    Keys of one size are made once a process and lent to every number (making 4096 bits takes seconds);
    ``issue(…, own_key=True)`` makes a new one. Nothing stays on disk.
    """

    def __init__(self, *, now: datetime | None = None, bank: str = "Emulatorbanken") -> None:
        """Begin with a root and one bank; everything is valid from a day before ``now``."""
        self._now = now or datetime.now(UTC)
        self._lock = threading.Lock()
        self._issued: list[IssuedCertificate] = []
        root_key, bank_key, self._customer_key = (_new_authority_key() for _ in range(3))
        self._root = self._authority("Swish Root CA v2 Emulator", root_key)
        self._bank = self._authority(f"{bank} Root CA v2 for Swish", bank_key, issuer=self._root, by=root_key)
        customers = f"{bank} Customer CA1 v2 for Swish"
        self._customers = self._authority(customers, self._customer_key, issuer=self._bank, by=bank_key)
        self._server_key = _new_authority_key()
        self._server_root = self._authority("Emulated Public Root", self._server_key)

    @property
    def root_pem(self) -> bytes:
        """The root that merchants' certificates lead to."""
        return _pem(self._root)

    @property
    def server_root_pem(self) -> bytes:
        """The root to trust when calling the emulator: another one, as in truth."""
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
        key = _new_key(key_size) if own_key else _KEYS.leaf(key_size, KeyPurpose(purpose))
        leaf = self._leaf(number, organisation, key.public_key(), begins=not_before, ends=not_after)
        return self._note(leaf, number, KeyPurpose(purpose), key)

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
            # Only the root: a caller who leaves the intermediates out leads nowhere.
            context.load_verify_locations(cadata=self.root_pem.decode())
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def server_pair(self, *, hosts: Iterable[str] = ("localhost", "127.0.0.1")) -> tuple[bytes, bytes]:
        """Return certificate and key as PEM for a server that those who trust ``server_root_pem`` believe."""
        names = [_general_name(host) for host in hosts]
        key = _new_authority_key()
        begins = self._now - timedelta(days=1)
        built = _builder(_name(str(names[0].value)), key.public_key(), self._server_root, begins, begins + _VALID)
        for extension, critical in (
            (x509.SubjectAlternativeName(names), False),
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            (_key_usage(ca=False), True),
            (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
            (_authority_key(self._server_root), False),
        ):
            built = built.add_extension(extension, critical)
        pem = _pem(built.sign(self._server_key, hashes.SHA256()))
        form = serialization.PrivateFormat.PKCS8
        return pem, key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())

    def _authority(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        *,
        issuer: x509.Certificate | None = None,
        by: ec.EllipticCurvePrivateKey | None = None,
    ) -> x509.Certificate:
        """Return an authority's certificate; without an ``issuer`` it is its own."""
        begins = self._now - timedelta(days=1)
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        above = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)
        return (
            _builder(_name(name), key.public_key(), issuer, begins, begins + _AUTHORITY_LIVES)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_key_usage(ca=True), critical=True)
            .add_extension(own, critical=False)
            .add_extension(_authority_key(issuer) if issuer else above, critical=False)
            .sign(by or key, hashes.SHA512())
        )

    def _leaf(
        self,
        number: str,
        organisation: str,
        key: rsa.RSAPublicKey,
        *,
        begins: datetime | None = None,
        ends: datetime | None = None,
    ) -> x509.Certificate:
        """Return a leaf with the extensions of the test bundle's, and no others: no KeyUsage, no EKU."""
        subject = _name(number, organisation)
        begins = begins or self._now - timedelta(days=1)
        built = _builder(subject, key, self._customers, begins, ends or begins + _VALID)
        policy = x509.CertificatePolicies([x509.PolicyInformation(_POLICY, None)])
        return (
            built.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(_authority_key(self._customers), critical=False)
            .add_extension(policy, critical=False)
            .sign(self._customer_key, hashes.SHA512())
        )

    def _note(
        self,
        leaf: x509.Certificate,
        number: str,
        purpose: KeyPurpose,
        key: rsa.RSAPrivateKey | None,
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
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key)
        .serial_number(x509.random_serial_number() >> 32)  # 32 hex digits at most, as Swish's
        .not_valid_before(begins)
        .not_valid_after(ends)
    )


def _name(common: str, organisation: str = "Emulator") -> x509.Name:
    parts = ((NameOID.COMMON_NAME, common), (NameOID.ORGANIZATION_NAME, organisation), (NameOID.COUNTRY_NAME, "SE"))
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in parts])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _authority_key(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


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


class _KeyRing:
    """Keys that were made in this process: many certificates of one test run share one slow key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._leaves: dict[tuple[int, KeyPurpose], rsa.RSAPrivateKey] = {}

    def leaf(self, size: int, purpose: KeyPurpose) -> rsa.RSAPrivateKey:
        """Return the key of this size; what signs payouts has another than what speaks TLS."""
        with self._lock:
            if (size, purpose) not in self._leaves:
                self._leaves[size, purpose] = _new_key(size)
            return self._leaves[size, purpose]


def _new_key(size: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=_EXPONENT, key_size=size)


def _new_authority_key() -> ec.EllipticCurvePrivateKey:
    """Make an authority's key: elliptic and quick, because only the kind of the leaves' keys matters to anybody."""
    return ec.generate_private_key(ec.SECP256R1())


_KEYS: Final = _KeyRing()
