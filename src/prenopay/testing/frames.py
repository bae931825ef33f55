"""What an error tracker collects of an error: its text, and the local variables of every frame that it passed.

Trackers such as Sentry walk an error, its causes and its contexts, and Rollbar follows the contexts that
``raise … from None`` suppresses. Of each frame they keep every local variable:
containers are opened a few levels deep, and of everything else they keep the ``repr``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Final, cast

from prenopay._arguments import check_arguments, checked_fields, refuse_misuse
from prenopay._hidden import chain_of

__all__ = ["Shown", "shown_in"]

_DEPTH_MOST: Final = 5
"""How deep the Sentry SDK opens containers (``MAX_DATABAG_DEPTH``, sentry-sdk 2)."""
_HARNESS: Final = "prenopay.testing."
_PROVIDER: Final = "prenopay.testing.mock.provider"
"""The one module of the harness that runs at a host."""


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Shown:
    """One thing that a tracker shows: ``where`` names it, ``text`` is what is seen."""

    where: str
    text: str


@check_arguments(refuse_misuse, any_text=True)
def shown_in(error: BaseException, *, not_in: tuple[str, ...] = ()) -> Iterator[Shown]:
    """Yield what a tracker shows of ``error``: every text, and every variable of the frames below its host.

    The frames of the host are the host's own matter. They are those above the first frame of prenopay, those of the
    test harness, which stands for the host and for the gateway, and those of modules that begin with one of
    ``not_in``.
    """
    for each in chain_of(error):
        kind = type(each).__name__
        notes = cast("Iterable[str]", getattr(each, "__notes__", ()))
        yield Shown(where=f"the text of {kind}", text="\n".join((repr(each), str(each), *notes)))
        for frame, line in _frames(each.__traceback__, (_HARNESS, *not_in)):
            place = f"{frame.f_globals.get('__name__', '?')}.{frame.f_code.co_name}:{line}"
            for name, value in frame.f_locals.items():
                yield Shown(where=f"{name!r} in {place} ({kind})", text=_serialised(value, _DEPTH_MOST))


def _frames(traceback: TracebackType | None, hosts: tuple[str, ...]) -> Iterator[tuple[FrameType, int]]:
    """Yield the frames from the first one of prenopay on, without those of ``hosts``."""
    inside = False
    while traceback is not None:
        frame, line = traceback.tb_frame, traceback.tb_lineno
        traceback = traceback.tb_next
        module = str(frame.f_globals.get("__name__", ""))
        is_host = module.startswith(hosts) and module != _PROVIDER
        inside = inside or module.partition(".")[0] == "prenopay"
        if inside and not is_host:
            yield frame, line


def _serialised(value: object, depth: int) -> str:
    """Write a value as a tracker does: containers open, everything else as its ``repr``."""
    if depth > 0 and isinstance(value, Mapping):
        members = cast("Mapping[object, object]", value).items()
        return "{" + ", ".join(f"{key}: {_serialised(member, depth - 1)}" for key, member in members) + "}"
    if depth > 0 and isinstance(value, tuple | list | set | frozenset):
        listed = cast("Iterable[object]", value)
        return "[" + ", ".join(_serialised(member, depth - 1) for member in listed) + "]"
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - as trackers do: a repr that fails shows nothing
        return f"<no repr: {type(error).__name__}>"
