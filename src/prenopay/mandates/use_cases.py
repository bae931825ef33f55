"""A payer's stored methods: shown, refreshed, removed, taken over from another system, sealed again.

A removal is written down first, and then asked for at the gateway. So a method that the payer withdrew is never
charged again, whatever happens in between. The sweep finishes a removal that was interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from prenopay._arguments import check_arguments, refuse_argument
from prenopay.account import Account
from prenopay.books import ids
from prenopay.books.vault import Sealed, fingerprint, seal
from prenopay.errors import InvalidOrder, UnsupportedOperation
from prenopay.mandates import import_file, methods, rows
from prenopay.mandates.import_file import TokenLine
from prenopay.provider.verbs import StoresMandates
from prenopay.values.mandates import ImportProblem, ImportReport, Mandate, MandateChange, MandateState, MethodSeen
from prenopay.values.subjects import SubjectKind

__all__ = ["AsyncMandates", "age", "finish_removal", "require_storing"]

_TRY_AGAIN_AFTER: Final = timedelta(minutes=30)


def require_storing(account: Account) -> StoresMandates:
    """Return the gateway as one that stores methods.

    Raises ``UnsupportedOperation`` if it does not, ``ConfigurationError`` if there is no key to seal tokens with.
    """
    gateway = _require(account)
    account.ports.vault.require()
    return gateway


async def age(account: Account, mandate_id: str) -> None:
    """Take the step of a mandate that is due: its card expires, or its suspension ends."""
    await account.notify(await account.transact(methods.age, account, mandate_id))


async def finish_removal(account: Account, mandate_id: str) -> None:
    """Remove a token at the gateway whose removal is not done yet."""
    mandate, sealed = await account.read(_held, account, mandate_id)
    if sealed is not None:
        token, reason = account.ports.vault.unseal(sealed), mandate.reason or "removed"
        await _require(account).remove_method(account.send(), mandate.kind, token, reason=reason)
    await account.transact(rows.remove_token, mandate_id)


@check_arguments(refuse_argument)
class AsyncMandates:
    """The mandates of one account, as ``AsyncPayments.mandates`` returns them."""

    def __init__(self, account: Account) -> None:
        """Work for ``account``."""
        self._account = account

    async def get(self, mandate_id: str) -> Mandate:
        """Return the mandate as the books have it; raises ``NotFound``."""
        return (await self._account.read(rows.load, self._account.name, mandate_id)).mandate

    async def of_payer(self, payer_reference: str) -> tuple[Mandate, ...]:
        """Return a payer's mandates, newest first, ended ones included."""
        return await self._account.read(rows.of_payer, self._account.name, payer_reference)

    async def to_offer(self, payer_reference: str) -> tuple[Mandate, ...]:
        """Return the payer's ``ONE_CLICK`` methods that a new order may offer (``Order.pay_with``), newest first."""
        now = self._account.now()
        return tuple(each for each in await self.of_payer(payer_reference) if methods.may_be_offered(each, now))

    async def find(
        self,
        *,
        state: MandateState | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> tuple[Mandate, ...]:
        """Return mandates, newest first; ``after`` is the last mandate id of the page before."""
        return await self._account.read(rows.find, self._account.name, state=state, after=after, limit=limit)

    async def history(self, mandate_id: str) -> tuple[MandateChange, ...]:
        """Return every change of a mandate, oldest first; raises ``NotFound``."""
        return await self._account.read(rows.history, self._account.name, mandate_id)

    async def refresh(self, payer_reference: str) -> tuple[Mandate, ...]:
        """Ask the gateway how the payer's methods look now, write that down, and return them.

        Issuers renew cards behind a token silently, so do this before you show a payer their methods. A method
        that the gateway no longer has becomes ``REVOKED``. Raises ``UnsupportedOperation`` if the gateway cannot
        list a payer's methods.
        """
        account = self._account
        seen = await _require(account).observe_methods(account.send(), payer_reference)
        sealed = seal(account.ports.vault, account.name, seen)
        found, news = await account.transact(methods.refresh, account, payer_reference, sealed)
        await account.notify(news)
        return found

    async def remove(self, mandate_id: str, *, reason: str, actor: str = methods.HOST) -> Mandate:
        """End a mandate, and remove its token at the gateway; ``actor`` and ``reason`` stay in its history.

        The mandate is never charged again from the moment this begins. If the gateway cannot be reached, the error
        is raised, and the sweep removes the token later.
        """
        _require(self._account)
        await self._end(mandate_id, reason=reason, actor=actor)
        await finish_removal(self._account, mandate_id)
        return await self.get(mandate_id)

    async def remove_all(
        self,
        payer_reference: str,
        *,
        reason: str,
        confirm: str,
        actor: str = methods.HOST,
    ) -> tuple[Mandate, ...]:
        """End every mandate of a payer. At the gateway all methods go at once, also those of other systems.

        If the gateway does not know payers, the methods known here are removed one by one.

        ``confirm`` repeats the payer's reference; raises ``InvalidOrder`` if it does not.
        """
        if confirm != payer_reference:
            message = (
                "confirm: repeat the payer's reference. This removes every stored method of the payer at the gateway, "
                "also those that other systems of the merchant hold"
            )
            raise InvalidOrder(message, field="confirm")
        account, gateway = self._account, _require(self._account)
        held = [each.mandate_id for each in await self.of_payer(payer_reference) if not each.state.has_ended]
        for mandate_id in held:
            await self._end(mandate_id, reason=reason, actor=actor)
        try:
            await gateway.remove_all_methods(account.send(), payer_reference, reason=reason)
        except UnsupportedOperation:  # this gateway knows no payers, only methods
            for mandate_id in held:
                await finish_removal(account, mandate_id)
        else:
            for mandate_id in held:
                await account.transact(rows.remove_token, mandate_id)
        return await self.of_payer(payer_reference)

    async def take_over(
        self, text: str, *, dry_run: bool = False, check: bool = True, actor: str = methods.HOST
    ) -> ImportReport:
        """Take over tokens that another system stored, from CSV (see the guide on tokens): all lines, or none.

        ``check`` asks the gateway for each payer's methods, so that dead tokens and those of another merchant are
        found before the first charge. Tokens that are in the books already are counted as known: the same file may
        be taken again.
        """
        require_storing(self._account)
        lines, faults = import_file.read(text)
        problems = list(faults)
        if check:
            problems += await self._unknown_at_gateway(lines)
        if problems:
            problems.sort(key=lambda problem: problem.line)
            return ImportReport(dry_run=dry_run, added=0, known=0, problems=tuple(problems))
        named = [_Named(line.line, self._mandate_of(line), self._sealed(line)) for line in lines]
        if dry_run:
            new, foreign = await self._account.read(_new, self._account, named)
        else:
            new, foreign = await self._account.transact(_add_all, self._account, named, actor)
        if foreign:
            return ImportReport(dry_run=dry_run, added=0, known=0, problems=foreign)
        return ImportReport(dry_run=dry_run, added=len(new), known=len(lines) - len(new), problems=())

    async def reseal(self) -> int:
        """Seal every token under the newest key; return how many tokens there are."""
        account = self._account
        held = await account.read(rows.sealed_tokens, account.name)
        for mandate_id, sealed in held:
            await account.transact(rows.reseal_token, mandate_id, account.ports.vault.reseal(sealed))
        return len(held)

    async def _unknown_at_gateway(self, lines: Sequence[TokenLine]) -> list[ImportProblem]:
        gateway, held = _require(self._account), dict[str, frozenset[str]]()
        problems: list[ImportProblem] = []
        for line in lines:
            if line.payer_reference not in held:
                seen = await gateway.observe_methods(self._account.send(), line.payer_reference)
                held[line.payer_reference] = frozenset(each.token.reveal() for each in seen)
            if line.token.reveal() not in held[line.payer_reference]:
                why = f"the gateway has no such token for payer {line.payer_reference!r} under this agreement"
                problems.append(ImportProblem(line=line.line, column="token", why=why))
        return problems

    def _sealed(self, line: TokenLine) -> Sealed:
        shown = MethodSeen(kind=line.kind, token=line.token, display=line.display, instrument=line.instrument)
        mark, sealed = fingerprint(self._account.name, line.token), self._account.ports.vault.seal(line.token)
        return Sealed(method=shown, fingerprint=mark, sealed=sealed)

    def _mandate_of(self, line: TokenLine) -> Mandate:
        now = self._account.now()
        return Mandate(
            mandate_id=ids.subject(SubjectKind.MANDATE, now, self._account.ports.entropy).id,
            account=self._account.name,
            provider=self._account.gateway.name,
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

    async def _end(self, mandate_id: str, *, reason: str, actor: str) -> None:
        """Write down that a mandate has ended: it is never charged again, and the sweep removes its token."""
        account = self._account
        news = await account.transact(
            methods.end,
            account,
            mandate_id,
            MandateState.DELETED,
            actor=actor,
            reason=reason,
            remove_at=account.now() + _TRY_AGAIN_AFTER,
        )
        await account.notify(news)


def _held(connection: Connection, account: Account, mandate_id: str) -> tuple[Mandate, bytes | None]:
    mandate = rows.load(connection, account.name, mandate_id).mandate
    return mandate, rows.token(connection, mandate_id)


@dataclass(frozen=True, slots=True)
class _Named:
    """One line of a file: its number, and what it becomes in the books."""

    line: int
    mandate: Mandate
    token: Sealed


def _new(
    connection: Connection, account: Account, named: Sequence[_Named]
) -> tuple[Sequence[_Named], tuple[ImportProblem, ...]]:
    """Return what the books do not have yet, and the lines whose token another payer has there."""
    held = {each.line: rows.holder_of_token(connection, account.name, each.token.fingerprint) for each in named}
    foreign = [
        ImportProblem(line=each.line, column="token", why=f"is stored for another payer: mandate {holder.mandate_id}")
        for each in named
        if (holder := held[each.line]) is not None
        if holder.payer_reference != each.mandate.payer_reference
    ]
    return [each for each in named if held[each.line] is None], tuple(foreign)


def _add_all(
    connection: Connection, account: Account, named: Sequence[_Named], actor: str
) -> tuple[Sequence[_Named], tuple[ImportProblem, ...]]:
    """Add what is new, unless a line is another payer's. Two processes with one file add each line once."""
    rows.lock_tokens(connection, account.name)
    new, foreign = _new(connection, account, named)
    for each in () if foreign else new:
        methods.add(connection, account, each.mandate, each.token, actor=actor)
    return new, foreign


def _require(account: Account) -> StoresMandates:
    return account.require(StoresMandates, "store", otherwise="the provider stores no methods")  # type: ignore[type-abstract]  # a verb is asked for by its protocol
