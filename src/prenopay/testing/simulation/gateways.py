"""Which gateways a run has, what each of them can do, and what they did: the truth that the books are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from itertools import combinations_with_replacement
from random import Random
from typing import Any, Final, TypeVar, cast

from prenopay._arguments import check_arguments, refuse_misuse
from prenopay.errors import ConfigurationError, InvalidOrder
from prenopay.ports import HttpRequest
from prenopay.provider import Captures, PaymentProvider, ProviderConfig
from prenopay.testing.clock import VirtualClock
from prenopay.testing.faults import Fault
from prenopay.testing.gateway import (
    Asked,
    Behaviours,
    Gateway,
    GatewayMaker,
    History,
    Move,
    Ordered,
    PayerRefused,
    SharedAgreement,
    Totals,
)
from prenopay.values.orders import CaptureMode, Order

__all__ = ["GROUP", "Gateways", "Place", "find_gateways", "text_of"]

GatewayT = TypeVar("GatewayT")

GROUP: Final = "prenopay.gateways"
"""The entry points that name gateways to simulate: classes that inherit ``Gateway`` and ``History``."""
_OURS: Final = "prenopay"


@check_arguments(refuse_misuse, any_text=True)
def find_gateways(names: Sequence[str] = ()) -> dict[str, GatewayMaker]:
    """Return gateways by name; without names, those that ship with prenopay.

    A name is an entry point's (``prenopay.gateways``), or ``module:Class``. Raises ``ConfigurationError``.
    """
    known = {point.name: point for point in entry_points(group=GROUP)}
    ours = sorted(name for name, point in known.items() if point.dist is None or point.dist.name == _OURS)
    found: dict[str, GatewayMaker] = {}
    for name in names or ours:
        point = EntryPoint(name.rpartition(":")[2].lower(), name, GROUP) if ":" in name else known.get(name)
        if point is None:
            message = f"there is no gateway {name!r}; there are: {', '.join(sorted(known)) or 'none'}, or module:Class"
            raise ConfigurationError(message)
        found[point.name] = _load(name, point)
    return found


def _load(name: str, point: EntryPoint) -> GatewayMaker:
    try:
        maker = point.load()
    except (ImportError, AttributeError) as error:
        message = f"gateway {name!r} cannot be imported: {error}"
        raise ConfigurationError(message) from error
    if not (isinstance(maker, type) and issubclass(maker, Gateway) and issubclass(maker, History)):
        message = f"gateway {name!r} cannot be simulated: {point.value} must inherit Gateway and History"
        raise ConfigurationError(message)
    made: Any = maker
    return cast("GatewayMaker", made)


@dataclass(frozen=True, slots=True)
class Place:
    """One account at one gateway."""

    name: str
    gateway: Gateway
    config: ProviderConfig[PaymentProvider]
    provider: PaymentProvider

    @property
    def history(self) -> History:
        """The gateway as one that tells what it did."""
        assert isinstance(self.gateway, History), "checked where it was found"
        return self.gateway

    def has(self, *needs: type) -> bool:
        """Whether the provider has these verbs, and the gateway these abilities."""
        return set(needs) <= {*type(self.provider).__mro__, *type(self.gateway).__mro__}

    def takes(self, order: Order) -> bool:
        """Whether the provider can express ``order``."""
        try:
            self.provider.check_order(order)
        except InvalidOrder:
            return False
        return True

    def capture_mode(self, chance: Random, *modes: CaptureMode) -> CaptureMode:
        """Choose a mode; where nothing is captured there is only one."""
        mode = chance.choice(modes)
        return mode if self.has(Captures) else CaptureMode.AUTOMATIC


class Gateways:
    """The gateways of one life, and the accounts at them."""

    def __init__(self, makers: Mapping[str, GatewayMaker], clock: VirtualClock, seed: int, chance: Random) -> None:
        """Make one gateway or two, as ``seed`` says, or two accounts at one; ``chance`` decides how they behave."""
        names = sorted(makers)
        casts = [each for many in (1, 2) for each in combinations_with_replacement(names, many)]
        self.all: dict[str, Gateway] = {}
        self.places: dict[str, Place] = {}
        self.foreign: set[str] = set()
        """Payments and payouts of another shop with one of our agreements."""
        self.taken: set[str] = set()
        """The references that the other shop used first."""
        for name in casts[seed % len(casts)]:
            if name not in self.all:
                self.all[name] = makers[name](clock=clock, seed=seed)
                if isinstance(behaving := self.all[name], Behaviours):
                    behaving.vary(chance)
            account = f"{name}-two" if name in self.places else name
            config = self.all[name].account(account)
            self.places[account] = Place(account, self.all[name], config, config.provider())

    def having(self, *needs: type) -> list[Place]:
        """Return the accounts that have all of ``needs``: verbs of the provider, abilities of the gateway."""
        return [place for place in self.places.values() if place.has(*needs)]

    def each(self, ability: type[GatewayT]) -> list[GatewayT]:
        """Return the gateways that have an ability."""
        return [gateway for gateway in self.all.values() if isinstance(gateway, ability)]

    def plan(self, fault: Fault) -> None:
        """Have the next call meet ``fault``, whichever gateway it goes to."""
        for gateway in self.all.values():
            gateway.faults.add(fault)

    def forget_plans(self) -> None:
        """Take back what was planned for the gateway that was not called."""
        for gateway in self.all.values():
            gateway.faults.clear()

    def take_reference(self, request: HttpRequest) -> bool:
        """Let another shop use the reference of a request before it arrives; return whether it could."""
        for gateway in self.each(SharedAgreement):  # type: ignore[type-abstract]  # an ability
            taken = gateway.take_reference(request)
            if taken is not None:
                self.foreign.add(taken)
                asked = self.asked_in(request)
                self.taken |= set() if asked is None else {asked.reference}
                if isinstance(gateway, Gateway) and len(self.foreign) % 2:
                    with suppress(PayerRefused):
                        gateway.pays(taken)
                return True
        return False

    # What they did. All of it by the gateways' names of payments, without those of another shop

    def totals(self) -> dict[str, Totals]:
        """Return what every payment adds up to."""
        found = {name: totals for gateway in self.all.values() for name, totals in gateway.books().items()}
        return {name: totals for name, totals in found.items() if name not in self.foreign}

    def moves(self) -> list[Move]:
        """Return every movement of money there ever was."""
        found = (move for gateway in self._histories for move in gateway.moves())
        return [move for move in found if move.payment not in self.foreign]

    def ordered(self) -> dict[str, Ordered]:
        """Return what every payment is for."""
        return {name: ordered for gateway in self._histories for name, ordered in gateway.ordered().items()}

    def payable(self) -> set[str]:
        """Return the payments that somebody could pay now."""
        return {name for gateway in self._histories for name in gateway.payable()} - self.foreign

    def failed_back(self) -> set[str]:
        """Return the payments of which a refund was accepted and failed later."""
        return {name for gateway in self._histories for name in gateway.failed_back()}

    def methods_by_payment(self) -> dict[str, int]:
        """Return how many methods each payment stored that can still be charged."""
        return {name: count for gateway in self._histories for name, count in gateway.methods_by_payment().items()}

    def made_under(self, references: set[str]) -> str | None:
        """Return the payment that moved money under one of our references, as a person finds it in a portal."""
        return next((each.payment for each in self.moves() if each.reference in references), None)

    def asked_in(self, request: HttpRequest) -> Asked | None:
        """Return what a request asks for, if it is one that moves money."""
        answers = (gateway.asked_in(request) for gateway in self._histories)
        return next((asked for asked in answers if asked is not None), None)

    def left_to_refund(self, payment: str) -> int | None:
        """Return what can still be given back, without what is on its way; ``None`` for an unknown payment."""
        answers = (gateway.left_to_refund(payment) for gateway in self._histories)
        return next((left for left in answers if left is not None), None)

    def secrets(self) -> set[str]:
        """Return what no log and no database may hold."""
        return {secret for gateway in self.all.values() for secret in gateway.secrets()} - {""}

    def unloggable(self) -> set[str]:
        """Return what no log may show: secrets, what is known of payers, and links that open payments."""
        shown = {each for gateway in self.all.values() for each in (*gateway.personal(), *gateway.links())}
        return self.secrets() | shown - {""}

    @property
    def _histories(self) -> list[History]:
        return self.each(History)  # type: ignore[type-abstract]  # an ability is asked for by its class


def text_of(account: str, operation_id: str) -> str:
    """Return what an operation is described as on the wire: accounts share operation ids, and texts they do not."""
    return f"{operation_id} {account}"
