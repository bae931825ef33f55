"""The use cases for code without an event loop, over blocking ports. Safe to share between threads.

Generated from the async classes by ``tools/blocking_twin.py``: change those, then run ``poe twin``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Generic, TypeVar

from prenopay._blocking import run_blocking
from prenopay._hidden import HiddenText
from prenopay._redaction import Secret
from prenopay._system import BlockingClock, SideBySideThreads, SystemEntropy
from prenopay._transport import BlockingSender
from prenopay.accounts.accounts import AsyncAccounts
from prenopay.accounts.sweep import SweepReport
from prenopay.books.engine import BlockingLedger
from prenopay.books.inbox import Callback
from prenopay.books.outbox import Undelivered
from prenopay.books.unserved import Unserved
from prenopay.books.upgrade import open_migrated
from prenopay.books.vault import Vault
from prenopay.delivery import called
from prenopay.mandates import methods
from prenopay.mandates.use_cases import AsyncMandates
from prenopay.payments.use_cases import AsyncPayments
from prenopay.ports import Clock, Entropy, HttpSender
from prenopay.provider.config import ProviderConfig
from prenopay.provider.values import Probe
from prenopay.provider.verbs import (
    Cancels,
    Captures,
    ChargesMandates,
    DrawsQr,
    PaysOut,
    Refunds,
    StoresMandates,
    Updates,
)
from prenopay.values.callbacks import CallbackAddress, CallbackReply, CallbackRequest, CallbackUrls
from prenopay.values.events import EventHandler
from prenopay.values.mandates import ImportReport, Mandate, MandateChange, MandateState
from prenopay.values.money import Money
from prenopay.values.orders import CaptureMode, Order, OrderLine, PayoutOrder
from prenopay.values.payments import Operation, Payment, PaymentState, Payout, TimelineEntry
from prenopay.values.subjects import Subject

__all__ = ["Accounts", "Mandates", "Payments"]
ProviderT_co = TypeVar("ProviderT_co", covariant=True)
ProviderT = TypeVar("ProviderT")


class Mandates:
    """The mandates of one account, as ``Payments.mandates`` returns them.

    ``AsyncMandates`` says more about each method.
    """

    def __init__(self, mandates: AsyncMandates) -> None:
        """Drive ``mandates``, whose ports must be blocking ones."""
        self._mandates = mandates

    def get(self, mandate_id: str) -> Mandate:
        """Return the mandate as the books have it; raises ``NotFound``."""
        return run_blocking(self._mandates.get(mandate_id))

    def of_payer(self, payer_reference: str) -> tuple[Mandate, ...]:
        """Return a payer's mandates, newest first, ended ones included."""
        return run_blocking(self._mandates.of_payer(payer_reference))

    def to_offer(self, payer_reference: str) -> tuple[Mandate, ...]:
        """Return the payer's ``ONE_CLICK`` methods that a new order may offer (``Order.pay_with``), newest first."""
        return run_blocking(self._mandates.to_offer(payer_reference))

    def find(
        self, *, state: MandateState | None = None, after: str | None = None, limit: int = 50
    ) -> tuple[Mandate, ...]:
        """Return mandates, newest first; ``after`` is the last mandate id of the page before."""
        return run_blocking(self._mandates.find(state=state, after=after, limit=limit))

    def history(self, mandate_id: str) -> tuple[MandateChange, ...]:
        """Return every change of a mandate, oldest first; raises ``NotFound``."""
        return run_blocking(self._mandates.history(mandate_id))

    def refresh(self, payer_reference: str) -> tuple[Mandate, ...]:
        """Ask the gateway how the payer's methods look now, write that down, and return them."""
        return run_blocking(self._mandates.refresh(payer_reference))

    def missing(self, *, limit: int = 50) -> tuple[Mandate, ...]:
        """Return mandates that may be charged and that the gateway did not show, longest missing first."""
        return run_blocking(self._mandates.missing(limit=limit))

    def remove(self, mandate_id: str, *, reason: str, actor: str = methods.HOST) -> Mandate:
        """End a mandate, and remove its token at the gateway; ``actor`` and ``reason`` stay in its history."""
        return run_blocking(self._mandates.remove(mandate_id, reason=reason, actor=actor))

    def remove_all(
        self, payer_reference: str, *, reason: str, confirm: str, actor: str = methods.HOST
    ) -> tuple[Mandate, ...]:
        """End every mandate of a payer. At the gateway all methods go at once, also those of other systems."""
        return run_blocking(self._mandates.remove_all(payer_reference, reason=reason, confirm=confirm, actor=actor))

    def take_over(
        self, text: str, *, dry_run: bool = False, check: bool = True, actor: str = methods.HOST
    ) -> ImportReport:
        """Take over tokens that another system stored, from CSV (see the guide on tokens): all lines, or none."""
        return run_blocking(self._mandates.take_over(text, dry_run=dry_run, check=check, actor=actor))

    def reseal(self) -> int:
        """Seal every token under the newest key; return how many tokens there are."""
        return run_blocking(self._mandates.reseal())


class Payments(Generic[ProviderT_co]):
    """One account: one publisher's agreement with one gateway. ``Accounts.add`` makes it.

    ``AsyncPayments`` says more about each method.
    """

    def __init__(self, payments: AsyncPayments[ProviderT_co]) -> None:
        """Drive ``payments``, whose ports must be blocking ones."""
        self._payments = payments
        self.account: str = payments.account
        self.provider: ProviderT_co = payments.provider

    def local_time(self, at: datetime | None = None) -> datetime:
        """Return a moment (now, if none is given) as the merchant's clock shows it."""
        return self._payments.local_time(at)

    def create(self, order: Order, *, operation_id: str) -> Payment:
        """Make the order payable, and return the payment with the page for the payer."""
        return run_blocking(self._payments.create(order, operation_id=operation_id))

    def replace(self: Payments[Cancels], payment_id: str, order: Order, *, operation_id: str) -> Payment:
        """Close an open payment's page and make a payment with a new page, such as a new link for a new amount."""
        return run_blocking(self._payments.replace(payment_id, order, operation_id=operation_id))

    def get(self, payment_id: str) -> Payment:
        """Return the payment as the books have it, without asking the gateway; raises ``NotFound``."""
        return run_blocking(self._payments.get(payment_id))

    def find(
        self,
        *,
        order_reference: str | None = None,
        state: PaymentState | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> tuple[Payment, ...]:
        """Return payments, newest first; ``after`` is the last payment id of the page before."""
        return run_blocking(self._payments.find(order_reference=order_reference, state=state, after=after, limit=limit))

    def order(self, payment_id: str) -> Order:
        """Return the order as it was given, without what was erased of the payer; raises ``NotFound``."""
        return run_blocking(self._payments.order(payment_id))

    def draw_qr(self: Payments[DrawsQr], payment_id: str, *, image: str = "svg") -> bytes:
        """Ask the gateway to draw the QR code of an open payment's ``app_switch``; ``image`` is ``svg`` or ``png``."""
        return run_blocking(self._payments.draw_qr(payment_id, image=image))

    def timeline(self, payment_id: str) -> tuple[TimelineEntry, ...]:
        """Return everything that happened to the payment, oldest first; raises ``NotFound``."""
        return run_blocking(self._payments.timeline(payment_id))

    def observe(self, payment_id: str, *, source: str = "host") -> Payment:
        """Ask the gateway, write down its answer, notify the host, and return the payment."""
        return run_blocking(self._payments.observe(payment_id, source=source))

    def capture(
        self: Payments[Captures],
        payment_id: str,
        amount: Money | None = None,
        *,
        operation_id: str,
        lines: tuple[OrderLine, ...] = (),
        description: str = "",
    ) -> Operation:
        """Take reserved money: all that is left, or ``amount`` (VAT included), or the sum of ``lines``."""
        return run_blocking(
            self._payments.capture(payment_id, amount, operation_id=operation_id, lines=lines, description=description)
        )

    def cancel(self: Payments[Cancels], payment_id: str, *, operation_id: str, description: str = "") -> Operation:
        """End the payment before money is taken: close an open page, or release reserved money."""
        return run_blocking(self._payments.cancel(payment_id, operation_id=operation_id, description=description))

    def refund(
        self: Payments[Refunds],
        payment_id: str,
        amount: Money | None = None,
        *,
        operation_id: str,
        lines: tuple[OrderLine, ...] = (),
        description: str = "",
    ) -> Operation:
        """Give money back: all that was captured, or ``amount`` (VAT included), or the sum of ``lines``."""
        return run_blocking(
            self._payments.refund(payment_id, amount, operation_id=operation_id, lines=lines, description=description)
        )

    def update(
        self: Payments[Updates],
        payment_id: str,
        amount: Money | None = None,
        *,
        operation_id: str,
        lines: tuple[OrderLine, ...] = (),
        description: str = "",
    ) -> Operation:
        """Change amount (VAT included) and lines of a payment that nobody has paid; then refresh a seamless page."""
        return run_blocking(
            self._payments.update(payment_id, amount, operation_id=operation_id, lines=lines, description=description)
        )

    @property
    def mandates(self: Payments[StoresMandates]) -> Mandates:
        """The payers' stored methods: show, refresh, remove, take over."""
        return Mandates(self._payments.mandates)

    def charge(
        self: Payments[ChargesMandates],
        mandate_id: str,
        amount: Money,
        *,
        operation_id: str,
        description: str,
        order_reference: str = "",
        period: str = "",
        lines: tuple[OrderLine, ...] = (),
        vat: Money | None = None,
        capture: CaptureMode = CaptureMode.AUTOMATIC,
        language: str = "sv-SE",
    ) -> Operation:
        """Take ``amount`` (VAT included) on a mandate while the payer is absent."""
        return run_blocking(
            self._payments.charge(
                mandate_id,
                amount,
                operation_id=operation_id,
                description=description,
                order_reference=order_reference,
                period=period,
                lines=lines,
                vat=vat,
                capture=capture,
                language=language,
            )
        )

    def settle_by_hand(
        self, operation_id: str, *, provider_reference: str | None, person: str, reason: str
    ) -> Operation:
        """Settle an operation of unknown outcome by what a person found out. The decision is kept for good."""
        return run_blocking(
            self._payments.settle_by_hand(
                operation_id, provider_reference=provider_reference, person=person, reason=reason
            )
        )

    def pay_out(self: Payments[PaysOut], order: PayoutOrder, *, operation_id: str) -> Payout:
        """Send money to someone, from the merchant's account."""
        return run_blocking(self._payments.pay_out(order, operation_id=operation_id))

    def payout(self, operation_id: str) -> Payout:
        """Return the payout as the books have it; raises ``NotFound``."""
        return run_blocking(self._payments.payout(operation_id))

    def payouts(self, *, limit: int = 50) -> tuple[Payout, ...]:
        """Return the newest payouts, newest first."""
        return run_blocking(self._payments.payouts(limit=limit))

    def resolve_payout(self, operation_id: str) -> Payout:
        """Look up a payout whose outcome is open. It is sent again only if the gateway does not have it."""
        return run_blocking(self._payments.resolve_payout(operation_id))

    def operation(self, operation_id: str) -> Operation:
        """Return the operation as the books have it; raises ``NotFound``."""
        return run_blocking(self._payments.operation(operation_id))

    def open_operations(self, *, payment_id: str | None = None, limit: int = 50) -> tuple[Operation, ...]:
        """Return operations that are unknown or pending, oldest first; ``payment_id`` limits them to one payment."""
        return run_blocking(self._payments.open_operations(payment_id=payment_id, limit=limit))

    def resolve(self, operation_id: str) -> Operation:
        """Settle an operation whose outcome is open: look it up, and send it again only if nothing happened."""
        return run_blocking(self._payments.resolve(operation_id))

    def expire(self, payment_id: str) -> Payment:
        """End a payment that nobody paid in time. The gateway's page is closed first, so that nobody can pay later."""
        return run_blocking(self._payments.expire(payment_id))

    def probe(self) -> tuple[Probe, ...]:
        """Check without side effects that we reach the gateway, that it knows us, and that the clocks agree."""
        return run_blocking(self._payments.probe())

    def erase_payer(
        self, payment_id: str | None = None, *, operation_id: str | None = None, payer_reference: str | None = None
    ) -> tuple[Subject, ...]:
        """Forget a person (GDPR): what is known about them is erased, and the history of the money stays."""
        return run_blocking(
            self._payments.erase_payer(payment_id, operation_id=operation_id, payer_reference=payer_reference)
        )


class Accounts:
    """The accounts of one process. They share database, clock, callback keys and event handler.

    ``AsyncAccounts`` says more about each method.
    """

    def __init__(self, accounts: AsyncAccounts) -> None:
        """Drive ``accounts``, whose ports must be blocking ones."""
        self._accounts = accounts
        self.callback_urls: CallbackUrls = accounts.callback_urls

    @classmethod
    def open(
        cls,
        database: str,
        *,
        callback_url: str,
        callback_keys: Sequence[Secret | str],
        on_event: EventHandler | None = None,
        token_keys: Sequence[Secret | str] = (),
        sender: HttpSender | None = None,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
    ) -> Accounts:
        """Open the database (``sqlite:///shop.db``, ``postgresql://…``) and prepare everything."""
        database = HiddenText(database)  # it may hold a password, and error trackers show the variables of this frame
        try:
            urls, vault = CallbackUrls(callback_url, callback_keys), Vault(token_keys)
        finally:
            del callback_keys, token_keys
        on_hear = None if on_event is None else called(on_event)
        ledger = BlockingLedger(open_migrated(database))
        accounts = AsyncAccounts(
            ledger=ledger,
            sender=sender,
            connect=BlockingSender,
            clock=clock or ledger.timed(BlockingClock()),
            entropy=entropy or SystemEntropy(),
            callback_urls=urls,
            on_event=on_hear,
            vault=vault,
            closing=[ledger.aclose],
            together=SideBySideThreads(),
        )
        return cls(accounts)

    def add(self, config: ProviderConfig[ProviderT]) -> Payments[ProviderT]:
        """Add an account and return its use cases, typed by what its provider can do."""
        return Payments(self._accounts.add(config))

    def __getitem__(self, account: str) -> Payments[object]:
        """Return the account of that name; raises ``NotFound``."""
        return Payments(self._accounts.__getitem__(account))

    def __contains__(self, account: object) -> bool:
        """Whether an account of that name was added."""
        return self._accounts.__contains__(account)

    def __iter__(self) -> Iterator[str]:
        """Return an iterator over the names of the accounts added so far."""
        return self._accounts.__iter__()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the accounts added so far."""
        return self._accounts.names

    def refuse(self, path: str, *, method: str = "POST") -> CallbackReply | None:
        """Return the reply to a call that is no callback, so that its body is not read; ``None`` if it is one."""
        return self._accounts.refuse(path, method=method)

    def receive(self, request: CallbackRequest) -> CallbackReply:
        """Store a callback and return the reply for its gateway. Call ``work(reply.address)`` after that reply."""
        return run_blocking(self._accounts.receive(request))

    def work(self, address: CallbackAddress) -> None:
        """Look at what a callback was about. What fails stays in the inbox for the sweep."""
        return run_blocking(self._accounts.work(address))

    def callbacks(
        self, *, subject: Subject | None = None, open_only: bool = False, limit: int = 50
    ) -> tuple[Callback, ...]:
        """Return stored callbacks, newest first; ``subject`` limits them to one payment or payout."""
        return run_blocking(self._accounts.callbacks(subject=subject, open_only=open_only, limit=limit))

    def replay(self, inbox_id: int) -> str:
        """Work on a stored callback again; return what went wrong, if anything. Raises ``NotFound``."""
        return run_blocking(self._accounts.replay(inbox_id))

    def dismiss_callback(self, inbox_id: int, *, person: str, reason: str) -> None:
        """Mark a callback as done that can never be worked on, because a person says so; both are kept."""
        return run_blocking(self._accounts.dismiss_callback(inbox_id, person=person, reason=reason))

    def deliver_pending(self, *, subject: Subject | None = None, limit: int = 1000) -> int:
        """Hand waiting events to the host's handler, in order per subject; return how many it took."""
        return run_blocking(self._accounts.deliver_pending(subject=subject, limit=limit))

    def undelivered(
        self, *, account: str | None = None, failed_only: bool = False, limit: int = 50
    ) -> tuple[Undelivered, ...]:
        """Return events that wait for the host's handler, oldest first."""
        return run_blocking(self._accounts.undelivered(account=account, failed_only=failed_only, limit=limit))

    def retry_events(self, event_ids: Sequence[str] | None = None) -> tuple[str, ...]:
        """Make events due now (``None``: all on which the handler failed), and return their ids."""
        return run_blocking(self._accounts.retry_events(event_ids))

    def unserved(self) -> tuple[Unserved, ...]:
        """Return the accounts that are in the books and were not added here, if something is open there."""
        return run_blocking(self._accounts.unserved())

    def sweep(self, *, limit: int = 200) -> SweepReport:
        """Do what is due: callbacks that failed, operations without an answer, silent payments, events."""
        return run_blocking(self._accounts.sweep(limit=limit))

    def close(self) -> None:
        """Close the connections to database and gateways that ``open`` made."""
        return run_blocking(self._accounts.aclose())
