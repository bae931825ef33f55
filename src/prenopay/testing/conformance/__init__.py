"""The conformance suite: what every provider must keep, as tests that a provider author inherits."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("prenopay.testing.conformance.rules")

from prenopay.testing.conformance.applying import Needs, Rule  # noqa: E402 - assertions are rewritten from here on
from prenopay.testing.conformance.stage import Stage  # noqa: E402 - as above
from prenopay.testing.conformance.suite import ProviderSuite  # noqa: E402 - as above
from prenopay.testing.conformance.world import Totals, Trouble, World, an_order  # noqa: E402 - as above

__all__ = ["Needs", "ProviderSuite", "Rule", "Stage", "Totals", "Trouble", "World", "an_order"]
