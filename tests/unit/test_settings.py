"""A ``prenopay.toml`` is read strictly: every error names the file and the key, and no secret may be in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from prenopay import Secret
from prenopay.cli import settings
from prenopay.errors import ConfigurationError
from prenopay.provider import Environment
from prenopay.providers.swedbankpay import ReferenceFormat, SwedbankPay

_PAYEE = "7f3c9a10-1b2c-4d5e-8f90-a1b2c3d4e5f6"
_KEY = "a-key-for-the-tests-that-is-long-enough"

_TOP = f"""
database = "sqlite:///shop.db"
callback_url = "https://shop.example/prenopay"
callback_keys = ["env:PRENOPAY_TEST_KEY"]
[accounts.paper]
provider = "swedbankpay"
environment = "test"
payee_id = "{_PAYEE}"
access_token = "env:PRENOPAY_TEST_TOKEN"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PRENOPAY_TEST_TOKEN", "the-token")
    monkeypatch.setenv("PRENOPAY_TEST_KEY", _KEY)
    monkeypatch.delenv("PRENOPAY_TEST_NOTHING", raising=False)
    monkeypatch.delenv("PRENOPAY_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, text: str = _TOP, *, name: str = "prenopay.toml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


# What is read


def test_an_account_is_what_the_file_says(folder: Path) -> None:
    more = """
reference_format = "digits_12"
host_urls = ["https://shop.example"]
deadline_seconds = 5
callback_sources = ["20.91.170.120/29"]
"""
    read = settings.load_settings(write(folder, _TOP + more))
    expected = SwedbankPay(
        account="paper",
        environment=Environment.TEST,
        payee_id=_PAYEE,
        access_token=Secret("the-token"),
        reference_format=ReferenceFormat.DIGITS_12,
        host_urls=("https://shop.example",),
        deadline_seconds=5,
        callback_sources=("20.91.170.120/29",),
    )
    assert (expected,) == read.accounts


def test_the_top_of_the_file_is_read(folder: Path) -> None:
    read = settings.load_settings(write(folder))
    expected = ("sqlite:///shop.db", "https://shop.example/prenopay", (Secret(_KEY),))
    assert expected == (read.database, read.callback_url, read.callback_keys)


def test_the_file_is_found_here(folder: Path) -> None:
    write(folder)
    assert Path("prenopay.toml") == settings.load_settings().path


def test_the_file_is_found_by_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(folder, name="elsewhere.toml")
    monkeypatch.setenv("PRENOPAY_CONFIG", str(file))
    assert file == settings.load_settings().path


def test_a_path_given_comes_before_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRENOPAY_CONFIG", str(folder / "nowhere.toml"))
    file = write(folder)
    assert file == settings.load_settings(file).path


def test_secrets_are_read_from_files_beside_it(folder: Path) -> None:
    write(folder, "the-token\n", name="token.txt")
    read = settings.load_settings(write(folder, _TOP.replace("env:PRENOPAY_TEST_TOKEN", "file:token.txt")))
    (account,) = read.accounts
    assert isinstance(account, SwedbankPay)
    assert Secret("the-token") == account.access_token


def test_the_database_may_be_a_reference(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRENOPAY_TEST_DATABASE", "postgresql://u:hunter2@db/shop")
    read = settings.load_settings(write(folder, _TOP.replace("sqlite:///shop.db", "env:PRENOPAY_TEST_DATABASE")))
    expected = "postgresql://u:hunter2@db/shop"
    assert expected == read.database


def test_the_installed_providers_are_known() -> None:
    assert "swedbankpay" in settings.provider_kinds()


# What is refused

_WRONG = [
    ("database =", "database", "is missing"),
    ('database = "sqlite:///shop.db"|database = 5', "database", "must be a text, not 5"),
    ('"sqlite:///shop.db"|"env:PRENOPAY_TEST_NOTHING"', "database", "the environment has no PRENOPAY_TEST_NOTHING"),
    ("callback_url =", "callback_url", "is missing"),
    ('"https://shop.example/prenopay"|7', "callback_url", "must be a text, not 7"),
    ("callback_keys =", "callback_keys", "is missing"),
    ('["env:PRENOPAY_TEST_KEY"]|[5]', "callback_keys[0]", "keep it out of this file"),
    ('["env:PRENOPAY_TEST_KEY"]|["file:nowhere"]', "callback_keys[0]", "nowhere cannot be read"),
    ("callback_url|callback_uri", "callback_uri", "is not a setting; did you mean 'callback_url'?"),
    ("[accounts.paper]|[[accounts]]", "accounts", "must be a table"),
    ("[accounts.paper]|[accounts]", "accounts.provider", "must be a table: [accounts.provider]"),
    ("provider =", "accounts.paper.provider", "is missing"),
    ('"swedbankpay"|"nosuchpay"', "accounts.paper.provider", "'nosuchpay' is not installed; there are:"),
    ('"swedbankpay"|5', "accounts.paper.provider", "must be a text, not 5"),
    ("environment =", "accounts.paper.environment", "is missing"),
    ('"test"|"staging"', "accounts.paper.environment", "must be one of test, production, not 'staging'"),
    ('"test"|true', "accounts.paper.environment", "must be one of test, production, not True"),
    ("payee_id =", "accounts.paper.payee_id", "is missing"),
    (f'"{_PAYEE}"|5', "accounts.paper.payee_id", "must be a text, not 5"),
    (f'"{_PAYEE}"|"nobody"', "payee_id", "must be the merchant's GUID"),
    ("access_token =", "accounts.paper.access_token", "is missing"),
    ('"env:PRENOPAY_TEST_TOKEN"|"env:PRENOPAY_TEST_NOTHING"', "accounts.paper.access_token", "the environment has no"),
    ('"env:PRENOPAY_TEST_TOKEN"|"file:nowhere"', "accounts.paper.access_token", "nowhere cannot be read: No such file"),
    ("payee_id|payee", "accounts.paper.payee", "is not a setting; did you mean 'payee_id'?"),
    ("payee_id|xyzzy", "accounts.paper.xyzzy", "is not a setting; known are: access_token,"),
    ("accounts.paper|accounts.'a b'", "account", "use 1 to 60 letters, digits"),
]


@pytest.mark.parametrize(("change", "key", "why"), _WRONG)
def test_a_wrong_setting_names_file_and_key(folder: Path, change: str, key: str, why: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings.load_settings(write(folder, changed(change)))
    told = str(caught.value)
    assert not [part for part in ("prenopay.toml: ", key, why) if part not in told]


def changed(change: str) -> str:
    """Return the file with ``old|new`` replaced, or without the lines that start with ``old``."""
    old, found, new = change.partition("|")
    assert old in _TOP
    if found:
        return _TOP.replace(old, new)
    return "\n".join(line for line in _TOP.splitlines() if not line.startswith(old))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('reference_format = "short"', "must be one of alphanumeric_30, alphanumeric_50, digits_12, not 'short'"),
        ('host_urls = "https://shop.example"', "must be a list of texts, not 'https://shop.example'"),
        ("host_urls = [5]", "must be a list of texts, not [5]"),
        ('deadline_seconds = "5"', "must be a number, not '5'"),
        ("deadline_seconds = true", "must be a number, not True"),
        ("deadline_seconds = 0", "deadline_seconds must be a number more than zero, not 0"),
        ("deadline_seconds = nan", "deadline_seconds must be a number more than zero, not nan"),
        ("deadline_seconds = inf", "deadline_seconds must be a number more than zero, not inf"),
        ("payee_name = 5", "must be a text, not 5"),
        ('callback_sources = ["20.91.170.121/29"]', "callback_sources: '20.91.170.121/29' is not a network"),
        ('trusted_proxies = ["proxy"]', "trusted_proxies: 'proxy' is not a network"),
    ],
)
def test_a_wrong_optional_setting_names_the_key(folder: Path, line: str, why: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings.load_settings(write(folder, _TOP + line))
    told = str(caught.value)
    assert not [part for part in ("prenopay.toml: ", line.split(" ", 1)[0], why) if part not in told]


def test_a_missing_file_says_how_to_name_one(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml does not exist; .*--config or PRENOPAY_CONFIG"):
        settings.load_settings(folder / "nowhere.toml")


@pytest.mark.parametrize("content", [b"database = ", b"\xff\xfe", b"a = 1\na = 2"])
def test_a_file_that_is_not_toml_is_named(folder: Path, content: bytes) -> None:
    file = folder / "prenopay.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"prenopay\.toml cannot be read"):
        settings.load_settings(file)


def test_a_folder_is_no_file(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        settings.load_settings(folder)


# Secrets stay secret


@pytest.mark.parametrize(
    ("reference", "key"),
    [("env:PRENOPAY_TEST_TOKEN", "access_token"), ("env:PRENOPAY_TEST_KEY", "callback_keys")],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(folder: Path, reference: str, key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{key}.* is a secret: keep it out of this file") as caught:
        settings.load_settings(write(folder, _TOP.replace(reference, "hunter2" * 6)))
    assert "hunter2" not in str(caught.value)


def test_a_callback_key_given_as_a_text_is_not_repeated(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="callback_keys: must be a list") as caught:
        settings.load_settings(write(folder, _TOP.replace('["env:PRENOPAY_TEST_KEY"]', '"hunter2hunter2"')))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "is empty"), (b" \n", "is empty"), (b"hunter2\xff", "is not UTF-8 text")],
)
def test_a_secret_file_that_holds_none_is_refused(folder: Path, content: bytes, why: str) -> None:
    (folder / "token.txt").write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"access_token: .*token.txt {why}"):
        settings.load_settings(write(folder, _TOP.replace("env:PRENOPAY_TEST_TOKEN", "file:token.txt")))


def test_settings_show_no_secret(folder: Path) -> None:
    shown = repr(settings.load_settings(write(folder)))
    assert "the-token" not in shown
    assert _KEY not in shown
