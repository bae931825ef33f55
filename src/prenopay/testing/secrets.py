"""Looks for secrets where none may be: in logs, in texts and reprs of values, in the gateways' transcripts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from prenopay._arguments import check_arguments, refuse_misuse
from prenopay.testing.listening import Logged

if TYPE_CHECKING:
    from prenopay.testing.bench import Bench

__all__ = ["SecretSeeker", "SecretsSeen", "ways_to_write"]

_LEAST: Final = 6
"""Fewer characters are found by chance."""
_COUNTRY: Final = "46"
_SWEDISH_MOBILE: Final = range(9, 13)
"""How many digits a Swedish number has with its country code."""
_PERSONAL: Final = frozenset({10, 12})
_SERIAL: Final = 4


class SecretsSeen(AssertionError):
    """A secret is where none may be; the message says which and where, and shows only its ends."""


@check_arguments(refuse_misuse, any_text=True)
class SecretSeeker:
    """``assert_no_secrets(*things)``: raises ``SecretsSeen`` if a secret shows in them, or in what was logged."""

    def __init__(self, bench: Bench, logged: Callable[[], Iterable[Logged]]) -> None:
        """Look for the secrets of ``bench``; ``logged`` returns the log."""
        self._bench = bench
        self._logged = logged

    def knows(self, *secrets: str) -> None:
        """Seek these too, such as a personal number; raises ``ValueError`` for one that would be found by chance."""
        for secret in secrets:
            if len(secret) < _LEAST:
                message = f"a secret of fewer than {_LEAST} characters is found by chance"
                raise ValueError(message)
        self._bench.knows(*secrets)

    def __call__(self, *things: object) -> None:
        """Look everywhere, and in ``repr`` and ``str`` of ``things``."""
        secrets = self._bench.secrets
        for place, detail, text in self._places(things):
            for secret in secrets:
                if secret in text:
                    message = f"{place} shows the secret {secret[:2]}…{secret[-2:]} ({len(secret)} characters){detail}"
                    raise SecretsSeen(message)

    def _places(self, things: tuple[object, ...]) -> Iterator[tuple[str, str, str]]:
        """Yield each place by name and detail, with its text."""
        for number, heard in enumerate(self._logged(), start=1):
            yield "the log", f": record {number}, {heard.where}", heard.text
        for transcript in self._bench.transcripts:
            yield "a transcript", "", transcript
        for number, thing in enumerate(things, start=1):
            detail = f": argument {number} of {len(things)}" if len(things) > 1 else ""
            yield f"a {type(thing).__name__}", detail, f"{thing!r}\n{thing}"


@check_arguments(refuse_misuse, any_text=True)
def ways_to_write(values: Iterable[str]) -> tuple[str, ...]:
    """Return each phone number, personal number or e-mail address in every way that a host may write it.

    As it was given, and its digits alone; phone numbers with country code and in the national form, personal
    numbers with ten digits (which are part of those with twelve) and with a hyphen.
    """
    return tuple(dict.fromkeys(way for value in values for way in _ways(value) if len(way) >= _LEAST))


def _ways(value: str) -> tuple[str, ...]:
    digits = "".join(each for each in value if each.isdecimal())
    if not digits or any(each.isalpha() or each == "@" for each in value):
        return (value,)
    ways = [value, digits]
    if "+" not in value and len(digits) in _PERSONAL:
        ways += [digits[-10:], f"{digits[-10:-_SERIAL]}-{digits[-_SERIAL:]}"]
    international = digits.removeprefix("00")
    if international == digits and digits.startswith("0"):
        international = _COUNTRY + digits[1:]
    ways.append(international)
    if international.startswith(_COUNTRY) and len(international) in _SWEDISH_MOBILE:
        own = international.removeprefix(_COUNTRY)
        ways += [
            "0" + own,
            f"+{_COUNTRY} {own[:2]}-{own[2:5]} {own[5:7]} {own[7:]}",
            f"0{own[:2]}-{own[2:5]} {own[5:7]} {own[7:]}",
        ]
    return tuple(ways)
