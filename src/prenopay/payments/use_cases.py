"""Every use case of one account, in the order of a payment's life: signatures, docs, one call each.

They are written once, over ports. The blocking twin in ``prenopay.blocking`` drives the same coroutines without an
event loop.
"""

from __future__ import annotations

from datetime import datetime
from typing import Generic, TypeVar

from prenopay._arguments import check_arguments, refuse_argument
from prenopay.account import Account
from prenopay.books import operations
from prenopay.errors import Conflict, InvalidOrder
from prenopay.mandates.use_cases import AsyncMandates
from prenopay.payments import changing, charging, creating, erasing, looking, probe, resolving, rows
from prenopay.payouts import use_cases as payouts
from prenopay.provider.values import Probe
from prenopay.provider.verbs import (
    Cancels,
    Captures,
    ChargesMandates,
    DrawsQr,
    PaymentProvider,
    PaysOut,
    Refunds,
    StoresMandates,
    Updates,
)
from prenopay.values.days import local
from prenopay.values.money import Money
from prenopay.values.orders import CaptureMode, Initiator, Order, OrderLine, PayoutOrder
from prenopay.values.payments import Operation, OperationKind, Payment, PaymentState, Payout, TimelineEntry
from prenopay.values.subjects import Subject, SubjectKind

__all__ = ["AsyncPayments"]

ProviderT_co = TypeVar("ProviderT_co", covariant=True)


@check_arguments(refuse_argument)
class AsyncPayments(Generic[ProviderT_co]):
    """One account: one publisher's agreement with one gateway. ``AsyncAccounts.add`` makes it.

    Every call that moves money takes an ``operation_id`` that the host chooses. The same id moves the money at
    most once, even if calls are retried, lost, killed or repeated. Amounts are ``Money`` in minor units (öre).
    Errors are those of ``prenopay.errors``; every call may raise ``TransportError``, ``ProviderError`` and
    ``LedgerError``.
    """

    def __init__(self, provider: ProviderT_co, account: Account) -> None:
        """Work for ``account`` with its gateway's ``provider``."""
        if not isinstance(provider, PaymentProvider):
            message = f"a provider inherits PaymentProvider; {type(provider).__name__} does not"
            raise TypeError(message)
        self.account: str = account.name
        self.provider: ProviderT_co = provider
        self._account = account
        self._mandates = AsyncMandates(account)

    def local_time(self, at: datetime | None = None) -> datetime:
        """Return a moment (now, if none is given) as the merchant's clock shows it.

        Its day and month are the merchant's: use it to name the period of a charge, and to date a receipt. Raises
        ``InvalidOrder`` for a time without a zone, which names no moment.
        """
        if at is not None and at.utcoffset() is None:
            refuse_argument("at", "at: must be a time with its zone")
        return local(self._account.now() if at is None else at, self._account.time_zone)

    # Taking a payment

    async def create(self, order: Order, *, operation_id: str) -> Payment:
        """Make the order payable, and return the payment with the page for the payer.

        The same id with the same order returns the same payment. Raises ``InvalidOrder`` for an order that cannot
        be expressed (nothing is written), ``IdReused`` for another order under the same id, ``Rejected`` and
        ``Unauthenticated`` if the gateway refuses. Raises ``OutcomeUnknown`` if no answer came: call again with
        the same id, at once or later. Raises ``MandateUnusable`` or ``NotFound`` for a mandate that the order names
        (``pay_with``, ``store.replaces``) and that is another payer's, another account's or no longer there.
        """
        return await creating.create(self._account, order, operation_id)

    async def replace(
        self: AsyncPayments[Cancels],
        payment_id: str,
        order: Order,
        *,
        operation_id: str,
    ) -> Payment:
        """Close an open payment's page and make a payment with a new page, such as a new link for a new amount.

        The old page is closed first, so that the payer cannot pay both. Raises ``Conflict`` if the old payment was
        paid or cannot be closed now, ``InvalidOrder`` if it is another payer's, and the errors of ``create``.
        """
        return await creating.replace(self._account, payment_id, order, operation_id)

    async def get(self, payment_id: str) -> Payment:
        """Return the payment as the books have it, without asking the gateway; raises ``NotFound``."""
        return (await self._account.read(rows.load, self.account, payment_id)).payment

    async def find(
        self,
        *,
        order_reference: str | None = None,
        state: PaymentState | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> tuple[Payment, ...]:
        """Return payments, newest first; ``after`` is the last payment id of the page before."""
        return await self._account.read(
            rows.find,
            self.account,
            order_reference=order_reference,
            state=state,
            after=after,
            limit=limit,
        )

    async def order(self, payment_id: str) -> Order:
        """Return the order as it was given, without what was erased of the payer; raises ``NotFound``.

        The payer's personal number is erased as soon as the gateway has answered the create.
        """
        return await self._account.read(rows.load_order, self.account, payment_id)

    async def draw_qr(self: AsyncPayments[DrawsQr], payment_id: str, *, image: str = "svg") -> bytes:
        """Ask the gateway to draw the QR code of an open payment's ``app_switch``; ``image`` is ``svg`` or ``png``.

        Raises ``Conflict`` for a payment that has no code or is no longer open. A host that draws the code itself
        needs no call: ``app_switch.qr_content`` is the text in it.
        """
        payment = await self.get(payment_id)
        if payment.app_switch is None or not payment.is_open:
            message = "only an open payment that the payer's app can open has a QR code"
            raise Conflict(message).about(account=self.account, payment_id=payment_id)
        return await self.provider.draw_qr(self._account.send(), payment.app_switch.token, image=image)

    async def timeline(self, payment_id: str) -> tuple[TimelineEntry, ...]:
        """Return everything that happened to the payment, oldest first; raises ``NotFound``."""
        return await self._account.read(rows.timeline, self.account, payment_id)

    # Seeing what became of it

    async def observe(self, payment_id: str, *, source: str = "host") -> Payment:
        """Ask the gateway, write down its answer, notify the host, and return the payment.

        The browser's return, the callback and the sweep all end here: nothing else changes a state. Takes reserved
        money if the order says ``CaptureMode.AUTOMATIC``. If another caller takes the money at this moment, this one
        waits for it, for some seconds at most. Raises ``NotFound``.
        """
        return await looking.observe(self._account, payment_id, source=source)

    # Taking and giving back money

    async def capture(
        self: AsyncPayments[Captures],
        payment_id: str,
        amount: Money | None = None,
        *,
        operation_id: str,
        lines: tuple[OrderLine, ...] = (),
        description: str = "",
    ) -> Operation:
        """Take reserved money: all that is left, or ``amount`` (VAT included), or the sum of ``lines``.

        Returns the operation; its ``outcome`` says how it ended. ``resolve``, the sweep, or the same call again
        settles ``UNKNOWN``. Raises ``Conflict`` if the payment cannot be captured now, ``InvalidOrder`` for an
        impossible amount, ``IdReused`` for other parameters under the same id.
        """
        return await changing.change(
            self._account,
            OperationKind.CAPTURE,
            payment_id,
            operation_id,
            amount=amount,
            lines=lines,
            description=description,
        )

    async def cancel(
        self: AsyncPayments[Cancels],
        payment_id: str,
        *,
        operation_id: str,
        description: str = "",
    ) -> Operation:
        """End the payment before money is taken: close an open page, or release reserved money.

        Raises ``Conflict`` if the payment cannot be cancelled now, ``IdReused`` for other parameters under the
        same id.
        """
        return await changing.change(
            self._account,
            OperationKind.CANCEL,
            payment_id,
            operation_id,
            description=description,
        )

    async def refund(
        self: AsyncPayments[Refunds],
        payment_id: str,
        amount: Money | None = None,
        *,
        operation_id: str,
        lines: tuple[OrderLine, ...] = (),
        description: str = "",
    ) -> Operation:
        """Give money back: all that was captured, or ``amount`` (VAT included), or the sum of ``lines``.

        ``PENDING`` means that the gateway accepted it; a callback or the sweep settles it later.

        Raises ``Conflict`` if nothing is left to refund or the payment cannot be refunded now, and if a look before it
        finds money given back in the gateway's portal (nothing was sent: look, and repeat); ``InvalidOrder`` for an
        impossible amount, ``IdReused`` for other parameters under the same id.
        """
        return await changing.change(
            self._account,
            OperationKind.REFUND,
            payment_id,
            operation_id,
            amount=amount,
            lines=lines,
            description=description,
        )

    async def update(
        self: AsyncPayments[Updates],
        payment_id: str,
        amount: Money | None = None,
        *,
        operation_id: str,
        lines: tuple[OrderLine, ...] = (),
        description: str = "",
    ) -> Operation:
        """Change amount (VAT included) and lines of a payment that nobody has paid; then refresh a seamless page.

        Raises ``Conflict`` if the payment is no longer open, ``InvalidOrder`` for an impossible amount.
        """
        return await changing.change(
            self._account,
            OperationKind.UPDATE,
            payment_id,
            operation_id,
            amount=amount,
            lines=lines,
            description=description,
        )

    # Charging a stored method

    @property
    def mandates(self: AsyncPayments[StoresMandates]) -> AsyncMandates:
        """The payers' stored methods: show, refresh, remove, take over."""
        return self._mandates

    async def charge(
        self: AsyncPayments[ChargesMandates],
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
        """Take ``amount`` (VAT included) on a mandate while the payer is absent.

        Returns the operation. ``DECLINED`` has the decline with its advice; ``PENDING`` is settled later.
        ``UNKNOWN`` stays until the gateway or a person can prove what happened. The charge is never sent again
        under a new reference. ``period`` names what is paid for (``2026-11``): one period is paid once, whatever
        the operation ids. A new try after a decline needs a new operation id.

        Raises ``MandateUnusable``, ``CeilingReached`` (the card schemes forbid another charge now), ``Conflict`` or
        ``InvalidOrder``, each before anything is sent.
        """
        order = Order(
            amount=amount,
            description=description,
            return_url="",
            initiator=Initiator.MERCHANT,
            order_reference=order_reference,
            lines=lines,
            vat=vat,
            capture=capture,
            language=language,
        )
        return await charging.charge(self._account, mandate_id, order, operation_id=operation_id, period=period)

    async def settle_by_hand(
        self,
        operation_id: str,
        *,
        provider_reference: str | None,
        person: str,
        reason: str,
    ) -> Operation:
        """Settle an operation of unknown outcome by what a person found out. The decision is kept for good.

        ``provider_reference`` is the gateway's id of the payment that the operation made. prenopay reads that
        payment and compares it with our reference. ``None`` says that nothing happened. Raises ``Conflict`` if
        that payment is not this operation's, if the outcome is known, and for a payout with a reference
        (``resolve`` looks payouts up). Raises ``InvalidOrder`` without a person or a reason.
        """
        if not person.strip() or not reason.strip():
            field = "reason" if person.strip() else "person"
            message = f"{field}: must not be empty: give the person's name and the reason"
            raise InvalidOrder(message, field=field)
        made = await self.operation(operation_id)
        if made.subject.kind is not SubjectKind.PAYOUT:
            return await charging.settle_by_hand(
                self._account,
                operation_id,
                provider_reference=provider_reference,
                person=person,
                reason=reason,
            )
        if provider_reference is not None:
            message = f"operation {operation_id!r} is a payout: resolve looks it up by our reference {made.reference}"
            raise Conflict(message).about(account=self.account, operation_id=operation_id)
        await payouts.settle_by_hand(self._account, operation_id, person=person, reason=reason)
        return await self.operation(operation_id)

    # Sending money

    async def pay_out(self: AsyncPayments[PaysOut], order: PayoutOrder, *, operation_id: str) -> Payout:
        """Send money to someone, from the merchant's account.

        The same id with the same order sends it once. Returns the payout; it is ``PENDING`` until the gateway has
        paid. ``payout`` and ``payouts`` show it, callbacks and the sweep update it. Raises ``InvalidOrder``,
        ``IdReused``, and the gateway's errors. After ``OutcomeUnknown`` it may have been sent, and the sweep finds
        out.
        """
        return await payouts.pay_out(self._account, order, operation_id)

    async def payout(self, operation_id: str) -> Payout:
        """Return the payout as the books have it; raises ``NotFound``."""
        return await payouts.get(self._account, operation_id)

    async def payouts(self, *, limit: int = 50) -> tuple[Payout, ...]:
        """Return the newest payouts, newest first."""
        return await payouts.find(self._account, limit)

    async def resolve_payout(self, operation_id: str) -> Payout:
        """Look up a payout whose outcome is open. It is sent again only if the gateway does not have it."""
        return await payouts.resolve(self._account, operation_id)

    # Settling what was left open

    async def operation(self, operation_id: str) -> Operation:
        """Return the operation as the books have it; raises ``NotFound``."""
        return (await self._account.read(operations.load, self.account, operation_id)).operation

    async def open_operations(self, *, payment_id: str | None = None, limit: int = 50) -> tuple[Operation, ...]:
        """Return operations that are unknown or pending, oldest first; ``payment_id`` limits them to one payment."""
        return await self._account.read(operations.open_ones, self.account, limit, subject_id=payment_id)

    async def resolve(self, operation_id: str) -> Operation:
        """Settle an operation whose outcome is open: look it up, and send it again only if nothing happened.

        Returns the operation. It is still ``UNKNOWN`` or ``PENDING`` if the gateway cannot say yet.
        """
        made = await self.operation(operation_id)
        if made.subject.kind is SubjectKind.PAYOUT:
            await payouts.resolve(self._account, operation_id)
            return await self.operation(operation_id)
        return await resolving.resolve(self._account, operation_id)

    async def expire(self, payment_id: str) -> Payment:
        """End a payment that nobody paid in time. The gateway's page is closed first, so that nobody can pay later.

        Raises ``Conflict`` while the page cannot be closed, for example because the payer is inside a banking app
        at this moment.
        """
        return await creating.expire(self._account, payment_id)

    # Looking after the account

    async def probe(self) -> tuple[Probe, ...]:
        """Check without side effects that we reach the gateway, that it knows us, and that the clocks agree."""
        return await probe.probe(self._account)

    async def erase_payer(
        self,
        payment_id: str | None = None,
        *,
        operation_id: str | None = None,
        payer_reference: str | None = None,
    ) -> tuple[Subject, ...]:
        """Forget a person (GDPR): what is known about them is erased, and the history of the money stays.

        Name one of three: ``payment_id``; ``operation_id``, such as that of a payout; or ``payer_reference``, for
        every payment, payout and mandate of that reference on this account. Returns what the person was erased from.
        The gateway's answers about those payments are removed, and later ones are not kept.

        All is erased, or nothing. Raises ``NotFound``, and ``Conflict`` while the data is needed: for a create or a
        charge of unknown outcome (``resolve`` it), for a payout that has not ended, and for a mandate that has not
        ended (``mandates.remove_all``). Raises ``InvalidOrder`` unless exactly one name is given.
        """
        return await erasing.erase(
            self._account, payment_id=payment_id, operation_id=operation_id, payer_reference=payer_reference
        )
