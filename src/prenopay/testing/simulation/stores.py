"""Migrated databases in memory and on disk: made once a run, and wiped to the template before each life."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Final, Self, cast

from sqlalchemy import Engine

from prenopay.books.engine import open_engine
from prenopay.books.upgrade import upgrade_database

__all__ = ["Stores"]

_MEMORY_DISK: Final = Path("/dev/shm")  # noqa: S108 - only where to put a folder that tempfile names
"""A file there is a file to SQLite, and costs no disk."""


class Stores:
    """The databases of one run. Engines are kept, because what they compiled is dear; what is in them is not."""

    def __init__(self) -> None:
        """Migrate a template, and open one database in memory and one on disk."""
        place = str(_MEMORY_DISK) if _MEMORY_DISK.is_dir() else None
        self._folder = tempfile.TemporaryDirectory(prefix="prenopay-simulation-", dir=place)
        template = Path(self._folder.name) / "template.db"
        upgrade_database(f"sqlite:///{template}")
        self._template = sqlite3.connect(template)
        with self._template:  # a life that is lived again makes the same references
            self._template.execute("UPDATE prenopay_identity SET database_id = 'simulation'")
        self._memory = open_engine("sqlite://")
        self._disk = open_engine(f"sqlite:///{Path(self._folder.name) / 'books.db'}")

    def fresh(self, *, on_disk: bool) -> Engine:
        """Return a database that is migrated and empty."""
        engine = self._disk if on_disk else self._memory
        with engine.connect() as connection:
            raw = connection.connection.driver_connection
            self._template.backup(cast("sqlite3.Connection", raw))
        return engine

    def close(self) -> None:
        """Close and remove everything."""
        self._template.close()
        self._memory.dispose()
        self._disk.dispose()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
