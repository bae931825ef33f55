"""What the settings of every gateway that is called over HTTP have in common."""

from __future__ import annotations

from dataclasses import fields as fields_of
from typing import Any

import pytest
from examples.own_provider.provider import Nordpay

from prenopay import Environment, Secret
from prenopay.errors import ConfigurationError
from prenopay.providers.swedbankpay import RepeatedReference, SwedbankPay
from prenopay.providers.swish import Swish
from prenopay.testing.mock import Mock
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


def demo(**changes: Any) -> Nordpay:
    values: dict[str, Any] = {"account": "demo", "environment": Environment.TEST, "api_key": Secret("k")}
    return Nordpay(**(values | changes))


def mock(**changes: Any) -> Mock:
    return Mock(**({"account": "mock"} | changes))


_EVERY_FIELD = [
    pytest.param(make, each.name, id=f"{kind.__name__}-{each.name}")
    for make, kind in ((swedbankpay.config, SwedbankPay), (swish.config, Swish), (demo, Nordpay), (mock, Mock))
    for each in fields_of(kind)
]


@pytest.mark.parametrize(("make", "name"), _EVERY_FIELD)
def test_every_setting_of_another_type_is_refused_by_name(make: Any, name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^account .*: {name}: must be .*[,;] not object"):
        make(**{name: object()})


def test_an_environment_given_as_text_guards_as_the_environment_does() -> None:
    with pytest.raises(ConfigurationError, match=r"a production account cannot be pointed at '127.0.0.1'"):
        swedbankpay.config(environment="production", base_url="http://127.0.0.1:8765")
    with pytest.raises(ConfigurationError, match=r"a production account cannot be pointed at '127.0.0.1'"):
        swish.config(environment="production", base_url="http://127.0.0.1:8765")
    assert swedbankpay.config(environment="production").environment is Environment.PRODUCTION


@pytest.mark.parametrize("wrong", ["tst", "", "TEST ", None, 1])
@pytest.mark.parametrize("config", [swedbankpay.config, swish.config, demo, mock])
def test_an_unknown_environment_is_refused_and_the_known_ones_are_named(config: Any, wrong: object) -> None:
    with pytest.raises(ConfigurationError, match="environment: must be Environment: one of test, production; not"):
        config(environment=wrong)


def test_a_secret_given_as_text_becomes_one() -> None:
    made = swedbankpay.config(access_token="plain-token")
    assert made.access_token == Secret("plain-token")
    assert "plain-token" not in repr(made)
    with pytest.raises(ConfigurationError, match="access_token: must not be empty"):
        swedbankpay.config(access_token="")


def test_other_settings_with_one_meaning_are_converted() -> None:
    made = swedbankpay.config(repeated_reference="refused", host_urls=["https://shop.example"], deadline_seconds=5)
    assert made.repeated_reference is RepeatedReference.REFUSED
    assert made.host_urls == ("https://shop.example",)
    with pytest.raises(ConfigurationError, match=r"host_urls: must be a tuple or list: .*brackets"):
        swedbankpay.config(host_urls="https://shop.example")
