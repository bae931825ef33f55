"""Simulation: the whole library and gateways in one process, driven by a seed, with faults at every port."""

from __future__ import annotations

from prenopay.testing.simulation.gateways import GROUP, find_gateways
from prenopay.testing.simulation.life import Life, Schedule
from prenopay.testing.simulation.running import (
    DEFAULT_STEPS,
    ENOUGH_SEEDS,
    Result,
    declared,
    enough_seeds,
    relive,
    simulate,
)

__all__ = [
    "DEFAULT_STEPS",
    "ENOUGH_SEEDS",
    "GROUP",
    "Life",
    "Result",
    "Schedule",
    "declared",
    "enough_seeds",
    "find_gateways",
    "relive",
    "simulate",
]
