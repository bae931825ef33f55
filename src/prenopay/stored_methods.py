"""A payer's stored methods: shown, refreshed, removed, taken over from another system, sealed anew.

A removal is written down first and then asked for at the gateway, so that a method the payer took back
is never charged again, whatever happens in between; the sweep finishes what was interrupted.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Final, cast

from sqlalchemy import Connection

from prenopay.errors import InvalidOrder, UnsupportedOperation
from prenopay.execution import Execution
from prenopay.ledger import mandates
from prenopay.mandates import Mandate, MandateChange, MandateState
from prenopay.provider import StoresMandates

__all__ = ["AsyncMandates"]

_TRY_AGAIN_AFTER: Final = timedelta(minutes=30)


class AsyncMandates:
    """The mandates of one account: what ``AsyncPayments.mandates`` is."""

    def __init__(self, execution: Execution) -> None:
        """Ask through ``execution``."""
        self._execution = execution
        self._ports = execution.ports
        self._account = execution.account

    async def get(self, mandate_id: str) -> Mandate:
        """Return the mandate as the books have it; raises ``NotFound``."""
        return await self._ports.ledger.read(
            lambda connection: mandates.load(connection, self._account, mandate_id),
        )

    async def of_payer(self, payer_reference: str) -> tuple[Mandate, ...]:
        """Return a payer's mandates, newest first, ended ones included."""
        return await self._ports.ledger.read(
            lambda connection: mandates.of_payer(connection, self._account, payer_reference),
        )

    async def find(
        self,
        *,
        state: MandateState | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> tuple[Mandate, ...]:
        """Return mandates, newest first; ``after`` is the last mandate id of the page before."""
        return await self._ports.ledger.read(
            lambda connection: mandates.find(connection, self._account, state=state, after=after, limit=limit),
        )

    async def history(self, mandate_id: str) -> tuple[MandateChange, ...]:
        """Return every change of a mandate, oldest first."""
        return await self._ports.ledger.read(
            lambda connection: mandates.history(connection, self._account, mandate_id),
        )

    async def refresh(self, payer_reference: str) -> tuple[Mandate, ...]:
        """Ask the gateway how the payer's methods look now, write that down, and return them.

        Issuers renew cards behind a token silently, so do this before showing a payer their methods. One
        that the gateway has no more is ``REVOKED``.
        """
        seen = await self._gateway().observe_methods(self._execution.send(), payer_reference)
        sealed = self._execution.sealed(seen)
        now = self._ports.clock.now()
        return await self._ports.ledger.transact(
            lambda connection: mandates.refresh(connection, self._account, payer_reference, sealed, now=now),
        )

    async def remove(self, mandate_id: str, *, reason: str, actor: str = mandates.HOST) -> Mandate:
        """End a mandate, and remove its token at the gateway; ``actor`` and ``reason`` stay in its history.

        It is never charged again from the moment this begins; if the gateway cannot be reached, the error
        is raised and the sweep removes it there later.
        """
        gateway = self._gateway()
        await self.get(mandate_id)
        await self._end(mandate_id, reason=reason, actor=actor)
        await self._remove_at_gateway(gateway, mandate_id)
        return await self.get(mandate_id)

    async def remove_all(
        self,
        payer_reference: str,
        *,
        reason: str,
        confirm: str,
        actor: str = mandates.HOST,
    ) -> tuple[Mandate, ...]:
        """End every mandate of a payer; at the gateway all go at once, those of other systems included.

        ``confirm`` repeats the payer's reference: raises ``InvalidOrder`` where it does not.
        """
        if confirm != payer_reference:
            message = (
                "confirm: repeat the payer's reference. This removes every stored method of the payer at the gateway, "
                "also those that other systems of the merchant hold"
            )
            raise InvalidOrder(message, field="confirm")
        gateway = self._gateway()
        held = [each for each in await self.of_payer(payer_reference) if not each.state.has_ended]
        for each in held:
            await self._end(each.mandate_id, reason=reason, actor=actor)
        await gateway.remove_all_methods(self._execution.send(), payer_reference, reason=reason)
        for each in held:
            await self._ports.ledger.transact(partial(mandates.removed, mandate_id=each.mandate_id))
        return await self.of_payer(payer_reference)

    async def finish_removals(self, *, limit: int = 200) -> int:
        """Remove at the gateway what was to be removed and was not yet; return how many there were."""
        now = self._ports.clock.now()
        due = await self._ports.ledger.read(
            lambda connection: mandates.to_remove(connection, self._account, now, limit=limit),
        )
        for mandate_id in due:
            again_at = now + _TRY_AGAIN_AFTER
            await self._ports.ledger.transact(partial(mandates.postpone_removal, mandate_id=mandate_id, at=again_at))
            await self._remove_at_gateway(self._gateway(), mandate_id)
        return len(due)

    async def reseal(self) -> int:
        """Seal every token under the newest key; return how many."""
        held = await self._ports.ledger.read(lambda connection: mandates.sealed_tokens(connection, self._account))
        for mandate_id, sealed in held:
            anew = self._ports.vault.reseal(sealed)
            await self._ports.ledger.transact(partial(mandates.keep_sealed, mandate_id=mandate_id, sealed=anew))
        return len(held)

    def require(self) -> None:
        """Raise unless methods can be stored: the provider must be able to, and there must be a key to seal with."""
        self._gateway()
        self._ports.vault.require()

    async def _end(self, mandate_id: str, *, reason: str, actor: str) -> None:
        """Write down that a mandate is over, so that it is never charged again and the sweep removes its token."""
        now = self._ports.clock.now()

        def end(connection: Connection) -> None:
            mandates.change(
                connection,
                mandate_id,
                MandateState.DELETED,
                actor=actor,
                reason=reason,
                now=now,
                remove_at=now + _TRY_AGAIN_AFTER,
            )

        await self._ports.ledger.transact(end)

    async def _remove_at_gateway(self, gateway: StoresMandates, mandate_id: str) -> None:
        mandate = await self.get(mandate_id)
        held = await self._ports.ledger.read(lambda connection: mandates.token_of(connection, mandate_id))
        if held is not None:
            token, reason = self._ports.vault.unseal(held), mandate.reason or "removed"
            await gateway.remove_method(self._execution.send(), mandate.kind, token, reason=reason)
        await self._ports.ledger.transact(lambda connection: mandates.removed(connection, mandate_id))

    def _gateway(self) -> StoresMandates:
        gateway = self._execution.gateway
        if StoresMandates not in type(gateway).__mro__:
            reason = gateway.limits.not_supported.get("store", "the provider stores no methods")
            message = f"{gateway.name} cannot store methods: {reason}"
            raise UnsupportedOperation(message, capability="store", reason=reason).about(account=self._account)
        return cast("StoresMandates", gateway)
