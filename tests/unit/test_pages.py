"""Links that a gateway's answer or a host's order hands to a payer's browser."""

from __future__ import annotations

from typing import Any

import pytest

from prenopay import Money, Order
from prenopay.errors import InvalidOrder
from prenopay.payments.pages import strange_page
from prenopay.provider import Created, Observation
from prenopay.testing.mock import Mock
from prenopay.values.links import is_app_link
from prenopay.values.payments import AppSwitch, PaymentState

RUN_BY_BROWSERS = (
    "javascript:alert(1)",
    "javascript://shop.example/%0aalert(1)",
    "JavaScript://shop.example/%0aalert(1)",
    "data:text/html,<script>",
    "data://x",
    "vbscript://x",
    "file:///etc/passwd",
    "blob://x",
    "view-source://x",
    "about:blank",
    "swish://pay me",
    "",
)
_SUMS = ("authorized", "captured", "refunded", "cancelled", "submitted", "fee", "discount")
_NOTHING: dict[str, Any] = dict.fromkeys(_SUMS, Money.zero("SEK"))
SEEN = Observation(provider_reference="1", state=PaymentState.PENDING, allowed_actions=frozenset(), **_NOTHING)
APPS = ("swish://paymentrequest?token=abc", "intent://pay#Intent;scheme=vipps;end", "com.example.app:/back")


@pytest.mark.parametrize("url", RUN_BY_BROWSERS)
def test_what_a_browser_runs_or_shows_by_itself_is_no_link_into_an_app(url: str) -> None:
    assert not is_app_link(url)
    gateway = Mock(account="mock").provider()
    switch = AppSwitch(token="t", app_url=url, qr_content="Dt")
    said = strange_page(gateway, Created(observation=SEEN, app_switch=switch))
    assert "opens no app" in said
    assert "alert" not in said
    for field in ("return_url", "cancel_url", "payment_page_url") if url else ():
        urls: dict[str, Any] = {"return_url": "https://shop.example/back", field: url}
        with pytest.raises(InvalidOrder) as refused:
            Order(amount=Money(100, "SEK"), description="A paper", **urls)
        assert refused.value.field == field


@pytest.mark.parametrize("url", APPS)
def test_the_link_of_an_app_is_one(url: str) -> None:
    assert is_app_link(url)
    Order(amount=Money(100, "SEK"), description="A paper", return_url=url)


def test_a_link_to_the_gateways_own_page_is_offered_too() -> None:
    gateway = Mock(account="mock").provider()
    for url, is_strange in (("https://mock.invalid/app", False), ("https://evil.example/app", True)):
        switch = AppSwitch(token="t", app_url=url, qr_content="Dt")
        assert bool(strange_page(gateway, Created(observation=SEEN, app_switch=switch))) is is_strange
