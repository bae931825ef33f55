"""How a test's payer acts at the emulators: by card at Swedbank Pay's page, in the app at Swish."""

from __future__ import annotations

from typing import Final

from prenopay.testing.emulators.swedbankpay import TEST_CARDS, PayerAnswer, SwedbankPayEmulator
from prenopay.testing.emulators.swish import SwishEmulator

__all__ = ["SwedbankPayPayer", "SwishPayer"]

_CONSENT: Final = "consent:"
"""How prenopay names a standing consent of Swish, which is signed where a payment is paid."""
_ASKING_CARD: Final = next(card for card in TEST_CARDS if card.is_challenged)


class SwedbankPayPayer:
    """Pays by card on the emulated payment page of Swedbank Pay."""

    def __init__(self, emulator: SwedbankPayEmulator) -> None:
        """Pay at ``emulator``."""
        self._emulator = emulator

    def approve(self, payment: str) -> None:
        """Pay by a test card."""
        self._emulator.pay_by_card(payment)

    def decline(self, payment: str) -> None:
        """Say no to 3-D Secure; the page stays open for another try."""
        self._emulator.pay_by_card(payment, pan=_ASKING_CARD.number, answer=PayerAnswer.DECLINE)

    def wait(self, payment: str) -> None:
        """Leave the bank's question open, for at most fifteen minutes."""
        self._emulator.pay_by_card(payment, pan=_ASKING_CARD.number, answer=PayerAnswer.LEAVE)

    def vanish(self, payment: str) -> None:
        """Open the page and close the browser."""
        self._emulator.walk_away(payment)


class SwishPayer:
    """Pays in the app of the emulated Swish."""

    def __init__(self, emulator: SwishEmulator) -> None:
        """Pay at ``emulator``."""
        self._emulator = emulator

    def approve(self, payment: str) -> None:
        """Sign a payment, or a standing consent, with BankID."""
        if payment.startswith(_CONSENT):
            self._emulator.sign_consent(payment.removeprefix(_CONSENT))
        else:
            self._emulator.approve(payment)

    def decline(self, payment: str) -> None:
        """Say no in the app: the payment, or the consent, has ended."""
        if payment.startswith(_CONSENT):
            self._emulator.sign_consent(payment.removeprefix(_CONSENT), agrees=False)
        else:
            self._emulator.decline(payment)

    def wait(self, payment: str) -> None:
        """Leave the app open; Swish gives up after some minutes of the virtual clock."""
        self._look(payment)

    def vanish(self, payment: str) -> None:
        """Put the phone away."""
        self._look(payment)

    def _look(self, payment: str) -> None:
        """Open the app; raises ``ControlRefused`` where there is nothing to see."""
        if payment.removeprefix(_CONSENT) not in {consent.id for consent in self._emulator.consents}:
            self._emulator.payment(payment)
