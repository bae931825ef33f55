"""Every Python block of README and docs runs, every command line parses, every path in a top-level page exists."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from prenopay import cli
from prenopay.testing.callbacks import CallbackAddresses
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.gateway import told_preset
from prenopay.testing.emulators.swedbankpay import LENIENCIES, Behaviour, SwedbankPayEmulator
from prenopay.testing.emulators.swedbankpay.emulator import _WELCOME
from prenopay.testing.server import serve
from tests.conftest import real_part_is_missing
from tests.docs.reading import DOCS, ROOT, command_lines, documents, files_to_write, name_of, run, settings_files

PAGES = [pytest.param(page, id=name_of(page)) for page in documents()]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize("page", PAGES)
def test_python_blocks_run(page: Path, stage: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in settings_files(page).items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")
    for name in re.findall(r'"env:(\w+)"', page.read_text(encoding="utf-8")):
        monkeypatch.setenv(name, "a-long-random-text-from-your-secret-store")
    for name, text in files_to_write(page).items():
        Path(name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(Path.cwd())
    if "127.0.0.1:8001" in page.read_text(encoding="utf-8"):
        left_out = run_with_served_gateway(page, stage)
    else:
        left_out = run(page, stage, exchange={})
    if left_out:
        real_part_is_missing("; ".join(dict.fromkeys(left_out)))


def test_the_files_of_the_tutorial_are_all_that_it_needs(tmp_path: Path) -> None:
    page = DOCS / "tutorial-tests.md"
    files = files_to_write(page)
    assert list(files) == ["shop.py", "test_shop.py", "lost_answer.py"]
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")

    def python(*arguments: str) -> str:
        command = [sys.executable, *arguments]
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    assert "2 passed" in python("-m", "pytest", "-p", "no:cacheprovider")
    assert f"```text\n{python('lost_answer.py')}```" in page.read_text(encoding="utf-8")


def test_the_tutorial_shows_what_the_emulator_says() -> None:
    merchant = SwedbankPayEmulator().merchants[0]
    takes = told_preset("strict", SwedbankPayEmulator.presets["strict"].takes, LENIENCIES)
    names = {"payee_id": merchant.payee_id, "access_token": merchant.access_token, "takes": takes}
    said = _WELCOME.format(url="http://127.0.0.1:8001", **names)
    assert f"```text\n{said}\n```" in (DOCS / "tutorial.md").read_text(encoding="utf-8")


def run_with_served_gateway(page: Path, stage: dict[str, Any]) -> list[str]:
    """Serve the emulator, and replace the ports that the page names by free ones."""
    here = Behaviour(callback_addresses=CallbackAddresses.LOCAL)
    emulator = stage["emulator"] = SwedbankPayEmulator(clock=VirtualClock(real_time=True), behaviour=here)
    port = free_port()
    with serve(emulator) as served:
        exchange = {
            "127.0.0.1:8001": f"127.0.0.1:{served.port}",
            "127.0.0.1:8000": f"127.0.0.1:{port}",
            '"127.0.0.1", 8000': f'"127.0.0.1", {port}',
        }
        return run(page, stage, exchange=exchange)


@pytest.mark.parametrize("page", PAGES)
def test_command_lines_are_ones(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in command_lines(page):
        assert exit_code(arguments) == 0, f"prenopay {' '.join(arguments)}: {capsys.readouterr().err}"


def exit_code(arguments: list[str]) -> object:
    """Return the exit code of the real parser for ``arguments``."""
    try:
        cli._parser().parse_args(arguments)
    except SystemExit as ended:
        return ended.code
    return 0


def test_no_page_hides_code() -> None:
    hiding = [name_of(page) for page in documents() if "invisible-code" in page.read_text(encoding="utf-8")]
    assert hiding == []


def test_pages_import_through_the_four_doors_only() -> None:
    doors = re.compile(r"prenopay(\.(errors|provider|providers\.\w+|web\.(asgi|wsgi)|testing\.[\w.]+))?")
    imported = re.compile(r"^\s*(?:from|import) (prenopay[\w.]*)", re.MULTILINE)
    sources = [*documents(), *sorted((ROOT / "examples" / "publisher_shop").glob("*.py"))]
    found = [(name_of(each), name) for each in sources for name in imported.findall(each.read_text(encoding="utf-8"))]
    assert len(found) > 50
    assert [each for each in found if not doors.fullmatch(each[1])] == []


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_paths_named_are_there(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    named = re.findall(r"`((?:docs|examples|src|tests|benchmarks)/[\w./-]*)`", text)
    named += re.findall(r"\]\((?!https?:)([^)#]+)", text)
    missing = [path for path in named if not (ROOT / path).exists() and not path.startswith("docs/_build")]
    assert missing == []
