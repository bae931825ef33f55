"""Bugs to plant into the core: a test that finds none of them tests nothing.

``PLANTED`` has each by its name: what it does to the core, and the function that plants it with a
``pytest.MonkeyPatch``. The simulation must find them, and so must the ordinary tests.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import pytest
from sqlalchemy import bindparam, true, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from prenopay import Secret, asking
from prenopay.account import Account
from prenopay.accounts import reception, sweep
from prenopay.books import codec, due, inbox, operations, outbox, outcomes, schema
from prenopay.books.operations import StoredOperation
from prenopay.books.vault import Vault
from prenopay.delivery import Host
from prenopay.errors import Unauthenticated
from prenopay.mandates import aging, drawing, methods, rows as mandates
from prenopay.payments import amounts, creating, lifecycle, looking, movements, observing, reading, resolving, rows
from prenopay.payments.lifecycle import ENDED, Step
from prenopay.payouts import use_cases as payouts
from prenopay.provider.values import Observation
from prenopay.values.callbacks import CallbackUrls
from prenopay.values.mandates import MandateState
from prenopay.values.money import Money
from prenopay.values.payments import OperationKind, Outcome, PaymentState
from prenopay.values.subjects import SubjectKind

__all__ = ["PLANTED", "Plant"]

Plant: TypeAlias = Callable[[pytest.MonkeyPatch], None]

_MAKE_OR_PAY: Final = {OperationKind.CREATE, OperationKind.CHARGE, OperationKind.PAYOUT}
_TWENTY_DAYS: Final = timedelta(days=20)


def _everywhere(patch: pytest.MonkeyPatch, old: Any, new: Any) -> None:
    """Put ``new`` instead of ``old`` in every module of the core, under whatever name it was imported."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] != "prenopay":
            continue
        for attribute, value in list(vars(module).items()):
            if value is old:
                patch.setattr(module, attribute, new)
            elif isinstance(value, dict) and not attribute.startswith("__"):
                for key in [key for key, each in value.items() if each is old]:
                    patch.setitem(value, key, new)


# What is asked


def random_reference(patch: pytest.MonkeyPatch) -> None:
    """The reference of a change is a new random one for every try."""
    original = asking.asked

    async def asked(account: Account, begun: Any, ask: Any, unanswered: Any) -> Any:
        def fresh(_old: str) -> Any:
            return ask(account.ports.entropy.token_bytes(16).hex().upper())

        is_change = begun.operation.operation.kind not in _MAKE_OR_PAY
        return await original(account, begun, fresh if is_change else ask, unanswered)

    _everywhere(patch, original, asked)


def resent_under_a_new_reference(patch: pytest.MonkeyPatch) -> None:
    """What may have been sent is sent again under the next reference, without a look."""
    original = asking.asked

    async def asked(account: Account, begun: Any, ask: Any, unanswered: Any) -> Any:
        if not begun.maybe_sent or begun.operation.operation.kind in _MAKE_OR_PAY:
            return await original(account, begun, ask, unanswered)
        fresh = await account.transact(asking._next_reference, account, begun)
        return await original(account, begun, lambda _old: ask(fresh.operation.reference), unanswered)

    _everywhere(patch, original, asked)


def part_takes_all(patch: pytest.MonkeyPatch) -> None:
    """A part that is captured or given back is taken for all that is left."""
    original = amounts.part_of

    def part_of(payment: Any, kind: OperationKind, _amount: Any, lines: Any, **more: Any) -> Any:
        return original(payment, kind, None, lines, **more)

    _everywhere(patch, original, part_of)


def refunds_under_way_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Asking for all that is left forgets what is on its way back."""
    original = amounts.part_of

    def part_of(payment: Any, kind: OperationKind, amount: Any, lines: Any, **more: Any) -> Any:
        nothing = Money.zero(payment.amount.currency)
        return original(payment, kind, amount, lines, **{**more, "being_refunded": nothing})

    _everywhere(patch, original, part_of)


def refunds_done_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Asking for all that is left asks for all that was ever taken."""
    original = amounts._taken_and_whole

    def taken_and_whole(payment: Any, kind: OperationKind, being_refunded: Money) -> tuple[Money, Money]:
        taken, whole = original(payment, kind, being_refunded)
        return (Money.zero(payment.amount.currency) if kind is OperationKind.REFUND else taken), whole

    _everywhere(patch, original, taken_and_whole)


def id_used_for_something_else(patch: pytest.MonkeyPatch) -> None:
    """An operation id is good for whatever it was used for first."""
    _everywhere(patch, codec.digest, lambda *_values: "the same")


def accounts_mixed(patch: pytest.MonkeyPatch) -> None:
    """An operation is found by its id in whichever account has it."""
    original = operations.find

    def find(connection: Any, _account: str, operation_id: str) -> Any:
        table = schema.operations
        made = connection.execute(table.select().where(table.c.operation_id == operation_id)).first()
        return None if made is None else original(connection, made.account, operation_id)

    _everywhere(patch, original, find)


def replaced_page_stays_open(patch: pytest.MonkeyPatch) -> None:
    """The old payment can still be paid beside the one that took its place."""

    async def replaced(account: Account, _payment_id: str, order: Any, operation_id: str) -> Any:
        return await creating.create(account, order, operation_id)

    _everywhere(patch, creating.replace, replaced)


# Outcomes


def lost_answer_is_a_failure(patch: pytest.MonkeyPatch) -> None:
    """An answer that was lost counts as: nothing happened."""
    _everywhere(patch, outcomes.leaves_open, lambda *_arguments: False)


def resolved_without_a_look(patch: pytest.MonkeyPatch) -> None:
    """What became of an open operation is decided without asking the gateway: nothing."""

    async def settle(account: Account, claimed: StoredOperation) -> None:
        await account.transact(operations.settle, claimed, Outcome.NOT_ATTEMPTED, now=account.now())

    _everywhere(patch, resolving._settle, settle)


def refused_key_settles(patch: pytest.MonkeyPatch) -> None:
    """A look-up that is refused because of its key counts as an answer: nothing happened."""
    _everywhere(
        patch, outcomes._SAW_NOTHING, tuple(each for each in outcomes._SAW_NOTHING if each is not Unauthenticated)
    )


def sweep_takes_no_claim(patch: pytest.MonkeyPatch) -> None:
    """A sweep works on whatever is due, and takes no claim."""
    original = due.claim

    def claim(connection: Any, *arguments: Any, **more: Any) -> Any:
        with connection.begin_nested() as changes:
            found = original(connection, *arguments, **more)
            changes.rollback()
        return found

    _everywhere(patch, original, claim)


def others_claims_ignored(patch: pytest.MonkeyPatch) -> None:
    """An operation is claimed to be looked up, although another process has claimed it."""
    original = operations.claim

    def claim(*arguments: Any) -> Any:
        with pytest.MonkeyPatch.context() as careless:
            careless.setattr(due, "free", lambda _table, _now: true())
            return original(*arguments)

    _everywhere(patch, original, claim)


def claimed_and_forgotten(patch: pytest.MonkeyPatch) -> None:
    """What somebody takes to work on is never due again, also if that process crashes."""
    of_a_sweep, of_an_operation = due.claim, operations.claim

    def claim(connection: Any, kind: str, *arguments: Any, **more: Any) -> Any:
        found = of_a_sweep(connection, kind, *arguments, **more)
        table, key = due.TABLES[kind]
        connection.execute(update(table).where(key.in_([each.key for each in found])).values(next_at=None))
        return found

    def claim_operation(connection: Any, intent: Any) -> Any:
        found, table = of_an_operation(connection, intent), schema.operations
        if found is not None:
            is_it = (table.c.account == intent.account) & (table.c.operation_id == intent.operation_id)
            connection.execute(update(table).where(is_it).values(next_at=None))
        return found

    _everywhere(patch, of_a_sweep, claim)
    _everywhere(patch, of_an_operation, claim_operation)


# What is seen


def integrity_unchecked(patch: pytest.MonkeyPatch) -> None:
    """Whatever order the gateway shows is taken for the one that was ordered."""
    _everywhere(patch, observing._mismatch, lambda *_arguments: None)


def late_money_dropped(patch: pytest.MonkeyPatch) -> None:
    """Money that comes after the end is not written down."""
    original, advance = observing._move_money, lifecycle.advance

    def move_money(changes: Any) -> Any:
        payment = changes.stored.payment
        if payment.state in ENDED and not payment.authorized:
            nothing = Money.zero(changes.observed.authorized.currency)
            changes.observed = replace(changes.observed, authorized=nothing, captured=nothing, transactions=())
        return original(changes)

    def stay(current: PaymentState, observed: PaymentState, *, had_money: bool) -> Step:
        return Step(current) if current in ENDED else advance(current, observed, had_money=had_money)

    _everywhere(patch, original, move_money)
    _everywhere(patch, advance, stay)


def own_reference_unseen(patch: pytest.MonkeyPatch) -> None:
    """An answer that has another reference where ours should be is taken for our payment's."""
    _foreign_without(patch, "reference")


def order_reference_unseen(patch: pytest.MonkeyPatch) -> None:
    """An answer about another order of the host's is taken for this one's."""
    _foreign_without(patch, "order_reference")


def _foreign_without(patch: pytest.MonkeyPatch, name: str) -> None:
    original: Any = observing.why_foreign

    unseen: dict[str, Any] = {name: None}

    def why_foreign(*arguments: Any, **more: Any) -> Any:
        seen = (replace(each, **unseen) if isinstance(each, Observation) else each for each in arguments)
        return original(*seen, **more)

    _everywhere(patch, original, why_foreign)


def older_answer_overrules(patch: pytest.MonkeyPatch) -> None:
    """An older answer that is written down later decides what can be done next."""
    _everywhere(patch, movements.overrules, lambda *_arguments, **_more: True)


def sweep_sees_no_open_payments(patch: pytest.MonkeyPatch) -> None:
    """The sweep leaves payments alone that nobody reported."""
    original = sweep._payment

    async def payment(account: Account, payment_id: str) -> None:
        if not (await account.read(rows.load, account.name, payment_id)).payment.is_open:
            await original(account, payment_id)

    _everywhere(patch, original, payment)


# Callbacks


def callback_believed(patch: pytest.MonkeyPatch) -> None:
    """A callback is believed: the caller says that the payment was paid."""
    original, read = resolving.hear, reading.read_payment

    async def read_payment(account: Account, send: Any, stored: Any, refunds: Any) -> Any:
        seen = await read(account, send, stored, refunds)
        if seen.authorized:
            return seen
        return replace(seen, state=PaymentState.CAPTURED, authorized=seen.submitted, captured=seen.submitted)

    async def hear(account: Account, subject: Any, until: datetime) -> bool:
        with pytest.MonkeyPatch.context() as believing:
            believing.setattr(looking, "read_payment", read_payment)
            return await original(account, subject, until)

    _everywhere(patch, original, hear)


def callbacks_ignored(patch: pytest.MonkeyPatch) -> None:
    """Callbacks are taken, and nobody looks."""

    async def hear(account: Account, subject: Any, until: datetime) -> bool:
        callbacks = await account.transact(inbox.claim, account.name, subject, now=account.now(), until=until)
        return await account.transact(inbox.done, callbacks, now=account.now())

    _everywhere(patch, resolving.hear, hear)


def look_skipped_after_the_first_money(patch: pytest.MonkeyPatch) -> None:
    """Callbacks of a payment that has money already are marked as done without a look."""
    original = looking.answer

    async def answer(account: Account, seen: Any, callbacks: Any) -> bool:
        if not seen.stored.payment.authorized:
            return await original(account, seen, callbacks)
        return await account.transact(inbox.done, callbacks, now=account.now())

    _everywhere(patch, original, answer)


def callback_during_a_look_answered(patch: pytest.MonkeyPatch) -> None:
    """A callback that comes while the payment is looked at counts as answered by that look."""
    original = inbox.done

    def done(connection: Any, callbacks: Any, *, now: datetime, why: str = "") -> bool:
        as_they_are = inbox.rows(connection, [each.inbox_id for each in callbacks])
        return original(connection, as_they_are, now=now, why=why)

    _everywhere(patch, original, done)


def callbacks_done_together(patch: pytest.MonkeyPatch) -> None:
    """A look at one payment marks the waiting callbacks of all payments of the account as done."""

    def done(connection: Any, callbacks: Any, *, now: datetime, why: str = "") -> bool:
        table = schema.inbox
        connection.execute(
            update(table)
            .where(table.c.account.in_([each.account for each in callbacks]), table.c.next_at <= now)
            .values(done_at=now, next_at=None, claimed_until=None, last_error=why)
        )
        return False

    _everywhere(patch, inbox.done, done)


def repeat_opens_nothing(patch: pytest.MonkeyPatch) -> None:
    """A callback that repeats a finished one is counted, and never worked on."""

    def storing(make: Any) -> Any:
        table = schema.inbox
        given = ["account", "subject_kind", "subject_id", "digest", "note", "names", "times", "received_at", "next_at"]
        statement = make(table).values({name: bindparam(name) for name in given})
        keys = ["account", "subject_id", "digest"]
        return statement.on_conflict_do_update(index_elements=keys, set_={"times": table.c.times + 1}).returning(table)

    patch.setitem(inbox._STORE, "sqlite", storing(sqlite_insert))
    patch.setitem(inbox._STORE, "postgresql", storing(postgresql_insert))


def account_address_ignored(patch: pytest.MonkeyPatch) -> None:
    """What comes to the account's own address is marked as done without a look."""

    async def hear(account: Account, until: datetime) -> bool:
        callbacks = await account.transact(inbox.claim, account.name, None, now=account.now(), until=until)
        return await account.transact(inbox.done, callbacks, now=account.now())

    _everywhere(patch, reception._hear_account, hear)


def address_unchecked(patch: pytest.MonkeyPatch) -> None:
    """Any address is taken for one that was handed out."""
    kinds = {kind.value for kind in SubjectKind}
    patch.setattr(CallbackUrls, "_is_ours", lambda _self, named, _mac: len(named) == 1 or named[1] in kinds)


# Events


def told_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    """The host is notified while the transaction that changes the books is still open."""
    original, hosts = outbox.append, list[Host]()

    def made(self: Host, *arguments: Any, **more: Any) -> None:
        make(self, *arguments, **more)
        hosts.append(self)

    def append(connection: Any, account: str, subject: Any, news: Any, **more: Any) -> None:
        original(connection, account, subject, news, **more)
        table = schema.events
        found = connection.execute(table.select().where(table.c.subject_id == subject.id).order_by(table.c.number))
        for row in found.all()[-len(news) :]:
            host = hosts[-1] if hosts else None
            if host is not None and host.on_event is not None:
                with contextlib.suppress(Exception):
                    _run_at_once(host.on_event(outbox._event(row, {})))

    make = Host.__init__
    patch.setattr(Host, "__init__", made)
    _everywhere(patch, original, append)


def _run_at_once(handling: Any) -> None:
    """Run a handler that does not wait for anything."""
    with contextlib.suppress(StopIteration):
        handling.send(None)
    handling.close()


def marked_before_the_handler(patch: pytest.MonkeyPatch) -> None:
    """An event counts as delivered before the host's handler has it."""
    original, handled = Host._claim, Host._handled

    def claim(self: Host, connection: Any, accounts: Any, subjects: Any) -> Any:
        found = original(self, connection, accounts, subjects)
        if found is not None:
            outbox.delivered(connection, found, now=self.clock.now())
        return found

    async def succeeds(self: Host, *arguments: Any) -> None:
        await handled(self, *arguments)

    patch.setattr(Host, "_claim", claim)
    patch.setattr(Host, "_handled", succeeds)


def event_claimed_twice(patch: pytest.MonkeyPatch) -> None:
    """An event that one process hands to its handler is handed out by another at the same time."""
    original = outbox.claim

    def claim(*arguments: Any, **more: Any) -> Any:
        with pytest.MonkeyPatch.context() as careless:
            careless.setattr(due, "free", lambda _table, _now: schema.deliveries.c.sequence.is_not(None))
            return original(*arguments, **more)

    _everywhere(patch, original, claim)


def slow_try_overrules(patch: pytest.MonkeyPatch) -> None:
    """A try that stopped for too long writes down what it believes, whatever another has sent since."""
    patch.setattr(operations, "_is_owned", lambda _found: true())


def late_failure_repeats(patch: pytest.MonkeyPatch) -> None:
    """A handler's failure counts, although another process has delivered the event since."""

    def failed(connection: Any, delivery: Any, why: str, *, now: datetime) -> None:
        table = schema.deliveries
        again = {"next_at": now, "claimed_until": None, "last_error": why}
        connection.execute(update(table).where(table.c.sequence == delivery.sequence).values(again))

    patch.setattr(outbox, "failed", failed)


def told_again_after_weeks(patch: pytest.MonkeyPatch) -> None:
    """What the host's handler could not do is handed to it again after weeks."""
    patch.setattr(due, "EVENTS", (_TWENTY_DAYS,))


def events_tell_the_total(patch: pytest.MonkeyPatch) -> None:
    """Each event of money has the amount of the whole order."""
    original = outbox._body
    _everywhere(patch, original, lambda facts, new: original(facts, replace(new, amount=None)))


def end_untold(patch: pytest.MonkeyPatch) -> None:
    """A payment whose time is over ends in silence."""
    original = observing.end

    def end(connection: Any, account: Account, *arguments: Any, **more: Any) -> Any:
        with pytest.MonkeyPatch.context() as silent:
            silent.setattr(Account, "append_events", lambda *_arguments, **_more: ())
            return original(connection, account, *arguments, **more)

    _everywhere(patch, original, end)


def mandate_without_payment_untold(patch: pytest.MonkeyPatch) -> None:
    """What happens to a mandate that never had a payment is not reported."""
    original = methods.happened

    def happened(connection: Any, account: Account, mandate: Any, new: Any) -> Any:
        return () if mandate.payment_id is None else original(connection, account, mandate, new)

    _everywhere(patch, original, happened)


def payout_untold(patch: pytest.MonkeyPatch) -> None:
    """A payout that has ended is not reported."""
    patch.setattr(payouts, "_EVENTS", {})


# Stored methods


def lock_covers_one_method(patch: pytest.MonkeyPatch) -> None:
    """Who charges a stored method locks it, and not the other methods of the same payer."""

    def lock(connection: Any, account: str, mandate_id: str) -> Any:
        table = schema.mandates
        mandates._lock(connection, table.c.account == account, table.c.mandate_id == mandate_id)
        return mandates.load(connection, account, mandate_id)

    _everywhere(patch, mandates.lock, lock)


def period_charged_again(patch: pytest.MonkeyPatch) -> None:
    """One period can be charged under two operation ids."""
    _periods(patch, lambda _mandate, taken: replace(taken, period=""))


def period_charged_on_another_card(patch: pytest.MonkeyPatch) -> None:
    """A period counts as paid on the card it was paid with, and on no other of the reader's."""
    _periods(patch, lambda mandate, taken: taken if taken.mandate_id == mandate.mandate_id else None)


def _periods(patch: pytest.MonkeyPatch, seen: Callable[[Any, Any], Any]) -> None:
    original = mandates.periods_taken

    def periods_taken(connection: Any, mandate: Any, *, but: str) -> tuple[Any, ...]:
        found = (seen(mandate, taken) for taken in original(connection, mandate, but=but))
        return tuple(each for each in found if each is not None)

    _everywhere(patch, original, periods_taken)


def gone_method_charged(patch: pytest.MonkeyPatch) -> None:
    """A stored method can be drawn on whatever its state."""
    _everywhere(patch, drawing._why_unusable, lambda *_arguments: "")


def end_of_consent_ignored(patch: pytest.MonkeyPatch) -> None:
    """A method is remembered although the day is over until which the payer agreed to that."""
    for original in (aging.next_step_at, aging.next_step):

        def for_ever(standing: Any, *now: Any, original: Any = original) -> Any:
            return original(replace(standing, until=None), *now)

        _everywhere(patch, original, for_ever)


def suspension_lost(patch: pytest.MonkeyPatch) -> None:
    """A method that a decline says to leave alone stays active."""
    original = mandates.change

    def change(connection: Any, mandate_id: str, state: MandateState, **more: Any) -> Any:
        return None if state is MandateState.SUSPENDED else original(connection, mandate_id, state, **more)

    _everywhere(patch, original, change)


# Secrets


def token_in_a_log(patch: pytest.MonkeyPatch) -> None:
    """A token is logged when it is taken out of the vault."""
    original = Vault.unseal

    def unseal(self: Vault, sealed: bytes) -> Secret:
        secret = original(self, sealed)
        logging.getLogger("prenopay").debug("using %s", secret.reveal())
        return secret

    patch.setattr(Vault, "unseal", unseal)


def tokens_in_plain(patch: pytest.MonkeyPatch) -> None:
    """Tokens are in the database as they are."""
    patch.setattr(Vault, "seal", lambda _self, token: token.reveal().encode())
    patch.setattr(Vault, "unseal", lambda _self, sealed: Secret(sealed.decode()))


def nobody_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Erasing a payer leaves everything."""
    _everywhere(patch, rows.erase_payer, lambda *_arguments, **_more: None)


def _named(*plants: Plant) -> Iterator[tuple[str, tuple[str, Plant]]]:
    for plant in plants:
        yield plant.__name__.replace("_", " "), (plant.__doc__ or "", plant)


PLANTED: Final[dict[str, tuple[str, Plant]]] = dict(
    _named(
        random_reference,
        resent_under_a_new_reference,
        part_takes_all,
        refunds_under_way_forgotten,
        refunds_done_forgotten,
        id_used_for_something_else,
        accounts_mixed,
        replaced_page_stays_open,
        lost_answer_is_a_failure,
        resolved_without_a_look,
        refused_key_settles,
        sweep_takes_no_claim,
        others_claims_ignored,
        claimed_and_forgotten,
        integrity_unchecked,
        late_money_dropped,
        own_reference_unseen,
        order_reference_unseen,
        older_answer_overrules,
        sweep_sees_no_open_payments,
        callback_believed,
        callbacks_ignored,
        look_skipped_after_the_first_money,
        callback_during_a_look_answered,
        callbacks_done_together,
        repeat_opens_nothing,
        account_address_ignored,
        address_unchecked,
        told_before_the_commit,
        marked_before_the_handler,
        event_claimed_twice,
        slow_try_overrules,
        late_failure_repeats,
        told_again_after_weeks,
        events_tell_the_total,
        end_untold,
        mandate_without_payment_untold,
        payout_untold,
        lock_covers_one_method,
        period_charged_again,
        period_charged_on_another_card,
        gone_method_charged,
        end_of_consent_ignored,
        suspension_lost,
        token_in_a_log,
        tokens_in_plain,
        nobody_forgotten,
    )
)
"""Each bug by its name: what it does, and what plants it."""
