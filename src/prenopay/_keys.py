"""Keys that hosts make: long enough, not typed by hand, and not one that everybody can read in prenopay's docs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from prenopay._arguments import fitted, refuse_setting
from prenopay._redaction import Secret
from prenopay.errors import ConfigurationError

__all__ = ["MAKE_ONE", "PUBLISHED", "host_keys", "published"]

MAKE_ONE: Final = "make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"

_LENGTH_LEAST: Final = 32
_DIFFERENT_LEAST: Final = 8
"""A random key of 32 hexadecimal digits has fewer different ones once in a hundred million times."""

PUBLISHED: Final = frozenset(
    {
        "a-long-random-text-from-your-secret-store",
        "another-long-random-text-from-your-secret-store",
        "a-key-that-signs-addresses-in-tests",
        "a-key-that-seals-tokens-in-tests-only",
        "a-key-that-signs-addresses-in-the-suite",
        "a-key-that-seals-tokens-in-the-suite-only",
        "a-key-for-the-simulation-that-is-long-enough",
        "a-key-that-seals-tokens-for-the-simulation",
    }
)
"""The keys of the docs and of ``prenopay.testing``. They are for emulators: a production account refuses them."""


def host_keys(name: str, keys: Sequence[Secret | str]) -> tuple[Secret, ...]:
    """Return the keys of the setting ``name``; raises ``ConfigurationError`` for one that can be guessed."""
    if isinstance(keys, str | Secret):
        message = f"{name} is a list of keys, newest first: put brackets around the one there is"
        raise ConfigurationError(message)
    secrets: tuple[Secret, ...] = fitted(name, keys, Sequence[Secret], refuse_setting)
    for number, key in enumerate(secrets):
        if why := _why_guessable(key.reveal()):
            message = f"{name}[{number}] {why}; {MAKE_ONE}"
            raise ConfigurationError(message)
    return secrets


def published(keys: Sequence[Secret]) -> bool:
    """Whether one of the keys is written in prenopay's docs or code, so that everybody knows it."""
    return any(key.reveal() in PUBLISHED for key in keys)


def _why_guessable(key: str) -> str:
    if len(key) < _LENGTH_LEAST:
        return f"must have at least {_LENGTH_LEAST} characters"
    if len(set(key)) < _DIFFERENT_LEAST:
        return f"has only {len(set(key))} different characters, so it can be guessed"
    if key in (key + key)[1:-1]:
        return "repeats one piece again and again, so it can be guessed"
    return ""
