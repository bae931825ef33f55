"""A payer's stored methods: shown, refreshed, removed, taken over from another system, sealed again.

A removal is written down first, and then asked for at the gateway. So a method that the payer withdrew is never
charged again, whatever happens in between. The sweep finishes a removal that was interrupted.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from prenopay._arguments import check_arguments, refuse_argument
from prenopay._hidden import HiddenText
from prenopay._text import quoted
from prenopay.account import Account, News
from prenopay.books import ids
from prenopay.books.vault import Sealed, fingerprint, seal
from prenopay.errors import InvalidOrder, UnexpectedAnswer, UnsupportedOperation
from prenopay.mandates import absence, import_file, methods, rows
from prenopay.mandates.absence import Refreshed
from prenopay.mandates.import_file import TokenLine
from prenopay.provider.verbs import StoresMandates
from prenopay.values.mandates import ImportProblem, ImportReport, Mandate, MandateChange, MandateState, MethodSeen
from prenopay.values.subjects import SubjectKind

__all__ = ["AsyncMandates", "age", "finish_removal", "require_storing"]

_log = logging.getLogger("prenopay")

_TRY_AGAIN_AFTER: Final = timedelta(minutes=30)


def require_storing(account: Account) -> StoresMandates:
    """Return the gateway as one that stores methods.

    Raises ``UnsupportedOperation`` if it does not, ``ConfigurationError`` if there is no key to seal tokens with.
    """
    gateway = _require(account)
    account.ports.vault.require()
    return gateway


async def age(account: Account, mandate_id: str) -> None:
    """Do what is due of a mandate: its card expires, its suspension ends, or its method is missing.

    Raises ``UnexpectedAnswer`` if so many methods are missing that a person must look.
    """
    news, payer_reference = await account.transact(_age, account, mandate_id)
    await account.notify(news)
    if payer_reference is not None and (doubted := (await _look(account, payer_reference)).doubted):
        raise UnexpectedAnswer(_many_are_missing(doubted)).about(account=account.name, provider=account.gateway.name)


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
        that the gateway does not show is looked at again a day later; if it is still missing, it becomes
        ``REVOKED``. It works again when the gateway shows it again. Raises ``UnsupportedOperation`` if the gateway
        cannot list a payer's methods.
        """
        refreshed = await _look(self._account, payer_reference)
        if refreshed.doubted:
            _log.warning("account %s: %s", self._account.name, _many_are_missing(refreshed.doubted))
        return refreshed.mandates

    async def missing(self, *, limit: int = 50) -> tuple[Mandate, ...]:
        """Return mandates that may be charged and that the gateway did not show, longest missing first.

        If there are more than ten, none is revoked: look at the gateway, and ``remove`` those that are gone.
        """
        return await self._account.read(rows.missing, self._account.name, limit=limit)

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

        The methods known here are then removed one by one as well, because a gateway may not know payers.

        ``confirm`` repeats the payer's reference; raises ``InvalidOrder`` if it does not.
        """
        if confirm != payer_reference:
            message = (
                "confirm: repeat the payer's reference. This removes every stored method of the payer at the gateway, "
                "also those that other systems of the merchant hold"
            )
            raise InvalidOrder(message, field="confirm")
        account, gateway = self._account, _require(self._account)
        held = await account.read(_to_remove, account, payer_reference)
        for mandate_id in held:
            await self._end(mandate_id, reason=reason, actor=actor)
        with suppress(UnsupportedOperation):  # this gateway knows no payers, only methods
            await gateway.remove_all_methods(account.send(), payer_reference, reason=reason)
        for mandate_id in held:  # the gateway's list of the payer may lag, so each of ours is removed by its name too
            await finish_removal(account, mandate_id)
        return await self.of_payer(payer_reference)

    async def take_over(
        self, text: str, *, dry_run: bool = False, check: bool = True, actor: str = methods.HOST
    ) -> ImportReport:
        """Take over tokens that another system stored, from CSV (see the guide on tokens): all lines, or none.

        ``check`` asks the gateway for each payer's methods, so that dead tokens and those of another merchant are
        found before the first charge. Tokens that are in the books already are counted as known: the same file may
        be taken again.
        """
        text = HiddenText(text)  # it holds tokens in clear
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
                why = f"the gateway has no such token for payer {quoted(line.payer_reference)} under this agreement"
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
            time_zone=self._account.time_zone,
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


async def _look(account: Account, payer_reference: str) -> Refreshed:
    """Ask the gateway for a payer's methods, and write down how it shows them."""
    asked_at = account.now()
    gateway = require_storing(account)  # without a key no method is recognised, and all would seem to be missing
    seen = await gateway.observe_methods(account.send(), payer_reference)
    sealed = seal(account.ports.vault, account.name, seen)
    refreshed = await account.transact(absence.note_list, account, payer_reference, sealed, asked_at=asked_at)
    await account.notify(refreshed.news)
    return refreshed


def _age(connection: Connection, account: Account, mandate_id: str) -> tuple[News, str | None]:
    """Take a mandate's step; return what has news, and the payer whose methods are to be looked at now, if any."""
    stored = rows.lock(connection, account.name, mandate_id)
    news = methods.take_step(connection, account, stored)
    is_missing = news is None and absence.plan_look(connection, account, stored)
    return news or (), stored.mandate.payer_reference if is_missing else None


def _many_are_missing(doubted: Sequence[str]) -> str:
    return (
        f"more than {absence.MISSING_MOST} stored methods are missing at the gateway at once, so none was revoked "
        f"({', '.join(doubted)}): look at the gateway, then remove those that are gone (prenopay mandates missing)"
    )


def _to_remove(connection: Connection, account: Account, payer_reference: str) -> tuple[str, ...]:
    """Return a payer's mandates that have not ended, and those that ended and may still have a token."""
    mandates = rows.of_payer(connection, account.name, payer_reference)
    return tuple(
        each.mandate_id
        for each in mandates
        if not each.state.has_ended or rows.token(connection, each.mandate_id) is not None
    )


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
