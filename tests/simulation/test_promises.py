"""The promises, lived through: hundreds of lives with faults at every port, each the same every time it is lived."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from prenopay import cli
from prenopay.errors import InvalidOrder
from prenopay.mandates.use_cases import AsyncMandates
from prenopay.testing.simulation import ENOUGH_SEEDS, Schedule, declared, enough_seeds, relive, simulate
from prenopay.testing.simulation.weather import POSSIBLE, Port, forecast
from prenopay.values.mandates import Mandate

LIVES = 100
STEPS = 7
"""More steps find more in each life, and cost as much more time."""
NORDPAY = "examples.own_provider.gateway:NordpayGateway"


def test_every_promise_is_kept_through_many_lives_of_seven_steps(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["simulate", "--seeds", str(LIVES), "--steps", str(STEPS), "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert (found["broken"], found["seeds"]) == ([], LIVES), found["replay"]
    assert found["payments"] > LIVES


@pytest.mark.nightly
def test_every_promise_is_kept_and_everything_reached_in_many_lives(capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.main(["simulate", "--seeds", str(ENOUGH_SEEDS), "--json"])

    found = json.loads(capsys.readouterr().out)
    assert found["broken"] == [], found["replay"]
    assert found["missing"] == []
    assert (code, found["seeds"]) == (0, ENOUGH_SEEDS)
    assert set(declared()) <= found["reached"].keys()


def test_a_provider_of_ones_own_lives_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["simulate", "--seeds", "40", "--gateway", NORDPAY, "--json"]) == 0

    reached = json.loads(capsys.readouterr().out)["reached"]
    assert reached["step: refund succeeded"] > 0
    assert {name for name in declared([NORDPAY]) if name.startswith("step:")} <= reached.keys()
    assert "step: charge" not in reached, "Nordpay stores nothing"


def test_a_life_is_lived_again_at_the_gateways_that_it_had() -> None:
    schedule = Schedule(seed=4, steps=9, gateways=("swish", NORDPAY))
    life = relive(schedule)
    assert life == relive(schedule)
    assert life.broken == ()
    assert schedule.replay == (
        f"prenopay simulate --first-seed 4 --seeds 1 --steps 9 --gateway swish --gateway {NORDPAY}"
    )


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("neverheard", "there is no gateway 'neverheard'; there are: swedbankpay, swish, or module:Class"),
        ("prenopay.nothing:Here", "cannot be imported: No module named 'prenopay.nothing'"),
        ("prenopay.testing.mock:Nothing", "cannot be imported: module 'prenopay.testing.mock' has no attribute"),
        ("prenopay.testing.clock:VirtualClock", "must inherit Gateway and History"),
    ],
)
def test_a_gateway_that_cannot_be_had_is_refused(name: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["simulate", "--gateway", name]) == 2
    assert why in capsys.readouterr().err


@pytest.mark.parametrize("seed", [0, 1, 3, 13, 29], ids=["memory", "disk", "swish", "awaiting", "awaiting on disk"])
def test_the_same_seed_lives_the_same_life(seed: int) -> None:
    first, second = (relive(Schedule(seed=seed, steps=20)) for _ in range(2))
    assert first.transcript == second.transcript
    assert first == second
    assert first.payments > 0


def test_different_seeds_live_different_lives() -> None:
    assert len({relive(Schedule(seed=seed, steps=6)).digest for seed in range(5)}) == 5


def test_the_colour_and_the_place_of_the_books_change_nothing_a_step_decides() -> None:
    plans = [Schedule(seed=seed, steps=30).troubles(number) for seed in range(160) for number in range(1, 31)]
    again = [Schedule(seed=seed, steps=30).troubles(number) for seed in range(160) for number in range(1, 31)]
    assert plans == again
    kinds = {(trouble.port, trouble.name) for plan in plans for trouble in plan}
    assert {port for port, _ in kinds} == set(Port)
    assert {name for _, name in kinds} == {trouble.name for trouble in POSSIBLE}


def test_steps_can_be_left_out_and_calmed() -> None:
    schedule = Schedule(seed=7, steps=12, only=(1, 4, 9), calm=frozenset({4}))
    life = relive(schedule)
    taken = [int(line[:4]) for line in life.transcript if line[:4].strip().isdigit()]
    assert taken == [1, 4, 9]
    assert schedule.troubles(4) == ()
    assert schedule.replay == "prenopay simulate --first-seed 7 --seeds 1 --steps 12 --only 1,4,9 --calm 4"


def test_a_good_run_is_told_with_what_was_reached(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["simulate", "--seeds", "3", "--first-seed", "40", "--steps", "6"]) == 0
    said = capsys.readouterr()
    assert "step: buy" in said.out
    enough = enough_seeds(6)
    assert f"Every promise was kept (from {enough} seeds on, everything declared must be reached too)." in said.out
    assert "lives a minute" in said.out
    assert said.err == ""


def test_what_is_never_reached_fails_a_long_run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("prenopay.testing.simulation.running.ENOUGH_SEEDS", 2)
    result = simulate(seeds=2)
    assert result.broken is None
    assert "flag: mismatch" in result.missing
    assert not result.is_good
    assert simulate(seeds=2, only=(1, 2)).missing == (), "a life cut short reaches little"
    assert cli.main(["simulate", "--seeds", "2"]) == 1
    assert "Never reached, and declared:" in capsys.readouterr().out


def test_what_a_payment_or_an_operation_came_to_is_counted_once() -> None:
    result = simulate(seeds=6, steps=12)
    assert result.payments > 0
    assert 0 < result.reached["state: pending"] <= result.payments
    assert all(count <= result.payments for what, count in result.reached.items() if what.startswith("state: "))


def test_a_step_that_never_succeeds_is_not_taken_for_one_that_did(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refresh(_self: AsyncMandates, _payer_reference: str) -> tuple[Mandate, ...]:
        message = "payer_reference: is never the right one"
        raise InvalidOrder(message, field="payer_reference")

    monkeypatch.setattr(AsyncMandates, "refresh", refresh)
    result = simulate(seeds=40, steps=12)
    assert result.broken is None
    assert result.reached["step: refresh"] > 0
    assert result.reached.get("step: refresh succeeded", 0) == 0
    assert "step: refresh succeeded" in declared()


def test_who_stops_it_is_told_how_far_it_came(capsys: pytest.CaptureFixture[str]) -> None:
    def stop(done: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    result = simulate(seeds=50, first_seed=10, progress=stop)
    assert (result.seeds, result.stopped_at, result.missing, result.broken) == (3, 13, (), None)
    assert result.payments > 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("prenopay.cli.simulate._progress", lambda _seeds: stop)
        assert cli.main(["simulate", "--seeds", "50"]) == 130
    assert "Go on: prenopay simulate --first-seed 3" in capsys.readouterr().out


def test_a_world_that_cannot_be_built_is_told_with_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object, **_more: object) -> None:
        message = "no such emulator"
        raise RuntimeError(message)

    monkeypatch.setattr("prenopay.testing.simulation.world.Gateways", broken)
    result = simulate(seeds=2, first_seed=5)
    assert result.broken is not None
    assert result.broken.broken == ("unexpected: RuntimeError: no such emulator, before the first step",)
    assert "--first-seed 5" in result.broken.schedule.replay


@pytest.mark.parametrize("how", [[], ["--json"]])
def test_a_broken_promise_is_one_though_nobody_reads_of_it(how: list[str]) -> None:
    program = """
import sys
from prenopay.cli import main
from prenopay.books import outbox
outbox.claim = lambda *_arguments, **_more: None  # nobody is ever told
sys.exit(main(["simulate", "--seeds", "20", *sys.argv[1:]]))
"""
    with subprocess.Popen([sys.executable, "-c", program, *how], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
    assert process.returncode == 1


def test_a_bar_is_drawn_on_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert cli.main(["simulate", "--seeds", "2", "--steps", "2"]) == 0
    assert "] 2/2\n" in capsys.readouterr().err


def test_forecasts_are_mostly_bad() -> None:
    from random import Random  # noqa: PLC0415

    days = [forecast(Random(number)) for number in range(400)]
    assert 200 < sum(bool(day) for day in days) < 350
