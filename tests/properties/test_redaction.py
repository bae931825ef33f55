"""No secret survives, wherever it is."""

from __future__ import annotations

import json
import string
from typing import Any

from hypothesis import given, settings, strategies as st

from prenopay._redaction import _SECRET_KEYS, redact, scrub
from prenopay.errors import PrenopayError, Rejected

from .strategies import JSON

_SECRET = "s3cret-v4lue"
_LETTERS = string.ascii_letters + "åäö"


def luhn(digits: str) -> str:
    """Return ``digits`` with the check digit of cards and Swedish personal numbers."""
    doubled = [int(sign) * (2 - place % 2) for place, sign in enumerate(reversed(digits))]
    return digits + str(-sum(number // 10 + number % 10 for number in doubled) % 10)


def grouped(digits: str, size: int, separator: str) -> str:
    return separator.join(digits[place : place + size] for place in range(0, len(digits), size))


CARDS = st.builds(
    lambda digits, separator: grouped(luhn(digits), 4, separator),
    st.text("0123456789", min_size=12, max_size=18),
    st.sampled_from(["", " ", "-"]),
)
PERSONAL_NUMBERS = st.builds(
    lambda century, day, sign, end: (
        century + luhn(f"{day:%y%m%d}{end:03}")[:6] + sign + luhn(f"{day:%y%m%d}{end:03}")[6:]
    ),
    st.sampled_from(["", "19", "20"]),
    st.dates(),
    st.sampled_from(["", "-", "+"]),
    st.integers(0, 999),
)
EMAILS = st.builds(
    "{}@{}.{}".format,
    st.text(string.ascii_letters + string.digits + "._+-", min_size=1, max_size=12),
    st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=12),
    st.sampled_from(["se", "example", "co.uk"]),
)
PHONES = st.one_of(
    st.builds("+{}".format, st.text("0123456789", min_size=8, max_size=15)),
    st.builds(
        "{}{}".format, st.sampled_from(["467", "474", "479", "452"]), st.text("0123456789", min_size=7, max_size=7)
    ),
)
BEARERS = st.builds(
    "Bearer {}".format, st.text(string.ascii_letters + string.digits + "._~+/=-", min_size=8, max_size=30)
)
SECRETS = st.one_of(CARDS, PERSONAL_NUMBERS, EMAILS, PHONES, BEARERS)

_BEFORE = st.sampled_from(["", "card ", "(", '"', "x: ", "12 ", "149 ", "2026-10-28 ", "no. 7, ", "åäö ", "\n", "<"])
_AFTER = st.sampled_from(["", " refused", ")", '"', ".", ", ", " 12/26", " 123", " 7", "\n", ">", " x"])


def bare(secret: str) -> str:
    """Return the part of a secret that must not be left: for a credential, what follows its kind."""
    return secret.removeprefix("Bearer ")


@settings(max_examples=300)
@given(_BEFORE, SECRETS, _AFTER)
def test_no_secret_survives_in_a_text(before: str, secret: str, after: str) -> None:
    assert bare(secret) not in scrub(before + secret + after)


@given(st.lists(st.tuples(_BEFORE, SECRETS, _AFTER), min_size=2, max_size=4))
def test_no_secret_survives_among_others(parts: list[tuple[str, str, str]]) -> None:
    shown = scrub("; ".join("".join(part) for part in parts))
    assert not [secret for _before, secret, _after in parts if bare(secret) in shown]


@given(st.text())
def test_scrubbing_twice_is_scrubbing_once(text: str) -> None:
    assert scrub(text) == scrub(scrub(text))


@given(st.text(_LETTERS + " ,.:;!?()-/", max_size=60))
def test_words_stay_as_they_are(text: str) -> None:
    words = text.replace("bearer", "").replace("basic", "")
    if "bearer" not in words.lower() and "basic" not in words.lower():
        assert words == scrub(words)


# JSON

_WORDS = st.text(_LETTERS, max_size=6)
TREES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | _WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS, inner, max_size=4),
    max_leaves=8,
)
"""JSON that is too small to contain a secret by chance."""


def planted(tree: Any, key: str, secret: Any, path: list[int]) -> Any:
    """Return ``tree`` with ``{key: secret}`` at some place in it."""
    if not path or not isinstance(tree, dict | list):
        return {"tree": tree, key: secret}
    if isinstance(tree, list):
        place = path[0] % (len(tree) + 1)
        below = planted(tree[place] if place < len(tree) else None, key, secret, path[1:])
        return [*tree[:place], below, *tree[place + 1 :]]
    names = [*tree, "new"]
    name = names[path[0] % len(names)]
    return {**tree, name: planted(tree.get(name), key, secret, path[1:])}


_PATHS = st.lists(st.integers(0, 5), max_size=6)
_SPELLINGS = [str.lower, str.upper, str.title, "_".join, lambda key: key[:3] + "-" + key[3:]]
_KEYS = st.builds(lambda key, spell: spell(key), st.sampled_from(sorted(_SECRET_KEYS)), st.sampled_from(_SPELLINGS))
_HIDDEN = st.sampled_from(
    [_SECRET, [_SECRET], {"value": _SECRET}, [{"a": [_SECRET]}], {"id": _SECRET, "href": _SECRET}]
)


@given(TREES, _KEYS, _HIDDEN, _PATHS)
def test_no_secret_survives_under_a_secret_key(tree: Any, key: str, hidden: Any, path: list[int]) -> None:
    shown = json.dumps(redact(planted(tree, key, hidden, path)))
    assert _SECRET not in shown


@given(TREES, st.sampled_from(["text", "detail", "number", "name"]), _BEFORE, SECRETS, _AFTER, _PATHS)
def test_no_secret_survives_in_the_texts_of_a_tree(  # noqa: PLR0917 - drawn
    tree: Any,
    key: str,
    before: str,
    secret: str,
    after: str,
    path: list[int],
) -> None:
    shown = json.dumps(redact(planted(tree, key, before + secret + after, path)), ensure_ascii=False)
    assert bare(secret) not in shown


_PERSON = {"anything": "Leia Persdotter", "list": ["Leia Persdotter"], "deep": {"er": "Leia Persdotter"}}


@given(TREES, st.sampled_from(["payer", "billingAddress", "Shipping_Address", "device"]), _PATHS)
def test_nothing_about_a_person_survives(tree: Any, key: str, path: list[int]) -> None:
    assert "Leia" not in json.dumps(redact(planted(tree, key, _PERSON, path)))


@given(JSON)
def test_a_tree_keeps_its_shape(tree: Any) -> None:
    redacted = redact(tree)
    assert shape(tree) == shape(redacted)


def shape(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {scrub(key): shape(member) for key, member in tree.items()}
    return [shape(member) for member in tree] if isinstance(tree, list) else None


@given(JSON)
def test_redacting_twice_is_redacting_once(tree: Any) -> None:
    once = redact(tree)
    assert json.dumps(once) == json.dumps(redact(once))


# Errors


@given(_BEFORE, SECRETS, _AFTER)
def test_no_secret_survives_in_an_error(before: str, secret: str, after: str) -> None:
    text = before + secret + after
    error = Rejected(text, problems=((text, text),), advice=text)
    shown = f"{error} {error!r} {error.problems} {error.advice} {PrenopayError(text)!r}"
    assert bare(secret) not in shown
