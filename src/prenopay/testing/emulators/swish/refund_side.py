"""What merchants do with refunds: make one, which then takes its time."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from prenopay.testing.emulators.jsonvalues import JsonObject
from prenopay.testing.emulators.swish.behaviour import RemainingStyle
from prenopay.testing.emulators.swish.codes import Call, provokes_later
from prenopay.testing.emulators.swish.fields import Fields
from prenopay.testing.emulators.swish.merchants import SwishMerchant
from prenopay.testing.emulators.swish.notices import notify
from prenopay.testing.emulators.swish.objects import Payment, Payout, Refund, Status
from prenopay.testing.emulators.swish.payment_side import acting_for, simulate
from prenopay.testing.emulators.swish.problems import Refusal, refuse
from prenopay.testing.emulators.swish.register import Register

__all__ = ["RefundSide", "run_its_course"]

_KNOWN: Final = frozenset({
    "payerPaymentReference",
    "originalPaymentReference",
    "callbackUrl",
    "callbackIdentifier",
    "payerAlias",
    "payeeAlias",
    "amount",
    "currency",
    "message",
})  # fmt: skip
_MONTHS: Final = 13
"""How long a payment can be refunded (merchants' manual, RF02)."""
_YEAR: Final = 12
_LAST_DAY: Final = 28


class RefundSide:
    """Makes refunds."""

    def __init__(self, register: Register) -> None:
        """Keep them in ``register``."""
        self._register = register

    def create(self, caller: SwishMerchant, request_id: str, body: JsonObject) -> Refund:
        """Make a refund of what ``originalPaymentReference`` names."""
        self._pace(caller)
        behaviour = self._register.behaviour
        fields = Fields(body, behaviour, Call.REFUND, known=_KNOWN)
        number = fields.text("payerAlias", "RP01", required=True)
        if number:
            acting_for(self._register, caller, number)
        refund = Refund(
            id=request_id,
            merchant=self._register.merchants.get(number, SwishMerchant(number=number, name=number)),
            original_reference=fields.text("originalPaymentReference", "RF02", required=True),
            callback_url=fields.callback_url(),
            payee=fields.msisdn("payeeAlias"),
            amount=fields.amount(),
            reference=fields.reference("payerPaymentReference"),
            message=fields.message(),
            callback_identifier=fields.callback_identifier(),
            created=self._register.now(),
            payment=None,
            payment_reference="",
            status=Status(behaviour.refund_first_state),
        )
        fields.currency()
        fields.refuse()
        simulate(self._register, refund.message, Call.REFUND)
        if behaviour.refunds_are_linked:
            refund.payment = self._refundable(refund)
            refund.payee = refund.payee or refund.payment.payer
        balance = self._register.balance(refund.merchant)
        if balance is not None and refund.amount > balance:
            refuse("AM04")
        refund.payment_reference = self._register.new_reference()
        refund.ends_as = provokes_later(refund.message, Call.REFUND) if behaviour.message_codes else ""
        self._register.refunds[refund.id] = refund
        if refund.payment is not None:
            refund.payment.refunds.append(refund)
        run_its_course(self._register, refund)
        return refund

    def _refundable(self, refund: Refund) -> Payment:
        """Return the payment, if it allows this refund."""
        payment = self._register.by_payment_reference(refund.original_reference)
        if payment is None or payment.paid is None or self._register.now() >= _months_later(payment.paid, _MONTHS):
            refuse("RF02")
        if payment.merchant.number != refund.merchant.number:
            refuse("RF03")
        if payment.merchant.organisation != refund.merchant.organisation:
            refuse("RF04")
        moved = self._register.handed_on.get(payment.payer)
        if moved is not None and moved >= payment.paid:
            refuse("RF06")
        known = self._register.payers.get(payment.payer)
        if known is not None and not known.is_enrolled:
            refuse("ACMT07", Call.REFUND)
        remaining = payment.amount - payment.refunded
        if refund.amount > remaining:
            style = self._register.behaviour.remaining
            refuse("RF08", Call.REFUND, information=_remaining_text(remaining, style))
        return payment

    def _pace(self, caller: SwishMerchant) -> None:
        """Ask a caller who hurries to wait, with 429."""
        pause, last = self._register.behaviour.refund_pause, self._register.last_refund.get(caller.number)
        now = self._register.now()
        if last is not None and now < last + pause:
            wait = max(1, int((last + pause - now).total_seconds()))
            raise Refusal(429, headers=(("retry-after", str(wait)),))
        self._register.last_refund[caller.number] = now


def run_its_course(register: Register, item: Refund | Payout) -> None:
    """Have money move: the merchant is debited, then the other side is paid; a callback tells of each."""
    behaviour = register.behaviour

    def debit() -> None:
        if item.status.is_final:
            return
        if item.ends_as:
            item.status, item.error_code = Status.ERROR, item.ends_as
        else:
            item.status = Status.DEBITED
            if isinstance(item, Payout):
                item.paid = register.now()
        notify(register, item)

    def settle() -> None:
        if item.status.is_final:
            return
        item.status, item.paid = Status.PAID, item.paid or register.now()
        notify(register, item)

    register.later(behaviour.debited_after, debit)
    register.later(behaviour.settled_after, settle)


def _remaining_text(remaining: Decimal, style: RemainingStyle) -> str | None:
    if style is RemainingStyle.NOTHING:
        return None
    return f"{remaining:.2f}" if style is RemainingStyle.AMOUNT else f"Remaining amount: {remaining:.2f} SEK"


def _months_later(moment: datetime, months: int) -> datetime:
    """Return the same day so many months later; from the 29th on, the 28th, for every month has one."""
    year, month = divmod(moment.month - 1 + months, _YEAR)
    return moment.replace(year=moment.year + year, month=month + 1, day=min(moment.day, _LAST_DAY))
