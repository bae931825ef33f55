"""One step below the use cases: asks the provider for what was written down, and writes down what it said.

Whatever goes wrong in between is either certainly nothing (``NOT_ATTEMPTED``) or open (``UNKNOWN``);
``ledger.evidence`` says which of the two.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeVar

from sqlalchemy import Connection

from prenopay._redaction import Secret, redact
from prenopay.books import codec, ending, evidence, observing, operations, parts, records, settling, tokens
from prenopay.books.operations import Begun, Intent
from prenopay.books.records import StoredPayment
from prenopay.books.vault import Vault, seal
from prenopay.errors import (
    DuplicateReference,
    NotSent,
    PrenopayError,
    ProviderError,
    TransportError,
    UnsupportedOperation,
)
from prenopay.ports import Clock, Entropy, HttpRequest, HttpResponse, HttpSender, Ledger, Send
from prenopay.provider import (
    VERBS,
    ChangeRequest,
    Created,
    CreateRequest,
    Observation,
    PaymentProvider,
    Reply,
)
from prenopay.refunds_apart import keeps_apart, with_refunds
from prenopay.values.callbacks import CallbackUrls
from prenopay.values.money import Money
from prenopay.values.orders import CaptureMode, Order, OrderLine
from prenopay.values.payments import Action, Operation, OperationId, OperationKind, Outcome, PaymentState

__all__ = ["Execution", "Ports", "redacted"]

T = TypeVar("T")

_log = logging.getLogger("prenopay")

_WRITING_MARGIN: Final = timedelta(seconds=30)
"""How much longer than its deadline a try owns its operation: time to write the result down."""
_CAPTURE_AGAIN_AFTER: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The I/O of one account."""

    http: HttpSender
    ledger: Ledger
    clock: Clock
    entropy: Entropy
    callback_urls: CallbackUrls
    vault: Vault
    tell: Callable[[str], Awaitable[None]]
    """Delivers what is to be told about one payment."""


class Execution:
    """Carries out operations of one account."""

    def __init__(self, gateway: PaymentProvider, account: str, ports: Ports) -> None:
        """Wire ``gateway`` to its ports."""
        self.gateway = gateway
        self.account = account
        self.ports = ports

    @property
    def claimed_for(self) -> timedelta:
        """How long one try owns its operation."""
        return timedelta(seconds=self.gateway.limits.deadline_seconds) + _WRITING_MARGIN

    def intent(self, kind: OperationKind, operation_id: str) -> Intent:
        """Return what names an operation, and how long this try owns it."""
        now = self.ports.clock.now()
        return Intent(
            account=self.account,
            operation_id=OperationId(operation_id),
            kind=kind,
            rule=self.gateway.limits.reference,
            now=now,
            claim_until=now + self.claimed_for,
        )

    def send(self) -> Send:
        """Return a ``send`` whose calls together stay within one deadline."""
        clock = self.ports.clock
        deadline = clock.monotonic() + self.gateway.limits.deadline_seconds

        async def send(request: HttpRequest) -> HttpResponse:
            left = deadline - clock.monotonic()
            if left <= 0:
                message = f"{request.label}: the deadline passed before this was sent"
                raise NotSent(message)
            return await self.ports.http.send(request, timeout=left)

        return send

    async def token(self, mandate_id: str) -> Secret | None:
        """Return the secret inside a mandate, for a provider; ``None`` once it is removed."""
        sealed = await self.ports.ledger.read(lambda connection: tokens.token_of(connection, mandate_id))
        return None if sealed is None else self.ports.vault.unseal(sealed)

    async def create(self, begun: Begun, order: Order) -> StoredPayment:
        """Ask the gateway for the payment and write down what it made."""
        payment_id = begun.payment.payment.payment_id
        callback_url = self.ports.callback_urls.url(self.account, payment_id)
        send, read_at = self.send(), self.ports.clock.now()
        offered = await self.token(order.pay_with) if order.pay_with else None

        def ask(reference: str) -> Awaitable[Created]:
            request = CreateRequest(
                order=order,
                payment_id=payment_id,
                reference=reference,
                callback_url=callback_url,
                offered=offered,
                again=begun.maybe_sent and reference == begun.operation.operation.reference,
            )
            return self.gateway.create_payment(send, request)

        created = await self.ask(begun, ask)
        observed = redacted(created.observation)

        def conclude(connection: Connection) -> StoredPayment:
            operations.created(connection, payment_id, created)
            settling.settle(connection, begun.operation, Outcome.SUCCEEDED, now=self.ports.clock.now())
            return self.write(connection, begun.payment, observed, read_at, "create")

        stored = await self.ports.ledger.transact(conclude)
        await self.ports.tell(payment_id)
        return stored

    async def change(
        self,
        kind: OperationKind,
        payment_id: str,
        operation_id: str,
        *,
        amount: Money | None = None,
        lines: tuple[OrderLine, ...] = (),
        description: str = "",
    ) -> Operation:
        """Write down a capture, cancel, refund or update, ask for it, and return how it ended."""
        self._require(kind)
        intent = self.intent(kind, operation_id)

        def begin(connection: Connection) -> Begun:
            return operations.begin_change(
                connection,
                intent,
                payment_id,
                amount=amount,
                lines=lines,
                description=description,
                work_out=lambda connection, stored: self._part(connection, stored, kind, amount, lines),
            )

        begun = await self.ports.ledger.transact(begin)
        if begun.ours_to_send:
            await self.act(begun)
        return (await self.load_operation(operation_id)).operation

    async def act(self, begun: Begun) -> None:
        """Ask the gateway for a change and write down what became of it."""
        made = begun.operation.operation
        verb: Callable[[Send, ChangeRequest], Awaitable[Reply]] = getattr(self.gateway, VERBS[made.kind][1])
        request = await self.ports.ledger.read(lambda connection: self._change_request(connection, begun))
        send, read_at = self.send(), self.ports.clock.now()
        try:
            reply = await self.ask(begun, lambda reference: verb(send, replace(request, reference=reference)))
        except (*evidence.STAYS_OPEN, DuplicateReference) as error:
            _log.warning("%s of %s: outcome unknown: %s", made.kind, made.payment_id, error)
            return

        observed = None if reply.observation is None else redacted(ending.expired_if_so(reply.observation, made))
        look_again = reply.outcome is Outcome.SUCCEEDED and keeps_apart(self.gateway, made.kind)
        outcome = Outcome.PENDING if look_again else reply.outcome

        def conclude(connection: Connection) -> None:
            now = self.ports.clock.now()
            if observed is not None:
                self.write(connection, begun.payment, observed, read_at, made.kind.value)
            settling.settle(
                connection,
                begun.operation,
                outcome,
                now=now,
                decline=reply.decline,
                next_check_at=now + evidence.pause(1),
            )
            if reply.outcome is Outcome.DECLINED:
                ending.tell_declined(connection, begun.operation, reply.decline, now=now)

        await self.ports.ledger.transact(conclude)
        if look_again:  # the money is written down by the one way in which anything changes
            await self.observe(begun.payment, made.kind.value)
        await self.ports.tell(made.payment_id)

    async def observe(self, stored: StoredPayment, source: str) -> StoredPayment:
        """Read the payment at the gateway and write down what it says; take what is to be taken at once."""
        payment = stored.payment
        if payment.provider_reference is None:
            return stored
        read_at, send = self.ports.clock.now(), self.send()
        try:
            observed = redacted(await self.gateway.observe(send, payment.provider_reference))
            if under_way := await self._under_way(payment.payment_id):
                observed = await with_refunds(self.gateway, send, observed, under_way)
        except PrenopayError as error:
            error.about(account=self.account, provider=self.gateway.name, payment_id=payment.payment_id)
            raise
        stored = await self.ports.ledger.transact(
            lambda connection: self.write(connection, stored, observed, read_at, source),
        )
        stored = await self.capture_if_wanted(stored)
        await self.ports.tell(payment.payment_id)
        return stored

    async def _under_way(self, payment_id: str) -> tuple[Operation, ...]:
        """Return the refunds to ask about, where observing the payment does not tell of them."""
        if not keeps_apart(self.gateway, OperationKind.REFUND):
            return ()
        return await self.ports.ledger.read(
            lambda connection: settling.refunds_under_way(connection, payment_id),
        )

    async def look_again_later(self, begun: Begun) -> None:
        """Say when an operation that is still open is looked at next."""
        made = begun.operation.operation
        at = self.ports.clock.now() + evidence.pause(begun.operation.checks)
        await self.ports.ledger.transact(
            lambda connection: settling.look_again(connection, self.account, made.operation_id, at),
        )

    async def load(self, payment_id: str) -> StoredPayment:
        """Return the payment as the books have it."""
        account = self.account
        return await self.ports.ledger.read(lambda connection: records.load_payment(connection, account, payment_id))

    async def load_operation(self, operation_id: str) -> records.StoredOperation:
        """Return the operation as the books have it."""
        account = self.account
        return await self.ports.ledger.read(
            lambda connection: records.load_operation(connection, account, operation_id)
        )

    async def ask(self, begun: Begun, ask: Callable[[str], Awaitable[T]]) -> T:
        """Ask the provider under the operation's reference; write down what an error says of the outcome.

        A create whose reference is refused as seen before gets a new one at once: the order behind the
        old one, if any, can never be paid, because nobody holds its page. For a change that would be a
        second chance to move the money (someone on the way may have sent it twice), so it waits.
        """
        made = begun.operation.operation
        try:
            try:
                return await ask(made.reference)
            except DuplicateReference:
                if made.kind is not OperationKind.CREATE:
                    raise
                return await ask(await self._next_reference(begun))
        except PrenopayError as error:
            error.about(
                account=self.account,
                provider=self.gateway.name,
                operation_id=made.operation_id,
                payment_id=made.payment_id,
            )
            await self._failed(begun, error)
            raise

    async def _failed(self, begun: Begun, error: PrenopayError) -> None:
        now = self.ports.clock.now()
        outcome = Outcome.UNKNOWN if evidence.leaves_open(begun, error, now) else Outcome.NOT_ATTEMPTED
        if outcome is Outcome.NOT_ATTEMPTED and isinstance(error, DuplicateReference):
            await self._next_reference(begun)  # the old one is another system's: the next try needs its own
        await self.ports.ledger.transact(
            lambda connection: settling.settle(
                connection,
                begun.operation,
                outcome,
                now=now,
                error=str(error),
                next_check_at=now + evidence.pause(begun.operation.checks),
            ),
        )

    async def _next_reference(self, begun: Begun) -> str:
        made = begun.operation.operation
        intent = self.intent(made.kind, made.operation_id)
        return await self.ports.ledger.transact(lambda connection: operations.next_reference(connection, intent))

    def write(
        self,
        connection: Connection,
        stored: StoredPayment,
        observed: Observation,
        read_at: datetime,
        source: str,
    ) -> StoredPayment:
        """Write an observation into the books, and when to look next."""
        now = self.ports.clock.now()
        wait = self.gateway.next_check(observed.state, now - stored.payment.created_at)
        if observed.state is PaymentState.AUTHORIZED and stored.capture_mode is CaptureMode.AUTOMATIC:
            wait = _CAPTURE_AGAIN_AFTER
        next_check_at = None if wait is None else now + wait
        expires_at = stored.payment.expires_at
        if next_check_at is not None and expires_at is not None and now < expires_at < next_check_at:
            next_check_at = expires_at
        return observing.apply(
            connection,
            self.account,
            stored.payment.payment_id,
            observed,
            now=now,
            read_at=read_at,
            source=source,
            next_check_at=next_check_at,
            methods=seal(self.ports.vault, self.account, observed.methods),
        )

    def _wants_capture(self, stored: StoredPayment) -> bool:
        payment = stored.payment
        ready = payment.state is PaymentState.AUTHORIZED and Action.CAPTURE in payment.allowed_actions
        return ready and stored.capture_mode is CaptureMode.AUTOMATIC

    async def capture_if_wanted(self, stored: StoredPayment) -> StoredPayment:
        """Take what was just reserved, where the order says so; if that fails the sweep comes back to it."""
        if not self._wants_capture(stored):
            return stored
        payment_id = stored.payment.payment_id
        try:
            await self.change(OperationKind.CAPTURE, payment_id, f"{payment_id}:capture")
        except (ProviderError, TransportError) as error:
            _log.warning("automatic capture of %s waits for the sweep: %s", payment_id, error)
        return await self.load(payment_id)

    def _part(
        self,
        connection: Connection,
        stored: StoredPayment,
        kind: OperationKind,
        amount: Money | None,
        lines: tuple[OrderLine, ...],
    ) -> tuple[Money | None, Money | None]:
        order = records.load_order(connection, self.account, stored.payment.payment_id)
        return parts.part_of(
            stored.payment,
            kind,
            amount,
            lines,
            order_vat=order.vat_amount,
            being_refunded=settling.being_refunded(connection, stored.payment),
        )

    def _change_request(self, connection: Connection, begun: Begun) -> ChangeRequest:
        made, payment = begun.operation.operation, begun.payment.payment
        lines: tuple[OrderLine, ...] = codec.load(begun.operation.parameters["lines"])
        if not lines and made.amount == payment.amount:
            lines = records.load_order(connection, self.account, payment.payment_id).lines
        return ChangeRequest(
            payment_id=payment.payment_id,
            provider_reference=payment.provider_reference or "",
            reference=made.reference,
            amount=made.amount,
            vat=begun.operation.vat,
            lines=lines,
            description=begun.operation.parameters["description"] or payment.description,
            callback_url=self.ports.callback_urls.url(self.account, payment.payment_id),
            again=begun.maybe_sent,
            page_only=ending.closes_page_only(made),
        )

    def _require(self, kind: OperationKind) -> None:
        protocol, verb = VERBS[kind]
        if protocol not in type(self.gateway).__mro__:
            reason = self.gateway.limits.not_supported.get(verb, "the provider has no such operation")
            message = f"{self.gateway.name} cannot {verb}: {reason}"
            raise UnsupportedOperation(message, capability=verb, reason=reason).about(account=self.account)


def redacted(observed: Observation) -> Observation:
    """Mask secrets in the raw answer, once, before anything is stored or told of it."""
    return replace(observed, raw=redact(observed.raw))
