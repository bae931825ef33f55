"""Who is tried where: in both colours and on both databases in turn, or in one of each for another agreement."""

from __future__ import annotations

import pytest

from prenopay.testing.conformance import ProviderSuite
from prenopay.testing.conformance.rules.answers import Answers
from prenopay.testing.conformance.rules.callbacks import Callbacks
from prenopay.testing.conformance.rules.portal import ByHand
from prenopay.testing.conformance.rules.secrets import Secrets
from prenopay.testing.conformance.rules.values import Values


class OnBothDatabases(ProviderSuite):
    """The suite in both colours and on both databases: a rule on one store of the four, another for each provider."""

    @pytest.fixture
    def database(self, database: str) -> str:  # the one of tests/conftest.py, in both kinds
        return database


class OneColour(ProviderSuite):
    """Another agreement changes what is sent, not how it is waited for nor where it is stored."""

    @pytest.fixture
    def colour(self) -> str:
        return "blocking"


class AboutReferences(OneColour):
    """Another form of references changes how something is asked for and found again, and nothing else."""


for _rules in (Answers, ByHand, Callbacks, Secrets, Values):
    for _name in vars(_rules):
        if _name.startswith("test_"):
            setattr(AboutReferences, _name, None)
