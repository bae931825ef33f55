"""All accounts one process serves, and the sweep that keeps every promise.

A host opens this once, adds its accounts, mounts the callback app (``prenopay.web``) and calls
``sweep()`` every minute or so from whatever it schedules with.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias, TypeVar

from sqlalchemy import Connection

from prenopay._redaction import Secret, scrub
from prenopay._system import AwaitingClock, SystemEntropy
from prenopay._transport import AccountSender, AwaitingSender, BlockingSender
from prenopay.accounts.delivery import awaited
from prenopay.accounts.reception import Reception
from prenopay.books import ending, outbox, payments_due, settling
from prenopay.books.engine import AwaitingLedger
from prenopay.books.inbox import Callback
from prenopay.books.upgrade import open_migrated
from prenopay.books.vault import Vault
from prenopay.errors import ConfigurationError, LedgerUnavailable, NotFound
from prenopay.execution import Ports
from prenopay.payments import AsyncPayments
from prenopay.ports import Clock, Entropy, HttpSender, Ledger
from prenopay.provider import PaymentProvider, ProviderConfig
from prenopay.values.callbacks import CallbackAddress, CallbackReply, CallbackRequest, CallbackUrls
from prenopay.values.events import AsyncEventHandler
from prenopay.values.payments import Payment

__all__ = ["AsyncAccounts", "SweepReport"]

ProviderT = TypeVar("ProviderT")

Connect: TypeAlias = Callable[[ssl.SSLContext], AwaitingSender | BlockingSender]
"""Makes the sender of one account."""

_log = logging.getLogger("prenopay")

_HANDLER_MAY_TAKE: Final = timedelta(minutes=5)
"""How long a delivery is left to the handler that has it, before another process may try."""
_LOOK_MAY_TAKE: Final = timedelta(minutes=2)
_LOOK_AGAIN_AFTER: Final = timedelta(minutes=10)
_LOOK_AGAIN_WITHIN: Final = timedelta(days=1)
"""Pauses after a look that failed grow with the payment's age, from the first bound to the second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport:
    """What one sweep did. ``failures`` are for people: each is kept and tried again.

    One that ended an operation as certainly not done (``NOT_ATTEMPTED``) is named once, and stands in its ``error``.
    """

    callbacks: int
    operations: int
    payments: int
    delivered: int
    failures: tuple[str, ...]


class AsyncAccounts:
    """The accounts of one process: they share database, clock, callback keys and event handler."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        sender: HttpSender,
        clock: Clock,
        entropy: Entropy,
        callback_urls: CallbackUrls,
        on_event: AsyncEventHandler | None,
        vault: Vault | None = None,
        connect: Connect | None = None,
        closing: Sequence[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        """Wire the ports; hosts call ``open``.

        ``connect`` makes a sender for an account with a certificate of its own (``None``: all share
        ``sender``); ``closing`` is what ``aclose`` closes.
        """
        self._closing = list(closing)
        self._connect = connect
        self._vault = vault or Vault(())
        self.callback_urls = callback_urls
        self._ledger = ledger
        self._sender = sender
        self._clock = clock
        self._entropy = entropy
        self._on_event = on_event
        self._accounts: dict[str, AsyncPayments[object]] = {}
        self._reception = Reception(callback_urls, ledger, clock, self._accounts)

    @classmethod
    def open(
        cls,
        database: str,
        *,
        callback_url: str,
        callback_keys: Sequence[Secret | str],
        on_event: AsyncEventHandler | None = None,
        token_keys: Sequence[Secret | str] = (),
        sender: HttpSender | None = None,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
    ) -> AsyncAccounts:
        """Open the database (``sqlite:///shop.db``, ``postgresql://…``) and warm everything up.

        ``callback_url`` is where the callback app is mounted, as the gateway sees it from outside;
        ``callback_keys`` sign the URLs handed out, newest first. ``on_event`` hears of every change,
        at least once and in order per payment. ``token_keys`` seal stored methods, newest first; without
        any, none can be stored. Raises ``ConfigurationError``, or
        ``LedgerUnavailable`` when the tables are missing or old (``prenopay db upgrade``).
        """
        urls = CallbackUrls(callback_url, callback_keys)
        on_hear = None if on_event is None else awaited(on_event)
        engine = open_migrated(database)
        ledger = AwaitingLedger(engine)
        closing, own = [ledger.aclose], None
        if sender is None:
            sender = own = AwaitingSender()
            closing.append(own.aclose)
        return cls(
            ledger=ledger,
            sender=sender,
            clock=clock or AwaitingClock(),
            entropy=entropy or SystemEntropy(),
            callback_urls=urls,
            on_event=on_hear,
            vault=Vault(token_keys),
            connect=AwaitingSender if sender is own else None,
            closing=closing,
        )

    def add(self, config: ProviderConfig[ProviderT]) -> AsyncPayments[ProviderT]:
        """Add an account and return its use cases, typed by what its provider can do."""
        if config.account in self._accounts:
            message = f"account {config.account!r} was added before; every account has a name of its own"
            raise ConfigurationError(message)
        provider = config.provider()
        if not isinstance(provider, PaymentProvider):
            message = f"account {config.account!r}: {type(provider).__name__} is not a PaymentProvider"
            raise ConfigurationError(message)
        http = AccountSender(
            self._sender_of(config),
            account=config.account,
            provider=provider.name,
            hosts=provider.hosts,
            clock=self._clock,
            entropy=self._entropy,
        )
        ports = Ports(
            http=http,
            ledger=self._ledger,
            clock=self._clock,
            entropy=self._entropy,
            callback_urls=self.callback_urls,
            vault=self._vault,
            tell=self._tell,
        )
        payments = AsyncPayments(provider, config.account, ports)
        self._accounts[config.account] = payments
        return payments

    def _sender_of(self, config: ProviderConfig[object]) -> HttpSender:
        tls = None if self._connect is None else config.tls()
        if self._connect is None or tls is None:
            return self._sender
        own = self._connect(tls)
        self._closing.append(own.aclose)
        return own

    def __getitem__(self, account: str) -> AsyncPayments[object]:
        """Return the account of that name; raises ``NotFound``."""
        if account not in self._accounts:
            message = f"there is no account {account!r} here; known are: {', '.join(self._accounts) or 'none'}"
            raise NotFound(message).about(account=account)
        return self._accounts[account]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the accounts added so far."""
        return tuple(self._accounts)

    # Callbacks

    async def receive(self, request: CallbackRequest) -> CallbackReply:
        """Store a callback and return the reply its gateway wants; ``work(reply.payment)`` comes after.

        A forged path is refused before any database or network work. Whatever the body holds, a
        callback to a URL of ours makes prenopay look at the payment with an authenticated read.
        """
        return await self._reception.receive(request)

    async def work(self, address: CallbackAddress) -> None:
        """Look at the payment a callback was about; what fails stays in the inbox for the sweep."""
        await self._reception.work(address)

    async def callbacks(
        self,
        *,
        payment_id: str | None = None,
        open_only: bool = False,
        limit: int = 50,
    ) -> tuple[Callback, ...]:
        """Return stored callbacks, newest first."""
        return await self._reception.find(payment_id=payment_id, open_only=open_only, limit=limit)

    async def replay(self, inbox_id: int) -> str:
        """Work on a stored callback again; return what went wrong, if anything. Raises ``NotFound``."""
        return await self._reception.replay(inbox_id)

    # Telling the host

    async def deliver_pending(self, *, payment_id: str | None = None, limit: int = 1000) -> int:
        """Hand what is to be told to the host's handler, in order per payment; return how many it took.

        An event whose handler raises stays, and holds back later events of the same payment.
        """
        if self._on_event is None:
            return 0
        taken = 0
        for _ in range(limit):
            due = await self._next_to_tell(payment_id)
            if due is None:
                break
            taken += await self._deliver(due, self._on_event)
        return taken

    # Keeping every promise

    async def sweep(self, *, limit: int = 200) -> SweepReport:
        """Do what is due: callbacks that failed, operations without an answer, silent payments, events.

        Safe to run as often as wanted and in several processes at once. One failure never stops it.
        """
        callbacks, failed = await self._reception.sweep(limit)
        failures = list(failed)
        settled = checked = 0
        for payments in self._accounts.values():
            settled += await self._sweep_operations(payments, limit, failures)
            settled += await self._sweep_payouts(payments, limit, failures)
            await self._sweep_mandates(payments, limit, failures)
            checked += await self._sweep_payments(payments, limit, failures)
        delivered = await self.deliver_pending(limit=limit)
        return SweepReport(
            callbacks=callbacks,
            operations=settled,
            payments=checked,
            delivered=delivered,
            failures=tuple(failures),
        )

    async def _sweep_operations(self, payments: AsyncPayments[object], limit: int, failures: list[str]) -> int:
        now = self._clock.now()
        due = await self._ledger.read(lambda connection: settling.due(connection, payments.account, now, limit))
        for each in due:
            try:
                await payments.resolve(each.operation.operation_id)
            except Exception as error:  # noqa: BLE001 - one operation's trouble never stops the sweep
                failures.append(_failure(f"operation {each.operation.operation_id}", error))
        return len(due)

    async def _sweep_payouts(self, payments: AsyncPayments[object], limit: int, failures: list[str]) -> int:
        due = await payments.payouts_due(limit=limit)
        for operation_id in due:
            try:
                await payments.resolve_payout(operation_id)
            except Exception as error:  # noqa: BLE001 - one payout's trouble never stops the sweep
                failures.append(_failure(f"payout {operation_id}", error))
        return len(due)

    async def _sweep_mandates(self, payments: AsyncPayments[object], limit: int, failures: list[str]) -> None:
        try:
            await payments.look_after_mandates(limit=limit)
        except Exception as error:  # noqa: BLE001 - what is left is tried again by the next sweep
            failures.append(_failure(f"stored methods of {payments.account}", error))

    async def _sweep_payments(self, payments: AsyncPayments[object], limit: int, failures: list[str]) -> int:
        now = self._clock.now()

        def claim(connection: Connection) -> tuple[Payment, ...]:
            return payments_due.claim(connection, payments.account, now, until=now + _LOOK_MAY_TAKE, limit=limit)

        due = await self._ledger.transact(claim)
        for each in due:
            try:
                await self._look_at(payments, each, now)
            except Exception as error:  # noqa: BLE001 - one payment's trouble never stops the sweep
                failures.append(_failure(f"payment {each.payment_id}", error))
                await self._postpone(each)
        return len(due)

    async def _look_at(self, payments: AsyncPayments[object], payment: Payment, now: datetime) -> None:
        is_over = payment.is_open and payment.expires_at is not None and payment.expires_at <= now
        if is_over or ending.leaves_page(payment):
            await payments.expire(payment.payment_id)
        else:
            await payments.observe(payment.payment_id, source="sweep")

    async def _postpone(self, payment: Payment) -> None:
        now = self._clock.now()
        again_at = now + max(_LOOK_AGAIN_AFTER, min((now - payment.created_at) / 8, _LOOK_AGAIN_WITHIN))
        await self._ledger.transact(
            lambda connection: payments_due.postpone(connection, payment.payment_id, again_at),
        )

    # One step down

    async def _tell(self, payment_id: str) -> None:
        """Deliver one payment's news; what goes wrong is left for the sweep."""
        with suppress(LedgerUnavailable):
            await self.deliver_pending(payment_id=payment_id)

    async def _next_to_tell(self, payment_id: str | None) -> outbox.Due | None:
        now, names = self._clock.now(), self.names

        def claim(connection: Connection) -> outbox.Due | None:
            until = now + _HANDLER_MAY_TAKE
            return outbox.claim_due(connection, names, now=now, until=until, payment_id=payment_id)

        return await self._ledger.transact(claim)

    async def _deliver(self, due: outbox.Due, handler: AsyncEventHandler) -> int:
        try:
            await handler(due.event)
        except Exception as error:  # noqa: BLE001 - the host's code may raise anything; the event is kept
            why = scrub(f"{type(error).__name__}: {error}")
            _log.exception("the handler failed on %s %s; it is told again later", due.event.kind, due.event.event_id)
            now = self._clock.now()
            await self._ledger.transact(lambda connection: outbox.failed(connection, due, why, now=now))
            return 0
        now = self._clock.now()
        await self._ledger.transact(lambda connection: outbox.delivered(connection, due.sequence, now=now))
        return 1

    async def aclose(self) -> None:
        """Close the connections to database and gateways that ``open`` made."""
        for close in self._closing:
            await close()


def _failure(what: str, error: Exception) -> str:
    """Say what went wrong, for people; the log has the rest."""
    _log.warning("sweep: %s failed and is tried again", what, exc_info=error)
    return scrub(f"{what}: {type(error).__name__}: {error}")
