"""One checker for every request: a table says which fields there are, and what each must look like.

A row names its rule, whether the field must be given, and the gateway's problem for a breach. A rule takes
the path and the value of a field and yields what is wrong. Tables are plain mappings, so one row can be
replaced: ``{**TABLE, "amount": may(anything)}``.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from prenopay.testing.callbacks import CallbackAddresses
from prenopay.testing.http import JsonObject, as_list, as_object

__all__ = [
    "INT32_MOST",
    "LOCAL_HOSTS",
    "Breach",
    "Field",
    "Rule",
    "Table",
    "absent",
    "anything",
    "callback_address",
    "check",
    "decimal_number",
    "flat_map",
    "list_of",
    "may",
    "must",
    "never",
    "one_of",
    "pascal",
    "shape",
    "text",
    "web_address",
    "whole",
    "yes_no",
]

_HTTPS_PORT: Final = 443
_PRIVATE_ENDINGS: Final = (".localhost", ".local", ".internal", ".lan", ".home.arpa")
_ALLOW_LOCAL: Final = "(For a shop on this machine: Behaviour(callback_addresses=CallbackAddresses.LOCAL).)"
INT32_MOST: Final = 2**31 - 1
LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""Where plain http may be allowed, so that a shop under development can be tried."""


@dataclass(frozen=True, slots=True)
class Breach:
    """What is wrong with one field; ``problem`` is the gateway's word for it, where it has one."""

    path: str
    why: str
    problem: str = ""
    is_unknown_field: bool = False


Rule: TypeAlias = Callable[[str, object], Iterator[Breach]]


@dataclass(frozen=True, slots=True)
class Field:
    """One row of a table. A breach gets the row's ``problem`` unless the rule has a better one."""

    rule: Rule
    required: bool
    problem: str = ""


Table: TypeAlias = Mapping[str, Field]


def must(rule: Rule, problem: str = "") -> Field:
    """Return the row of a field that has to be given."""
    return Field(rule, required=True, problem=problem)


def may(rule: Rule, problem: str = "") -> Field:
    """Return the row of a field that may be left out, or be null."""
    return Field(rule, required=False, problem=problem)


def check(table: Table, body: JsonObject, path: str = "") -> Iterator[Breach]:
    """Yield what is wrong with ``body``, row by row, and then the fields that the table does not have."""
    for name, row in table.items():
        value, here = body.get(name), f"{path}.{pascal(name)}" if path else name
        if value is None or (row.required and value == ""):
            if row.required:
                yield Breach(here, "The field is required.", row.problem)
            continue
        for breach in row.rule(here, value):
            yield breach if breach.problem or not row.problem else Breach(breach.path, breach.why, row.problem)
    for name in sorted(body.keys() - table.keys()):
        here = f"{path}.{pascal(name)}" if path else name
        yield Breach(here, f"There is no field {name!r} here.", is_unknown_field=True)


def anything(_path: str, _value: object) -> Iterator[Breach]:
    """Take every value."""
    yield from ()


def shape(table: Table) -> Rule:
    """Take an object with the fields of ``table`` and no others."""
    return functools.partial(_shape, table)


def _shape(table: Table, path: str, value: object) -> Iterator[Breach]:
    found = as_object(value)
    return iter([Breach(path, "An object is expected here.")]) if found is None else check(table, found, path)


def text(
    *, longest: int | None = None, pattern: re.Pattern[str] | str | None = None, may_be_empty: bool = False
) -> Rule:
    """Take a text, not empty unless it ``may_be_empty``."""

    def rule(path: str, value: object) -> Iterator[Breach]:
        if value == "" and may_be_empty:
            return
        if not isinstance(value, str) or not value:
            yield Breach(path, "A text is expected here, and it must not be empty.")
        elif longest is not None and len(value) > longest:
            yield Breach(path, f"The text is {len(value)} characters long; {longest} are allowed.")
        elif pattern is not None and not re.fullmatch(pattern, value):
            yield Breach(path, f"The text must match {getattr(pattern, 'pattern', pattern)}.")

    return rule


def whole(*, least: int = 0, most: int = INT32_MOST) -> Rule:
    """Take a whole number within bounds; neither 1.0 nor true is one."""

    def rule(path: str, value: object) -> Iterator[Breach]:
        if type(value) is not int:
            yield Breach(path, "A whole number is expected here.")
        elif not least <= value <= most:
            yield Breach(path, f"The number must be from {least} to {most}.")

    return rule


def decimal_number(*, decimals: int) -> Rule:
    """Take a positive number with at most so many decimals."""

    def rule(path: str, value: object) -> Iterator[Breach]:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            yield Breach(path, "A number is expected here.")
        elif value <= 0 or value != round(Decimal(value), decimals):
            yield Breach(path, f"The number must be above zero, with at most {decimals} decimals.")

    return rule


def yes_no(path: str, value: object) -> Iterator[Breach]:
    """Take true or false."""
    if not isinstance(value, bool):
        yield Breach(path, "True or false is expected here.")


def one_of(words: Collection[str]) -> Rule:
    """Take one of ``words``."""

    def rule(path: str, value: object) -> Iterator[Breach]:
        if value not in words:
            yield Breach(path, f"One of {', '.join(sorted(words))} is expected here.")

    return rule


def never(why: str) -> Rule:
    """Take nothing but false."""

    def rule(path: str, value: object) -> Iterator[Breach]:
        if value is not False:
            yield Breach(path, why)

    return rule


def absent(why: str) -> Rule:
    """Take no value at all."""

    def rule(path: str, _: object) -> Iterator[Breach]:
        yield Breach(path, why)

    return rule


def list_of(rule: Rule) -> Rule:
    """Take a list that is not empty, each entry checked."""
    return functools.partial(_list_of, rule)


def _list_of(rule: Rule, path: str, value: object) -> Iterator[Breach]:
    entries = as_list(value)
    if not entries:
        yield Breach(path, "A list of at least one is expected here.")
    for place, entry in enumerate(entries or ()):
        yield from rule(f"{path}[{place}]", entry)


def flat_map(path: str, value: object) -> Iterator[Breach]:
    """Take an object of texts, numbers and booleans, whatever their names."""
    found = as_object(value)
    if found is None:
        yield Breach(path, "An object is expected here.")
        return
    for name, entry in found.items():
        if not isinstance(entry, str | int | Decimal):
            yield Breach(f"{path}.{name}", "Only texts, numbers and booleans can be kept here.")


def web_address(*, local_http: bool = True, is_origin: bool = False, reserved: str = "") -> Rule:
    """Take an absolute https address, or http on this machine if ``local_http``.

    ``reserved`` is a parameter that the query must not have.
    """

    def rule(path: str, value: object) -> Iterator[Breach]:
        try:
            parts = urlsplit(value) if isinstance(value, str) else urlsplit("")
            host = (parts.hostname or "") if parts.port is None or parts.port else ""
        except ValueError:
            host, parts = "", urlsplit("")
        is_local = local_http and parts.scheme == "http" and host in LOCAL_HOSTS
        if not host or not (is_local or parts.scheme == "https") or any(each.isspace() for each in str(value)):
            yield Breach(path, "An absolute https address is expected here.")
        elif is_origin and (parts.path not in {"", "/"} or parts.query):
            yield Breach(path, "Only scheme and host are expected here.")
        elif reserved and reserved in {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}:
            yield Breach(path, f"The parameter {reserved} is the gateway's own.")

    return rule


def callback_address(addresses: CallbackAddresses) -> Rule:
    """Take an address that the gateway's servers can reach, unless ``addresses`` allows those of this machine."""
    is_address = web_address(local_http=addresses is CallbackAddresses.LOCAL)

    def rule(path: str, value: object) -> Iterator[Breach]:
        breaches = list(is_address(path, value))
        parts = urlsplit(str(value)) if not breaches else urlsplit("")
        if breaches or addresses is CallbackAddresses.LOCAL:
            yield from breaches
        elif is_private(parts.hostname or ""):
            yield Breach(path, f"The gateway cannot reach {parts.hostname} from the internet. {_ALLOW_LOCAL}")
        elif parts.port not in {None, _HTTPS_PORT}:
            yield Breach(path, f"The gateway reaches port {_HTTPS_PORT} only, not {parts.port}. {_ALLOW_LOCAL}")

    return rule


def is_private(host: str) -> bool:
    """Say whether ``host`` is a name or a number that only this machine or its neighbours know."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host.rstrip(".") or host.lower().rstrip(".").endswith(_PRIVATE_ENDINGS)


def pascal(name: str) -> str:
    """Return a field's name with a capital, as problems write it."""
    return name[:1].upper() + name[1:]
