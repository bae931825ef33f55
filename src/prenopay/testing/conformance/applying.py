"""Which rules apply to which provider: what a rule needs, said once beside it, and why another does not apply."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar, cast

from prenopay.provider import PaymentProvider
from prenopay.testing.conformance.world import World

__all__ = ["Needs", "Rule", "needs", "needs_of", "rules_of"]

T = TypeVar("T", bound=Callable[..., object])

_ATTRIBUTE: Final = "prenopay_needs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a rule is about: the protocols that the provider inherits, the limits that are true.

    ``wire``: there must be a network; ``hooks`` are the parts of ``World`` without which the rule cannot be tried.
    """

    protocols: tuple[type, ...] = ()
    limits: tuple[str, ...] = ()
    wire: bool = False
    hooks: tuple[str, ...] = ()

    def missing(self, provider: PaymentProvider, world: World) -> str:
        """Return why the rule does not apply to the provider; empty when it does."""
        for protocol in self.protocols:
            if protocol not in type(provider).__mro__:
                return f"{provider.name} does not inherit {protocol.__name__}"
        for limit in self.limits:
            if not getattr(provider.limits, limit):
                return f"{provider.name} declares limits.{limit} as {getattr(provider.limits, limit)}"
        if self.wire and world.lose is not None:
            return f"{provider.name} has no wire: World.lose stands in for it"
        return ""

    def not_given(self, world: World) -> str:
        """Return which part of the world is missing, with what to do; empty when all is there."""
        absent = [name for name in self.hooks if getattr(world, name) is None]
        return f"give World({', '.join(f'{name}=…' for name in absent)}): this rule applies" if absent else ""


def needs(
    *protocols: type,
    limits: tuple[str, ...] = (),
    wire: bool = False,
    hooks: tuple[str, ...] = (),
) -> Callable[[T], T]:
    """Say beside a rule what it needs; see ``Needs``."""
    wanted = Needs(protocols=protocols, limits=limits, wire=wire, hooks=hooks)

    def mark(rule: T) -> T:
        rule.__dict__[_ATTRIBUTE] = wanted
        return rule

    return mark


def needs_of(rule: Callable[..., object]) -> Needs:
    """Return what a rule needs; one that says nothing applies to every provider."""
    return cast("Needs", getattr(rule, _ATTRIBUTE, Needs()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: its test's name, what it says, and why it does not apply (empty when it does)."""

    name: str
    says: str
    missing: str


def rules_of(suite: type, provider: PaymentProvider, world: World) -> tuple[Rule, ...]:
    """Return every rule of a suite, in the order in which they are written."""
    found: list[Rule] = []
    for name in dir(suite):
        member: object = getattr(suite, name)
        if name.startswith("test_") and callable(member):
            says = (inspect.getdoc(member) or "").partition("\n")[0]
            found.append(Rule(name=name, says=says, missing=needs_of(member).missing(provider, world)))
    return tuple(found)
