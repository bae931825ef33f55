"""Who has an agreement with the emulated gateway: payee id, token, and what the agreement allows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from prenopay.testing.emulators.swedbankpay.instruments import INSTRUMENTS

__all__ = ["DEFAULT_ACCESS_TOKEN", "DEFAULT_PAYEE_ID", "Merchant", "ReferenceFormat"]

DEFAULT_PAYEE_ID: Final = "5e1f0000-0000-4000-8000-00000000e1f0"
DEFAULT_ACCESS_TOKEN: Final = "emulator-token"  # noqa: S105 - opens nothing but this emulator


class ReferenceFormat(Enum):
    """What a ``payeeReference`` may look like: it depends on who settles, and on which page one reads."""

    SETTLED_BY_GATEWAY = re.compile(r"[A-Za-z0-9]{1,30}")
    SETTLED_BY_OWN_ACQUIRER = re.compile(r"[0-9]{1,12}")
    LONG = re.compile(r"[A-Za-z0-9]{1,50}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Merchant:
    """One agreement."""

    payee_id: str = DEFAULT_PAYEE_ID
    access_token: str = field(default=DEFAULT_ACCESS_TOKEN, repr=False)
    name: str = "Emulerat förlag"
    reference_format: ReferenceFormat = ReferenceFormat.SETTLED_BY_GATEWAY
    instruments: tuple[str, ...] = tuple(INSTRUMENTS)
    has_moto: bool = True
    """Whether staff may type cards (docs: moto)."""
    has_direct_debit: bool = True
    """Whether stored bank accounts may be charged (docs: Trustly recurring)."""
    has_trustly_recurrence: bool = False
    """Whether bank accounts may be stored for ``Recur``: an older page says so, the newer one has cards only."""
