"""``prenopay swish csr``: make a key and a certificate request, to order a certificate in portal.swish.nu."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import Any, Final

from prenopay._hidden import HiddenBytes, raise_alone
from prenopay.cli.output import print_json
from prenopay.errors import ConfigurationError

__all__ = ["add_commands"]

_NUMBER: Final = re.compile(r"[0-9]{10}")
_BITS: Final = 4096
"""Swish accepts no other key size."""
_EXPONENT: Final = 65537
_ORGANISATION_MOST: Final = 64
"""The longest name of an organisation that X.520 allows."""


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add ``swish``."""
    parser = commands.add_parser("swish", help="make certificate requests for Swish")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    csr = actions.add_parser("csr", parents=[shared], help="make a key and a certificate request (RSA 4096)")
    csr.add_argument("--number", required=True, metavar="NUMBER", help="the Swish number, ten digits")
    csr.add_argument("--organisation", required=True, metavar="NUMBER", help="the organisation number")
    csr.add_argument("--out-key", required=True, metavar="FILE", help="the new file for the key; keep it secret")
    csr.add_argument("--out-csr", required=True, metavar="FILE", help="the new file for the request")
    csr.set_defaults(run=_csr)


def _csr(options: argparse.Namespace) -> int:
    """Make both files, or neither."""
    number = options.number.replace(" ", "")
    if not _NUMBER.fullmatch(number):
        message = f"--number must be the ten digits of the Swish number, not {options.number!r}"
        raise ConfigurationError(message)
    if not 0 < len(options.organisation.strip()) <= _ORGANISATION_MOST:
        message = f"--organisation must have 1 to {_ORGANISATION_MOST} characters"
        raise ConfigurationError(message)
    key_file, csr_file = Path(options.out_key), Path(options.out_csr)
    for option, file in (("--out-key", key_file), ("--out-csr", csr_file)):
        if file.exists() or file.is_symlink():
            message = f"{option}: {file} exists already and is left as it is; choose another name"
            raise ConfigurationError(message)
    key, request = _make(number, options.organisation.strip())
    _write("--out-key", key_file, key, mode=0o600)
    try:
        _write("--out-csr", csr_file, request, mode=0o644)
    except ConfigurationError:
        key_file.unlink()
        raise
    if options.json:
        print_json({"key": str(key_file), "csr": str(csr_file), "number": number})
        return 0
    print(f"wrote {key_file} (only you can read it: make a backup, and never send it to anyone) and {csr_file}")
    print("next: log in to portal.swish.nu, order a certificate with the request, and download it as PEM;")
    print("then set certificate to that file and private_key to the key")
    return 0


def _make(number: str, organisation: str) -> tuple[bytes, bytes]:
    """Return key and request as PEM. Swish ignores the subject; it is for people who read the request."""
    from cryptography import x509  # noqa: PLC0415 - no other command needs it
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415 - as above
    from cryptography.x509.oid import NameOID  # noqa: PLC0415 - as above

    key = rsa.generate_private_key(_EXPONENT, _BITS)
    named = ((NameOID.COUNTRY_NAME, "SE"), (NameOID.ORGANIZATION_NAME, organisation), (NameOID.COMMON_NAME, number))
    subject = x509.Name([x509.NameAttribute(kind, value) for kind, value in named])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA512())
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return HiddenBytes(key.private_bytes(pem, form, serialization.NoEncryption())), request.public_bytes(pem)


def _write(option: str, file: Path, content: bytes, *, mode: int) -> None:
    """Create a file with its permissions set before anything is written."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        message = f"{option}: {file} cannot be written: {error.strerror}"
        raise_alone(ConfigurationError(message))
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)
