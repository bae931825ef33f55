"""A certificate authority of the tests' own, and the mistakes it can make."""

from __future__ import annotations

import ipaddress
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = timedelta(days=1)


class Authority:
    """An authority that certifies servers on loopback, and callers."""

    def __init__(self, name: str = "Test authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        usage = x509.KeyUsage(**dict.fromkeys(_USAGES, False) | {"key_cert_sign": True, "crl_sign": True})
        builder = self._builder(self._name, self._key.public_key(), ends=datetime.now(UTC) + _DAY)
        builder = builder.add_extension(constraints, critical=True).add_extension(usage, critical=True)
        self._certificate = builder.sign(self._key, hashes.SHA256())
        self.pem = self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def server(
        self,
        *,
        name: str = "127.0.0.1",
        ends: timedelta = _DAY,
        wants_callers_of: Authority | None = None,
    ) -> ssl.SSLContext:
        """Return a server's side; with ``wants_callers_of`` it accepts only callers whom that authority certified."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._load(context, name, ends)
        if wants_callers_of is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=wants_callers_of.pem)
        return context

    def trusting(self) -> ssl.SSLContext:
        """Return a caller's side that trusts only this authority."""
        return ssl.create_default_context(cadata=self.pem)

    def introduce(self, caller: ssl.SSLContext, name: str) -> None:
        """Give a caller a certificate to show."""
        self._load(caller, name, _DAY)

    def _load(self, context: ssl.SSLContext, name: str, ends: timedelta) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            told: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            told = x509.DNSName(name)
        builder = self._builder(_named(name), key.public_key(), ends=datetime.now(UTC) + ends)
        certificate = builder.add_extension(x509.SubjectAlternativeName([told]), critical=False).sign(
            self._key,
            hashes.SHA256(),
        )
        plain = serialization.NoEncryption()
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        with tempfile.TemporaryDirectory() as folder:
            both = Path(folder) / "both.pem"
            both.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
            context.load_cert_chain(both)

    def _builder(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        *,
        ends: datetime,
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(ends - 3 * _DAY)
            .not_valid_after(ends)
        )


_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
