"""Swish keeps every rule."""

from __future__ import annotations

from prenopay.testing.emulators.swish.gateway import SwishConsents, SwishGateway
from tests.conformance.suites import OnBothDatabases, OneColour


class TestSwish(OnBothDatabases):
    gateway = SwishGateway


class TestSwishConsents(OneColour):
    gateway = SwishConsents
