"""The merchant's certificate: read, put in order, handed to TLS, and examined for ``prenopay doctor``.

Swish wants the leaf *and* both issuing certificates in the handshake, and drops the connection without an
answer if they are missing (integrators, on the simulator). On Linux nothing is written to disk; elsewhere a
file that only its owner can read exists for the moment in which ``ssl`` reads it.
"""

from __future__ import annotations

import os
import re
import ssl
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import certifi
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from prenopay._hidden import HiddenBytes, raise_alone
from prenopay.errors import ConfigurationError, TransportError
from prenopay.ports import HttpResponse
from prenopay.provider import Environment, Probe
from prenopay.providers.swish.problems import read_refusal

__all__ = [
    "Credentials",
    "client_context",
    "common_name",
    "examine",
    "explain_answer",
    "explain_trouble",
    "load",
    "refuse_other_world",
    "world_of",
]

_ROOT_WORDS: Final = len(["Swish", "Root", "CA", "v2"])
_PEM: Final = b"-----BEGIN "
_KEY: Final = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:.*?-----END [A-Z ]*PRIVATE KEY-----|.*)", re.DOTALL)
_OLD_CIPHERS: Final = {
    bytes.fromhex("2a864886f70d010c0106"): "RC2 with 40 bits",
    bytes.fromhex("2a864886f70d010c0105"): "RC2 with 128 bits",
    bytes.fromhex("2a864886f70d010c0103"): "3DES",
}
"""Object identifiers of the old encryptions of PKCS#12 (RFC 7292, appendix C), which newer OpenSSL turns off."""
_MEMORY_FILES: Final = Path("/proc/self/fd")
"""Where Linux shows files that are only in memory."""
_CONVERT: Final = "convert it with: openssl pkcs12 -legacy -in old.p12 -nodes -out swish.pem"

_BITS: Final = 4096
_SUPPLIER: Final = "987"
"""The numbers of technical suppliers begin with it; they act for merchants that named them at the bank."""
_CHAIN_LEAST: Final = 2

_RENEW: Final = (
    "renew it: make a new key and request with 'prenopay swish csr', order the certificate in portal.swish.nu, "
    "and put both in the settings"
)
_APPEND: Final = (
    "append the two certificates above it (Customer CA, then Root CA of the bank) to the PEM file, in any order: "
    "the file from portal.swish.nu has them; without them Swish drops the connection"
)

_TROUBLES: Final[Sequence[tuple[tuple[str, ...], str, str]]] = (
    (
        ("certificate_verify_failed", "certificate verify failed", "self-signed", "unable to get local issuer"),
        "this machine does not trust the gateway's certificate",
        "update the system's root certificates (or certifi), and for an emulator set trust to its root",
    ),
    (
        ("certificate expired", "certificate_expired"),
        "the gateway says that the certificate has expired",
        _RENEW,
    ),
    (
        ("bad record mac", "bad_record_mac", "connection reset", "connectionreset", "errno 104"),
        "the gateway closed the connection in the handshake, as it does with a certificate of the other environment",
        "check that the certificate belongs to this environment; if it does, that its chain is complete",
    ),
    (
        (
            "handshake failure",
            "handshake_failure",
            "certificate required",
            "unknown ca",
            "unknown_ca",
            "bad certificate",
            "bad_certificate",
            "certificate unknown",
            "certificate_unknown",
            "server disconnected",
        ),
        "the gateway refused the certificate in the handshake",
        "send the leaf with both issuing certificates, of this environment, not revoked in portal.swish.nu",
    ),
    (
        ("name or service not known", "nodename nor servname", "temporary failure in name resolution", "getaddrinfo"),
        "the gateway's name is not found",
        "check this machine's name resolution (DNS)",
    ),
)
"""(words in the transport's error, what they mean, what to do); sources: integrators' reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A leaf, the certificates that issued it (nearest first, without the root) and the leaf's key."""

    leaf: x509.Certificate = field(repr=False)
    chain: tuple[x509.Certificate, ...] = field(repr=False)
    key: rsa.RSAPrivateKey = field(repr=False)

    @property
    def number(self) -> str:
        """The Swish number of the certificate, which is its common name."""
        return common_name(self.leaf.subject)

    @property
    def serial(self) -> str:
        """The serial as payouts write it: 32 upper-case hex digits with leading zeros (MSS guide, section 11.1)."""
        return f"{self.leaf.serial_number:032X}"

    @property
    def expires_at(self) -> datetime:
        """When it stops working."""
        return self.leaf.not_valid_after_utc

    def pem(self) -> bytes:
        """Return leaf, chain and key, as ``ssl`` reads them."""
        key = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in (self.leaf, *self.chain)) + key


def load(where: str, certificate: bytes, private_key: bytes, password: bytes | None, *, key: str) -> Credentials:
    """Read credentials; each ``ConfigurationError`` begins with ``where``, ``key`` is the setting of the private key.

    The order of the certificates in a file does not matter: the key belongs to the leaf.
    """
    if certificate.lstrip().startswith(_PEM) or _PEM in certificate:
        listed = _certificates(where, certificate)
        private = _key(where, private_key or certificate, password)
    else:
        private, listed = _pkcs12(where, certificate, password)
        if private_key:
            private = _key(where, private_key, password)
    if private is None:
        message = f"{where}: there is no private key with the certificate; set {key} to the PEM file that holds it"
        raise ConfigurationError(message)
    if not isinstance(private, rsa.RSAPrivateKey):
        message = f"{where}: the private key is not RSA; Swish takes RSA with 4096 bits only"
        raise ConfigurationError(message)
    numbers = private.public_key().public_numbers()
    leaf = next((each for each in listed if _numbers(each) == numbers), None)
    if leaf is None:
        names = ", ".join(common_name(each.subject) or "no name" for each in listed)
        message = (
            f"{where}: the private key does not belong to the certificate ({names}); use the key of the "
            "request for this certificate, or make a new request and order a new certificate"
        )
        raise ConfigurationError(message)
    return Credentials(leaf=leaf, chain=_in_order(leaf, listed), key=private)


def client_context(where: str, credentials: Credentials, trust: bytes) -> ssl.SSLContext:
    """Return a context that presents ``credentials`` and trusts the system's roots, and those in ``trust``.

    TLS 1.2 or later: the guide of 2023 says that 1.3 is not supported, others that 1.2 is the minimum, so
    neither is forced. The gateway's roots are public: clients that pinned them broke when they changed.
    """
    paths = ssl.get_default_verify_paths()
    has_system_trust = any(path and Path(path).exists() for path in (paths.cafile, paths.capath))
    context = ssl.create_default_context(cafile=None if has_system_trust else certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if trust:
        try:
            context.load_verify_locations(cadata=trust.decode("ascii"))
        except (ssl.SSLError, ValueError) as error:
            message = f"{where}: trust: must hold root certificates as PEM ({type(error).__name__})"
            raise_alone(ConfigurationError(message))
    try:
        _show(context, credentials.pem())
    except ssl.SSLError as error:
        message = f"{where}: certificate: OpenSSL does not take it ({error.reason}); order one with RSA 4096"
        raise_alone(ConfigurationError(message))
    return context


def refuse_other_world(where: str, credentials: Credentials, environment: Environment) -> None:
    """Raise ``ConfigurationError`` for a test certificate in production, and for the opposite."""
    world = world_of(credentials)
    if world is None or world is environment:
        return
    message = (
        f"{where}: this is a certificate of Swish's {world} environment, the account's environment is {environment}; "
        + (
            "order one in portal.swish.nu"
            if environment is Environment.PRODUCTION
            else "use one of the public test bundle from developer.swish.nu"
        )
    )
    raise ConfigurationError(message)


def world_of(credentials: Credentials) -> Environment | None:
    """Return a certificate's environment, from the root of its chain; ``None`` if that does not show it.

    The test bundle's root is called "Swish Root CA v2 Test"; the name of the other one has no "Test".
    """
    top = credentials.chain[-1] if credentials.chain else credentials.leaf
    words = common_name(top.issuer).lower().split()
    if words[:3] != ["swish", "root", "ca"]:
        return None
    if "test" in words:
        return Environment.TEST
    return Environment.PRODUCTION if len(words) <= _ROOT_WORDS else None


def common_name(name: x509.Name) -> str:
    """Return the common name in a subject or issuer, or an empty text."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def _certificates(where: str, pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except (ValueError, x509.InvalidVersion):
        message = f"{where}: holds no readable certificate (-----BEGIN CERTIFICATE-----); was it cut short?"
        raise_alone(ConfigurationError(message))


def _key(where: str, pem: bytes, password: bytes | None) -> object | None:
    """Return the key in ``pem``, or ``None`` if there is none."""
    block = HiddenBytes(next((found[0] for found in _KEY.finditer(pem)), b""))
    if not block:
        return None
    is_encrypted = block.find(b"ENCRYPTED") >= 0
    if is_encrypted and password is None:
        message = f"{where}: the private key is encrypted; set its password"
        raise ConfigurationError(message)
    try:
        return serialization.load_pem_private_key(block, password if is_encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        why = "the password does not open it" if is_encrypted else "was it cut short?"
        message = f"{where}: the private key cannot be read; {why}"
        raise_alone(ConfigurationError(message))


def _pkcs12(where: str, body: bytes, password: bytes | None) -> tuple[object | None, list[x509.Certificate]]:
    try:
        key, leaf, others = pkcs12.load_key_and_certificates(body, password)
    except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm):
        old = next((name for identifier, name in _OLD_CIPHERS.items() if identifier in body), None)
        if old is not None:
            message = (
                f"{where}: this PKCS#12 is encrypted with {old}, which newer OpenSSL has turned off, "
                f"or the password is wrong; {_CONVERT}"
            )
        elif not body.startswith(b"\x30"):
            message = f"{where}: is neither PEM (-----BEGIN …) nor PKCS#12; is it the right file?"
        else:
            message = f"{where}: this PKCS#12 cannot be read; check its password (the test bundle's is 'swish')"
        raise_alone(ConfigurationError(message))
    listed = ([leaf] if leaf is not None else []) + list(others)
    if not listed:
        message = f"{where}: this PKCS#12 holds no certificate"
        raise ConfigurationError(message)
    return key, listed


def _numbers(certificate: x509.Certificate) -> object:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key.public_numbers() if isinstance(key, rsa.RSAPublicKey) else None


def _in_order(leaf: x509.Certificate, listed: Sequence[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """Return the issuer of the leaf, the issuer of that, and so on, as far as they are given; without the root."""
    chain: list[x509.Certificate] = []
    below = leaf
    while True:
        above = next((each for each in listed if each not in (leaf, *chain) and _issued(each, below)), None)
        if above is None or above.subject == above.issuer:
            return tuple(chain)
        chain.append(above)
        below = above


def _issued(above: x509.Certificate, below: x509.Certificate) -> bool:
    try:
        below.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _show(context: ssl.SSLContext, pem: bytes) -> None:
    """Give ``pem`` to ``ssl``, which reads only files: a file in memory, or one that is deleted at once."""
    if sys.platform == "linux" and _MEMORY_FILES.exists():
        descriptor = os.memfd_create("prenopay", os.MFD_CLOEXEC)
        with os.fdopen(descriptor, "wb") as memory:
            memory.write(pem)
            memory.flush()
            context.load_cert_chain(_MEMORY_FILES / str(descriptor))
        return
    descriptor, name = tempfile.mkstemp(suffix=".pem")  # made with mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
        context.load_cert_chain(name)
    finally:
        Path(name).unlink()


# For prenopay doctor


def examine(credentials: Credentials, number: str, *, what: str, is_shown: bool) -> tuple[Probe, ...]:
    """Examine a certificate; each finding's name begins with ``what``. A certificate for signing needs no chain."""
    leaf, chain = credentials.leaf, credentials.chain
    issuer = common_name(leaf.issuer)
    validity = Probe(
        name=what,
        ok=True,
        found=f"issued by {issuer}, serial {credentials.serial}, valid to {credentials.expires_at:%Y-%m-%d}",
        fix=_RENEW,
        expires_at=credentials.expires_at,
    )
    bits = credentials.key.key_size
    size = Probe(
        name=f"{what}: key",
        ok=bits >= _BITS,
        found=f"RSA with {bits} bits",
        fix="" if bits >= _BITS else f"Swish wants RSA with {_BITS} bits: make a new key with 'prenopay swish csr'",
    )
    if not is_shown:
        return (validity, _number(credentials, number, what), size)
    names = ", ".join(common_name(each.subject) for each in chain) or "none"
    complete = len(chain) >= _CHAIN_LEAST
    above = Probe(
        name=f"{what}: chain",
        ok=complete,
        found=f"{len(chain)} issuing certificates: {names}",
        fix="" if complete else _APPEND,
    )
    return (validity, _number(credentials, number, what), size, above)


def explain_answer(answer: HttpResponse) -> Probe:
    """Say what the answer about a payment that cannot exist shows: a 404 proves certificate and enrolment."""
    name = "credentials"
    if answer.status == 404:  # noqa: PLR2004 - Not Found
        return Probe(name=name, ok=True, found="the gateway knows the certificate and the number")
    found = f"the gateway answered {answer.status}"
    if 200 <= answer.status < 300:  # noqa: PLR2004 - success
        return Probe(name=name, ok=False, found=f"{found} about a payment that cannot exist", fix="check base_url")
    error = read_refusal(answer, "probe").error()
    said = "; ".join(text for _, text in error.problems)
    return Probe(name=name, ok=False, found=f"{found}: {said}" if said else found, fix=error.advice)


def explain_trouble(error: TransportError) -> Probe:
    """Say what a failed connection most likely means."""
    text = str(error).lower()
    for words, found, fix in _TROUBLES:
        if any(word in text for word in words):
            return Probe(name="connection", ok=False, found=f"{found} ({error})", fix=fix)
    fix = "check that this machine may reach the gateway on port 443; a refused certificate can also look like this"
    return Probe(name="connection", ok=False, found=str(error), fix=fix)


def _number(credentials: Credentials, number: str, what: str) -> Probe:
    theirs = credentials.number
    if theirs == number:
        return Probe(name=f"{what}: number", ok=True, found=f"for {theirs}")
    if theirs.startswith(_SUPPLIER):
        found = f"of the technical supplier {theirs}, which must be named for {number} at its bank"
        return Probe(name=f"{what}: number", ok=True, found=found)
    fix = f"set number to {theirs}, or use the certificate of {number}" if theirs else "use another certificate"
    return Probe(
        name=f"{what}: number", ok=False, found=f"for {theirs or 'no number'}, the account is {number}", fix=fix
    )
