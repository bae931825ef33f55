"""All accounts that one process serves, and the sweep that keeps every promise.

A host opens this once, adds its accounts, mounts the callback app (``prenopay.web``), and has its own scheduler
call ``sweep()`` about every minute.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Final, TypeAlias, TypeVar

from prenopay._arguments import check_arguments, refuse_setting
from prenopay._files import report_open
from prenopay._hidden import HiddenText
from prenopay._redaction import Secret
from prenopay._system import AwaitingClock, OneByOne, SideBySideTasks, SystemEntropy
from prenopay._text import quoted
from prenopay._transport import AccountSender, AwaitingSender, BlockingSender
from prenopay.account import Account, Ports, Reaction, Unwritten
from prenopay.accounts.reception import Reception
from prenopay.accounts.sweep import ClockWatch, SweepReport, sweep
from prenopay.books import outbox, unserved
from prenopay.books.engine import AwaitingLedger
from prenopay.books.inbox import Callback
from prenopay.books.outbox import Undelivered
from prenopay.books.unserved import Unserved
from prenopay.books.upgrade import open_migrated
from prenopay.books.vault import Vault
from prenopay.delivery import Host, awaited
from prenopay.errors import ConfigurationError, NotFound
from prenopay.mandates import methods
from prenopay.payments.use_cases import AsyncPayments
from prenopay.ports import Clock, Entropy, HttpSender, Ledger, Together
from prenopay.provider.config import HttpProviderConfig, ProviderConfig
from prenopay.provider.values import Environment
from prenopay.provider.verbs import PaymentProvider
from prenopay.values.callbacks import CallbackAddress, CallbackReply, CallbackRequest, CallbackUrls
from prenopay.values.events import AsyncEventHandler
from prenopay.values.subjects import Subject

__all__ = ["AsyncAccounts"]

ProviderT = TypeVar("ProviderT")

Connect: TypeAlias = Callable[[ssl.SSLContext | None], AwaitingSender | BlockingSender]
"""Makes the sender of one account. Its connections are its own: a gateway that hangs takes none from others."""

REACTIONS: Final[tuple[Reaction, ...]] = (methods.suspend,)
"""How subjects react to one another, inside the transaction."""


@check_arguments(refuse_setting)
class AsyncAccounts:
    """The accounts of one process. They share database, clock, callback keys and event handler."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        sender: HttpSender | None,
        clock: Clock,
        entropy: Entropy,
        callback_urls: CallbackUrls,
        on_event: AsyncEventHandler | None,
        vault: Vault | None = None,
        closing: Sequence[Callable[[], Awaitable[None]]] = (),
        connect: Connect = AwaitingSender,
        reactions: Sequence[Reaction] = REACTIONS,
        together: Together | None = None,
    ) -> None:
        """Wire the ports; hosts call ``open``.

        All accounts share ``sender``; if it is ``None``, ``connect`` makes one for each account. ``closing`` is what
        ``aclose`` closes. ``together`` does the accounts' turns in a sweep (``None``: one after another).
        """
        self._closing = list(closing)
        self._vault = vault or Vault(())
        self.callback_urls = callback_urls
        self._ledger = ledger
        self._sender = sender
        self._connect = connect
        self._clock = clock
        self._entropy = entropy
        self._reactions = tuple(reactions)
        self._unwritten: list[Unwritten] = []
        self._watch = ClockWatch(clock)
        self._together = together or OneByOne()
        self._host = Host(ledger=ledger, clock=clock, on_event=on_event)
        self._payments: dict[str, AsyncPayments[object]] = {}
        self._accounts: dict[str, Account] = {}
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
        """Open the database (``sqlite:///shop.db``, ``postgresql://…``) and prepare everything.

        ``callback_url`` is the public URL of the mounted callback app. ``callback_keys`` sign the URLs that are
        handed out, newest first. ``on_event`` receives every change, at least once and in order per subject.
        ``token_keys`` seal stored methods, newest first; without a key no method can be stored. Raises
        ``ConfigurationError``, and ``LedgerUnavailable`` if the tables are missing or old (``prenopay db
        upgrade``).
        """
        database = HiddenText(database)  # it may hold a password, and error trackers show the variables of this frame
        try:
            urls, vault = CallbackUrls(callback_url, callback_keys), Vault(token_keys)
        finally:
            del callback_keys, token_keys
        on_hear = None if on_event is None else awaited(on_event)
        engine = open_migrated(database)
        ledger = AwaitingLedger(engine)
        return cls(
            ledger=ledger,
            sender=sender,
            clock=clock or ledger.timed(AwaitingClock()),
            entropy=entropy or SystemEntropy(),
            callback_urls=urls,
            on_event=on_hear,
            vault=vault,
            closing=[ledger.aclose],
            together=SideBySideTasks(),
        )

    def add(self, config: ProviderConfig[ProviderT]) -> AsyncPayments[ProviderT]:
        """Add an account and return its use cases, typed by what its provider can do."""
        if config.account in self._accounts:
            message = f"account {config.account!r} was added before; give every account a name of its own"
            raise ConfigurationError(message)
        provider = config.provider()
        if not isinstance(provider, PaymentProvider):
            message = f"account {config.account!r}: {type(provider).__name__} is not a PaymentProvider"
            raise ConfigurationError(message)
        if config.environment is Environment.PRODUCTION:
            self.callback_urls.require_production()
            self._vault.require_production()
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
            host=self._host,
            reactions=self._reactions,
            unwritten=self._unwritten,
        )
        account = Account(config.account, provider, ports, config.time_zone)
        payments: AsyncPayments[ProviderT] = AsyncPayments(provider, account)
        self._accounts[config.account] = account
        self._payments[config.account] = payments
        return payments

    def _sender_of(self, config: ProviderConfig[object]) -> HttpSender:
        if self._sender is not None:
            return self._sender
        own = self._connect(_verifying(config, config.tls()))
        report_open(config.secret_files())
        self._closing.append(own.aclose)
        return own

    def __getitem__(self, account: str) -> AsyncPayments[object]:
        """Return the account of that name; raises ``NotFound``."""
        if account not in self._payments:
            message = f"there is no account {quoted(account)} here; known are: {', '.join(self._payments) or 'none'}"
            raise NotFound(message).about(account=account)
        return self._payments[account]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the accounts added so far."""
        return tuple(self._accounts)

    # Callbacks

    def refuse(self, path: str, *, method: str = "POST") -> CallbackReply | None:
        """Return the reply to a call that is no callback, so that its body is not read; ``None`` if it is one.

        ``path`` and ``method`` are all that is needed: a forged path is refused before any database or network work.
        ``receive`` asks the same again.
        """
        return self._reception.refuse(path, method)

    async def receive(self, request: CallbackRequest) -> CallbackReply:
        """Store a callback and return the reply for its gateway. Call ``work(reply.address)`` after that reply.

        A forged path is refused before any database or network work. A callback to one of our URLs makes prenopay
        look at its subject with an authenticated read, whatever the body says.
        """
        return await self._reception.receive(request)

    async def work(self, address: CallbackAddress) -> None:
        """Look at what a callback was about. What fails stays in the inbox for the sweep."""
        await self._reception.work(address)

    async def callbacks(
        self,
        *,
        subject: Subject | None = None,
        open_only: bool = False,
        limit: int = 50,
    ) -> tuple[Callback, ...]:
        """Return stored callbacks, newest first; ``subject`` limits them to one payment or payout."""
        return await self._reception.find(subject=subject, open_only=open_only, limit=limit)

    async def replay(self, inbox_id: int) -> str:
        """Work on a stored callback again; return what went wrong, if anything. Raises ``NotFound``."""
        return await self._reception.replay(inbox_id)

    async def dismiss_callback(self, inbox_id: int, *, person: str, reason: str) -> None:
        """Mark a callback as done that can never be worked on, because a person says so; both are kept.

        Raises ``NotFound`` if no open callback has that id, ``InvalidOrder`` without a person or a reason.
        """
        await self._reception.dismiss(inbox_id, person=person, reason=reason)

    # Notifying the host

    async def deliver_pending(self, *, subject: Subject | None = None, limit: int = 1000) -> int:
        """Hand waiting events to the host's handler, in order per subject; return how many it took.

        An event whose handler raises stays, and holds back later events of the same subject.
        """
        subjects = () if subject is None else (subject,)
        return (await self._host.deliver(self.names, subjects=subjects, limit=limit)).taken

    async def undelivered(
        self, *, account: str | None = None, failed_only: bool = False, limit: int = 50
    ) -> tuple[Undelivered, ...]:
        """Return events that wait for the host's handler, oldest first.

        ``failed_only``: only those on which it failed. Later events of the same subject wait behind them.
        """
        names = self.names if account is None else (account,)
        return await self._ledger.read(
            lambda connection: outbox.undelivered(connection, names, failed_only=failed_only, limit=limit)
        )

    async def retry_events(self, event_ids: Sequence[str] | None = None) -> tuple[str, ...]:
        """Make events due now (``None``: all on which the handler failed), and return their ids.

        The next sweep, or ``deliver_pending``, delivers them. Raises ``NotFound`` for an event that does not wait.
        """
        now, names = self._clock.now(), self.names
        made_due = await self._ledger.transact(lambda connection: outbox.retry(connection, names, event_ids, now=now))
        if missing := [each for each in event_ids or () if each not in made_due]:
            message = f"event {quoted(missing[0])} does not wait: these accounts do not have it, or it was delivered"
            raise NotFound(message)
        return made_due

    # Keeping every promise

    async def unserved(self) -> tuple[Unserved, ...]:
        """Return the accounts that are in the books and were not added here, if something is open there.

        An account that was renamed or left out of the settings is among them. Add it again under its old name, and
        the sweep does what waits.
        """
        names = self.names
        return await self._ledger.read(lambda connection: unserved.find(connection, names))

    async def sweep(self, *, limit: int = 200) -> SweepReport:
        """Do what is due: callbacks that failed, operations without an answer, silent payments, events.

        Run it as often as you like, and in several processes at once. One failure never stops it, and no account
        holds up another: each has a turn of at most a minute, beside the others. ``limit`` bounds each kind of work
        for each account.
        """
        return await sweep(
            self._ledger,
            self._clock,
            self._accounts,
            host=self._host,
            together=self._together,
            unwritten=self._unwritten,
            watch=self._watch,
            limit=limit,
        )

    async def aclose(self) -> None:
        """Close the connections to database and gateways that ``open`` made."""
        async with AsyncExitStack() as all_of_them:  # also if one fails
            for close in self._closing:
                all_of_them.push_async_callback(close)


def _verifying(config: ProviderConfig[object], tls: ssl.SSLContext | None) -> ssl.SSLContext | None:
    """Return ``tls`` as it is; raises ``ConfigurationError`` if it would take anybody for the production gateway.

    An account with a certificate is refused a gateway without TLS, which would never see that certificate.
    """
    if tls is not None and isinstance(config, HttpProviderConfig) and not config.api_url.startswith("https:"):
        message = (
            f"account {config.account!r}: base_url must use https: the gateway knows this account by its certificate, "
            f"which nobody sees at {quoted(config.api_url)}"
        )
        raise ConfigurationError(message)
    if tls is not None and config.environment is Environment.PRODUCTION:
        checks = tls.verify_mode is ssl.CERT_REQUIRED and tls.check_hostname
        if not checks:
            message = (
                f"account {config.account!r}: tls() returns a context that does not verify who answers; a production "
                "account needs verify_mode=CERT_REQUIRED and check_hostname=True"
            )
            raise ConfigurationError(message)
    return tls
