"""Says how a stored body is read: a payment, refund, payout, consent or charge (also in a callback), or errors.

What a body does not say is ``None``. Source: MSS guide 2.0, sections 5 to 12.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from prenopay._text import quoted
from prenopay.provider import Inspection, MandateSeen
from prenopay.provider.wire import Unreadable, members_of, read, read_json, shown_members
from prenopay.providers.swish import _wire
from prenopay.providers.swish.problems import Refusal, Verdict
from prenopay.providers.swish.reading import ALLOWED, charge_state, consent_state, decline_in, method_of, state_of
from prenopay.values.money import Money
from prenopay.values.orders import Instrument
from prenopay.values.payments import PaymentState

__all__ = ["inspect"]

_KINDS: Final = {"paymentrequests": "payment", "refunds": "refund", "payouts": "payout"}
_WRAPPERS: Final = ("errors", "error")
_IN_SHORT: Final = frozenset({"id", "payoutinstructionuuid"})


def inspect(body: bytes) -> Inspection:
    """Say how ``body`` is read; raises ``Unreadable`` (a ``ValueError``) for anything else.

    A body may be in the envelope ``{"status": …, "headers": …, "body": …}`` of an answer, or
    ``{"method": …, "headers": …, "body": …}`` of a callback, because exchanges are often stored in this way.
    """
    decoded = read_json(body, exact=True)
    if isinstance(decoded, dict):
        members = cast("dict[str, Any]", decoded)
        is_envelope = "body" in members and ("headers" in members or "method" in members)
        return _envelope(members) if is_envelope else _object(members)
    if isinstance(decoded, list) and decoded:
        return _errors(body)
    message = "this is neither an object of Swish nor an array of errors"
    raise Unreadable(message)


def _envelope(members: Mapping[str, Any]) -> Inspection:
    content: Any = members["body"]
    status = members.get("status")
    if isinstance(content, dict):
        return _object(cast("dict[str, Any]", content))
    if isinstance(content, list) and content:
        listed = cast("Sequence[Any]", content)
        return _explained(_wire.problems_in(listed), status if isinstance(status, int) else 0)
    if content in (None, "", []) and isinstance(status, int):
        return _created(members, status) if 200 <= status < 300 else _explained((), status)  # noqa: PLR2004 - success
    message = "this envelope holds no object of Swish"
    raise Unreadable(message)


def _created(members: Mapping[str, Any], status: int) -> Inspection:
    """Read the answer to a create, which is only headers."""
    headers = members_of(members.get("headers"))
    kind, _, uuid = str(headers.get("location", "")).rstrip("/").rpartition("/")
    kind = _KINDS.get(kind.rsplit("/", 1)[-1], "")
    if not kind:
        message = f"an answer {status} without a body, and without a Location that names what was made"
        raise Unreadable(message)
    token = " with a token for the app" if "paymentrequesttoken" in headers else ""
    return Inspection(
        kind=kind,
        provider_reference=uuid.upper(),
        state=PaymentState.PENDING,
        allowed_actions=tuple(sorted(ALLOWED[PaymentState.PENDING])) if kind == "payment" else (),
        note=f"the gateway made the {kind}{token}; read it to know its amount",
    )


def _object(members: Mapping[str, Any]) -> Inspection:
    lowered = members_of(members)
    names = set(lowered)
    if "amount" not in names and {"status", "payee"} <= names:
        return _consent(read(_wire.Consent, members))
    if isinstance(lowered.get("amount"), Mapping):
        return _charge(read(_wire.Charge, members))
    if "recurringisoffered" in names:
        offered = "offers" if lowered["recurringisoffered"] is True else "does not offer"
        return Inspection(kind="availability", note=f"Swish {offered} recurring payments to this payer (experimental)")
    if not {"status", "amount", "currency"} <= names:
        wrapped: Any = next((lowered[name] for name in _WRAPPERS if isinstance(lowered.get(name), dict | list)), None)
        if wrapped:
            listed = cast("list[object]", wrapped if isinstance(wrapped, list) else [wrapped])
            return _explained(_wire.problems_in(listed), 0)
        if "status" in names and names & _IN_SHORT:
            return _short(lowered)
        if "errorcode" in names:
            return _explained((_wire.problem_in(members),), 0)
        message = (
            "this is none of: a payment, refund or payout with status, amount and currency, a callback with one, "
            f"errors; its members are: {shown_members(members)}"
        )
        raise Unreadable(message)
    if "payoutinstructionuuid" in names:
        return _payout(read(_wire.Payout, members))
    if "originalpaymentreference" in names:
        return _refund(read(_wire.Refund, members))
    return _payment(read(_wire.Payment, members))


def _short(members: Mapping[str, Any]) -> Inspection:
    """Read an object that does not say how much: its amounts are not known, only its state."""
    is_payout = "payoutinstructionuuid" in members
    kind = "payout" if is_payout else "refund" if "originalpaymentreference" in members else "payment"
    state, is_known = state_of(read(_wire.Money, {**members, "amount": 0, "currency": "SEK"}))
    reference = members["payoutinstructionuuid" if is_payout else "id"]
    note = "it does not say how much: read the object to know its amount"
    return Inspection(
        kind=kind,
        provider_reference=str(reference).upper(),
        state=state if is_known else None,
        instrument=Instrument.SWISH.value,
        note=note if is_known else f"unknown status; {note}",
    )


def _sum(found: _wire.Money) -> int | None:
    """Return what the object moved; ``None`` while it leaves open whether anything moved."""
    state, is_known = state_of(found)
    if state is PaymentState.CAPTURED:
        return found.amount
    return 0 if is_known and state is not PaymentState.UNKNOWN else None


def _payment(payment: _wire.Payment) -> Inspection:
    state, is_known = state_of(payment)
    taken = _sum(payment)
    return Inspection(
        kind="payment",
        provider_reference=payment.id,
        state=state,
        authorized=taken,
        captured=taken,
        currency=payment.currency,
        instrument=Instrument.SWISH.value,
        decline=decline_in(payment),
        allowed_actions=tuple(sorted(ALLOWED.get(state, ()))),
        note=_note(payment, is_known=is_known),
    )


def _charge(charge: _wire.Charge) -> Inspection:
    """Read what was taken on a consent (experimental)."""
    state, is_known = charge_state(charge)
    taken = _sum(charge)
    return Inspection(
        kind="charge",
        provider_reference=charge.id or None,
        state=state,
        authorized=taken,
        captured=taken,
        currency=charge.currency,
        instrument=Instrument.SWISH.value,
        decline=decline_in(charge),
        note=_note(charge, is_known=is_known),
    )


def _consent(consent: _wire.Consent) -> Inspection:
    """Read a standing consent (experimental)."""
    state, is_known = consent_state(consent)
    method = method_of(consent.name or "?", consent.payer)
    seen = (MandateSeen(kind=method.kind.value, display=method.display, expires=""),)
    return Inspection(
        kind="consent",
        provider_reference=consent.name or None,
        state=state,
        instrument=Instrument.SWISH.value,
        mandates=seen if state is PaymentState.CAPTURED else (),
        note="" if is_known else f"unknown status {quoted(consent.status)}, taken for not signed yet",
    )


def _refund(refund: _wire.Refund) -> Inspection:
    state, is_known = state_of(refund)
    return Inspection(
        kind="refund",
        provider_reference=refund.id,
        state=state,
        refunded=_sum(refund),
        currency=refund.currency,
        instrument=Instrument.SWISH.value,
        decline=decline_in(refund),
        note=_note(refund, is_known=is_known),
    )


def _payout(payout: _wire.Payout) -> Inspection:
    state, is_known = state_of(payout)
    verb = "paid out" if state is PaymentState.CAPTURED else "asked to pay out"
    note = _note(payout, is_known=is_known)
    return Inspection(
        kind="payout",
        provider_reference=payout.payout_instruction_uuid,
        state=state,
        paid_out=_sum(payout),
        currency=payout.currency,
        instrument=Instrument.SWISH.value,
        decline=decline_in(payout),
        note=f"{verb}: {Money(payout.amount, payout.currency)}" + (f"; {note}" if note else ""),
    )


def _note(found: _wire.Money, *, is_known: bool) -> str:
    if not is_known:
        return f"unknown status {quoted(found.status)}, taken for pending"
    if state_of(found)[0] is PaymentState.UNKNOWN:
        return "it is not known whether money moved: look at the bank account"
    return ""


def _errors(body: bytes) -> Inspection:
    return _explained(_wire.read_problems(body), 0)


def _explained(problems: tuple[_wire.Problem, ...], status: int) -> Inspection:
    """Say what errors mean; ``status`` is 0 where the body alone was kept."""
    about_certificate = any(problem.error_code == "PA01" for problem in problems)
    refusal = Refusal("inspect", status or (403 if about_certificate else 422), problems, None)
    error = refusal.error()
    words = [text for _, text in error.problems] or [f"HTTP {status}"]
    if refusal.verdict is Verdict.DECLINE:
        state: PaymentState | None = PaymentState.DECLINED
    elif refusal.verdict in {Verdict.UNCERTAIN, Verdict.SEEN_BEFORE}:
        state, words = PaymentState.UNKNOWN, [*words, "what happened is unknown: look it up"]
    else:
        state, words = None, [*words, f"nothing happened: {refusal.verdict.name.lower()}", error.advice]
    return Inspection(
        kind="error", state=state, decline=refusal.decline, problems=error.problems, note="; ".join(words)
    )
