"""Keys and certificates as hosts have them (bytes, PEM text, files, the environment), read into bytes."""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path
from typing import Final, TypeAlias

from prenopay.errors import ConfigurationError
from prenopay.provider import Secret

__all__ = ["KeyMaterial", "read_material", "read_secret"]

KeyMaterial: TypeAlias = Secret | bytes | str | Path
"""PEM or PKCS#12 itself, or where it is: a ``Path``, ``file:path``, ``env:NAME``.

PKCS#12 in an environment variable or a ``Secret`` is written in base 64.
"""

_PEM: Final = b"-----BEGIN "
_SIZE_MOST: Final = 256 * 1024
"""A leaf, its chain and a 4096-bit key are some 12 kB; a file beyond this is another one."""


def read_material(where: str, key: str, given: KeyMaterial) -> bytes:
    """Return the bytes that ``given`` is or leads to; raises ``ConfigurationError`` naming ``key``."""
    match given:
        case bytes():
            return given
        case Secret():
            return _decoded(where, key, given.reveal())
        case Path():
            return _file(where, key, given)
        case str() if _PEM.decode() in given:
            return given.encode()
        case str():
            kind, _, name = given.partition(":")
            if kind == "env":
                return _decoded(where, key, _environment(where, key, name))
            return _file(where, key, Path(name if kind == "file" else given))


def read_secret(where: str, key: str, given: Secret | str) -> bytes | None:
    """Return a password, or ``None`` where none is given."""
    if isinstance(given, Secret):
        return given.reveal().encode()
    kind, _, name = given.partition(":")
    if kind == "env":
        return _environment(where, key, name).encode()
    if kind == "file":
        return _file(where, key, Path(name)).strip()
    return given.encode() or None


def _environment(where: str, key: str, name: str) -> str:
    found = os.environ.get(name, "")
    if not found:
        message = f"{where}: {key}: the environment has no {name}"
        raise ConfigurationError(message)
    return found


def _file(where: str, key: str, path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            found = file.read(_SIZE_MOST + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "is not a file's name"
        message = f"{where}: {key}: {str(path)[:200]!r} cannot be read: {why}"
        raise ConfigurationError(message) from None
    if not 0 < len(found) <= _SIZE_MOST:
        message = f"{where}: {key}: {path} is {'empty' if not found else 'too large to be a certificate or key'}"
        raise ConfigurationError(message)
    return found


def _decoded(where: str, key: str, text: str) -> bytes:
    """Return PEM as it is; what was put on one line gets its line ends back, and base 64 becomes bytes."""
    if _PEM.decode() in text:
        return text.replace("\\n", "\n").encode()
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        message = f"{where}: {key}: is neither PEM (-----BEGIN …) nor PKCS#12 in base 64"
        raise ConfigurationError(message) from None
