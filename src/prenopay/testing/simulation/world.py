"""One seed's world: gateways, books, host processes and everybody in it, moved on step by step."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from random import Random
from typing import Final, TypeVar
from urllib.parse import urlsplit

from sqlalchemy import Engine

from prenopay._blocking import run_blocking
from prenopay.books.engine import AwaitingLedger, BlockingLedger
from prenopay.errors import IdReused, PrenopayError
from prenopay.ports import HttpRequest, Ledger
from prenopay.providers.swedbankpay import RepeatedReference
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swedbankpay import (
    AWKWARD,
    AsynchronousReversal,
    Behaviour,
    DeclineChannel,
    DuplicateAnswer,
    SwedbankPayEmulator,
)
from prenopay.testing.emulators.swish import AWKWARD as AWKWARD_SWISH, SwishEmulator
from prenopay.testing.http import EmulatorSender
from prenopay.testing.simulation.books import Books, read_books
from prenopay.testing.simulation.gateways import CARDS, FOREIGN_NAMES, OTHER_CARDS, SWISH, Gateways, text_of
from prenopay.testing.simulation.notebook import Notebook, Wish
from prenopay.testing.simulation.process import MERCHANTS, Process, authority, start
from prenopay.testing.simulation.stores import Stores
from prenopay.testing.simulation.weather import Crash, FaultyLedger, FaultySender, Port, Weather, perhaps
from prenopay.values.callbacks import CallbackRequest
from prenopay.values.events import Event
from prenopay.values.payments import Operation

__all__ = ["Came", "Listener", "World", "shown"]

T = TypeVar("T")

_ACCOUNTS: Final = tuple(map(frozenset, ([CARDS], [CARDS, SWISH], [CARDS], [SWISH], [CARDS, OTHER_CARDS])))
"""Which accounts a world has, seed by seed."""
_AWAITING_EVERY: Final = 16
"""So many seeds have one that awaits: threads cost time, and the core is the same in both colours."""
_REVERSAL_TAKES: Final = 400_000
"""Seconds, at most, until a reversal that was only accepted is there: days, as some instruments take."""
_TAKEN: Final = range(200, 300)
_OF_EVERY_RECORD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_TRIES_MOST: Final = 6
_NOT_WELL: Final = {"unknown", "declined", "not_attempted"}
_ON_ITS_WAY: Final = timedelta(minutes=9)
"""How long after its first try a request may arrive: prenopay allows ten minutes, which a slow answer uses too."""
_AGAIN_AFTER: Final = timedelta(minutes=1)


def shown(error: BaseException) -> str:
    """Return what an error shows of itself, its notes, and everything that it came from."""
    chain: list[BaseException] = []
    more: list[BaseException | None] = [error]
    while more:
        each = more.pop()
        if each is not None and each not in chain:
            chain.append(each)
            more += [each.__cause__, each.__context__]
    return " ".join(f"{each!r} {each} {getattr(each, '__notes__', '')}" for each in chain)


class Listener(logging.Handler):
    """Hears everything that prenopay logs, so that nothing secret goes unnoticed."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record, and what came with it."""
        more = " ".join(f"{name}={value}" for name, value in vars(record).items() if name not in _OF_EVERY_RECORD)
        error = shown(record.exc_info[1]) if record.exc_info and record.exc_info[1] else ""
        self.lines.append(f"{self.format(record)} {more} {error}")


@dataclass(frozen=True, slots=True)
class Came:
    """What came of a use case: the error's name, or how what it returned stands."""

    word: str
    answered: bool = False
    answer: object = None

    @property
    def well(self) -> bool:
        """Whether it came to what was asked for."""
        return self.answered and self.word not in _NOT_WELL

    def __str__(self) -> str:
        return self.word


class World:
    """Everything there is in one life; ``close`` it."""

    def __init__(self, seed: int, stores: Stores, listener: Listener, reached: Counter[str]) -> None:
        """Set the stage as ``seed`` says."""
        self.seed: int = seed
        self.reached: Counter[str] = reached
        chance = Random(f"{seed}")  # noqa: S311 - a story, not a secret
        self.on_disk: bool = seed % 2 == 1
        self.is_awaiting: bool = seed % _AWAITING_EVERY == _AWAITING_EVERY - 3
        self.names: frozenset[str] = _ACCOUNTS[seed % len(_ACCOUNTS)]
        self.clock: VirtualClock = VirtualClock()
        self.entropy: Random = Random(f"{seed}:entropy")  # noqa: S311 - a story, not a secret
        self.repeated: RepeatedReference
        cards, self.repeated = _cards_behaviour(chance)
        swish = AWKWARD_SWISH if perhaps(chance, 0.3) else None
        self.cards: SwedbankPayEmulator = SwedbankPayEmulator(
            clock=self.clock, seed=seed, behaviour=cards, merchants=MERCHANTS.values()
        )
        self.swish: SwishEmulator = SwishEmulator(clock=self.clock, seed=seed, behaviour=swish, authority=authority())
        self.repeats_what_failed: bool = perhaps(chance, 0.5)
        self.loses_callbacks: bool = perhaps(chance, 0.25)
        self.has_subscribers: bool = perhaps(chance, 0.3)
        """Whether it begins with cards that another system stored."""
        self.gateways: Gateways = Gateways(self.cards, self.swish)
        self.notebook: Notebook = Notebook(self.gateways)
        self.weather: Weather = Weather(reached)
        self.engine: Engine = stores.fresh(on_disk=self.on_disk)
        self.listener: Listener = listener
        self.listener.lines.clear()
        self.transcript: list[str] = []
        self.counted: set[tuple[str, str]] = set()
        """Which states and outcomes of what were counted in ``reached``."""
        self.under_way: Wish | None = None
        """What the present step asks for."""
        self.late: list[tuple[datetime, HttpRequest]] = []
        """What is still on its way to a gateway, and when it arrives."""
        self._first_sent: dict[tuple[str, str], datetime] = {}
        self.callback_tries: Counter[str] = Counter()
        self._runner = asyncio.Runner() if self.is_awaiting else None
        self.process: Process = self.restarted()
        self._other: Process | None = None

    @property
    def other(self) -> Process:
        """Another process on the same books, in fair weather."""
        if self._other is None:
            self._other = self.restarted(calm=True)
        return self._other

    def restarted(self, *, calm: bool = False) -> Process:
        """Start a process; with ``calm``, one that no weather touches."""
        weather = Weather(self.reached) if calm else self.weather
        ledger: Ledger = AwaitingLedger(self.engine) if self.is_awaiting else BlockingLedger(self.engine)

        async def on_event(event: Event) -> None:
            async def act() -> None:
                self.notebook.hear(event)

            await weather.around(Port.TELL, act)

        self.sender: FaultySender = FaultySender(
            EmulatorSender({**self.cards.mounts, **self.swish.mounts}),
            weather,
            self.clock,
            plan=self.gateways.plan,
            witness=self._witness,
            late=self.late,
        )
        return start(
            ledger=FaultyLedger(ledger, weather),
            sender=self.sender,
            clock=self.clock,
            entropy=self.entropy,
            on_event=on_event,
            names=self.names,
            repeated=self.repeated,
        )

    def run(self, work: Coroutine[object, None, T]) -> T:
        """Drive ``work`` to its end, in this world's colour."""
        return run_blocking(work) if self._runner is None else self._runner.run(work)

    def crashed(self) -> None:
        """Start anew after a crash: the books and the notebook are all that is left."""
        if self.on_disk:
            self.engine.dispose()
        self.process = self.restarted()

    def books(self) -> Books:
        """Return prenopay's books; learn the gateways' names of payments on the way."""
        books = read_books(self.engine)
        for row in books.payments:
            if row.name is not None:
                self.notebook.names[row.name] = row.payment_id
            elif not row.is_open:
                self.notebook.ended_unnamed.add(row.payment_id)
        return books

    async def asks(self, wish: Wish) -> Came:
        """Have the host ask for something, first written down; return what came of it."""
        self.notebook.wishes[wish.text] = wish
        return await self.asks_again(wish)

    async def asks_again(self, wish: Wish) -> Came:
        """Have the host repeat what it asked for, in the process that runs now."""
        self.under_way = wish
        came = await self.tries(lambda: self._asked(wish))
        if came.word == IdReused.__name__:
            self.notebook.broken.append(f"never lost: {wish.text} was refused as another's id, and is its own")
        return came

    async def _asked(self, wish: Wish) -> object:
        answer = await wish.ask(self.process, 0)
        wish.answered = True
        return answer

    def _witness(self, request: HttpRequest) -> datetime | None:
        """Note what a request asks for; return until when it may arrive, if it moves money."""
        asked = self.notebook.witness(request)
        if asked is None:
            return None
        first = self._first_sent.setdefault((asked.what, asked.reference), self.clock.now())
        return first + _ON_ITS_WAY

    async def tries(self, use_case: Callable[[], Awaitable[object]]) -> Came:
        """Call a use case as a host does that expects errors of prenopay's, and no others."""
        try:
            answer = await use_case()
        except PrenopayError as error:
            self.notebook.shown.append(shown(error))
            return Came(type(error).__name__)
        self.notebook.shown.append(repr(answer))
        if isinstance(answer, Operation):
            self.notebook.said[text_of(answer.account, answer.operation_id)] = answer.outcome
        word = str(getattr(answer, "outcome", getattr(answer, "state", "done")))
        return Came(word, answered=True, answer=answer)

    async def deliver_callbacks(self) -> int:
        """Hand over the callbacks that are due; what the host does not take comes again."""
        count = 0
        for emulator in (self.cards, self.swish):
            waiting = _taken(emulator)
            count += len(waiting)
            while waiting:
                url, request = waiting[0]
                try:
                    taken = await self._receive(request)
                except Crash:
                    for each_url, each in waiting:
                        self._comes_again(emulator, each_url, each)
                    raise
                waiting.pop(0)
                if not taken:
                    self._comes_again(emulator, url, request)
        return count

    async def _receive(self, request: CallbackRequest) -> bool:
        reply = await self.process.accounts.receive(request)
        taken, address = reply.status in _TAKEN, reply.address
        if address is not None:
            if taken and FOREIGN_NAMES[address.account].encode() in request.body:
                self.notebook.foreign.add(str(address.subject))
            await self.tries(lambda: self.process.accounts.work(address))
            if taken and self.weather.is_fair:
                self._has_looked(str(address.subject))
        return taken

    def _has_looked(self, payment_id: str) -> None:
        """Hold the books against the gateway, now that a callback said that something happened."""
        if self.cards.behaviour.unknown_status:
            return  # what it comes to cannot be read now
        books, sums = self.books(), self.gateways.sums()
        for row in books.payments:
            theirs = sums.get(row.name or "")
            if row.payment_id != payment_id or row.quarantined or theirs is None or books.waiting_callbacks:
                continue
            if row.sums != theirs:
                self.notebook.broken.append(
                    f"never lost: a callback of {payment_id} came, the books have {row.sums}, the gateway {theirs}"
                )

    def _comes_again(self, emulator: SwedbankPayEmulator | SwishEmulator, url: str, request: CallbackRequest) -> None:
        key = hashlib.sha256(url.encode() + request.body).hexdigest()
        self.callback_tries[key] += 1
        if self.callback_tries[key] < _TRIES_MOST:
            headers = tuple(request.headers.items())
            emulator.callbacks.put(url, request.body, due=self.clock.now() + _AGAIN_AFTER, headers=headers)

    def note(self, line: str) -> None:
        """Add a line to the transcript."""
        self.transcript.append(line)

    def digest(self) -> str:
        """Return what tells two lives apart: every step, event and movement."""
        told = [f"{each.event_id} {each.kind} {each.captured} {each.refunded}" for each in self.notebook.heard.values()]
        moves = [f"{each}" for each in self.gateways.moves()]
        whole = "\n".join([*self.transcript, *told, *moves, self.clock.now().isoformat()])
        return hashlib.sha256(whole.encode()).hexdigest()[:16]

    def close(self) -> None:
        """Let go of what this life held."""
        if self._runner is not None:
            self._runner.close()


def _taken(emulator: SwedbankPayEmulator | SwishEmulator) -> list[tuple[str, CallbackRequest]]:
    """Take the callbacks that are due off the emulator's queue, as if each was answered well."""
    taken: list[tuple[str, CallbackRequest]] = []

    def post(url: str, body: bytes, headers: tuple[tuple[str, str], ...]) -> int:
        path = urlsplit(url).path
        taken.append((url, CallbackRequest(path=path, body=body, headers=dict(headers), peer="127.0.0.1")))
        return HTTPStatus.OK

    emulator.deliver_callbacks(post)
    return taken


def _cards_behaviour(chance: Random) -> tuple[Behaviour, RepeatedReference]:
    """Return a gateway as the documents allow it, and the setting that goes with it."""
    behaviour = AWKWARD if perhaps(chance, 0.25) else Behaviour()
    duplicate = chance.choice(list(DuplicateAnswer))
    refused = perhaps(chance, 0.4)
    slow_refunds = AsynchronousReversal(
        after=timedelta(seconds=chance.randint(30, _REVERSAL_TAKES)), succeeds=perhaps(chance, 0.6)
    )
    changed = replace(
        behaviour,
        duplicate_reference=duplicate,
        duplicate_charge=DuplicateAnswer.CONFLICT if refused else chance.choice(["accept", None]),
        decline_channel=chance.choice(list(DeclineChannel)),
        asynchronous_reversal=slow_refunds if perhaps(chance, 0.35) else None,
        fee_amount=1900 if perhaps(chance, 0.1) else 0,
        discount_amount=900 if perhaps(chance, 0.1) else 0,
        unknown_status="Odd" if perhaps(chance, 0.02) else "",
        post_purchase_callbacks=perhaps(chance, 0.3),
    )
    return changed, RepeatedReference.REFUSED if refused else RepeatedReference.UNKNOWN
