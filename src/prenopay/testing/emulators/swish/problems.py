"""How Swish refuses: a status, and mostly an array of errors; what each code says, and which message provokes it.

Texts and tables: MSS user guide 2.0 (2023), §4.4, §5.4, §8.5, §9.5 and §11.4; RP04, AM04 and RP09 were
also answered live. Where the guide has no text, ours is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NoReturn

from prenopay.testing.emulators.swish.behaviour import Behaviour
from prenopay.testing.http import EmulatorAnswer, Headers, json_answer

_UNPROCESSABLE: Final = 422
_FORBIDDEN: Final = 403
_TEXTS: Final = {
    "FF08": "Payment Reference is invalid",
    "RP01": "Missing Merchant Swish Number",
    "RP02": "Wrong formatted message",
    "RP03": "Callback URL is missing or does not use HTTPS",
    "RP04": "No payment request found related to a token",
    "RP06": "A payment request already exists for that payer. Only applicable for Swish e-commerce.",
    "RP07": "The payment request can not be cancelled.",
    "RP08": "The payment request has been cancelled.",
    "RP09": "The given instructionUUID is not available",
    "BE18": "Payer alias is invalid",
    "PA01": "Parameter is not correct.",
    "PA02": "Amount value is missing or not a valid number",
    "PA06": "Invalid format of payeeSSN",
    "AM02": "Amount value is too large.",
    "AM03": "Invalid or missing Currency",
    "AM04": "Insufficient funds in account.",
    "AM06": "Specified transaction amount is less than agreed minimum",
    "AM21": "Amount exceeds the payer's limit",
    "ACMT01": "Counterpart is not activated.",
    "ACMT03": "Payer not Enrolled.",
    "ACMT07": "Payee not Enrolled.",
    "ACMT13": "The bank does not support PAYOUT",
    "ACMT14": "Payer is not allowed to make a PAYOUT",
    "ACMT15": "Payee is not allowed to receive a PAYOUT",
    "ACMT17": "The Swish number is not valid",
    "UNKW": "Technical supplier is not active",
    "VR01": "Does not meet age limit",
    "VR02": "The payer alias in the request is not enroled in swish with the supplied ssn",
    "RF02": "Original Payment not found or original payment is more than than 13 months old",
    "RF03": "Payer alias in the refund does not match the payee alias in the original payment.",
    "RF04": "Payer organization number do not match original payment payee organization number.",
    "RF06": "The Payer SSN in the original payment is not the same as the SSN for the current Payee.",
    "RF07": "Transaction declined",
    "RF08": (
        "Amount value is too large or amount exceeds the amount of the original payment minus any previous refunds"
    ),
    "RF09": "Refund already in progress.",
    "BANKIDCL": "Payer cancelled BankId signing",
    "BANKIDONGOING": "BankID already in use",
    "BANKIDUNKN": "BankID are not able to authorize the payment",
    "FF10": "Bank system processing error",
    "TM01": "Swish timed out before the payment was started",
    "DS24": "Swish timed out waiting for an answer from the banks after payment was started",
    "CD01": "The receiving account's limit is exceeded",
    "RR04": "Refused for regulatory reasons",
    "TA01": "Temporary technical fault",
}


class Call(StrEnum):
    """The kind of call, as far as codes differ."""

    ECOM = "ecom"
    """A payment whose payer is named."""
    MCOM = "mcom"
    """A payment for anybody who has the token."""
    REFUND = "refund"
    PAYOUT = "payout"


_OTHER_TEXTS: Final[dict[tuple[Call | None, str], str]] = {
    (Call.REFUND, "ACMT07"): "Payee alias not enrolled",
    (Call.PAYOUT, "RP02"): "Invalid format 'message'",
}
_COMMON: Final = frozenset(
    "PA01 FF08 RP03 BE18 RP01 PA02 AM06 AM03 RP02 RP09 ACMT01 ACMT07 UNKW".split()  # noqa: SIM905 - a table
)
_AT_ONCE: Final = {
    Call.ECOM: _COMMON | {"AM02", "RP04", "RP06", "ACMT03", "VR01", "VR02"},
    Call.MCOM: _COMMON | {"AM02", "RP04", "ACMT03"},
    Call.REFUND: _COMMON | {"AM04", "RF02", "RF03", "RF04", "RF06", "RF08", "RF09"},
    Call.PAYOUT: frozenset({"PA01", "ACMT13", "ACMT14", "ACMT15", "TM01", "RF07"}),
}
_BANK: Final = frozenset({"RF07", "BANKIDCL", "FF10", "DS24"})
_LATER: Final = {
    Call.ECOM: _BANK | {"TM01"},
    Call.MCOM: _BANK | {"TM01", "VR01", "VR02"},
    Call.REFUND: _BANK,
    Call.PAYOUT: frozenset[str](),
}


def provokes_at_once(message: str, call: Call) -> str:
    """Return the code with which ``message``, as a whole, has the request refused; empty for none."""
    return message if message in _AT_ONCE[call] else ""


def provokes_later(message: str, call: Call) -> str:
    """Return the code with which ``message``, as a whole, ends the request later; empty for none."""
    return message if message in _LATER[call] else ""


def text_of(code: str, call: Call | None = None) -> str:
    """Return the text of a code in answers; the code itself where it is unknown."""
    return _OTHER_TEXTS.get((call, code)) or _TEXTS.get(code, code)


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
        # The guide's 403 has "", its 422 null (MSS user guide 2.0, §5.2.3 and §5.2.4).
        nothing = "" if behaviour.no_information == "empty" or self.status == _FORBIDDEN else None
        listed = self.problems if behaviour.errors_listed == "all" else self.problems[:1]
        body: list[dict[str, str | None]] = []
        for each in listed:
            information = nothing if each.information is None else each.information
            body.append({"errorCode": each.code, "errorMessage": each.text, "additionalInformation": information})
        return json_answer(self.status, body)


def refuse(
    code: str, call: Call | None = None, *, status: int = _UNPROCESSABLE, information: str | None = None
) -> NoReturn:
    """Refuse with one code."""
    raise Refusal(status, Problem(code, text_of(code, call), information))


def refuse_all(codes: Iterable[str], call: Call) -> None:
    """Refuse with several codes, each named once, if there are any."""
    problems = [Problem(code, text_of(code, call)) for code in dict.fromkeys(codes)]
    if problems:
        raise Refusal(_UNPROCESSABLE, *problems)


def malformed(reason: str) -> Refusal:
    """Return the refusal of what is no request at all; the body is ours, because no text shows Swish's."""
    return Refusal(400, Problem("PA01", reason))
