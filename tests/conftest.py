"""What every test may use: both databases, both colours, and real parts that are missed loudly."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from prenopay import upgrade_database
from tests import guard
from tests.compiling import compile_once
from tests.frames import FrameWatch
from tests.pooler import Pooler, start_pooler
from tests.postgresql import Server, start_server
from tests.rotation import out_of_turn

STARTS_FIRST = (
    "tests/tidy/test_tools.py",
    "tests/typing/",
    "tests/docs/test_build.py",
    "tests/api/test_package.py",
    "tests/simulation/",
    "tests/behaviour/test_crashes.py",
    "tests/behaviour/test_charge_crashes.py",
    "tests/swish/test_crashes.py",
)
"""The longest tests. At the end of a run they would leave the other worker idle, so they start it."""

SELDOM = (20_000, 50, 50)
"""How seldom garbage is looked for. With Python's own numbers it takes a tenth of the time of thousands of tests."""


def pytest_configure(config: pytest.Config) -> None:
    """Save what thousands of tests would do again, and plant the bug that ``tests/guard.py`` asks for, if it does."""
    compile_once()
    gc.set_threshold(*SELDOM)
    watch = FrameWatch()
    watch.start()
    config.pluginmanager.register(watch)
    bug = os.environ.get(guard.VARIABLE)
    if bug:
        config.pluginmanager.register(guard.Planter(bug))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Start with the longest tests, and run a behaviour on one store in turn (see ``tests/rotation.py``)."""
    long_last = guard.VARIABLE in os.environ  # a planted bug is to be found soon
    items.sort(key=lambda item: item.nodeid.startswith(STARTS_FIRST) is long_last)
    if os.environ.get("PRENOPAY_FULL"):
        return
    named = {argument for argument in config.args if argument.endswith("]")}
    left_out = {item for item in out_of_turn(items) if item.nodeid not in named}
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]


def real_part_is_missing(what: str) -> None:
    """Leave the test out with a clear reason; where nothing may be left out (CI), fail."""
    if os.environ.get("PRENOPAY_NOTHING_SKIPPED"):
        pytest.fail(f"{what}, and nothing may be skipped here")
    pytest.skip(what)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database file with tables and nothing in them."""
    file = tmp_path_factory.mktemp("sqlite") / "template.db"
    upgrade_database(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """Start a PostgreSQL server of the tests' own."""
    with tempfile.TemporaryDirectory(prefix="prenopay-postgresql-") as folder:
        server = start_server(Path(folder))
        if isinstance(server, str):
            real_part_is_missing(server)
            return
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def pooler(postgresql: Server) -> Iterator[Pooler]:
    """Start a pgbouncer in front of the server."""
    with tempfile.TemporaryDirectory(prefix="prenopay-pooler-") as folder:
        started = start_pooler(Path(folder), postgresql.url)
        if isinstance(started, str):
            real_part_is_missing(started)
            return
        try:
            yield started
        finally:
            started.stop()


@pytest.fixture
def sqlite_database(sqlite_template: Path) -> Iterator[str]:
    """Return an empty SQLite database of this test's own, in memory-backed files where the system has them."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        file = Path(folder) / "prenopay.db"
        shutil.copy(sqlite_template, file)
        yield f"sqlite:///{file}"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return an empty database of this test's own, on each of the two kinds in turn."""
    if request.param == "sqlite":
        url: str = request.getfixturevalue("sqlite_database")
        yield url
        return
    server: Server = request.getfixturevalue("postgresql")
    server.empty()
    yield server.url
