"""What SQLAlchemy logs of our engines: statements without their parameters, and no rows.

At DEBUG it logs every row that it reads, and the rows hold payers' data and addresses of payment pages.
"""

from __future__ import annotations

import logging
from typing import Final

__all__ = ["LOGGING_NAME"]

LOGGING_NAME: Final = "prenopay"
"""Our engines log under this name, so that other engines of the host log as before."""


class _WithoutRows(logging.Filter):
    """Lets no record at DEBUG pass: those are the rows and the names of their columns."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG


logging.getLogger(f"sqlalchemy.engine.Engine.{LOGGING_NAME}").addFilter(_WithoutRows())
