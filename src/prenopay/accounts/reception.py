"""Where callbacks come in: they are checked, stored and answered first, and worked on later.

A callback is a hint. A call to a URL that prenopay handed out leads to one authenticated read of the subject that
the URL names, whatever the body says. At an account's own address the body names the subjects, and each of them is
read. A body that names another payment, or cannot be read, leaves a flag for a person.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from sqlalchemy import Connection

from prenopay._hidden import HiddenText
from prenopay._redaction import scrub
from prenopay._text import quoted
from prenopay.account import Account
from prenopay.books import inbox, operations
from prenopay.books.inbox import Callback
from prenopay.errors import Conflict, InvalidOrder, LedgerUnavailable, NotFound, Unverified
from prenopay.payments import resolving, rows as payments
from prenopay.payouts import use_cases as payouts
from prenopay.ports import Clock, Ledger
from prenopay.provider.verbs import ReceivesCallbacks
from prenopay.values.callbacks import (
    BODY_LIMIT_BYTES,
    CallbackAddress,
    CallbackReply,
    CallbackRequest,
    CallbackUrls,
    Heard,
)
from prenopay.values.payments import OperationKind
from prenopay.values.subjects import Subject, SubjectKind

__all__ = ["COME_AGAIN", "DOCTOR", "Reception", "work"]

_log = logging.getLogger("prenopay")

DOCTOR: Final = Subject.payment("doctor")
"""The subject in the URL with which ``prenopay doctor`` checks that callbacks arrive here."""

_NAMED_BY_ANSWERS: Final = frozenset({OperationKind.CREATE, OperationKind.CHARGE})
"""Operations whose answer brings the gateway's name for something."""
_STORED_BETWEEN_COUNTS: Final = 500
"""How many callbacks may be stored beyond the limit on waiting ones, per process."""

_UNKNOWN_ADDRESS: Final = CallbackReply(status=404, body=b"unknown callback address\n")
_WRONG_METHOD: Final = CallbackReply(status=405, body=b"callbacks are POSTed\n", headers=(("allow", "POST"),))
COME_AGAIN: Final = CallbackReply(status=503, body=b"try again later\n", headers=(("retry-after", "30"),))
_TOO_LARGE: Final = CallbackReply(status=413, body=b"too large\n")

_NAMES_NOTHING: Final = "names nothing in these books: another system's, or they are a restored copy"

_HEARS: Final[Mapping[SubjectKind, Callable[[Account, Subject, datetime], Awaitable[bool]]]] = {
    SubjectKind.PAYMENT: resolving.hear,
    SubjectKind.PAYOUT: payouts.hear,
}
"""Claims the callbacks to a subject's own address until then, looks, and answers them."""
_LOOKS: Final[Mapping[SubjectKind, Callable[[Account, Subject], Awaitable[None]]]] = {
    SubjectKind.PAYMENT: resolving.look,
    SubjectKind.PAYOUT: payouts.look,
}
"""Looks at a subject that a callback names."""


class Reception:
    """Takes callbacks for every account of a process."""

    def __init__(self, urls: CallbackUrls, ledger: Ledger, clock: Clock, accounts: Mapping[str, Account]) -> None:
        """Serve ``accounts``; more may be added later."""
        self._urls = urls
        self._ledger = ledger
        self._clock = clock
        self._accounts = accounts
        self._room: dict[str, int] = {}

    def refuse(self, path: str, method: str) -> CallbackReply | None:
        """Return the reply to a call whose body nobody needs; ``None`` if it is a callback."""
        found = self._verified(path, method)
        return found if isinstance(found, CallbackReply) else None

    def _verified(self, path: str, method: str) -> tuple[CallbackAddress, ReceivesCallbacks] | CallbackReply:
        """Return whose callback it is, or the reply if it is none."""
        path = HiddenText(path)  # it is a capability
        try:
            address = self._urls.verify(path)
        except Unverified:
            return _UNKNOWN_ADDRESS
        account = self._accounts.get(address.account)
        if account is None:  # our signature is on it: the account was renamed or left out, and may come back
            _log.error("a callback for account %r, which is in no settings here, is to come again", address.account)
            return COME_AGAIN
        if not account.can(ReceivesCallbacks):
            return _UNKNOWN_ADDRESS
        if address.subject == DOCTOR:
            return CallbackReply(status=204)
        if method != "POST":
            return _WRONG_METHOD
        return address, cast("ReceivesCallbacks", account.gateway)

    async def receive(self, request: CallbackRequest) -> CallbackReply:
        """Store a callback and return the reply for its gateway."""
        verified = self._verified(request.path, request.method)
        if isinstance(verified, CallbackReply):
            return verified
        address, gateway = verified
        too_large = len(request.body) > BODY_LIMIT_BYTES
        heard = Heard(problem="the body is too large") if too_large else gateway.read_callback(request)
        arrived = inbox.Arrived(
            account=address.account,
            subject=address.subject,
            note=heard.problem,
            names=heard.names,
            at=self._clock.now(),
        )
        try:
            if address.subject is None:
                await self._make_room(address.account)
            is_to_look = await self._ledger.append(inbox.add, arrived)
        except LedgerUnavailable as error:
            _log.error("a callback for %s could not be stored; the gateway is asked to repeat it: %s", address, error)
            return COME_AGAIN
        reply = _TOO_LARGE if too_large else gateway.callback_reply(accepted=not heard.problem)
        to_look_at = address if is_to_look else None
        return CallbackReply(status=reply.status, body=reply.body, headers=reply.headers, address=to_look_at)

    async def work(self, address: CallbackAddress) -> str:
        """Look at what callbacks are about; return what went wrong. What fails stays in the inbox for the sweep."""
        return await work(self._account(address.account), address.subject)

    async def find(self, *, subject: Subject | None, open_only: bool, limit: int) -> tuple[Callback, ...]:
        """Return stored callbacks, newest first."""
        names, subject_id = tuple(self._accounts), None if subject is None else subject.id
        return await self._ledger.read(
            lambda connection: inbox.find(connection, names, subject_id=subject_id, open_only=open_only, limit=limit),
        )

    async def replay(self, inbox_id: int) -> str:
        """Work on a stored callback again; return what went wrong, if anything. Raises ``NotFound``."""
        now, names = self._clock.now(), tuple(self._accounts)
        callback = await self._ledger.transact(
            lambda connection: inbox.replay(connection, names, inbox_id, now=now),
        )
        if callback is None:
            message = f"there is no callback {inbox_id} in the inbox of these accounts"
            raise NotFound(message)
        return await self.work(CallbackAddress(callback.account, callback.subject))

    async def dismiss(self, inbox_id: int, *, person: str, reason: str) -> None:
        """Mark an open callback as done, because a person says so. Raises ``NotFound``."""
        if not person.strip() or not reason.strip():
            field = "reason" if person.strip() else "person"
            message = f"{field}: must not be empty: give the person's name and the reason"
            raise InvalidOrder(message, field=field)
        now, names, why = self._clock.now(), tuple(self._accounts), f"dismissed by {person}: {reason}"
        if not await self._ledger.transact(lambda connection: inbox.dismiss(connection, names, inbox_id, why, now=now)):
            message = f"there is no open callback {inbox_id} in the inbox of these accounts"
            raise NotFound(message)

    async def _make_room(self, account: str) -> None:
        """Limit what waits at an account's own address. It is seldom counted: that costs more than storing.

        What waits about a subject is one row, and needs no limit: a flood about one payment locks out no other.
        """
        if self._room.get(account, 0) <= 0:
            waiting = await self._ledger.read(lambda connection: inbox.waiting(connection, account))
            if waiting >= inbox.OPEN_MOST:
                message = f"{waiting} callbacks to the address of account {account!r} wait already: run the sweep"
                raise LedgerUnavailable(message).about(account=account)
            self._room[account] = min(inbox.OPEN_MOST - waiting, _STORED_BETWEEN_COUNTS)
        self._room[account] -= 1

    def _account(self, name: str) -> Account:
        account = self._accounts.get(name)
        if account is None:
            message = f"there is no account {quoted(name)} in this process"
            raise NotFound(message).about(account=name)
        return account


async def work(account: Account, subject: Subject | None) -> str:
    """Look at what an account's callbacks are about; return what went wrong. What fails stays for the sweep.

    What somebody else looks at already is left to them: they look again if callbacks came since they began.
    """
    until = account.now() + account.claimed_for
    try:
        while await _hear(account, subject, until):
            until = account.now() + account.claimed_for
    except Exception as error:  # noqa: BLE001 - whatever it is, the callbacks are kept and tried again
        why = scrub(f"{type(error).__name__}: {error}")
        if isinstance(error, NotFound) and subject is not None:
            why += await account.read(_named_by, account, subject)
        _log.warning("callbacks about %s wait: %s", subject or account.name, why)
        if not isinstance(error, LedgerUnavailable):  # otherwise no row can be marked: the claim runs out by itself
            await account.transact(_failed, account, subject, why, until)
        return why
    return ""


async def _hear(account: Account, subject: Subject | None, until: datetime) -> bool:
    """Look once at what waits and nobody has claimed; return whether callbacks came meanwhile."""
    if subject is None:
        return await _hear_account(account, until)
    return await _HEARS[subject.kind](account, subject, until)


async def _hear_account(account: Account, until: datetime) -> bool:
    """Look at every subject that callbacks to the account's own address name; return whether others came meanwhile.

    One that cannot be looked at does not hold up the others. Its error is raised in the end.
    """
    errors: dict[Subject, Exception] = {}
    heard = await account.transact(_named, account, until)
    for subject in heard.subjects:
        try:
            await _LOOKS[subject.kind](account, subject)
        except Exception as error:  # noqa: BLE001 - raised below, when the others have been looked at
            errors[subject] = error
    more_came = await account.transact(_answer, account, heard, frozenset(errors))
    if errors:
        raise next(iter(errors.values()))
    if heard.early:
        named = quoted(scrub(heard.early[0].names[0]))
        message = (
            f"a callback names {named}, which nothing here is called; the answer to an order is missing, and that "
            "order may be it"
        )
        raise Conflict(message).about(account=account.name)
    return more_came


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """The callbacks that wait at an account's own address, and the subjects that they name.

    ``understood`` are the callbacks that name something here, with what they name. ``early`` are callbacks that name
    nothing here while the answer to an order is missing: they may be about it. ``strange`` are those that name nothing
    here although no answer is missing: another system's, or of a time that a restored database does not know.
    """

    understood: tuple[tuple[Callback, frozenset[Subject]], ...]
    early: tuple[Callback, ...]
    strange: tuple[Callback, ...]

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """What is to be looked at."""
        named = {subject for _callback, subjects in self.understood for subject in subjects}
        return tuple(sorted(named, key=lambda subject: subject.id))


def _named(connection: Connection, account: Account, until: datetime) -> _Heard:
    waiting = inbox.claim(connection, account.name, None, now=account.now(), until=until)
    names = sorted({name for callback in waiting for name in callback.names})
    may_be_early = operations.some_unanswered(connection, account.name, _NAMED_BY_ANSWERS)  # asked before the names
    found: dict[str, Subject] = {}
    if names:
        found = payments.find_by_name(connection, account.name, names)
        found |= operations.subjects_of(connection, account.name, names)
    nameless = tuple(each for each in waiting if each.names and found.keys().isdisjoint(each.names))
    return _Heard(
        understood=tuple(
            (each, frozenset(found[name] for name in each.names if name in found))
            for each in waiting
            if each not in nameless
        ),
        early=nameless if may_be_early else (),
        strange=() if may_be_early else nameless,
    )


def _answer(connection: Connection, account: Account, heard: _Heard, failed: frozenset[Subject]) -> bool:
    """Mark the callbacks as done whose subjects were all looked at; return whether others came meanwhile."""
    now, looked_at = account.now(), [each for each, subjects in heard.understood if failed.isdisjoint(subjects)]
    more_came = inbox.done(connection, looked_at, now=now)
    return inbox.done(connection, heard.strange, now=now, why=_NAMES_NOTHING) or more_came


def _named_by(connection: Connection, account: Account, subject: Subject) -> str:
    """Say what callbacks mean whose subject is not in the books, and which money to look for."""
    names = inbox.names_of(connection, account.name, subject)
    at = f"look there for {', '.join(names)}" if names else "look there for it"
    return f"; this address was handed out, so the books are older than the gateway (a restored copy?): {at}"


def _failed(connection: Connection, account: Account, subject: Subject | None, why: str, until: datetime) -> None:
    inbox.failed(connection, account.name, subject, why, now=account.now(), until=until)
