"""Hears everything that is logged in this process, and lets others hear no more than before."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

__all__ = ["Logged", "listening"]

_EVERYTHING: Final = 1
"""Below every level there is, and a level that nobody else sets: so it is known by its number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """One record: ``where`` names level, logger and place in the code; ``text`` is the line with every field."""

    where: str
    text: str


@contextmanager
def listening(keep: Callable[[Logged], None]) -> Generator[None]:
    """Hand everything that is logged to ``keep``, from DEBUG up, whichever way it takes.

    Loggers that have a level of their own are heard from that level up, except prenopay's. Of loggers that do
    not pass their records on (``propagate=False``), those are heard that are there when the block begins.
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
    """Lets a handler have what it had before everything was listened to."""

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
