"""Every provider folder has the same shape, imports in one direction, and costs little until it is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from prenopay import providers

_FOLDER: Final = Path(providers.__path__[0])
_PROVIDERS: Final = sorted(each.name for each in _FOLDER.iterdir() if (each / "provider.py").exists())
_FILES: Final = {"config", "provider", "calls", "encoding", "reading", "problems", "inspection", "_wire"}
_HEAVY: Final = {"pydantic", "httpx", "cryptography", "certifi", "segno", "sqlalchemy"}


def _imports(folder: Path) -> dict[str, set[str]]:
    """Return what each module of a package imports from the same package, anywhere in its text."""
    package = f"prenopay.providers.{folder.name}"
    found: dict[str, set[str]] = {}
    for file in folder.glob("*.py"):
        names: set[str] = set()
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
                names |= {f"{node.module}.{each.name}" for each in node.names}
            elif isinstance(node, ast.Import):
                names |= {each.name for each in node.names}
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                names.add(node.value)  # a module that is loaded by its name
        within = {name.removeprefix(f"{package}.") for name in names if name.startswith(f"{package}.")}
        found[file.stem] = {name for name in within if (folder / f"{name}.py").exists()}
    return found


@pytest.mark.parametrize("name", _PROVIDERS)
def test_a_provider_has_the_same_files_as_every_other(name: str) -> None:
    assert _FILES - {file.stem for file in (_FOLDER / name).glob("*.py")} == set()


@pytest.mark.parametrize("name", _PROVIDERS)
def test_imports_within_a_provider_have_no_circle(name: str) -> None:
    left = _imports(_FOLDER / name)
    assert left["__init__"]
    while free := {module for module, needs in left.items() if not needs & set(left)}:
        left = {module: needs for module, needs in left.items() if module not in free}
    assert left == {}


def _loaded_by(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    return {name.partition(".")[0] for name in out.split()}


def test_settings_load_no_client_models_or_certificates() -> None:
    doors = ["prenopay.provider", *(f"prenopay.providers.{name}" for name in _PROVIDERS)]
    loaded = _loaded_by("".join(f"import {door}\n" for door in doors))
    assert "prenopay" in loaded
    assert loaded & _HEAVY == set()


def test_swish_reads_certificates_only_when_asked() -> None:
    account = (
        "from prenopay import Environment\n"
        "from prenopay.providers.swish import Swish\n"
        "Swish(account='swish', environment=Environment.TEST, number='1230000017', certificate='swish.pem')\n"
    )
    assert _loaded_by(account) & _HEAVY == set()
    named = "from prenopay.providers import swish\nassert swish.SwishProvider\n"
    assert {"pydantic", "cryptography"} <= _loaded_by(named)
