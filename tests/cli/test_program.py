"""The installed program: its settings, its help, its exit codes, and the emulator it serves until told to stop."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from prenopay import Accounts, Environment, Payment, Secret, __version__, upgrade_database
from prenopay.provider import ProviderConfig
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.providers.swish import Swish
from prenopay.testing.emulators.swedbankpay import DEFAULT_ACCESS_TOKEN, DEFAULT_PAYEE_ID
from tests.behaviour.shop import an_order
from tests.cli.desk import PROGRAM, TOKEN, Desk

_COMMANDS = ["payments", "inbox", "sweep", "doctor", "db", "inspect", "emulate"]


def test_the_program_says_its_version_and_its_commands(desk: Desk) -> None:
    assert desk.script("--version").out == f"prenopay {__version__}\n"
    shown = desk.script("--help").out
    assert [command for command in _COMMANDS if f"    {command} " not in shown] == []


@pytest.mark.parametrize("command", [[], ["payments"], ["inbox"], ["db"], ["odd"], ["doctor", "--odd"], ["emulate"]])
def test_half_a_command_is_refused_with_the_usage(desk: Desk, command: list[str]) -> None:
    ran = desk.run(*command)
    assert ran.code == 2
    assert ran.err.startswith("usage: prenopay")


def test_the_program_works_on_the_settings_here(desk: Desk) -> None:
    payment = desk.paid()
    assert payment.payment_id in desk.script("payments", "list").out
    doctor = desk.script("doctor", "--json")
    assert (doctor.code, doctor.json["accounts"]["cards"][0]["ok"]) == (1, True)


def test_the_settings_may_be_named(desk: Desk) -> None:
    elsewhere = desk.folder / "elsewhere.toml"
    (desk.folder / "prenopay.toml").rename(elsewhere)
    assert desk.script("payments", "list", env={"PRENOPAY_CONFIG": str(elsewhere)}).code == 0
    assert desk.run("payments", "list", "--config", str(elsewhere)).code == 0
    assert "prenopay.toml does not exist; write one, or name it with --config" in desk.run("payments", "list").err


_WRONG = {
    "database": ('"sqlite', "5 #", "database: must be a text, not 5"),
    "a typo": ("payee_id", "payee", "accounts.cards.payee: is not a setting; did you mean 'payee_id'?"),
    "a secret": ("env:DESK_TOKEN", TOKEN, "accounts.cards.access_token: is a secret: keep it out of this file"),
    "no such secret": ("DESK_TOKEN", "DESK_T", "accounts.cards.access_token: the environment has no DESK_T"),
    "no such file": ("env:DESK_KEY", "file:key", "callback_keys[0]: "),
    "provider": ('"swedbankpay"', '"bank"', "accounts.cards.provider: 'bank' is not installed"),
    "environment": ('"test"', '"live"', "accounts.cards.environment: must be one of test, production, not 'live'"),
    "callback_url": ('"http://127.0.0.1:9/callbacks"', '"shop"', "callback_url: must be an absolute URL"),
    "toml": ("[accounts.cards]", "[accounts.cards", "cannot be read: "),
}


@pytest.mark.parametrize("wrong", _WRONG)
def test_settings_that_are_wrong_name_the_key_and_the_cure(desk: Desk, wrong: str) -> None:
    old, new, why = _WRONG[wrong]
    text = (desk.folder / "prenopay.toml").read_text(encoding="utf-8")
    assert old in text
    desk.write_text(text.replace(old, new))
    for command in (["doctor"], ["payments", "list"], ["inbox", "list", "--json"], ["sweep"]):
        ran = desk.run(*command)
        assert ran.code == 2
        assert why in ran.err


@pytest.mark.parametrize("command", [["payments", "list", "--json"], ["inbox", "list"], ["--help"]], ids=" ".join)
def test_a_reader_who_has_seen_enough_ends_it_quietly(desk: Desk, command: list[str]) -> None:
    for number in range(6):
        desk.bought(number)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [PROGRAM, *command],
            stdout=writing,
            stderr=subprocess.PIPE,
            env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
            cwd=desk.folder,
            timeout=30,
            check=False,
        )
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, b"")


# The emulator


@contextmanager
def emulating(*arguments: str, gateway: str = "swedbankpay") -> Iterator[subprocess.Popen[str]]:
    command = [str(PROGRAM), "emulate", gateway, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            if running.poll() is None:
                running.kill()


def orders(port: int) -> object:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", "/__emulator__/orders")
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_emulator_serves_until_it_is_told_to_stop(stop: signal.Signals) -> None:
    with emulating("--port", "0", "--json") as running:
        assert running.stdout is not None
        assert running.stderr is not None
        told = json.loads(running.stdout.readline())
        assert (told["payee_id"], told["access_token"]) == (DEFAULT_PAYEE_ID, DEFAULT_ACCESS_TOKEN)
        port = int(told["url"].rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port)):  # someone who keeps the line open
            assert orders(port) == {"orders": []}
            running.send_signal(stop)
            assert running.wait(timeout=20) == 0
        assert running.stderr.read() == ""
    with pytest.raises(ConnectionRefusedError):
        orders(port)


def test_a_doctor_finds_the_emulator_well(desk: Desk) -> None:
    with emulating("--port", "0") as running:
        assert running.stdout is not None
        said = ""
        while "Control it" not in said:
            said += running.stdout.readline()
        url = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert url is not None
        desk.write(base_url=url[0])
        probes = {probe["name"]: probe["ok"] for probe in desk.run("doctor", "--json").json["accounts"]["cards"]}
        assert probes["credentials"] is False, "another token than the settings'"
        running.send_signal(signal.SIGINT)
        running.wait(timeout=20)


def test_a_gateway_that_nobody_emulates_is_refused(desk: Desk) -> None:
    expected = "prenopay: there is no emulator of 'bank'; there are: swedbankpay, swish\n"
    assert desk.run("emulate", "bank", "--port", "0").err == expected
    ran = desk.run("emulate", "swish", "--port", "0", "--preset", "mild")
    assert ran.err == "prenopay: --preset mild: swish has no such preset; it has: strict, lenient, mss, awkward\n"


@pytest.mark.parametrize("port", ["taken", "-1", "65536", "99999999999999999999"])
def test_a_port_that_cannot_be_had_is_refused(desk: Desk, port: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1]) if port == "taken" else port
        ran = desk.run("emulate", "swedbankpay", "--port", port)
    assert ran.code == 2
    assert f"port {port} on 127.0.0.1 cannot be used" in ran.err


def test_the_program_also_runs_as_a_module() -> None:
    ran = subprocess.run([sys.executable, "-m", "prenopay", "--version"], capture_output=True, text=True, check=True)
    assert ran.stdout == f"prenopay {__version__}\n"


def test_a_gateway_to_live_with_may_be_in_this_folder(desk: Desk) -> None:
    text = "from prenopay.errors import ConfigurationError\nraise ConfigurationError('it was found')\n"
    (desk.folder / "own_gateway_here.py").write_text(text, encoding="utf-8")

    ran = desk.script("simulate", "--seeds", "1", "--gateway", "own_gateway_here:Nothing")

    assert "it was found" in ran.err


def _cards(told: dict[str, str]) -> ProviderConfig[Any]:
    return SwedbankPay(
        account="it",
        environment=Environment.TEST,
        payee_id=told["payee_id"],
        access_token=Secret(told["access_token"]),
        base_url=told["url"],
    )


def _swish(told: dict[str, str]) -> ProviderConfig[Any]:
    return Swish(
        account="it",
        environment=Environment.TEST,
        number=told["number"],
        certificate=f"file:{told['certificate']}",
        private_key=f"file:{told['private_key']}",
        trust=f"file:{told['trust']}",
        base_url=told["url"],
    )


def _id_at_cards(payment: Payment) -> str | None:
    return payment.provider_reference


def _id_at_swish(payment: Payment) -> str | None:
    return None if payment.app_switch is None else payment.app_switch.token


@pytest.mark.parametrize(
    ("gateway", "config", "id_of"),
    [("swedbankpay", _cards, _id_at_cards), ("swish", _swish, _id_at_swish)],
    ids=["swedbankpay", "swish"],
)
def test_a_served_emulator_has_other_ids_at_every_start(
    tmp_path: Path,
    gateway: str,
    config: Callable[[dict[str, str]], ProviderConfig[Any]],
    id_of: Callable[[Payment], str | None],
) -> None:
    made = set[str | None]()
    for number in range(2):
        with emulating("--port", "0", "--json", gateway=gateway) as running:
            assert running.stdout is not None
            told = json.loads(running.stdout.readline())
            upgrade_database(database := f"sqlite:///{tmp_path}/{number}.db")
            callback_url = "http://127.0.0.1:9/callbacks"
            accounts = Accounts.open(
                database, callback_url=callback_url, callback_keys=["a-key-for-the-tests-that-is-long-enough"]
            )
            made.add(id_of(accounts.add(config(told)).create(an_order(), operation_id="order:1")))
            accounts.close()
    assert len(made - {None}) == 2
