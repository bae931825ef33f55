"""Stored tokens, sealed under the host's keys: a copy of the database alone cannot charge anybody."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from prenopay._hidden import HidesArguments, raise_alone
from prenopay._keys import MAKE_ONE, host_keys, published
from prenopay._redaction import Secret
from prenopay.errors import ConfigurationError
from prenopay.values.mandates import MethodSeen

__all__ = ["Sealed", "Vault", "fingerprint", "seal"]


class Vault(metaclass=HidesArguments):
    """Seals and opens tokens (Fernet: AES-128-CBC with HMAC-SHA256). The first key seals, all of them open."""

    def __init__(self, keys: Sequence[Secret | str]) -> None:
        """Take the host's keys, newest first; without a key nothing can be sealed. Raises ``ConfigurationError``."""
        secrets = host_keys("token_keys", keys)
        self._keys_are_published = published(secrets)
        self._fernet = MultiFernet([Fernet(_derived(key)) for key in secrets]) if secrets else None

    @property
    def is_open(self) -> bool:
        """Whether there is a key."""
        return self._fernet is not None

    def require_production(self) -> None:
        """Raise ``ConfigurationError`` if one of the keys seals nothing, because everybody knows it."""
        if self._keys_are_published:
            message = f"token_keys holds a key of prenopay's docs or tests, which everybody knows; {MAKE_ONE}"
            raise ConfigurationError(message)

    def require(self) -> None:
        """Raise ``ConfigurationError`` unless there is a key."""
        self._keys()

    def seal(self, token: Secret) -> bytes:
        """Return ``token`` sealed under the newest key."""
        return self._keys().encrypt(token.reveal().encode())

    def unseal(self, sealed: bytes) -> Secret:
        """Return the token; raises ``ConfigurationError`` if none of the keys opens it."""
        try:
            return Secret(self._keys().decrypt(sealed).decode())
        except InvalidToken:
            message = "token_keys: no key opens a stored token; put the key that sealed it back in the list"
            raise_alone(ConfigurationError(message))

    def reseal(self, sealed: bytes) -> bytes:
        """Return the token, sealed again under the newest key."""
        return self.seal(self.unseal(sealed))

    def _keys(self) -> MultiFernet:
        if self._fernet is None:
            message = f"token_keys must hold at least one key before methods can be stored; {MAKE_ONE}"
            raise ConfigurationError(message)
        return self._fernet


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A method that the gateway shows, with its token sealed."""

    method: MethodSeen
    fingerprint: str
    sealed: bytes = field(repr=False)


def seal(vault: Vault, account: str, methods: Sequence[MethodSeen]) -> tuple[Sealed, ...]:
    """Return ``methods`` with their tokens sealed, ready to be stored; empty if there is no key."""
    if not vault.is_open:
        return ()
    return tuple(
        Sealed(method=each, fingerprint=fingerprint(account, each.token), sealed=vault.seal(each.token))
        for each in methods
    )


def fingerprint(account: str, token: Secret) -> str:
    """Return a hash that distinguishes tokens and does not reveal them: tokens are too random to be guessed from it."""
    return hashlib.sha256(f"prenopay-token\n{account}\n{token.reveal()}".encode()).hexdigest()


def _derived(key: Secret) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(f"prenopay-token-key\n{key.reveal()}".encode()).digest())
