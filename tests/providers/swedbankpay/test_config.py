"""An account that cannot work is refused when it is made, and its token can only go home."""

from __future__ import annotations

from typing import Any

import pytest

from prenopay import Secret
from prenopay.errors import ConfigurationError
from prenopay.provider import Environment, PaymentProvider, ReferenceAlphabet
from prenopay.providers.swedbankpay import ReferenceFormat, RepeatedReference

from .samples import TOKEN, config, provider

_TEST_HOSTS = frozenset({"api.externalintegration.payex.com", "api.externalintegration.swedbankpay.com"})
_PRODUCTION_HOSTS = frozenset({"api.payex.com", "api.swedbankpay.com"})


_LIVE = {"environment": Environment.PRODUCTION}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"payee_id": ""}, "payee_id must be the merchant's GUID"),
        ({"payee_id": "7f3c9a10-1b2c-4d5e-8f90-a1b2c3d4e5f6 "}, "payee_id must be the merchant's GUID"),
        *(
            ({"access_token": Secret(wrong)}, "access_token holds characters that no token has")
            for wrong in ("två ord", "tökén", '"quoted"', "line\n")
        ),
        (
            {"repeated_reference": "replayed"},
            "repeated_reference: must be RepeatedReference: one of unknown, refused; not 'replayed'",
        ),
        ({"base_url": "https://api.payex.com"}, "a test account cannot reach the production host"),
        ({"base_url": "https://API.swedbankpay.com"}, "a test account cannot reach the production host"),
        ({**_LIVE, "base_url": "http://127.0.0.1:8001"}, "a production account cannot be pointed at '127.0.0.1'"),
        (
            {**_LIVE, "base_url": "https://api.externalintegration.payex.com"},
            "a production account cannot be pointed at",
        ),
    ],
)
def test_an_account_that_cannot_work_says_why(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        config(**fields)


def test_an_account_is_careful_by_default() -> None:
    made = config()
    assert TOKEN not in repr(made)
    assert (made.payer_api, made.repeated_reference) == (True, RepeatedReference.UNKNOWN)
    assert not made.hosts & config(**_LIVE).hosts


@pytest.mark.parametrize(
    ("fields", "url", "hosts"),
    [
        ({}, "https://api.externalintegration.payex.com", _TEST_HOSTS),
        ({"environment": Environment.PRODUCTION}, "https://api.payex.com", _PRODUCTION_HOSTS),
        ({"base_url": "http://127.0.0.1:8001/"}, "http://127.0.0.1:8001", frozenset({"127.0.0.1:8001"})),
        ({"base_url": "https://Emulator.example"}, "https://Emulator.example", frozenset({"emulator.example"})),
        (
            {"base_url": "https://api.externalintegration.swedbankpay.com"},
            "https://api.externalintegration.swedbankpay.com",
            _TEST_HOSTS,  # the links in answers carry either brand
        ),
        (
            {"environment": Environment.PRODUCTION, "base_url": "https://api.swedbankpay.com"},
            "https://api.swedbankpay.com",
            _PRODUCTION_HOSTS,
        ),
    ],
)
def test_an_account_calls_one_url_and_trusts_its_own_hosts(
    fields: dict[str, Any], url: str, hosts: frozenset[str]
) -> None:
    made = config(**fields)
    assert (url, hosts) == (made.api_url, made.hosts)


@pytest.mark.parametrize("environment", [Environment.TEST, Environment.PRODUCTION])
@pytest.mark.parametrize("payer_api", [True, False])
def test_stored_methods_live_on_a_host_of_the_accounts_own(
    environment: Environment,
    payer_api: bool,  # noqa: FBT001 - a case
) -> None:
    made = config(environment=environment, payer_api=payer_api)
    assert made.tokens_url.removeprefix("https://") in made.hosts
    assert payer_api == (made.tokens_url != made.api_url)


@pytest.mark.parametrize(
    ("chosen", "alphabet", "length"),
    [
        (ReferenceFormat.ALPHANUMERIC_30, ReferenceAlphabet.CAPITALS_AND_DIGITS, 30),
        (ReferenceFormat.ALPHANUMERIC_50, ReferenceAlphabet.CAPITALS_AND_DIGITS, 50),
        (ReferenceFormat.DIGITS_12, ReferenceAlphabet.DIGITS, 12),
    ],
)
def test_references_look_as_the_agreement_wants(
    chosen: ReferenceFormat,
    alphabet: ReferenceAlphabet,
    length: int,
) -> None:
    rule = provider(reference_format=chosen).limits.reference
    assert (alphabet, length) == (rule.alphabet, rule.length)


def test_the_provider_says_what_it_is() -> None:
    made = provider(deadline_seconds=7.5)
    assert isinstance(made, PaymentProvider)
    expected = ("swedbankpay", 7.5, None, frozenset({"SEK", "NOK", "DKK", "EUR"}))
    limits = made.limits
    assert expected == (made.name, limits.deadline_seconds, limits.resend_window, limits.currencies)
