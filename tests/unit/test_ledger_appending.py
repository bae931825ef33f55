"""Appends that wait at the same time share one commit, and each gets its own result or error."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Generator, Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

import anyio
import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from prenopay._blocking import run_blocking
from prenopay.books.engine import AwaitingLedger, BlockingLedger, open_engine
from prenopay.errors import LedgerUnavailable
from prenopay.ports import Ledger

from .number_table import add, add_orphan, count_commits, numbers, open_numbers

Work = Callable[[Connection], int]

_FIRST = 1000


@pytest.fixture
def engine(tmp_path: Path) -> Generator[Engine]:
    opened = open_numbers(f"sqlite:///{tmp_path}/shop.db")
    yield opened
    opened.dispose()


def run_rows(connection: Connection, works: Sequence[Work]) -> list[int]:
    """Do what is to be done for each row, and return the results."""
    return [work(connection) for work in works]


async def append(ledger: Ledger, work: Work) -> int:
    return await ledger.append(run_rows, work)


def adding(number: int) -> Work:
    return lambda connection: add(connection, number)


def raising(error: BaseException, number: int) -> Work:
    def work(connection: Connection) -> NoReturn:
        add(connection, number)
        raise error

    return work


# Together on many threads


def together_on_threads(engine: Engine, *works: Work) -> list[int | BaseException]:
    """Append all ``works`` during the commit of an earlier append; return their results or errors."""
    ledger = BlockingLedger(engine)
    results: dict[int, int | BaseException] = {}

    def run(place: int, work: Work) -> None:
        try:
            results[place] = run_blocking(append(ledger, work))
        except BaseException as error:  # noqa: BLE001 - the test compares each thread's own
            results[place] = error

    def first(connection: Connection) -> int:
        until(lambda: len(ledger._waiting) == len(works))
        return add(connection, _FIRST)

    leader = threading.Thread(target=run, args=(-1, first))
    leader.start()
    until(lambda: ledger._writing)
    followers = [threading.Thread(target=run, args=(place, work)) for place, work in enumerate(works)]
    for thread in followers:
        thread.start()
    for thread in (leader, *followers):
        thread.join(60)
    first_result = results.pop(-1)
    expected = _FIRST
    assert expected == first_result
    return [results[place] for place in sorted(results)]


def until(holds: Callable[[], bool]) -> None:
    """Let other threads run until ``holds``."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        os.sched_yield()


# Together in many tasks


async def together_in_tasks(engine: Engine, *works: Work) -> list[int | BaseException]:
    """Append all ``works`` during the commit of an earlier append; return their results or errors."""
    ledger = AwaitingLedger(engine)
    results: dict[int, int | BaseException] = {}
    begun, all_wait = threading.Event(), threading.Event()

    async def run(place: int, work: Work) -> None:
        try:
            results[place] = await append(ledger, work)
        except BaseException as error:  # noqa: BLE001 - the test compares each task's own
            results[place] = error

    def first(connection: Connection) -> int:
        begun.set()
        assert all_wait.wait(60)
        return add(connection, _FIRST)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, -1, first)
        await anyio.to_thread.run_sync(begun.wait, 10)
        for place, work in enumerate(works):
            tasks.start_soon(run, place, work)
        await anyio.wait_all_tasks_blocked()
        all_wait.set()
    first_result = results.pop(-1)
    expected = _FIRST
    assert expected == first_result
    return [results[place] for place in sorted(results)]


Together = Callable[..., list[int | BaseException]]


@pytest.fixture(params=["threads", "asyncio", "trio"])
def together(request: pytest.FixtureRequest) -> Together:
    backend: str = request.param
    if backend == "threads":
        return together_on_threads
    return lambda engine, *works: anyio.run(together_in_tasks, engine, *works, backend=backend)


# What each gets


def test_each_gets_its_own_result_from_one_commit(engine: Engine, together: Together) -> None:
    commits = count_commits(engine)
    many = list(range(30))
    assert many == together(engine, *map(adding, many))
    assert ([*many, _FIRST], 2) == (list(numbers(engine)), len(commits))


def test_a_burst_is_written_in_groups_of_a_bounded_size(engine: Engine, together: Together) -> None:
    commits = count_commits(engine)
    many = list(range(130))
    assert many == together(engine, *map(adding, many))
    expected = 3  # the first alone, 128, and the rest
    assert expected == len(commits)


@pytest.mark.parametrize(
    ("failing", "kind"),
    [(raising(LookupError("a bug"), 6), LookupError), (adding(_FIRST), LedgerUnavailable)],
)
def test_one_that_fails_does_not_harm_the_others(
    engine: Engine,
    together: Together,
    failing: Work,
    kind: type[Exception],
) -> None:
    one, failed, three = together(engine, adding(1), failing, adding(3))
    assert (1, kind, 3) == (one, type(failed), three)
    expected = (1, 3, _FIRST)
    assert expected == numbers(engine)


def test_one_whose_commit_fails_fails_alone(engine: Engine, together: Together) -> None:
    one, failed, three = together(engine, adding(1), lambda connection: add_orphan(connection, 2), adding(3))
    assert (1, LedgerUnavailable, 3) == (one, type(failed), three)
    expected = (1, 3, _FIRST)
    assert expected == numbers(engine)


def test_a_database_that_fails_for_one_fails_for_that_one(engine: Engine, together: Together) -> None:
    lost = OperationalError("INSERT", {}, Exception("the disk is gone"))
    one, failed, three = together(engine, adding(1), raising(lost, 2), adding(3))
    assert (1, LedgerUnavailable, 3) == (one, type(failed), three)
    expected = (1, 3, _FIRST)
    assert expected == numbers(engine)


def test_an_interruption_leaves_nobody_waiting(engine: Engine) -> None:
    results = together_on_threads(engine, adding(1), raising(KeyboardInterrupt(), 2), adding(3))
    assert [KeyboardInterrupt] * 3 == [type(each) for each in results]
    expected = (_FIRST,)
    assert expected == numbers(engine)


# Alone


def test_a_lone_append_is_committed_when_it_returns(engine: Engine) -> None:
    expected = (7, (7,))
    assert expected == (run_blocking(append(BlockingLedger(engine), adding(7))), numbers(engine))


def test_after_a_failure_the_next_append_is_written(engine: Engine) -> None:
    ledger = BlockingLedger(engine)
    with pytest.raises(LookupError):
        run_blocking(append(ledger, raising(LookupError("a bug"), 6)))
    run_blocking(append(ledger, adding(7)))
    expected = (7,)
    assert expected == numbers(engine)


# Within an event loop


@pytest.mark.anyio
async def test_an_awaiting_ledger_returns_what_its_work_returns(engine: Engine) -> None:
    ledger = AwaitingLedger(engine)
    one, two = await ledger.transact(adding(1)), await append(ledger, adding(2))
    assert (one, two) == await ledger.read(lambda _connection: numbers(engine))
    await ledger.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("how", ["transact", "append"])
async def test_what_has_begun_is_finished_when_its_task_is_cancelled(engine: Engine, how: str) -> None:
    ledger = AwaitingLedger(engine)
    begun, go_on = threading.Event(), threading.Event()

    def work(connection: Connection) -> int:
        begun.set()
        assert go_on.wait(60)
        return add(connection, 1)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(append, ledger) if how == "append" else ledger.transact, work)
        await anyio.to_thread.run_sync(begun.wait, 10)
        tasks.cancel_scope.cancel()
        go_on.set()
    expected = (1,)
    assert expected == numbers(engine)


@pytest.mark.parametrize("which", [0, 1])
def test_a_task_that_is_cancelled_holds_up_no_later_one(engine: Engine, which: int) -> None:
    """``asyncio``'s own cancellation passes every shield: of the task that writes, and of one that waits for it."""
    begun, go_on = threading.Event(), threading.Event()

    def slow(connection: Connection) -> int:
        begun.set()
        assert go_on.wait(60)
        return add(connection, 1)

    async def run() -> tuple[int, int]:
        ledger = AwaitingLedger(engine)
        tasks = [asyncio.create_task(append(ledger, slow))]
        await asyncio.to_thread(begun.wait, 10)
        tasks += [asyncio.create_task(append(ledger, adding(number))) for number in (2, 3)]
        await anyio.wait_all_tasks_blocked()
        tasks[which].cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await tasks[which]
        last = await asyncio.wait_for(tasks[2], 10)
        return last, await asyncio.wait_for(append(ledger, adding(4)), 10)

    assert asyncio.run(run()) == (3, 4)
    expected = (1, 2, 3, 4)
    assert expected == numbers(engine)


@pytest.mark.anyio
async def test_readers_do_not_wait_for_the_writer(engine: Engine) -> None:
    ledger = AwaitingLedger(engine)
    begun, go_on = threading.Event(), threading.Event()

    def work(connection: Connection) -> int:
        add(connection, 1)
        begun.set()
        assert go_on.wait(60)
        return 1

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ledger.transact, work)
        await anyio.to_thread.run_sync(begun.wait, 10)
        seen = await ledger.read(lambda _connection: numbers(engine))
        go_on.set()
    assert not seen
    expected = (1,)
    assert expected == numbers(engine)


# In memory


def test_threads_take_turns_with_a_database_in_memory() -> None:
    engine = open_numbers("sqlite://")
    ledger = BlockingLedger(engine)
    many = range(50)
    threads = [threading.Thread(target=run_blocking, args=(ledger.transact(adding(each)),)) for each in many]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert tuple(many) == numbers(engine)
    engine.dispose()


def test_two_databases_in_memory_are_two() -> None:
    one, other = open_numbers("sqlite://"), open_engine("sqlite://")
    run_blocking(BlockingLedger(one).transact(adding(1)))
    with pytest.raises(LedgerUnavailable, match="no such table"):
        run_blocking(BlockingLedger(other).transact(adding(1)))
    one.dispose()
    other.dispose()
