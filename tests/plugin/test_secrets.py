"""``assert_no_secrets`` looks at everything: each thing, each record of each logger, each way to write a number."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prenopay import Accounts, Payer
from prenopay.testing.bench import Bench, OpenMock
from prenopay.testing.listening import Logged, listening
from prenopay.testing.secrets import SecretSeeker, SecretsSeen
from prenopay.values.orders import Address, PageStyle
from tests.behaviour.shop import CALLBACK_URL, KEY, an_order

from .projects import run_tests

NUMBER = "197001011234"
PAYER = Payer(
    email="eva@example.com",
    phone="+46701740606",
    personal_number="199710202392",
    must_match_personal_number=True,
    shipping_address=Address(email="eva@work.example"),
)


@pytest.fixture
def seeker(prenopay_bench: Bench) -> Iterator[SecretSeeker]:
    heard: list[Logged] = []
    with listening(heard.append):
        seeker = SecretSeeker(prenopay_bench, lambda: heard)
        seeker.knows(NUMBER)
        yield seeker


# What it is given


@pytest.mark.parametrize("place", [1, 2, 3])
def test_each_of_several_things_of_one_kind_is_looked_at(place: int, seeker: SecretSeeker) -> None:
    things = [NUMBER if number == place else "fine" for number in (1, 2, 3)]
    with pytest.raises(SecretsSeen, match=rf"a str shows the secret 19…34 \(12 characters\): argument {place} of 3"):
        seeker(*things)


# Payers


def test_a_payers_number_is_found_however_it_is_written(prenopay_mock: OpenMock, seeker: SecretSeeker) -> None:
    payer = Payer(email="eva@example.com", phone="+46 70-174 06 06", personal_number="199710202392")
    prenopay_mock().payments.create(an_order(payer=payer), operation_id="order:1")
    seeker("nothing of hers")
    phone = ("+46 70-174 06 06", "+46701740606", "46701740606", "0701740606")
    for way in (*phone, "199710202392", "9710202392", "971020-2392", "19971020-2392", "eva@example.com"):
        with pytest.raises(SecretsSeen, match="a str shows"):
            seeker(f"sent to {way}")


@pytest.mark.parametrize(
    ("gateway", "found"),
    [
        ("swedbankpay", {"eva@example.com", "eva@work.example", "0701740606", "971020-2392"}),
        ("swish", {"46701740606", "0701740606", "971020-2392"}),
    ],
)
def test_the_emulators_know_what_they_were_told_of_payers(
    gateway: str, found: set[str], request: pytest.FixtureRequest, ledger: str, prenopay_bench: Bench
) -> None:
    config: Any = request.getfixturevalue(f"{gateway}_account")
    page = PageStyle.PHONE if gateway == "swish" else PageStyle.REDIRECT
    accounts = Accounts.open(
        ledger,
        callback_url=CALLBACK_URL,
        callback_keys=[KEY],
        sender=prenopay_bench.sender,
        clock=prenopay_bench.clock,
    )
    accounts.add(config).create(an_order(payer=PAYER, page=page), operation_id="order:1")
    accounts.close()
    assert found <= set(prenopay_bench.secrets)


# Logs


def leaves(_logger: logging.Logger) -> None:
    """Nothing is set."""


def keeps_to_itself(logger: logging.Logger) -> None:
    logger.propagate = False


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO, logging.WARNING])
@pytest.mark.parametrize("kind", [leaves, keeps_to_itself])
@pytest.mark.parametrize("extra", [True, False])
def test_every_record_is_looked_at(level: int, kind: Any, extra: bool, prenopay_bench: Bench) -> None:  # noqa: FBT001
    heard: list[Logged] = []
    logger = logging.getLogger(f"host.{kind.__name__}")
    kind(logger)
    logger.setLevel(logging.NOTSET if logger.propagate else logging.DEBUG)
    with listening(heard.append):
        logger.log(level, "first")
        logger.log(level, "paid by %s", "Eva" if extra else NUMBER, extra={"payer": NUMBER} if extra else None)
        seeker = SecretSeeker(prenopay_bench, lambda: heard)
        seeker.knows(NUMBER)
        with pytest.raises(
            SecretsSeen, match=rf"record 2, {logging.getLevelName(level)} of the logger '{logger.name}'"
        ):
            seeker()


def test_others_hear_what_they_heard_before_and_levels_are_put_back(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Logged] = []
    root, ours = logging.getLogger(), logging.getLogger("prenopay")
    before = root.level, ours.level, list(root.handlers)
    with listening(heard.append):
        logging.getLogger("host.noise").debug("a detail")
        logging.getLogger("prenopay").debug("a detail of ours")
        logging.getLogger("host.noise").warning("something else")
        with caplog.at_level(logging.DEBUG):
            logging.getLogger("host.noise").debug("asked for")
    assert [each.text.partition(" {")[0] for each in heard] == [
        "a detail",
        "a detail of ours",
        "something else",
        "asked for",
    ]
    assert [record.getMessage() for record in caplog.records] == ["something else", "asked for"]
    assert (root.level, ours.level, list(root.handlers)) == before


def test_a_record_that_cannot_be_written_is_reported_as_logging_does(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[logging.LogRecord] = []
    monkeypatch.setattr(logging.Handler, "handleError", lambda _handler, record: reported.append(record))
    heard: list[Logged] = []
    logger = logging.getLogger("host.wrong")
    logger.propagate = False
    with listening(heard.append):
        logger.warning("%d characters", "no number")
    assert ([record.name for record in reported], heard) == (["host.wrong"], [])


LEAKS = """
import logging
import pytest

TOKEN = "a-token-that-is-secret"
logging.getLogger("django").propagate = False

@pytest.fixture(autouse=True)
def known(assert_no_secrets):
    assert_no_secrets.knows(TOKEN)

def test_info():
    logging.getLogger("host").info("charging %s", TOKEN)

def test_extra():
    logging.getLogger("host").warning("charging", extra={"token": TOKEN})

def test_a_logger_that_keeps_to_itself():
    logging.getLogger("django").warning("charging %s", TOKEN)

def test_cleared(caplog):
    logging.getLogger("host").warning("charging %s", TOKEN)
    caplog.clear()

def test_a_level_of_its_own(caplog):
    caplog.set_level(logging.INFO)
    logging.getLogger("host").info("charging %s", TOKEN)
    assert len(caplog.records) == 1
"""
LEVELS = """
import logging

def test_levels_are_as_they_were():
    assert logging.getLogger().level == logging.WARNING
    assert logging.getLogger("prenopay").level == logging.NOTSET
"""


def test_a_leak_in_any_record_fails_the_hosts_test_and_levels_are_put_back(tmp_path: Path) -> None:
    ran = run_tests(tmp_path, test_host=LEAKS, test_levels=LEVELS)
    assert (ran.count("passed"), ran.count("error")) == (6, 5), ran.said
    assert (
        "SecretsSeen: the log shows the secret a-…et (22 characters): record 1, INFO of the logger 'host'" in ran.said
    )
