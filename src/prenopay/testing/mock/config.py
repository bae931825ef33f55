"""One account with the mock: which gateway object it talks to, and how strict that is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prenopay.errors import ConfigurationError
from prenopay.provider import Environment, Inspection, ProviderConfig
from prenopay.testing.http import as_object, read_json
from prenopay.testing.mock.gateway import MockGateway

if TYPE_CHECKING:
    from prenopay.testing.mock.provider import MockProvider

__all__ = ["Mock", "named_in"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mock(ProviderConfig["MockProvider"]):
    """An account with the mock: for tests only, production is refused.

    ``refunds_apart`` keeps refunds as objects of their own, as Swish does. ``finds_charges`` lets a charge
    whose answer was lost be found again; real card gateways cannot, so such a charge stays unknown until a
    person settles it. Raises ``ConfigurationError``.
    """

    environment: Environment = Environment.TEST
    gateway: MockGateway = field(default_factory=MockGateway, repr=False)
    refunds_apart: bool = False
    finds_charges: bool = False
    deadline_seconds: float = 30.0

    def __post_init__(self) -> None:
        """Refuse production."""
        super(Mock, self).__post_init__()  # slots make a new class, which super() without names misses
        if self.environment is not Environment.TEST:
            message = f"accounts.{self.account}: the mock moves no money; it is for the test environment"
            raise ConfigurationError(message)

    def provider(self) -> MockProvider:
        """Build the provider that speaks for this account."""
        from prenopay.testing.mock.provider import MockProvider, MockProviderApart  # noqa: PLC0415 - it imports this

        return MockProviderApart(self) if self.refunds_apart else MockProvider(self)

    @classmethod
    def inspect(cls, body: bytes) -> Inspection:
        """Say what a stored callback of the mock names; raises ``ValueError`` for what is none."""
        kind, name = named_in(body)
        return Inspection(kind=f"callback about a {kind}", provider_reference=name)


def named_in(body: bytes) -> tuple[str, str]:
    """Return what a callback is about, ``payment`` or ``payout``, and its name; raises ``ValueError``."""
    read = as_object(read_json(body)) or {}
    for kind in ("payment", "payout"):
        name = read.get(kind)
        if isinstance(name, str) and name:
            return kind, name
    message = "this is not a callback of the mock"
    raise ValueError(message)
