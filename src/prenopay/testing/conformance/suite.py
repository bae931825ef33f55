"""What a provider author inherits: all rules in one class, in both colours, chosen by what the provider declares."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Final, cast

import pytest

from prenopay.testing.conformance.applying import Rule, needs_of, rules_of
from prenopay.testing.conformance.rules.answers import Answers
from prenopay.testing.conformance.rules.callbacks import Callbacks
from prenopay.testing.conformance.rules.changing import Changing
from prenopay.testing.conformance.rules.lost import LostAnswers
from prenopay.testing.conformance.rules.mandates import Mandates
from prenopay.testing.conformance.rules.payouts import Payouts
from prenopay.testing.conformance.rules.secrets import Secrets
from prenopay.testing.conformance.rules.taking import Taking
from prenopay.testing.conformance.rules.values import Values
from prenopay.testing.conformance.stage import Stage, staged
from prenopay.testing.conformance.world import World
from prenopay.testing.mock.shop import empty_sqlite

__all__ = ["COLOURS", "ProviderSuite"]

COLOURS: Final = ("blocking", "awaiting")


class ProviderSuite(Taking, Changing, LostAnswers, Callbacks, Mandates, Payouts, Secrets, Values, Answers):
    """Inherit it in a file ``test_….py``, write ``world``, and every rule that applies to your provider is tested.

    ::

        class TestMine(ProviderSuite):
            def world(self):
                gateway = MyEmulator()
                yield World(config=Mine(account="mine", …), sender=EmulatorSender(gateway.mounts), …)

    Rules that do not apply are skipped, each with the capability that is missing; ``applies`` lists them.
    """

    @abstractmethod
    def world(self) -> Generator[World]:
        """Make a new account and a new gateway, yield them once, and clean up after."""
        message = f"{type(self).__name__} has no world: write 'def world(self)', and in it 'yield World(config=…, …)'"
        raise NotImplementedError(message)

    @pytest.fixture(params=COLOURS)
    def colour(self, request: pytest.FixtureRequest) -> str:
        """Return ``blocking``, then ``awaiting``."""
        return cast("str", request.param)

    @pytest.fixture
    def database(self) -> Iterator[str]:
        """Return an empty database with tables; override it to run on another kind."""
        with empty_sqlite() as url:
            yield url

    @pytest.fixture
    def stage(self, request: pytest.FixtureRequest, colour: str, database: str) -> Iterator[Stage]:
        """Set the stage for a rule, or leave the rule out and say why."""
        with self.staged_for(request.function, colour=colour, database=database) as stage:
            yield stage

    @contextmanager
    def staged_for(
        self,
        rule: Callable[..., object],
        *,
        colour: str = "blocking",
        database: str,
    ) -> Generator[Stage]:
        """Set the stage for ``rule``: skips what does not apply, fails where ``World`` lacks what the rule needs."""
        wanted = needs_of(rule)
        with _one_world(self) as world, staged(world, colour=colour, database=database) as stage:
            reason = wanted.missing(stage.provider, world)
            if reason:
                pytest.skip(reason)
            absent = wanted.not_given(world)
            if absent:
                pytest.fail(absent)
            yield stage

    @classmethod
    def applies(cls) -> tuple[Rule, ...]:
        """Return every rule, each with the reason why it does not apply to this provider (empty when it does)."""
        with _one_world(cls()) as world:
            return rules_of(cls, world.config.provider(), world)

    def test_what_does_not_apply_is_listed(self) -> None:
        """Every rule is tried, or says which capability is missing."""
        rules = self.applies()
        left_out = [rule for rule in rules if rule.missing]
        for rule in left_out:
            print(f"{rule.name}: {rule.missing}")  # noqa: T201 - for the author: shown with pytest -rP
        assert all(rule.says for rule in rules)
        assert len(left_out) < len(rules)


@contextmanager
def _one_world(suite: ProviderSuite) -> Generator[World]:
    """Set up the world of a suite, and clean up after."""
    made = suite.world()
    if not isinstance(made, Generator):
        message = (
            f"{type(suite).__name__}.world returned a {type(made).__name__}: write 'yield World(…)' in the place of "
            "'return World(…)', so that what stands after it cleans up"
        )
        raise TypeError(message)
    yield from made
