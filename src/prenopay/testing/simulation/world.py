"""One seed's world: gateways, books, host processes and everybody in it, moved on step by step."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from http import HTTPStatus
from random import Random
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from sqlalchemy import Engine

from prenopay._blocking import run_blocking
from prenopay.accounts.accounts import AsyncAccounts
from prenopay.books.engine import AwaitingLedger, BlockingLedger
from prenopay.books.vault import Vault
from prenopay.errors import IdReused, PrenopayError
from prenopay.ports import HttpRequest, HttpResponse, Ledger
from prenopay.testing.clock import VirtualClock
from prenopay.testing.gateway import Behaviours, Gateway, GatewayMaker, OldMethods, Totals
from prenopay.testing.http import EmulatorSender
from prenopay.testing.simulation.books import Books, read_books
from prenopay.testing.simulation.gateways import Gateways, Place, text_of
from prenopay.testing.simulation.notebook import Notebook, Wish
from prenopay.testing.simulation.spells import Spells, WrongClock
from prenopay.testing.simulation.stores import Stores
from prenopay.testing.simulation.weather import Crash, FaultyLedger, FaultySender, Port, Weather, perhaps
from prenopay.values.callbacks import CallbackAddress, CallbackRequest, CallbackUrls
from prenopay.values.days import TIME_ZONE, day_of
from prenopay.values.events import Event
from prenopay.values.payments import Operation

__all__ = ["SECRETS", "Came", "Listener", "World", "is_awaiting", "shown"]

T = TypeVar("T")

_SHOP: Final = "https://shop.example"
_CALLBACK_KEY: Final = "a-key-for-the-simulation-that-is-long-enough"
_SEALING_KEY: Final = "a-key-that-seals-tokens-for-the-simulation"
SECRETS: Final = (_CALLBACK_KEY, _SEALING_KEY)
"""What the host gives prenopay, which must never show it."""
_AWAITING_EVERY: Final = 8
"""So many seeds have one that awaits: threads cost time, and the core is the same in both colours."""
_TAKEN: Final = range(200, 300)
_OF_EVERY_RECORD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_TRIES_MOST: Final = 6
_NOT_WELL: Final = {"unknown", "declined", "not_attempted"}
_ON_ITS_WAY: Final = timedelta(minutes=9)
"""How long after its first try a request may arrive: prenopay allows ten minutes, which a slow answer uses too."""
_AGAIN_AFTER: Final = timedelta(minutes=1)


def is_awaiting(seed: int) -> bool:
    """Whether the calls of a life are awaited; else they block."""
    return seed % _AWAITING_EVERY == _AWAITING_EVERY - 3


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


class _SeededEntropy:
    """Randomness that is the same each time."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance

    def token_bytes(self, count: int) -> bytes:
        """Return ``count`` bytes that a seed decides."""
        return self._chance.randbytes(count)


@dataclass(frozen=True, slots=True)
class Came:
    """What came of a use case: the error's name, or the outcome or state of what it returned."""

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

    def __init__(
        self,
        seed: int,
        makers: Mapping[str, GatewayMaker],
        stores: Stores,
        listener: Listener,
        reached: Counter[str],
    ) -> None:
        """Set the stage as ``seed`` says."""
        self.seed: int = seed
        self.reached: Counter[str] = reached
        chance = Random(f"{seed}")  # noqa: S311 - a story, not a secret
        self.on_disk: bool = seed % 2 == 1
        self.clock: VirtualClock = VirtualClock()
        self.gateways: Gateways = Gateways(makers, self.clock, seed, chance)
        self.repeats_what_failed: bool = perhaps(chance, 0.5)
        self.loses_callbacks: bool = perhaps(chance, 0.25)
        self.works_later: bool = perhaps(chance, 0.3)
        """Whether callbacks are only stored when they come, and worked on by the sweep."""
        self.repeats_bytes: bool = perhaps(chance, 0.3)
        """Whether the gateways send the same bytes for every change of a payment."""
        self.has_subscribers: bool = perhaps(chance, 0.3) and bool(self.gateways.having(OldMethods))
        """Whether it begins with methods that another system stored."""
        self.notebook: Notebook = Notebook(self.gateways)
        self.weather: Weather = Weather(reached, self.clock)
        self.spells: Spells = Spells(reached, self.clock)
        self.engine: Engine = stores.fresh(on_disk=self.on_disk)
        self.listener: Listener = listener
        self.listener.lines.clear()
        self.transcript: list[str] = []
        self.counted: set[tuple[str, str]] = set()
        """Which states and outcomes of what were counted in ``reached``."""
        self.under_way: Wish | None = None
        """What the present step asks for."""
        self.callback_tries: Counter[str] = Counter()
        self._first_bodies: dict[str, bytes] = {}
        self._entropy = _SeededEntropy(Random(f"{seed}:entropy"))  # noqa: S311 - a story, not a secret
        self._late: list[tuple[datetime, HttpRequest]] = []
        self._first_sent: dict[tuple[str, str], datetime] = {}
        self._wire = EmulatorSender(
            {host: each for gateway in self.gateways.all.values() for host, each in gateway.mounts.items()}
        )
        self._runner = asyncio.Runner() if is_awaiting(seed) else None
        self.process: AsyncAccounts = self._started(self.weather)
        self._other: AsyncAccounts | None = None

    # Processes

    @property
    def other(self) -> AsyncAccounts:
        """Another process on the same books, in fair weather."""
        if self._other is None:
            self._other = self._started(Weather(self.reached, self.clock))
        return self._other

    def account(self, name: str) -> Any:
        """Return the use cases of an account, in the process that runs now; what it can do, its place says."""
        return self.process[name]

    def crashed(self) -> None:
        """Start a new process after a crash: the books and the notebook are all that is left."""
        if self.on_disk:
            self.engine.dispose()
        self.process = self._started(self.weather)

    def run(self, work: Coroutine[object, None, T]) -> T:
        """Drive ``work`` to its end, in this world's colour."""
        return run_blocking(work) if self._runner is None else self._runner.run(work)

    def _started(self, weather: Weather) -> AsyncAccounts:
        ledger: Ledger = BlockingLedger(self.engine) if self._runner is None else AwaitingLedger(self.engine)

        async def on_event(event: Event) -> None:
            async def act() -> None:
                self.spells.fail()
                self.notebook.hear(event)

            with self.notebook.in_hand(event, self.clock.now()):
                await weather.around(Port.HANDLER, act)

        accounts = AsyncAccounts(
            ledger=FaultyLedger(ledger, weather),
            sender=self._sender(weather),
            clock=WrongClock(self.clock, lambda: self.spells.off_by),
            entropy=self._entropy,
            callback_urls=CallbackUrls(f"{_SHOP}/callbacks", [_CALLBACK_KEY]),
            on_event=on_event,
            vault=Vault([_SEALING_KEY]),
        )
        for place in self.gateways.places.values():
            accounts.add(place.config)
        return accounts

    def _sender(self, weather: Weather) -> FaultySender:
        return FaultySender(
            self._wire,
            weather,
            self.clock,
            plan=self.gateways.plan,
            witness=self._witness,
            lie=self.spells.lie,
            foreign=self.gateways.take_reference,
            late=self._late,
        )

    def _witness(self, request: HttpRequest) -> datetime | None:
        """Note what a request asks for; return until when it may arrive, if it moves money."""
        asked = self.notebook.witness(request)
        if asked is None:
            return None
        used = len(self.notebook.references[asked.what, asked.text])
        if used > 1 and (asked.what, asked.reference) not in self._first_sent:
            self.reached[f"spent reference: {asked.what}"] += 1
        first = self._first_sent.setdefault((asked.what, asked.reference), self.clock.now())
        return first + _ON_ITS_WAY

    @property
    def awaits_late(self) -> bool:
        """Whether a request is still on its way to a gateway."""
        return bool(self._late)

    async def deliver_late(self) -> None:
        """Let arrive at the gateways what was on its way until now."""
        await self._sender(Weather(Counter(), self.clock)).deliver_late()

    # What the host does

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

    # Callbacks

    async def deliver_callbacks(self) -> int:
        """Hand over the callbacks that are due; what the host does not take comes again."""
        count = 0
        for gateway in self.gateways.all.values():
            waiting = _due_callbacks(gateway)
            count += len(waiting)
            while waiting:
                url, request = waiting[0]
                first = self._first_bodies.setdefault(url, request.body)
                if self.repeats_bytes:
                    request = replace(request, body=first)
                try:
                    taken = await self._receive(gateway, request)
                except Crash:
                    for each_url, each in waiting:
                        self._comes_again(gateway, each_url, each)
                    raise
                waiting.pop(0)
                if not taken:
                    self._comes_again(gateway, url, request)
        return count

    async def _receive(self, gateway: Gateway, request: CallbackRequest) -> bool:
        totals = self.gateways.totals()
        reply = await self.process.receive(request)
        taken, address = reply.status in _TAKEN, reply.address
        if address is not None:
            if taken:
                self._owes(gateway, address, request, totals)
            if not self.works_later:
                await self.tries(lambda: self.process.work(address))
        return taken

    def _owes(
        self, gateway: Gateway, address: CallbackAddress, request: CallbackRequest, totals: Mapping[str, Totals]
    ) -> None:
        """Remember what the gateway had when a callback was taken: once it is answered, the books must have it."""
        named = [name for name in totals if name.encode() in request.body]
        if address.subject is not None:
            if gateway.nobodys.encode() in request.body:
                self.notebook.foreign.add(address.subject.id)
            named = [name for name in totals if self.notebook.names.get(name) == address.subject.id]
        for name in named:
            if name in self.notebook.names:
                self.notebook.owed[name] = totals[name]

    def _comes_again(self, gateway: Gateway, url: str, request: CallbackRequest) -> None:
        key = hashlib.sha256(url.encode() + request.body).hexdigest()
        self.callback_tries[key] += 1
        if self.callback_tries[key] < _TRIES_MOST:
            headers = tuple(request.headers.items())
            gateway.callbacks.put(url, request.body, due=self.clock.now() + _AGAIN_AFTER, headers=headers)

    # What is known of it all

    @property
    def hides_status(self) -> bool:
        """Whether a gateway says a status that nobody knows, so that its payments cannot be read."""
        return any(gateway.hides_status for gateway in self.gateways.each(Behaviours))  # type: ignore[type-abstract]  # an ability

    def today(self) -> date:
        """Return the day that it is for the merchant."""
        return day_of(self.clock.now(), TIME_ZONE)

    def ends_of_consents(self, books: Books) -> dict[str, date]:
        """Return the last day on which each mandate may be remembered, where its payer named one."""
        wishes = (
            (row.subject_id, self.notebook.wishes.get(text_of(row.account, row.operation_id)))
            for row in books.operations
            if row.kind == "create"
        )
        ends = {payment_id: wish.until for payment_id, wish in wishes if wish is not None and wish.until is not None}
        return {row.mandate_id: ends[row.payment_id] for row in books.mandates if row.payment_id in ends}

    async def actions_of(self, place: Place, payment: str) -> list[str]:
        """Ask the gateway itself what can be done next with a payment."""

        async def send(request: HttpRequest) -> HttpResponse:
            return await self._wire.send(request, timeout=place.provider.limits.deadline_seconds)

        seen = await place.provider.observe(send, payment)
        return sorted(action.value for action in seen.allowed_actions)

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
        """Close what this life held."""
        if self._runner is not None:
            self._runner.close()


def _due_callbacks(gateway: Gateway) -> list[tuple[str, CallbackRequest]]:
    """Take the callbacks that are due off the gateway's queue, as if each was answered well."""
    taken: list[tuple[str, CallbackRequest]] = []

    def post(url: str, body: bytes, headers: tuple[tuple[str, str], ...]) -> int:
        path = urlsplit(url).path
        if not url.startswith(_SHOP):
            return HTTPStatus.OK  # another shop's
        taken.append((url, CallbackRequest(path=path, body=body, headers=dict(headers), peer="127.0.0.1")))
        return HTTPStatus.OK

    gateway.deliver_callbacks(post)
    return taken
