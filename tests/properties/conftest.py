"""How hard Hypothesis searches: the same examples every time and everywhere, with no clock and no memory."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("prenopay", derandomize=True, database=None, deadline=None, max_examples=60)
settings.load_profile("prenopay")
