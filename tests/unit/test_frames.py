"""What is given as plain text, keys and passwords too, is in no frame of the error that refuses it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from prenopay import Accounts, CallbackRequest, Money, Payer, upgrade_database
from prenopay._hidden import Hidden, HiddenBytes, HiddenText, without_frames
from prenopay.cli import settings
from prenopay.errors import ConfigurationError, InvalidOrder, PrenopayError
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.providers.swish import Swish
from prenopay.testing.frames import shown_in
from prenopay.values.orders import Address, PayoutOrder, RiskFacts

GIVEN = "hunter2-hunter2-given-in-clear"
KEY = f"-----BEGIN PRIVATE KEY-----\n{GIVEN}\n-----END PRIVATE KEY-----\n"
PAYEE = "5cabf558-5283-482f-b252-4d58e06f6f3b"
NOBODY_LISTENS = f"postgresql://host:{GIVEN}@127.0.0.1:1/shop"


def opened(database: str, *, callback_keys: object = (GIVEN,), token_keys: object = (GIVEN,)) -> Accounts:
    return Accounts.open(
        database,
        callback_url="https://shop.example/callbacks",
        callback_keys=callback_keys,  # type: ignore[arg-type]  # wrong on purpose
        token_keys=token_keys,  # type: ignore[arg-type]  # wrong on purpose
    )


WRONG: dict[str, Callable[[], object]] = {
    "a payer": lambda: Payer(email=GIVEN, phone=46),  # type: ignore[arg-type]
    "a phone number": lambda: Payer(phone=GIVEN),
    "an address": lambda: Address(street=GIVEN, city=1),  # type: ignore[arg-type]
    "risk": lambda: RiskFacts(pick_up_name=GIVEN, gift_card="?"),  # type: ignore[arg-type]
    "a payout": lambda: PayoutOrder(amount=Money(0, "SEK"), payee_phone=GIVEN, reference="1"),
    "a callback": lambda: CallbackRequest(path=f"/{GIVEN}", body={"payer": GIVEN}),  # type: ignore[arg-type]
    "a token": lambda: SwedbankPay(account="a", environment="test", payee_id="?", access_token=GIVEN),  # type: ignore[arg-type]
    "a token as bytes": lambda: SwedbankPay(
        account="a",
        environment="test",  # type: ignore[arg-type]
        payee_id=PAYEE,
        access_token=GIVEN.encode(),  # type: ignore[arg-type]
    ),
    "a key": lambda: Swish(account="a", environment="test", number="1", certificate=KEY),  # type: ignore[arg-type]
    "a key that is broken": lambda: Swish(
        account="a",
        environment="test",  # type: ignore[arg-type]
        number="1231181189",
        certificate=KEY,
        password=GIVEN,
    ).tls(),
    "a key that is no PEM": lambda: Swish(
        account="a",
        environment="test",  # type: ignore[arg-type]
        number="1231181189",
        certificate=GIVEN * 50,
    ).tls(),
    "one callback key": lambda: opened("sqlite://", callback_keys=GIVEN),
    "a short callback key": lambda: opened("sqlite://", callback_keys=[GIVEN[:30]]),
    "callback keys as bytes": lambda: opened("sqlite://", callback_keys=[GIVEN.encode()]),
    "token keys as bytes": lambda: opened("sqlite://", callback_keys=[GIVEN * 2], token_keys=[GIVEN.encode()]),
    "another database": lambda: opened(f"mysql://host:{GIVEN}@127.0.0.1/shop", callback_keys=[GIVEN * 2]),
    "no URL": lambda: opened(f"postgresql:/host:{GIVEN}@127.0.0.1:x/shop", callback_keys=[GIVEN * 2], token_keys=()),
    "a database that is gone": lambda: opened(NOBODY_LISTENS, callback_keys=["0123456789" + GIVEN], token_keys=()),
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
    try:
        try:
            int("x")
        except ValueError as error:
            message = "amount: not a number"
            raise InvalidOrder(message) from error
    except InvalidOrder as error:
        bare = without_frames(error)

    assert (str(bare), bare.__traceback__) == ("amount: not a number", None)
    assert isinstance(bare.__cause__, ValueError)
    assert bare.__cause__.__traceback__ is None
