"""What every page shares: the shop's orders, prenopay's accounts, and where the shop is."""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.requests import HTTPConnection

from examples.publisher_shop.orders import Orders
from prenopay import AsyncAccounts, AsyncPayments
from prenopay.providers.swedbankpay import SwedbankPayProvider


@dataclass(frozen=True, kw_only=True)
class Shop:
    """The shop. ``is_demo`` says that no real money moves, so the staff's password may be shown."""

    url: str
    orders: Orders
    accounts: AsyncAccounts
    payments: AsyncPayments[SwedbankPayProvider]
    staff_password: str = field(repr=False)
    session_key: bytes = field(repr=False)
    is_demo: bool

    @classmethod
    def of(cls, request: HTTPConnection) -> Shop:
        """Return the shop that serves ``request``."""
        shop = request.app.state.shop
        if not isinstance(shop, cls):
            raise TypeError(shop)
        return shop
