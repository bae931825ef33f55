"""Does the simulation find anything? Each bug is planted into the core, and must be found within 500 seeds."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import pytest

from prenopay import Secret
from prenopay.accounts import AsyncAccounts
from prenopay.execution import Execution
from prenopay.ledger import charges, evidence, observing, outbox, parts, payments_due, schema, settling
from prenopay.ledger.lifecycle import ENDED, Step, advance
from prenopay.ledger.vault import Vault
from prenopay.models import OperationKind, PaymentState
from prenopay.money import Money
from prenopay.payments import AsyncPayments
from prenopay.testing.simulation import relive, simulate
from prenopay.testing.simulation.notebook import Notebook

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


PLANTED: Final[dict[str, tuple[Plant, int]]] = {
    "random reference": (random_reference, 149),
    "resent under a new reference": (resent_under_a_new_reference, 8),
    "callback believed": (callback_believed, 0),
    "told before the commit": (told_before_the_commit, 30),
    "marked before the handler": (marked_before_the_handler, 15),
    "refunds under way forgotten": (refunds_under_way_forgotten, 98),
    "refunds done forgotten": (refunds_done_forgotten, 13),
    "period charged again": (period_charged_again, 77),
    "late money dropped": (late_money_dropped, 11),
    "lost answer is a failure": (lost_answer_is_a_failure, 29),
    "token in a log": (token_in_a_log, 14),
    "sweep sees no open payments": (sweep_sees_no_open_payments, 0),
    "integrity unchecked": (integrity_unchecked, 36),
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
