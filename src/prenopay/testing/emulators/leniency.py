"""What a gateway takes although its documents ask for something else: one word for each way.

Emulators are strict unless told otherwise, so that what prenopay sends is what the documents ask for. Each gateway's
``LENIENT`` is as lenient as production, for the clients of others; ``LENIENCIES`` beside it names the source of each
way.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import TypeAlias

__all__ = ["Leniency", "Takes"]


class Leniency(StrEnum):
    """One way to take more than the documents allow. A word goes for every member of its type, not only for one."""

    UNKNOWN_MEMBERS = "unknown_members"
    """Members and ``$expand`` names that no document names are ignored. Without this a typo is caught."""
    EMPTY_TEXTS = "empty_texts"
    """``""`` for an optional text or address counts as absent."""
    TEXTS_FOR_NUMBERS = "texts_for_numbers"
    """``"1500"`` counts as ``1500``."""
    TEXTS_FOR_BOOLEANS = "texts_for_booleans"
    """``"true"`` counts as ``true``, and ``"false"`` as ``false``."""
    NUMBERS_FOR_TEXTS = "numbers_for_texts"
    """``22`` counts as ``"22"``."""
    ANY_SCHEME = "any_scheme"
    """Pages may have addresses with ``http:`` or with the scheme of an app."""
    VERSION_IN_CONTENT_TYPE = "version_in_content_type"
    """A GET may name the version in ``Content-Type`` instead of ``Accept``."""
    NO_VERSION = "no_version"
    """A request without a version gets the oldest shape. Without this a forgotten header is caught."""


Takes: TypeAlias = AbstractSet[Leniency]
"""The ways in which a gateway is lenient."""
