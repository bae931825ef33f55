"""A statement is compiled once for all databases of a test process, as it is once for the one database of a host.

SQLAlchemy keeps what it compiled for each engine and dialect. Each test opens an engine of its own, so that a fifth of
its time went into compiling the same statements again.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, event

from prenopay.books.text import as_json

_first: dict[str, Engine] = {}
"""The first engine of each driver that connected: its dialect has asked the server what it is."""


def compile_once() -> None:
    """Let every engine of the books use what the first one of its driver compiled."""
    event.listen(Engine, "engine_connect", _share)


def _share(connection: Connection) -> None:
    engine: Any = connection.engine
    if engine.dialect._json_serializer is not as_json:  # an engine of the host's own
        return
    first: Any = _first.setdefault(engine.dialect.driver, engine)
    if engine.dialect is not first.dialect:
        engine.dialect = connection.dialect = first.dialect
        engine._compiled_cache = first._compiled_cache
