"""The project's own files: what git knows, or would if it were asked to; a plain walk where there is no git."""

from __future__ import annotations

import functools
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]

_MADE_BY_TOOLS = ("__pycache__", "_build", "build", "dist", "node_modules")


@functools.cache
def files() -> tuple[Path, ...]:
    """Return every file of the project, relative to its root."""
    if shutil.which("git") is not None and (ROOT / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        found = [Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file()]
    else:
        every = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
        found = [path for path in every if not any(_is_made_by_tools(part) for part in path.parts)]
    return tuple(sorted(found))


def _is_made_by_tools(part: str) -> bool:
    return part in _MADE_BY_TOOLS or part.endswith((".egg-info", "_cache")) or part in {".git", ".venv", ".hypothesis"}


@functools.cache
def text(file: Path) -> str:
    """Return what is in ``file``; nothing for what is not text."""
    try:
        return (ROOT / file).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def python_files(*folders: str) -> list[Path]:
    """Return the project's Python files that lie in ``folders``."""
    return [file for file in files() if file.suffix == ".py" and file.parts[0] in folders]
