"""Looks at every error of prenopay's that a test meets as an error tracker would, and fails if it shows a secret.

Errors are kept while a test runs. After it, each one's frames are walked, once for every way that an error took. So
the whole suite is one test of what trackers see, at the cost of a few ``repr``.
"""

from __future__ import annotations

import functools
import re
from collections import deque
from collections.abc import Callable, Generator, Iterator

import pytest

from prenopay.errors import ConfigurationError, PrenopayError
from prenopay.testing.frames import shown_in

_FOLDERS = ("behaviour", "cli", "conformance", "mock", "plugin", "providers", "swish", "transport", "unit")
WATCHED = tuple(f"tests/{name}/" for name in _FOLDERS)
"""The folders whose tests run prenopay in their own process, as a host does."""
ANYWHERE = frozenset({"test_each_text_may_hold_anything"})
"""Tests that put a person's data where no gateway has any, such as into a currency: it is masked in errors alone."""
KEPT_MOST = 500
"""How many errors of one test are kept: a test of thousands repeats itself."""
SECRETS = re.compile(
    r"""
    [\w.+-]+@[\w-]+\.(?:com|se|example)\b               # an e-mail address
    | (?<![\w.])(?:46[ -]?7|07)\d(?:[ -]?\d){7}\b  # a phone number
    | (?<![\w.])19\d{6}-?\d{4}\b | 971020-?2392                # a personal number
    | Hemliga\ gatan | Ahlström | Han\ Solo
    | \ba-key-(?:for|that)-[\w-]+ | the-desks-secret[\w-]* | emulator-token | a-token-that-is-secret
    | /(?:payment|payout)/\w+/[\w-]{22}\b               # a callback address with its signature
    | /checkout/\w+ | swish://\S*token=                 # a payment page, a way into the app
    | ://[^/\s:@]*:[^/\s:@*]+@                          # a password in a database's URL
    | (?i:\b(?:bearer|basic))\ [\w.~+/=-]{6,}
    | BEGIN\ (?:\w+\ )*PRIVATE\ KEY
    | (?<![\w.])(?:4\d{15}|5[1-5]\d{14})\b                      # a card number
    """,
    re.VERBOSE,
)


class FrameWatch:
    """A pytest plugin."""

    def __init__(self) -> None:
        self._met: deque[BaseException] = deque(maxlen=KEPT_MOST)
        self._known = set[tuple[object, ...]]()

    def start(self) -> None:
        """Hear of every error that is made from now on."""
        for kind in (PrenopayError, ConfigurationError):
            kind.__init__ = self._heard(kind.__init__)  # type: ignore[method-assign]  # only here, to see every error

    def _heard(self, made: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(made)
        def heard(error: BaseException, *args: object) -> None:
            made(error, *args)
            self._met.append(error)

        return heard

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        """Look at the errors of a test that has passed."""
        self._met.clear()
        if not item.nodeid.startswith(WATCHED) or getattr(item, "originalname", "") in ANYWHERE:
            yield
            return
        try:
            yield
            shown = list(dict.fromkeys(self._shown()))
        finally:
            self._met.clear()
        if shown and item.get_closest_marker("wrong_on_purpose") is None:
            pytest.fail("an error tracker would show secrets:\n" + "\n".join(shown), pytrace=False)

    def _shown(self) -> Iterator[str]:
        for error in list(self._met):
            way = _way(error)
            if way in self._known:
                continue
            self._known.add(way)
            for each in shown_in(error, not_in=("tests.",)):
                found = SECRETS.search(each.text)
                if found:
                    yield f"{each.where} shows {found[0]}"


def _way(error: BaseException) -> tuple[object, ...]:
    """Return what is the same for two errors that took the same way."""
    way: list[object] = [type(error)]
    traceback = error.__traceback__
    while traceback is not None:
        way += (traceback.tb_frame.f_code, traceback.tb_lineno)
        traceback = traceback.tb_next
    return tuple(way)
