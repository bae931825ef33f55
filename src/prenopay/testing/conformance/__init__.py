"""The conformance suite: what every provider must keep, as tests that a provider author inherits."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("prenopay.testing.conformance.rules")

from prenopay.testing.conformance.stage import Needs, Rule, Stage, needs  # noqa: E402 - assertions are rewritten now
from prenopay.testing.conformance.suite import ProviderSuite  # noqa: E402 - as above

__all__ = ["Needs", "ProviderSuite", "Rule", "Stage", "needs"]
