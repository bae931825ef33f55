"""The pure rule of a payment's life: which state follows when the gateway says something.

Money that moved counts more than an answer. What was taken stays taken, whatever an older answer says; and money that
arrives after a payment has ended is never dropped: it is accepted, and marked late.

::

    created ──► pending ──► authorized ──► captured
       │           │            │
       └─────┬─────┴────────────┤
             ▼                  ▼
    cancelled · declined · expired

    unknown: sent, no answer, or the gateway cannot say; a look-up finds the state
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, assert_never

from prenopay.values.payments import PaymentState

__all__ = ["ENDED", "UNPAID", "Step", "advance"]

ENDED: Final = frozenset({PaymentState.CANCELLED, PaymentState.DECLINED, PaymentState.EXPIRED})
"""States in which nobody expects money any more."""

UNPAID: Final = frozenset({PaymentState.CREATED, PaymentState.PENDING, PaymentState.UNKNOWN})
"""States in which the payer may still pay."""


@dataclass(frozen=True, slots=True)
class Step:
    """The next state, and what is unusual about the step."""

    state: PaymentState
    late: bool = False
    """Money came after the payment had ended."""
    contradiction: bool = False
    """The gateway withdraws what it said before."""


def advance(current: PaymentState, observed: PaymentState, *, had_money: bool) -> Step:
    """Return the state after ``current`` when the gateway reports ``observed``.

    ``had_money``: money was reserved or taken before. It separates a late payment (an ended payment that never had
    money) from an old answer that arrives late (an authorization that was released since).
    """
    match observed:
        case PaymentState.CAPTURED:
            return Step(PaymentState.CAPTURED, late=current in ENDED and not had_money)
        case _ if current is PaymentState.CAPTURED:
            return Step(current, contradiction=observed in {PaymentState.DECLINED, PaymentState.EXPIRED})
        case PaymentState.AUTHORIZED:
            if current in ENDED and had_money:
                return Step(current)
            return Step(PaymentState.AUTHORIZED, late=current in ENDED)
        case PaymentState.CANCELLED:
            return Step(current if current in ENDED else PaymentState.CANCELLED)
        case PaymentState.EXPIRED:
            return Step(current if current in ENDED else PaymentState.EXPIRED)
        case PaymentState.DECLINED:
            if current is PaymentState.AUTHORIZED:
                return Step(current, contradiction=True)
            return Step(current if current in ENDED else PaymentState.DECLINED)
        case PaymentState.PENDING | PaymentState.CREATED:
            return Step(PaymentState.PENDING if current in UNPAID else current)
        case PaymentState.UNKNOWN:
            return Step(PaymentState.UNKNOWN if current in UNPAID else current)
        case _:
            assert_never(observed)
