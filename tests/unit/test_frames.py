"""What is given as plain text, keys and passwords too, is in no frame of the error that refuses it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prenopay import Accounts, CallbackRequest, Money, Payer, upgrade_database
from prenopay._hidden import Hidden, HiddenBytes, HiddenText, raise_alone, without_frames
from prenopay.cli import settings
from prenopay.errors import ConfigurationError, InvalidOrder, PrenopayError
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.providers.swish import Swish
from prenopay.testing.frames import shown_in
from prenopay.values.orders import Address, PayoutOrder, RiskFacts

GIVEN = "hunter2-hunter2-given-in-clear"
PEM = "-----{} PRIVATE " + "KEY-----\n"
KEY = f"{PEM.format('BEGIN')}{GIVEN}\n{PEM.format('END')}"
PAYEE = "5cabf558-5283-482f-b252-4d58e06f6f3b"
NOBODY_LISTENS = f"postgresql://host:{GIVEN}@127.0.0.1:1/shop"


def made(kind: Any, **given: object) -> Callable[[], object]:
    """Return what makes a value of arguments that no type checker would let pass."""
    return lambda: kind(**given)


def token(given: object, payee_id: str = PAYEE) -> Callable[[], object]:
    return made(SwedbankPay, account="a", environment="test", payee_id=payee_id, access_token=given)


def certificate(given: str, number: str = "1231181189") -> Callable[[], object]:
    settings_of: Any = Swish
    return lambda: settings_of(account="a", environment="test", number=number, certificate=given, password=GIVEN).tls()


def opened(database: str = "sqlite://", *, keys: object = (GIVEN * 2,), tokens: object = ()) -> Callable[[], object]:
    accounts: Any = Accounts
    url = "https://shop.example/callbacks"
    return lambda: accounts.open(database, callback_url=url, callback_keys=keys, token_keys=tokens)


WRONG: dict[str, Callable[[], object]] = {
    "a payer": made(Payer, email=GIVEN, phone=46),
    "a phone number": made(Payer, phone=GIVEN),
    "an address": made(Address, street=GIVEN, city=1),
    "risk": made(RiskFacts, pick_up_name=GIVEN, gift_card="?"),
    "a payout": made(PayoutOrder, amount=Money(0, "SEK"), payee_phone=GIVEN, reference="1"),
    "a callback": made(CallbackRequest, path=f"/{GIVEN}", body={"payer": GIVEN}),
    "a token": token(GIVEN, payee_id="?"),
    "a token as bytes": token(GIVEN.encode()),
    "a key": certificate(KEY, number="1"),
    "a key that is broken": certificate(KEY),
    "a key that is no PEM": certificate(GIVEN * 50),
    "one callback key": opened(keys=GIVEN),
    "a short callback key": opened(keys=[GIVEN[:30]]),
    "callback keys as bytes": opened(keys=[GIVEN.encode()]),
    "token keys as bytes": opened(keys=["0123456789" + GIVEN], tokens=[GIVEN.encode()]),
    "another database": opened(f"mysql://host:{GIVEN}@127.0.0.1/shop", keys=["0123456789" + GIVEN]),
    "no URL": opened(f"postgresql:/host:{GIVEN}@127.0.0.1:x/shop", keys=["0123456789" + GIVEN]),
    "a database that is gone": opened(NOBODY_LISTENS, keys=["0123456789" + GIVEN]),
    "an upgrade": lambda: upgrade_database(NOBODY_LISTENS),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_was_given_is_in_no_frame(what: str) -> None:
    with pytest.raises((PrenopayError, ConfigurationError)) as caught:
        WRONG[what]()

    places = [each.where for each in shown_in(caught.value, not_in=("tests.",)) if GIVEN[:20] in each.text]
    assert places == []


@pytest.mark.parametrize("key", ["access_token", "payee_id"])
def test_a_file_of_settings_is_in_no_frame(tmp_path: Path, key: str) -> None:
    file = tmp_path / "prenopay.toml"
    file.write_text(
        f'database = "{NOBODY_LISTENS}"\ncallback_url = "https://shop.example"\ncallback_keys = []\n'
        f'[accounts.a]\nprovider = "swedbankpay"\nenvironment = "test"\n{key} = "{GIVEN}"\n'
    )
    with pytest.raises(ConfigurationError) as caught:
        settings.load_settings(file)

    places = [each.where for each in shown_in(caught.value, not_in=("tests.",)) if GIVEN in each.text]
    assert places == []


def test_hidden_values_are_what_they_hold() -> None:
    text, body = HiddenText("https://shop.example/a"), HiddenBytes(b'{"a": 1}')

    assert (text, body) == ("https://shop.example/a", b'{"a": 1}')
    assert (f"{text}", str(text), bytes(body)) == ("https://shop.example/a", "https://shop.example/a", b'{"a": 1}')
    assert repr([text, text[:5], body, Hidden({"a": 1})]) == "['***', '***', b'***', Hidden('***')]"
    assert Hidden({"a": 1}).reveal() == {"a": 1}


def test_what_an_error_says_stays_without_its_frames() -> None:
    with pytest.raises(ValueError, match="invalid literal") as cause:
        int("x")
    with pytest.raises(InvalidOrder) as caught:
        raise InvalidOrder from cause.value

    bare = without_frames(caught.value)
    assert (bare.__traceback__, bare.__cause__) == (None, cause.value)
    assert cause.value.__traceback__ is None


def test_nothing_leads_from_an_error_raised_alone_to_the_one_that_was_handled() -> None:
    def becomes_ours() -> None:
        try:
            int(GIVEN)
        except ValueError:
            raise_alone(InvalidOrder("wrong"))

    with pytest.raises(InvalidOrder) as caught:
        becomes_ours()

    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert [each.where for each in shown_in(caught.value) if GIVEN in each.text] == []
