"""One account: a publisher's agreement with one gateway, and the ports through which its use cases work.

Use cases are plain functions over an ``Account``: write down, ask, write down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Concatenate, Final, ParamSpec, TypeAlias, TypeVar, cast

from sqlalchemy import Connection

from prenopay._redaction import redact
from prenopay.books import due, outbox
from prenopay.books.operations import Begun, Intent
from prenopay.books.outbox import NewEvent
from prenopay.books.text import NAME_MOST, fitted
from prenopay.books.vault import Vault
from prenopay.delivery import Host
from prenopay.errors import NotSent, OutcomeUnknown, UnsupportedOperation
from prenopay.ports import Clock, Entropy, HttpRequest, HttpResponse, HttpSender, Ledger, Send
from prenopay.provider.values import Observation, ProviderTransaction
from prenopay.provider.verbs import PaymentProvider
from prenopay.values.callbacks import CallbackUrls
from prenopay.values.days import TIME_ZONE
from prenopay.values.payments import OperationId, OperationKind
from prenopay.values.subjects import Subject

__all__ = ["WRITING_MARGIN", "Account", "News", "Ports", "Reaction", "Unwritten", "redacted"]

T = TypeVar("T")
VerbT = TypeVar("VerbT")
P = ParamSpec("P")

WRITING_MARGIN: Final = timedelta(seconds=30)
"""How much longer than its deadline a try owns its operation: time to write the result down."""
_CLAIM_BYTES: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Unwritten:
    """What came of a try and could not be written into the books yet. The next sweep of this process writes it."""

    account: str
    what: str
    """What came of it, with the gateway's name for it, for people."""
    work: Callable[[Connection], object] = field(repr=False)


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
    unwritten: list[Unwritten] = field(default_factory=list[Unwritten])
    """What could not be written yet, shared by all accounts of the process."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account's name, its gateway and its ports."""

    name: str
    gateway: PaymentProvider
    ports: Ports
    time_zone: str = TIME_ZONE
    """Where the merchant's days begin and end."""

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
        """Return what names an operation and this try's claim, and how long this try owns it."""
        now = self.now()
        return Intent(
            account=self.name,
            operation_id=OperationId(operation_id),
            kind=kind,
            rule=self.gateway.limits.reference,
            claim=self.ports.entropy.token_bytes(_CLAIM_BYTES).hex(),
            now=now,
            claim_until=now + self.claimed_for,
            merchant=self.gateway.merchant,
        )

    def retimed(self, intent: Intent) -> Intent:
        """Return ``intent`` as of now: the claim begins in the transaction that writes it down."""
        now = self.now()
        return replace(intent, now=now, claim_until=now + self.claimed_for)

    @property
    def claimed_for(self) -> timedelta:
        """How long one try owns its operation."""
        return min(timedelta(seconds=self.gateway.limits.deadline_seconds) + WRITING_MARGIN, due.CLAIM_MOST)

    def callback_url(self, subject: Subject) -> str:
        """Return where the gateway reports changes of ``subject``."""
        return self.ports.callback_urls.url(self.name, subject)

    def send(self, begun: Begun | None = None) -> Send:
        """Return a ``send`` whose calls together stay within one deadline.

        The gateway may promise to know a reference only for ``limits.resend_window``. If ``begun`` may have been
        sent longer ago when this request arrives, only reads go out: sending again could move the money twice.

        ``begun`` learns when a request left that may change something. If its claim has run out, only reads go out:
        the process was frozen, and another may act in its place.
        """
        clock, limits = self.ports.clock, self.gateway.limits
        deadline = clock.monotonic() + limits.deadline_seconds

        async def send(request: HttpRequest) -> HttpResponse:
            left = deadline - clock.monotonic()
            if begun is not None and not request.retry_safe:
                self._require_sendable(begun, request.label, arrives_in=timedelta(seconds=max(left, 0)))
            if left <= 0:
                message = f"{request.label}: the deadline passed before this was sent"
                raise NotSent(message)
            if begun is None or request.method == "GET":
                return await self.ports.http.send(request, timeout=left)
            before, begun.sent_at = begun.sent_at, self.now()
            try:
                return await self.ports.http.send(request, timeout=left)
            except NotSent:
                begun.sent_at = before
                raise

        return send

    def _require_sendable(self, begun: Begun, label: str, *, arrives_in: timedelta) -> None:
        """Raise if a request must not be sent (again) under the operation's claim and reference."""
        now, window, made = self.now(), self.gateway.limits.resend_window, begun.operation
        if begun.maybe_sent and window is not None:
            age = now + arrives_in - made.first_sent_at
            if age >= window or made.operation.created_at > now:  # a time in the future was written by a wrong clock
                message = (
                    f"{label}: an earlier try may have reached the gateway, which remembers a reference for "
                    f"{window} only, so nothing was sent again; find out what happened, then settle it by hand"
                )
                raise OutcomeUnknown(message)
        if made.claimed_until is not None and now >= made.claimed_until:
            message = f"{label}: this process was frozen until its claim had run out, so nothing was sent"
            raise NotSent(message)

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
        answer: int | None = None,
    ) -> News:
        """Write down what happened to ``subject`` in the transaction that changed it, and run the reactions in it.

        ``answer`` is the stored answer of the gateway that shows it. Returns every subject that has something to
        report.
        """
        if not news:
            return ()
        outbox.append(connection, self.name, subject, news, facts=facts, now=self.now(), answer=answer)
        reacted = [
            each for new in news for react in self.ports.reactions for each in react(connection, self, subject, new)
        ]
        return (subject, *reacted)


News: TypeAlias = tuple[Subject, ...]
"""The subjects that have something to report after a transaction."""

Reaction: TypeAlias = Callable[[Connection, Account, Subject, NewEvent], News]
"""How one subject reacts to another. It runs in the transaction that writes the event: both are stored, or neither."""


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
