"""Names the ledger gives: sortable payment ids, and gateway references derived from operation ids."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime
from typing import Final

from prenopay.ports import Entropy
from prenopay.provider import ReferenceAlphabet, ReferenceRule

__all__ = ["event_id", "payment_id", "reference"]

_UUID: Final = ReferenceRule(alphabet=ReferenceAlphabet.HEX, length=32)
"""Gateways that take 32 hexadecimal digits want them to be a UUID, of version 5: named by a hash."""
_RANDOM_BYTES: Final = 10
_TIME_BITS: Final = 48
_SIGNS: Final = 26
"""128 bits in base 32."""


def payment_id(now: datetime, entropy: Entropy) -> str:
    """Return a new payment id: sorts by the millisecond it was made in, and cannot be guessed."""
    milliseconds = int(now.timestamp() * 1000) & ((1 << _TIME_BITS) - 1)
    number = (milliseconds << (_RANDOM_BYTES * 8)) | int.from_bytes(entropy.token_bytes(_RANDOM_BYTES))
    return "pay_" + _spell(number, ReferenceAlphabet.CAPITALS_AND_DIGITS.value, _SIGNS).lower()


def event_id(of_payment: str, number: int) -> str:
    """Return the id of a payment's event: the same for every repeat of it."""
    return f"evt_{of_payment.removeprefix('pay_')}_{number}"


def reference(rule: ReferenceRule, account: str, operation_id: str, attempt: int) -> str:
    """Return the gateway's name for an operation, derived so that the same operation has the same.

    ``attempt`` counts up only where a reference is taken already: by another operation whose name
    falls on the same digits, or, for orders nobody can pay any more, after a refusal as duplicate.
    """
    seed = hashlib.sha256(f"prenopay-reference\n{account}\n{operation_id}\n{attempt}".encode()).digest()
    if rule == _UUID:
        return uuid.UUID(bytes=seed[:16], version=5).hex.upper()
    number = int.from_bytes(seed) % len(rule.alphabet.value) ** rule.length
    return _spell(number, rule.alphabet.value, rule.length)


def _spell(number: int, alphabet: str, length: int) -> str:
    signs: list[str] = []
    for _ in range(length):
        number, sign = divmod(number, len(alphabet))
        signs.append(alphabet[sign])
    return "".join(reversed(signs))
