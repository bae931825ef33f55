"""Drawing on a mandate: checked and written down first, sent at most once, settled by evidence or by a person."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime
from typing import Final, cast

from sqlalchemy import Connection

from prenopay.books import charges, ending, ids, mandates, operations, records, settling
from prenopay.books.evidence import FIRST_TRY_HAS_ENDED, STAYS_OPEN
from prenopay.books.operations import Begun
from prenopay.books.outbox import append_events
from prenopay.books.records import StoredOperation
from prenopay.errors import Conflict, DuplicateReference, InvalidOrder, UnsupportedOperation
from prenopay.execution import Execution, redacted
from prenopay.provider import Charged, ChargeRequest, ChargesMandates, Created, Observation
from prenopay.values.mandates import Mandate
from prenopay.values.orders import Initiator, Order, Payer
from prenopay.values.payments import Operation, OperationKind, Outcome, PaymentState

__all__ = ["Charging"]

_log = logging.getLogger("prenopay")

_ENDED_WELL: Final = frozenset({PaymentState.AUTHORIZED, PaymentState.CAPTURED})


class Charging:
    """The charges of one account."""

    def __init__(self, execution: Execution) -> None:
        """Ask through ``execution``."""
        self._execution = execution
        self._account = execution.account

    async def charge(self, mandate_id: str, order: Order, *, operation_id: str, period: str) -> Operation:
        """Draw ``order`` on the mandate, and return how it ended."""
        gateway, intent = self._gateway(), self._execution.intent(OperationKind.CHARGE, operation_id)
        mandate = await self._execution.ports.ledger.read(
            lambda connection: mandates.load(connection, self._account, mandate_id),
        )
        order = replace(order, initiator=Initiator.MERCHANT, payer=Payer(reference=mandate.payer_reference))
        self._execution.gateway.check_order(order)
        payment_id = ids.payment_id(intent.now, self._execution.ports.entropy)

        drawing = charges.Drawing(
            account=self._account,
            mandate_id=mandate_id,
            operation_id=intent.operation_id,
            period=period,
            now=intent.now,
        )

        def begin(connection: Connection) -> Begun:
            return operations.begin_create(
                connection,
                intent,
                order,
                provider=self._execution.gateway.name,
                payment_id=payment_id,
                expires_at=None,
                parameters={"mandate_id": mandate_id, "period": period},
                check=lambda connection: charges.check(connection, drawing, order.amount),
                add=lambda connection: charges.note(connection, drawing, payment_id),
            )

        begun = await self._execution.ports.ledger.transact(begin)
        if begun.ours_to_send:
            await self._send(gateway, begun, order, mandate)
        return (await self._execution.load_operation(operation_id)).operation

    async def resolve(self, begun: Begun, order: Order) -> None:
        """Ask again about a charge without an answer; only a gateway that refuses repeats is sent it again."""
        mandate_id = begun.operation.parameters["mandate_id"]
        mandate = await self._execution.ports.ledger.read(
            lambda connection: mandates.load(connection, self._account, mandate_id),
        )
        await self._send(self._gateway(), begun, order, mandate)

    async def settle_by_hand(
        self,
        operation_id: str,
        *,
        provider_reference: str | None,
        person: str,
        reason: str,
    ) -> Operation:
        """Write down what a person found out: the gateway's payment, or that there is none."""
        if not person.strip() or not reason.strip():
            field = "reason" if person.strip() else "person"
            message = f"{field}: who settles an operation by hand leaves a name and a reason"
            raise InvalidOrder(message, field=field)
        stored = await self._execution.load_operation(operation_id)
        made = stored.operation
        self._refuse_early(stored, has_proof=provider_reference is not None)
        begun = Begun(
            operation=stored,
            payment=await self._execution.load(made.payment_id),
            ours_to_send=True,
            maybe_sent=True,
        )
        observed, read_at = None, self._execution.ports.clock.now()
        if provider_reference is not None:
            observed = await self._proof(made, provider_reference)
        charged = Charged(outcome=_outcome_of(observed), observation=observed)

        def conclude(connection: Connection) -> None:
            now = self._execution.ports.clock.now()
            records.decided(connection, made, charged.outcome, person=person, reason=reason, now=now)
            self._conclude(connection, begun, charged, read_at)

        await self._execution.ports.ledger.transact(conclude)
        await self._after(made.payment_id)
        return (await self._execution.load_operation(operation_id)).operation

    def _refuse_early(self, stored: StoredOperation, *, has_proof: bool) -> None:
        """Raise ``Conflict`` where nobody can know yet, or all is known."""
        made, now = stored.operation, self._execution.ports.clock.now()
        why = ""
        if made.outcome is not Outcome.UNKNOWN or stored.in_flight(now):
            why = f"is {made.outcome}: only an unknown outcome is settled by hand"
        elif not has_proof and now - stored.first_sent_at < FIRST_TRY_HAS_ENDED:
            why = "may still be on its way: look again ten minutes after it was sent"
        if why:
            message = f"operation {made.operation_id!r} {why}"
            raise Conflict(message).about(account=self._account, operation_id=made.operation_id)

    async def _send(self, gateway: ChargesMandates, begun: Begun, order: Order, mandate: Mandate) -> None:
        made, read_at = begun.operation.operation, self._execution.ports.clock.now()
        request = ChargeRequest(
            order=order,
            payment_id=made.payment_id,
            reference=made.reference,
            callback_url=self._execution.ports.callback_urls.url(self._account, made.payment_id),
            kind=mandate.kind,
            token=await self._execution.token(mandate.mandate_id),
            again=begun.maybe_sent,
        )
        send = self._execution.send()
        try:
            charged = await self._execution.ask(begun, lambda _reference: gateway.charge(send, request))
        except (*STAYS_OPEN, DuplicateReference) as error:
            _log.warning("charge %s: outcome unknown: %s", made.operation_id, error)
            return
        if charged.outcome is Outcome.NOT_ATTEMPTED and read_at - begun.operation.first_sent_at < FIRST_TRY_HAS_ENDED:
            return  # what the gateway does not have may still be on its way
        if charged.observation is not None:
            charged = replace(charged, observation=redacted(charged.observation))
        await self._execution.ports.ledger.transact(
            lambda connection: self._conclude(connection, begun, charged, read_at)
        )
        await self._after(made.payment_id)

    def _conclude(self, connection: Connection, begun: Begun, charged: Charged, read_at: datetime) -> None:
        made, now = begun.operation.operation, self._execution.ports.clock.now()
        if charged.observation is not None:
            operations.created(connection, made.payment_id, Created(observation=charged.observation))
            self._execution.write(connection, begun.payment, charged.observation, read_at, made.kind.value)
        elif charged.outcome is Outcome.DECLINED:
            ending.decline(connection, self._account, made.payment_id, charged.decline, now=now)
        settling.settle(
            connection,
            begun.operation,
            charged.outcome,
            now=now,
            decline=charged.decline,
            next_check_at=now + self._execution.claimed_for,
        )
        told = charges.suspend(connection, made.payment_id, charged.decline, now=now)
        append_events(connection, self._account, made.payment_id, told, now=now)

    async def _after(self, payment_id: str) -> None:
        """Take what was just reserved, if the order says so, and tell the host."""
        await self._execution.capture_if_wanted(await self._execution.load(payment_id))
        await self._execution.ports.tell(payment_id)

    async def _proof(self, made: Operation, provider_reference: str) -> Observation:
        """Read the payment that a person found, and hold it against what was asked."""
        observed = await self._execution.gateway.observe(self._execution.send(), provider_reference)
        if observed.reference != made.reference:
            message = (
                f"the gateway's {provider_reference} carries our reference {observed.reference or '(none)'}, "
                f"the operation's is {made.reference}: it is not this one"
            )
            raise Conflict(message).about(account=self._account, operation_id=made.operation_id)
        return redacted(observed)

    def _gateway(self) -> ChargesMandates:
        gateway = self._execution.gateway
        if ChargesMandates not in type(gateway).__mro__:
            reason = gateway.limits.not_supported.get("charge", "the provider charges no stored methods")
            message = f"{gateway.name} cannot charge: {reason}"
            raise UnsupportedOperation(message, capability="charge", reason=reason).about(account=self._account)
        return cast("ChargesMandates", gateway)


def _outcome_of(observed: Observation | None) -> Outcome:
    if observed is None:
        return Outcome.NOT_ATTEMPTED
    if observed.state in _ENDED_WELL:
        return Outcome.SUCCEEDED
    return Outcome.DECLINED if observed.state is PaymentState.DECLINED else Outcome.PENDING
