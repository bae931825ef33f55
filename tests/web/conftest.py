"""A host for the tests, and its callback app on both kinds of server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.web.host import Host
from tests.web.wire import SERVERS


@pytest.fixture
def host(sqlite_database: str) -> Iterator[Host]:
    host = Host(sqlite_database)
    yield host
    host.close()


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> str:
    """Return each kind of server in turn."""
    name: str = request.param
    return name
