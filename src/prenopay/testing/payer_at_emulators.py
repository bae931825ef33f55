"""How a test's payer acts at the emulators: by card at Swedbank Pay's page, in the app at Swish."""

from __future__ import annotations

from typing import Final

from prenopay.testing.emulators.swedbankpay import TEST_CARDS, PayerAnswer, SwedbankPayEmulator
from prenopay.testing.emulators.swish import SwishEmulator

__all__ = ["SwedbankPayPayer", "SwishPayer"]

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
        """Sign with BankID."""
        self._emulator.approve(payment)

    def decline(self, payment: str) -> None:
        """Say no in the app: the payment has ended."""
        self._emulator.decline(payment)

    def wait(self, payment: str) -> None:
        """Leave the app open; Swish gives up after some minutes of the virtual clock."""
        self._emulator.payment(payment)

    def vanish(self, payment: str) -> None:
        """Put the phone away."""
        self._emulator.payment(payment)
