"""Nothing secret leaves: not in logs, errors, reprs, events, nor in the database."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from sqlalchemy import select

from prenopay.books import answers, schema
from prenopay.books.engine import open_engine
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.provider import Refunds, StoresMandates
from prenopay.testing.conformance.rules.mandates import stored
from prenopay.testing.conformance.stage import CALLBACK_KEY, TOKEN_KEY, Stage, needs
from prenopay.testing.gateway import Payouts, StoredMethods
from prenopay.values.payments import Payment

__all__ = ["Secrets"]

_SQLITE = "sqlite:///"


class Secrets:
    """Only the gateway sees credentials, and only those who were given personal data see it."""

    def test_logs_show_nothing_secret(self, stage: Stage) -> None:
        """No secret is logged: at DEBUG, by any logger, in any field of a record."""
        _live(stage)

        logging.getLogger(stage.provider.name).debug("the rule hears every logger")
        assert "the rule hears every logger" in stage.log[-1]
        assert _leaks(stage, stage.log) == []

    def test_values_and_events_show_nothing_secret(self, stage: Stage) -> None:
        """No secret is in the ``repr`` of a public value, of the config, or of an event with its raw answer."""
        _live(stage)
        shown: list[object] = [stage.config, stage.provider.limits, *stage.events]
        shown += [event.raw for event in stage.events]
        for payment in stage.every_payment():
            look = stage.seen_at_gateway(payment)
            shown += [payment, look, stage.do(lambda payments: payments.order(payment.payment_id))]  # noqa: B023 - called at once
            shown += stage.do(lambda payments: payments.timeline(payment.payment_id))  # noqa: B023 - called at once
        assert _leaks(stage, map(repr, shown)) == []

    def test_errors_show_nothing_secret(self, stage: Stage) -> None:
        """No secret is in an error, even when the gateway repeats all that it was sent."""

        def echo(request: HttpRequest) -> HttpResponse:
            said = f"refused: {dict(request.headers)} {request.url} {request.body.decode(errors='replace')}"
            return HttpResponse(status=400, headers=(("content-type", "text/plain"),), body=said.encode())

        with stage.wire.answered(echo):
            error = stage.tries(lambda: stage.bought(payer=stage.gateway.payer()))

        assert error is not None, "the gateway answered 400, and the call says that all is well"
        told = [repr(error), str(error), repr(error.__dict__), "".join(traceback.format_exception(error))]
        assert _leaks(stage, told) == []
        assert _leaks(stage, stage.log) == []

    def test_the_database_holds_no_credentials(self, stage: Stage) -> None:
        """No credential of the account and no key of the host is in any table or in the file's bytes."""
        _live(stage)

        rows = _dump(stage)
        everything = [*rows, _file_of(stage)]
        assert rows
        assert [each for each in _credentials(stage) if any(each in text for text in everything)] == []

    @needs(StoresMandates, gateway=(StoredMethods,))
    def test_the_database_holds_no_token(self, stage: Stage) -> None:
        """Tokens of stored methods are sealed before they are written, and are seen nowhere else.

        Where a token is also the name of the payment that stored it, the merchant chose it: it is no secret.
        """
        stored(stage)
        gateway = stage.gateway
        assert isinstance(gateway, StoredMethods)
        found = list(gateway.tokens())
        assert found, f"{type(gateway).__name__}.tokens says that nothing was stored"
        named = [str(payment.provider_reference) for payment in stage.every_payment()]
        tokens = [each for each in found if not any(each in name for name in named)]

        everything = [*_dump(stage), _file_of(stage), *stage.log, *map(repr, stage.events)]
        assert [each for each in tokens if any(each in text for text in everything)] == []

    def test_an_erased_payer_is_gone(self, stage: Stage) -> None:
        """After ``erase_payer`` the database and its files know nothing of the person, whatever comes later."""
        _live(stage)
        still_open = stage.bought("order:2", payer=stage.gateway.payer())
        assert _personal(stage), "the gateway's payer has neither phone, e-mail nor personal number"

        for payment in stage.every_payment():
            stage.do(lambda payments: payments.erase_payer(payment.payment_id))  # noqa: B023 - called at once
        if isinstance(stage.gateway, Payouts):
            stage.do(lambda payments: payments.erase_payer(operation_id="payout:1"))
        assert _remembered(stage) == []

        for what, happens in _later(stage, still_open):
            happens()
            assert (what, _remembered(stage)) == (what, [])
        assert stage.got(still_open).captured, "what came later did not reach the books"


def _credentials(stage: Stage) -> list[str]:
    return [*stage.gateway.secrets(), CALLBACK_KEY, TOKEN_KEY]


def _personal(stage: Stage) -> list[str]:
    payer = stage.gateway.payer()
    return [each for each in (payer.email, payer.phone.lstrip("+"), payer.personal_number) if each]


def _later(stage: Stage, still_open: Payment) -> Iterator[tuple[str, Callable[[], object]]]:
    """Return what may come after an erasure, of every kind."""
    yield "a payment", lambda: stage.pays(still_open)
    yield "callbacks", stage.deliver
    yield "callbacks that come again", lambda: [stage.receive(request) for request in stage.heard]
    yield "a sweep", stage.settle
    yield "a look", lambda: [stage.observed(payment) for payment in stage.every_payment()]
    if Refunds in type(stage.provider).__mro__:
        yield "a refund", lambda: stage.do(lambda p: p.refund(still_open.payment_id, operation_id="refund:2"))
        yield "callbacks of a refund", stage.deliver
        yield "a sweep after a refund", stage.settle


def _remembered(stage: Stage) -> list[str]:
    """Return what of the payer, or of the payee, is still in a table or in the database's files."""
    personal, everything = _personal(stage), [*_dump(stage), _file_of(stage)]
    if isinstance(stage.gateway, Payouts):
        order = stage.gateway.payout_order()
        personal += [each for each in (order.payee_phone.lstrip("+"), order.payee_personal_number) if each]
    return [each for each in personal if any(each in text for text in everything)]


def _leaks(stage: Stage, texts: Iterable[str]) -> list[str]:
    """Return which secrets are in ``texts``, each by its first characters alone."""
    secret = [*_credentials(stage), *_personal(stage), *stage.gateway.links()]
    every = list(texts)
    return [f"{each[:2]}… ({len(each)} characters)" for each in secret if any(each in text for text in every)]


def _dump(stage: Stage) -> list[str]:
    """Return every row of every table, bytes as text, and the gateway's answers unpacked."""
    engine = open_engine(stage.database)
    with engine.connect() as connection:
        rows = [tuple(row) for table in schema.metadata.sorted_tables for row in connection.execute(select(table))]
        payment_ids = list(connection.scalars(select(schema.payments.c.payment_id)))
        packed = [answers.of_payment(connection, payment_id) for payment_id in payment_ids]
    engine.dispose()
    return [repr(tuple(_text(value) for value in row)) for row in rows] + [repr(each) for each in packed]


def _text(value: object) -> object:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _file_of(stage: Stage) -> str:
    """Return the bytes of a SQLite database, with the files beside it; nothing for a server."""
    if not stage.database.startswith(_SQLITE):
        return ""
    file = Path(stage.database.removeprefix(_SQLITE))
    return "".join(each.read_bytes().decode("latin-1") for each in sorted(file.parent.glob(f"{file.name}*")))


def _live(stage: Stage) -> None:
    """Make a purchase with its callbacks, a refund and a payout, as far as there are such things."""
    payment = stage.taken(payer=stage.gateway.payer())
    stage.deliver()
    if Refunds in type(stage.provider).__mro__:
        stage.do(lambda payments: payments.refund(payment.payment_id, operation_id="refund:1"))
    if isinstance(stage.gateway, Payouts):
        payout = stage.gateway.payout_order()
        stage.do(lambda payments: payments.pay_out(payout, operation_id="payout:1"))
    stage.settle()
