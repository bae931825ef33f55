"""How a call at the mock ends: the manners, the amounts that choose one, and the scripts that choose one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeVar

from prenopay._arguments import checked_fields
from prenopay._hidden import raise_alone
from prenopay.testing.faults import Fault, FaultKind
from prenopay.values.payments import Advice, Decline, DeclineCode, DeclineKind

__all__ = [
    "AMOUNTS",
    "DECLINES",
    "Call",
    "Manner",
    "MockAmount",
    "ScriptUnused",
    "Scripted",
    "Scripts",
    "chosen",
    "decline_of",
]

ChoiceT = TypeVar("ChoiceT", bound=StrEnum)


class ScriptUnused(AssertionError):
    """A test planned how a call ends, and the call was never made."""


class Call(StrEnum):
    """What the mock can be asked, in the provider's words, and ``approve``: what its payer does."""

    CREATE = "create"
    OBSERVE = "observe"
    CAPTURE = "capture"
    CANCEL = "cancel"
    REFUND = "refund"
    OBSERVE_REFUND = "observe_refund"
    UPDATE = "update"
    CHARGE = "charge"
    OBSERVE_METHODS = "observe_methods"
    REMOVE_METHOD = "remove_method"
    PAY_OUT = "pay_out"
    OBSERVE_PAYOUT = "observe_payout"
    DRAW_QR = "draw_qr"
    PROBE = "probe"
    APPROVE = "approve"
    """The payer says yes; the bank may still say no."""


class Manner(StrEnum):
    """How a call ends."""

    ACCEPT = "accept"
    """Done, and the answer says so."""
    DECLINE = "decline"
    """Refused by issuer or bank: a result, with a decline code."""
    PENDING = "pending"
    """Accepted; ends when ``MockGateway.finish_pending`` says how."""
    REFUSE = "refuse"
    """``Rejected``: the request is wrong, nothing happened."""
    NOT_SENT = "not_sent"
    """``NotSent``: the connection was refused, nothing happened."""
    LOST_BEFORE = "lost_before"
    """``OutcomeUnknown``: the request was lost on its way, nothing happened."""
    LOST_AFTER = "lost_after"
    """``OutcomeUnknown``: it was done, and the answer was lost."""
    UNAVAILABLE = "unavailable"
    """``ProviderUnavailable`` (503); nothing happened, but the caller cannot know."""
    UNREADABLE = "unreadable"
    """``UnexpectedAnswer``: it was done, and the answer makes no sense."""
    RATE_LIMITED = "rate_limited"
    """``RateLimited``: nothing happened, wait a second."""
    UNAUTHENTICATED = "unauthenticated"
    """``Unauthenticated``: the credentials are refused, nothing happened."""

    @property
    def fault(self) -> Fault | None:
        """What goes wrong on the wire; ``None`` where the gateway answers."""
        return _ON_THE_WIRE.get(self)


_ON_THE_WIRE: Final = {
    Manner.REFUSE: Fault(kind=FaultKind.STATUS_BEFORE, status=400),
    Manner.NOT_SENT: Fault(kind=FaultKind.REFUSE),
    Manner.LOST_BEFORE: Fault(kind=FaultKind.DROP_BEFORE),
    Manner.LOST_AFTER: Fault(kind=FaultKind.DROP_AFTER),
    Manner.UNAVAILABLE: Fault(kind=FaultKind.STATUS_BEFORE, status=503),
    Manner.UNREADABLE: Fault(kind=FaultKind.UNREADABLE),
    Manner.RATE_LIMITED: Fault(kind=FaultKind.STATUS_BEFORE, status=429),
    Manner.UNAUTHENTICATED: Fault(kind=FaultKind.STATUS_BEFORE, status=401),
}
_SOFT, _HARD = DeclineKind.SOFT, DeclineKind.HARD

DECLINES: Final[dict[DeclineCode, tuple[DeclineKind, Advice]]] = {
    DeclineCode.DECLINED: (_SOFT, Advice.RETRY_LATER),
    DeclineCode.INSUFFICIENT_FUNDS: (_SOFT, Advice.RETRY_LATER),
    DeclineCode.CARD_EXPIRED: (_HARD, Advice.NEW_METHOD),
    DeclineCode.CARD_BLOCKED: (_HARD, Advice.NEVER),
    DeclineCode.CARD_NOT_ACCEPTED: (_HARD, Advice.NEW_METHOD),
    DeclineCode.SUSPECTED_FRAUD: (_HARD, Advice.NEVER),
    DeclineCode.INVALID_AMOUNT: (_HARD, Advice.NEVER),
    DeclineCode.INVALID_DETAILS: (_HARD, Advice.NEW_METHOD),
    DeclineCode.AUTHENTICATION_REQUIRED: (_SOFT, Advice.AUTHENTICATE),
    DeclineCode.AUTHENTICATION_FAILED: (_SOFT, Advice.AUTHENTICATE),
    DeclineCode.CANCELLED_BY_PAYER: (_SOFT, Advice.RETRY_LATER),
    DeclineCode.TIMED_OUT: (_SOFT, Advice.RETRY_LATER),
    DeclineCode.LIMIT_EXCEEDED: (_SOFT, Advice.RETRY_LATER),
    DeclineCode.DO_NOT_RETRY: (_HARD, Advice.NEVER),
    DeclineCode.MANDATE_INACTIVE: (_HARD, Advice.NEW_METHOD),
    DeclineCode.PAYER_NOT_ENROLLED: (_HARD, Advice.NEW_METHOD),
    DeclineCode.PAYER_BUSY: (_SOFT, Advice.RETRY_LATER),
    DeclineCode.AGE_LIMIT_NOT_MET: (_HARD, Advice.NEVER),
    DeclineCode.IDENTITY_MISMATCH: (_HARD, Advice.NEVER),
    DeclineCode.CREDIT_REFUSED: (_HARD, Advice.NEW_METHOD),
    DeclineCode.REFUND_REFUSED: (_HARD, Advice.NEVER),
    DeclineCode.UNAVAILABLE: (_SOFT, Advice.RETRY_LATER),
}
"""Whether each decline is final, and what to do next."""


def chosen(choices: type[ChoiceT], value: str, *, field: str) -> ChoiceT:
    """Return the choice that ``value`` names; raises ``ValueError`` with all choices for any other value."""
    try:
        return choices(value)
    except ValueError:
        message = f"{field}: must be one of {', '.join(choices)}; not {value!r}"
        raise_alone(ValueError(message))


def decline_of(code: DeclineCode) -> Decline:
    """Return the mock's decline of ``code``; the gateway's own word for it is ``mock-`` and the code."""
    kind, advice = DECLINES[code]
    return Decline(code=code, kind=kind, advice=advice, provider_code=f"mock-{code.value}", text=f"mock: {code.value}")


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class MockAmount:
    """An amount (in minor units, VAT included) whose calls end like this, in any currency."""

    minor: int
    manner: Manner
    code: DeclineCode | None = None


_FIRST_DECLINE: Final = 9_001_01
_FIRST_MANNER: Final = 9_002_01
_BY_AMOUNT: Final = (
    Manner.PENDING,
    Manner.REFUSE,
    Manner.NOT_SENT,
    Manner.LOST_BEFORE,
    Manner.LOST_AFTER,
    Manner.UNAVAILABLE,
    Manner.UNREADABLE,
)

AMOUNTS: Final[tuple[MockAmount, ...]] = (
    *(
        MockAmount(minor=_FIRST_DECLINE + place, manner=Manner.DECLINE, code=code)
        for place, code in enumerate(DECLINES)
    ),
    *(MockAmount(minor=_FIRST_MANNER + place, manner=manner) for place, manner in enumerate(_BY_AMOUNT)),
)
"""The amounts that choose: 9 001,01 and on are declined, 9 002,01 and on end in the other manners."""

_OF_AMOUNT: Final = {each.minor: each for each in AMOUNTS}
_MOVES_MONEY: Final = frozenset({Call.CAPTURE, Call.REFUND, Call.CHARGE, Call.PAY_OUT})
_CAN_BE_DECLINED: Final = _MOVES_MONEY | {Call.CANCEL, Call.APPROVE}
_CAN_WAIT: Final = _MOVES_MONEY | {Call.CANCEL}


def _can_end(call: Call, manner: Manner) -> bool:
    match manner:
        case Manner.ACCEPT:
            return True
        case Manner.DECLINE:
            return call in _CAN_BE_DECLINED
        case Manner.PENDING:
            return call in _CAN_WAIT
        case _:
            return call is not Call.APPROVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripted:
    """How one call ends: the manner, and the decline's code where it is ``DECLINE``."""

    manner: Manner = Manner.ACCEPT
    code: DeclineCode | None = None

    def __post_init__(self) -> None:
        """Refuse a decline without a code, and a code without a decline."""
        if (self.manner is Manner.DECLINE) != (self.code is not None):
            message = "a decline needs a code (decline=DeclineCode.INSUFFICIENT_FUNDS), and nothing else has one"
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class _Planned:
    call: Call
    ends: Scripted
    after: int
    times: int
    is_met: bool = False


class Scripts:
    """What is planned for the calls to come. A script takes precedence over an amount.

    An amount that declines does so every time. The other amounts hit the first call under each reference, and the
    same call again goes through. (A lost charge is never sent again.) The gateway's lock guards the scripts.
    """

    def __init__(self) -> None:
        """Plan nothing."""
        self._planned: list[_Planned] = []
        self._hit: set[tuple[Call, str]] = set()

    def plan(self, call: Call, ends: Scripted, *, after: int, times: int) -> None:
        """End ``times`` calls like this, once ``after`` calls have passed."""
        if after < 0 or times < 1:
            message = "a script needs after >= 0 and times >= 1"
            raise ValueError(message)
        if not _can_end(call, ends.manner):
            message = f"{call} cannot end as {ends.manner}"
            raise ValueError(message)
        self._planned.append(_Planned(call, ends, after, times))

    def clear(self) -> None:
        """Forget every script."""
        self._planned.clear()

    def require_met(self) -> None:
        """Raise ``ScriptUnused`` if something was planned and met no call at all."""
        unused = [f"{each.call} ({each.ends.code or each.ends.manner})" for each in self._planned if not each.is_met]
        if unused:
            message = f"scripts met no call: {', '.join(unused)}. Take them out of the test, or call clear_scripts()"
            raise ScriptUnused(message)

    def take(self, call: Call, *, reference: str = "", minor: int | None = None) -> Scripted:
        """Return how this call ends, and count it."""
        for place, planned in enumerate(self._planned):
            if planned.call is not call:
                continue
            if planned.after:
                self._planned[place] = replace(planned, after=planned.after - 1)
                continue
            if planned.times > 1:
                self._planned[place] = replace(planned, times=planned.times - 1, is_met=True)
            else:
                del self._planned[place]
            return planned.ends
        return self._by_amount(call, reference, minor)

    def _by_amount(self, call: Call, reference: str, minor: int | None) -> Scripted:
        chosen = None if minor is None else _OF_AMOUNT.get(minor)
        if chosen is None:
            return Scripted()
        if not _can_end(call, chosen.manner) or (call, reference) in self._hit:
            return Scripted()
        if chosen.manner is not Manner.DECLINE:
            self._hit.add((call, reference))
        return Scripted(manner=chosen.manner, code=chosen.code)
