"""The blocking classes are generated from the async ones, and the committed file is up to date."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from tools import blocking_twin
from tools.blocking_twin import TWIN, generate

INVENTED = '''
    from typing import Generic, TypeVar

    from somewhere.values import AsyncEventHandler, Coin, Unused

    T = TypeVar("T")

    class Report:
        """What was done."""

    class AsyncPart:
        """One part. Made by ``AsyncWhole.part``."""

        def __init__(self) -> None:
            """Start."""
            self._secret = 1

    class AsyncWhole(Generic[T]):
        """The whole."""

        def __init__(self, name: str, kind: T) -> None:
            """Start."""
            self.name = name
            self.kind: T = kind
            self._part = AsyncPart()

        @classmethod
        def open(cls, on_event: AsyncEventHandler | None = None) -> AsyncWhole[str]:
            """Open it."""
            return cls("x", "y")

        async def give(self: AsyncWhole[Coin], coin: Coin, *, twice: bool = False) -> Report:
            """Give ``coin``.

            More is asked only once.
            """
            return await self._give(coin, twice=twice)

        async def aclose(self) -> None:
            """Close it."""

        def check(self) -> None:
            """Check it."""

        def part(self, number: int) -> AsyncPart:
            """Return a part."""
            return self._part

        @property
        def size(self) -> int:
            """Its size."""
            return 1

        async def _give(self, coin: Coin, *, twice: bool) -> Report:
            return Report()
'''

TWINS = '''
    class Part:
        """One part. Made by ``Whole.part``.

        ``AsyncPart`` says more about each method.
        """

        def __init__(self, part: AsyncPart) -> None:
            """Drive ``part``, whose ports must be blocking ones."""
            self._part = part


    class Whole(Generic[T]):
        """The whole.

        ``AsyncWhole`` says more about each method.
        """

        def __init__(self, whole: AsyncWhole[T]) -> None:
            """Drive ``whole``, whose ports must be blocking ones."""
            self._whole = whole
            self.name: str = whole.name
            self.kind: T = whole.kind

        @classmethod
        def open(cls, on_event: EventHandler | None = None) -> Whole[str]:
            """Open it."""
            return cls(AsyncWhole.open(on_event))

        def give(self: Whole[Coin], coin: Coin, *, twice: bool = False) -> Report:
            """Give ``coin``."""
            return run_blocking(self._whole.give(coin, twice=twice))

        def close(self) -> None:
            """Close it."""
            return run_blocking(self._whole.aclose())

        def check(self) -> None:
            """Check it."""
            self._whole.check()

        def part(self, number: int) -> Part:
            """Return a part."""
            return Part(self._whole.part(number))

        @property
        def size(self) -> int:
            """Its size."""
            return self._whole.size
'''


def generated(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str = INVENTED) -> str:
    (folder / "invented.py").write_text(dedent(source), encoding="utf-8")
    monkeypatch.setattr(blocking_twin, "CLASSES", {"AsyncPart": "invented", "AsyncWhole": "invented"})
    monkeypatch.setattr(blocking_twin, "BODIES", {"open": "return cls(AsyncWhole.open(on_event))"})
    return generate(folder, "from __future__ import annotations\nfrom prenopay._blocking import run_blocking")


def test_the_committed_file_is_what_the_generator_writes() -> None:
    assert TWIN.read_text(encoding="utf-8") == generate(), "run: poe twin"


def test_every_kind_of_member_has_its_twin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = generated(tmp_path, monkeypatch)
    assert text.endswith(dedent(TWINS))
    assert "from somewhere.values import Coin, EventHandler\n" in text
    assert "from invented import AsyncPart, AsyncWhole, Report\n" in text
    assert '__all__ = ["Part", "Whole"]\n' in text


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("async def aclose(self)", "async def __aenter__(self)", "no rule for this special method"),
        ("part(self, number: int)", "part(self, *numbers: int)", "no rule for positional-only"),
        ("self.name = name", "self.name = name.upper()", "self.name needs a type"),
    ],
)
def test_what_there_is_no_rule_for_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, why: str
) -> None:
    assert old in INVENTED
    with pytest.raises(NotImplementedError, match=why):
        generated(tmp_path, monkeypatch, INVENTED.replace(old, new))
