"""What is shipped: the package and nothing else in the wheel, all that tests and builds need in the sdist."""

from __future__ import annotations

import configparser
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

import prenopay

ROOT = Path(__file__).parents[2]
DIST_INFO = f"prenopay-{prenopay.__version__}.dist-info"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a wheel and an sdist, built without the network."""
    folder = tmp_path_factory.mktemp("built")
    run = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--directory", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(built / f"prenopay-{prenopay.__version__}-py3-none-any.whl")


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    return Parser().parsestr(wheel.read(f"{DIST_INFO}/METADATA").decode())


def sources() -> set[str]:
    """Return every file of the package, as the wheel names it."""
    source = ROOT / "src"
    return {
        str(file.relative_to(source))
        for file in source.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".pyc"
    }


def test_the_wheel_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    found = {name for name in wheel.namelist() if not name.startswith(DIST_INFO)}
    assert sources() == found
    assert {name.partition("/")[0] for name in found} == {"prenopay"}
    assert "prenopay/py.typed" in found
    assert "prenopay/books/migrations/script.py.mako" in found


def test_the_wheel_says_what_it_is(wheel: zipfile.ZipFile, metadata: Message) -> None:
    assert metadata["Name"] == "prenopay"
    assert prenopay.__version__ == metadata["Version"]
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert f"{DIST_INFO}/licenses/LICENSE" in wheel.namelist()
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    assert str(metadata.get_payload()).startswith("# prenopay")


def test_the_wheel_asks_for_no_test_tool(metadata: Message) -> None:
    needed = [each for each in metadata.get_all("Requires-Dist", []) if "extra ==" not in each]
    assert any(each.startswith("sqlalchemy") for each in needed)
    tools = ("pytest", "ruff", "mypy", "hypothesis", "pyright", "hatchling", "sphinx", "starlette", "psycopg")
    assert [each for each in needed if each.startswith(tools)] == []
    assert set(metadata.get_all("Provides-Extra", [])) == {"demo", "dev", "docs", "postgres", "qr", "testing"}


def test_every_entry_point_leads_somewhere(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    points = configparser.ConfigParser()
    points.read_string(wheel.read(f"{DIST_INFO}/entry_points.txt").decode())
    groups = {"prenopay.emulators", "prenopay.gateways", "prenopay.providers"}
    assert set(points.sections()) == {"console_scripts", "pytest11", *groups}
    assert points["pytest11"]["prenopay"] == "prenopay.testing.pytest_plugin"
    assert points["console_scripts"]["prenopay"] == "prenopay.cli:main"
    named = [value for section in points.sections() for value in points[section].values()]
    asked = "; ".join(f"import {module} as m; m.{name or '__name__'}" for module, _, name in map(_parted, named))
    assert asked.count("import") >= 3
    run_from_wheel(wheel, tmp_path, asked)


def test_the_wheel_works_without_its_sources(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    code = f"""
from prenopay import Accounts, upgrade_database
import prenopay
assert prenopay.__file__.startswith({str(tmp_path)!r}), prenopay.__file__
database = "sqlite:///" + {str(tmp_path / "shop.db")!r}
upgrade_database(database)
keys = ["a-key-for-the-tests-that-is-long-enough"]
Accounts.open(database, callback_url="https://shop.example", callback_keys=keys).close()
"""
    run_from_wheel(wheel, tmp_path, code)
    assert (tmp_path / "shop.db").exists()


def _parted(point: str) -> tuple[str, str, str]:
    return point.partition(":")


def run_from_wheel(wheel: zipfile.ZipFile, folder: Path, code: str) -> None:
    """Run ``code`` with the wheel's files found before the installed ones."""
    place = folder / "unpacked"
    wheel.extractall(place)  # noqa: S202 - built here
    code = f"import sys; sys.path.insert(0, {str(place)!r})\n{code}"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


def test_the_sdist_holds_what_is_needed_to_test_and_build_again(built: Path) -> None:
    with tarfile.open(built / f"prenopay-{prenopay.__version__}.tar.gz") as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"src/{name}" for name in sources()} <= names
    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"} <= names
    assert {"tests/conftest.py", "tests/api/test_package.py", ".importlinter"} <= names
    tops = {name.partition("/")[0] for name in names if "/" in name}
    assert tops == {"benchmarks", "docs", "examples", "src", "tests", "tools"}
    assert [name for name in names if name.endswith((".db", ".pyc", ".toml~", ".env", ".pem"))] == []
    assert [name for name in names if "_build/" in name or "__pycache__" in name] == []
