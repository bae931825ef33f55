"""Money to someone: written down and signed before it is sent, sent at most once, looked up until it has ended."""

from __future__ import annotations

from typing import cast

from prenopay.books import ids, payouts
from prenopay.books.evidence import STAYS_OPEN, pause
from prenopay.books.payouts import StoredPayout
from prenopay.errors import PrenopayError, UnsupportedOperation
from prenopay.execution import Execution
from prenopay.provider import PayoutRequest, PaysOut, Reply
from prenopay.values.orders import PayoutOrder
from prenopay.values.payments import OperationId, Outcome, Payout

__all__ = ["Payouts", "is_payout"]

_PREFIX = "out_"


def is_payout(payment_id: str) -> bool:
    """Whether a callback's URL names a payout and not a payment."""
    return payment_id.startswith(_PREFIX)


class Payouts:
    """The payouts of one account."""

    def __init__(self, execution: Execution) -> None:
        """Ask through ``execution``."""
        self._execution = execution

    async def pay_out(self, order: PayoutOrder, operation_id: str) -> Payout:
        """Sign, write down, send, and return how it stands."""
        gateway, account, now = self._gateway(), self._execution.account, self._execution.ports.clock.now()
        named = OperationId(operation_id)
        reference = ids.reference(self._execution.gateway.limits.reference, account, f"payout\n{named}", 1)
        payout = Payout(
            payout_id=_PREFIX + ids.payment_id(now, self._execution.ports.entropy).removeprefix("pay_"),
            operation_id=named,
            account=account,
            amount=order.amount,
            description=order.description,
            outcome=Outcome.UNKNOWN,
            decline=None,
            reference=reference,
            created_at=now,
            settled_at=None,
        )

        def write(payout_id: str) -> bytes:
            request = PayoutRequest(
                order=order,
                payout_id=payout_id,
                reference=reference,
                callback_url=self._execution.ports.callback_urls.url(account, payout_id),
                asked_at=now,
            )
            return gateway.write_payout(request)

        until = now + self._execution.claimed_for
        begun = await self._execution.ports.ledger.transact(
            lambda connection: payouts.begin(connection, order, payout, write, until=until),
        )
        if begun.ours_to_send:
            await self._ask(begun)
        return await self.get(named)

    async def get(self, operation_id: str) -> Payout:
        """Return the payout as the books have it; raises ``NotFound``."""
        account = self._execution.account
        return await self._execution.ports.ledger.read(
            lambda connection: payouts.load(connection, account, operation_id)
        )

    async def find(self, limit: int) -> tuple[Payout, ...]:
        """Return the newest payouts."""
        account = self._execution.account
        return await self._execution.ports.ledger.read(lambda connection: payouts.find(connection, account, limit))

    async def resolve(self, operation_id: str) -> Payout:
        """Look up an open payout; send it again, as the same bytes, only if the gateway does not have it."""
        account, now = self._execution.account, self._execution.ports.clock.now()
        until = now + self._execution.claimed_for
        claimed = await self._execution.ports.ledger.transact(
            lambda connection: payouts.claim(connection, account, operation_id, now, until),
        )
        if claimed.ours_to_send:
            await self._ask(claimed)
        return await self.get(operation_id)

    async def resolve_by_id(self, payout_id: str) -> None:
        """Look up the payout that a callback's URL names."""
        account = self._execution.account
        await self.resolve(
            await self._execution.ports.ledger.read(lambda connection: payouts.id_of(connection, account, payout_id)),
        )

    async def due(self, limit: int) -> tuple[str, ...]:
        """Return the operation ids of open payouts that the sweep should look at."""
        account, now = self._execution.account, self._execution.ports.clock.now()
        return await self._execution.ports.ledger.read(lambda connection: payouts.due(connection, account, now, limit))

    async def _ask(self, begun: StoredPayout) -> None:
        """Send or look up, and write down what became of it; raises what the gateway's trouble is."""
        payout, gateway, send = begun.payout, self._gateway(), self._execution.send()
        try:
            if payout.outcome is Outcome.PENDING:
                reply = await gateway.observe_payout(send, payout.reference)
            else:
                reply = await gateway.pay_out(send, payout.reference, begun.body, again=begun.maybe_sent)
        except PrenopayError as error:
            error.about(account=payout.account, operation_id=payout.operation_id)
            open_still = begun.maybe_sent or isinstance(error, STAYS_OPEN)
            outcome = Outcome.UNKNOWN if open_still else Outcome.NOT_ATTEMPTED
            if payout.outcome is Outcome.PENDING:
                outcome = Outcome.PENDING
            await self._settle(begun, Reply(outcome=outcome), error=str(error))
            raise
        await self._settle(begun, reply)

    async def _settle(self, begun: StoredPayout, reply: Reply, *, error: str = "") -> None:
        now = self._execution.ports.clock.now()
        await self._execution.ports.ledger.transact(
            lambda connection: payouts.settle(
                connection,
                begun.payout,
                reply.outcome,
                now=now,
                decline=reply.decline,
                error=error,
                next_check_at=now + pause(begun.checks),
            ),
        )

    def _gateway(self) -> PaysOut:
        gateway = self._execution.gateway
        if PaysOut not in type(gateway).__mro__:
            reason = gateway.limits.not_supported.get("pay_out", "the provider sends no money")
            message = f"{gateway.name} cannot pay out: {reason}"
            raise UnsupportedOperation(message, capability="pay_out", reason=reason).about(
                account=self._execution.account,
            )
        return cast("PaysOut", gateway)
