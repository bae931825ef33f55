"""Tokens at rest: sealed under the host's keys, so that a copy of the database alone charges nobody."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from prenopay._redaction import Secret
from prenopay.errors import ConfigurationError
from prenopay.values.mandates import MethodSeen

__all__ = ["Sealed", "Vault", "fingerprint", "seal"]

_KEY_LEAST = 32


class Vault:
    """Seals and opens tokens (Fernet: AES-128-CBC with HMAC-SHA256). The first key seals, all open."""

    def __init__(self, keys: Sequence[Secret | str]) -> None:
        """Take the host's keys, newest first; without any, nothing can be sealed. Raises ``ConfigurationError``."""
        if isinstance(keys, str | Secret):
            message = "token_keys is a list of keys, newest first: put brackets around the one there is"
            raise ConfigurationError(message)
        secrets = [key if isinstance(key, Secret) else Secret(key) for key in keys]
        for key in secrets:
            if len(key.reveal()) < _KEY_LEAST:
                message = f"every token key must have at least {_KEY_LEAST} signs"
                raise ConfigurationError(message)
        self._fernet = MultiFernet([Fernet(_derived(key)) for key in secrets]) if secrets else None

    @property
    def is_open(self) -> bool:
        """Whether there is a key."""
        return self._fernet is not None

    def require(self) -> None:
        """Raise ``ConfigurationError`` unless there is a key."""
        self._keys()

    def seal(self, token: Secret) -> bytes:
        """Return ``token`` sealed under the newest key."""
        return self._keys().encrypt(token.reveal().encode())

    def unseal(self, sealed: bytes) -> Secret:
        """Return the token; raises ``ConfigurationError`` when none of the keys fits."""
        try:
            return Secret(self._keys().decrypt(sealed).decode())
        except InvalidToken as error:
            message = "token_keys: none of them opens a stored token; put the key it was sealed with back in the list"
            raise ConfigurationError(message) from error

    def reseal(self, sealed: bytes) -> bytes:
        """Return the token sealed under the newest key instead of the one it is under."""
        return self.seal(self.unseal(sealed))

    def _keys(self) -> MultiFernet:
        if self._fernet is None:
            message = (
                "token_keys must hold at least one key before methods can be stored; make one with: "
                "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
            )
            raise ConfigurationError(message)
        return self._fernet


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A method that the gateway shows, its token sealed already."""

    method: MethodSeen
    fingerprint: str
    sealed: bytes = field(repr=False)


def seal(vault: Vault, account: str, methods: Sequence[MethodSeen]) -> tuple[Sealed, ...]:
    """Return ``methods`` with their tokens sealed, ready to be written down; nothing where there is no key."""
    if not vault.is_open:
        return ()
    return tuple(
        Sealed(method=each, fingerprint=fingerprint(account, each.token), sealed=vault.seal(each.token))
        for each in methods
    )


def fingerprint(account: str, token: Secret) -> str:
    """Return what tells two tokens apart without holding them: tokens are too random to be guessed back."""
    return hashlib.sha256(f"prenopay-token\n{account}\n{token.reveal()}".encode()).hexdigest()


def _derived(key: Secret) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(f"prenopay-token-key\n{key.reveal()}".encode()).digest())
