"""How every request of an account looks: headers, the API's version, and what answers are to hold."""

from __future__ import annotations

from typing import Final

from prenopay.ports import HttpRequest
from prenopay.providers.swedbankpay.config import SwedbankPay

__all__ = ["ORDERS", "Calls", "expanded"]

ORDERS: Final = "/psp/paymentorders"
"""The one path that is known; every other stands in an answer."""
_VERSIONED: Final = "application/json;version=3.1"
_ACCEPT: Final = "application/json;version=3.1, application/problem+json;q=0.9"
_EXPAND: Final = (
    "$expand=payeeinfo,paid,cancelled,reversed,failed,aborted,failedattempts,"
    "financialtransactions,postpurchasefailedattempts"
)


class Calls:
    """Writes requests of one account."""

    def __init__(self, config: SwedbankPay) -> None:
        """Speak with the token of ``config``."""
        self._headers = (
            ("authorization", f"Bearer {config.access_token.reveal()}"),
            ("accept", _ACCEPT),
            ("content-type", _VERSIONED),
            ("user-agent", "prenopay"),
        )

    def request(
        self,
        method: str,
        url: str,
        label: str,
        body: bytes = b"",
        *,
        retry_safe: bool = False,
    ) -> HttpRequest:
        """Return the request; ``label`` is what logs and errors call it."""
        return HttpRequest(
            method=method,
            url=url,
            label=label,
            headers=self._headers,
            body=body,
            retry_safe=retry_safe,
        )


def expanded(url: str) -> str:
    """Return ``url`` asking for everything an order has to tell; it works on every method."""
    return f"{url}{'&' if '?' in url else '?'}{_EXPAND}"
