"""The real browser that tests drive: found where the system has it, missed loudly where it has not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.conftest import real_part_is_missing

__all__ = ["chromium"]

_PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The same browser under the names that systems give it. The first is without a window, and takes half of the time."""

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@contextmanager
def chromium() -> Iterator[Any]:
    """Start Chromium; it ends with the block, so that its event loop never meets other tests' loops."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        real_part_is_missing("Chromium is not installed")
        return
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - loaded only where a browser is

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_ARGUMENTS)
        yield browser
        browser.close()
