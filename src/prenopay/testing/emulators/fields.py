"""One checker for every request: a table says which fields there are, and what each must look like.

A row names its rule, whether the field must be given, and the gateway's problem for a breach. A rule takes
the path and the value of a field and yields what is wrong. Tables are plain mappings, so one row can be
replaced: ``{**TABLE, "amount": may(anything)}``. A breach also says which lenient gateway would take the value all
the same, and as what.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, TypeAlias
from urllib.parse import SplitResult, parse_qsl, urlsplit

from prenopay.testing.callbacks import CallbackAddresses
from prenopay.testing.emulators.leniency import Leniency, Takes
from prenopay.testing.http import JsonObject, as_list, as_object
from prenopay.values.links import is_app_link

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
    "read",
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
_NUMBER: Final = r"-?\d{1,20}(\.\d{1,20})?"
_BOOLEANS: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Breach:
    """What is wrong with one field; ``problem`` is the gateway's word for it, where it has one.

    A gateway with this ``leniency`` takes the value all the same, and reads it as ``reads``.
    """

    path: str
    why: str
    problem: str = ""
    leniency: Leniency | None = None
    reads: object = None


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
            yield breach if breach.problem or not row.problem else replace(breach, problem=row.problem)
    for name in sorted(body.keys() - table.keys()):
        here = f"{path}.{pascal(name)}" if path else name
        yield Breach(here, f"There is no field {name!r} here.", leniency=Leniency.UNKNOWN_MEMBERS)


def read(table: Table, body: JsonObject, takes: Takes, path: str = "") -> tuple[JsonObject, list[Breach]]:
    """Return ``body`` as a gateway reads it that is lenient in ``takes``, and what is still wrong with it."""
    understood = _understood(table, body, takes)
    return understood, [breach for breach in check(table, understood, path) if breach.leniency not in takes]


def _understood(table: Table, body: JsonObject, takes: Takes) -> JsonObject:
    understood = dict(body)
    for name, row in table.items():
        if name in body and not (row.required and body[name] == ""):
            understood[name] = _value(row.rule, body[name], takes)
    return understood


def _value(rule: Rule, value: object, takes: Takes) -> object:
    """Return ``value``, or what a lenient gateway reads instead, also within objects and lists."""
    if not isinstance(rule, functools.partial):
        refused = next(rule("", value), None) if value is not None else None
        return refused.reads if refused is not None and refused.leniency in takes else value
    inner, members, entries = rule.args[0], as_object(value), as_list(value)
    if rule.func is _shape and members is not None:
        return _understood(inner, members, takes)
    if rule.func is _list_of and entries is not None:
        return [_value(inner, entry, takes) for entry in entries]
    return value


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
            yield _no_text(path, "A text is expected here, and it must not be empty.", value)
        elif longest is not None and len(value) > longest:
            yield Breach(path, f"The text is {len(value)} characters long; {longest} are allowed.")
        elif pattern is not None and not re.fullmatch(pattern, value):
            yield Breach(path, f"The text must match {getattr(pattern, 'pattern', pattern)}.")

    return rule


def _no_text(path: str, why: str, value: object) -> Breach:
    """Return the breach of a rule for texts; some gateways take ``""`` for nothing, and a number for a text."""
    if value == "":
        return Breach(path, why, leniency=Leniency.EMPTY_TEXTS)
    if type(value) is int:
        return Breach(path, why, leniency=Leniency.NUMBERS_FOR_TEXTS, reads=str(value))
    return Breach(path, why)


def _no_number(path: str, why: str, value: object) -> Breach:
    """Return the breach of a rule for numbers; some gateways take the text of one."""
    written = value if isinstance(value, str) and re.fullmatch(_NUMBER, value, re.ASCII) else ""
    if not written:
        return Breach(path, why)
    number = Decimal(written) if "." in written else int(written)
    return Breach(path, why, leniency=Leniency.TEXTS_FOR_NUMBERS, reads=number)


def whole(*, least: int = 0, most: int = INT32_MOST) -> Rule:
    """Take a whole number within bounds; neither 1.0 nor true is one."""

    def rule(path: str, value: object) -> Iterator[Breach]:
        if type(value) is not int:
            yield _no_number(path, "A whole number is expected here.", value)
        elif not least <= value <= most:
            yield Breach(path, f"The number must be from {least} to {most}.")

    return rule


def decimal_number(*, decimals: int) -> Rule:
    """Take a positive number with at most so many decimals."""

    def rule(path: str, value: object) -> Iterator[Breach]:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            yield _no_number(path, "A number is expected here.", value)
        elif value <= 0 or value != round(Decimal(value), decimals):
            yield Breach(path, f"The number must be above zero, with at most {decimals} decimals.")

    return rule


def yes_no(path: str, value: object) -> Iterator[Breach]:
    """Take true or false."""
    if not isinstance(value, bool):
        meant = _BOOLEANS.get(value.lower()) if isinstance(value, str) else None
        leniency = None if meant is None else Leniency.TEXTS_FOR_BOOLEANS
        yield Breach(path, "True or false is expected here.", leniency=leniency, reads=meant)


def one_of(words: Collection[str]) -> Rule:
    """Take one of ``words``."""

    def rule(path: str, value: object) -> Iterator[Breach]:
        if value not in words:
            yield _no_text(path, f"One of {', '.join(sorted(words))} is expected here.", value)

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


def web_address(
    *, local_http: bool = True, any_scheme: bool = False, is_origin: bool = False, reserved: str = ""
) -> Rule:
    """Take an absolute https address, or http on this machine if ``local_http``.

    With ``any_scheme``, some gateways take other schemes, such as an app's. ``reserved`` is a parameter that the query
    must not have.
    """
    why = "An absolute https address is expected here."

    def rule(path: str, value: object) -> Iterator[Breach]:
        parts = _parts(value)
        if parts is None:
            yield _no_text(path, why, value)
            return
        is_local = local_http and parts.scheme == "http" and parts.hostname in LOCAL_HOSTS
        if parts.scheme != "https" and not is_local:
            is_page = any_scheme and (parts.scheme == "http" or is_app_link(parts.geturl()))
            yield Breach(path, why, leniency=Leniency.ANY_SCHEME if is_page else None, reads=value)
        if is_origin and (parts.path not in {"", "/"} or parts.query):
            yield Breach(path, "Only scheme and host are expected here.")
        if reserved and reserved in {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}:
            yield Breach(path, f"The parameter {reserved} is the gateway's own.")

    return rule


def callback_address(addresses: CallbackAddresses) -> Rule:
    """Take an address that the gateway's servers can reach, unless ``addresses`` allows those of this machine."""
    is_address = web_address(local_http=addresses is CallbackAddresses.LOCAL)

    def rule(path: str, value: object) -> Iterator[Breach]:
        breaches = list(is_address(path, value))
        parts = _parts(value) or urlsplit("")
        if addresses is CallbackAddresses.LOCAL or (breaches and parts.hostname not in LOCAL_HOSTS):
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


def _parts(value: object) -> SplitResult | None:
    """Return the parts of an absolute address with a host and a possible port; ``None`` for anything else."""
    written = value if isinstance(value, str) and not any(each.isspace() for each in value) else ""
    try:
        parts = urlsplit(written)
        is_whole = bool(parts.scheme and parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if is_whole else None


def pascal(name: str) -> str:
    """Return a field's name with a capital, as problems write it."""
    return name[:1].upper() + name[1:]
