"""The settings of one agreement with Swish: which number, whose certificate, which environment.

Certificates and keys come as hosts have them (bytes, PEM text, files, the environment), and are read here into
bytes; ``certificates`` knows what is in them.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias, TypeGuard, TypeVar
from urllib.parse import urlsplit

from prenopay._arguments import check_arguments, refuse_setting
from prenopay._hidden import HiddenBytes, HiddenText, hide, raise_alone
from prenopay._text import quoted
from prenopay.errors import ConfigurationError
from prenopay.provider import Environment, HttpProviderConfig, Inspection, Secret

if TYPE_CHECKING:
    import ssl

    from prenopay.providers.swish.certificates import Credentials

__all__ = ["KeyMaterial", "SwishAccount"]

ProviderT_co = TypeVar("ProviderT_co", covariant=True)

KeyMaterial: TypeAlias = Secret | bytes | str | Path
"""PEM or PKCS#12 itself, or where it is: a ``Path``, ``file:path``, ``env:NAME``.

PKCS#12 in an environment variable or a ``Secret`` is written in base 64.
"""

_QR_HOST: Final = "mpc.getswish.net"
"""Draws QR codes for both environments: the simulator has no service of its own (integrators)."""
_QR_PATH: Final = "/qrg-swish/api/v1"
_NUMBER: Final = re.compile(r"123[0-9]{7}")
_PEM: Final = b"-----BEGIN "
_PATH_MOST: Final = 500
"""A longer text is no path: a key, perhaps, which no error may repeat."""
_SIZE_MOST: Final = 256 * 1024
"""A leaf, its chain and a 4096-bit key have some 12 kB; a larger file is something else."""


@check_arguments(refuse_setting)
@dataclass(frozen=True, slots=True, kw_only=True)
class SwishAccount(HttpProviderConfig[ProviderT_co]):
    """The settings of an account with Swish Handel; see ``HttpProviderConfig`` for those that every gateway has.

    ``number`` is the merchant's Swish number, ``certificate`` what portal.swish.nu issued for it: PEM (with the
    issuing certificates, and the key if it is in the same file) or PKCS#12, as bytes, as text, as a ``Path``,
    or as ``env:NAME`` or ``file:path``. ``private_key`` is the PEM key if it is in another file, ``password``
    protects key or PKCS#12. ``signing_…`` is the pair that signs payouts, if it is another one.

    ``clean_texts`` removes characters that Swish does not take from texts; otherwise such an order is refused.
    ``qr_url`` and ``trust`` (more root certificates, PEM) point a test account at an emulator or at the sandbox,
    with ``base_url``; production accounts cannot be pointed elsewhere. ``recurring`` turns on standing
    consents, which are experimental.
    """

    GATEWAY_HOSTS: ClassVar[Mapping[Environment, tuple[str, ...]]] = {
        Environment.TEST: ("mss.cpc.getswish.net",),
        Environment.PRODUCTION: ("cpc.getswish.net",),
    }

    number: str
    certificate: KeyMaterial = field(repr=False)
    private_key: KeyMaterial = field(default="", repr=False)
    password: Secret | str = field(default="", repr=False)
    signing_certificate: KeyMaterial = field(default="", repr=False)
    signing_key: KeyMaterial = field(default="", repr=False)
    signing_password: Secret | str = field(default="", repr=False)
    payouts_without_personal_number: bool = False
    qr_url: str = ""
    trust: KeyMaterial = field(default="", repr=False)
    clean_texts: bool = False
    recurring: bool = False

    def __post_init__(self) -> None:
        """Refuse settings that cannot work; the error names the key and the fix. Certificates are read when used."""
        super(SwishAccount, self).__post_init__()  # a class with slots is a new class, which super() misses
        hide(self, "certificate", "private_key", "password", "signing_certificate", "signing_key", "signing_password")
        why = "number must be the merchant's Swish number, ten digits that begin with 123 and no spaces, not "
        self._require(bool(_NUMBER.fullmatch(self.number)), f"{why}{quoted(self.number)}")
        why = f"certificate is empty; it is what portal.swish.nu issued for {self.number}"
        self._require(bool(self.certificate), why)
        is_pair = not self.signing_key or bool(self.signing_certificate)
        self._require(is_pair, "signing_key needs signing_certificate too")
        self._check_url("qr_url", self.qr_url, (_QR_HOST,))
        trusts_others = bool(self.trust) and self.environment is Environment.PRODUCTION
        self._require(not trusts_others, "trust: a production account trusts public roots only; leave it out")

    @property
    def qr_api_url(self) -> str:
        """Where QR codes are drawn, without a slash at the end."""
        if self.qr_url:
            return self.qr_url.rstrip("/")
        return (f"https://{_QR_HOST}" if self._is_at_swish else self.api_url) + _QR_PATH

    @property
    def hosts(self) -> frozenset[str]:
        """The only hosts that requests may go to."""
        return frozenset(urlsplit(url).netloc.lower() for url in (self.api_url, self.qr_api_url))

    def credentials(self) -> Credentials:
        """Read certificate and key; raises ``ConfigurationError`` that says what is wrong with them."""
        return self._load("certificate", self.certificate, "private_key", self.private_key, self.password)

    def signing_credentials(self) -> Credentials:
        """Read the pair that signs payouts: its own if one is set, else the one for TLS."""
        if not self.signing_certificate:
            return self.credentials()
        return self._load(
            "signing_certificate", self.signing_certificate, "signing_key", self.signing_key, self.signing_password
        )

    def tls(self) -> ssl.SSLContext:
        """Return a context that presents the certificate with its chain; raises ``ConfigurationError``."""
        from prenopay.providers.swish.certificates import client_context  # noqa: PLC0415 - loads cryptography

        trust = self._material("trust", self.trust) if self.trust else b""
        return client_context(self._where, self.credentials(), trust)

    @classmethod
    def inspect(cls, body: bytes) -> Inspection:
        """Say how a stored payment, refund, payout, callback or error body is read; raises ``ValueError``."""
        from prenopay.providers.swish.inspection import inspect  # noqa: PLC0415 - loads pydantic

        return inspect(body)

    def secret_files(self) -> tuple[Path, ...]:
        """Return the files with keys and passwords. A certificate counts if its file holds the key too."""
        passwords = (
            each for each in (self.password, self.signing_password) if isinstance(each, str) and each[:5] == "file:"
        )
        keys = (each for each in (self.private_key, self.signing_key) if _is_file(each))
        certificates = (("certificate", self.certificate), ("signing_certificate", self.signing_certificate))
        both = (each for key, each in certificates if _is_file(each) and _holds_key(self._material(key, each)))
        return tuple(_path(each) for each in (*keys, *both, *passwords))

    @property
    def _is_at_swish(self) -> bool:
        """Whether the account calls one of Swish's own environments, and not an emulator or the sandbox."""
        return any(urlsplit(self.api_url).hostname in hosts for hosts in self.GATEWAY_HOSTS.values())

    def _load(
        self, name: str, certificate: KeyMaterial, key_name: str, key: KeyMaterial, password: Secret | str
    ) -> Credentials:
        from prenopay.providers.swish.certificates import load, refuse_other_world  # noqa: PLC0415 - loads cryptography

        where = f"{self._where}: {name}"
        password_name = "signing_password" if name.startswith("signing") else "password"
        credentials = load(
            where,
            self._material(name, certificate),
            self._material(key_name, key) if key else HiddenBytes(),
            self._password(password_name, password),
            key=key_name,
        )
        if self._is_at_swish:
            refuse_other_world(where, credentials, self.environment)
        return credentials

    def _material(self, key: str, given: KeyMaterial) -> HiddenBytes:
        """Return the bytes that ``given`` is or points at."""
        match given:
            case bytes():
                return HiddenBytes(given)
            case Secret():
                return self._decoded(key, HiddenText(given.reveal()))
            case str() if _PEM.decode() in given:
                return HiddenBytes(given.encode())
            case str() if given.startswith("env:"):
                return self._decoded(key, self._variable(key, given.removeprefix("env:")))
            case str() | Path():
                why = f"{key}: is neither PEM nor a path; PKCS#12 in base 64 is a Secret, or in the environment"
                self._require(_is_file(given), why)
                return self._file(key, _path(given))

    def _password(self, key: str, given: Secret | str) -> HiddenBytes | None:
        """Return a password, or ``None`` if none is given."""
        if isinstance(given, Secret):
            return HiddenBytes(given.reveal().encode())
        kind, _, name = given.partition(":")
        if kind == "env":
            return HiddenBytes(self._variable(key, name).encode())
        if kind == "file":
            return HiddenBytes(self._file(key, Path(name)).strip())
        return HiddenBytes(given.encode()) or None

    def _variable(self, key: str, name: str) -> HiddenText:
        found = HiddenText(os.environ.get(name, ""))
        self._require(bool(found), f"{key}: the environment has no {name}")
        return found

    def _file(self, key: str, path: Path) -> HiddenBytes:
        try:
            with path.open("rb") as file:
                found = HiddenBytes(file.read(_SIZE_MOST + 1))
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "is not a file's name"
            message = f"{self._where}: {key}: {quoted(str(path))} cannot be read: {why}"
            raise_alone(ConfigurationError(message))
        why = "empty" if not found else "too large to be a certificate or key"
        self._require(0 < len(found) <= _SIZE_MOST, f"{key}: {path} is {why}")
        return found

    def _decoded(self, key: str, text: HiddenText) -> HiddenBytes:
        """Return PEM, with line ends again if it was written on one line, or what base 64 encodes."""
        if _PEM.decode() in text:
            return HiddenBytes(text.replace("\\n", "\n").encode())
        try:
            return HiddenBytes(base64.b64decode("".join(text.split()), validate=True))
        except (binascii.Error, ValueError):
            message = f"{self._where}: {key}: is neither PEM (-----BEGIN …) nor PKCS#12 in base 64"
            raise_alone(ConfigurationError(message))


def _is_file(given: KeyMaterial) -> TypeGuard[str | Path]:
    """Whether key material is a file's name, and not the material itself or the name of a variable."""
    if not isinstance(given, str):
        return isinstance(given, Path)
    return 0 < len(given) <= _PATH_MOST and _PEM.decode() not in given and not given.startswith("env:")


def _path(given: str | Path) -> Path:
    return Path(given.removeprefix("file:")) if isinstance(given, str) else given


def _holds_key(material: bytes) -> bool:
    """Whether the bytes are PKCS#12, or PEM with a private key."""
    return _PEM not in material or b"PRIVATE KEY-----" in material
