"""One host process: accounts over the books and the gateways, in fair weather or foul. It dies with a crash."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Final, TypeAlias

from prenopay.accounts.accounts import AsyncAccounts
from prenopay.books.vault import Vault
from prenopay.payments.use_cases import AsyncPayments
from prenopay.ports import HttpSender, Ledger
from prenopay.provider import Environment, Inspection, ProviderConfig, Secret
from prenopay.providers.swedbankpay import RepeatedReference, SwedbankPay
from prenopay.providers.swedbankpay.provider import SwedbankPayProvider
from prenopay.providers.swish import Swish
from prenopay.providers.swish.provider import SwishProvider
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swedbankpay import Merchant
from prenopay.testing.emulators.swish import DEFAULT_NUMBER, IssuedCertificate, SwishAuthority
from prenopay.testing.simulation.gateways import CARD_ACCOUNTS, CARDS, OTHER_CARDS, SWISH
from prenopay.values.callbacks import CallbackUrls
from prenopay.values.events import AsyncEventHandler

__all__ = ["MERCHANTS", "SECRETS", "Account", "Process", "SeededEntropy", "authority", "start"]

_CALLBACK_KEY: Final = "a-key-for-the-simulation-that-is-long-enough"
_SEALING_KEY: Final = "a-key-that-seals-tokens-for-the-simulation"
MERCHANTS: Final = {
    CARDS: Merchant(),
    OTHER_CARDS: Merchant(
        payee_id="5e1f0000-0000-4000-8000-00000000e1f1",
        access_token="emulator-second-key",  # noqa: S106 - opens nothing but this emulator
        name="Emulerad tidning",
    ),
}
"""Who has an agreement about cards, by account."""
SECRETS: Final = (_CALLBACK_KEY, _SEALING_KEY, *(merchant.access_token for merchant in MERCHANTS.values()))
"""What the processes are given and must never show."""
_KEY_SIZE: Final = 2048

Account: TypeAlias = AsyncPayments[SwedbankPayProvider] | AsyncPayments[SwishProvider]


class SeededEntropy:
    """Randomness that is the same each time."""

    def __init__(self, chance: Random) -> None:
        """Draw from ``chance``."""
        self._chance = chance

    def token_bytes(self, count: int) -> bytes:
        """Return ``count`` bytes that a seed decides."""
        return self._chance.randbytes(count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One running process; an account that this world has none of is ``None``."""

    accounts: AsyncAccounts
    cards: Mapping[str, AsyncPayments[SwedbankPayProvider]]
    """The accounts that take cards, by name."""
    swish: AsyncPayments[SwishProvider] | None

    def account(self, name: str) -> Account:
        """Return the use cases of an account."""
        if name in self.cards:
            return self.cards[name]
        assert self.swish is not None, f"this world has no account {name}"
        return self.swish


@functools.cache
def authority() -> SwishAuthority:
    """Return the one authority of the process; its keys take a while to make."""
    return SwishAuthority()


@functools.cache
def _certificate() -> IssuedCertificate:
    return authority().issue(DEFAULT_NUMBER, key_size=_KEY_SIZE)


@functools.cache
def _swish() -> SwishProvider:
    """Return the one provider for every process: it keeps no state, and reading its key is slow on purpose."""
    issued = _certificate()
    config = Swish(
        account=SWISH,
        environment=Environment.TEST,
        number=DEFAULT_NUMBER,
        certificate=issued.chain_pem,
        private_key=issued.key_pem,
    )
    return config.provider()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready(ProviderConfig[SwishProvider]):
    """Settings whose provider is there already."""

    def provider(self) -> SwishProvider:
        """Return it."""
        return _swish()

    @classmethod
    def inspect(cls, body: bytes) -> Inspection:
        """Read a body as Swish's own settings do."""
        return Swish.inspect(body)


def start(
    *,
    ledger: Ledger,
    sender: HttpSender,
    clock: VirtualClock,
    entropy: Random,
    on_event: AsyncEventHandler,
    names: frozenset[str],
    repeated: RepeatedReference,
) -> Process:
    """Start a process with the accounts in ``names``."""
    accounts = AsyncAccounts(
        ledger=ledger,
        sender=sender,
        clock=clock,
        entropy=SeededEntropy(entropy),
        callback_urls=CallbackUrls("https://shop.example/callbacks", [_CALLBACK_KEY]),
        on_event=on_event,
        vault=Vault([_SEALING_KEY]),
    )
    cards = {
        name: SwedbankPay(
            account=name,
            environment=Environment.TEST,
            payee_id=MERCHANTS[name].payee_id,
            access_token=Secret(MERCHANTS[name].access_token),
            repeated_reference=repeated,
        )
        for name in CARD_ACCOUNTS
        if name in names
    }
    return Process(
        accounts=accounts,
        cards={name: accounts.add(config) for name, config in cards.items()},
        swish=accounts.add(_Ready(account=SWISH, environment=Environment.TEST)) if SWISH in names else None,
    )
