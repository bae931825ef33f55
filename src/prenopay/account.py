"""One account: a publisher's agreement with one gateway, and the ports through which its use cases work.

Use cases are plain functions over an ``Account``: write down, ask, write down.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Concatenate, Final, ParamSpec, TypeAlias, TypeVar, cast

from sqlalchemy import Connection

from prenopay._redaction import redact
from prenopay.books import operations, outbox, outcomes
from prenopay.books.operations import Begun, Intent
from prenopay.books.outbox import NewEvent
from prenopay.books.text import NAME_MOST, fitted
from prenopay.books.vault import Vault
from prenopay.delivery import Host
from prenopay.errors import DuplicateReference, NotSent, OutcomeUnknown, PrenopayError, UnsupportedOperation
from prenopay.ports import Clock, Entropy, HttpRequest, HttpResponse, HttpSender, Ledger, Send
from prenopay.provider.values import Observation, ProviderTransaction
from prenopay.provider.verbs import PaymentProvider
from prenopay.values.callbacks import CallbackUrls
from prenopay.values.payments import OperationId, OperationKind, Outcome
from prenopay.values.subjects import Subject

__all__ = ["Account", "News", "Ports", "Reaction", "asked", "failed", "redacted"]

T = TypeVar("T")
VerbT = TypeVar("VerbT")
P = ParamSpec("P")

_WRITING_MARGIN: Final = timedelta(seconds=30)
"""How much longer than its deadline a try owns its operation: time to write the result down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The I/O of one account."""

    http: HttpSender
    ledger: Ledger
    clock: Clock
    entropy: Entropy
    callback_urls: CallbackUrls
    vault: Vault
    host: Host
    reactions: tuple[Reaction, ...] = ()
    """What runs in the transaction when something happens to a subject of the account."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account's name, its gateway and its ports."""

    name: str
    gateway: PaymentProvider
    ports: Ports

    def now(self) -> datetime:
        """Return the time of day."""
        return self.ports.clock.now()

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``work`` in a transaction that only reads."""
        return await self.ports.ledger.read(lambda connection: work(connection, *args, **kwargs))

    async def transact(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``work`` in a transaction that may write."""
        return await self.ports.ledger.transact(lambda connection: work(connection, *args, **kwargs))

    def can(self, verb: type) -> bool:
        """Whether the provider declares ``verb``, one of the protocols of ``prenopay.provider``."""
        return verb in type(self.gateway).__mro__

    def require(self, verb: type[VerbT], name: str, *, otherwise: str = "the provider has no such operation") -> VerbT:
        """Return the gateway as a provider of ``verb``; raises ``UnsupportedOperation`` with the reason."""
        if self.can(verb):
            return cast("VerbT", self.gateway)
        reason = self.gateway.limits.not_supported.get(name, otherwise)
        message = f"{self.gateway.name} cannot {name.replace('_', ' ')}: {reason}"
        raise UnsupportedOperation(message, capability=name, reason=reason).about(account=self.name)

    def intent(self, kind: OperationKind, operation_id: str) -> Intent:
        """Return what names an operation, and how long this try owns it."""
        now = self.now()
        return Intent(
            account=self.name,
            operation_id=OperationId(operation_id),
            kind=kind,
            rule=self.gateway.limits.reference,
            now=now,
            claim_until=now + self.claimed_for,
            merchant=self.gateway.merchant,
        )

    @property
    def claimed_for(self) -> timedelta:
        """How long one try owns its operation."""
        return timedelta(seconds=self.gateway.limits.deadline_seconds) + _WRITING_MARGIN

    def callback_url(self, subject: Subject) -> str:
        """Return where the gateway reports changes of ``subject``."""
        return self.ports.callback_urls.url(self.name, subject)

    def send(self, begun: Begun | None = None) -> Send:
        """Return a ``send`` whose calls together stay within one deadline.

        The gateway may promise to know a reference only for ``limits.resend_window``. If ``begun`` may have been
        sent longer ago when this request arrives, only reads go out: sending again could move the money twice.
        """
        clock, limits = self.ports.clock, self.gateway.limits
        deadline = clock.monotonic() + limits.deadline_seconds
        window = limits.resend_window
        first_sent_at = None if begun is None or not begun.maybe_sent else begun.operation.first_sent_at

        async def send(request: HttpRequest) -> HttpResponse:
            left = deadline - clock.monotonic()
            arrives_by = self.now() + timedelta(seconds=max(left, 0))
            forgotten = window is not None and first_sent_at is not None and arrives_by - first_sent_at >= window
            if forgotten and not request.retry_safe:
                message = (
                    f"{request.label}: an earlier try may have reached the gateway, which remembers a reference for "
                    f"{window} only, so nothing was sent again; find out what happened, then settle it by hand"
                )
                raise OutcomeUnknown(message)
            if left <= 0:
                message = f"{request.label}: the deadline passed before this was sent"
                raise NotSent(message)
            return await self.ports.http.send(request, timeout=left)

        return send

    async def notify(self, subjects: News) -> None:
        """Deliver the waiting events of ``subjects``."""
        await self.ports.host.hears(self.name, subjects)

    def append_events(
        self,
        connection: Connection,
        subject: Subject,
        news: Sequence[NewEvent],
        *,
        facts: Mapping[str, Any],
        raw: Any = None,
    ) -> News:
        """Write down what happened to ``subject`` in the transaction that changed it, and run the reactions in it.

        Returns every subject that has something to report.
        """
        if not news:
            return ()
        outbox.append(connection, self.name, subject, news, facts=facts, now=self.now(), raw=raw)
        reacted = [
            each for new in news for react in self.ports.reactions for each in react(connection, self, subject, new)
        ]
        return (subject, *reacted)


News: TypeAlias = tuple[Subject, ...]
"""The subjects that have something to report after a transaction."""

Reaction: TypeAlias = Callable[[Connection, Account, Subject, NewEvent], News]
"""How one subject reacts to another. It runs in the transaction that writes the event: both are stored, or neither."""


async def asked(account: Account, begun: Begun, ask: Callable[[str], Awaitable[T]]) -> T:
    """Ask the gateway under the operation's reference; an error is raised with the ids of the operation.

    A create may be refused because its reference was seen before. It gets a new reference at once: the order
    behind the old one, if any, can never be paid, because nobody has its page. Other changes wait. The request may
    have been sent twice on the way, and a new reference could move the money a second time.
    """
    made = begun.operation.operation
    try:
        try:
            return await ask(made.reference)
        except DuplicateReference:
            if made.kind is not OperationKind.CREATE:
                raise
            fresh = await account.transact(_next_reference, account, begun)
            return await ask(fresh.operation.reference)
    except PrenopayError as error:
        error.about(
            account=account.name,
            provider=account.gateway.name,
            operation_id=made.operation_id,
            payment_id=made.payment_id,
        )
        raise


def failed(connection: Connection, account: Account, begun: Begun, error: PrenopayError) -> Outcome:
    """Write down what ``error`` proves about the outcome, and return the outcome as it is then.

    Callers lock the subject first.
    """
    now, made = account.now(), begun.operation.operation
    outcome = Outcome.UNKNOWN if outcomes.leaves_open(begun, error, now) else Outcome.NOT_ATTEMPTED
    if made.outcome is Outcome.PENDING:
        outcome = Outcome.PENDING  # the gateway has accepted it: an error while looking changes nothing
    if outcome is Outcome.NOT_ATTEMPTED and isinstance(error, DuplicateReference):
        _next_reference(connection, account, begun)  # another system has the old one: the next try needs its own
    return operations.settle(connection, begun.operation, outcome, now=now, error=str(error)).operation.outcome


def _next_reference(connection: Connection, account: Account, begun: Begun) -> operations.StoredOperation:
    made = begun.operation.operation
    return operations.next_reference(connection, account.intent(made.kind, made.operation_id), begun.operation)


def redacted(observed: Observation) -> Observation:
    """Mask secrets in the raw answer once, before anything is stored, and write names as the books store them."""
    return replace(
        observed,
        raw=redact(observed.raw),
        attempts=tuple(replace(each, number=fitted(each.number, NAME_MOST)) for each in observed.attempts),
        transactions=tuple(map(_fitted, observed.transactions)),
        failed_transactions=tuple(map(_fitted, observed.failed_transactions)),
    )


def _fitted(moved: ProviderTransaction) -> ProviderTransaction:
    reference = None if moved.reference is None else fitted(moved.reference, NAME_MOST)
    return replace(moved, number=fitted(moved.number, NAME_MOST), reference=reference)
