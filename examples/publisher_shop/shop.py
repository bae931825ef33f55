"""What every page shares: the shop's orders, prenopay's accounts, and the shop's address."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from starlette.requests import HTTPConnection

from examples.publisher_shop.fee_book import Fees
from examples.publisher_shop.orders import Orders
from examples.publisher_shop.sessions import Sessions
from prenopay import AsyncAccounts, AsyncPayments, Instrument
from prenopay.errors import NotFound
from prenopay.providers.swedbankpay import SwedbankPayProvider
from prenopay.providers.swish import SwishProvider

Cards = AsyncPayments[SwedbankPayProvider]
OwnSwish = AsyncPayments[SwishProvider]


@dataclass(frozen=True, kw_only=True)
class Shop:
    """The shop: ``cards`` is its agreement with Swedbank Pay, ``swish`` its own Swish number, if it has one.

    ``is_demo`` says that no real money moves, so the staff's password may be shown. ``emulated_phone`` is then
    the address of a page that replaces the reader's phone. ``saves_cards`` is true if there is a key to seal cards.
    """

    url: str
    orders: Orders
    accounts: AsyncAccounts
    cards: Cards
    swish: OwnSwish | None
    staff_password: str = field(repr=False)
    sessions: Sessions
    is_demo: bool
    emulated_phone: str
    fees: Fees
    saves_cards: bool
    now: Callable[[], datetime]

    @classmethod
    def of(cls, request: HTTPConnection) -> Shop:
        """Return the shop that serves ``request``."""
        shop = request.app.state.shop
        if not isinstance(shop, cls):
            raise TypeError(shop)
        return shop

    def payments_by(self, instrument: str) -> Cards | OwnSwish:
        """Return the account that collects: Swish goes to the newspaper's own number, if it has one."""
        return self.swish if self.swish is not None and instrument == Instrument.SWISH else self.cards

    def payments_of(self, account: str | None) -> Cards | OwnSwish:
        """Return the account of that name; raises ``NotFound``."""
        for payments in (self.cards, self.swish):
            if payments is not None and payments.account == account:
                return payments
        message = f"the shop has no account {account!r}"
        raise NotFound(message)
