"""Payments that wait for their payer: made payable, replaced by another, ended when nobody paid in time."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from prenopay.books import ending, ids, mandates, offering, operations
from prenopay.books.operations import Begun
from prenopay.errors import Conflict, OutcomeUnknown
from prenopay.execution import Execution
from prenopay.provider import Cancels
from prenopay.stored_methods import AsyncMandates
from prenopay.values.orders import Order
from prenopay.values.payments import Action, OperationKind, Outcome, Payment, PaymentState

__all__ = ["OpenPayments"]

_GATEWAY_CLOSES_WITHIN: Final = timedelta(days=1)
"""How long past its page's life a payment may linger before it is called expired without the gateway's word."""


class OpenPayments:
    """The payments of one account that nobody has paid yet."""

    def __init__(self, execution: Execution, methods: AsyncMandates) -> None:
        """Ask through ``execution``; ``methods`` says whether an order's method can be stored."""
        self._execution = execution
        self._methods = methods
        self._gateway = execution.gateway
        self._account = execution.account

    async def create(self, order: Order, operation_id: str) -> Payment:
        """Write the order down, and make it payable at the gateway."""
        self._gateway.check_order(order)
        if order.store is not None or order.pay_with:
            self._methods.require()
        begun = await self._begin(order, operation_id)
        if begun.ours_to_send:
            return await self.make(begun, order)
        if begun.operation.operation.outcome is Outcome.UNKNOWN:
            message = "this payment is being created by another call at this moment: repeat this one shortly"
            raise OutcomeUnknown(message).about(account=self._account, operation_id=operation_id)
        return begun.payment.payment

    async def make(self, begun: Begun, order: Order) -> Payment:
        """Make a payment that is written down; where it ended meanwhile, its page is closed before anybody sees it."""
        payment = (await self._execution.create(begun, order)).payment
        return await self.expire(payment.payment_id) if ending.leaves_page(payment) else payment

    async def replace(self, payment_id: str, order: Order, operation_id: str) -> Payment:
        """Close an open payment's page, then make a new one."""
        old = await self._get(payment_id)
        if old.is_open:
            await self._execution.change(OperationKind.CANCEL, payment_id, ending.replacing_operation_id(payment_id))
            old = await self._get(payment_id)
        if old.is_open or old.authorized or old.captured:
            message = f"payment {payment_id} is {old.state}: only one that nobody paid is replaced"
            raise Conflict(message).about(account=self._account, payment_id=payment_id)
        return await self.create(order, operation_id)

    async def expire(self, payment_id: str) -> Payment:
        """Look, close the gateway's page so that nobody still can pay, and end the payment here."""
        payment = (await self._execution.observe(await self._execution.load(payment_id), "expiry")).payment
        if ending.leaves_page(payment) or (payment.is_open and payment.provider_reference is not None):
            payment = await self._close(payment)
        now = self._execution.ports.clock.now()
        if not await self._execution.ports.ledger.transact(lambda each: ending.expire(each, payment, now=now)):
            return await self.expire(payment_id)  # another process learned meanwhile that the gateway has it
        await self._execution.ports.tell(payment_id)
        return await self._get(payment_id)

    async def _close(self, payment: Payment) -> Payment:
        payment_id = payment.payment_id
        page_closed_at = payment.created_at + self._gateway.limits.page_lives + _GATEWAY_CLOSES_WITHIN
        if Action.CANCEL in payment.allowed_actions and Cancels in type(self._gateway).__mro__:
            await self._execution.change(OperationKind.CANCEL, payment_id, ending.expiry_operation_id(payment_id))
            payment = await self._get(payment_id)
        if payment.state is PaymentState.UNKNOWN:
            message = "the gateway does not know whether this was paid (see its flags): a person must look first"
            raise Conflict(message).about(account=self._account, payment_id=payment_id)
        if payment.is_open and self._execution.ports.clock.now() < page_closed_at:
            message = "the payment's page cannot be closed now; the sweep tries again"
            raise Conflict(message).about(account=self._account, payment_id=payment_id)
        return payment

    async def _begin(self, order: Order, operation_id: str) -> Begun:
        intent = self._execution.intent(OperationKind.CREATE, operation_id)
        payment_id = ids.payment_id(intent.now, self._execution.ports.entropy)
        store, payer = order.store, order.payer

        def propose(connection: Connection) -> None:
            if store is not None and payer is not None:
                mandates.propose(
                    connection,
                    account=self._account,
                    provider=self._gateway.name,
                    payment_id=payment_id,
                    payer_reference=payer.reference,
                    store=store,
                    now=intent.now,
                )

        def check(connection: Connection) -> None:
            if order.pay_with:
                offering.check(connection, self._account, order, now=intent.now)

        def begin(connection: Connection) -> Begun:
            return operations.begin_create(
                connection,
                intent,
                order,
                provider=self._gateway.name,
                payment_id=payment_id,
                expires_at=intent.now + (order.valid_for or self._gateway.limits.page_lives),
                check=check,
                add=propose,
            )

        return await self._execution.ports.ledger.transact(begin)

    async def _get(self, payment_id: str) -> Payment:
        return (await self._execution.load(payment_id)).payment
