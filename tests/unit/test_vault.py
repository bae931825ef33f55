"""Stored tokens: sealed, opened by any of the host's keys, sealed again under the newest."""

from __future__ import annotations

import pytest

from prenopay import Secret
from prenopay.books.vault import Vault, fingerprint
from prenopay.errors import ConfigurationError

_OLD, _NEW = "the-old-key-that-sealed-the-tokens", "the-new-key-that-seals-the-tokens"
_TOKEN = Secret("an-invented-token")


def test_a_sealed_token_opens_and_does_not_show() -> None:
    vault = Vault([_NEW])
    sealed = vault.seal(_TOKEN)
    assert b"an-invented-token" not in sealed
    assert vault.unseal(sealed).reveal() == _TOKEN.reveal()


def test_every_key_in_the_list_opens_and_the_first_seals() -> None:
    sealed = Vault([_OLD]).seal(_TOKEN)
    both = Vault([_NEW, _OLD])
    assert both.unseal(sealed).reveal() == _TOKEN.reveal()
    assert Vault([_NEW]).unseal(both.reseal(sealed)).reveal() == _TOKEN.reveal()


def test_a_key_that_was_dropped_too_early_is_reported() -> None:
    sealed = Vault([_OLD]).seal(_TOKEN)
    with pytest.raises(ConfigurationError, match="put the key that sealed it back"):
        Vault([_NEW]).unseal(sealed)


def test_without_a_key_nothing_is_sealed() -> None:
    vault = Vault([])
    assert not vault.is_open
    with pytest.raises(ConfigurationError, match="token_keys must hold at least one key"):
        vault.seal(_TOKEN)


@pytest.mark.parametrize(
    ("keys", "word"), [(["short"], "at least 32"), ("a-key-for-the-tests-that-is-long-enough", "put brackets around")]
)
def test_keys_that_cannot_work_are_refused(keys: list[str], word: str) -> None:
    with pytest.raises(ConfigurationError, match=word):
        Vault(keys)


def test_two_tokens_and_two_accounts_have_different_fingerprints() -> None:
    marks = {fingerprint(account, Secret(token)) for account in ("a", "b") for token in ("1", "2")}
    expected = 4
    assert len(marks) == expected
