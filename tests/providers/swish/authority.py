"""A certificate authority of the tests' own: a root, a bank's two authorities, merchants' leaves. Keys are small."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

NUMBER = "1234679304"
TEST_ROOT = "Swish Root CA v2 Test"
PRODUCTION_ROOT = "Swish Root CA v2"

_BEGINS = datetime(2026, 1, 1, tzinfo=UTC)
_ENDS = datetime(2036, 1, 1, tzinfo=UTC)


@functools.cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:  # noqa: ARG001 - what it is remembered by
    """Return the key of ``name``, the same one each time."""
    return rsa.generate_private_key(65537, bits)


@dataclass(frozen=True)
class Issued:
    """A certificate with its chain and key."""

    leaf: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    root: x509.Certificate
    key: rsa.RSAPrivateKey

    @property
    def leaf_pem(self) -> bytes:
        return pem(self.leaf)

    @property
    def chain_pem(self) -> bytes:
        """Leaf and both issuers, as in the file that the portal hands out."""
        return pem(self.leaf, *self.chain)

    @property
    def key_pem(self) -> bytes:
        return key_pem(self.key)

    @property
    def whole_pem(self) -> bytes:
        return self.chain_pem + self.key_pem

    def pkcs12(self, password: bytes | None = b"swish") -> bytes:
        encryption = (
            serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password)
        )
        return pkcs12.serialize_key_and_certificates(b"swish", self.key, self.leaf, self.chain, encryption)

    def old_pkcs12(self) -> bytes:
        """The same as older tools wrote it: 3DES and SHA-1."""
        encryption = (
            serialization.PrivateFormat.PKCS12.encryption_builder()
            .kdf_rounds(2000)
            .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
            .hmac_hash(hashes.SHA1())  # noqa: S303 - that is what they used
            .build(b"swish")
        )
        return pkcs12.serialize_key_and_certificates(b"swish", self.key, self.leaf, self.chain, encryption)


@functools.cache
def issued(number: str = NUMBER, *, root: str = TEST_ROOT, key: str = "merchant", serial: int = 0x0A) -> Issued:
    """Return a merchant's certificate, as a bank's customer authority issues it."""
    root_key, bank_key, customer_key = (rsa_key(f"{each} of {root}") for each in ("root", "bank", "customers"))
    top = certificate(root, root_key, by=(root, root_key))
    bank = certificate("Testbanken Root CA v2 for Swish", bank_key, by=(root, root_key))
    customers = certificate(
        "Testbanken Customer CA1 v2 for Swish", customer_key, by=("Testbanken Root CA v2 for Swish", bank_key)
    )
    leaf = certificate(
        number,
        rsa_key(key),
        by=("Testbanken Customer CA1 v2 for Swish", customer_key),
        is_authority=False,
        serial=serial,
    )
    return Issued(leaf, (customers, bank), top, rsa_key(key))


def certificate(
    name: str,
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    *,
    by: tuple[str, rsa.RSAPrivateKey],
    is_authority: bool = True,
    serial: int | None = None,
    host: str = "",
) -> x509.Certificate:
    """Return a certificate of ``name``, issued ``by`` someone. A leaf has no usage, as Swish's have none."""
    issuer, issuer_key = by
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(_BEGINS)
        .not_valid_after(_ENDS if is_authority else _ENDS - timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if is_authority:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    if host:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


def key_pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    encryption = serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "SE"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "5560000000"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )
