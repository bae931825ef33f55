"""What is good enough for emulators and not for money: an account in production is refused when it is added."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from prenopay import Accounts, Environment, Secret
from prenopay._keys import PUBLISHED
from prenopay.books.vault import Vault
from prenopay.errors import ConfigurationError
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.testing.emulators.swedbankpay.gateway import MERCHANTS
from prenopay.values.callbacks import CallbackUrls
from tests.tidy.sources import ROOT, python_files, text

from .shop import KEY, TOKEN_KEY

_GOOD: dict[str, Any] = {
    "callback_url": "https://shop.example/callbacks",
    "callback_keys": [KEY],
    "token_keys": [TOKEN_KEY],
}
_SAMPLE = "a-long-random-text-from-your-secret-store"


@dataclass(frozen=True, slots=True, kw_only=True)
class Careless(SwedbankPay):
    """An account whose author turned the checks of TLS off."""

    verify_mode: bool = True
    check_hostname: bool = True

    def tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.check_hostname = self.check_hostname
        context.verify_mode = ssl.CERT_REQUIRED if self.verify_mode else ssl.CERT_NONE
        return context


def _account(
    kind: type[SwedbankPay] = SwedbankPay, environment: Environment = Environment.PRODUCTION, **more: Any
) -> SwedbankPay:
    good: dict[str, Any] = {"payee_id": "00000000-1111-2222-3333-444444444444", "access_token": Secret("a-token")}
    return kind(account="cards", environment=environment, **(good | more))


@pytest.mark.parametrize(
    ("changes", "account", "word"),
    [
        ({"callback_url": "http://localhost:8000/callbacks"}, {}, "callback_url: .* https URL"),
        ({"callback_url": "https://127.0.0.1/callbacks"}, {}, "callback_url: .* https URL"),
        ({"callback_keys": [KEY, _SAMPLE]}, {}, "callback_keys holds a key of prenopay's docs"),
        ({"token_keys": [f"another-{_SAMPLE.removeprefix('a-')}"]}, {}, "token_keys holds a key of prenopay's docs"),
        ({}, {"kind": Careless, "verify_mode": False, "check_hostname": False}, "does not verify who answers"),
        ({}, {"kind": Careless, "check_hostname": False}, "does not verify who answers"),
        *(({}, {"payee_id": each.payee_id}, "payee_id is that of prenopay's emulator") for each in MERCHANTS),
        ({}, {"payee_id": MERCHANTS[0].payee_id.upper()}, "payee_id is that of prenopay's emulator"),
        *(({}, {"access_token": each.access_token}, "access_token is that of prenopay's em") for each in MERCHANTS),
    ],
)
def test_an_account_in_production_is_refused_where_one_in_test_is_not(
    sqlite_database: str, changes: dict[str, Any], account: Mapping[str, Any], word: str
) -> None:
    accounts = Accounts.open(sqlite_database, **(_GOOD | changes))
    with pytest.raises(ConfigurationError, match=word) as caught:
        accounts.add(_account(**account))
    assert _SAMPLE not in str(caught.value)
    assert accounts.names == ()
    accounts.add(_account(environment=Environment.TEST, **account))
    accounts.close()


def test_an_account_in_production_with_settings_of_its_own_is_added(sqlite_database: str) -> None:
    accounts = Accounts.open(sqlite_database, **_GOOD)
    assert accounts.add(_account(Careless)).account == "cards"
    accounts.close()


def test_a_gateway_that_would_see_no_certificate_is_refused(sqlite_database: str) -> None:
    accounts = Accounts.open(sqlite_database, **_GOOD)
    plain: dict[str, Any] = {"kind": Careless, "environment": Environment.TEST, "base_url": "http://127.0.0.1:8001"}
    with pytest.raises(ConfigurationError, match=r"'cards': base_url must use https: .* certificate"):
        accounts.add(_account(**plain))
    accounts.close()


@pytest.mark.parametrize("key", ["a" * 40, "ab" * 20, "1234567" * 6, "change-me!" * 4, "abcdefgh" * 4])
def test_keys_that_can_be_guessed_are_refused_everywhere(key: str) -> None:
    for make in (lambda keys: CallbackUrls("https://shop.example/callbacks", keys), Vault):
        with pytest.raises(ConfigurationError, match=r"_keys\[1\] .* guessed; make one with") as caught:
            make([KEY, key])
        assert key not in str(caught.value)


@pytest.mark.parametrize("name", [".", "..", "..."])
def test_a_name_that_is_a_folder_in_a_url_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"account: '{re.escape(name)}' in a URL means a folder"):
        SwedbankPay(account=name, environment=Environment.TEST, payee_id="", access_token=Secret("x"))


def test_every_key_that_is_written_in_docs_or_package_is_known_as_published() -> None:
    files = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", *python_files("src", "examples", "docs")]
    written = re.compile(r"(?:_keys\W{1,5}\[|_?(?:CALLBACK|TOKEN|SEALING)_KEY(?:: Final)? = )\"([^\"]{32,})\"")
    found = {key for file in files for key in written.findall(text(file)) if not key.startswith(("env:", "file:"))}
    assert found == PUBLISHED
