"""Every place where bytes of strangers are read, each as a function of bytes that raises if the rule is broken."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import shutil
import tempfile
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias
from unittest.mock import patch
from urllib.parse import urlsplit

from sqlalchemy import ExceptionContext, event

from prenopay import (
    Accounts,
    AsyncAccounts,
    CallbackRequest,
    Order,
    Payer,
    Payment,
    Payments,
    upgrade_database,
)
from prenopay._blocking import run_blocking
from prenopay.cli import settings
from prenopay.errors import ConfigurationError, InvalidOrder, PrenopayError
from prenopay.mandates import import_file
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.provider import Environment, Inspection, ReceivesCallbacks
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.providers.swish import Swish
from prenopay.providers.swish.certificates import Credentials
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.leniency import Leniency
from prenopay.testing.emulators.swedbankpay import Behaviour as CardBehaviour, SwedbankPayEmulator
from prenopay.testing.emulators.swish import Behaviour as SwishBehaviour, SwishEmulator
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest
from prenopay.values.callbacks import Heard
from prenopay.values.subjects import Subject
from prenopay.web import asgi, wsgi
from tests.behaviour.shop import CALLBACK_URL, KEY, an_order
from tests.providers.swedbankpay import samples as card
from tests.providers.swish import samples as swish
from tests.providers.swish.authority import NUMBER
from tests.rewiring import core_of

from .calls import CARD_VERBS, SWISH_VERBS, Answering, Verb, opened

__all__ = ["TARGETS", "Target"]

Target: TypeAlias = Callable[[bytes], object]

_TOKEN: Final = {"paymentrequesttoken": "t"}
SOURCES: Final = ("203.0.113.0/24", "2001:db8::/32")


# Answers of gateways


def _called(verbs: Mapping[str, Verb], envelope: bytes) -> None:
    head, body = opened(envelope)
    call, first = verbs[head["verb"]]
    answer = HttpResponse(status=head["status"], headers=tuple(map(tuple, head["headers"])), body=body)
    with contextlib.suppress(PrenopayError):
        run_blocking(call(Answering(first, answer)))


def card_answers(envelope: bytes) -> None:
    """Let a verb of Swedbank Pay's get this answer."""
    _called(CARD_VERBS(), envelope)


def swish_answers(envelope: bytes) -> None:
    """Let a verb of Swish's get this answer."""
    _called(SWISH_VERBS(), envelope)


# Bodies that people hand in


def _inspected(config: type[SwedbankPay | Swish], body: bytes) -> None:
    try:
        seen = config.inspect(body)
    except ValueError as error:
        said = str(error)
    else:
        assert isinstance(seen, Inspection)
        return
    assert len(said.splitlines()) == 1, "a refusal is one line"
    assert len(said) < 2000, "a refusal is short"


def card_inspect(body: bytes) -> None:
    """Inspect a body of Swedbank Pay's."""
    _inspected(SwedbankPay, body)


def swish_inspect(body: bytes) -> None:
    """Inspect a body of Swish's."""
    _inspected(Swish, body)


# Callbacks


def _read_callback(provider: ReceivesCallbacks, envelope: bytes) -> None:
    trust = provider.read_callback(_request_in(envelope))
    assert isinstance(trust, Heard)
    assert len(trust.problem) < 2000


def _request_in(envelope: bytes, path: str = "/") -> CallbackRequest:
    head, body = opened(envelope)
    return CallbackRequest(
        path=head.get("path", path),
        body=body,
        headers=head.get("headers", {}),
        query=head.get("query", ""),
        peer=head.get("peer", ""),
        method=head.get("method", "POST"),
    )


def card_callback(envelope: bytes) -> None:
    """Read a callback as Swedbank Pay's, with and without a check of its source."""
    for provider in _card_providers():
        _read_callback(provider, envelope)


def swish_callback(envelope: bytes) -> None:
    """Read a callback as Swish's, with and without a check of its source."""
    for provider in _swish_providers():
        _read_callback(provider, envelope)


@cache
def _card_providers() -> tuple[ReceivesCallbacks, ...]:
    return card.provider(), card.provider(callback_sources=SOURCES, trusted_proxies=SOURCES)


@cache
def _swish_providers() -> tuple[ReceivesCallbacks, ...]:
    return swish.provider(), swish.provider(callback_sources=SOURCES, trusted_proxies=SOURCES)


class Gateway:
    """A gateway that gives one answer to everything, as a test has set it."""

    def __init__(self) -> None:
        self.answer = HttpResponse(status=503)

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - see the port
        return self.answer


@contextlib.contextmanager
def _memory() -> Iterator[Path]:
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
    folder = Path(tempfile.mkdtemp(prefix="prenopay-fuzz-", dir=memory if os.access(memory, os.W_OK) else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


class Doors:
    """One host: its doors for callbacks (plain, WSGI and ASGI), its books, and two gateways."""

    def __init__(self, database: str) -> None:
        upgrade_database(database)
        self.gateway = Gateway()
        shared: dict[str, Any] = {"callback_url": CALLBACK_URL, "callback_keys": [KEY], "sender": self.gateway}
        shared["clock"] = VirtualClock()
        self.accounts = Accounts.open(database, **shared)
        self._runner = asyncio.Runner()
        self._awaiting = self._runner.run(self._opened(database, shared))
        self._of: dict[str, Payments[Any]] = {}
        for config in (card.config(account="cards"), swish.config(account="swish")):
            self._of[config.account] = self.accounts.add(config)
            self._awaiting.add(config)
        self._made = 0
        self._wsgi, self._asgi = wsgi.CallbackApp(self.accounts), asgi.CallbackApp(self._awaiting)
        self._waiting = {account: self.bought(account).payment_id for account in self._of}
        self._refused = list[str]()
        for accounts in (self.accounts, self._awaiting):
            event.listen(core_of(accounts)._ledger.engine, "handle_error", self._note)

    def _note(self, context: ExceptionContext) -> None:
        """Keep what the database refused. A row that is there already is another thing: the books ask for it."""
        error = context.original_exception
        if "IntegrityError" not in type(error).__name__ and "UniqueViolation" not in type(error).__name__:
            self._refused.append(f"{type(error).__name__}: {error}")

    def check(self) -> None:
        """Check that the database has refused nothing."""
        refused, self._refused = self._refused, []
        assert refused == []

    @staticmethod
    async def _opened(database: str, shared: dict[str, Any]) -> AsyncAccounts:
        return AsyncAccounts.open(database, **shared)

    def bought(self, account: str, make: Callable[[], Order] = an_order) -> Payment:
        """Make a payment whose payer has not paid yet."""
        self._made += 1
        order = card.order(id=f"{card.ORDER_ID}{self._made}", amount=11900)
        self.gateway.answer = card.answer(order, 201) if account == "cards" else card.answer(b"", 201, **_TOKEN)
        return self._of[account].create(make(), operation_id=f"order:{self._made}")

    def seen(self, account: str, answer: HttpResponse) -> None:
        """Look at a new payment, with its own name in the answer where the samples have theirs."""
        payment = self.bought(account)
        theirs = card.ORDER_ID if account == "cards" else swish.UUID
        body = answer.body.replace(theirs.encode(), str(payment.provider_reference).encode())
        self.gateway.answer = replace(answer, body=body)
        with contextlib.suppress(PrenopayError):
            self._of[account].observe(payment.payment_id)

    def reads_back(self, payment: Payment, texts: Mapping[str, Any]) -> None:
        """Check that an order is in the books as it was given."""
        order = self._of[payment.account].order(payment.payment_id)
        assert json.loads(json.dumps({name: getattr(order, name) for name in texts})) == texts
        assert self._of[payment.account].get(payment.payment_id).description == order.description

    def close(self) -> None:
        self.accounts.close()
        self._runner.run(self._awaiting.aclose())
        self._runner.close()

    def path(self, account: str) -> str:
        return urlsplit(self.accounts.callback_urls.url(account, Subject.payment(self._waiting[account]))).path

    def plain(self, request: CallbackRequest) -> None:
        self.gateway.answer = HttpResponse(status=503)
        reply = self.accounts.receive(request)
        assert 200 <= reply.status < 600
        if reply.address is not None:
            with contextlib.suppress(PrenopayError):
                self.accounts.work(reply.address)

    def over_wsgi(self, request: CallbackRequest, head: Mapping[str, Any]) -> None:
        statuses: list[str] = []
        environ: dict[str, Any] = {
            "REQUEST_METHOD": request.method,
            "PATH_INFO": request.path,
            "QUERY_STRING": request.query,
            "REMOTE_ADDR": request.peer,
            "CONTENT_LENGTH": head.get("length", str(len(request.body))),
            "wsgi.input": io.BytesIO(request.body),
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request.headers.items()},
        }
        reply: Any = self._wsgi(environ, lambda status, _headers, _exc=None: statuses.append(status))  # type: ignore[arg-type]  # nobody writes through it
        b"".join(reply)
        getattr(reply, "close", lambda: None)()
        assert len(statuses) == 1

    def over_asgi(self, request: CallbackRequest) -> None:
        sent: list[Any] = []
        half = len(request.body) // 2
        messages = iter(
            [
                {"type": "http.request", "body": request.body[:half], "more_body": True},
                {"type": "http.request", "body": request.body[half:]},
            ]
        )
        scope: dict[str, Any] = {
            "type": "http",
            "method": request.method,
            "path": request.path,
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.items()],
            "query_string": request.query.encode("latin-1"),
            "client": (request.peer, 1),
        }

        async def call() -> None:
            async def receive() -> Any:
                return next(messages)

            async def send(message: Any) -> None:
                sent.append(message["type"])

            await self._asgi(scope, receive, send)

        self._runner.run(call())
        assert sent == ["http.response.start", "http.response.body"]


DOORS: list[Doors] = []
"""The open doors, one host on each database: opened by the tests' fixture, because opening takes a while."""


def _chosen(envelope: bytes) -> Doors:
    """Return the doors on one of the databases: for one input always the same."""
    return DOORS[zlib.crc32(envelope) % len(DOORS)]


@contextlib.contextmanager
def only(doors: Doors) -> Iterator[None]:
    """Leave only these doors open."""
    before = list(DOORS)
    DOORS[:] = [doors]
    try:
        yield
    finally:
        DOORS[:] = before


def receive(envelope: bytes) -> None:
    """Hand a callback to every door of a host; its path is one that was handed out, unless it names another."""
    head, _ = opened(envelope)
    doors = _chosen(envelope)
    request = _request_in(envelope, doors.path(head.get("account", "cards")))
    doors.plain(request)
    if all(text.isascii() for text in (*request.headers, *request.headers.values(), request.query)):
        doors.over_wsgi(request, head)
        doors.over_asgi(request)
    doors.check()


@contextlib.contextmanager
def open_doors(*databases: str) -> Iterator[None]:
    """Open a host for ``receive``, ``books`` and ``orders`` on SQLite, and on each of some other databases."""
    with _memory() as folder:
        DOORS.extend(map(Doors, (f"sqlite:///{folder}/prenopay.db", *databases)))
        try:
            yield
        finally:
            while DOORS:
                DOORS.pop().close()


def books(envelope: bytes) -> None:
    """Let a payment's look get this answer, with the books and all."""
    head, body = opened(envelope)
    answer = HttpResponse(status=head["status"], headers=tuple(map(tuple, head["headers"])), body=body)
    doors = _chosen(envelope)
    doors.seen(head["account"], answer)
    doors.check()


def orders(content: bytes) -> None:
    """Make a payment of an order with these texts on each database: both take it, or both refuse it by name."""
    texts: dict[str, Any] = json.loads(content)

    def make() -> Order:
        payer = Payer(reference=texts.pop("payer", ""), first_name=texts.pop("name", ""))
        return an_order(payer=payer, **texts)

    outcomes, refused = set[str](), None
    for doors in DOORS:
        for account in ("cards", "swish"):
            try:
                texts = json.loads(content)
                payment = doors.bought(account, make)
                doors.reads_back(payment, texts)
                outcomes.add(f"{account}: taken")
            except InvalidOrder as error:
                refused = error
                outcomes.add(f"{account}: {error}")
        doors.check()
    assert refused is None or (refused.field and len(str(refused)) < 400), refused
    assert len(outcomes) == len({"cards", "swish"}), outcomes


# Files of the operator's


def tokens(content: bytes) -> None:
    """Read a file of tokens; bytes that are not UTF-8 are refused by who opens the file."""
    lines, problems = import_file.read(content.decode("utf-8", "surrogateescape"))
    assert all(problem.why for problem in problems)
    assert len({line.token for line in lines}) == len(lines)


def settings_file(content: bytes) -> None:
    """Read settings."""
    with _memory() as folder, patch.dict(os.environ, {"FUZZ_KEY": "a-key-for-the-tests-that-is-long-enough"}):
        file = folder / "prenopay.toml"
        file.write_bytes(content)
        try:
            read = settings.load_settings(file)
        except ConfigurationError as error:
            said = str(error)
        else:
            assert isinstance(read, settings.Settings)
            return
    assert "a-key-for-the-tests-that-is-long-enough" not in said
    assert len(said) < 20_000, "an error is to be read"


def certificate(envelope: bytes) -> None:
    """Read a certificate with its key, PEM or PKCS#12, and show it to TLS."""
    head, body = opened(envelope)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cryptography warns of what it will refuse one day
        with contextlib.suppress(ConfigurationError):
            account = Swish(
                account="swish",
                environment=Environment.TEST,
                number=NUMBER,
                certificate=body,
                private_key=head.get("private_key", "").encode(),
                password=head.get("password", ""),
            )
            account.tls()
            assert isinstance(account.credentials(), Credentials)
            run_blocking(account.provider().probe(Answering((), HttpResponse(status=404))))


# Emulators, whose callers are strangers too


def _asked_of(emulator: SwedbankPayEmulator | SwishEmulator, envelope: bytes) -> None:
    head, body = opened(envelope)
    outcome = emulator.handle(
        EmulatorRequest(
            method=head["method"],
            target=head["target"],
            headers=tuple(map(tuple, head.get("headers", ()))),
            body=body,
            client_name=NUMBER,
        )
    )
    assert not isinstance(outcome, EmulatorAnswer) or 100 <= outcome.status < 1000


def card_emulator(envelope: bytes) -> None:
    """Ask Swedbank Pay's emulator, strict and lenient."""
    for takes in (frozenset[Leniency](), frozenset(Leniency)):
        _asked_of(SwedbankPayEmulator(seed=0, behaviour=CardBehaviour(takes=takes)), envelope)


def swish_emulator(envelope: bytes) -> None:
    """Ask Swish's emulator, strict and lenient."""
    for takes in (frozenset[Leniency](), frozenset(Leniency)):
        _asked_of(SwishEmulator(seed=0, behaviour=SwishBehaviour(takes=takes)), envelope)


TARGETS: Final[Mapping[str, Target]] = {
    "books": books,
    "card_answers": card_answers,
    "card_callback": card_callback,
    "card_emulator": card_emulator,
    "card_inspect": card_inspect,
    "certificate": certificate,
    "orders": orders,
    "receive": receive,
    "settings_file": settings_file,
    "swish_answers": swish_answers,
    "swish_callback": swish_callback,
    "swish_emulator": swish_emulator,
    "swish_inspect": swish_inspect,
    "tokens": tokens,
}
"""Name of the target, which is that of its folder in the corpus, and what to call."""
