"""``prenopay swish csr``: a key for its owner, a request for the portal, and no file ever overwritten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from prenopay.cli import main, swish


def run(folder: Path, *more: str, number: str = "123 467 93 04", organisation: str = "556000-0000") -> int:
    names = ("--out-key", str(folder / "swish.key"), "--out-csr", str(folder / "swish.csr"))
    return main(["swish", "csr", "--number", number, "--organisation", organisation, *names, *more])


def test_a_key_and_its_request_are_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path) == 0
    key = serialization.load_pem_private_key((tmp_path / "swish.key").read_bytes(), None)
    request = x509.load_pem_x509_csr((tmp_path / "swish.csr").read_bytes())
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 4096
    assert request.is_signature_valid
    assert request.public_key() == key.public_key()
    named = {each.oid: each.value for each in request.subject}
    expected = {
        NameOID.COMMON_NAME: "1234679304",
        NameOID.ORGANIZATION_NAME: "556000-0000",
        NameOID.COUNTRY_NAME: "SE",
    }
    assert expected == named
    assert (tmp_path / "swish.key").stat().st_mode & 0o777 == 0o600
    assert "portal.swish.nu" in capsys.readouterr().out


@pytest.fixture
def small_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swish, "_BITS", 2048)


@pytest.mark.usefixtures("small_keys")
def test_json_is_printed_for_scripts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert (str(tmp_path / "swish.key"), "1234679304") == (printed["key"], printed["number"])


@pytest.mark.usefixtures("small_keys")
@pytest.mark.parametrize("name", ["swish.key", "swish.csr"])
def test_nothing_is_overwritten(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / name).write_text("precious")
    assert run(tmp_path) == 2
    assert "is left as it is" in capsys.readouterr().err
    assert [(tmp_path / name)] == list(tmp_path.iterdir())
    assert (tmp_path / name).read_text() == "precious"


@pytest.mark.usefixtures("small_keys")
def test_a_link_to_nowhere_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "swish.key").symlink_to(tmp_path / "elsewhere")
    assert run(tmp_path) == 2
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.usefixtures("small_keys")
def test_both_or_neither_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = tmp_path / "swish.key"
    names = ("--out-key", str(key), "--out-csr", str(tmp_path / "no folder" / "swish.csr"))
    assert main(["swish", "csr", "--number", "1234679304", "--organisation", "556000-0000", *names]) == 2
    assert "--out-csr" in capsys.readouterr().err
    assert not key.exists()


@pytest.mark.parametrize(
    ("number", "organisation", "option"),
    [("12", "556000-0000", "--number"), ("1234679304", " ", "--organisation"), ("1234679304", "x" * 65, "--org")],
)
def test_what_cannot_be_in_a_request_is_refused(
    tmp_path: Path, number: str, organisation: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, number=number, organisation=organisation) == 2
    assert option in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
