"""Swish's error codes: their texts, and which a message provokes in which call.

Texts and tables: MSS user guide 2.0 (2023), §4.4, §5.4, §8.5, §9.5 and §11.4; RP04, AM04 and RP09 were
answered live besides. Where the guide has no text, ours stands.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

__all__ = ["Call", "provokes_at_once", "provokes_later", "text_of"]

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
_REFUND_TEXTS: Final = {"ACMT07": "Payee alias not enrolled"}
_PAYOUT_TEXTS: Final = {"RP02": "Invalid format 'message'"}


class Call(StrEnum):
    """What is asked for, as far as codes differ."""

    ECOM = "ecom"
    """A payment whose payer is named."""
    MCOM = "mcom"
    """A payment for whoever has the token."""
    REFUND = "refund"
    PAYOUT = "payout"


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
    """Return the code that ``message``, as a whole, makes the request be refused with; empty for none."""
    return message if message in _AT_ONCE[call] else ""


def provokes_later(message: str, call: Call) -> str:
    """Return the code that ``message``, as a whole, makes the request end with; empty for none."""
    return message if message in _LATER[call] else ""


def text_of(code: str, call: Call | None = None) -> str:
    """Return what the answer says of a code."""
    special = {Call.REFUND: _REFUND_TEXTS, Call.PAYOUT: _PAYOUT_TEXTS}.get(call or Call.ECOM, {})
    return special.get(code) or _TEXTS.get(code, code)
