"""Every error code of Swish and what it means to us, as data: verdict, advice, where it is seen, how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from prenopay.values.payments import Advice, DeclineCode, DeclineKind

__all__ = ["TABLE", "Certainty", "Meaning", "Verdict"]


class Verdict(Enum):
    """What kind of answer a code is, when it answers a request of ours."""

    DECLINE = auto()
    """Payer, bank or Swish said no: no money moved, and a new request is another matter."""
    WRONG_REQUEST = auto()
    """Nothing happened; the request must be mended."""
    OUR_SETUP = auto()
    """Nothing happened; certificate, number or agreement."""
    NOT_NOW = auto()
    """Nothing happened; the state of what was asked about does not allow it, or it does not exist."""
    SEEN_BEFORE = auto()
    """The instruction's UUID is taken: what it did must be looked up."""
    UNCERTAIN = auto()
    """Swish itself does not know whether money moved."""


class Certainty(Enum):
    """How sure a row is."""

    OFFICIAL = auto()
    """Stands in the MSS guide of 2023."""
    AGREED = auto()
    """Two or more independent integrators agree, or the simulator was seen to answer it."""
    REPORTED = auto()
    """One secondary source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What one code means. ``fix`` is for the publisher's developer; ``seen_in`` names the objects."""

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
    """Return one row; ``decline`` is what makes it a decline, as far as it differs from the usual."""
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
_OTHER_CHANNEL: Final = "send the money another way, such as a bank transfer"

TABLE: Final[Mapping[str, Meaning]] = {
    # the request
    "FF08": _row(_WRONG, _PRO, "the merchant's reference is invalid", "use 1 to 35 letters, digits and '-'"),
    "RP01": _row(_WRONG, _PRO, "the merchant's own number is missing", "set number to the Swish number"),
    "RP02": _row(_WRONG, _PRO, "the message holds signs Swish does not take", "write it otherwise, or set clean_texts"),
    "RP03": _row(
        _WRONG,
        _PRO,
        "the callback URL is missing or not https",
        "set callback_url to an https address that is reached from outside on port 443, with a public certificate",
    ),
    "PA02": _row(_WRONG, _PRO, "the amount is missing or not a number", "report this to prenopay"),
    "AM02": _row(_WRONG, _PRO, "the amount is too large", "ask for less", DeclineCode.INVALID_AMOUNT),
    "AM03": _row(_WRONG, _PR, "the currency is not SEK", "Swish takes SEK only"),
    "AM06": _row(_WRONG, _PRO, "the amount is below the agreed least", "ask for more", DeclineCode.INVALID_AMOUNT),
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
        "check that number is the one in the certificate, and for payouts the signing certificate: an expired or "
        "other one looks like this",
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
        "more than is left of the payment",
        "refund at most what is left; problems names it where Swish does",
        DeclineCode.INVALID_AMOUNT,
    ),
    "RP09": _row(_SEEN, _PRO, "the instruction's UUID is taken", "look up what became of it"),
    "RF09": _row(_SEEN, _R, "a refund with this UUID is under way", "look up what became of it"),
    # somebody's no
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
        "the personal number is not of who has the phone number",
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
    "BANKIDCL": _row(_NO, _PR, "the payer broke off BankID", "ask again", DeclineCode.CANCELLED_BY_PAYER),
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
    # nobody knows
    "DS24": _row(
        _UNCERTAIN,
        _PR,
        "no answer from the banks after the transfer had begun: money may have moved",
        "do not ask again: have the payer look at the bank account, and compare with the merchant's",
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
"""Code → meaning. Unknown codes are read by HTTP status (as an answer) or as a plain decline (in an object)."""
