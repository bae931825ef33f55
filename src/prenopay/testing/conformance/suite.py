"""What a provider author inherits: all rules in one class, in both colours, chosen by what the provider declares."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Final, cast

import pytest

from prenopay.testing.conformance.rules.answers import Answers
from prenopay.testing.conformance.rules.callbacks import Callbacks
from prenopay.testing.conformance.rules.changing import Changing
from prenopay.testing.conformance.rules.foreign import Foreign
from prenopay.testing.conformance.rules.frames import Frames
from prenopay.testing.conformance.rules.freed import Freed
from prenopay.testing.conformance.rules.lost import LostAnswers
from prenopay.testing.conformance.rules.mandates import Mandates
from prenopay.testing.conformance.rules.payouts import Payouts
from prenopay.testing.conformance.rules.portal import ByHand
from prenopay.testing.conformance.rules.secrets import Secrets
from prenopay.testing.conformance.rules.taking import Taking
from prenopay.testing.conformance.rules.values import Values
from prenopay.testing.conformance.stage import ACCOUNT, Rule, Stage, needs_of, rules_of, staged
from prenopay.testing.databases import empty_sqlite
from prenopay.testing.gateway import Gateway

__all__ = ["COLOURS", "ProviderSuite"]

COLOURS: Final = ("blocking", "awaiting")


class ProviderSuite(
    Taking,
    Changing,
    ByHand,
    LostAnswers,
    Freed,
    Callbacks,
    Mandates,
    Payouts,
    Foreign,
    Secrets,
    Frames,
    Values,
    Answers,
):
    """Inherit it in a file ``test_….py``, name your ``gateway``, and every rule that applies is tested.

    ::

        class TestMine(ProviderSuite):
            gateway = MyGateway

    Rules that do not apply are skipped, each with the capability that is missing; ``applies`` lists them.
    """

    gateway: Callable[..., Gateway | Generator[Gateway]]
    """Makes a gateway for each test: your class of it, or a method that returns one, or yields one and cleans up."""

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
    def staged_for(self, rule: Callable[..., object], *, colour: str = "blocking", database: str) -> Generator[Stage]:
        """Set the stage for ``rule``: skips what does not apply, fails where the gateway lacks what the rule needs."""
        wanted = needs_of(rule)
        with _one_gateway(self) as gateway, staged(gateway, colour=colour, database=database) as stage:
            reason = wanted.missing(stage.provider)
            if reason:
                pytest.skip(reason)
            absent = wanted.not_given(gateway)
            if absent:
                pytest.fail(absent)
            yield stage

    @classmethod
    def applies(cls) -> tuple[Rule, ...]:
        """Return every rule, each with the reason why it does not apply to this provider (empty when it does)."""
        with _one_gateway(cls()) as gateway:
            return rules_of(cls, gateway.account(ACCOUNT).provider())

    def test_what_does_not_apply_is_listed(self) -> None:
        """Every rule is tried, or says which capability is missing."""
        rules = self.applies()
        left_out = [rule for rule in rules if rule.missing]
        for rule in left_out:
            print(f"{rule.name}: {rule.missing}")  # noqa: T201 - for the author: shown with pytest -rP
        assert all(rule.says for rule in rules)
        assert len(left_out) < len(rules)


@contextmanager
def _one_gateway(suite: ProviderSuite) -> Generator[Gateway]:
    """Set up the gateway of a suite, and clean up after."""
    make = getattr(suite, "gateway", None)
    if make is None:
        message = f"{type(suite).__name__} has no gateway: write 'gateway = MyGateway' in it"
        raise TypeError(message)
    made: object = make()
    if isinstance(made, Generator):
        yield from cast("Generator[Gateway]", made)
    elif isinstance(made, Gateway):
        yield made
    else:
        message = (
            f"{type(suite).__name__}.gateway made a {type(made).__name__}: it must make a Gateway, "
            "a class of yours that inherits prenopay.testing.gateway.Gateway"
        )
        raise TypeError(message)
