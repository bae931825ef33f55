"""A pgbouncer in transaction mode for the tests: each transaction may run on another session of the server."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from tests.postgresql import free_port, other_user, wait_until_ready

_SESSIONS = 3


class Pooler:
    """A running pgbouncer, with fewer sessions at the server than a process opens at the pooler."""

    def __init__(self, process: subprocess.Popen[bytes], url: str) -> None:
        self._process = process
        self.url = url

    def open_sessions(self) -> None:
        """Use every session at once, so that all are open. After that, each transaction gets the next one."""
        with ExitStack() as together:
            for _ in range(_SESSIONS):
                together.enter_context(psycopg.connect(self.url)).execute("SELECT 1")

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(timeout=60)


def start_pooler(folder: Path, server: str) -> Pooler | str:
    """Start a pooler in front of the database ``server``; return why not, where that cannot be."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        return "pgbouncer is not installed here"
    there, port, user = make_url(server), free_port(), other_user()
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        "[databases]\n"
        f"* = host={there.host} port={there.port} user=postgres\n"
        "[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = any\npool_mode = transaction\ndefault_pool_size = {_SESSIONS}\nserver_round_robin = 1\n"
        "server_check_delay = 0\n",
        encoding="utf-8",
    )
    if user is not None:
        shutil.chown(folder, user)  # the pooler refuses to run as root
        shutil.chown(settings, user)
    with (folder / "pooler.log").open("wb") as log:
        process = subprocess.Popen([program, settings], stdout=log, stderr=log, user=user, cwd=folder)
    wait_until_ready(port, process)
    return Pooler(process, there.set(port=port).render_as_string())
