"""A host with open doors, for the targets that need one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .targets import open_doors


@pytest.fixture(scope="package", autouse=True)
def doors() -> Iterator[None]:
    with open_doors():
        yield
