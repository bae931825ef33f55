"""A payer's stored methods: shown, refreshed, removed, taken over from another system, sealed anew.

A removal is written down first and then asked for at the gateway, so that a method the payer took back
is never charged again, whatever happens in between; the sweep finishes what was interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final, cast

from sqlalchemy import Connection

from prenopay import token_file
from prenopay.books import ids, mandates, mandates_due, offering, tokens
from prenopay.books.vault import fingerprint, seal
from prenopay.errors import InvalidOrder, UnsupportedOperation
from prenopay.execution import Execution
from prenopay.provider import StoresMandates
from prenopay.token_file import TokenLine
from prenopay.values.mandates import ImportProblem, ImportReport, Mandate, MandateChange, MandateState

__all__ = ["AsyncMandates"]

_TRY_AGAIN_AFTER: Final = timedelta(minutes=30)


class AsyncMandates:
    """The mandates of one account: what ``AsyncPayments.mandates`` is."""

    def __init__(self, execution: Execution) -> None:
        """Ask through ``execution``."""
        self._execution = execution
        self._account = execution.account

    async def get(self, mandate_id: str) -> Mandate:
        """Return the mandate as the books have it; raises ``NotFound``."""
        return await self._execution.ports.ledger.read(
            lambda connection: mandates.load(connection, self._account, mandate_id),
        )

    async def of_payer(self, payer_reference: str) -> tuple[Mandate, ...]:
        """Return a payer's mandates, newest first, ended ones included."""
        return await self._execution.ports.ledger.read(
            lambda connection: mandates.of_payer(connection, self._account, payer_reference),
        )

    async def to_offer(self, payer_reference: str) -> tuple[Mandate, ...]:
        """Return the payer's ``ONE_CLICK`` methods that a new order may offer (``Order.pay_with``), newest first."""
        now = self._execution.ports.clock.now()
        return tuple(each for each in await self.of_payer(payer_reference) if offering.may_be_offered(each, now))

    async def find(
        self,
        *,
        state: MandateState | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> tuple[Mandate, ...]:
        """Return mandates, newest first; ``after`` is the last mandate id of the page before."""
        return await self._execution.ports.ledger.read(
            lambda connection: mandates.find(connection, self._account, state=state, after=after, limit=limit),
        )

    async def history(self, mandate_id: str) -> tuple[MandateChange, ...]:
        """Return every change of a mandate, oldest first."""
        return await self._execution.ports.ledger.read(
            lambda connection: mandates.history(connection, self._account, mandate_id),
        )

    async def refresh(self, payer_reference: str) -> tuple[Mandate, ...]:
        """Ask the gateway how the payer's methods look now, write that down, and return them.

        Issuers renew cards behind a token silently, so do this before showing a payer their methods. One
        that the gateway has no more is ``REVOKED``. Raises ``UnsupportedOperation`` where the gateway cannot
        list a payer's methods.
        """
        seen = await self._gateway().observe_methods(self._execution.send(), payer_reference)
        sealed = seal(self._execution.ports.vault, self._account, seen)
        now = self._execution.ports.clock.now()
        return await self._execution.ports.ledger.transact(
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

        Where the gateway knows no payers, those that are known here go, one by one.

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
        try:
            await gateway.remove_all_methods(self._execution.send(), payer_reference, reason=reason)
        except UnsupportedOperation:  # this gateway knows no payers, only methods
            for each in held:
                await self._remove_at_gateway(gateway, each.mandate_id)
        else:
            for each in held:
                await self._execution.ports.ledger.transact(partial(tokens.removed, mandate_id=each.mandate_id))
        return await self.of_payer(payer_reference)

    async def take_over(
        self, text: str, *, dry_run: bool = False, check: bool = True, actor: str = mandates.HOST
    ) -> ImportReport:
        """Take over tokens that another system stored, from CSV (see ``prenopay.token_file``): all lines, or none.

        ``check`` asks the gateway for each payer's methods, so that tokens of another merchant, or dead
        ones, are found before the first charge. Tokens in the books already are counted as known: the
        same file may be taken again.
        """
        self.require()
        lines, faults = token_file.read(text)
        problems = list(faults)
        if check:
            problems += await self._unknown_at_gateway(lines)
        counted = 0 if problems else await self._add_all(lines, dry_run=dry_run, actor=actor)
        known = 0 if problems else len(lines) - counted
        problems.sort(key=lambda problem: problem.line)
        return ImportReport(dry_run=dry_run, added=counted, known=known, problems=tuple(problems))

    async def _unknown_at_gateway(self, lines: Sequence[TokenLine]) -> list[ImportProblem]:
        held: dict[str, frozenset[str]] = {}
        problems: list[ImportProblem] = []
        for line in lines:
            if line.payer_reference not in held:
                seen = await self._gateway().observe_methods(self._execution.send(), line.payer_reference)
                held[line.payer_reference] = frozenset(each.token.reveal() for each in seen)
            if line.token.reveal() not in held[line.payer_reference]:
                why = f"the gateway has no such token of payer {line.payer_reference!r} under this agreement"
                problems.append(ImportProblem(line=line.line, column="token", why=why))
        return problems

    async def _add_all(self, lines: Sequence[TokenLine], *, dry_run: bool, actor: str) -> int:
        """Add what is new in one transaction; return how many (would) have been."""
        now, vault = self._execution.ports.clock.now(), self._execution.ports.vault
        marks = [fingerprint(self._account, line.token) for line in lines]

        def count(connection: Connection) -> int:
            return sum(not tokens.is_known(connection, self._account, mark) for mark in marks)

        if dry_run:
            return await self._execution.ports.ledger.read(count)
        ready = [(self._mandate_of(line, now), vault.seal(line.token)) for line in lines]

        def add(connection: Connection) -> int:
            return sum(
                mandates.add(connection, mandate, mark, sealed, actor=actor)
                for (mandate, sealed), mark in zip(ready, marks, strict=True)
            )

        return await self._execution.ports.ledger.transact(add)

    def _mandate_of(self, line: TokenLine, now: datetime) -> Mandate:
        made = ids.payment_id(now, self._execution.ports.entropy).removeprefix("pay_")
        return Mandate(
            mandate_id=f"man_{made}",
            account=self._account,
            provider=self._execution.gateway.name,
            payer_reference=line.payer_reference,
            kind=line.kind,
            state=MandateState.ACTIVE,
            consent=line.consent,
            instrument=line.instrument,
            display=line.display,
            expires=line.expires,
            network_tokenized=False,
            payment_id=None,
            replaces=None,
            replaced_by=None,
            reason="taken over from another system",
            created_at=now,
            updated_at=now,
        )

    async def finish_removals(self, *, limit: int = 200) -> int:
        """Remove at the gateway what was to be removed and was not yet; return how many there were."""
        now = self._execution.ports.clock.now()
        due = await self._execution.ports.ledger.read(
            lambda connection: tokens.to_remove(connection, self._account, now, limit=limit),
        )
        for mandate_id in due:
            again_at = now + _TRY_AGAIN_AFTER
            await self._execution.ports.ledger.transact(
                partial(tokens.postpone_removal, mandate_id=mandate_id, at=again_at)
            )
            await self._remove_at_gateway(self._gateway(), mandate_id)
        return len(due)

    async def age(self, *, limit: int = 200) -> int:
        """Move on the mandates that time has moved (cards run out, waits are over); return how many."""
        now = self._execution.ports.clock.now()
        return await self._execution.ports.ledger.transact(
            lambda connection: mandates_due.age(connection, self._account, now, limit=limit),
        )

    async def reseal(self) -> int:
        """Seal every token under the newest key; return how many."""
        held = await self._execution.ports.ledger.read(
            lambda connection: tokens.sealed_tokens(connection, self._account)
        )
        for mandate_id, sealed in held:
            anew = self._execution.ports.vault.reseal(sealed)
            await self._execution.ports.ledger.transact(partial(tokens.keep_sealed, mandate_id=mandate_id, sealed=anew))
        return len(held)

    def require(self) -> None:
        """Raise unless methods can be stored: the provider must be able to, and there must be a key to seal with."""
        self._gateway()
        self._execution.ports.vault.require()

    async def _end(self, mandate_id: str, *, reason: str, actor: str) -> None:
        """Write down that a mandate is over, so that it is never charged again and the sweep removes its token."""
        now = self._execution.ports.clock.now()

        def end(connection: Connection) -> str | None:
            return mandates.end(
                connection,
                self._account,
                mandate_id,
                MandateState.DELETED,
                actor=actor,
                reason=reason,
                now=now,
                remove_at=now + _TRY_AGAIN_AFTER,
            )

        told_with = await self._execution.ports.ledger.transact(end)
        if told_with is not None:
            await self._execution.ports.tell(told_with)

    async def _remove_at_gateway(self, gateway: StoresMandates, mandate_id: str) -> None:
        mandate = await self.get(mandate_id)
        held = await self._execution.ports.ledger.read(lambda connection: tokens.token_of(connection, mandate_id))
        if held is not None:
            token, reason = self._execution.ports.vault.unseal(held), mandate.reason or "removed"
            await gateway.remove_method(self._execution.send(), mandate.kind, token, reason=reason)
        await self._execution.ports.ledger.transact(lambda connection: tokens.removed(connection, mandate_id))

    def _gateway(self) -> StoresMandates:
        gateway = self._execution.gateway
        if StoresMandates not in type(gateway).__mro__:
            reason = gateway.limits.not_supported.get("store", "the provider stores no methods")
            message = f"{gateway.name} cannot store methods: {reason}"
            raise UnsupportedOperation(message, capability="store", reason=reason).about(account=self._account)
        return cast("StoresMandates", gateway)
