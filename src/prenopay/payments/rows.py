"""Every SQL statement about payments: rows become the values that a host sees, and changes are written back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, delete, func, insert, literal, or_, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from prenopay._hidden import raise_alone
from prenopay._redaction import scrub
from prenopay._text import quoted
from prenopay.books import codec, due, erased, locks, operations, schema
from prenopay.books.postgresql import waits_for
from prenopay.books.words import require_known, word
from prenopay.errors import Conflict, IllegalTransition, NotFound
from prenopay.payments.movements import Movement
from prenopay.provider.values import Attempt, Created, TransactionKind
from prenopay.values.money import Money
from prenopay.values.orders import CaptureMode, Order, Payer
from prenopay.values.payments import (
    Action,
    AppSwitch,
    Decline,
    Flag,
    FlagKind,
    OperationKind,
    Outcome,
    Payment,
    PaymentState,
    SeamlessView,
    TimelineEntry,
)
from prenopay.values.subjects import Subject

__all__ = [
    "PERSONAL",
    "StoredPayment",
    "add_attempts",
    "add_flag",
    "add_movements",
    "count_flag",
    "differing",
    "drop_personal_number",
    "erase_payer",
    "facts",
    "find",
    "find_by_name",
    "insert_payment",
    "last_movement",
    "load",
    "load_order",
    "lock",
    "movements_of",
    "name_at_gateway",
    "of_payer",
    "other_paid",
    "postpone",
    "put_payer_back",
    "refunds_after",
    "reserved_since",
    "timeline",
    "totals_that_disagree",
    "write",
]

PERSONAL: Final = ("payer", "payer_user_agent", "risk")
"""The parts of an order that describe a person. They are stored apart, so that they can be erased while the history
stays."""

_NUMBER: Final = "payer.personal_number"
_PAGE_MOST: Final = 500
_ERASED: Final = Payer(reference="erased")
_NEEDS_PAYER: Final = (OperationKind.CREATE, OperationKind.CHARGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPayment:
    """A payment, with what only the core needs to know about it."""

    payment: Payment
    capture_mode: CaptureMode
    version: int
    asked_version: int
    """The version that the payment had when the gateway was asked for what the books have."""
    stored_order: Mapping[str, Any] = field(repr=False)
    """The order as it is stored, with the personal data unless it was erased."""
    is_erased: bool = False
    """Whether the payer was erased. Then nothing about them is stored any more."""

    @property
    def subject(self) -> Subject:
        """The payment as a subject."""
        return Subject.payment(self.payment.payment_id)

    @property
    def payer_reference(self) -> str:
        """The host's name for the payer, if the order has one and the payer was not erased."""
        payer = self.stored_order.get("payer")
        return "" if payer is None else codec.load_as(Payer, payer).reference

    @property
    def order(self) -> Order:
        """The order as the host gave it. A payer that it cannot be without, and that was erased, is ``erased``."""
        stored = dict(self.stored_order)
        if stored.get("payer") is None and (stored.get("store") is not None or stored.get("pay_with")):
            stored["payer"] = codec.dump(_ERASED)
        return codec.load_as(Order, stored)


# Reading


def load(connection: Connection, account: str, payment_id: str) -> StoredPayment:
    """Return the payment; raises ``NotFound`` if this account does not have it."""
    return _load(connection, account, payment_id, _payments())


def lock(connection: Connection, account: str, payment_id: str) -> StoredPayment:
    """Return the payment, and keep others from changing it until the transaction ends.

    Raises ``IllegalTransition`` if a newer prenopay wrote its state in a word that this version does not know.
    """
    query = _payments().with_for_update(of=schema.payments).execution_options(**waits_for(f"payment {payment_id}"))
    stored = _load(connection, account, payment_id, query)
    require_known(f"payment {payment_id}", stored.payment.state, stored.capture_mode)
    return stored


def find(
    connection: Connection,
    account: str,
    *,
    order_reference: str | None = None,
    state: PaymentState | None = None,
    after: str | None = None,
    limit: int = 50,
) -> tuple[Payment, ...]:
    """Return payments, newest first; ``after`` is the last payment id of the page before."""
    table = schema.payments
    query = _payments().where(table.c.account == account)
    if order_reference is not None:
        query = query.where(table.c.order_reference == order_reference)
    if state is not None:
        query = query.where(table.c.state == state.value)
    if after is not None:
        last = select(table.c.created_at).where(table.c.payment_id == after).scalar_subquery()
        query = query.where(tuple_(table.c.created_at, table.c.payment_id) < tuple_(last, literal(after)))
    query = query.order_by(table.c.created_at.desc(), table.c.payment_id.desc()).limit(min(limit, _PAGE_MOST))
    rows = connection.execute(query).all()
    flags = _flags(connection, [row.payment_id for row in rows])
    return tuple(_stored(row, flags.get(row.payment_id, ())).payment for row in rows)


def find_by_name(connection: Connection, account: str, names: Sequence[str]) -> dict[str, Subject]:
    """Return the payments that the gateway calls by one of ``names``, by name."""
    table = schema.payments
    query = select(table.c.provider_reference, table.c.payment_id).where(
        table.c.account == account, table.c.provider_reference.in_(names)
    )
    return {row.provider_reference: Subject.payment(row.payment_id) for row in connection.execute(query)}


def differing(connection: Connection, account: str, payment_id: str, order: Order) -> tuple[str, ...]:
    """Return the fields in which ``order`` differs from the payment's own; of an erased payer nothing is known."""
    stored, other = load(connection, account, payment_id), codec.dump(order)
    if stored.is_erased:
        other = {name: value for name, value in other.items() if name not in PERSONAL}
    found = codec.differing(stored.stored_order, other)
    if _personal_number(stored):
        return found
    return tuple(name for name in found if name != _NUMBER) or found  # one that was dropped may be the same


def load_order(connection: Connection, account: str, payment_id: str) -> Order:
    """Return the order as the host gave it, with the personal data unless it was erased."""
    return load(connection, account, payment_id).order


def movements_of(connection: Connection, payment_id: str) -> tuple[Movement, ...]:
    """Return every movement of a payment, oldest first.

    Raises ``IllegalTransition`` for a kind that only a newer prenopay knows: the sums would be wrong without it.
    """
    rows = _rows(connection, schema.movements, schema.movements.c.payment_id, payment_id)
    require_known(f"a movement of payment {payment_id}", *(word(TransactionKind, row.kind) for row in rows))
    return tuple(
        Movement(TransactionKind(row.kind), Money(row.amount, row.currency), row.number, row.reference) for row in rows
    )


def last_movement(connection: Connection, payment_id: str) -> int:
    """Return the number of the movement of a payment that was written down last; zero if there is none."""
    table = schema.movements
    last = select(func.max(table.c.movement_id)).where(table.c.payment_id == payment_id)
    return connection.scalars(last).one() or 0


def refunds_after(connection: Connection, payment_id: str, movement_id: int) -> tuple[Movement, ...]:
    """Return the refunds of a payment that were written down after a movement. Clocks have no part in it."""
    table = schema.movements
    query = select(table).where(
        table.c.payment_id == payment_id,
        table.c.kind == TransactionKind.REFUND.value,
        table.c.movement_id > movement_id,
    )
    return tuple(
        Movement(TransactionKind.REFUND, Money(row.amount, row.currency), row.number, row.reference)
        for row in connection.execute(query)
    )


def reserved_since(connection: Connection, payment_id: str) -> datetime | None:
    """Return when money was first reserved for a payment."""
    table = schema.movements
    query = select(table.c.at).where(
        table.c.payment_id == payment_id, table.c.kind == TransactionKind.AUTHORIZATION.value
    )
    first: datetime | None = connection.scalars(query.order_by(table.c.at).limit(1)).first()
    return first


def of_payer(connection: Connection, account: str, payer_reference: str) -> tuple[str, ...]:
    """Return the payments of a payer, oldest first. One whose payer was erased is nobody's."""
    payments, payers = schema.payments, schema.payers
    query = (
        select(payments.c.payment_id)
        .join(payers, payers.c.payment_id == payments.c.payment_id)
        .where(payers.c.reference == payer_reference, payments.c.account == account)
    )
    return tuple(connection.scalars(query.order_by(payments.c.payment_id)))


def other_paid(connection: Connection, payment: Payment) -> str | None:
    """Return another payment of the same order that holds money, if any.

    Others who ask this about the same order wait until the transaction ends. So of two payments that are paid at
    the same moment, the later one finds the earlier.
    """
    table = schema.payments
    if not payment.order_reference:
        return None
    locks.hold(connection, "order", payment.account, payment.order_reference)
    query = select(table.c.payment_id).where(
        table.c.account == payment.account,
        table.c.order_reference == payment.order_reference,
        table.c.payment_id != payment.payment_id,
        table.c.authorized - table.c.cancelled - table.c.refunded > 0,
    )
    found = connection.execute(query).scalar()
    return None if found is None else str(found)


def timeline(connection: Connection, account: str, payment_id: str) -> tuple[TimelineEntry, ...]:
    """Return everything that happened to a payment, oldest first."""
    stored = load(connection, account, payment_id)
    currency = stored.payment.amount.currency
    entries: list[TimelineEntry] = []

    def add(at: datetime, kind: str, text: str, amount: Money | None = None) -> None:
        entries.append(TimelineEntry(at=at, kind=kind, text=text, amount=amount))

    def rows(table: Any) -> list[Row[Any]]:
        column = table.c.subject_id if "subject_id" in table.c else table.c.payment_id
        return _rows(connection, table, column, payment_id)

    for each in operations.history(connection, stored.subject):
        made = each.operation
        add(made.created_at, f"operation.{made.kind}", f"asked: {made.operation_id}", made.amount)
        if made.settled_at is not None or made.outcome is not Outcome.UNKNOWN:
            text = " · ".join(filter(None, [made.outcome.value, made.decline.text if made.decline else "", made.error]))
            add(made.settled_at or made.created_at, f"operation.{made.kind}.{made.outcome}", text)
        elif made.error or each.tries:
            looks = f"looked up {each.tries} times since" if each.tries > 1 else "looked up once since"
            text = " · ".join(filter(None, [made.outcome.value, made.error, looks if each.tries else ""]))
            add(each.last_sent_at or made.created_at, f"operation.{made.kind}.{made.outcome}", text)
    for row in rows(schema.movements):
        name = " · ".join(filter(None, [row.number and f"no. {row.number}", row.reference]))
        add(row.at, f"movement.{row.kind}", name, Money(row.amount, currency))
    for row in rows(schema.attempts):
        decline = codec.load_shown(Decline, row.decline)
        add(row.at, "attempt.declined", f"{row.instrument or 'unknown'}: {decline.code.value}")
    for row in rows(schema.decisions):
        add(row.at, "decision", f"{row.outcome} by {row.person}: {row.reason}")
    for row in rows(schema.flags):
        again = f" · found {row.times} times" if row.times > 1 else ""
        add(row.raised_at, f"flag.{row.kind}", row.detail + again)
    for row in rows(schema.inbox):
        add(row.received_at, "callback", f"received {row.times} times" if row.times > 1 else "")
    for row in rows(schema.observations):
        add(row.at, "observation", f"read because of: {row.source}")
    return tuple(sorted(entries, key=lambda entry: entry.at))


def totals_that_disagree(connection: Connection) -> tuple[str, ...]:
    """Return the ids of payments whose totals are not the sums of their movements (there must be none)."""
    payments, movements = schema.payments, schema.movements

    def summed(kind: TransactionKind) -> Any:
        return func.coalesce(func.sum(movements.c.amount).filter(movements.c.kind == kind.value), 0)

    query = (
        select(payments.c.payment_id)
        .join(movements, movements.c.payment_id == payments.c.payment_id, isouter=True)
        .group_by(payments.c.payment_id)
        .having(
            or_(
                payments.c.authorized != summed(TransactionKind.AUTHORIZATION),
                payments.c.captured != summed(TransactionKind.CAPTURE),
                payments.c.cancelled != -summed(TransactionKind.RELEASE),
                payments.c.refunded != -summed(TransactionKind.REFUND),
            ),
        )
    )
    return tuple(connection.scalars(query))


# Writing


def insert_payment(
    connection: Connection,
    order: Order,
    *,
    payment_id: str,
    account: str,
    provider: str,
    expires_at: datetime | None,
    now: datetime,
) -> StoredPayment:
    """Write down a new payment and return it."""
    stored = codec.dump(order)
    personal = {name: stored.pop(name) for name in PERSONAL if name in stored}
    table = schema.payments
    row = connection.execute(
        insert(table)
        .values(
            payment_id=payment_id,
            account=account,
            provider=provider,
            order_reference=order.order_reference,
            state=PaymentState.CREATED.value,
            currency=order.amount.currency,
            amount=order.amount.minor,
            due=order.amount.minor,
            description=order.description,
            allowed_actions=[],
            capture_mode=order.capture.value,
            order=stored,
            created_at=now,
            updated_at=now,
            expires_at=expires_at,
            next_at=None if expires_at is None else min(expires_at, now + due.LOOK_MOST),
        )
        .returning(table),
    ).one()
    if personal:
        connection.execute(insert(schema.payers).values(payment_id=payment_id, data=personal, reference=_named(order)))
    return _stored(row, (), personal)


def write(
    connection: Connection, stored: StoredPayment, flags: Iterable[Flag], values: Mapping[str, Any]
) -> StoredPayment:
    """Write new values into a locked payment, and return it as it is then.

    Raises ``IllegalTransition`` if someone changed the payment despite the lock. Only ``payments.observing`` calls
    this: no other function changes a payment's state.
    """
    table, payment = schema.payments, stored.payment
    if stored.is_erased and values.get("decline"):
        values = {**values, "decline": erased.wordless(values["decline"])}
    row = connection.execute(
        update(table)
        .where(table.c.payment_id == payment.payment_id, table.c.version == stored.version)
        .values(**values, version=stored.version + 1)
        .returning(table),
    ).one_or_none()
    if row is None:
        message = "someone changed the payment while it was locked: nothing was written"
        raise IllegalTransition(message).about(account=payment.account, payment_id=payment.payment_id)
    personal = {name: value for name, value in stored.stored_order.items() if name in PERSONAL}
    return _stored(row, (*payment.flags, *flags), personal)


def put_payer_back(connection: Connection, stored: StoredPayment, order: Order) -> StoredPayment:
    """Write an order's payer down again, who was erased in part or whole, and is named again by a repeated call."""
    personal = {name: value for name, value in codec.dump(order).items() if name in PERSONAL}
    payments, payers, payment_id = schema.payments, schema.payers, stored.payment.payment_id
    connection.execute(delete(payers).where(payers.c.payment_id == payment_id))
    if personal:
        connection.execute(insert(payers).values(payment_id=payment_id, data=personal, reference=_named(order)))
    connection.execute(update(payments).where(payments.c.payment_id == payment_id).values(erased_at=None))
    return replace(stored, stored_order={**stored.stored_order, **personal}, is_erased=False)


def drop_personal_number(connection: Connection, stored: StoredPayment) -> None:
    """Erase the personal number of a locked payment's payer, because the order is not sent again.

    What is stored is read again: the payer may have been erased while this transaction waited for the lock.
    """
    if not _personal_number(stored):
        return
    payers = schema.payers
    mine = payers.c.payment_id == stored.payment.payment_id
    present: dict[str, Any] | None = connection.scalar(select(payers.c.data).where(mine))
    if present is not None:
        payer = {name: value for name, value in present["payer"].items() if name != "personal_number"}
        connection.execute(update(payers).where(mine).values(data={**present, "payer": payer}))


def name_at_gateway(connection: Connection, stored: StoredPayment, created: Created) -> StoredPayment:
    """Write down the gateway's name of the payment, and how the payer gets to its page.

    Raises ``IllegalTransition`` if another payment of the account already has that name.
    """
    table, view, switch = schema.payments, created.seamless_view, created.app_switch
    reference, payment = created.observation.provider_reference, stored.payment
    try:
        connection.execute(
            update(table)
            .where(table.c.payment_id == payment.payment_id)
            .values(
                provider_reference=reference,
                redirect_url=created.redirect_url,
                seamless_view=None if view is None else codec.dump(view),
                app_switch=None if switch is None else codec.dump(switch),
            ),
        )
    except IntegrityError:
        message = (
            f"the gateway answered with {reference}, which is another payment's: ask the gateway why "
            "(an emulator that starts again with the same seed does this)"
        )
        raise_alone(IllegalTransition(message).about(payment_id=payment.payment_id))
    return replace(
        stored,
        payment=replace(
            payment,
            provider_reference=reference,
            redirect_url=created.redirect_url,
            seamless_view=view,
            app_switch=switch,
        ),
    )


def add_movements(connection: Connection, payment: Payment, added: Sequence[Movement], *, now: datetime) -> None:
    """Append movements."""
    if not added:
        return
    connection.execute(
        insert(schema.movements),
        [
            {
                "payment_id": payment.payment_id,
                "kind": each.kind.value,
                "amount": each.amount.minor,
                "currency": payment.amount.currency,
                "number": each.number,
                "reference": each.reference,
                "at": now,
            }
            for each in added
        ],
    )


def add_attempts(
    connection: Connection, stored: StoredPayment, attempts: Sequence[Attempt], *, now: datetime
) -> tuple[Attempt, ...]:
    """Store each failed try of the payer once; return those that are new."""
    if not attempts:
        return ()
    table, payment_id = schema.attempts, stored.payment.payment_id
    known = set(connection.scalars(select(table.c.number).where(table.c.payment_id == payment_id)))
    fresh = tuple({each.number: each for each in attempts if each.number not in known}.values())
    for each in fresh:
        decline = codec.dump(each.decline)
        connection.execute(
            insert(table).values(
                payment_id=payment_id,
                number=each.number,
                instrument=each.instrument,
                decline=erased.wordless(decline) if stored.is_erased else decline,
                at=each.created_at or now,
            ),
        )
    return fresh


def add_flag(
    connection: Connection,
    stored: StoredPayment,
    kind: FlagKind,
    detail: str,
    *,
    now: datetime,
    others: Sequence[Flag] = (),
) -> Flag | None:
    """Mark a payment for a person, once for each kind and detail; ``None`` if it is marked already.

    ``others`` are flags that were raised since ``stored`` was read. ``detail`` may quote a gateway: what is secret in
    it is masked, and nothing that may be a quotation is stored of a person who was erased.
    """
    detail = scrub(detail)
    if stored.is_erased:
        detail = erased.detail_left(kind, detail)
    if any(each.kind is kind and each.detail == detail for each in (*stored.payment.flags, *others)):
        return None
    connection.execute(
        insert(schema.flags).values(
            payment_id=stored.payment.payment_id, kind=kind.value, detail=detail, raised_at=now
        ),
    )
    return Flag(kind=kind, detail=detail, raised_at=now)


def count_flag(connection: Connection, payment_id: str, kind: FlagKind) -> None:
    """Count what a payment is marked for already."""
    table = schema.flags
    mine = (table.c.payment_id == payment_id, table.c.kind == kind.value)
    connection.execute(update(table).where(*mine).values(times=table.c.times + 1))


def postpone(connection: Connection, payment_id: str, at: datetime) -> None:
    """Say when a payment is looked at next that the gateway does not know (yet)."""
    table = schema.payments
    unnamed = (table.c.payment_id == payment_id) & table.c.provider_reference.is_(None)
    connection.execute(update(table).where(unnamed).values(next_at=at, claimed_until=None))


def erase_payer(connection: Connection, account: str, payment_id: str, *, now: datetime) -> None:
    """Erase what is known about the payer of one payment, and what the gateway said about it.

    The payment itself remembers that, so that nothing is stored later. Raises ``NotFound``, and ``Conflict`` while the
    request that makes the payment may have to be sent again: it needs the payer.
    """
    stored = lock(connection, account, payment_id)
    for made in operations.of_subject(connection, stored.subject):
        if made.operation.outcome is Outcome.UNKNOWN and made.operation.kind in _NEEDS_PAYER:
            message = (
                f"operation {made.operation.operation_id!r} has no outcome yet, and may be sent again with what is "
                "known about the payer: resolve it first (resolve, or prenopay operations resolve), then erase"
            )
            raise Conflict(message).about(account=account, payment_id=payment_id)
    payments, payers = schema.payments, schema.payers
    connection.execute(update(payments).where(payments.c.payment_id == payment_id).values(erased_at=now))
    connection.execute(delete(payers).where(payers.c.payment_id == payment_id))
    erased.forget(connection, account, stored.subject)


def facts(stored: StoredPayment) -> dict[str, Any]:
    """Return the numbers that every event of a payment carries."""
    payment = stored.payment
    return {
        "payment_id": payment.payment_id,
        "order_reference": payment.order_reference,
        "state": payment.state.value,
        "currency": payment.amount.currency,
        "amount": payment.amount.minor,
        "captured": payment.captured.minor,
        "refunded": payment.refunded.minor,
        "is_paid": payment.is_paid,
    }


# Rows


def _payments() -> Select[Any]:
    payments, payers = schema.payments, schema.payers
    return select(payments, payers.c.data.label("personal")).join(
        payers, payers.c.payment_id == payments.c.payment_id, isouter=True
    )


def _load(connection: Connection, account: str, payment_id: str, query: Select[Any]) -> StoredPayment:
    table = schema.payments
    row = connection.execute(query.where(table.c.payment_id == payment_id, table.c.account == account)).one_or_none()
    if row is None:
        hint = "" if payment_id.startswith("pay_") else "; a payment id starts with pay_"
        message = f"there is no payment {quoted(payment_id)} in account {account!r}{hint}"
        raise NotFound(message).about(account=account, payment_id=payment_id)
    return _stored(row, _flags(connection, [payment_id]).get(payment_id, ()), row.personal)


def _flags(connection: Connection, payment_ids: Sequence[str]) -> Mapping[str, tuple[Flag, ...]]:
    table = schema.flags
    found: dict[str, tuple[Flag, ...]] = {}
    for row in connection.execute(select(table).where(table.c.payment_id.in_(payment_ids)).order_by(table.c.flag_id)):
        flag = Flag(kind=word(FlagKind, row.kind), detail=row.detail, raised_at=row.raised_at, times=row.times)
        found[row.payment_id] = (*found.get(row.payment_id, ()), flag)
    return found


def _stored(row: Row[Any], flags: tuple[Flag, ...], personal: Mapping[str, Any] | None = None) -> StoredPayment:
    def money(minor: int) -> Money:
        return Money(minor, row.currency)

    return StoredPayment(
        payment=Payment(
            payment_id=row.payment_id,
            account=row.account,
            provider=row.provider,
            order_reference=row.order_reference,
            provider_reference=row.provider_reference,
            state=word(PaymentState, row.state),
            amount=money(row.amount),
            due=money(row.due),
            authorized=money(row.authorized),
            captured=money(row.captured),
            refunded=money(row.refunded),
            cancelled=money(row.cancelled),
            description=row.description,
            instrument=row.instrument,
            allowed_actions=frozenset()
            if row.quarantined
            else frozenset(word(Action, name) for name in row.allowed_actions),
            flags=flags,
            quarantined=row.quarantined,
            decline=None if row.decline is None else codec.load_shown(Decline, row.decline),
            created_at=row.created_at,
            updated_at=row.updated_at,
            expires_at=row.expires_at,
            **_page(row),
        ),
        capture_mode=word(CaptureMode, row.capture_mode),
        version=row.version,
        asked_version=row.asked_version,
        stored_order={**row.order, **(personal or {})},
        is_erased=row.erased_at is not None,
    )


def _named(order: Order) -> str | None:
    """Return the host's name for an order's payer, if there is one."""
    return None if order.payer is None else order.payer.reference or None


def _personal_number(stored: StoredPayment) -> str:
    payer: Mapping[str, Any] = stored.stored_order.get("payer") or {}
    return str(payer.get("personal_number", ""))


def _page(row: Row[Any]) -> dict[str, Any]:
    """Return how the payer gets to the page. While the payment does not match its order, nobody is sent there."""
    if row.quarantined:
        return {}
    view, switch = row.seamless_view, row.app_switch
    return {
        "redirect_url": row.redirect_url,
        "seamless_view": None if view is None else codec.load_shown(SeamlessView, view),
        "app_switch": None if switch is None else codec.load_shown(AppSwitch, switch),
    }


def _rows(connection: Connection, table: Any, column: Any, value: str) -> list[Row[Any]]:
    key = next(iter(table.primary_key.columns))
    return list(connection.execute(select(table).where(column == value).order_by(key)))
