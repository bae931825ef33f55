"""Read accounts from a ``prenopay.toml``, for the command line and for hosts.

The file contains no secrets, only references to them: ``env:NAME`` or ``file:path`` (relative
to the file). Every error names the file and the key, and says what to write instead.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, Final, cast, get_args, get_origin, get_type_hints

from prenopay._arguments import check_arguments, checked_fields, refuse_setting
from prenopay._files import report_open
from prenopay._hidden import HiddenText, hide, raise_alone
from prenopay._redaction import Secret
from prenopay.cli.installed import Installed
from prenopay.errors import ConfigurationError
from prenopay.provider import ProviderConfig

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Settings", "load_settings", "provider_kinds"]

_FILE: Final = "prenopay.toml"
_SHOWN_MOST: Final = 200
_TOP_KEYS: Final = ("accounts", "callback_keys", "callback_url", "database", "token_keys")


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Settings:
    """The content of a ``prenopay.toml``: pass the parts to ``Accounts.open`` and ``Accounts.add``."""

    path: Path
    database: str = field(repr=False)
    """It may hold a password, so it is hidden in ``repr``."""
    callback_url: str
    callback_keys: tuple[Secret, ...]
    token_keys: tuple[Secret, ...]
    accounts: tuple[ProviderConfig[Any], ...]
    secret_files: tuple[Path, ...] = ()
    """The files that secrets were read from. The doctor says which of them every user of the machine can read."""

    def __post_init__(self) -> None:
        """Hide what may hold a password."""
        hide(self, "database")


@check_arguments(refuse_setting)
def load_settings(path: str | Path | None = None) -> Settings:
    """Read settings from ``path``, else from ``PRENOPAY_CONFIG``, else from ``prenopay.toml`` in this folder.

    Raises ``ConfigurationError``, which names the key.
    """
    file = Path(path or os.environ.get("PRENOPAY_CONFIG") or _FILE)
    try:
        return _settings_in(file)
    except ConfigurationError as error:  # its frames hold what the file says, and somebody may have put a key there
        raise_alone(error.with_traceback(None))


def _settings_in(file: Path) -> Settings:
    try:
        read = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        message = f"{file} does not exist; write one, or name it with --config or PRENOPAY_CONFIG"
        raise_alone(ConfigurationError(message))
    except (
        ValueError,
        RecursionError,
        OSError,
    ) as error:  # also UTF-8, long numbers, deep nesting
        message = f"{file} cannot be read: {error}"
        raise_alone(ConfigurationError(message))
    place = _Place(file, "", [])
    _refuse_unknown(place, read, _TOP_KEYS)
    accounts = place.table(read, "accounts")
    keys = place.secrets(read, "callback_keys")
    token_keys = place.secrets(read, "token_keys") if "token_keys" in read else ()
    settings = Settings(
        path=file,
        database=_database(place, read),
        callback_url=place.value(read, "callback_url", str),
        callback_keys=tuple(place.secret(key, f"callback_keys[{number}]") for number, key in enumerate(keys)),
        token_keys=tuple(place.secret(key, f"token_keys[{number}]") for number, key in enumerate(token_keys)),
        accounts=tuple(_account(place.under("accounts"), name, accounts[name]) for name in accounts),
    )
    report_open(place.secret_files)
    return replace(settings, secret_files=tuple(place.secret_files))


def _database(place: _Place, settings: Mapping[str, Any]) -> str:
    given: str = place.value(settings, "database", str)
    if _has_password(given):
        place.secret_files.append(place.file)
    return place.text_or_reference(given, "database")


def _has_password(url: str) -> bool:
    """Whether a database URL holds a password, which may itself hold any character."""
    user, at, _host = url.partition("://")[2].rpartition("@")
    return bool(at) and ":" in user


def provider_kinds() -> Mapping[str, EntryPoint]:
    """Return the provider packages that are installed, by the names that settings use."""
    return Installed("prenopay.providers")


@dataclass(frozen=True, slots=True)
class _Place:
    """The file and the key of a value, for errors."""

    file: Path
    key: str
    secret_files: list[Path]
    """Where secrets were found so far."""

    def under(self, key: str) -> _Place:
        return _Place(self.file, f"{self.key}.{key}".lstrip("."), self.secret_files)

    def wrong(self, key: str, why: str) -> ConfigurationError:
        return ConfigurationError(f"{self.file}: {self.under(key).key}: {why}")

    def value(self, table: Mapping[str, Any], key: str, kind: type[Any]) -> Any:
        if key not in table:
            raise self.wrong(key, "is missing")
        if not isinstance(table[key], kind):
            raise self.wrong(key, f"must be a {_PLAIN_WORDS[kind]}, not {_shown(table[key])}")
        return table[key]

    def table(self, table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        value = self.value(table, key, dict)
        return cast("Mapping[str, Any]", value)

    def secrets(self, table: Mapping[str, Any], key: str) -> Sequence[Any]:
        if not isinstance(table.get(key, []), list):
            raise self.wrong(key, 'must be a list of references to secrets, such as ["env:NAME"]')
        value = self.value(table, key, list)
        return cast("Sequence[Any]", value)

    def text_or_reference(self, value: str, key: str) -> str:
        return self._referred(value, key) if value.startswith(("env:", "file:")) else value

    def secret_or_file(self, value: object, key: str, *, may_be_file: bool) -> Secret | Path:
        """Read a reference to key material. Return a file as its path: it may not be text."""
        if may_be_file and isinstance(value, str) and value.startswith("file:"):
            return self.file.parent / value.removeprefix("file:")
        return self.secret(value, key)

    def secret(self, value: object, key: str) -> Secret:
        if not isinstance(value, str) or not value.startswith(("env:", "file:")):
            raise self.wrong(key, "is a secret: keep it out of this file and refer to it, as env:NAME or file:path")
        return Secret(self._referred(value, key))

    def _referred(self, reference: str, key: str) -> HiddenText:
        kind, _, name = reference.partition(":")
        if kind == "env":
            found = HiddenText(os.environ.get(name, ""))
            if not found:
                raise self.wrong(key, f"the environment has no {name}")
            return found
        path = self.file.parent / name
        try:
            found = HiddenText(path.read_text(encoding="utf-8").strip())
        except OSError as error:
            raise_alone(self.wrong(key, f"{path} cannot be read: {error.strerror}"))
        except UnicodeDecodeError:  # the text of the error would show a part of the secret
            raise_alone(self.wrong(key, f"{path} is not UTF-8 text"))
        except ValueError:  # such as a NUL
            raise_alone(self.wrong(key, f"{_shown(name)} is not the name of a file"))
        if not found:
            raise self.wrong(key, f"{path} is empty")
        self.secret_files.append(path)
        return found


_PLAIN_WORDS: Final[Mapping[type[Any], str]] = {
    str: "text",
    dict: "table",
    list: "list",
    int: "whole number",
    float: "number",
    bool: "true or false",
}


def _account(above: _Place, name: str, table: object) -> ProviderConfig[Any]:
    if not isinstance(table, dict):
        raise above.wrong(name, f"must be a table: [accounts.{name}]")
    given = cast("dict[str, Any]", table)
    place = above.under(name)
    key = "provider"
    kind = place.value(given, key, str)
    kinds = provider_kinds()
    if kind not in kinds:
        raise place.wrong(key, f"{kind!r} is not installed; there are: {kinds}")
    config: type[ProviderConfig[Any]] = kinds[kind].load()
    hints: dict[str, Any] = get_type_hints(config)
    known = {each.name: each for each in fields(config) if each.name != "account"}
    _refuse_unknown(place, given, ("provider", *known))
    values: dict[str, Any] = {"account": name}
    for key, each in known.items():
        if key in given:
            values[key] = _converted(place, key, given[key], hints[key])
        elif each.default is MISSING and each.default_factory is MISSING:
            raise place.wrong(key, "is missing")
    try:
        return config(**values)
    except ConfigurationError as error:
        message = f"{place.file}: {error}"
        raise_alone(ConfigurationError(message))


def _converted(place: _Place, key: str, value: Any, kind: Any) -> Any:
    if kind is Secret:
        return place.secret(value, key)
    if isinstance(kind, UnionType) and Secret in get_args(kind):
        return place.secret_or_file(value, key, may_be_file=Path in get_args(kind))
    if isinstance(kind, type) and issubclass(kind, Enum):
        by_name = {member.name.lower(): member for member in kind}
        if not isinstance(value, str) or value.lower() not in by_name:
            raise place.wrong(key, f"must be one of {', '.join(by_name)}, not {_shown(value)}")
        return by_name[value.lower()]
    if get_origin(kind) is tuple and get_args(kind)[0] is str:
        if not isinstance(value, list) or not all(isinstance(member, str) for member in cast("Sequence[Any]", value)):
            raise place.wrong(key, f"must be a list of texts, not {_shown(cast('object', value))}")
        return tuple(cast("list[str]", value))
    takes = cast("tuple[type, ...]", (int, float) if kind is float else (kind,))
    if kind in _PLAIN_WORDS and (not isinstance(value, takes) or isinstance(value, bool) is not (kind is bool)):
        raise place.wrong(key, f"must be a {_PLAIN_WORDS[kind]}, not {_shown(value)}")
    return _float(place, key, value) if kind is float else value


def _float(place: _Place, key: str, value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        raise_alone(place.wrong(key, "is too large a number"))


def _shown(value: object) -> str:
    """Return a wrong value as text for a message, cut if it is long."""
    try:
        text = repr(value)
    except ValueError:  # a number written in hexadecimal may have more decimal digits than Python prints
        return "a number of very many digits"
    return text if len(text) <= _SHOWN_MOST else f"{text[:_SHOWN_MOST]}…"


def _refuse_unknown(place: _Place, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(sorted(known))}"
            raise place.wrong(key, f"is not a setting; {hint}")
