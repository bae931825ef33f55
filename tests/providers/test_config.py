"""What the settings of every gateway that is called over HTTP have in common."""

from __future__ import annotations

from typing import Any

import pytest

from prenopay.errors import ConfigurationError
from tests.providers.swedbankpay import samples as swedbankpay
from tests.providers.swish import samples as swish

_WRONG: list[tuple[dict[str, Any], str]] = [
    *(({"account": name}, "account: use 1 to 60") for name in ("", "a/b", "tidning å", "x" * 61)),
    *(
        ({"deadline_seconds": wrong}, "deadline_seconds must be a number more than zero")
        for wrong in (0, -1, float("nan"), float("inf"))
    ),
    ({"callback_sources": ("20.91.170.121/29",)}, "callback_sources: '20.91.170.121/29' is not a network"),
    ({"trusted_proxies": ("proxy",)}, "trusted_proxies: 'proxy' is not a network"),
    *(
        ({"base_url": wrong}, "base_url must be like")
        for wrong in (
            *("shop.example", "ftp://127.0.0.1", "https://"),
            *("https://u:p@emulator.example", "https://emulator.example?x=1"),
        )
    ),
    ({"base_url": "https://[broken"}, "base_url: Invalid IPv6 URL"),
    ({"base_url": "http://emulator.example"}, "base_url must use https, or be on this machine"),
]


@pytest.mark.parametrize(("fields", "why"), _WRONG)
@pytest.mark.parametrize("config", [swedbankpay.config, swish.config], ids=["swedbankpay", "swish"])
def test_an_account_that_cannot_work_says_why(config: Any, fields: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        config(**fields)


@pytest.mark.parametrize("config", [swedbankpay.config, swish.config], ids=["swedbankpay", "swish"])
def test_an_account_may_have_any_plain_name_and_a_local_gateway(config: Any) -> None:
    made = config(account="Paper-1_b.c", base_url="http://127.0.0.1:8001/")
    assert (made.account, made.api_url, made.hosts) == ("Paper-1_b.c", "http://127.0.0.1:8001", {"127.0.0.1:8001"})
