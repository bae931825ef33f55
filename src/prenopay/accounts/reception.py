"""Where callbacks come in: checked, stored and answered first, worked on after.

A callback is a hint. Whatever its body holds, a call to a URL that prenopay handed out leads to one
authenticated read of the payment the URL names; a body that names another payment, or cannot be
read, leaves a flag for a person besides.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final, cast

from sqlalchemy import Connection

from prenopay._redaction import scrub
from prenopay.books import inbox, observing, operations, records
from prenopay.errors import LedgerUnavailable, NotFound, Unverified
from prenopay.payments import AsyncPayments
from prenopay.payouts import is_payout
from prenopay.ports import Clock, Ledger
from prenopay.provider import PaymentProvider, ReceivesCallbacks
from prenopay.values.callbacks import (
    BODY_LIMIT_BYTES,
    CallbackAddress,
    CallbackReply,
    CallbackRequest,
    CallbackUrls,
    Rejected,
    Trust,
)
from prenopay.values.payments import FlagKind

__all__ = ["DOCTORS_PAYMENT", "Reception"]

_log = logging.getLogger("prenopay")

DOCTORS_PAYMENT: Final = "doctor"
"""Stands for a payment in the URL with which ``prenopay doctor`` checks that callbacks arrive here."""

_STORED_BETWEEN_COUNTS: Final = 500
"""The bound on waiting callbacks is kept this closely, per process."""

_UNKNOWN_ADDRESS: Final = CallbackReply(status=404, body=b"unknown callback address\n")
_WRONG_METHOD: Final = CallbackReply(status=405, body=b"callbacks are POSTed\n", headers=(("allow", "POST"),))
_COME_AGAIN: Final = CallbackReply(status=503, body=b"try again later\n", headers=(("retry-after", "30"),))


class Reception:
    """Takes callbacks for every account of a process."""

    def __init__(
        self,
        urls: CallbackUrls,
        ledger: Ledger,
        clock: Clock,
        accounts: Mapping[str, AsyncPayments[object]],
    ) -> None:
        """Serve ``accounts``, which may grow later."""
        self._urls = urls
        self._ledger = ledger
        self._clock = clock
        self._accounts = accounts
        self._room: dict[str, int] = {}

    async def receive(self, request: CallbackRequest) -> CallbackReply:
        """Store a callback and return the reply its gateway wants."""
        try:
            address = self._urls.verify(request.path)
        except Unverified:
            return _UNKNOWN_ADDRESS
        gateway = self._gateway(address.account)
        if gateway is None:
            return _UNKNOWN_ADDRESS
        if address.payment_id == DOCTORS_PAYMENT:
            return CallbackReply(status=204)
        if request.method != "POST":
            return _WRONG_METHOD
        too_large = len(request.body) > BODY_LIMIT_BYTES
        trust: Trust = Rejected(reason="the body is too large") if too_large else gateway.read_callback(request)
        arrived = inbox.Arrived(
            account=address.account,
            payment_id=address.payment_id,
            # A payout's names its payee and their personal number, and nothing in it is needed again.
            body=b"" if too_large or is_payout(address.payment_id) else request.body,
            peer=request.peer,
            note=trust.reason if isinstance(trust, Rejected) else "",
            claims="" if isinstance(trust, Rejected) else trust.provider_reference or "",
            at=self._clock.now(),
        )
        try:
            await self._make_room(address.account)
            await self._ledger.append(inbox.add, arrived)
        except LedgerUnavailable as error:
            _log.error("a callback for %s could not be stored; the gateway is told to repeat it: %s", address, error)
            return _COME_AGAIN
        if too_large:
            return CallbackReply(status=413, body=b"too large\n", payment=address)
        reply = gateway.callback_reply(accepted=not isinstance(trust, Rejected))
        return CallbackReply(status=reply.status, body=reply.body, headers=reply.headers, payment=address)

    async def work(self, address: CallbackAddress) -> None:
        """Look at the payment a callback was about; what fails stays in the inbox for the sweep."""
        now = self._clock.now()
        waiting = await self._ledger.read(
            lambda connection: inbox.due_of(connection, address.account, address.payment_id, now),
        )
        if waiting:
            await self.work_on(waiting)

    async def work_on(self, callbacks: tuple[inbox.Callback, ...]) -> str:
        """Look at the one payment that ``callbacks`` are about; return what went wrong, if anything."""
        began, first = self._clock.now(), callbacks[0]
        try:
            for callback in callbacks:
                await self._flag_oddities(callback)
            await self._account(first.account).hear_of(first.payment_id)
        except Exception as error:  # noqa: BLE001 - whatever it is, the callbacks are kept and tried again
            why, now = scrub(f"{type(error).__name__}: {error}"), self._clock.now()
            _log.warning("callbacks about %s wait: %s", first.payment_id, why)
            if isinstance(error, LedgerUnavailable):
                return why  # the row could not be marked; it is due all the same
            await self._ledger.transact(
                lambda connection: inbox.failed(connection, callbacks, why, now=now),
            )
            return why
        now = self._clock.now()
        await self._ledger.transact(
            lambda connection: inbox.done(connection, first.account, first.payment_id, received_until=began, now=now),
        )
        return ""

    async def sweep(self, limit: int) -> tuple[int, tuple[str, ...]]:
        """Work on callbacks that wait; return how many, and what failed."""
        now, names = self._clock.now(), tuple(self._accounts)
        due = await self._ledger.read(lambda connection: inbox.due(connection, names, now, limit))
        of_payment: dict[tuple[str, str], list[inbox.Callback]] = {}
        for callback in due:
            of_payment.setdefault((callback.account, callback.payment_id), []).append(callback)
        failures: list[str] = []
        for callbacks in of_payment.values():
            if why := await self.work_on(tuple(callbacks)):
                failures.append(f"callback {callbacks[0].inbox_id}: {why}")
        return len(due), tuple(failures)

    async def find(self, *, payment_id: str | None, open_only: bool, limit: int) -> tuple[inbox.Callback, ...]:
        """Return stored callbacks, newest first."""
        names = tuple(self._accounts)

        def find(connection: Connection) -> tuple[inbox.Callback, ...]:
            return inbox.find(connection, names, payment_id=payment_id, open_only=open_only, limit=limit)

        return await self._ledger.read(find)

    async def replay(self, inbox_id: int) -> str:
        """Work on a stored callback again; return what went wrong, if anything. Raises ``NotFound``."""
        now, names = self._clock.now(), tuple(self._accounts)
        callback = await self._ledger.transact(
            lambda connection: inbox.replay(connection, names, inbox_id, now=now),
        )
        if callback is None:
            message = f"there is no callback {inbox_id} in the inbox of these accounts"
            raise NotFound(message)
        return await self.work_on((callback,))

    async def _make_room(self, account: str) -> None:
        """Bound what waits; counted only now and then, because counting costs more than storing."""
        if self._room.get(account, 0) <= 0:
            waiting = await self._ledger.read(lambda connection: inbox.waiting(connection, account))
            if waiting >= inbox.OPEN_MOST:
                message = f"{waiting} callbacks of account {account!r} wait already: run the sweep"
                raise LedgerUnavailable(message).about(account=account)
            self._room[account] = min(inbox.OPEN_MOST - waiting, _STORED_BETWEEN_COUNTS)
        self._room[account] -= 1

    async def _flag_oddities(self, callback: inbox.Callback) -> None:
        """Mark a payment whose callback names another payment, or cannot be read."""
        if is_payout(callback.payment_id) or (not callback.note and not callback.claims):
            return
        now = self._clock.now()

        def look(connection: Connection) -> None:
            stored = records.lock_payment(connection, callback.account, callback.payment_id)
            ours = stored.payment.provider_reference
            if callback.note:
                observing.flag(connection, stored, FlagKind.MALFORMED_CALLBACK, callback.note, now=now)
            elif callback.claims != ours and callback.claims not in self._earlier_names(connection, callback):
                detail = f"a callback names {scrub(callback.claims)!r}, this is {ours}"
                observing.flag(connection, stored, FlagKind.FOREIGN_CALLBACK, detail, now=now)

        await self._ledger.transact(look)

    def _earlier_names(self, connection: Connection, callback: inbox.Callback) -> frozenset[str]:
        """Return what the payment was called when it was asked for before: the gateway tells of those too."""
        provider = cast("PaymentProvider", self._account(callback.account).provider)
        rule = provider.limits.reference
        return operations.earlier_references(connection, rule, callback.account, callback.payment_id)

    def _gateway(self, account: str) -> ReceivesCallbacks | None:
        payments = self._accounts.get(account)
        provider = None if payments is None else payments.provider
        return provider if ReceivesCallbacks in type(provider).__mro__ else None  # type: ignore[return-value]  # checked by its bases

    def _account(self, account: str) -> AsyncPayments[object]:
        payments = self._accounts.get(account)
        if payments is None:
            message = f"there is no account {account!r} in this process"
            raise NotFound(message).about(account=account)
        return payments
