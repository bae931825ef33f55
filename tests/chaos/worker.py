"""A host's process: it buys, takes, gives back, draws and sweeps until it is killed.

``python -m tests.chaos.worker FILE`` reads its settings, and forks one worker for each line of standard input. It
answers with the worker's process id. A fork takes milliseconds, an interpreter takes seconds to start.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import json
import os
import pickle
import random
import signal
import sqlite3
import ssl
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any, Final
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prenopay import Accounts, AsyncAccounts, CallbackRequest, CaptureMode, Event, OperationKind, PaymentState
from prenopay._blocking import run_blocking
from prenopay._transport import AwaitingSender, BlockingSender
from prenopay.errors import NotFound, PrenopayError
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.provider import HttpProviderConfig, PaymentProvider
from prenopay.web.wsgi import CallbackApp
from tests.chaos import story
from tests.chaos.clock import SPEED, FastClock, Times

__all__ = ["CALLBACK_URL", "KEYS", "Settings"]

CALLBACK_URL: Final = "https://shop.example/callbacks"
KEYS: Final[dict[str, Any]] = {
    "callback_keys": ["a-key-for-the-tests-that-is-long-enough"],
    "token_keys": ["a-key-that-seals-tokens-for-the-tests"],
}
_HANDS: Final = 3
"""How many things one process does at the same moment."""
_FAILS: Final = 0.05
"""How often the host's handler fails."""
_ORDERS_A_SECOND: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What every worker of a run has in common."""

    database: str
    times: Times
    diary: Path
    """The host's own database: which events it received, and what surprised it."""
    configs: tuple[HttpProviderConfig[PaymentProvider], ...]

    def tls(self) -> dict[str, ssl.SSLContext]:
        """Return how to reach the gateways that want a certificate, by address. The contexts are made once."""
        made = {config.base_url: _tls(config) for config in self.configs}
        return {where: tls for where, tls in made.items() if tls is not None}


@functools.cache
def _tls(config: HttpProviderConfig[PaymentProvider]) -> ssl.SSLContext | None:
    return config.tls()


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What one worker needs to know: its name, its chance, its colour, and what its clock is wrong by."""

    name: str
    seed: int
    awaiting: bool
    wrong_by: float
    port: int


class Diary:
    """Where a process notes what it received. Each note is durable before the handler returns."""

    def __init__(self, file: Path, worker: str) -> None:
        self._file, self._worker = file, worker

    @staticmethod
    def make(file: Path) -> None:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(
                "CREATE TABLE received (place INTEGER PRIMARY KEY, event_id, account, subject, number, worker)"
            )
            connection.execute("CREATE TABLE surprises (what, worker)")
            connection.commit()

    def received(self, event: Event) -> None:
        row = (event.event_id, event.account, event.subject.id, event.number, self._worker)
        self._write("INSERT INTO received (event_id, account, subject, number, worker) VALUES (?, ?, ?, ?, ?)", row)

    def surprised(self, what: str) -> None:
        self._write("INSERT INTO surprises VALUES (?, ?)", (what, self._worker))

    def _write(self, statement: str, row: tuple[object, ...]) -> None:
        with closing(sqlite3.connect(self._file, timeout=60, isolation_level=None)) as connection:
            connection.execute(statement, row)


class Hurried:
    """The real senders. A second of the story is a fraction of a real one, and so is their patience."""

    def __init__(self, make: Callable[..., Any], settings: Settings) -> None:
        self._plain = make()
        self._by_host = {urlsplit(where).netloc: make(tls) for where, tls in settings.tls().items()}

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - see the port
        sender = self._by_host.get(urlsplit(request.url).netloc, self._plain)
        answer: HttpResponse = await sender.send(request, timeout=max(timeout / SPEED, 0.05))
        return answer

    async def aclose(self) -> None:
        for sender in (self._plain, *self._by_host.values()):
            await sender.aclose()


class AwaitingClock(FastClock):
    """The clock of a process whose calls are awaited."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0.0) / SPEED)


class Shop:
    """One process's accounts, with calls that are awaited in either colour."""

    def __init__(self, settings: Settings, orders: Orders, accounts: Any, diary: Diary) -> None:
        self.times, self.accounts, self.diary = settings.times, accounts, diary
        self.awaiting = orders.awaiting
        self.by_name: dict[str, Any] = {config.account: accounts.add(config) for config in settings.configs}

    async def call(self, method: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        result = method(*arguments, **named)
        return await result if self.awaiting else result

    def progress(self) -> int:
        """Return how many orders there are by now."""
        return 1 + int(self.times.story().total_seconds() / SPEED * _ORDERS_A_SECOND)


async def act(shop: Shop, chance: random.Random) -> None:
    """Do one thing, with one of the latest orders."""
    newest = shop.progress()
    number = chance.randrange(max(newest - story.LOOKS_BACK, 0), newest)
    payments = shop.by_name[story.account_of(number)]
    found = await shop.call(payments.find, order_reference=f"K-{number}")
    what = chance.choice((_look, _look, _give_back, _give_back, _draw, _take, _cancel, _pay_out, _sweep, _resolve))
    if not found or chance.random() < 0.15:
        await shop.call(payments.create, story.order(number), operation_id=f"order:{number}")
    else:
        await what(shop, chance, payments, found[0], number)


async def _look(shop: Shop, _chance: Any, payments: Any, payment: Any, _number: int) -> None:
    await shop.call(payments.observe, payment.payment_id)


async def _give_back(shop: Shop, chance: random.Random, payments: Any, payment: Any, number: int) -> None:
    if not payment.captured:
        return
    parts = story.parts(number)
    part = chance.randrange(len(parts))
    await shop.call(payments.refund, payment.payment_id, parts[part], operation_id=f"refund:{number}:{part}")


async def _draw(shop: Shop, chance: random.Random, payments: Any, payment: Any, number: int) -> None:
    if not story.is_stored(number):
        return
    for mandate in await shop.call(payments.mandates.of_payer, f"R-{number}"):
        if mandate.payment_id == payment.payment_id:
            period = chance.choice(story.PERIODS)
            await shop.call(
                payments.charge,
                mandate.mandate_id,
                story.MONTHLY,
                operation_id=f"charge:{number}:{period}",
                description="One month",
                period=period,
            )


async def _take(shop: Shop, _chance: Any, payments: Any, payment: Any, number: int) -> None:
    if story.order(number).capture is CaptureMode.MANUAL and payment.state is PaymentState.AUTHORIZED:
        await shop.call(payments.capture, payment.payment_id, operation_id=f"capture:{number}")


async def _cancel(shop: Shop, _chance: Any, payments: Any, payment: Any, number: int) -> None:
    if number % 5 == 0 and payment.is_open:
        await shop.call(payments.cancel, payment.payment_id, operation_id=f"cancel:{number}")


async def _pay_out(shop: Shop, _chance: Any, _payments: Any, _payment: Any, number: int) -> None:
    await shop.call(shop.by_name[story.SWISH].pay_out, story.payout(number), operation_id=f"payout:{number}")


async def _sweep(shop: Shop, _chance: Any, _payments: Any, _payment: Any, _number: int) -> None:
    await shop.call(shop.accounts.sweep)


async def _resolve(shop: Shop, chance: random.Random, payments: Any, _payment: Any, _number: int) -> None:
    waiting = await shop.call(payments.open_operations)
    asked = [each for each in waiting if each.kind is not OperationKind.PAYOUT]
    if asked:
        await shop.call(payments.resolve, chance.choice(asked).operation_id)


async def live(shop: Shop, seed: int) -> None:
    """Act until the process is killed. What is no error of prenopay goes into the diary."""
    chance = random.Random(seed)
    while True:
        try:
            await act(shop, chance)
        except PrenopayError as error:
            if isinstance(error, NotFound):
                shop.diary.surprised(f"{error}")
        except Exception:  # noqa: BLE001 - the run reports it
            shop.diary.surprised(traceback.format_exc())


def work(settings: Settings, orders: Orders) -> None:
    """Be a worker."""
    diary, chance = Diary(settings.diary, orders.name), random.Random(orders.seed)

    def hear(event: Event) -> None:
        if chance.random() < _FAILS:
            message = "the host's handler fails now and then"
            raise RuntimeError(message)
        diary.received(event)

    if orders.awaiting:
        asyncio.run(_work_awaiting(settings, orders, diary, hear))
        return
    shared: dict[str, Any] = {"callback_url": CALLBACK_URL, **KEYS, "on_event": hear}
    clock, sender = FastClock(settings.times, wrong_by=orders.wrong_by), Hurried(BlockingSender, settings)
    accounts = Accounts.open(settings.database, clock=clock, sender=sender, **shared)
    shop = Shop(settings, orders, accounts, diary)
    _listen(orders.port, CallbackApp(accounts))
    hands = [
        threading.Thread(target=run_blocking, args=(live(shop, orders.seed * _HANDS + hand),)) for hand in range(_HANDS)
    ]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join()


async def _work_awaiting(settings: Settings, orders: Orders, diary: Diary, hear: Callable[[Event], None]) -> None:
    async def heard(event: Event) -> None:
        hear(event)

    loop = asyncio.get_running_loop()
    clock, sender = AwaitingClock(settings.times, wrong_by=orders.wrong_by), Hurried(AwaitingSender, settings)
    accounts = AsyncAccounts.open(
        settings.database, clock=clock, sender=sender, callback_url=CALLBACK_URL, on_event=heard, **KEYS
    )
    shop = Shop(settings, orders, accounts, diary)
    _listen(orders.port, _Bridge(accounts, loop))
    async with asyncio.TaskGroup() as hands:
        for hand in range(_HANDS):
            hands.create_task(live(shop, orders.seed * _HANDS + hand))


class _Bridge:
    """Hands a callback from the listening thread to the process's event loop."""

    def __init__(self, accounts: AsyncAccounts, loop: asyncio.AbstractEventLoop) -> None:
        self._accounts, self._loop = accounts, loop

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        request = CallbackRequest(path=environ["PATH_INFO"], body=body, headers={}, peer="127.0.0.1", method="POST")
        reply = self._in_loop(self._accounts.receive(request))
        if reply.address is not None:
            self._in_loop(self._accounts.work(reply.address))
        start_response(f"{reply.status} OK", [("content-length", str(len(reply.body)))])
        return [reply.body]

    def _in_loop(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Nobody reads it."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The sender sends it again."""


def _listen(port: int, app: Any) -> None:
    server = make_server("127.0.0.1", port, app, server_class=_Server, handler_class=_Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main() -> None:
    settings: Settings = pickle.loads(Path(sys.argv[1]).read_bytes())  # noqa: S301 - the run's own file
    settings.tls()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        orders = Orders(**json.loads(line))
        child = os.fork()
        if not child:
            try:
                work(settings, orders)
            except BaseException:  # noqa: BLE001 - it goes into the diary, and the process ends
                Diary(settings.diary, orders.name).surprised(traceback.format_exc())
            os._exit(1)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
