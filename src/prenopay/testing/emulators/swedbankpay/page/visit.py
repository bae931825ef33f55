"""One look at a payment page: whose order, in which language, and inside whose frame."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from prenopay.testing.emulators.jsonvalues import JsonObject, as_list
from prenopay.testing.emulators.swedbankpay.calls import PAGE_PATH
from prenopay.testing.emulators.swedbankpay.instruments import Instrument
from prenopay.testing.emulators.swedbankpay.orders import PaymentOrder
from prenopay.testing.emulators.swedbankpay.page.texts import Texts, money_text, texts_for

__all__ = ["Visit", "host_origins"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What every link on the page carries along. ``host`` is the origin of the framing page, if there is one."""

    order: PaymentOrder
    culture: str = ""
    host: str = ""

    @classmethod
    def of(cls, order: PaymentOrder, query: dict[str, str]) -> Visit:
        """Return the visit that a request's query describes."""
        return cls(order=order, culture=query.get("culture", ""), host=query.get("host", ""))

    @property
    def texts(self) -> Texts:
        """The page's language: the order's, unless the visit asks for another."""
        return texts_for(self.culture or self.order.text("language"))

    @property
    def merchant(self) -> str:
        """The name the payer knows the merchant by."""
        return self.order.part_text("payeeInfo", "payeeName") or self.order.merchant.name

    @property
    def is_framed(self) -> bool:
        """Whether the page stands inside a merchant's."""
        return bool(self.host)

    @property
    def may_be_shown(self) -> bool:
        """Whether the framing page is one that the order names."""
        return not self.host or self.host in host_origins(self.order)

    @property
    def price(self) -> str:
        """The order's amount."""
        return self.money(self.order.amount)

    def money(self, amount: int) -> str:
        """Return an amount in the order's currency."""
        return money_text(amount, self.order.text("currency"), self.texts)

    def method(self, instrument: Instrument) -> str:
        """Return what people call an instrument."""
        return self.texts.methods.get(instrument.name, instrument.name)

    def href(self, path: str = "", **parameters: str) -> str:
        """Return a link to a part of this order's page."""
        carried = {"culture": self.culture, "host": self.host} | parameters
        query = urlencode({key: value for key, value in carried.items() if value})
        return f"{PAGE_PATH}/{self.order.page_token}{path}{'?' if query else ''}{query}"

    def event(self, name: str, **extra: str) -> JsonObject:
        """Return an event for the framing page."""
        return {"event": name, **extra}


def host_origins(order: PaymentOrder) -> tuple[str, ...]:
    """Return the origins that may frame the order's page."""
    urls = as_list(order.part("urls").get("hostUrls")) or []
    parts = (urlsplit(str(url)) for url in urls)
    return tuple(f"{part.scheme}://{part.netloc}" for part in parts)
