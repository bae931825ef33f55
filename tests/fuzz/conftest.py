"""A host with open doors on each database, for the targets that need one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postgresql import Server

from .targets import open_doors


@pytest.fixture(scope="package", autouse=True)
def doors(request: pytest.FixtureRequest) -> Iterator[None]:
    """Open the doors on SQLite, and on PostgreSQL in a database that no other test empties."""
    try:
        server: Server | None = request.getfixturevalue("postgresql")
    except pytest.skip.Exception:
        server = None
    with open_doors(*([] if server is None else [server.made("fuzz")])):
        yield
