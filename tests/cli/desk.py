"""A place to run commands from: settings, a database, a served gateway, and rules that every run must keep."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from prenopay import Accounts, Environment, Payment, Secret, cli
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.testing.emulators.swedbankpay import DEFAULT_PAYEE_ID, SwedbankPayEmulator
from prenopay.testing.http import EmulatorSender
from prenopay.testing.server import Served
from prenopay.values.events import EventHandler
from tests.behaviour.shop import an_order

TOKEN = "the-desks-secret-token"
KEY = "the-desks-secret-key-that-is-long-enough"
PASSWORD = "the-desks-secret-password"
TOKEN_KEY = "the-desks-secret-that-seals-tokens"
SECRETS = (TOKEN, KEY, PASSWORD, TOKEN_KEY)
PROGRAM = Path(sys.executable).with_name("prenopay")

_WRONG_USE = 2


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class Desk:
    """Runs commands; the shop whose settings they read makes payments beside them."""

    def __init__(
        self,
        folder: Path,
        database: str,
        emulator: SwedbankPayEmulator,
        served: Served,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.folder = folder
        self.database = database
        self.emulator = emulator
        self.url = served.url
        self._capsys = capsys
        self.callback_url = "http://127.0.0.1:9/callbacks"
        self.account = {
            "provider": "swedbankpay",
            "environment": "test",
            "payee_id": DEFAULT_PAYEE_ID,
            "access_token": "env:DESK_TOKEN",
            "base_url": served.url,
        }
        self.write()

    def write(self, *, database: str | None = None, more: str = "", **account: str) -> Path:
        """Write the settings, with what a test wants otherwise in the account."""
        lines = [
            f"database = {json.dumps(database or self.database)}",
            f"callback_url = {json.dumps(self.callback_url)}",
            'callback_keys = ["env:DESK_KEY"]',
            'token_keys = ["env:DESK_SEAL_KEY"]',
            more,
            "[accounts.cards]",
            *(f"{key} = {json.dumps(value)}" for key, value in (self.account | account).items()),
        ]
        return self.write_text("\n".join(lines))

    def write_text(self, text: str) -> Path:
        file = self.folder / "prenopay.toml"
        file.write_text(text, encoding="utf-8")
        return file

    # Running

    def run(self, *arguments: str) -> Ran:
        """Run a command in this process."""
        self._capsys.readouterr()
        try:
            code = cli.main(arguments)
        except SystemExit as ended:  # how argparse says that the call is wrong
            code = int(ended.code or 0)
            _, err = self._capsys.readouterr()
            return Ran(code, "", err)
        out, err = self._capsys.readouterr()
        return kept(Ran(code, out, err))

    def script(self, *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Ran:
        """Run the installed program."""
        ended = subprocess.run(
            [PROGRAM, *arguments],
            input=stdin,
            capture_output=True,
            cwd=self.folder,
            env={**os.environ, **(env or {})},
            timeout=30,
            check=False,
        )
        return kept(Ran(ended.returncode, ended.stdout.decode(), ended.stderr.decode()))

    # The shop

    def accounts(self, *, on_event: EventHandler | None = None, also: tuple[str, ...] = ()) -> Accounts:
        """Open the shop's own accounts on the same database."""
        host = self.url.removeprefix("http://")
        accounts = Accounts.open(
            self.database,
            callback_url=self.callback_url,
            callback_keys=[KEY],
            token_keys=[TOKEN_KEY],
            on_event=on_event,
            sender=EmulatorSender({host: self.emulator}),
            clock=self.emulator.clock,
        )
        for name in ("cards", *also):
            config = SwedbankPay(
                account=name,
                environment=Environment.TEST,
                payee_id=self.account["payee_id"],
                access_token=Secret(TOKEN),
                base_url=self.url,
            )
            accounts.add(config)
        return accounts

    def bought(self, number: int = 1, *, reference: str = "", **changes: Any) -> Payment:
        accounts = self.accounts()
        try:
            payments: Any = accounts["cards"]
            order = an_order(order_reference=reference or f"K-{number}", **changes)
            payment: Payment = payments.create(order, operation_id=f"order:{number}")
        finally:
            accounts.close()
        return payment

    def paid(self, number: int = 1, **changes: Any) -> Payment:
        payment = self.bought(number, **changes)
        self.emulator.pay_by_card(str(payment.provider_reference))
        return payment


def kept(ran: Ran) -> Ran:
    """Check what holds for every run: no secret is shown, and one line says what is wrong."""
    shown = ran.out + ran.err
    assert [secret for secret in SECRETS if secret in shown] == []
    assert "Traceback" not in shown
    if ran.code == _WRONG_USE:
        assert ran.out == ""
        assert ran.err.startswith("prenopay: ")
        assert ran.err.count("\n") == 1, ran.err
    else:
        assert ran.err == ""
    return ran
