"""The token goes to the account's own gateway and nowhere else, whatever answers say."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from prenopay import Outcome, PaymentState
from prenopay.errors import NotSent, PrenopayError
from prenopay.testing.emulators.swedbankpay import DEFAULT_ACCESS_TOKEN, SwedbankPayEmulator
from tests.behaviour.shop import COLOURS, an_order
from tests.transport.gateway import Gateway, Line, answer, answering
from tests.transport.shops import answered, relaying, shop_at, written


@pytest.fixture(params=COLOURS)
def host_colour(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.mark.parametrize("names_elsewhere", ["{url}", "http://{host}@{elsewhere}", "http:{url}", "{bare}"])
def test_a_link_to_another_host_is_not_followed(
    host_colour: str,
    sqlite_database: str,
    serve: Callable[..., Gateway],
    names_elsewhere: str,
) -> None:
    emulator, elsewhere = SwedbankPayEmulator(), serve(answering(answer()))
    named = {"url": elsewhere.url, "elsewhere": elsewhere.host, "host": "127.0.0.1", "bare": elsewhere.host}
    gateway = serve(relaying(emulator, origin=names_elsewhere.format(**named)))
    with shop_at(gateway.url, colour=host_colour, database=sqlite_database, emulator=emulator) as shop:
        payment = shop.paid()
        with pytest.raises(NotSent, match="nothing was sent") as caught:
            shop.payments.capture(payment.payment_id, operation_id="capture:1")
        assert shop.payments.operation("capture:1").outcome is Outcome.NOT_ATTEMPTED
    assert elsewhere.accepted == 0
    assert DEFAULT_ACCESS_TOKEN not in str(caught.value)
    assert {request.header("authorization") for request in gateway.requests} == {f"Bearer {DEFAULT_ACCESS_TOKEN}"}


@pytest.mark.parametrize("status", [302, 308])
def test_a_gateway_that_has_moved_does_not_take_the_token_along(
    host_colour: str,
    sqlite_database: str,
    serve: Callable[..., Gateway],
    status: int,
) -> None:
    elsewhere = serve(answering(answer()))
    moved = answer(b"moved", status=status, headers=[f"location: {elsewhere.url}/psp/paymentorders"])
    gateway, emulator = serve(answering(moved)), SwedbankPayEmulator()
    with shop_at(gateway.url, colour=host_colour, database=sqlite_database, emulator=emulator) as shop:
        with pytest.raises(PrenopayError, match=str(status)):
            shop.payments.create(an_order(), operation_id="order:1")
        (probe, *_) = shop.payments.probe()
    assert not probe.ok
    assert elsewhere.accepted == 0


def test_accounts_of_one_process_share_connections_and_nothing_else(
    host_colour: str,
    sqlite_database: str,
    serve: Callable[..., Gateway],
) -> None:
    refusing = answer(b'{"title":"no","status":401}', status=401, headers=["set-cookie: session=1"])
    gateway, emulator = serve(answering(refusing)), SwedbankPayEmulator()
    with shop_at(gateway.url, colour=host_colour, database=sqlite_database, emulator=emulator) as shop:
        other = shop.add("other", base_url=gateway.url, payee_id="0" * 8 + "-0000-4000-8000-" + "0" * 12)
        for number, payments in enumerate([shop.payments, other]):
            with pytest.raises(PrenopayError):
                payments.create(an_order(), operation_id=f"order:{number}")
    first, second = gateway.requests
    assert gateway.accepted == 1
    assert b'"payeeId":"5e1f0000' in first.body
    assert b'"payeeId":"00000000' in second.body
    assert second.header("cookie") is None


def test_an_answer_that_was_left_over_from_another_payment_changes_nothing(
    host_colour: str,
    sqlite_database: str,
    serve: Callable[..., Gateway],
) -> None:
    """Bytes beyond an answer are read as the next answer on that connection: they must not count as an answer."""
    emulator = SwedbankPayEmulator()
    twice: list[str] = []

    def talk(line: Line) -> None:
        while (request := line.request()) is not None:
            one = written(answered(emulator, request, origin=gateway.url))
            line.say(one * (2 if request.target.partition("?")[0] in twice else 1))

    gateway = serve(talk)
    with shop_at(gateway.url, colour=host_colour, database=sqlite_database, emulator=emulator) as shop:
        paid, open_one = shop.bought("order:1"), shop.bought("order:2")
        shop.pay(paid)
        twice.append(str(paid.provider_reference))
        shop.payments.observe(paid.payment_id)
        error = shop.tries(lambda: shop.payments.observe(open_one.payment_id))
        seen = shop.payments.get(open_one.payment_id)
    assert gateway.accepted == 1, "both went over one connection"
    assert error is not None or seen.flags
    assert (seen.state, seen.authorized.minor) == (PaymentState.PENDING, 0)
    told = {event.kind.value for event in shop.events if event.payment_id == open_one.payment_id}
    assert told == {"payment.flagged"}
