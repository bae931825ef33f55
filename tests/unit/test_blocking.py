"""A blocking use case runs from its first line to its last in one step, or raises."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from prenopay._blocking import run_blocking


async def _answer(value: int) -> int:
    return value


async def _add(left: int, right: int) -> int:
    return await _answer(left) + await _answer(right)


async def _refuse() -> int:
    message = "no such payment"
    raise LookupError(message)


def test_the_result_comes_back() -> None:
    expected = 5
    assert expected == run_blocking(_add(2, 3))


def test_what_it_raises_is_raised() -> None:
    with pytest.raises(LookupError, match="no such payment"):
        run_blocking(_refuse())


def test_it_runs_inside_a_running_loop() -> None:
    async def main() -> int:
        return run_blocking(_add(2, 3))

    expected = 5
    assert expected == anyio.run(main)


def test_a_real_suspension_is_a_bug_and_raises() -> None:
    cleaned: list[str] = []

    async def suspend() -> None:
        try:
            await anyio.lowlevel.checkpoint()
        finally:
            cleaned.append("up")

    async def main() -> None:
        run_blocking(suspend())

    with pytest.raises(RuntimeError, match="one of its ports is an awaiting one"):
        anyio.run(main)
    expected = ["up"]
    assert expected == cleaned
