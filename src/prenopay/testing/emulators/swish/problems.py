"""How Swish refuses: a status, and mostly an array of errors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NoReturn

from prenopay.testing.emulators.swish.behaviour import Behaviour
from prenopay.testing.emulators.swish.codes import Call, text_of
from prenopay.testing.http import EmulatorAnswer, Headers, json_answer

__all__ = ["Problem", "Refusal", "malformed", "refuse", "unprocessable"]

_UNPROCESSABLE: Final = 422
_FORBIDDEN: Final = 403
_BAD: Final = 400


@dataclass(frozen=True, slots=True)
class Problem:
    """One entry of the array."""

    code: str
    text: str
    information: str | None = None


class Refusal(Exception):
    """The call is refused; nothing has happened. Without ``problems`` the body is empty."""

    def __init__(self, status: int, *problems: Problem, headers: Headers = ()) -> None:
        """Refuse with a status and what is wrong."""
        super().__init__(", ".join(problem.code for problem in problems) or str(status))
        self.status = status
        self.problems = problems
        self.headers = headers

    def answer(self, behaviour: Behaviour) -> EmulatorAnswer:
        """Return what the caller gets."""
        if not self.problems:
            return EmulatorAnswer(status=self.status, headers=self.headers)
        listed = self.problems if behaviour.errors_listed == "all" else self.problems[:1]
        # The guide's 403 has "", its 422 null (MSS user guide 2.0, §5.2.3 and §5.2.4).
        nothing = "" if behaviour.no_information == "empty" or self.status == _FORBIDDEN else None
        body = [
            {
                "errorCode": problem.code,
                "errorMessage": problem.text,
                "additionalInformation": nothing if problem.information is None else problem.information,
            }
            for problem in listed
        ]
        return json_answer(self.status, body)


def refuse(
    code: str, call: Call | None = None, *, status: int = _UNPROCESSABLE, information: str | None = None
) -> NoReturn:
    """Refuse with one code."""
    raise Refusal(status, Problem(code, text_of(code, call), information))


def unprocessable(codes: Iterable[str], call: Call) -> Refusal:
    """Return the refusal with several codes, each named once."""
    return Refusal(_UNPROCESSABLE, *(Problem(code, text_of(code, call)) for code in dict.fromkeys(codes)))


def malformed(reason: str) -> Refusal:
    """Return the refusal of what is no request at all; the body is ours, for no text shows Swish's."""
    return Refusal(_BAD, Problem("PA01", reason))
