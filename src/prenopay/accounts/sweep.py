"""The sweep: one query finds everything that is due, and then the work is done, kind by kind.

If nothing is due it costs one reading transaction, for any number of accounts.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from prenopay._redaction import scrub
from prenopay.account import Account, Unwritten
from prenopay.accounts.reception import Reception
from prenopay.asking import write_unwritten
from prenopay.books import due, inbox, operations
from prenopay.books.due import Due
from prenopay.delivery import Host
from prenopay.mandates import use_cases as mandates
from prenopay.payments import creating, looking, resolving, rows
from prenopay.payments.ending import leaves_page
from prenopay.payouts import use_cases as payouts
from prenopay.ports import Clock, Ledger
from prenopay.values.callbacks import CallbackAddress
from prenopay.values.payments import Payment
from prenopay.values.subjects import SubjectKind

__all__ = ["ClockWatch", "SweepReport", "sweep"]

_log = logging.getLogger("prenopay")

_JUMP: Final = timedelta(minutes=1)
_WORK_MAY_TAKE: Final = timedelta(minutes=2)
"""How long a sweep owns what it has claimed, before another may try."""


@dataclass(frozen=True, slots=True, kw_only=True)
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
class _Sweep:
    """One sweep under way."""

    ledger: Ledger
    clock: Clock
    accounts: Mapping[str, Account]
    limit: int
    failures: list[str] = field(default_factory=list[str])

    def failed(self, what: str, error: Exception) -> None:
        """Keep what went wrong, for people; the log has the rest."""
        _log.warning("sweep: %s failed and is tried again", what, exc_info=error)
        self.failures.append(scrub(f"{what}: {type(error).__name__}: {error}"))

    async def claim(self, kind: str) -> tuple[Due, ...]:
        """Take what is due of one kind, so that no other sweep does."""
        names = tuple(self.accounts)

        def claim(connection: Connection) -> tuple[Due, ...]:
            now = self.clock.now()
            return due.claim(connection, kind, names, now, until=now + _WORK_MAY_TAKE, limit=self.limit)

        return await self.ledger.transact(claim)

    async def postpone(self, kind: str, row: Due) -> None:
        """Release a row that failed, until its next try."""
        again_at = self.clock.now() + due.pause(due.LOOKS, row.tries)
        await self.ledger.transact(lambda connection: due.postpone(connection, kind, row, again_at))


async def sweep(
    ledger: Ledger,
    clock: Clock,
    accounts: Mapping[str, Account],
    reception: Reception,
    *,
    host: Host,
    unwritten: list[Unwritten],
    watch: ClockWatch,
    limit: int,
) -> SweepReport:
    """Do everything that is due; one failure never stops it."""
    present = _Sweep(ledger, clock, accounts, limit)
    present.failures += await write_unwritten(ledger, unwritten)
    names, odd = tuple(accounts), watch.look()
    waiting, is_misdated = await ledger.read(lambda connection: _waiting(connection, clock, names, limit))
    if is_misdated:
        odd += (await _brought_back(ledger, clock, names),)
        waiting, _ = await ledger.read(lambda connection: _waiting(connection, clock, names, limit))
    if "callbacks" in waiting:
        await _callbacks(present, reception, waiting["callbacks"])
    for row in waiting.get("operations", ()):
        await _operation(present, row)
    for name in sorted({row.account for row in waiting.get("mandates", ())}):
        await _mandates(present, name)
    if "tokens" in waiting:
        await _claimed(present, "tokens", "stored method", mandates.finish_removal)
    looked = await _claimed(present, "payments", "payment", _payment) if "payments" in waiting else 0
    return SweepReport(
        callbacks=len(waiting.get("callbacks", ())),
        operations=len(waiting.get("operations", ())),
        payments=looked,
        delivered=await host.deliver(names, limit=limit) if "events" in waiting else 0,
        failures=tuple(present.failures),
        clock=odd,
    )


def _waiting(
    connection: Connection, clock: Clock, names: tuple[str, ...], limit: int
) -> tuple[dict[str, tuple[Due, ...]], bool]:
    now = clock.now()
    return due.waiting(connection, names, now, limit=limit), due.misdated(connection, names, now)


async def _brought_back(ledger: Ledger, clock: Clock, names: tuple[str, ...]) -> str:
    """Make due what was written down while a clock was ahead, and say so."""
    many = await ledger.transact(lambda connection: due.bring_back(connection, names, clock.now()))
    odd = f"{many} rows were due later than they can be, because a clock was ahead: they are due now"
    _log.warning("sweep: %s", odd)
    return odd


async def _callbacks(present: _Sweep, reception: Reception, waiting: tuple[Due, ...]) -> None:
    """Work on callbacks that wait, one subject at a time."""
    ids = [row.key for row in waiting]
    callbacks = await present.ledger.read(lambda connection: inbox.rows(connection, ids))
    first_of = {CallbackAddress(each.account, each.subject): each.inbox_id for each in reversed(callbacks)}
    for address, inbox_id in first_of.items():
        if why := await reception.work(address):
            present.failures.append(f"callback {inbox_id}: {why}")


async def _operation(present: _Sweep, row: Due) -> None:
    """Look up an operation whose outcome is open."""
    account = present.accounts[row.account]
    try:
        found = await account.read(operations.load, account.name, row.key)
        if found.operation.subject.kind is SubjectKind.PAYOUT:
            await payouts.resolve(account, row.key)
        else:
            await resolving.resolve(account, row.key)
    except Exception as error:  # noqa: BLE001 - one operation's trouble never stops the sweep
        present.failed(f"operation {row.key}", error)


async def _mandates(present: _Sweep, name: str) -> None:
    """Take the steps of mandates that time has made due."""
    try:
        await mandates.age(present.accounts[name], limit=present.limit)
    except Exception as error:  # noqa: BLE001 - what is left is tried again by the next sweep
        present.failed(f"stored methods of {name}", error)


async def _claimed(present: _Sweep, kind: str, what: str, work: Callable[[Account, str], Awaitable[object]]) -> int:
    """Do ``work`` for every row of a kind that is due; return how many there were. What fails is due again later."""
    claimed = await present.claim(kind)
    for row in claimed:
        try:
            await work(present.accounts[row.account], row.key)
        except Exception as error:  # noqa: BLE001 - one row's trouble never stops the sweep
            present.failed(f"{what} {row.key}", error)
            await present.postpone(kind, row)
    return len(claimed)


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
