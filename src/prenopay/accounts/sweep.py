"""The sweep: one transaction finds the accounts with something due; then each has its turn, side by side.

A turn takes a bounded time, so a gateway that hangs holds up neither other accounts nor the next sweep. Events are
delivered on the caller's thread, as soon as the turn of their account has ended. If nothing is due, a sweep costs one
reading transaction, for any number of accounts.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy import Connection

from prenopay._arguments import checked_fields
from prenopay._redaction import scrub
from prenopay.account import Account, Unwritten
from prenopay.accounts import reception
from prenopay.asking import write_unwritten
from prenopay.books import due, inbox, operations, unserved
from prenopay.books.due import Due
from prenopay.delivery import Host
from prenopay.mandates import use_cases as mandates
from prenopay.payments import creating, looking, resolving, rows
from prenopay.payments.ending import leaves_page
from prenopay.payouts import use_cases as payouts
from prenopay.ports import Clock, Ledger, Together
from prenopay.values.money import Money
from prenopay.values.payments import Payment
from prenopay.values.subjects import SubjectKind

__all__ = ["ClockWatch", "SweepReport", "sweep"]

_log = logging.getLogger("prenopay")

_JUMP: Final = timedelta(minutes=1)
_WORK_MAY_TAKE: Final = timedelta(minutes=2)
"""How long a sweep owns what it has claimed, before another may try."""
_OTHERS_SERVE_WITHIN: Final = timedelta(hours=1)
"""Another process may serve the accounts that this one does not. It has done by then what was due."""
_TURN_MAY_TAKE_SECONDS: Final = 60.0
"""When an account's turn is over: what is left is due at the next sweep. The last call may take its deadline longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class SweepReport:
    """What one sweep did. ``failures`` are for people: each is kept and tried again.

    An operation that certainly did not happen (``NOT_ATTEMPTED``) is named once; its ``error`` says why. ``clock``
    says if the time of day has jumped, or was wrong when something was written down.
    """

    callbacks: int
    operations: int
    payments: int
    delivered: int
    failures: tuple[str, ...]
    clock: tuple[str, ...] = ()


class ClockWatch:
    """Compares the time of day with the running clock from one sweep to the next."""

    def __init__(self, clock: Clock) -> None:
        """Watch ``clock`` from now on."""
        self._clock = clock
        self._last = clock.now(), clock.monotonic()

    def look(self) -> tuple[str, ...]:
        """Return what is odd, and log it."""
        (then, ran), now, runs = self._last, self._clock.now(), self._clock.monotonic()
        self._last = now, runs
        jump = (now - then) - timedelta(seconds=runs - ran)
        if abs(jump) < _JUMP:
            return ()
        odd = f"the time of day jumped by {jump} since the last sweep: the clock was set, or the machine was frozen"
        _log.warning("sweep: %s", odd)
        return (odd,)


@dataclass(slots=True)
class _Turn:
    """One account's turn in a sweep that is under way."""

    account: Account
    ledger: Ledger
    clock: Clock
    limit: int
    ends_at: float
    did: dict[str, int] = field(default_factory=dict[str, int])
    left: int = 0
    failures: list[str] = field(default_factory=list[str])

    def failed(self, what: str, error: Exception) -> None:
        """Keep what went wrong, for people, and log it in one line; the frames are for those who debug."""
        why = scrub(f"{what} of {self.account.name}: {type(error).__name__}: {error}")
        _log.warning("sweep: %s; it is tried again", why)
        _log.debug("sweep: %s of %s failed here", what, self.account.name, exc_info=error)
        self.failures.append(why)

    def is_over(self) -> bool:
        """Whether the turn has used its time."""
        return self.clock.monotonic() >= self.ends_at

    def did_one(self, kind: str) -> None:
        """Count a row that was worked on."""
        self.did[kind] = self.did.get(kind, 0) + 1


async def sweep(
    ledger: Ledger,
    clock: Clock,
    accounts: Mapping[str, Account],
    *,
    host: Host,
    together: Together,
    unwritten: list[Unwritten],
    watch: ClockWatch,
    limit: int,
) -> SweepReport:
    """Do everything that is due; no failure stops it, and no account holds up another."""
    names, odd = tuple(accounts), watch.look()
    unwritten_still = await write_unwritten(ledger, unwritten)
    busy, alone, is_misdated = await ledger.read(lambda connection: _look(connection, names, clock.now()))
    if is_misdated:
        odd += (await _brought_back(ledger, clock, names),)
        busy, alone, _ = await ledger.read(lambda connection: _look(connection, names, clock.now()))
    failures = [*unwritten_still, *alone]
    done: dict[str, int] = {}
    delivered = 0

    async def then(turn: _Turn) -> None:
        nonlocal delivered
        for kind, count in turn.did.items():
            done[kind] = done.get(kind, 0) + count
        if turn.left:
            why = f"its gateway is slow: {turn.left} that are due wait for the next sweep"
            turn.failures.append(f"account {turn.account.name}: {why}")
        try:
            told = await host.deliver([turn.account.name], limit=limit)
            delivered += told.taken
            failures.extend(told.failures)
        except Exception as error:  # noqa: BLE001 - one account's trouble never stops the sweep
            turn.failed("the delivery of events", error)
            failures.extend(getattr(error, "__notes__", ()))
        failures.extend(turn.failures)

    # An account in its turn tells nobody: the events are delivered after it, on the thread of the sweep.
    silent = replace(host, on_event=None)
    works = [
        partial(_take, _Turn(replace(each, ports=replace(each.ports, host=silent)), ledger, clock, limit, 0.0))
        for name, each in accounts.items()
        if name in busy
    ]
    await together.run(works, then)
    return SweepReport(
        callbacks=done.get("callbacks", 0),
        operations=done.get("operations", 0),
        payments=done.get("payments", 0),
        delivered=delivered,
        failures=tuple(failures),
        clock=odd,
    )


async def _brought_back(ledger: Ledger, clock: Clock, names: tuple[str, ...]) -> str:
    """Make due what was written down while a clock was ahead, and say so."""
    many = await ledger.transact(lambda connection: due.bring_back(connection, names, clock.now()))
    odd = f"{many} rows were due later than they can be, because a clock was ahead: they are due now"
    _log.warning("sweep: %s", odd)
    return odd


def _look(connection: Connection, names: Sequence[str], now: datetime) -> tuple[tuple[str, ...], list[str], bool]:
    """Return the accounts that have something due, what nobody does, and whether times are wrong."""
    alone = [
        f"{count} {kind} of {account} have words of a newer prenopay: update this process"
        for account, kind, count in due.unread(connection, names, now)
    ]
    left_out = unserved.find(connection, names, overdue_since=now - _OTHERS_SERVE_WITHIN)
    fix = "was it renamed or left out? add it to the settings again under that name"
    alone += [f"{each}; {fix}" for each in left_out]
    return due.busy(connection, names, now), alone, due.misdated(connection, names, now)


async def _take(turn: _Turn) -> _Turn:
    """Do what is due of one account, kind by kind."""
    turn.ends_at = turn.clock.monotonic() + _TURN_MAY_TAKE_SECONDS
    try:
        name, now = turn.account.name, turn.clock.now()
        waiting = await turn.ledger.read(lambda connection: due.waiting(connection, name, now, limit=turn.limit))
        await _callbacks(turn, waiting.get("callbacks", ()))
        await _each(turn, "operations", "operation", waiting.get("operations", ()), _operation)
        if "mandates" in waiting:
            await _claimed(turn, "mandates", "stored method", mandates.age)
        if "tokens" in waiting:
            await _claimed(turn, "tokens", "stored method", mandates.finish_removal)
        if "payments" in waiting:
            await _claimed(turn, "payments", "payment", _payment)
    except Exception as error:  # noqa: BLE001 - one account's trouble never stops the sweep
        turn.failed("the turn", error)
    return turn


async def _callbacks(turn: _Turn, waiting: tuple[Due, ...]) -> None:
    """Work on callbacks that wait: one subject at a time, and some together that came to the account's own address."""
    if not waiting:
        return
    callbacks = await turn.account.read(inbox.rows, [row.key for row in waiting])
    addressed = [each for each in callbacks if each.subject is None][:: inbox.CLAIM_ROWS_MOST]
    first = [*(each for each in callbacks if each.subject is not None), *addressed]
    for place, callback in enumerate(first):
        if turn.is_over():
            turn.left += len(first) - place
            return
        if why := await reception.work(turn.account, callback.subject):
            turn.failures.append(f"callback {callback.inbox_id} of {turn.account.name}: {why}")
    turn.did["callbacks"] = len(waiting)


async def _each(
    turn: _Turn, kind: str, what: str, waiting: Sequence[Due], work: Callable[[Account, str], Awaitable[object]]
) -> tuple[Due, ...]:
    """Do ``work`` for every row while the turn lasts; return the rows that failed."""
    failed: list[Due] = []
    for place, row in enumerate(waiting):
        if turn.is_over():
            turn.left += len(waiting) - place
            break
        try:
            await work(turn.account, row.key)
        except Exception as error:  # noqa: BLE001 - one row's trouble never stops the sweep
            turn.failed(f"{what} {row.key}{await _money(turn.account, kind, row.key)}", error)
            failed.append(row)
        turn.did_one(kind)
    return tuple(failed)


async def _claimed(turn: _Turn, kind: str, what: str, work: Callable[[Account, str], Awaitable[object]]) -> None:
    """Claim the rows of a kind that are due, and do ``work`` for each. What fails is due again later."""
    account, now = turn.account, turn.clock.now()
    until = now + _WORK_MAY_TAKE
    claimed = await account.transact(due.claim, kind, account.name, now, until=until, limit=turn.limit)
    before = turn.did.get(kind, 0)
    for row in await _each(turn, kind, what, claimed, work):
        await account.transact(due.postpone, kind, row, turn.clock.now() + due.pause(due.LOOKS, row.tries))
    if left := claimed[turn.did.get(kind, 0) - before :]:
        await account.transact(due.release, kind, left)


async def _money(account: Account, kind: str, key: str) -> str:
    """Return the money behind a row, for people, as far as the books can be read now."""
    amount: Money | None = None
    with suppress(Exception):
        if kind == "operations":
            amount = (await account.read(operations.load, account.name, key)).operation.amount
        elif kind == "payments":
            amount = (await account.read(rows.load, account.name, key)).payment.amount
    return "" if amount is None else f" ({amount})"


async def _operation(account: Account, operation_id: str) -> None:
    """Look up an operation whose outcome is open."""
    found = await account.read(operations.load, account.name, operation_id)
    if found.operation.subject.kind is SubjectKind.PAYOUT:
        await payouts.resolve(account, operation_id)
    else:
        await resolving.resolve(account, operation_id)


async def _payment(account: Account, payment_id: str) -> None:
    seen = await account.read(looking.view, account, payment_id)
    if _is_over(seen.stored.payment, account):
        await creating.expire(account, payment_id)
    elif seen.stored.payment.provider_reference is None:
        # There is nothing to look at: the operation that makes the payment has a next time of its own.
        await account.transact(rows.postpone, payment_id, account.now() + due.pause(due.LOOKS, 0))
    else:
        await looking.look(account, seen, source="sweep")


def _is_over(payment: Payment, account: Account) -> bool:
    is_over = payment.is_open and payment.expires_at is not None and payment.expires_at <= account.now()
    return is_over or leaves_page(payment)
