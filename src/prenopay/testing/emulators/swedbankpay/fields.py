"""A small language for what a JSON body must look like; each breach becomes one problem that names its field.

A check takes the field's path (``PaymentOrder.Amount``) and its value, and yields what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from prenopay.testing.emulators.jsonvalues import as_list, as_object
from prenopay.testing.emulators.swedbankpay.problems import FieldProblem

__all__ = [
    "INT32_MOST",
    "Check",
    "Member",
    "absent",
    "decimal_number",
    "flat_map",
    "list_of",
    "may",
    "must",
    "never",
    "one_of",
    "shape",
    "text",
    "web_address",
    "whole",
    "yes_no",
]

Check: TypeAlias = Callable[[str, object], Iterator[FieldProblem]]

INT32_MOST: Final = 2**31 - 1
"""The largest amount in any document: the gateway counts in 32 bits."""
_PLAIN_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""Where http is let through, so that a shop under development can be tried."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an object."""

    check: Check
    is_required: bool


def must(check: Check) -> Member:
    """Return a member that has to be there."""
    return Member(check, is_required=True)


def may(check: Check) -> Member:
    """Return a member that may be left out, or be null."""
    return Member(check, is_required=False)


def shape(members: Mapping[str, Member]) -> Check:
    """Take an object with these members and no others."""

    def check(path: str, value: object) -> Iterator[FieldProblem]:
        found = as_object(value)
        if found is None:
            yield FieldProblem(path, "An object is expected here.")
            return
        for name, member in members.items():
            here = f"{path}.{_pascal(name)}"
            if found.get(name) is not None:
                yield from member.check(here, found[name])
            elif member.is_required:
                yield FieldProblem(here, "The field is required.")
        for name in sorted(found.keys() - members.keys()):
            yield FieldProblem(f"{path}.{_pascal(name)}", f"There is no field {name!r} here.", is_unknown_member=True)

    return check


def text(*, longest: int | None = None, pattern: re.Pattern[str] | None = None) -> Check:
    """Take a text that is not empty."""

    def check(path: str, value: object) -> Iterator[FieldProblem]:
        if not isinstance(value, str) or not value:
            yield FieldProblem(path, "A text is expected here, and it must not be empty.")
        elif longest is not None and len(value) > longest:
            yield FieldProblem(path, f"The text is {len(value)} signs long; {longest} are allowed.")
        elif pattern is not None and not pattern.fullmatch(value):
            yield FieldProblem(path, f"The text must match {pattern.pattern}.")

    return check


def whole(*, least: int = 0, most: int = INT32_MOST) -> Check:
    """Take a whole number within bounds; neither 1.0 nor true is one."""

    def check(path: str, value: object) -> Iterator[FieldProblem]:
        if type(value) is not int:
            yield FieldProblem(path, "A whole number is expected here.")
        elif not least <= value <= most:
            yield FieldProblem(path, f"The number must be from {least} to {most}.")

    return check


def decimal_number(*, decimals: int) -> Check:
    """Take a positive number with at most so many decimals."""

    def check(path: str, value: object) -> Iterator[FieldProblem]:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            yield FieldProblem(path, "A number is expected here.")
        elif value <= 0 or value != round(Decimal(value), decimals):
            yield FieldProblem(path, f"The number must be above zero, with at most {decimals} decimals.")

    return check


def yes_no(path: str, value: object) -> Iterator[FieldProblem]:
    """Take true or false."""
    if not isinstance(value, bool):
        yield FieldProblem(path, "True or false is expected here.")


def one_of(words: Collection[str]) -> Check:
    """Take one of ``words``."""

    def check(path: str, value: object) -> Iterator[FieldProblem]:
        if value not in words:
            yield FieldProblem(path, f"One of {', '.join(sorted(words))} is expected here.")

    return check


def never(why: str) -> Check:
    """Take nothing but false: the feature is not emulated."""

    def check(path: str, value: object) -> Iterator[FieldProblem]:
        if value is not False:
            yield FieldProblem(path, why)

    return check


def absent(why: str) -> Check:
    """Take no value at all."""

    def check(path: str, _: object) -> Iterator[FieldProblem]:
        yield FieldProblem(path, why)

    return check


def list_of(check_one: Check, *, least: int = 0) -> Check:
    """Take a list, each entry checked."""

    def check(path: str, value: object) -> Iterator[FieldProblem]:
        entries = as_list(value)
        if entries is None:
            yield FieldProblem(path, "A list is expected here.")
        elif len(entries) < least:
            yield FieldProblem(path, f"At least {least} is expected here.")
        else:
            for place, entry in enumerate(entries):
                yield from check_one(f"{path}[{place}]", entry)

    return check


def flat_map(path: str, value: object) -> Iterator[FieldProblem]:
    """Take an object of texts, numbers and booleans, whatever their names."""
    found = as_object(value)
    if found is None:
        yield FieldProblem(path, "An object is expected here.")
        return
    for name, entry in found.items():
        if not isinstance(entry, str | int | Decimal):
            yield FieldProblem(f"{path}.{name}", "Only texts, numbers and booleans can be kept here.")


def web_address(*, tls_only: bool = False, is_origin: bool = False, no_query: str = "") -> Check:
    """Take an absolute https address (http on this machine). ``no_query`` names a parameter it must not have."""

    def check(path: str, value: object) -> Iterator[FieldProblem]:
        try:
            parts = urlsplit(value) if isinstance(value, str) else urlsplit("")
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            host, parts = "", urlsplit("")
        plain = parts.scheme == "http" and host in _PLAIN_HOSTS and not tls_only
        if not host or not (plain or parts.scheme == "https"):
            yield FieldProblem(path, "An absolute https address is expected here.")
        elif is_origin and (parts.path not in {"", "/"} or parts.query):
            yield FieldProblem(path, "Only scheme and host are expected here.")
        elif no_query and no_query in {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}:
            yield FieldProblem(path, f"The parameter {no_query} is the gateway's own.")

    return check


def _pascal(name: str) -> str:
    return name[:1].upper() + name[1:]
