"""Files with secrets or payers' data: prenopay makes them private, and reports those that all users can read."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from prenopay import Accounts, Environment, load_settings, upgrade_database
from prenopay.books.engine import open_engine
from prenopay.cli import main
from prenopay.providers.swish import Swish
from prenopay.testing.emulators.swish import SwishAuthority

from .shop import KEY

NUMBER = "1234679304"
PUBLIC, GROUP, OWN = 0o644, 0o640, 0o600


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder that every user can enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        before = os.umask(0o022)
        yield Path(made)
        os.umask(before)


@pytest.fixture
def reported(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Return the names of the files that were reported since the last call."""

    def names() -> list[str]:
        found = [each.getMessage().split()[0] for each in caplog.records if each.name == "prenopay.files"]
        caplog.clear()
        return sorted({Path(name).name for name in found})

    return names


def _mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def _opened(folder: Path) -> Accounts:
    url = "https://shop.example/callbacks"
    return Accounts.open(f"sqlite:///{folder}/shop.db", callback_url=url, callback_keys=[KEY])


def test_a_new_database_can_be_read_by_its_owner_alone(folder: Path, reported: Callable[[], list[str]]) -> None:
    upgrade_database(f"sqlite:///{folder}/shop.db")
    accounts = _opened(folder)
    assert accounts.unserved() == ()
    assert {each.name: _mode(each) for each in folder.iterdir()} == dict.fromkeys(
        ("shop.db", "shop.db-shm", "shop.db-wal"), OWN
    )
    accounts.close()
    assert reported() == []


def test_another_connection_of_the_process_gives_up_no_lock(folder: Path) -> None:
    """A process that closes a file gives up all its locks on it. Then another process removes what it writes."""
    url, log = f"sqlite:///{folder}/shop.db", folder / "shop.db-wal"
    upgrade_database(url)
    reads = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM sqlite_master').fetchall()"
    first, second = open_engine(url), open_engine(url)
    with first.connect(), second.connect():
        before = log.stat().st_ino
        subprocess.run([sys.executable, "-c", reads, folder / "shop.db"], check=True)
        assert log.exists(), "another process took itself for the last one"
        assert log.stat().st_ino == before
    first.dispose()
    second.dispose()


@pytest.mark.parametrize(("mode", "is_reported"), [(PUBLIC, True), (GROUP, False), (OWN, False)])
def test_a_database_that_every_user_can_read_is_reported(
    folder: Path, reported: Callable[[], list[str]], mode: int, *, is_reported: bool
) -> None:
    upgrade_database(f"sqlite:///{folder}/shop.db")
    (folder / "shop.db").chmod(mode)
    _opened(folder).close()
    assert reported() == ["shop.db"] * is_reported
    folder.chmod(0o700)
    _opened(folder).close()
    assert reported() == []


def test_keys_that_every_user_can_read_are_reported_and_a_certificate_is_not(
    folder: Path, reported: Callable[[], list[str]]
) -> None:
    issued = SwishAuthority().issue(NUMBER, key_size=2048)
    contents = {"cert.pem": issued.chain_pem, "key.pem": issued.key_pem, "word": b"pass", "toml": b""}
    contents |= {"both.pem": issued.chain_pem + issued.key_pem, "both.p12": issued.pkcs12()}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    key_file: dict[str, Any] = {"certificate": folder / "cert.pem", "private_key": f"file:{folder}/key.pem"}
    kinds: list[tuple[dict[str, Any], list[str]]] = [
        (key_file, ["key.pem"]),
        ({"certificate": str(folder / "both.pem"), "password": f"file:{folder}/word"}, ["both.pem", "word"]),
        ({"certificate": folder / "both.p12", "private_key": issued.key_pem}, ["both.p12"]),
        ({"certificate": issued.chain_pem, "private_key": issued.key_pem}, []),
    ]
    for settings, names in kinds:
        account = Swish(account="swish", environment=Environment.TEST, number=NUMBER, **settings)
        assert sorted(file.name for file in account.secret_files()) == names

    upgrade_database(f"sqlite:///{folder}/shop.db")
    accounts = _opened(folder)
    accounts.add(Swish(account="swish", environment=Environment.TEST, number=NUMBER, **key_file))
    accounts.close()
    assert reported() == ["key.pem"]


_SETTINGS = """
database = "postgresql://prenopay:p:a@ss@127.0.0.1/shop"
callback_url = "https://shop.example/callbacks"
callback_keys = ["file:callback-key"]
[accounts.cards]
provider = "swedbankpay"
environment = "test"
payee_id = "00000000-1111-2222-3333-444444444444"
access_token = "file:token"
"""


def test_settings_with_secrets_that_every_user_can_read_are_reported(
    folder: Path, reported: Callable[[], list[str]]
) -> None:
    contents = {"prenopay.toml": _SETTINGS, "callback-key": KEY, "token": "a-token"}
    for name, content in contents.items():
        (folder / name).write_text(content, encoding="utf-8")
    (folder / "token").chmod(OWN)
    found = load_settings(folder / "prenopay.toml")
    assert sorted(file.name for file in found.secret_files) == sorted(contents)
    assert reported() == ["callback-key", "prenopay.toml"]

    without = _SETTINGS.replace(":p:a@ss", "")
    (folder / "prenopay.toml").write_text(without, encoding="utf-8")
    load_settings(folder / "prenopay.toml")
    assert reported() == ["callback-key"]


def test_the_doctor_names_each_file_and_what_to_do(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = f"sqlite:///{folder}/shop.db"
    upgrade_database(database)
    settings = [
        f'database = "{database}"',
        'callback_url = "https://shop.example/callbacks"',
        'callback_keys = ["file:callback-key"]',
        "[accounts]",
    ]
    (folder / "callback-key").write_text(KEY, encoding="utf-8")
    (folder / "prenopay.toml").write_text("\n".join(settings), encoding="utf-8")
    assert main(["doctor", "--config", str(folder / "prenopay.toml")]) == 1
    said = capsys.readouterr().out
    assert f"FAIL  files: every user of this machine can read {folder}/callback-key" in said
    assert f"chmod 600 {folder}/callback-key" in said
    assert "shop.db" not in said
    (folder / "callback-key").chmod(OWN)
    assert main(["doctor", "--config", str(folder / "prenopay.toml")]) == 0
