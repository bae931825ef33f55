"""Callers of each colour, and servers that follow a script."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.transport.caller import COLOURS, Caller
from tests.transport.certificates import Authority
from tests.transport.gateway import Gateway, Talk


@pytest.fixture(params=COLOURS)
def colour(request: pytest.FixtureRequest) -> str:
    """Blocking code, then code that awaits on either event loop."""
    name: str = request.param
    return name


@pytest.fixture
def call(colour: str) -> Iterator[Callable[..., Caller]]:
    """Return a function that makes callers; they are closed after the test, before any server stops."""
    callers: list[Caller] = []

    def make(*, tls: ssl.SSLContext | None = None) -> Caller:
        callers.append(Caller(colour, tls=tls))
        return callers[-1]

    yield make
    for caller in callers:
        caller.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Gateway]]:
    """Return a function that starts servers; they are stopped after the test."""
    with ExitStack() as stack:

        def start(talk: Talk, *, tls: ssl.SSLContext | None = None) -> Gateway:
            return stack.enter_context(Gateway(talk, tls=tls))

        yield start


@pytest.fixture
def caller(call: Callable[..., Caller]) -> Caller:
    """Return one caller that trusts what the system trusts."""
    return call()


@pytest.fixture(scope="session")
def authority() -> Authority:
    """Return the authority that certifies the tests' own servers."""
    return Authority()


@pytest.fixture(scope="session")
def server_tls(authority: Authority) -> ssl.SSLContext:
    """Return the side of a server with a good certificate."""
    return authority.server()


@pytest.fixture(scope="session")
def trusting(authority: Authority) -> ssl.SSLContext:
    """Return the side of a caller who trusts that server."""
    return authority.trusting()
