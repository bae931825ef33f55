"""Names that the books make: sortable ids of subjects, and gateway references derived from operation ids."""

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
"""Gateways that take 32 hexadecimal digits want a UUID. Version 5 says that it was made from a hash."""
_RANDOM_BYTES: Final = 10
_MOMENT: Final = 6
"""Characters of an event's id that name its moment."""
_TIME_BITS: Final = 48
_CHARACTERS: Final = 26
"""128 bits in base 32."""


_PREFIXES: Final = {SubjectKind.PAYMENT: "pay", SubjectKind.MANDATE: "man", SubjectKind.PAYOUT: "out"}


def subject(kind: SubjectKind, now: datetime, entropy: Entropy) -> Subject:
    """Return a new subject. Its id sorts by the millisecond in which it was made, and cannot be guessed."""
    milliseconds = int(now.timestamp() * 1000) & ((1 << _TIME_BITS) - 1)
    number = (milliseconds << (_RANDOM_BYTES * 8)) | int.from_bytes(entropy.token_bytes(_RANDOM_BYTES))
    spelled = _spell(number, ReferenceAlphabet.CAPITALS_AND_DIGITS.value, _CHARACTERS).lower()
    return Subject(kind, f"{_PREFIXES[kind]}_{spelled}")


def mandate_of(payment_id: str, kind: str) -> str:
    """Return the id of the mandate of ``kind`` that a payment stores."""
    return f"man_{payment_id.partition('_')[2]}_{kind[0]}"


def event_id(subject_id: str, number: int, now: datetime) -> str:
    """Return the id of a subject's event. It is stored, so it is the same at each delivery.

    Books that were restored from a backup count from there again. So the id names the moment, too: what happens then
    never has the id of an event that a handler may have seen.
    """
    moment = hashlib.sha256(f"{subject_id}\n{number}\n{now.isoformat()}".encode()).hexdigest()[:_MOMENT]
    return f"evt_{subject_id}_{number}_{moment}"


def reference(rule: ReferenceRule, world: str, account: str, operation_id: str, attempt: int) -> str:
    """Return the gateway's name for an operation. The same operation always has the same name.

    ``world`` separates databases and merchants: two of them may use the same names of accounts and operations at one
    gateway.

    ``attempt`` rises only if a reference is taken. Either another operation's name gives the same digits, or the
    gateway refused a create as a duplicate, and nobody can pay that order any more.
    """
    seed = hashlib.sha256(f"prenopay-reference\n{world}\n{account}\n{operation_id}\n{attempt}".encode()).digest()
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
