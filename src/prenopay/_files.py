"""Files with secrets or payers' data: made for their owner alone, and reported when every user can read them.

They are reported and not refused. Containers hand out secrets as files that all may read (mode 0444 or 0644) where only
one program runs, and a shop that does not start loses payments. A line in the log and a failed check of ``prenopay
doctor`` lose none. A group's right to read is the operator's choice, such as for a backup, and is not reported.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

__all__ = ["make_private", "open_to_others", "report_open"]


def make_private(path: Path) -> None:
    """Make an empty file that only its owner can read, unless there is one; what cannot be made is left out.

    A file that is there is never opened. When a process closes a file, it gives up all its locks on that file (POSIX).
    SQLite's other connections would lose theirs, and with them what they write.
    """
    if path.exists():
        return
    with suppress(OSError, ValueError):
        descriptor, made = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # its mode is 0600
        os.close(descriptor)
        try:
            os.link(made, path)  # fails if another has made it meanwhile
        finally:
            Path(made).unlink()


def open_to_others(path: Path) -> bool:
    """Whether every user of this machine can read the file: it says so, and so do the folders on the way to it."""
    if os.name != "posix":
        return False  # the mode says nothing there
    try:
        real = path.resolve(strict=True)
        folders_let_in = all(each.stat().st_mode & stat.S_IXOTH for each in real.parents)
        return folders_let_in and bool(real.stat().st_mode & stat.S_IROTH)
    except (OSError, ValueError, RuntimeError):  # it is not there, or is no name of a file, or links to itself
        return False


def report_open(paths: Iterable[Path]) -> None:
    """Log each file that every user of this machine can read."""
    for path in filter(open_to_others, paths):
        import logging  # noqa: PLC0415 - settings are read without it

        said = "%s holds secrets or payers' data, and every user of this machine can read it: chmod 600"
        logging.getLogger("prenopay.files").warning(said, path)
