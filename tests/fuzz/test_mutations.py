"""Documents of the right kind gone wrong, handed to every target."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, strategies as st

from prenopay.testing.emulators.swedbankpay import DEFAULT_ACCESS_TOKEN
from prenopay.values.callbacks import BODY_LIMIT_BYTES
from tests.emulator.calling import ITEM, purchase
from tests.emulator.swish_calling import Shop
from tests.properties.strategies import ANY_TEXT
from tests.providers.swish.authority import issued, key_pem

from .calls import CARD_VERBS, SWISH_VERBS, enveloped
from .documents import CARD_CALLBACKS, CARD_DOCUMENTS, SETTINGS, SWISH_CALLBACKS, SWISH_DOCUMENTS, TOKEN_FILE
from .mutating import HEADERS, STATUSES, bent_bytes, bent_documents
from .searching import search
from .targets import TARGETS

_HTML = b"<!doctype html><title>Bad gateway</title>"
_CONTROLS = ("orders", "payer", "faults", "faults/clear", "clock", "callbacks", "callbacks/forge", "transcript", "x")


def answers_to(heads: st.SearchStrategy[Mapping[str, Any]], documents: Sequence[Any]) -> st.SearchStrategy[bytes]:
    """Return answers: mostly a document gone wrong, at times anything."""
    bodies = st.one_of(*[bent_documents(documents)] * 8, st.binary(max_size=30), st.sampled_from([b"", _HTML]))
    return st.builds(
        lambda head, status, headers, body: enveloped({**head, "status": status, "headers": headers}, body),
        heads,
        STATUSES,
        HEADERS,
        bodies,
    )


def verb(names: Sequence[str]) -> st.SearchStrategy[Mapping[str, Any]]:
    return st.sampled_from([{"verb": name} for name in names])


@search(450)
@given(answers_to(verb(list(CARD_VERBS())), CARD_DOCUMENTS))
def test_answers_of_swedbank_pay(envelope: bytes) -> None:
    TARGETS["card_answers"](envelope)


@search(450)
@given(answers_to(verb(list(SWISH_VERBS())), SWISH_DOCUMENTS))
def test_answers_of_swish(envelope: bytes) -> None:
    TARGETS["swish_answers"](envelope)


@pytest.mark.parametrize(("account", "documents"), [("cards", CARD_DOCUMENTS[:10]), ("swish", SWISH_DOCUMENTS[:4])])
def test_the_books_take_any_answer(account: str, documents: Sequence[Any]) -> None:
    @search(120)
    @given(answers_to(st.just({"account": account}), documents))
    def look(envelope: bytes) -> None:
        TARGETS["books"](envelope)

    look()


@pytest.mark.parametrize(
    ("target", "documents"), [("card_inspect", CARD_DOCUMENTS), ("swish_inspect", SWISH_DOCUMENTS)]
)
def test_bodies_to_inspect(target: str, documents: Sequence[Any]) -> None:
    @search(450)
    @given(st.one_of(*[bent_documents(documents)] * 9, st.binary(max_size=40)))
    def inspect(body: bytes) -> None:
        TARGETS[target](body)

    inspect()


# Orders of hosts, who hand on what payers type

_TYPED = st.one_of(
    ANY_TEXT, ANY_TEXT, st.sampled_from(["", " ", "K-1", "é" * 99, "x" * 101, "x" * 201, "\r\n", "\x85"])
)
_ORDERS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("description", "order_reference", "payer", "name", "payer_user_agent", "language"), _TYPED),
        "metadata": st.dictionaries(_TYPED, _TYPED, max_size=2),
        "extra": st.dictionaries(_TYPED, st.lists(_TYPED, max_size=2), max_size=1),
    },
)


@search(80)
@given(_ORDERS)
def test_orders_are_taken_or_refused_alike_on_both_databases(texts: dict[str, Any]) -> None:
    TARGETS["orders"](json.dumps(texts).encode())


# Callbacks

LATIN = st.text(st.characters(max_codepoint=255), max_size=20)
"""What a server hands on of a request's head."""
_ADDRESSES = st.one_of(
    st.sampled_from(["203.0.113.9", "2001:db8::9", "::ffff:203.0.113.9", "[::1]:5", "1.2.3.4:5", "::1%eth0", "", "-"]),
    st.sampled_from(["unknown", "999.1.1.1", "1.2.3", "[", "[]", "fe80::1%" + "x" * 3000, "::1%\x00", "_hidden"]),
)
_FORWARDED = st.lists(_ADDRESSES, max_size=40).map(", ".join)
_NAMED = st.fixed_dictionaries(
    {},
    optional={
        "x-forwarded-for": _FORWARDED,
        "X-Forwarded-For": LATIN,
        "callbackIdentifier": st.one_of(st.sampled_from(["00" * 16, "", "ÅÄÖ", "ß"]), LATIN),
        "content-type": LATIN,
    },
)


def callbacks(documents: Sequence[Any], **more: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """Return calls from strangers."""
    heads = st.fixed_dictionaries({}, optional={"headers": _NAMED, "peer": st.one_of(_ADDRESSES, LATIN), **more})
    sizes = st.sampled_from([b"", b" " * BODY_LIMIT_BYTES, b" " * (BODY_LIMIT_BYTES + 1)])
    bodies = st.one_of(*[bent_documents(documents)] * 8, st.binary(max_size=30), sizes)
    return st.builds(enveloped, heads, bodies)


_PATHS = st.one_of(st.sampled_from(["", "/", "//", "/a/b/c", "/cards/doctor/x", "/%00", "/\ud800/a/b"]), ANY_TEXT)


@pytest.mark.parametrize(
    ("target", "documents"), [("card_callback", CARD_CALLBACKS), ("swish_callback", SWISH_CALLBACKS)]
)
def test_callbacks_as_a_provider_reads_them(target: str, documents: Sequence[Any]) -> None:
    @search(250)
    @given(callbacks(documents))
    def read(envelope: bytes) -> None:
        TARGETS[target](envelope)

    read()


@search(150)
@given(
    callbacks(
        [*CARD_CALLBACKS, *SWISH_CALLBACKS],
        account=st.sampled_from(["cards", "swish"]),
        path=_PATHS,
        query=st.text(st.characters(max_codepoint=255), max_size=10),
        method=st.sampled_from(["POST", "GET", "HEAD", "PUT", "", "post", "X" * 100]),
        length=st.sampled_from(["", "0", "5", "-1", "+5", "1e3", "9" * 30, "٣", "²", "12,12", " 7"]),
    )
)
def test_callbacks_at_every_door(envelope: bytes) -> None:
    TARGETS["receive"](envelope)


# Files of the operator's

_FIELDS = st.sampled_from(
    [
        *("", "R-9", "unscheduled", "one_click", "consent", "2027-12", "2027-13", "0000-01", "99999999999999999999-12"),
        *(
            "2027-12-01",
            "-1-1",
            "٢٠٢٧-12",
            "fixed",
            "149.00",
            "1e400",
            "1e-400",
            "NaN",
            "sNaN",
            "-1",
            "0",
            "SEK",
            "sek",
        ),
        *(
            "0001-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59-23:59",
            "2026-01-01",
            "2026-W01-1T00Z",
            '"',
            '"a',
            "a\x00b",
        ),
        *("x" * 300, "\r", "\n", ",", ";", "\udcff", "=1+1", "•", "SEK\u200b", "9" * 5000),
    ]
)


@st.composite
def token_files(draw: st.DrawFn) -> bytes:
    lines = [line.split(",") for line in TOKEN_FILE.splitlines()]
    for _ in range(draw(st.integers(0, 5))):
        line = draw(st.sampled_from(lines))
        line[draw(st.integers(0, len(line) - 1))] = draw(st.one_of(_FIELDS, ANY_TEXT))
    sign, end = draw(st.sampled_from([(",", "\n"), (";", "\r\n"), (",", "\r"), ("\t", "\n")]))
    return draw(bent_bytes(end.join(sign.join(line) for line in lines).encode("utf-8", "replace")))


@search(300)
@given(token_files())
def test_files_of_tokens(content: bytes) -> None:
    TARGETS["tokens"](content)


_TOML = st.sampled_from(
    [
        *(
            "[" * 5000,
            "0x" + "f" * 5000,
            "9" * 5000,
            "1e400",
            "nan",
            "-inf",
            "1" + "0" * 400,
            "0b1",
            "true",
            '""',
            "[]",
            "{}",
        ),
        *('["env:FUZZ_KEY", 3]', '"env:"', '"env:NO_SUCH"', '"file:"', '"file:\\u0000"', '"file:."', '"file:no/such"'),
        *(
            '"env:\\u0000"',
            '"env:A=B"',
            '"https://["',
            '"http://127.0.0.1:99999"',
            '"ftp://x"',
            '"https://user@x"',
            "07:32:00",
        ),
        *("1979-05-27T07:32:00Z", '"' + "x" * 3000 + '"', '"\\U0001F600"', '["203.0.113.0/99"]', '["::/0"]', '[["a"]]'),
        *('"production"', '"swish"', '"nosuch"', "{a = {b = {c = 1}}}", '"""\n"""', "'''x'''", '"\\uD800"'),
    ]
)


@st.composite
def settings_files(draw: st.DrawFn) -> bytes:
    lines = SETTINGS.splitlines()
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(lines) - 1))
        key = lines[place].partition("=")[0]
        others = [f"{key} = {draw(_TOML)}", f"{key}.x = 1", "", lines[place] * 2, f"[accounts.{draw(_TOML)}]", "x = 1"]
        lines[place] = draw(st.sampled_from([*[others[0]] * 5, *others[1:]]))
    return draw(bent_bytes("\n".join(lines).encode()))


@search(250)
@given(settings_files())
def test_settings(content: bytes) -> None:
    TARGETS["settings_file"](content)


def _credentials() -> list[tuple[Mapping[str, Any], bytes]]:
    mine = issued()
    locked = {"private_key": key_pem(mine.key, b"open").decode(), "password": "open"}
    return [
        ({}, mine.whole_pem),
        (locked, mine.chain_pem),
        ({"password": "swish"}, mine.pkcs12()),
        ({"password": "swish"}, mine.old_pkcs12()),
        ({}, mine.pkcs12(None)),
    ]


@search(150)
@given(st.data())
def test_certificates(data: st.DataObject) -> None:
    head, content = data.draw(st.sampled_from(_credentials()))
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(changed) - 1))
        width = data.draw(st.sampled_from([0, 1, 1, 200]))
        changed[place : place + width] = data.draw(st.sampled_from([b"", b"\x00", b"\xff", b"A", b"-----BEGIN X-----"]))
    TARGETS["certificate"](enveloped(head, bytes(changed)))


# Emulators


def emulator_calls(documents: Sequence[Any], targets: Sequence[str]) -> st.SearchStrategy[bytes]:
    """Return calls of an emulator, its control API among them."""
    controls = [{"manner": "drop", "times": 2}, {"kind": "delay", "seconds": 1, "call": "get"}, {"advance_seconds": 60}]
    controls += [
        {"set": "2027-01-01T00:00:00+00:00"},
        {"order": "x", "action": "pay_by_card"},
        {"order": "x", "naming": "y"},
    ]
    bearer = ("authorization", f"Bearer {DEFAULT_ACCESS_TOKEN}")
    headers = [bearer, ("content-type", "application/json;version=3.1")]
    heads = st.fixed_dictionaries(
        {
            "method": st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", ""]),
            "target": st.sampled_from([*targets, *(f"/__emulator__/{name}" for name in _CONTROLS)]),
            "headers": st.sampled_from([[], headers]),
        }
    )
    return st.builds(enveloped, heads, bent_documents([*documents, *controls * 4]))


@pytest.mark.parametrize(
    ("target", "documents", "paths"),
    [
        (
            "card_emulator",
            [purchase(orderItems=[ITEM], payer={"firstName": "Leia", "msisdn": ""}), *CARD_DOCUMENTS[:3]],
            ["/psp/paymentorders"] * 4 + ["/psp/paymentorders/x?$expand=paid", "//", "/payment/x"],
        ),
        (
            "swish_emulator",
            [Shop().request(ageLimit=22), Shop().refund_request("0" * 32), *SWISH_DOCUMENTS[:6]],
            [f"/swish-cpcapi/api/v2/{kind}/{'0' * 32}" for kind in ("paymentrequests", "refunds")]
            + ["/swish-cpcapi/api/v1/payouts", "/qrg-swish/api/v1/commerce", "/"],
        ),
    ],
)
def test_calls_of_emulators(target: str, documents: Sequence[Any], paths: Sequence[str]) -> None:
    @search(250)
    @given(emulator_calls(documents, paths))
    def call(envelope: bytes) -> None:
        json.loads(envelope.partition(b"\n")[0])
        TARGETS[target](envelope)

    call()
