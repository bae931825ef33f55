"""Every documented problem type of Swedbank Pay and what it means: a table, and the functions that read it.

Source: developer.swedbankpay.com, technical reference "Problems" (card, Swish, Vipps, Trustly,
invoice, credit account) and "Payment order problems", docs of 2026-07-01. Types are compared by
their last word, in lower case, without ``_`` and ``-``, because the docs spell one type in several ways.
A word that has another meaning under one instrument is in the table with that instrument.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
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
from prenopay.providers.swedbankpay._wire import Problem
from prenopay.values.payments import Advice, Decline, DeclineCode, DeclineKind

__all__ = [
    "TABLE",
    "Meaning",
    "Verdict",
    "decline_of",
    "error_of",
    "is_decline",
    "is_token_gone",
    "is_undocumented",
    "meaning_of",
    "unreadable_error",
    "word_of",
]


class Verdict(Enum):
    """What kind of answer a problem is, when it answers a request of ours."""

    DECLINE = auto()
    """Issuer, bank or payer declined."""
    WRONG_REQUEST = auto()
    """Nothing happened; the request must be fixed."""
    NOT_NOW = auto()
    """Nothing happened; the order's state does not allow it, or the order does not exist."""
    OUR_SETUP = auto()
    """Nothing happened; agreement or credentials are wrong."""
    UNCERTAIN = auto()
    """The gateway or a system behind it failed: what happened is unknown."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one problem type means. ``wait`` is the least time before a retry."""

    verdict: Verdict
    code: DeclineCode = DeclineCode.DECLINED
    kind: DeclineKind = DeclineKind.SOFT
    advice: Advice = Advice.NEW_METHOD
    wait: timedelta | None = None


def _soft(code: DeclineCode, advice: Advice, wait: timedelta | None = None) -> Meaning:
    return Meaning(Verdict.DECLINE, code, DeclineKind.SOFT, advice, wait)


def _hard(code: DeclineCode, advice: Advice, wait: timedelta | None = None) -> Meaning:
    return Meaning(Verdict.DECLINE, code, DeclineKind.HARD, advice, wait)


_WRONG: Final = Meaning(Verdict.WRONG_REQUEST, DeclineCode.INVALID_DETAILS)
_NOT_NOW: Final = Meaning(Verdict.NOT_NOW)
_SETUP: Final = Meaning(Verdict.OUR_SETUP, DeclineCode.UNAVAILABLE)
_UNCERTAIN: Final = Meaning(Verdict.UNCERTAIN, DeclineCode.UNAVAILABLE, DeclineKind.SOFT, Advice.RETRY_LATER)
_LATER: Final = _soft(DeclineCode.UNAVAILABLE, Advice.RETRY_LATER)
_BY_PAYER: Final = _soft(DeclineCode.CANCELLED_BY_PAYER, Advice.NEW_METHOD)
_BLOCKED: Final = _hard(DeclineCode.CARD_BLOCKED, Advice.NEVER)
_FRAUD: Final = _hard(DeclineCode.SUSPECTED_FRAUD, Advice.NEVER)
_SURPRISE: Final = _soft(DeclineCode.UNAVAILABLE, Advice.NEVER)
"""What no page has: nobody is advised to try again."""
_GENERIC: Final = _soft(DeclineCode.DECLINED, Advice.RETRY_LATER)
_FUNDS: Final = _soft(DeclineCode.INSUFFICIENT_FUNDS, Advice.RETRY_LATER)
_EXPIRED: Final = _hard(DeclineCode.CARD_EXPIRED, Advice.NEW_METHOD)
_NOT_ACCEPTED: Final = _hard(DeclineCode.CARD_NOT_ACCEPTED, Advice.NEW_METHOD)
_NOT_AUTHENTICATED: Final = _soft(DeclineCode.AUTHENTICATION_FAILED, Advice.AUTHENTICATE)
_TOKEN_GONE: Final = _hard(DeclineCode.MANDATE_INACTIVE, Advice.NEW_METHOD)
_CREDIT: Final = _hard(DeclineCode.CREDIT_REFUSED, Advice.NEW_METHOD)
_IDENTITY: Final = _soft(DeclineCode.AUTHENTICATION_FAILED, Advice.NEW_METHOD)

_DAY: Final = timedelta(days=1)
_MONTH: Final = timedelta(days=30)

TABLE: Final[Mapping[str, Meaning]] = {
    # payment orders and generic
    "inputerror": _WRONG,
    "configurationerror": _SETUP,
    "configerror": _SETUP,
    "forbidden": _NOT_NOW,
    "notfound": _NOT_NOW,
    "systemerror": _UNCERTAIN,
    "operationnotallowed": _NOT_NOW,
    "clientapplaunchfailed": _LATER,
    "paymenttokeninactive": _TOKEN_GONE,
    # cards
    "cardbranddisabled": _NOT_ACCEPTED,
    "accountholdertyperejected": _NOT_ACCEPTED,
    "cardtyperejected": _NOT_ACCEPTED,
    "3dsecurerequired": _soft(DeclineCode.AUTHENTICATION_REQUIRED, Advice.AUTHENTICATE),
    "authenticationstatusrejected": _NOT_AUTHENTICATED,
    "authenticationrequired": _soft(DeclineCode.AUTHENTICATION_REQUIRED, Advice.AUTHENTICATE),
    "3dsecuredeclined": _NOT_AUTHENTICATED,
    "3dsecureusercancelled": _BY_PAYER,
    "3dsecureusercanceled": _BY_PAYER,
    "3dsecureerror": _LATER,
    "3dsecureacquirergatewayerror": _LATER,
    "velocitycheck": _soft(DeclineCode.LIMIT_EXCEEDED, Advice.RETRY_LATER),
    "frauddetected": _FRAUD,
    "acquirerpossiblefraud": _FRAUD,
    "badrequest": _LATER,
    "cardblacklisted": _BLOCKED,
    "acquirercardblacklisted": _BLOCKED,
    "acquirercardstolen": _BLOCKED,
    "acquirercardexpired": _EXPIRED,
    "acquirererror": _GENERIC,
    "carddeclined": _GENERIC,
    "acquirerinsufficientfunds": _FUNDS,
    "acquirerinvalidamount": _hard(DeclineCode.INVALID_AMOUNT, Advice.NEW_METHOD),
    "paymenttokenerror": _hard(DeclineCode.MANDATE_INACTIVE, Advice.NEW_METHOD),
    "dailylimitexceeded": _soft(DeclineCode.LIMIT_EXCEEDED, Advice.RETRY_LATER, _DAY),
    "monthlylimitexceeded": _soft(DeclineCode.LIMIT_EXCEEDED, Advice.NEW_METHOD, _MONTH),
    "acquirererrordonotretry": _hard(DeclineCode.DO_NOT_RETRY, Advice.NEVER, _MONTH),
    "modificationsrequired": _hard(DeclineCode.INVALID_DETAILS, Advice.NEW_METHOD),
    "internalservererror": _UNCERTAIN,
    "acquirergatewayerror": _UNCERTAIN,
    "acquirergatewaytimeout": _UNCERTAIN,
    "badgateway": _UNCERTAIN,
    "unknownerror": _UNCERTAIN,
    # Swish
    "bankidalreadyinuse": _soft(DeclineCode.PAYER_BUSY, Advice.AUTHENTICATE),
    "bankidcancelled": _BY_PAYER,
    "bankiderror": _NOT_AUTHENTICATED,
    "paymentagelimitnotmet": _hard(DeclineCode.AGE_LIMIT_NOT_MET, Advice.NEVER),
    "socialsecuritynumbermismatch": _hard(DeclineCode.IDENTITY_MISMATCH, Advice.NEW_METHOD),
    "swishalreadyinuse": _soft(DeclineCode.PAYER_BUSY, Advice.RETRY_LATER),
    "swishdeclined": _soft(DeclineCode.DECLINED, Advice.NEW_METHOD),
    "swisherror": _UNCERTAIN,
    "swishgatewaytimeout": _UNCERTAIN,
    "swishtimeout": _soft(DeclineCode.TIMED_OUT, Advice.AUTHENTICATE),
    "usercancelled": _BY_PAYER,
    # Vipps (its acquirer words are the card ones, spelled with _)
    "vippserror": _LATER,
    "vippsdeclined": _soft(DeclineCode.DECLINED, Advice.NEW_METHOD),
    # invoice
    "creditnotapproved": _CREDIT,
    "abortedidentification": _BY_PAYER,
    "userpreaborted": _BY_PAYER,
    "useraborted": _BY_PAYER,
    "timeoutidentification": _soft(DeclineCode.TIMED_OUT, Advice.AUTHENTICATE),
    "nationalidentifiermismatch": _hard(DeclineCode.IDENTITY_MISMATCH, Advice.NEW_METHOD),
    "externalerror": _UNCERTAIN,
    "invoice/failed": _IDENTITY,
    "invoice/error": _UNCERTAIN,
    # credit account
    "currencynotsupported": _WRONG,
    "invalidamount": _hard(DeclineCode.INVALID_AMOUNT, Advice.NEW_METHOD),
    "failedamount": _hard(DeclineCode.INVALID_AMOUNT, Advice.NEW_METHOD),
    "validation": _WRONG,
    "amountexceedslimit": _soft(DeclineCode.LIMIT_EXCEEDED, Advice.NEW_METHOD),
    "authorizationexpired": _NOT_NOW,
    "invalidstate": _NOT_NOW,
    "missingpreauthorization": _NOT_NOW,
    "invalidaccountusage": _CREDIT,
    "identifieralreadyinuse": _NOT_NOW,
    "signingfailed": _IDENTITY,
    "creditaccount/forbidden": _CREDIT,
    "creditaccount/unknown": _GENERIC,
}
"""Problem type → meaning. A type that is not here leaves open what happened, whatever the status.

Only in the list of the payer's own tries, which settles nothing, is it read as a plain decline.
"""

_END_OF_TIME: Final = datetime.max.replace(tzinfo=UTC)
"""Answers use it for "never"; no time can be added to it."""
_SEEN_BEFORE: Final = re.compile(r"already|duplicate|unique|been used|exists", re.IGNORECASE)
_MERCHANT: Final = re.compile(r"PayeeId$", re.IGNORECASE)
_TOKEN_MISSING: Final = re.compile(r"(Recurrence|Unscheduled|Payment)Token$", re.IGNORECASE)


def word_of(problem_type: str) -> str:
    """Return the last word of a problem type: lower case, without ``_`` and ``-``."""
    return problem_type.rstrip("/").rsplit("/", 1)[-1].replace("_", "").replace("-", "").lower()


def meaning_of(problem: Problem) -> Meaning | None:
    """Look the problem up; ``None`` for an undocumented type."""
    word = word_of(problem.type)
    if word == "inputerror" and any(_names_missing_token(entry.name, entry.description) for entry in problem.problems):
        return _TOKEN_GONE
    if _is_of_another_merchant(problem):
        return _SETUP
    instrument = problem.type.rstrip("/").rsplit("/", 2)[-2:-1]
    under = f"{instrument[0].lower()}/{word}" if instrument else ""
    return TABLE.get(under) or TABLE.get(word)


def is_decline(problem: Problem, http_status: int) -> bool:
    """Whether a problem that answers a request is a decline, rather than an error."""
    if http_status >= 500:  # noqa: PLR2004 - a server error is no decline, whatever its type
        return False
    meaning = meaning_of(problem)
    return meaning is not None and meaning.verdict is Verdict.DECLINE


def is_undocumented(problem: Problem | None) -> bool:
    """Whether a problem has a type that is on no page of the gateway's."""
    return problem is not None and bool(problem.type) and meaning_of(problem) is None


def is_token_gone(problem: Problem, http_status: int) -> bool:
    """Whether the gateway says that a stored token does not exist, or no longer works."""
    meaning = meaning_of(problem)
    return is_decline(problem, http_status) and meaning is not None and meaning.code is DeclineCode.MANDATE_INACTIVE


def decline_of(problem: Problem | None, at: datetime | None, *, is_try: bool = False) -> Decline:
    """Read the problem of a failed order or movement; ``is_try``: of one of the payer's own tries.

    ``at`` is when it happened, by the gateway's clock: waiting times start there.
    """
    if problem is None:
        return Decline(
            code=DeclineCode.DECLINED,
            kind=DeclineKind.SOFT,
            advice=Advice.NEW_METHOD,
            provider_code="",
        )
    meaning = meaning_of(problem) or (_GENERIC if is_try else _SURPRISE)
    left = problem.suspension.remaining if problem.suspension is not None else None
    return Decline(
        code=meaning.code,
        kind=meaning.kind,
        advice=meaning.advice,
        provider_code=word_of(problem.type),
        text=_text(problem),
        not_before=_not_before(at, meaning.wait),
        attempts_left=left,
    )


def _not_before(at: datetime | None, wait: timedelta | None) -> datetime | None:
    if at is None or wait is None:
        return None
    return at + wait if at < _END_OF_TIME - wait else None


def error_of(problem: Problem, http_status: int, *, retry_after: float | None, call: str) -> ProviderError:
    """Turn a problem that answers ``call`` into the error to raise."""
    details = {
        "http_status": http_status,
        "provider_code": word_of(problem.type) or None,
        "problems": tuple((entry.name, entry.description) for entry in problem.problems),
    }
    text = f"{call}: {_text(problem) or f'the gateway answered {http_status}'}"
    if http_status == 429:  # noqa: PLR2004 - Too Many Requests
        return RateLimited(text, retry_after=retry_after, advice="wait, then repeat with the same id", **details)  # type: ignore[arg-type]  # the dict holds the arguments by name
    if _is_duplicate(problem, http_status):
        says_so = _names_reference_as_used(problem)
        return DuplicateReference(text, advice="look up what became of it", stated=says_so, **details)  # type: ignore[arg-type]  # as above
    if http_status >= 500:  # noqa: PLR2004 - a server that failed may still have acted, whatever type it gave
        kind, advice = _ERRORS[Verdict.UNCERTAIN]
        return kind(text, advice=advice, **details)  # type: ignore[arg-type]  # as above
    meaning = meaning_of(problem)
    is_documented = meaning is not None
    if http_status == 401:  # noqa: PLR2004 - Unauthorized: no type changes that
        meaning = _SETUP
    if meaning is None or http_status < 400:  # noqa: PLR2004 - not an error
        return UnexpectedAnswer(text, advice=_NO_PAGE_HAS_IT, **details)  # type: ignore[arg-type]  # as above
    kind, advice = _ERRORS[meaning.verdict]
    if _is_of_another_merchant(problem):
        advice = _ANOTHER_MERCHANT
        text = f"{text}; {advice}"
    return kind(text, advice=advice, stated=is_documented, **details)  # type: ignore[arg-type]  # as above


_ANOTHER_MERCHANT: Final = "set payee_id to the merchant that access_token belongs to, in this environment"
_NO_PAGE_HAS_IT: Final = "no page of the gateway's has this answer: look in the merchant portal, and ask support"


_ERRORS: Final[Mapping[Verdict, tuple[type[ProviderError], str]]] = {
    Verdict.DECLINE: (Rejected, "ask the payer for another way to pay"),
    Verdict.WRONG_REQUEST: (Rejected, "fix the fields named in problems; a corrected order needs a new operation id"),
    Verdict.NOT_NOW: (Conflict, "observe the payment and look at its allowed_actions"),
    Verdict.OUR_SETUP: (
        Unauthenticated,
        "check access_token and payee_id, that both belong to this environment, and the agreement",
    ),
    Verdict.UNCERTAIN: (ProviderUnavailable, "repeat with the same id: it is looked up before it is sent again"),
}


def _verdict_of_status(status: int) -> Verdict:
    if status >= 500:  # noqa: PLR2004 - server errors
        return Verdict.UNCERTAIN
    if status in {401, 403}:
        return Verdict.OUR_SETUP if status == 401 else Verdict.NOT_NOW  # noqa: PLR2004 - Unauthorized
    return Verdict.NOT_NOW if status in {404, 409} else Verdict.WRONG_REQUEST


def unreadable_error(http_status: int, *, retry_after: float | None, call: str) -> ProviderError:
    """Return the error for an answer without a readable problem: empty, HTML, cut off."""
    text = f"{call}: the gateway answered {http_status} and did not say why"
    if http_status == 429:  # noqa: PLR2004 - Too Many Requests
        return RateLimited(text, http_status=http_status, retry_after=retry_after)
    if http_status in {401, 403}:
        kind, advice = _ERRORS[Verdict.OUR_SETUP]
        return kind(f"{text}; {advice}", http_status=http_status, advice=advice)
    if http_status < 400:  # noqa: PLR2004 - not an error: what was done is unknown
        return UnexpectedAnswer(text, http_status=http_status)
    kind, advice = _ERRORS[_verdict_of_status(http_status)]
    return kind(text, http_status=http_status, advice=advice)


def _is_duplicate(problem: Problem, http_status: int) -> bool:
    """Whether the reference was used before. That answer is undocumented, so every likely form of it counts."""
    if http_status >= 500:  # noqa: PLR2004 - a server error is not certain, whatever its text
        return False
    return _names_reference_as_used(problem) or (http_status == 409 and meaning_of(problem) is None)  # noqa: PLR2004 - Conflict


def _names_reference_as_used(problem: Problem) -> bool:
    named = [entry for entry in problem.problems if entry.name.rsplit(".", 1)[-1].lower() == "payeereference"]
    if any(_SEEN_BEFORE.search(entry.description) for entry in named):
        return True
    return "payeereference" in problem.detail.lower() and bool(_SEEN_BEFORE.search(problem.detail))


def _is_of_another_merchant(problem: Problem) -> bool:
    """Whether the gateway refuses ``payeeId``, which is a setting and no part of an order."""
    is_refused = word_of(problem.type) in {"forbidden", "inputerror", "notfound"}
    return is_refused and any(_MERCHANT.search(entry.name) for entry in problem.problems)


def _names_missing_token(name: str, description: str) -> bool:
    return bool(_TOKEN_MISSING.search(name)) and "not exist" in description.lower()


def _text(problem: Problem) -> str:
    reasons = "; ".join(f"{entry.name}: {entry.description}" for entry in problem.problems if entry.name != "Component")
    return scrub(" - ".join(part for part in (problem.title, problem.detail, reasons) if part), most=SAID_MOST)
