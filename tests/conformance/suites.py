"""Who is tried where: the full product of colours and databases, or one of each for another agreement."""

from __future__ import annotations

import pytest

from prenopay.testing.conformance import ProviderSuite


@pytest.mark.every_store
class OnBothDatabases(ProviderSuite):
    """The suite in both colours on SQLite and on PostgreSQL."""

    @pytest.fixture
    def database(self, database: str) -> str:  # the one of tests/conftest.py, in both kinds
        return database


class OneColour(ProviderSuite):
    """Another agreement changes what is sent, not how it is waited for nor where it is stored."""

    @pytest.fixture
    def colour(self) -> str:
        return "blocking"
