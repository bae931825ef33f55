"""Real mutual TLS, in both colours: money moves, handshakes are few, and errors name a wrong certificate."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from prenopay import Accounts, AsyncAccounts, Environment, Outcome
from prenopay.errors import ConfigurationError, TransportError, Unauthenticated
from prenopay.providers.swish import Swish
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swish import (
    DEFAULT_NUMBER,
    IssuedCertificate,
    SwishAuthority,
    SwishEmulator,
    serve_swish,
)
from tests.behaviour.shop import CALLBACK_URL, KEY, Driven, sek
from tests.swish.shop import OTHER_NUMBER, SwishShop, a_payout, authority, certificate


class Gate:
    """A relay before the gateway: it passes bytes on, and counts connections and the handshakes begun on them."""

    def __init__(self, behind: int) -> None:
        self.accepted = 0
        self.handshakes = 0
        self._behind = behind
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for each in [*self._open]:
            _hang_up(each)
        for thread in [*self._threads]:
            thread.join()
        for each in (self._listener, *self._open):
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            gateway = socket.create_connection(("127.0.0.1", self._behind))
            self._open += [caller, gateway]
            for source, target, counts in ((caller, gateway, True), (gateway, caller, False)):
                thread = threading.Thread(target=self._pass_on, args=(source, target, counts))
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, source: socket.socket, target: socket.socket, counts: bool) -> None:  # noqa: FBT001
        try:
            while data := source.recv(65536):
                # A TLS record of the kind "handshake" with a ClientHello
                self.handshakes += counts and data[0] == 22 and data[5] == 1
                target.sendall(data)
        except OSError:
            pass
        _hang_up(source)
        _hang_up(target)


def _hang_up(line: socket.socket) -> None:
    try:
        line.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


class Wired(SwishShop):
    """A shop that opens its own connections."""

    def _open(self) -> Driven:
        shared: dict[str, Any] = {"callback_url": CALLBACK_URL, "callback_keys": [KEY]}
        if self._runner is None:
            return Driven(Accounts.open(self.database, **shared), self._run)

        async def opened() -> AsyncAccounts:
            return AsyncAccounts.open(self.database, **shared)

        return Driven(self._runner.run(opened()), self._run)

    def close(self) -> None:
        if self._runner is None:
            self.accounts.close()
        else:
            self.accounts.aclose()
            self._runner.close()


@contextmanager
def wired(colour: str, database: str, **settings: Any) -> Iterator[tuple[Wired, Gate]]:
    """Serve an emulator over mutual TLS behind a gate, and open a shop with an account there."""
    emulator = SwishEmulator(clock=VirtualClock(real_time=True), authority=authority())
    with serve_swish(emulator, deliver_callbacks=False) as served:
        gate = Gate(served.api.port)
        try:
            given = {"base_url": gate.url, "trust": authority().server_root_pem, "deadline_seconds": 10.0, **settings}
            shop = Wired(colour, database, emulator=emulator, **given)
            try:
                yield shop, gate
            finally:
                shop.close()
        finally:
            gate.close()


def test_a_payment_a_refund_and_a_payout_over_one_handshake(colour: str, sqlite_database: str) -> None:
    with wired(colour, sqlite_database) as (shop, gate):
        payment = shop.bought()
        shop.pay(payment)
        assert shop.payments.observe(payment.payment_id).is_paid
        assert shop.refund(payment, sek(5000)).outcome is Outcome.PENDING
        assert shop.payments.pay_out(a_payout(), operation_id="payout:1").outcome is Outcome.PENDING
        shop.later(minutes=1)
        assert shop.payments.observe(payment.payment_id).refunded == sek(5000)
        assert shop.payments.resolve_payout("payout:1").outcome is Outcome.SUCCEEDED
        shop.books_agree()

        calls = len(shop.swish.transcript.seen)
        assert calls >= 8
        assert (gate.accepted, gate.handshakes) == (1, 1), f"{calls} calls"


def test_a_pkcs12_file_works_as_well(colour: str, sqlite_database: str) -> None:
    given = {"certificate": certificate().pkcs12(), "private_key": "", "password": "swish"}
    with wired(colour, sqlite_database, **given) as (shop, _gate):
        assert shop.bought().is_open


def _foreign() -> IssuedCertificate:
    return SwishAuthority(bank="Falska banken").issue(DEFAULT_NUMBER, key_size=2048)


def _expired() -> IssuedCertificate:
    now = datetime.now(UTC)
    begins, ended = now - timedelta(days=800), now - timedelta(hours=1)
    return authority().issue(DEFAULT_NUMBER, key_size=2048, not_before=begins, not_after=ended)


def _without_chain() -> IssuedCertificate:
    return replace(certificate(), chain=())


@pytest.mark.parametrize(
    ("issue", "expected"),
    [
        pytest.param(_foreign, TransportError, id="of another authority"),
        pytest.param(_expired, TransportError, id="expired"),
        pytest.param(_without_chain, TransportError, id="without its chain"),
        pytest.param(lambda: certificate(OTHER_NUMBER), Unauthenticated, id="of another number"),
    ],
)
def test_a_certificate_that_is_not_accepted_is_named_as_the_reason(
    colour: str, sqlite_database: str, issue: Callable[[], IssuedCertificate], expected: type[Exception]
) -> None:
    wrong = issue()
    given = {
        "certificate": wrong.chain_pem if wrong.chain else wrong.certificate_pem,
        "private_key": wrong.key_pem,
        "deadline_seconds": 3.0,
    }
    with wired(colour, sqlite_database, **given) as (shop, _gate):
        error = shop.tries(shop.bought)
        probes = shop.payments.probe()

    assert isinstance(error, expected), repr(error)
    said = f"{error} {getattr(error, 'advice', '')}".lower()
    assert any(word in said for word in ("certificate", "unknown ca")), said
    assert shop.swish.payments == ()
    assert any(not probe.ok and "certificate" in f"{probe.found} {probe.fix}".lower() for probe in probes)


def _foreign_key() -> bytes:
    return authority().issue(OTHER_NUMBER, key_size=2048, own_key=True).key_pem


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"private_key": _foreign_key}, "key"),
        ({"private_key": lambda: ""}, "key"),
        ({"certificate": lambda: b"not a certificate"}, "certificate"),
    ],
    ids=["another key", "no key", "no certificate"],
)
def test_what_cannot_work_is_reported_before_any_call(
    colour: str, sqlite_database: str, changes: dict[str, Callable[[], Any]], why: str
) -> None:
    with wired(colour, sqlite_database) as (shop, gate):
        with pytest.raises(ConfigurationError, match="account 'broken'") as raised:
            shop.add("broken", **shop._settings | {name: make() for name, make in changes.items()})
        assert why in str(raised.value)
        assert gate.accepted == 0


def test_a_server_that_nobody_vouches_for_gets_nothing(colour: str, sqlite_database: str) -> None:
    with wired(colour, sqlite_database, trust="", deadline_seconds=3.0) as (shop, _gate):
        error = shop.tries(shop.bought)
        assert isinstance(error, TransportError)
        assert "CERTIFICATE_VERIFY_FAILED" in str(error)
        assert shop.swish.transcript.seen == ()


def test_production_accounts_are_not_pointed_elsewhere() -> None:
    with pytest.raises(ConfigurationError, match="base_url"):
        Swish(
            account="swish",
            environment=Environment.PRODUCTION,
            number=DEFAULT_NUMBER,
            certificate=certificate().chain_pem,
            base_url="https://127.0.0.1:8002",
        )
