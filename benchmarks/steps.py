"""Transactions and SQL statements of each use case, against the emulators in this process, on both databases.

Blocking colour, public names only. SQLAlchemy's own engine events do the counting, so it does not matter how
the books are written. A transaction is a writing one if it takes a lock to write, or writes.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Final, TypeAlias

from sqlalchemy import Connection, Engine, event
from tests.postgresql import start_server

from prenopay import (
    Accounts,
    CallbackRequest,
    CaptureMode,
    Environment,
    Event,
    Money,
    Order,
    OrderLine,
    Outcome,
    Payer,
    Payment,
    PayoutOrder,
    Secret,
    upgrade_database,
)
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.providers.swish import Swish
from prenopay.testing.callbacks import hand_over
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swedbankpay import DEFAULT_ACCESS_TOKEN, DEFAULT_PAYEE_ID, SwedbankPayEmulator
from prenopay.testing.emulators.swish import DEFAULT_NUMBER, IssuedCertificate, SwishAuthority, SwishEmulator
from prenopay.testing.http import EmulatorSender
from prenopay.values.mandates import Consent, StoreMethod

__all__ = ["HEADING", "NewDatabase", "Steps", "Watch", "databases", "measure"]

_FORM: Final = "{:50} {:10} {:>12} {:>7} {:>7} {:>4} {:>5}  {}"

HEADING: Final = _FORM.format("use case", "database", "transactions", "writing", "reading", "SQL", "goal", "verdict")

GOALS: Final = {
    "create": 3,
    "callback, automatic capture, 2 events: all": 7,
    "callback, nothing new: all": 3,
    "refund in part": 4,
    "refund, Swish": 4,
    "charge, automatic capture": 7,
    "sweep, nothing due, 1 account": 2,
    "sweep, nothing due, 2 accounts": 2,
    "sweep, nothing due, 10 accounts": 2,
}
"""How many transactions a use case may take at most."""

PRICE: Final = Money(11900, "SEK")

_CONTROLS: Final = re.compile(r"\s*(?:BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|PRAGMA|SET)\b")
"""What steers a transaction or a connection is not counted as a statement."""
_WRITES: Final = re.compile(r"\b(?:BEGIN IMMEDIATE|INSERT|UPDATE|DELETE|pg_advisory\w*)")
"""``FOR UPDATE`` is in here too."""


# Counting


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """One row: what a use case cost on one kind of database."""

    use_case: str
    database: str
    writing: int
    reading: int
    statements: int

    @property
    def transactions(self) -> int:
        """All of them."""
        return self.writing + self.reading

    @property
    def goal(self) -> int | None:
        """How many transactions it may take; ``None`` where there is no goal."""
        return GOALS.get(self.use_case)

    @property
    def is_missed(self) -> bool:
        """Whether it takes more than its goal."""
        return self.goal is not None and self.transactions > self.goal

    @property
    def line(self) -> str:
        """The row as printed under ``HEADING``."""
        goal = "" if self.goal is None else f"<= {self.goal}"
        verdict = "" if self.goal is None else "MISSED" if self.is_missed else "kept"
        counts = self.transactions, self.writing, self.reading, self.statements
        return _FORM.format(self.use_case, self.database, *counts, goal, verdict).rstrip()

    def plus(self, other: Steps, *, use_case: str) -> Steps:
        """Return the sum of both, as another use case."""
        return replace(
            self,
            use_case=use_case,
            writing=self.writing + other.writing,
            reading=self.reading + other.reading,
            statements=self.statements + other.statements,
        )


class Watch:
    """Counts what every engine of this process does while it is on."""

    def __init__(self) -> None:
        """Count nothing yet."""
        self._statements = 0
        self._writes: list[bool] = []
        self._number_of: dict[Connection, int] = {}

    @contextmanager
    def on(self) -> Generator[None]:
        """Count inside the block."""
        listeners = (("begin", self._begin), ("before_cursor_execute", self._execute))
        for name, listener in listeners:
            event.listen(Engine, name, listener)
        try:
            yield
        finally:
            for name, listener in listeners:
                event.remove(Engine, name, listener)

    def steps(self, use_case: str, database: str) -> Steps:
        """Return what was counted."""
        writing = sum(self._writes)
        return Steps(
            use_case=use_case,
            database=database,
            writing=writing,
            reading=len(self._writes) - writing,
            statements=self._statements,
        )

    def _begin(self, connection: Connection) -> None:
        self._number_of[connection] = len(self._writes)
        self._writes.append(False)

    def _execute(self, connection: Connection, _cursor: object, statement: str, *_details: object) -> None:
        if _WRITES.search(statement) and connection in self._number_of:
            self._writes[self._number_of[connection]] = True
        if not _CONTROLS.match(statement):
            self._statements += 1


# The use cases


class _Host:
    """One host with an empty database, at an emulated Swedbank Pay and an emulated Swish."""

    def __init__(self, kind: str, database: str, certificate: IssuedCertificate, authority: SwishAuthority) -> None:
        self.kind = kind
        clock = VirtualClock()
        self.emulator = SwedbankPayEmulator(clock=clock)
        self.swish_emulator = SwishEmulator(clock=clock, authority=authority)
        self.events: list[Event] = []
        self.accounts = Accounts.open(
            database,
            callback_url="https://shop.example/callbacks",
            callback_keys=["a-key-for-the-benchmark-that-is-long-enough"],
            token_keys=["a-key-that-seals-tokens-for-the-benchmark"],
            sender=EmulatorSender({**self.emulator.mounts, **self.swish_emulator.mounts}),
            clock=clock,
            on_event=self.events.append,
        )
        self.cards = self.accounts.add(_cards("cards"))
        self.swish_config = Swish(
            account="swish",
            environment=Environment.TEST,
            number=DEFAULT_NUMBER,
            certificate=certificate.chain_pem,
            private_key=certificate.key_pem,
        )

    def count(self, use_case: str, run: Callable[[], object]) -> Steps:
        """Run a use case, and return what it cost."""
        watch = Watch()
        with watch.on():
            run()
        return watch.steps(use_case, self.kind)

    def bought(self, operation_id: str, order: Order) -> Payment:
        """Make an order payable."""
        return self.cards.create(order, operation_id=operation_id)

    def paid(self, operation_id: str, order: Order) -> tuple[Payment, CallbackRequest]:
        """Make an order payable, let a payer pay, and return the payment with the callback that the gateway sends."""
        payment = self.bought(operation_id, order)
        self.emulator.pay_by_card(str(payment.provider_reference))
        return payment, self.callback()

    def callback(self) -> CallbackRequest:
        """Return the one callback that the gateway sends now; it has not arrived yet."""
        sent: list[CallbackRequest] = []

        def take(request: CallbackRequest) -> int:
            sent.append(request)
            return 200

        self.emulator.deliver_callbacks(hand_over(take))
        (request,) = sent
        return request

    def called_back(self, name: str, request: CallbackRequest) -> Iterator[Steps]:
        """Let a callback arrive and be worked on; yield both parts, and both together."""
        replies = []
        received = self.count(f"{name}: receive", lambda: replies.append(self.accounts.receive(request)))
        address = replies[0].address
        assert address is not None
        worked = self.count(f"{name}: work", lambda: self.accounts.work(address))
        yield received
        yield worked
        yield received.plus(worked, use_case=f"{name}: all")


def _cards(account: str) -> SwedbankPay:
    return SwedbankPay(
        account=account,
        environment=Environment.TEST,
        payee_id=DEFAULT_PAYEE_ID,
        access_token=Secret(DEFAULT_ACCESS_TOKEN),
    )


def _order(
    *,
    capture: CaptureMode = CaptureMode.MANUAL,
    store: StoreMethod | None = None,
    reference: str = "K-1001",
) -> Order:
    return Order(
        amount=PRICE,
        description="A newspaper",
        lines=(OrderLine(name="One month", amount=PRICE, vat_percent=6),),
        order_reference=reference,
        return_url="https://shop.example/return",
        capture=capture,
        payer=Payer(reference="R-77"),
        store=store,
    )


def _create(host: _Host) -> Iterator[Steps]:
    made: list[Payment] = []
    for name in ("create", "create repeated"):
        yield host.count(name, lambda: made.append(host.bought("order:1", _order())))
    assert made[0].redirect_url is not None
    assert made[0].payment_id == made[1].payment_id


def _callback(host: _Host) -> Iterator[Steps]:
    """Count the first callback of a process apart: the inbox may be measured then."""
    _payment, request = host.paid("order:0", _order(reference="K-1000"))
    (received, *_rest) = host.called_back("callback, first of the process", request)
    yield received
    host.events.clear()

    payment, request = host.paid("order:1", _order(capture=CaptureMode.AUTOMATIC))
    yield from host.called_back("callback, automatic capture, 2 events", request)
    assert host.cards.get(payment.payment_id).captured == PRICE
    assert [each.kind.value for each in host.events] == ["payment.authorized", "payment.captured"]

    yield from host.called_back("callback, nothing new", request)
    yield host.count("observe, nothing new", lambda: host.cards.observe(payment.payment_id))
    yield host.count("get", lambda: host.cards.get(payment.payment_id))
    assert len(host.events) == 2, "nothing was new"


def _refund(host: _Host) -> Iterator[Steps]:
    payment, _request = host.paid("order:1", _order(capture=CaptureMode.AUTOMATIC))
    host.cards.observe(payment.payment_id)
    part = Money(4000, "SEK")
    yield host.count("refund in part", lambda: host.cards.refund(payment.payment_id, part, operation_id="refund:1"))
    assert host.cards.get(payment.payment_id).refunded == part


def _charge(host: _Host) -> Iterator[Steps]:
    consent = Consent(text_version="terms-1", agreed_at=datetime(2026, 1, 2, tzinfo=UTC), channel="web")
    order = _order(capture=CaptureMode.AUTOMATIC, store=StoreMethod(consent=consent))
    payment = host.bought("order:1", order)
    host.emulator.pay_by_card(str(payment.provider_reference), pan="4761739001010416")
    host.cards.observe(payment.payment_id)
    (mandate,) = host.cards.mandates.of_payer("R-77")

    def charge() -> None:
        host.cards.charge(mandate.mandate_id, PRICE, operation_id="charge:1", description="One month")

    yield host.count("charge, automatic capture", charge)
    operation = host.cards.operation("charge:1")
    assert operation.outcome is Outcome.SUCCEEDED
    assert host.cards.get(operation.payment_id).captured == PRICE


def _swish(host: _Host) -> Iterator[Steps]:
    swish = host.accounts.add(host.swish_config)
    payment = swish.create(_order(capture=CaptureMode.AUTOMATIC), operation_id="order:1")
    host.swish_emulator.approve(str(payment.provider_reference))
    assert swish.observe(payment.payment_id).captured == PRICE
    yield host.count("refund, Swish", lambda: swish.refund(payment.payment_id, operation_id="refund:1"))
    assert swish.operation("refund:1").outcome in {Outcome.PENDING, Outcome.SUCCEEDED}
    payout = PayoutOrder(
        amount=PRICE,
        payee_phone="070-174 06 06",
        payee_personal_number="199710202392",
        description="A prize",
        reference="PRIZE-1",
    )
    yield host.count("payout, Swish", lambda: swish.pay_out(payout, operation_id="payout:1"))
    assert len(host.swish_emulator.payouts) == 1


def _sweep(host: _Host) -> Iterator[Steps]:
    host.bought("order:1", _order())
    for many in (1, 2, 10):
        for number in range(len(host.accounts.names), many):
            host.accounts.add(_cards(f"cards-{number}"))
        failures: list[str] = []
        name = f"sweep, nothing due, {many} account{'s' if many > 1 else ''}"
        yield host.count(name, lambda: failures.extend(host.accounts.sweep().failures))  # noqa: B023 - called at once
        assert failures == []


USE_CASES: Final = (_create, _callback, _refund, _charge, _swish, _sweep)


# Databases


NewDatabase: TypeAlias = Callable[[], str]


def databases(kind: str) -> AbstractContextManager[NewDatabase | None]:
    """Lend a function that returns an empty database of a ``kind``; ``None`` if there is no such kind here."""
    return _sqlite() if kind == "sqlite" else _postgresql()


@contextmanager
def _sqlite() -> Generator[NewDatabase | None]:
    with tempfile.TemporaryDirectory() as folder:
        names = count()

        def new() -> str:
            database = f"sqlite:///{Path(folder) / f'{next(names)}.db'}"
            upgrade_database(database)
            return database

        yield new


@contextmanager
def _postgresql() -> Generator[NewDatabase | None]:
    with tempfile.TemporaryDirectory() as folder:
        server = start_server(Path(folder))
        if isinstance(server, str):
            print(f"PostgreSQL is left out: {server}")
            yield None
            return

        def new() -> str:
            server.empty()
            return server.url

        try:
            yield new
        finally:
            server.stop()


def measure(*kinds: str) -> Iterator[Steps]:
    """Count every use case on the ``kinds`` of database: ``sqlite``, ``postgresql``, or both."""
    authority = SwishAuthority()
    certificate = authority.issue(DEFAULT_NUMBER, key_size=2048)
    for kind in kinds or ("sqlite", "postgresql"):
        with databases(kind) as new_database:
            if new_database is None:
                continue
            for use_case in USE_CASES:
                with ExitStack() as stack:
                    host = _Host(kind, new_database(), certificate, authority)
                    stack.callback(host.accounts.close)
                    yield from use_case(host)
