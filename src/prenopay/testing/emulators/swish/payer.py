"""What payers do on their phones, and how banks and timeouts end what they do."""

from __future__ import annotations

from typing import Final

from prenopay._arguments import check_arguments, refuse_misuse
from prenopay.testing.control import PayerRefused
from prenopay.testing.emulators.swish.documents import notify
from prenopay.testing.emulators.swish.problems import text_of
from prenopay.testing.emulators.swish.register import Item, Payment, PaymentRecord, Register, Status, payment_record
from prenopay.testing.emulators.swish.requests import age_on

DEFAULT_PAYER: Final = "46701740605"
"""The default payer; one of the numbers that are reserved for fiction (070-174 06 05 to 99)."""


@check_arguments(refuse_misuse, any_text=True)
class Payer:
    """Acts on payment requests and consents as the app and the bank do; raises ``PayerRefused``."""

    _register: Register

    def scan(self, payment: str, msisdn: str = DEFAULT_PAYER) -> PaymentRecord:
        """Open a request by its token, from the phone with this number; then the merchant sees the number."""
        with self._register.lock:
            found = self._actable(payment)
            if found.token:
                found.payer = msisdn or DEFAULT_PAYER
            elif found.payer != (msisdn or DEFAULT_PAYER):
                message = "this request was sent to another number"
                raise PayerRefused(message)
            return payment_record(found)

    def approve(self, payment: str, *, msisdn: str = "", failing: str = "") -> PaymentRecord:
        """Sign with BankID; the payment is paid, or the bank ends it as ``failing``."""
        with self._register.lock:
            found = self._actable(payment)
            if found.token:
                found.payer = msisdn or found.payer or DEFAULT_PAYER
            found.ends_as = failing or found.ends_as
            _pay(self._register, found)
            return payment_record(found)

    def decline(self, payment: str) -> PaymentRecord:
        """Say no in the app."""
        with self._register.lock:
            found = self._actable(payment)
            found.status = Status.DECLINED
            notify(self._register, found)
            return payment_record(found)

    def fail(self, item: str, code: str) -> None:
        """End an open payment, refund or payout with ``code``."""
        with self._register.lock:
            found = self._register.find_any(item)
            if found.status.is_final:
                message = f"{found.id} is {found.status} already"
                raise PayerRefused(message)
            if text_of(code) == code:
                message = f"there is no code {code!r}"
                raise PayerRefused(message)
            _finish_as(self._register, found, code)

    def sign_consent(self, consent: str, *, msisdn: str = "", agrees: bool = True) -> str:
        """Answer a consent, named by id or token; returns its state."""
        with self._register.lock:
            self._register.settle()
            named = (each for each in self._register.consents.values() if consent in {each.id, each.token})
            found = next(named, None)
            if found is None or found.status != "PENDING":
                message = f"there is no consent {consent!r} that waits for a payer"
                raise PayerRefused(message)
            found.payer = found.payer or msisdn or DEFAULT_PAYER
            found.status = "ACTIVE" if agrees else "DECLINED"
            notify(self._register, found)
            return found.status

    def refuse_consent(self, consent: str, *, msisdn: str = "") -> str:
        """Say no to a consent; returns its state."""
        return self.sign_consent(consent, msisdn=msisdn, agrees=False)

    def revoke_consent(self, consent: str) -> str:
        """Take a signed consent back in the app; returns its state. Swish tells the merchant."""
        with self._register.lock:
            found = self._register.consents.get(consent)
            if found is None or found.status != "ACTIVE":
                message = f"there is no signed consent {consent!r}"
                raise PayerRefused(message)
            found.status = "REVOKED"
            notify(self._register, found)
            return found.status

    def _actable(self, name: str) -> Payment:
        payment = self._register.find(name)
        if payment.status is not Status.CREATED:
            message = f"{payment.id} is {payment.status} already"
            raise PayerRefused(message)
        if self._register.now() > payment.created + self._register.behaviour.payer_may_act_for:
            message = f"{payment.id} waited too long for the payer"
            raise PayerRefused(message)
        return payment


def await_payer(register: Register, payment: Payment) -> None:
    """Wait for the payer, for a limited time; the simulator's payments pay themselves."""
    behaviour = register.behaviour
    if behaviour.pays_itself_after is not None:
        register.later(behaviour.pays_itself_after, lambda: _pay(register, payment))
    register.later(behaviour.gives_up_after, lambda: _give_up(register, payment))


def payer_code(register: Register, payment: Payment) -> str:
    """Return why this payer may not pay (VR01, VR02), where the payer is known; empty for no reason."""
    known = register.payers.get(payment.payer)
    ssn = known.ssn if known is not None else payment.payer_ssn
    if known is not None and known.ssn and payment.payer_ssn and known.ssn != payment.payer_ssn:
        return "VR02"
    too_young = payment.age_limit is not None and ssn and age_on(ssn, register.now().date()) < payment.age_limit
    return "VR01" if too_young else ""


def _pay(register: Register, payment: Payment) -> None:
    if payment.status is not Status.CREATED:
        return
    known = register.payers.get(payment.payer)
    enrolled = "" if known is None or known.is_enrolled else "ACMT03"
    code = payment.ends_as or enrolled or payer_code(register, payment)
    if code:
        _finish_as(register, payment, code)
        return
    payment.status, payment.paid = Status.PAID, register.now()
    notify(register, payment)


def _give_up(register: Register, payment: Payment) -> None:
    if payment.status is Status.CREATED:
        _finish_as(register, payment, "TM01")


def _finish_as(register: Register, item: Item, code: str) -> None:
    item.status, item.error_code = Status.ERROR, code
    notify(register, item)
