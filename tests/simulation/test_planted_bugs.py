"""Does the simulation find anything? Each bug is planted into the core, and must be found within 500 seeds."""

from __future__ import annotations

import contextlib
import hmac
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final

import pytest
from prenopay.execution import Execution
from prenopay.open_payments import OpenPayments

from prenopay import Secret, callbacks
from prenopay.accounts.accounts import AsyncAccounts
from prenopay.books import (
    charges,
    codec,
    ending,
    evidence,
    observing,
    operations,
    outbox,
    parts,
    payers,
    payments_due,
    records,
    schema,
    settling,
)
from prenopay.books.vault import Vault
from prenopay.payments.lifecycle import ENDED, Step, advance
from prenopay.payments.use_cases import AsyncPayments
from prenopay.testing.simulation import relive, simulate
from prenopay.testing.simulation.notebook import Notebook
from prenopay.values.money import Money
from prenopay.values.payments import OperationKind, PaymentState

Plant = Callable[[pytest.MonkeyPatch], None]

SEEDS: Final = 500
STEPS: Final = 12


def random_reference(patch: pytest.MonkeyPatch) -> None:
    """The reference of a change is made up anew for every try."""
    asked = Execution.ask

    async def ask(self: Execution, begun: Any, ask: Any) -> Any:
        if begun.operation.operation.kind in {OperationKind.CREATE, OperationKind.CHARGE}:
            return await asked(self, begun, ask)
        return await asked(self, begun, lambda _reference: ask(self.ports.entropy.token_bytes(8).hex().upper()))

    patch.setattr(Execution, "ask", ask)


def resent_under_a_new_reference(patch: pytest.MonkeyPatch) -> None:
    """What may have been sent is sent again under the next reference, without a look."""
    original = Execution.ask

    async def ask(self: Execution, begun: Any, ask: Any) -> Any:
        if begun.maybe_sent and begun.operation.operation.kind is not OperationKind.CREATE:
            reference = await self._next_reference(begun)
            return await original(self, begun, lambda _old: ask(reference))
        return await original(self, begun, ask)

    patch.setattr(Execution, "ask", ask)


def callback_believed(patch: pytest.MonkeyPatch) -> None:
    """A callback is taken at its word: whoever calls says that the payment was paid."""

    async def hear_of(self: AsyncPayments[Any], payment_id: str) -> None:
        payment = await self.get(payment_id)
        if not payment.is_open or payment.provider_reference is None:
            return
        read = self.provider.observe

        async def observe(send: Any, reference: str) -> Any:
            seen = await read(send, reference)
            paid = {"authorized": payment.amount, "captured": payment.amount}
            return replace(seen, state=PaymentState.CAPTURED, **paid)

        with pytest.MonkeyPatch.context() as believing:
            believing.setattr(self.provider, "observe", observe)
            await self.observe(payment_id, source="callback")

    patch.setattr(AsyncPayments, "hear_of", hear_of)


def told_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    """The host is told while the transaction that changes the books is still open."""
    original, listening = outbox.append_events, list[Notebook]()

    def notebook(self: Notebook, gateways: Any) -> None:
        made(self, gateways)
        listening[:] = [self]

    def append_events(connection: Any, account: str, payment_id: str, news: Any, **more: Any) -> None:
        original(connection, account, payment_id, news, **more)
        table = schema.events
        rows = connection.execute(table.select().where(table.c.payment_id == payment_id).order_by(table.c.number))
        for row in rows.all():
            listening[0].hear(outbox._event(row))

    made = Notebook.__init__
    patch.setattr(Notebook, "__init__", notebook)
    for module in (outbox, observing):
        patch.setattr(module, "append_events", append_events)


def marked_before_the_handler(patch: pytest.MonkeyPatch) -> None:
    """An event counts as delivered before the host's handler has it."""

    async def deliver(self: AsyncAccounts, due: outbox.Due, handler: Any) -> int:
        now = self._clock.now()
        await self._ledger.transact(lambda connection: outbox.delivered(connection, due.sequence, now=now))
        with contextlib.suppress(Exception):
            await handler(due.event)
        return 1

    patch.setattr(AsyncAccounts, "_deliver", deliver)


def refunds_under_way_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Asking for all that is left forgets what is on its way back."""
    patch.setattr(settling, "being_refunded", lambda _connection, payment: Money.zero(payment.amount.currency))


def refunds_done_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Asking for all that is left asks for all that was ever taken."""
    original = parts._taken_and_whole

    def taken_and_whole(payment: Any, kind: OperationKind, being_refunded: Money) -> tuple[Money, Money]:
        taken, whole = original(payment, kind, being_refunded)
        return (Money.zero(payment.amount.currency) if kind is OperationKind.REFUND else taken), whole

    patch.setattr(parts, "_taken_and_whole", taken_and_whole)


def period_charged_again(patch: pytest.MonkeyPatch) -> None:
    """One period can be charged under two operation ids."""
    patch.setattr(charges, "_refuse_taken_period", lambda *_arguments: None)


def late_money_dropped(patch: pytest.MonkeyPatch) -> None:
    """Money that comes after the end is not written down."""
    original = observing._move_money

    def move_money(connection: Any, changes: Any, observed: Any) -> Any:
        if changes.payment.payment.state in ENDED and not changes.payment.payment.authorized:
            nothing = Money.zero(observed.authorized.currency)
            observed = replace(observed, authorized=nothing, captured=nothing, transactions=())
        return original(connection, changes, observed)

    def stay(current: PaymentState, observed: PaymentState, *, had_money: bool) -> Step:
        return Step(current) if current in ENDED else advance(current, observed, had_money=had_money)

    patch.setattr(observing, "_move_money", move_money)
    patch.setattr(observing, "advance", stay)


def lost_answer_is_a_failure(patch: pytest.MonkeyPatch) -> None:
    """An answer that was lost counts as: nothing happened."""
    patch.setattr(evidence, "leaves_open", lambda *_arguments: False)


def token_in_a_log(patch: pytest.MonkeyPatch) -> None:
    """A token is logged when it is taken out of the vault."""
    original = Vault.unseal

    def unseal(self: Vault, sealed: bytes) -> Secret:
        secret = original(self, sealed)
        logging.getLogger("prenopay").debug("using %s", secret.reveal())
        return secret

    patch.setattr(Vault, "unseal", unseal)


def sweep_sees_no_open_payments(patch: pytest.MonkeyPatch) -> None:
    """The sweep leaves payments alone that nobody told it of."""
    original = payments_due.claim

    def claim(connection: Any, account: str, now: datetime, **more: Any) -> Any:
        return tuple(each for each in original(connection, account, now, **more) if not each.is_open)

    patch.setattr(payments_due, "claim", claim)


def integrity_unchecked(patch: pytest.MonkeyPatch) -> None:
    """Whatever order the gateway shows is taken for the one that was ordered."""
    patch.setattr(observing, "_mismatch", lambda *_arguments: None)


def id_used_for_something_else(patch: pytest.MonkeyPatch) -> None:
    """An operation id stands for whatever it was used for first."""
    patch.setattr(codec, "digest", lambda *_parts: "the same")


def gone_method_charged(patch: pytest.MonkeyPatch) -> None:
    """A stored method can be drawn on whatever its state."""
    patch.setattr(charges, "_refuse_unusable", lambda *_arguments: None)


def address_unchecked(patch: pytest.MonkeyPatch) -> None:
    """Any address is taken for one that was handed out."""
    patch.setattr(callbacks, "hmac", SimpleNamespace(new=hmac.new, compare_digest=lambda *_arguments: True))


def nobody_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Erasing a payer leaves everything."""
    patch.setattr(payers, "erase", lambda *_arguments, **_more: None)


def tries_not_kept_apart(patch: pytest.MonkeyPatch) -> None:
    """Whoever repeats an operation acts at once, also while another process does."""
    patch.setattr(records.StoredOperation, "in_flight", lambda _self, _now: False)


def part_takes_all(patch: pytest.MonkeyPatch) -> None:
    """A part that is captured or given back is taken for all that is left."""
    original = parts.part_of

    def part_of(payment: Any, kind: OperationKind, _amount: Any, lines: Any, **more: Any) -> Any:
        return original(payment, kind, None, lines, **more)

    patch.setattr(parts, "part_of", part_of)


def events_tell_the_total(patch: pytest.MonkeyPatch) -> None:
    """Each event of money tells of the whole order."""
    original = outbox._body

    def body(payment: Any, new: outbox.NewEvent, raw: Any) -> dict[str, Any]:
        return original(payment, replace(new, amount=None), raw)

    patch.setattr(outbox, "_body", body)


def end_untold(patch: pytest.MonkeyPatch) -> None:
    """A payment whose time is over ends in silence."""
    patch.setattr(ending, "append_events", lambda *_arguments, **_more: None)


def replaced_page_stays_open(patch: pytest.MonkeyPatch) -> None:
    """The old payment can still be paid beside the one that took its place."""

    async def replaced(self: OpenPayments, _payment_id: str, order: Any, operation_id: str) -> Any:
        return await self.create(order, operation_id)

    patch.setattr(OpenPayments, "replace", replaced)


def callbacks_ignored(patch: pytest.MonkeyPatch) -> None:
    """Callbacks are taken, and nobody looks."""

    async def hear_of(_self: AsyncPayments[Any], _payment_id: str) -> None: ...

    patch.setattr(AsyncPayments, "hear_of", hear_of)


def told_again_after_weeks(patch: pytest.MonkeyPatch) -> None:
    """What the host's handler could not do is told again after weeks."""
    patch.setattr(outbox, "_RETRY_AFTER", (timedelta(days=20),))


def tokens_in_plain(patch: pytest.MonkeyPatch) -> None:
    """Tokens stand in the database as they are."""
    patch.setattr(Vault, "seal", lambda _self, token: token.reveal().encode())
    patch.setattr(Vault, "unseal", lambda _self, sealed: Secret(sealed.decode()))


def period_charged_on_another_card(patch: pytest.MonkeyPatch) -> None:
    """A period counts as paid on the card it was paid with, and on no other of the reader's."""
    original = charges._refuse_taken_period

    def refuse(connection: Any, mandate: Any, operation_id: str, period: str) -> None:
        table = schema.charges
        on_it = table.select().where(table.c.mandate_id == mandate.mandate_id, table.c.period == period)
        if connection.execute(on_it).first() is not None:
            original(connection, mandate, operation_id, period)

    patch.setattr(charges, "_refuse_taken_period", refuse)


def accounts_mixed(patch: pytest.MonkeyPatch) -> None:
    """An operation is found by its id in whichever account has it."""
    original = records.find_operation

    def find(connection: Any, _account: str, operation_id: str) -> Any:
        table = schema.operations
        rows = connection.execute(table.select().where(table.c.operation_id == operation_id)).all()
        return next((original(connection, row.account, operation_id) for row in rows), None)

    patch.setattr(operations, "find_operation", find)


PLANTED: Final[dict[str, tuple[Plant, int]]] = {
    "random reference": (random_reference, 9),
    "resent under a new reference": (resent_under_a_new_reference, 6),
    "callback believed": (callback_believed, 3),
    "told before the commit": (told_before_the_commit, 27),
    "marked before the handler": (marked_before_the_handler, 1),
    "refunds under way forgotten": (refunds_under_way_forgotten, 13),
    "refunds done forgotten": (refunds_done_forgotten, 13),
    "period charged again": (period_charged_again, 1),
    "late money dropped": (late_money_dropped, 76),
    "lost answer is a failure": (lost_answer_is_a_failure, 9),
    "token in a log": (token_in_a_log, 0),
    "sweep sees no open payments": (sweep_sees_no_open_payments, 0),
    "integrity unchecked": (integrity_unchecked, 9),
    "id used for something else": (id_used_for_something_else, 0),
    "gone method charged": (gone_method_charged, 5),
    "address unchecked": (address_unchecked, 0),
    "nobody forgotten": (nobody_forgotten, 3),
    "tries not kept apart": (tries_not_kept_apart, 9),
    "part takes all": (part_takes_all, 14),
    "events tell the total": (events_tell_the_total, 14),
    "end untold": (end_untold, 31),
    "replaced page stays open": (replaced_page_stays_open, 8),
    "callbacks ignored": (callbacks_ignored, 14),
    "told again after weeks": (told_again_after_weeks, 1),
    "tokens in plain": (tokens_in_plain, 0),
    "period charged on another card": (period_charged_on_another_card, 26),
    "accounts mixed": (accounts_mixed, 4),
}
"""Each bug, and the first seed that finds it: there the search begins, to save the time of the ones before."""


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_found_made_short_and_found_again(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, first_seed = PLANTED[name]
    plant(monkeypatch)

    result = simulate(seeds=SEEDS - first_seed, first_seed=first_seed, steps=STEPS)

    assert result.broken is not None, f"{name} was not found in {SEEDS} seeds"
    again = relive(result.broken.schedule)
    assert again == result.broken, "a failing life is lived again exactly"
    assert len(again.schedule.numbers) < STEPS, "it was made shorter"
    monkeypatch.undo()
    assert relive(result.broken.schedule).broken == (), "it is the bug that breaks the promise"
