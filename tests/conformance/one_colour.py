"""The suite in blocking code only: for a provider whose other configuration was tried in both colours."""

from __future__ import annotations

import pytest

from prenopay.testing.conformance import ProviderSuite


class OneColour(ProviderSuite):
    """Another agreement changes what is sent, not how it is waited for."""

    @pytest.fixture
    def colour(self) -> str:
        return "blocking"
