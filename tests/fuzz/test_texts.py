"""Each text of each document, one after the other, holds what no terminal shows and what nobody may see."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from prenopay import Secret
from prenopay._blocking import run_blocking
from prenopay.errors import PrenopayError, ProviderError
from prenopay.ports import HttpResponse
from prenopay.values.mandates import MethodSeen
from prenopay.values.payments import Decline
from tests.documents import paths_of

from .calls import CARD_VERBS, SWISH_VERBS, Answering, Verb
from .documents import CARD_DOCUMENTS, SWISH_DOCUMENTS

_PAYER = ("46701234567", "leia@shop.example", "199710202392", "4925000000000004")
_PLANTED = f"\x1b[31m\0\ud83d\u202e\r\n {' '.join(_PAYER)}"
_OURS = slice(0, 21)
"""The documents of our own; those of a folder come after them."""


def test_what_swedbank_pay_writes() -> None:
    calls = ("create", "capture then", "charge", "charge then", "methods", "remove then")
    assert found_in(CARD_VERBS(), calls, CARD_DOCUMENTS[_OURS]) == set()


def test_what_swish_writes() -> None:
    calls = ("create", "refund then", "refund again", "payout again", "observe consent", "charge", "cancel")
    assert found_in(SWISH_VERBS(), calls, SWISH_DOCUMENTS[_OURS]) == set()


@pytest.mark.parametrize("header", ["location", "date", "retry-after", "paymentrequesttoken"])
def test_what_a_header_holds(header: str) -> None:
    answer = HttpResponse(status=201, headers=(("location", "/x"), (header, _PLANTED)))
    assert {found for verb in ("create", "refund then") for found in told(SWISH_VERBS()[verb], answer)} == set()


def found_in(verbs: Mapping[str, Verb], names: Sequence[str], documents: Sequence[Any]) -> set[str]:
    """Return what comes out that must not: which kind of thing, in which value."""
    tried, found = 0, set[str]()
    for document in documents:
        for planted in each_planted(document):
            body = json.dumps(planted).encode()
            for status in (200, 400) if "type" in document or isinstance(document, list) else (200,):
                tried += 1
                for name in ("observe", names[tried % len(names)]):
                    found |= told(verbs[name], HttpResponse(status=status, body=body))
    assert tried > 100
    return found


def each_planted(document: Any) -> Iterator[Any]:
    """Return copies of a document, each with one text that goes on after its end."""
    for path in paths_of(document):
        planted = copy.deepcopy(document)
        place = planted
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] += _PLANTED
        yield planted


def told(verb: Verb, answer: HttpResponse) -> set[str]:
    """Return what a call shows of the planted text, in its result or in its error."""
    call, first = verb
    try:
        result = run_blocking(call(Answering(first, answer)))
    except ProviderError as error:
        words = (str(error), error.advice, error.provider_code or "", *map(": ".join, error.problems))
        return {each for word in words for each in wrong_with(type(error).__name__, word, masked=True)}
    except PrenopayError as error:
        return wrong_with(type(error).__name__, str(error), masked=True)
    return {each for what, text, masked in texts_in(result) for each in wrong_with(what, text, masked=masked)}


def wrong_with(what: str, text: str, *, masked: bool) -> set[str]:
    found = set() if text.isprintable() else {f"{what}: a character that cannot be seen"}
    return found | ({f"{what}: {each}" for each in _PAYER if each in text} if masked else set())


def texts_in(value: Any) -> Iterator[tuple[str, str, bool]]:
    """Return every text of a value, what it is in, and whether it is a sentence: a name must stay as it is."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for each in dataclasses.fields(value):
            member = getattr(value, each.name)
            if isinstance(member, str):
                sentence = isinstance(value, Decline) or (isinstance(value, MethodSeen) and each.name == "display")
                yield f"{type(value).__name__}.{each.name}", member, sentence
            elif each.name != "raw" and not isinstance(member, Secret):
                yield from texts_in(member)
    elif isinstance(value, list | tuple | frozenset):
        for each in value:
            yield from texts_in(each)
