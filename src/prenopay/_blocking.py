"""Two colours from one core: drives a coroutine that never suspends to its end in one step.

The core is ``async def`` over injected ports (``prenopay.ports``). The blocking ports do their work
inside the call, so a use case over them runs from its first line to its last in a single ``send``:
on the caller's thread, inside the caller's transaction, even inside a running event loop. Nothing
hops threads, but for the turns of a sweep over several accounts (``_system``). A real suspension
means that an awaiting port was wired in by mistake; that is a bug, and raises.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


def run_blocking(use_case: Coroutine[object, None, T]) -> T:
    """Run ``use_case`` to its end and return its result, or raise what it raised."""
    try:
        use_case.send(None)
    except StopIteration as finished:
        result: T = finished.value
        return result
    use_case.close()
    message = "a blocking use case tried to suspend: one of its ports is an awaiting one"
    raise RuntimeError(message)
