"""Runs pytest on a small host project, as a host would: another process, another folder, the plugin as installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

INI = """
[pytest]
filterwarnings =
    error
    ignore:Using `httpx` with `starlette.testclient`
addopts = -ra -p no:cacheprovider -p no:hypothesispytest
"""


class Ran:
    """How the host's tests ended."""

    def __init__(self, said: str) -> None:
        self.said = said

    def count(self, word: str) -> int:
        """Return how many tests ended as ``word`` (``passed``, ``failed``, ``errors``)."""
        found = re.findall(rf"(\d+) {word}", self.said.rstrip().rsplit("\n", 1)[-1])
        return int(found[0]) if found else 0


def run_tests(folder: Path, *options: str, **files: str) -> Ran:
    """Write ``files`` (module names without ``.py``) into ``folder``, and run their tests."""
    (folder / "pytest.ini").write_text(INI, encoding="utf-8")
    for name, content in files.items():
        (folder / f"{name}.py").write_text(content, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PRENOPAY_", "PYTEST_"))}
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "--rootdir", str(folder), *options, str(folder)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return Ran(ended.stdout + ended.stderr)
