"""Runs a story: four processes work on the same orders, while somebody kills, freezes and confuses them.

The gateways are emulators on real sockets. When the story ends, every process is killed, a last one repairs what is
open, and ``promises`` compares the books with the gateways'.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from prenopay import Accounts, Outcome
from prenopay._blocking import run_blocking
from prenopay._transport import BlockingSender
from prenopay.errors import PrenopayError
from prenopay.testing.callbacks import Post
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swedbankpay.gateway import SwedbankPayGateway
from prenopay.testing.emulators.swish.gateway import SwishGateway
from prenopay.testing.faults import Fault, FaultKind
from prenopay.testing.gateway import PayerRefused
from prenopay.testing.server import serve
from tests.chaos import story
from tests.chaos.clock import FastClock, Times
from tests.chaos.promises import broken, counted, names
from tests.chaos.worker import CALLBACK_URL, KEYS, Diary, Hurried, Orders, Settings

__all__ = ["Ended", "tell"]

WORKERS: Final = 4
_WRONG_BY: Final = (0.0, 0.0, 1.0, -1.0, 20.0, -20.0, 90.0)
"""By how many seconds of the story a process's clock may be wrong."""
_FAULTS: Final = (*FaultKind,)
_CALLBACK_SECONDS: Final = 1.0
"""How long a gateway waits for the answer to a callback."""
_PAUSES: Final = (timedelta(minutes=3), timedelta(minutes=20), *[timedelta(hours=3)] * 6, *[timedelta(days=2)] * 4)
"""How time passes for the last process, until nothing is open any more."""


@dataclass(slots=True)
class Ended:
    """How a story ended: what was broken, and what happened how often."""

    broken: list[str]
    happened: Counter[str] = field(default_factory=Counter[str])


@dataclass(slots=True)
class _Stage:
    """What a story is played on."""

    settings: Settings
    cards: SwedbankPayGateway
    swish: SwishGateway
    ports: list[int]
    chance: random.Random
    stopping: threading.Event = field(default_factory=threading.Event)
    happened: Counter[str] = field(default_factory=Counter[str])

    @property
    def gateways(self) -> tuple[Any, Any]:
        return self.cards, self.swish


def tell(database: str, *, seed: int, seconds: float) -> Ended:
    """Tell a story on an empty database, for so many seconds, and return how it ended."""
    logging.getLogger("prenopay").setLevel(logging.CRITICAL)  # trouble is what the story is about
    with tempfile.TemporaryDirectory() as folder, _staged(database, Path(folder), seed) as stage:
        hands = [threading.Thread(target=_pay, args=(stage,)), threading.Thread(target=_break, args=(stage,))]
        for hand in hands:
            hand.start()
        try:
            _trouble(stage, Path(folder), seconds)
        finally:
            stage.stopping.set()
            for hand in hands:
                hand.join()
        _repair(stage)
        found = broken(database, stage.cards, stage.swish, stage.settings.diary)
        return Ended(broken=found, happened=stage.happened + counted(database))


@contextmanager
def _staged(database: str, folder: Path, seed: int) -> Generator[_Stage]:
    times, chance = Times(time.monotonic()), random.Random(seed)
    cards = SwedbankPayGateway(clock=FastClock(times), seed=seed)
    swish = SwishGateway(clock=FastClock(times), seed=seed)
    ports = [_free_port() for _ in range(WORKERS)]
    post = _to_any(ports, random.Random(seed))
    tls = swish.emulator.authority.server_tls(hosts=["127.0.0.1", "localhost"])
    with ExitStack() as serving:
        at_cards = serving.enter_context(serve(cards.emulator, post=post))
        at_swish = serving.enter_context(serve(swish.emulator, tls=tls, post=post))
        configs = (
            cards.account(story.CARDS, base_url=at_cards.url),
            swish.account(story.SWISH, base_url=at_swish.url),
        )
        settings = Settings(database=database, times=times, diary=folder / "diary.db", configs=configs)
        Diary.make(settings.diary)
        yield _Stage(settings, cards, swish, ports, chance)


def _to_any(ports: list[int], chance: random.Random) -> Post:
    """Deliver a callback to one of the processes, over HTTP. Who is dead or frozen does not answer."""

    def post(url: str, body: bytes, headers: tuple[tuple[str, str], ...]) -> int | None:
        connection = HTTPConnection("127.0.0.1", chance.choice(ports), timeout=_CALLBACK_SECONDS)
        try:
            connection.request("POST", urlsplit(url).path, body, dict(headers))
            return connection.getresponse().status
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()

    return post


def _pay(stage: _Stage) -> None:
    """Be the payers: pay what can be paid, mostly. A page that no process knows was never shown to anybody."""
    chance = random.Random(stage.chance.random())
    while not stage.stopping.wait(0.05):
        shown = names(stage.settings.database)
        for gateway in stage.gateways:
            for payment in sorted(shown.intersection(gateway.payable())):
                if chance.random() < 0.3:
                    with suppress(PayerRefused):
                        (gateway.declines if chance.random() < 0.1 else gateway.pays)(payment)
                        stage.happened["payers acted"] += 1


def _break(stage: _Stage) -> None:
    """Let calls to the gateways fail."""
    chance = random.Random(stage.chance.random())
    while not stage.stopping.wait(0.15):
        gateway = chance.choice(stage.gateways)
        if len(gateway.faults.waiting) < 2:
            kind = chance.choice(_FAULTS)
            status = chance.choice((500, 502, 503, 504))
            gateway.faults.add(Fault(kind=kind, status=status, seconds=chance.random(), after=chance.randrange(6)))
            stage.happened[f"calls met {kind}"] += 1


def _trouble(stage: _Stage, folder: Path, seconds: float) -> None:
    """Keep four processes at work; kill one, freeze one, or start one with a wrong clock, again and again."""
    file = folder / "settings"
    file.write_bytes(pickle.dumps(stage.settings))
    command = [sys.executable, "-m", "tests.chaos.worker", str(file)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment
        ) as zygote,
    ):
        pids = {number: _start(stage, zygote, number) for number in range(WORKERS)}
        frozen: dict[int, float] = {}
        until = time.monotonic() + seconds
        try:
            while time.monotonic() < until:
                stage.stopping.wait(stage.chance.uniform(0.1, 1.2))
                _thaw(pids, frozen, by=time.monotonic())
                number = stage.chance.randrange(WORKERS)
                if stage.chance.random() < 0.3:
                    os.kill(pids[number], signal.SIGSTOP)
                    frozen[number] = time.monotonic() + stage.chance.uniform(0.2, 4.0)
                    stage.happened["processes frozen"] += 1
                else:
                    _kill(pids[number])
                    frozen.pop(number, None)
                    pids[number] = _start(stage, zygote, number)
                    stage.happened["processes killed"] += 1
        finally:
            for pid in pids.values():
                _kill(pid)
            assert zygote.stdin is not None
            zygote.stdin.close()


def _start(stage: _Stage, zygote: subprocess.Popen[str], number: int) -> int:
    orders = Orders(
        name=f"{number}.{stage.happened['processes started']}",
        seed=stage.chance.randrange(1 << 30),
        awaiting=number % 2 == 1,
        wrong_by=stage.chance.choice(_WRONG_BY),
        port=stage.ports[number],
    )
    stage.happened["processes started"] += 1
    assert zygote.stdin is not None
    assert zygote.stdout is not None
    print(json.dumps(asdict(orders)), file=zygote.stdin, flush=True)
    return int(zygote.stdout.readline())


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _thaw(pids: dict[int, int], frozen: dict[int, float], *, by: float) -> None:
    for number in [number for number, until in frozen.items() if until <= by]:
        with suppress(ProcessLookupError):
            os.kill(pids[number], signal.SIGCONT)
        del frozen[number]


def _repair(stage: _Stage) -> None:
    """Open the last process. Nothing goes wrong any more: repeat, sweep, and settle by hand what only a person can."""
    for gateway in stage.gateways:
        gateway.faults.clear()
    clock, sender = _Last(stage), Hurried(BlockingSender, stage.settings)
    diary = Diary(stage.settings.diary, "last")
    accounts = Accounts.open(
        stage.settings.database,
        callback_url=CALLBACK_URL,
        on_event=diary.received,
        sender=sender,
        clock=clock,
        **KEYS,
    )
    names = [accounts.add(config) for config in stage.settings.configs]
    for pause in _PAUSES:
        clock.advance(pause)
        accounts.sweep()
        for payments, gateway in zip(names, stage.gateways, strict=True):
            _settle(payments, gateway, stage.happened)
    accounts.close()
    run_blocking(sender.aclose())


def _settle(payments: Any, gateway: Any, happened: Counter[str]) -> None:
    """Look into the portal for what no look-up finds, as a person does."""
    for operation in payments.open_operations(limit=500):
        if operation.outcome is Outcome.UNKNOWN and operation.kind in {"charge", "payout"}:
            found = gateway.find(operation.reference)
            with suppress(PrenopayError):
                payments.settle_by_hand(
                    operation.operation_id, provider_reference=found, person="Ann", reason="looked in the portal"
                )
                happened["settled by hand"] += 1


class _Last(VirtualClock):
    """The clock of the last process, and of both gateways: pushed forward together."""

    def __init__(self, stage: _Stage) -> None:
        super().__init__()
        self._all: list[VirtualClock] = [gateway.clock for gateway in stage.gateways]

    def now(self) -> datetime:
        return self._all[0].now()

    def monotonic(self) -> float:
        return self._all[0].monotonic()

    async def sleep(self, seconds: float) -> None:
        self.advance(timedelta(seconds=max(seconds, 0.0)))

    def advance(self, step: timedelta) -> None:
        for clock in self._all:
            clock.advance(step)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
