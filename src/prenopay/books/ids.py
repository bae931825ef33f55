"""Names that the books give: sortable ids of subjects, and gateway references derived from operation ids."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime
from typing import Final

from prenopay.ports import Entropy
from prenopay.provider.values import ReferenceAlphabet, ReferenceRule
from prenopay.values.subjects import Subject, SubjectKind

__all__ = ["event_id", "mandate_of", "reference", "subject"]

_UUID: Final = ReferenceRule(alphabet=ReferenceAlphabet.HEX, length=32)
"""Gateways that take 32 hexadecimal digits want them to be a UUID, of version 5: named by a hash."""
_RANDOM_BYTES: Final = 10
_TIME_BITS: Final = 48
_CHARACTERS: Final = 26
"""128 bits in base 32."""


_PREFIXES: Final = {SubjectKind.PAYMENT: "pay", SubjectKind.MANDATE: "man", SubjectKind.PAYOUT: "out"}


def subject(kind: SubjectKind, now: datetime, entropy: Entropy) -> Subject:
    """Return a new subject: its id sorts by the millisecond it was made in, and cannot be guessed."""
    milliseconds = int(now.timestamp() * 1000) & ((1 << _TIME_BITS) - 1)
    number = (milliseconds << (_RANDOM_BYTES * 8)) | int.from_bytes(entropy.token_bytes(_RANDOM_BYTES))
    spelled = _spell(number, ReferenceAlphabet.CAPITALS_AND_DIGITS.value, _CHARACTERS).lower()
    return Subject(kind, f"{_PREFIXES[kind]}_{spelled}")


def mandate_of(payment_id: str, kind: str) -> str:
    """Return the id of the mandate of ``kind`` that is stored with a payment."""
    return f"man_{payment_id.partition('_')[2]}_{kind[0]}"


def event_id(subject_id: str, number: int) -> str:
    """Return the id of a subject's event: the same for every repeat of it."""
    return f"evt_{subject_id}_{number}"


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
    characters: list[str] = []
    for _ in range(length):
        number, place = divmod(number, len(alphabet))
        characters.append(alphabet[place])
    return "".join(reversed(characters))
