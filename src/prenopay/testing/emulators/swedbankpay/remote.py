"""What the control API does in the payer's name, by the words that stand in its requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from prenopay.testing.control import ControlRefused, take, take_word
from prenopay.testing.emulators.jsonvalues import JsonObject
from prenopay.testing.emulators.swedbankpay.cards import PLAIN_CARD
from prenopay.testing.emulators.swedbankpay.charging import TrustlyAnswer
from prenopay.testing.emulators.swedbankpay.payer_side import PayerAnswer, PayerResult

if TYPE_CHECKING:
    from prenopay.testing.emulators.swedbankpay.emulator import SwedbankPayEmulator

__all__ = ["act_as_payer"]

_DEFAULTS: Final[JsonObject] = {
    "pan": PLAIN_CARD.number,
    "expiry": PLAIN_CARD.expiry,
    "msisdn": "+46739000001",
    "remember": True,
    "token": "",
}


def act_as_payer(
    emulator: SwedbankPayEmulator,
    action: str,
    order: str,
    arguments: Mapping[str, object],
) -> JsonObject:
    """Do what ``action`` names; raises ``ControlRefused`` for what is not known, or cannot be."""
    if action == "settle_trustly":
        word = take_word({"answer": "settle", **arguments}, "answer", TrustlyAnswer)
        result = PayerResult(status=emulator.settle_trustly(order, word))
    else:
        result = _pay(emulator, action, order, {**_DEFAULTS, **arguments})
    return {
        "status": result.status,
        "attempt": result.attempt,
        "problem": result.problem,
        "next": result.next_url,
    }


def _pay(emulator: SwedbankPayEmulator, action: str, order: str, given: Mapping[str, object]) -> PayerResult:
    answer = take_word(given, "answer", PayerAnswer) if "answer" in given else PayerAnswer.APPROVE
    remember = take(given, "remember", bool)
    match action:
        case "pay_by_card":
            pan, expiry = take(given, "pan", str), take(given, "expiry", str)
            return emulator.pay_by_card(order, pan=pan, expiry=expiry, answer=answer, remember=remember)
        case "pay_by_stored":
            return emulator.pay_by_stored(order, token=take(given, "token", str), answer=answer)
        case "pay_by_swish":
            return emulator.pay_by_swish(order, msisdn=take(given, "msisdn", str), answer=answer)
        case "pay_by":
            return emulator.pay_by(order, take(given, "instrument", str), answer=answer, remember=remember)
        case "answer":
            attempt = take(given, "attempt", int) if "attempt" in given else None
            return emulator.answer(order, answer, attempt=attempt)
        case "cancel":
            return emulator.cancel(order)
        case "walk_away":
            return emulator.walk_away(order)
        case _:
            known = "pay_by_card, pay_by_stored, pay_by_swish, pay_by, settle_trustly, answer, cancel or walk_away"
            message = f"action must be {known}"
            raise ControlRefused(message)
