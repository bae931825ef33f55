"""``python -m tests.chaos [--seed N] [--minutes M] [--database sqlite|postgresql]``: run one story after another."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from prenopay import upgrade_database
from tests.chaos.running import tell
from tests.postgresql import start_server


@contextmanager
def _databases(kind: str) -> Generator[Iterator[str]]:
    with tempfile.TemporaryDirectory(prefix="prenopay-chaos-") as folder:
        if kind == "sqlite":
            yield _files(Path(folder))
            return
        server = start_server(Path(folder))
        if isinstance(server, str):
            sys.exit(server)

        def emptied() -> Iterator[str]:
            while True:
                server.empty()
                yield server.url

        try:
            yield emptied()
        finally:
            server.stop()


def _files(folder: Path) -> Iterator[str]:
    while True:
        shutil.rmtree(folder / "books", ignore_errors=True)
        (folder / "books").mkdir()
        url = f"sqlite:///{folder / 'books' / 'shop.db'}"
        upgrade_database(url)
        yield url


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first story (default 0)")
    parser.add_argument("--minutes", type=float, default=10, help="how long in all (default 10)")
    parser.add_argument("--seconds", type=float, default=60, help="how long one story lasts (default 60)")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    arguments = parser.parse_args()
    until, seed, is_broken = time.monotonic() + arguments.minutes * 60, arguments.seed, False
    with _databases(arguments.database) as databases:
        for database in databases:
            ended = tell(database, seed=seed, seconds=arguments.seconds)
            happened = ", ".join(f"{what} {times}" for what, times in sorted(ended.happened.items()))
            sys.stdout.write(f"story {seed} on {arguments.database}: {len(ended.broken)} broken ({happened})\n")
            sys.stdout.writelines(f"  {each}\n" for each in ended.broken)
            sys.stdout.flush()
            seed, is_broken = seed + 1, is_broken or bool(ended.broken)
            if time.monotonic() >= until:
                break
    return 1 if is_broken else 0


if __name__ == "__main__":
    sys.exit(main())
