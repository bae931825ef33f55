"""Listens to everything that is logged in this process; other handlers get no more than before."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from prenopay._arguments import check_arguments, checked_fields, refuse_misuse

__all__ = ["Logged", "listening"]

_EVERYTHING: Final = 1
"""Below every level there is. Nobody else sets it, so the number marks what is set here."""


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Logged:
    """One record: ``where`` names level, logger and place in the code; ``text`` is the line with every field."""

    where: str
    text: str


@check_arguments(refuse_misuse, any_text=True)
@contextmanager
def listening(keep: Callable[[Logged], None]) -> Generator[None]:
    """Hand everything that is logged to ``keep``, from DEBUG up.

    A logger with its own level is heard from that level up, except prenopay's. A logger that does not pass its
    records on (``propagate=False``) is heard if it exists when the block begins.
    """
    root = logging.getLogger()
    known = [each for each in root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    raised = {each: each.level for each in (root, logging.getLogger("prenopay"))}
    quiet, listener = _AsBefore(raised), _Listener(keep)
    others = {handler for logger in (root, *known) for handler in logger.handlers}
    ends = [root, *(logger for logger in known if not logger.propagate)]
    for handler in others:
        handler.addFilter(quiet)
    for logger in ends:
        logger.addHandler(listener)
    for logger in raised:
        logger.setLevel(_EVERYTHING)
    try:
        yield
    finally:
        for logger, level in raised.items():
            if logger.level == _EVERYTHING:  # else somebody has set another since
                logger.setLevel(level)
        for logger in ends:
            logger.removeHandler(listener)
        for handler in others:
            handler.removeFilter(quiet)


class _Listener(logging.Handler):
    """Keeps each record as text at once: what it names may change later."""

    def __init__(self, keep: Callable[[Logged], None]) -> None:
        super().__init__()
        self._keep = keep

    def emit(self, record: logging.LogRecord) -> None:
        where = f"{record.levelname} of the logger {record.name!r}, {record.filename}:{record.lineno}"
        try:
            text = f"{self.format(record)} {record.__dict__}"
        except Exception:  # noqa: BLE001 - as every handler does with a record that cannot be written
            self.handleError(record)
        else:
            self._keep(Logged(where=where, text=text))


class _AsBefore(logging.Filter):
    """Gives a handler only the records that it got before the listening began."""

    def __init__(self, raised: dict[logging.Logger, int]) -> None:
        super().__init__()
        self._raised = raised

    def filter(self, record: logging.LogRecord) -> bool:
        logger: logging.Logger | None = logging.getLogger(record.name)
        while logger is not None:
            level = self._raised.get(logger, _EVERYTHING) if logger.level == _EVERYTHING else logger.level
            if level:
                return record.levelno >= level
            logger = logger.parent
        return True
