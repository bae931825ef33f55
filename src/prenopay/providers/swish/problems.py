"""Every error code of Swish and what it means, as data, and the functions that read it.

A row holds verdict, advice, the objects that show the code, and how sure that is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from prenopay._redaction import SAID_MOST, scrub
from prenopay.errors import (
    Conflict,
    DuplicateReference,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    Rejected,
    Unauthenticated,
    UnexpectedAnswer,
)
from prenopay.ports import HttpResponse
from prenopay.provider.wire import Unreadable
from prenopay.providers.swish import _wire
from prenopay.values.payments import Advice, Decline, DeclineCode, DeclineKind

__all__ = ["TABLE", "Certainty", "Meaning", "Refusal", "Verdict", "decline_of", "meaning_of", "read_refusal"]


class Verdict(Enum):
    """The kind of answer that a code is, when it answers a request of ours."""

    DECLINE = auto()
    """Payer, bank or Swish declined: no money moved, and a new request may succeed."""
    WRONG_REQUEST = auto()
    """Nothing happened; the request must be fixed."""
    OUR_SETUP = auto()
    """Nothing happened; certificate, number or agreement is wrong."""
    NOT_NOW = auto()
    """Nothing happened; the object's state does not allow it, or the object does not exist."""
    SEEN_BEFORE = auto()
    """The instruction's UUID is taken: what it did must be looked up."""
    UNCERTAIN = auto()
    """Swish itself does not know whether money moved."""


class Certainty(Enum):
    """How sure a row is."""

    OFFICIAL = auto()
    """The MSS guide of 2023 has it."""
    AGREED = auto()
    """Two or more independent integrators agree, or the simulator answered it."""
    REPORTED = auto()
    """One secondary source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """The meaning of one code. ``fix`` is for the publisher's developer; ``seen_in`` names the objects."""

    verdict: Verdict
    text: str
    fix: str
    seen_in: str
    source: str
    certainty: Certainty
    code: DeclineCode = DeclineCode.DECLINED
    kind: DeclineKind = DeclineKind.SOFT
    advice: Advice = Advice.NEW_METHOD


_P, _R, _O = "payments", "refunds", "payouts"
_PR, _PRO = "payments, refunds", "payments, refunds, payouts"
_PO: Final = "payments, payouts"
_GUIDE: Final = {
    _P: "MSS guide 2.0, section 5.4",
    _R: "MSS guide 2.0, section 9.5",
    _O: "MSS guide 2.0, section 11.4",
    _PO: "MSS guide 2.0, sections 5.4 and 11.4",
    _PR: "MSS guide 2.0, sections 5.4 and 9.5",
    _PRO: "MSS guide 2.0, sections 5.4, 9.5 and 11.4",
}
_ELSEWHERE: Final = {
    Certainty.AGREED: "several public integrations, run against the simulator",
    Certainty.REPORTED: "one public integration",
}


def _row(
    verdict: Verdict,
    seen_in: str,
    text: str,
    fix: str,
    *decline: DeclineCode | DeclineKind | Advice,
    certainty: Certainty = Certainty.OFFICIAL,
) -> Meaning:
    """Return one row; ``decline`` holds the parts of the decline that differ from the usual."""
    code, kind, advice = DeclineCode.DECLINED, DeclineKind.SOFT, Advice.NEW_METHOD
    for each in decline:
        match each:
            case DeclineCode():
                code = each
            case DeclineKind():
                kind = each
            case Advice():
                advice = each
    return Meaning(
        verdict=verdict,
        text=text,
        fix=fix,
        seen_in=seen_in,
        source=_ELSEWHERE.get(certainty) or _GUIDE[seen_in],
        certainty=certainty,
        code=code,
        kind=kind,
        advice=advice,
    )


_WRONG, _NO, _SETUP = Verdict.WRONG_REQUEST, Verdict.DECLINE, Verdict.OUR_SETUP
_NOT_NOW, _SEEN, _UNCERTAIN = Verdict.NOT_NOW, Verdict.SEEN_BEFORE, Verdict.UNCERTAIN
_HARD, _NEVER, _LATER, _PAYER = DeclineKind.HARD, Advice.NEVER, Advice.RETRY_LATER, Advice.AUTHENTICATE
_AGREED, _REPORTED = Certainty.AGREED, Certainty.REPORTED
_NOT_ENROLLED, _REFUND_REFUSED = DeclineCode.PAYER_NOT_ENROLLED, DeclineCode.REFUND_REFUSED
_FAILED, _UNAVAILABLE = DeclineCode.AUTHENTICATION_FAILED, DeclineCode.UNAVAILABLE
_OTHER_CHANNEL: Final = "send the money in another way, such as a bank transfer"

TABLE: Final[Mapping[str, Meaning]] = {
    # the request
    "FF08": _row(_WRONG, _PRO, "the merchant's reference is invalid", "use 1 to 35 letters, digits and '-'"),
    "RP01": _row(_WRONG, _PRO, "the merchant's own number is missing", "set number to the Swish number"),
    "RP02": _row(_WRONG, _PRO, "the message holds characters Swish does not take", "use others, or set clean_texts"),
    "RP03": _row(
        _WRONG,
        _PRO,
        "the callback URL is missing or not https",
        "set callback_url to an https address that is reached from outside on port 443, with a public certificate",
    ),
    "PA02": _row(_WRONG, _PRO, "the amount is missing or not a number", "report this to prenopay"),
    "AM02": _row(_WRONG, _PRO, "the amount is too large", "ask for less", DeclineCode.INVALID_AMOUNT),
    "AM03": _row(_WRONG, _PR, "the currency is not SEK", "Swish takes SEK only"),
    "AM06": _row(_WRONG, _PRO, "the amount is below the agreed minimum", "ask for more", DeclineCode.INVALID_AMOUNT),
    "BE18": _row(
        _WRONG,
        _PR,
        "the private person's phone number is malformed",
        "ask the payer for the number again, with its country code",
        DeclineCode.INVALID_DETAILS,
    ),
    "PA06": _row(
        _WRONG, _O, "the personal number is malformed", "ask the payee for it again: 12 digits, with the century"
    ),
    # the agreement
    "PA01": _row(
        _SETUP,
        _PRO,
        "the number is not the certificate's, or a parameter is wrong",
        "check that number is the one in the certificate; for payouts also check the signing certificate: "
        "an expired or wrong one gives this answer",
    ),
    "UNKW": _row(_SETUP, _PR, "the technical supplier is not active", "ask the supplier, or the bank"),
    "ACMT13": _row(
        _SETUP, _O, "the bank does no payouts", "ask the bank for Swish Utbetalning", DeclineCode.DO_NOT_RETRY, _HARD
    ),
    "ACMT14": _row(
        _SETUP,
        _O,
        "the merchant may not pay out",
        "sign Swish Utbetalning with the bank",
        DeclineCode.DO_NOT_RETRY,
        _HARD,
    ),
    # what is not possible now
    "RP04": _row(_NOT_NOW, _P, "there is no such payment or refund", "check the account's number", certainty=_AGREED),
    "RP06": _row(
        _NOT_NOW,
        _P,
        "the payer has another request open",
        "let the payer answer that one in the app, cancel it, or wait six minutes; then ask again",
        DeclineCode.PAYER_BUSY,
        _LATER,
    ),
    "RP07": _row(_NOT_NOW, _P, "the payment has ended and cannot be cancelled", "observe the payment"),
    "RF08": _row(
        _NOT_NOW,
        _R,
        "the amount is more than what is left of the payment",
        "refund at most what is left; problems names it where Swish does",
        DeclineCode.INVALID_AMOUNT,
    ),
    "RP09": _row(_SEEN, _PRO, "the instruction's UUID is taken", "look up what became of it"),
    "RF09": _row(_SEEN, _R, "a refund with this UUID is under way", "look up what became of it"),
    # declines
    "RP08": _row(_NO, _P, "the request was cancelled", "make a new payment", certainty=_REPORTED),
    "ACMT01": _row(
        _NO, _PR, "the other side's Swish is not activated", "ask the payer, or the bank", _NOT_ENROLLED, _HARD
    ),
    "ACMT03": _row(
        _NO,
        _PRO,
        "the payer is not enrolled in Swish",
        "tell the payer, who may have another number",
        _NOT_ENROLLED,
        _HARD,
    ),
    "ACMT07": _row(_NO, _PRO, "the payee is not enrolled in Swish", _OTHER_CHANNEL, _NOT_ENROLLED, _HARD),
    "ACMT15": _row(_NO, _O, "the payee may not receive payouts", _OTHER_CHANNEL, _NOT_ENROLLED, _HARD),
    "ACMT17": _row(
        _NO,
        _O,
        "the payee's number is invalid",
        "ask for the number again",
        DeclineCode.INVALID_DETAILS,
        _HARD,
        certainty=_REPORTED,
    ),
    "VR01": _row(
        _NO, _P, "the payer is too young", "do not sell this to the payer", DeclineCode.AGE_LIMIT_NOT_MET, _HARD, _NEVER
    ),
    "VR02": _row(
        _NO,
        _PO,
        "the personal number is not that of the phone number's owner",
        "ask for both again",
        DeclineCode.IDENTITY_MISMATCH,
        _HARD,
    ),
    "AM04": _row(
        _NO,
        _R,
        "the merchant's account does not hold the money",
        "fill the account, then refund again with a new operation id",
        DeclineCode.INSUFFICIENT_FUNDS,
        _LATER,
        certainty=_AGREED,
    ),
    "AM21": _row(
        _NO, _P, "above the payer's limit", "the payer's bank knows", DeclineCode.LIMIT_EXCEEDED, certainty=_REPORTED
    ),
    "RF02": _row(
        _NO, _R, "the payment is unknown or older than 13 months", _OTHER_CHANNEL, _REFUND_REFUSED, _HARD, _NEVER
    ),
    "RF03": _row(
        _NO, _R, "the payment was made to another number", "refund from that account", _REFUND_REFUSED, _HARD, _NEVER
    ),
    "RF04": _row(_NO, _R, "the organisation number has changed since", _OTHER_CHANNEL, _REFUND_REFUSED, _HARD, _NEVER),
    "RF06": _row(_NO, _R, "the phone number has another owner now", _OTHER_CHANNEL, _REFUND_REFUSED, _HARD, _NEVER),
    "RF07": _row(_NO, _PRO, "the bank declined (a limit, the balance, a block)", "try again, or pay another way"),
    "BANKIDCL": _row(_NO, _PR, "the payer cancelled BankID", "ask again", DeclineCode.CANCELLED_BY_PAYER),
    "BANKIDONGOING": _row(
        _NO, _P, "the payer's BankID is busy", "ask again soon", DeclineCode.PAYER_BUSY, _PAYER, certainty=_AGREED
    ),
    "BANKIDUNKN": _row(_NO, _P, "BankID could not authorise", "ask again", _FAILED, _PAYER, certainty=_AGREED),
    "FF10": _row(_NO, _PRO, "a bank's system failed", "ask again later", _UNAVAILABLE, _LATER),
    "TM01": _row(
        _NO,
        _PO,
        "timed out before the transfer began",
        "ask again",
        DeclineCode.TIMED_OUT,
        _PAYER,
    ),
    "CD01": _row(_NO, _O, "above the payee's limit", _OTHER_CHANNEL, DeclineCode.LIMIT_EXCEEDED, certainty=_REPORTED),
    "RR04": _row(
        _NO,
        _O,
        "refused for regulatory reasons",
        "ask the bank",
        DeclineCode.DO_NOT_RETRY,
        _HARD,
        _NEVER,
        certainty=_REPORTED,
    ),
    # unknown outcomes
    "DS24": _row(
        _UNCERTAIN,
        _PR,
        "no answer from the banks after the transfer had begun: money may have moved",
        "do not ask again: let the payer check the bank account, and compare with the merchant's",
        _UNAVAILABLE,
        _NEVER,
    ),
    "TA01": _row(
        _UNCERTAIN,
        _O,
        "a temporary technical fault: money may have moved",
        "do not send again: compare with the merchant's bank account",
        _UNAVAILABLE,
        _NEVER,
        certainty=_REPORTED,
    ),
}
"""Code → meaning. A code that is not here leaves open whether money moved: Swish uses codes that no page lists."""

_SURPRISE: Final = (DeclineCode.UNAVAILABLE, DeclineKind.SOFT, Advice.NEVER)
_NO_PAGE_HAS_IT: Final = (
    "no page of Swish's has this code, so money may have moved: "
    "do not ask again, and compare with the merchant's account"
)
_BY_PAYER: Final = "DECLINED"
"""The status after the payer declined in the app; there is no code for it."""

_FIRST: Final = (
    Verdict.UNCERTAIN,
    Verdict.SEEN_BEFORE,
    Verdict.OUR_SETUP,
    Verdict.DECLINE,
    Verdict.NOT_NOW,
    Verdict.WRONG_REQUEST,
)
"""Which of several codes decides: first those after which money may have moved, and those that nobody knows."""

_CERTIFICATE: Final = (
    "the certificate is of another environment, has expired or been revoked, or its number is not enrolled for this "
    "service: run prenopay doctor, and look in portal.swish.nu"
)
_NUMBER_UNKNOWN: Final = {
    "create": "check the payee number, which is the account's number: it must be the certificate's",
    "ask consent": "check the payee number, which is the account's number: it must be the certificate's",
    "charge": "check the account's number, and that the consent was given to it",
    "refund": "check the account's number, and that the payment was made to it",
    "payout": "check the payee's number, and the account's number",
}
"""What to look at if Swish answers a call that makes something with 404: no page says what is not found."""
_ERRORS: Final[Mapping[Verdict, tuple[type[ProviderError], str]]] = {
    Verdict.DECLINE: (Rejected, "ask the payer for another way to pay"),
    Verdict.WRONG_REQUEST: (Rejected, "fix what problems names; a corrected order needs a new operation id"),
    Verdict.NOT_NOW: (Conflict, "observe the payment and look at its allowed_actions"),
    Verdict.SEEN_BEFORE: (DuplicateReference, "look up what became of it"),
    Verdict.OUR_SETUP: (Unauthenticated, _CERTIFICATE),
    Verdict.UNCERTAIN: (ProviderUnavailable, "repeat with the same id: it is looked up before it is sent again"),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is not a success: all errors in it, and which one decides."""

    call: str
    status: int
    problems: tuple[_wire.Problem, ...]
    retry_after: float | None

    @property
    def verdict(self) -> Verdict:
        """The kind of answer it is. A server that failed may have acted, whatever code it gave."""
        if self.status >= 500:  # noqa: PLR2004 - server errors
            return Verdict.UNCERTAIN
        if self.status == 401:  # noqa: PLR2004 - Unauthorized: no code changes that
            return Verdict.OUR_SETUP
        meaning = meaning_of(self._deciding.error_code) if self.problems else None
        if self.problems and meaning is None:
            return Verdict.UNCERTAIN
        if meaning is not None and self._deciding.error_code != "PA01":
            return meaning.verdict
        if self.status == 403:  # noqa: PLR2004 - Forbidden
            return Verdict.OUR_SETUP
        # PA01 means the certificate only in a 403; elsewhere it means a wrong body, or a payout's wrong signature.
        return Verdict.NOT_NOW if self.status in {404, 409} else Verdict.WRONG_REQUEST

    @property
    def decline(self) -> Decline | None:
        """The decline, if it is one."""
        if self.verdict is not Verdict.DECLINE:
            return None
        return decline_of(self._deciding.error_code, self._deciding.text)

    def error(self) -> ProviderError:
        """Return the error to raise."""
        codes = [problem.error_code for problem in self.problems]
        meaning = meaning_of(self._deciding.error_code) if self.problems else None
        kind, advice = _ERRORS[self.verdict]
        fix = meaning.fix if meaning is not None and self.status != 401 else ""  # noqa: PLR2004 - Unauthorized
        if self.status == 404:  # noqa: PLR2004 - Not Found
            fix = _NUMBER_UNKNOWN.get(self.call, fix)
        said = "; ".join(filter(None, (_said(problem) for problem in self.problems)))
        text = f"{self.call}: {said or self._without_reason()}"
        problems = tuple((problem.error_code, _said(problem)) for problem in self.problems)
        code = self._deciding.error_code if codes else None
        if self.status == 429:  # noqa: PLR2004 - Too Many Requests
            return RateLimited(
                text,
                http_status=self.status,
                provider_code=code,
                problems=problems,
                advice="wait, then repeat with the same id",
                retry_after=self.retry_after,
            )
        is_surprise = bool(codes) and meaning is None and self.status < 500  # noqa: PLR2004 - server errors
        if is_surprise or self.status < 400:  # noqa: PLR2004 - not an error: what was done is unknown
            kind = UnexpectedAnswer
        return kind(
            f"{text}; {fix}" if fix else text,
            http_status=self.status,
            provider_code=code,
            problems=problems,
            advice=_NO_PAGE_HAS_IT if is_surprise else fix or advice,
            stated=self.is_stated,
        )

    @property
    def is_stated(self) -> bool:
        """Whether Swish itself said it, with a code of the table: a status alone may be anybody's."""
        return bool(self.problems) and meaning_of(self._deciding.error_code) is not None

    @property
    def has_nothing(self) -> bool:
        """Whether Swish says that it has no object of the UUID that was asked for.

        The simulator and the live system do so with ``RP04`` (several integrators); the guide shows an empty 404,
        which proves nothing.
        """
        return self.status == 404 and {each.error_code for each in self.problems} == {"RP04"}  # noqa: PLR2004 - Not Found

    @property
    def _deciding(self) -> _wire.Problem:
        def place(problem: _wire.Problem) -> int:
            meaning = meaning_of(problem.error_code)
            return 0 if meaning is None else _FIRST.index(meaning.verdict)

        return min(self.problems, key=place)

    def _without_reason(self) -> str:
        word = {
            401: "the gateway does not accept the certificate",
            404: "the gateway has no such thing",
            415: "the gateway does not take this content type",
            429: "too many requests",
            504: "the bank was too slow",
        }
        return f"{word.get(self.status, 'the gateway gave no reason')} ({self.status})"


def read_refusal(answer: HttpResponse, call: str) -> Refusal:
    """Read an answer that is not a success; an unreadable body counts as empty."""
    try:
        problems: Sequence[_wire.Problem] = _wire.read_problems(answer.body) if answer.body.strip() else ()
    except Unreadable:
        problems = ()
    return Refusal(call, answer.status, tuple(problems), answer.retry_after)


def meaning_of(code: str) -> Meaning | None:
    """Look a code up; ``None`` for an undocumented one."""
    return TABLE.get(code.upper())


def decline_of(code: str, text: str) -> Decline:
    """Return the decline of an object in ERROR or DECLINED, whatever its code."""
    if code == _BY_PAYER:
        return Decline(
            code=DeclineCode.CANCELLED_BY_PAYER,
            kind=DeclineKind.SOFT,
            advice=Advice.NEW_METHOD,
            provider_code=code,
            text=scrub(text, most=SAID_MOST) or "the payer declined in the app",
        )
    meaning = meaning_of(code)
    ours, kind, advice = _SURPRISE if meaning is None else (meaning.code, meaning.kind, meaning.advice)
    words = [scrub(text, most=SAID_MOST)] if text else []
    words.append(_NO_PAGE_HAS_IT if meaning is None else f"{meaning.text}: {meaning.fix}")
    return Decline(code=ours, kind=kind, advice=advice, provider_code=code, text=" - ".join(words))


def _said(problem: _wire.Problem) -> str:
    meaning = meaning_of(problem.error_code)
    words = (problem.error_code, problem.error_message, meaning.text if meaning is not None else "")
    text = " - ".join(word for word in words if word)
    more = problem.additional_information
    return scrub(f"{text} ({more})" if more else text, most=SAID_MOST)
