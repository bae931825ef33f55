"""From an answer that is not a success, or an object's error code, to an error or a decline. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from prenopay._redaction import scrub
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
from prenopay.providers.swish import _wire
from prenopay.providers.swish.problems import TABLE, Meaning, Verdict
from prenopay.values.payments import Advice, Decline, DeclineCode, DeclineKind

__all__ = ["Refusal", "decline_of", "meaning_of", "read_refusal"]

_GENERIC: Final = (DeclineCode.DECLINED, DeclineKind.SOFT, Advice.NEW_METHOD)
_BY_PAYER: Final = "DECLINED"
"""The status that says the payer pressed no in the app; there is no code for it."""

_FIRST: Final = (
    Verdict.UNCERTAIN,
    Verdict.SEEN_BEFORE,
    Verdict.OUR_SETUP,
    Verdict.DECLINE,
    Verdict.NOT_NOW,
    Verdict.WRONG_REQUEST,
)
"""Which of several codes decides: first what may mean that money moved."""

_CERTIFICATE: Final = (
    "the certificate is not of this environment, has expired or been revoked, or its number is not enrolled for this "
    "service: run prenopay doctor, and look in portal.swish.nu"
)
_ERRORS: Final[Mapping[Verdict, tuple[type[ProviderError], str]]] = {
    Verdict.DECLINE: (Rejected, "ask the payer for another way to pay"),
    Verdict.WRONG_REQUEST: (Rejected, "mend what problems names, then repeat with the same id"),
    Verdict.NOT_NOW: (Conflict, "observe the payment and look at its allowed_actions"),
    Verdict.SEEN_BEFORE: (DuplicateReference, "look up what became of it"),
    Verdict.OUR_SETUP: (Unauthenticated, _CERTIFICATE),
    Verdict.UNCERTAIN: (ProviderUnavailable, "repeat with the same id: it is looked up before it is sent again"),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is not a success: what the gateway said, and which of it decides."""

    call: str
    status: int
    problems: tuple[_wire.Problem, ...]
    retry_after: float | None

    @property
    def verdict(self) -> Verdict:
        """What kind of answer it is. A server that failed may have acted, whatever word it found for it."""
        if self.status >= 500:  # noqa: PLR2004 - server errors
            return Verdict.UNCERTAIN
        if self.status == 401:  # noqa: PLR2004 - Unauthorized: says nothing but that
            return Verdict.OUR_SETUP
        meaning = meaning_of(self._deciding.error_code) if self.problems else None
        if meaning is not None and self._deciding.error_code != "PA01":
            return meaning.verdict
        if self.status == 403:  # noqa: PLR2004 - Forbidden
            return Verdict.OUR_SETUP
        # PA01 is the certificate only in a 403; elsewhere it is a wrong body, or a payout's wrong signature.
        return Verdict.NOT_NOW if self.status in {404, 409} else Verdict.WRONG_REQUEST

    @property
    def decline(self) -> Decline | None:
        """What it declines, if it is somebody's no."""
        if self.verdict is not Verdict.DECLINE:
            return None
        return decline_of(self._deciding.error_code, self._deciding.text)

    def error(self) -> ProviderError:
        """Return the error to raise."""
        codes = [problem.error_code for problem in self.problems]
        meaning = meaning_of(self._deciding.error_code) if self.problems else None
        kind, advice = _ERRORS[self.verdict]
        if meaning is not None and self.status != 401:  # noqa: PLR2004 - Unauthorized
            advice = meaning.fix
        said = "; ".join(filter(None, (_said(problem) for problem in self.problems)))
        text = f"{self.call}: {said or self._without_a_word()}"
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
        if self.status < 400:  # noqa: PLR2004 - not an error: what was done is unknown
            kind = UnexpectedAnswer
        return kind(text, http_status=self.status, provider_code=code, problems=problems, advice=advice)

    @property
    def _deciding(self) -> _wire.Problem:
        def place(problem: _wire.Problem) -> int:
            meaning = meaning_of(problem.error_code)
            return len(_FIRST) if meaning is None else _FIRST.index(meaning.verdict)

        return min(self.problems, key=place)

    def _without_a_word(self) -> str:
        word = {
            401: "the gateway does not accept the certificate",
            404: "the gateway has no such thing",
            415: "the gateway does not take this content type",
            429: "too many requests",
            504: "the bank was too slow",
        }
        return f"{word.get(self.status, 'the gateway gave no reason')} ({self.status})"


def read_refusal(answer: HttpResponse, call: str) -> Refusal:
    """Read an answer that is not a success; a body that cannot be read counts as none."""
    try:
        problems: Sequence[_wire.Problem] = _wire.read_problems(answer.body) if answer.body.strip() else ()
    except _wire.Unreadable:
        problems = ()
    stated = answer.header("retry-after") or ""
    retry_after = float(stated) if stated.isascii() and stated.isdecimal() else None
    return Refusal(call, answer.status, tuple(problems), retry_after)


def meaning_of(code: str) -> Meaning | None:
    """Look a code up; ``None`` for one nobody has documented."""
    return TABLE.get(code.upper())


def decline_of(code: str, text: str) -> Decline:
    """Return the decline that an object in ERROR or DECLINED tells of, whatever its code."""
    if code == _BY_PAYER:
        return Decline(
            code=DeclineCode.CANCELLED_BY_PAYER,
            kind=DeclineKind.SOFT,
            advice=Advice.NEW_METHOD,
            provider_code=code,
            text=text or "the payer said no in the app",
        )
    meaning = meaning_of(code)
    ours, kind, advice = _GENERIC if meaning is None else (meaning.code, meaning.kind, meaning.advice)
    words = [scrub(text)] if text else []
    if meaning is not None:
        words.append(f"{meaning.text}: {meaning.fix}")
    return Decline(code=ours, kind=kind, advice=advice, provider_code=code, text=" - ".join(words))


def _said(problem: _wire.Problem) -> str:
    meaning = meaning_of(problem.error_code)
    words = (problem.error_code, problem.error_message, meaning.text if meaning is not None else "")
    text = " - ".join(word for word in words if word)
    more = problem.additional_information
    return scrub(f"{text} ({more})" if more else text)
