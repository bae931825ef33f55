"""What payers do with their phones, and what banks and time do to them."""

from __future__ import annotations

from typing import Final

from prenopay.testing.control import ControlRefused
from prenopay.testing.emulators.swish.codes import text_of
from prenopay.testing.emulators.swish.fields import age_on
from prenopay.testing.emulators.swish.notices import notify
from prenopay.testing.emulators.swish.objects import Item, Payment, Status
from prenopay.testing.emulators.swish.register import Register

__all__ = ["DEFAULT_PAYER", "PayerRefused", "PayerSide", "payer_code"]

DEFAULT_PAYER: Final = "46701740605"
"""Who scans when nobody says who; one of the numbers that are kept for stories (070-174 06 05 to 99)."""


class PayerRefused(ControlRefused):
    """No payer could do this now; the message says why."""


class PayerSide:
    """Acts on payment requests as the app, the bank and the clock do."""

    def __init__(self, register: Register) -> None:
        """Act on the requests of ``register``."""
        self._register = register

    def await_payer(self, payment: Payment) -> None:
        """Wait for the payer, who has so long; the simulator's payer acts without being asked."""
        behaviour = self._register.behaviour
        if behaviour.pays_itself_after is not None:
            self._register.later(behaviour.pays_itself_after, lambda: self._pay(payment))
        self._register.later(behaviour.gives_up_after, lambda: self._end(payment, "TM01"))

    def scan(self, payment: Payment, msisdn: str) -> None:
        """Open a request by its token; from then on the merchant sees whose phone it is."""
        self._check_can_act(payment)
        if payment.token:
            payment.payer = msisdn
        elif payment.payer != msisdn:
            message = "this request was sent to another number"
            raise PayerRefused(message)

    def approve(self, payment: Payment, *, msisdn: str = "", failing: str = "") -> None:
        """Sign with BankID; the request is paid, or ends as ``failing`` or as its message says."""
        self._check_can_act(payment)
        if payment.token:
            payment.payer = msisdn or payment.payer or DEFAULT_PAYER
        payment.ends_as = failing or payment.ends_as
        self._pay(payment)

    def decline(self, payment: Payment) -> None:
        """Say no in the app."""
        self._check_can_act(payment)
        payment.status = Status.DECLINED
        notify(self._register, payment)

    def fail(self, item: Item, code: str) -> None:
        """End whatever is open with a code, as banks do."""
        if item.status.is_final:
            message = f"{item.id} is {item.status} already"
            raise PayerRefused(message)
        if text_of(code) == code:
            message = f"there is no code {code!r}"
            raise PayerRefused(message)
        self._finish_as(item, code)

    def _check_can_act(self, payment: Payment) -> None:
        if payment.status is not Status.CREATED:
            message = f"{payment.id} is {payment.status} already"
            raise PayerRefused(message)
        if self._register.now() > payment.created + self._register.behaviour.payer_may_act_for:
            message = f"{payment.id} waited too long for the payer"
            raise PayerRefused(message)

    def _pay(self, payment: Payment) -> None:
        if payment.status is not Status.CREATED:
            return
        known = self._register.payers.get(payment.payer)
        enrolled = "" if known is None or known.is_enrolled else "ACMT03"
        code = payment.ends_as or enrolled or payer_code(self._register, payment)
        if code:
            self._finish_as(payment, code)
            return
        payment.status, payment.paid = Status.PAID, self._register.now()
        notify(self._register, payment)

    def _end(self, payment: Payment, code: str) -> None:
        if payment.status is Status.CREATED:
            self._finish_as(payment, code)

    def _finish_as(self, item: Item, code: str) -> None:
        item.status, item.error_code = Status.ERROR, code
        notify(self._register, item)


def payer_code(register: Register, payment: Payment) -> str:
    """Return why this payer may not pay (VR01, VR02), where the payer is known; empty for no reason."""
    known = register.payers.get(payment.payer)
    ssn = known.ssn if known is not None else payment.payer_ssn
    if known is not None and known.ssn and payment.payer_ssn and known.ssn != payment.payer_ssn:
        return "VR02"
    too_young = payment.age_limit is not None and ssn and age_on(ssn, register.now().date()) < payment.age_limit
    return "VR01" if too_young else ""
