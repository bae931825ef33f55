"""How valid documents go wrong: in structure (values, members, depth), in how JSON writes them, and in their bytes."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any, Final

from hypothesis import strategies as st

__all__ = ["HEADERS", "STATUSES", "bent_bytes", "bent_documents", "written"]


class Raw(str):
    """JSON text that goes into a document as it is, for what no writer would write."""

    __slots__ = ()


_AGAIN: Final = "\x01again"
"""Ends the name of a member that is written twice; it is not written itself."""
_DEPTH_MOST: Final = 300

_NUMBERS: Final = (0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**25, 10**400, 1.5, 1e308, 149.005)
_RAWS: Final = tuple(
    Raw(text)
    for text in (
        *(
            "NaN",
            "Infinity",
            "-Infinity",
            "-0",
            "-0.0",
            "1E400",
            "1E+999999999",
            "1E+99999999999999999999",
            "1E-99999999",
        ),
        *("0E+99999999", "0E-99999999", "1.000000000000000000000000000000001", "9" * 5000, "0." + "0" * 5000 + "1"),
        *('{"id": 1, "id": {"id": 2}}', '"\\ud800"', '"\\udfff\\ud800"', '"\\u0000"', '{"\\ud800": 1}', "tru", "'x'"),
        *("[" * 60 + "]" * 60, "[" * 20_000, '{"a":' * 20_000),
    )
)
_TIMES: Final = (
    *("0001-01-01T00:00:00+23:59", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "9999-12-31T12:00:00+23:59"),
    *(
        "2026-02-30T00:00:00Z",
        "2026-10-28T24:00:00Z",
        "2026-10-28",
        "2026-W44-3",
        "20261028T120000,1Z",
        "2026-10-28T12",
    ),
    *("2026-10-28T12:00:00+99:99", "1761652800", "2026-10-28T12:00:00.123456789123Z"),
)
_TEXTS: Final = (
    *("", " ", "\x00", "a\x00b", "٣", "²", "9" * 30, "-5", "1e5", "149,00", "NaN", "sNaN", "Infinity", "0x10", "1_000"),
    *("ÅÄÖ", "ß", "İ", "\u202e", "\ufeff", "😀", "x" * 300, "a" * 3000, "\r\nX: y", "SEK", "sek", "XXX", "null"),
    *("Paid", "PAID", "Failed", "ERROR", "Reversed", "Sale", "Verify", "12/0023", "13/27", "492500******0004"),
    *("https://[", "https://[::1", "http://x:99999/", "//", "https://shop.example:port/", "javascript:alert(1)", "?"),
    *("/psp/paymentorders/", "/psp/paymentorders/..", "/psp/paymentorders/x/../y", "/", "////", "creditcard/", "/-_/"),
)
_HOSTILE: Final = st.one_of(
    st.sampled_from([None, True, False, *_NUMBERS]),
    st.sampled_from(_RAWS),
    st.sampled_from(_TIMES),
    st.sampled_from(_TEXTS),
    st.sampled_from([[], {}, [[]], [None], [{}], [[{}]], {"": None}, {"id": None}, {"a": {"a": [{"a": 1}]}}]),
    st.integers(),
    st.text(max_size=6),
).map(copy.deepcopy)  # what is drawn is changed further

STATUSES: Final = st.one_of(
    st.sampled_from([200, 201, 202, 400, 401, 403, 404, 409, 422, 429, 500, 504]),
    st.sampled_from([0, 100, 199, 204, 206, 301, 304, 399, 410, 415, 418, 451, 502, 503, 599, 600, 999]),
)
_HEADER_VALUES: Final = {
    "retry-after": ("5", "-1", "0", "9" * 400, "9" * 5000, "²", "٣", "1e9", "nan", "", "Wed, 28 Oct 2026 12:00:00 GMT"),
    "date": (
        *(
            "Wed, 28 Oct 2026 12:00:00 GMT",
            "Fri, 31 Dec 9999 12:00:00 +2359",
            "Mon, 1 Jan 0001 00:00:00 -2359",
            "",
            " ",
        ),
        *("Wed, 28 Oct 2026", "Wed, 28 Oct 2026 12.00.00", "28 Oct 26 12:00 +99999", "0 0 0 0:0:0 0", ",", "Wed, ,"),
        *(
            "Wed, 99999999999999999999 Oct 2026 12:00:00 GMT",
            "Wed, 28 Oct 2026 12:00:00 +" + "9" * 30,
            "\u0660 Oct 2026",
        ),
    ),
    "location": ("", "/", "https://x/paymentrequests/", "%", "%ff%00", "https://x/%F0%9F%98%80?y", "x" * 3000),
    "paymentrequesttoken": ("", " ", "t", "x" * 3000, "ÅÄÖ", "a&callbackurl=b"),
    "content-type": ("application/json", "text/html", "application/problem+json; charset=utf-16", ""),
}
HEADERS: Final = st.lists(
    st.sampled_from([(name, value) for name, values in _HEADER_VALUES.items() for value in values]), max_size=4
)


@st.composite
def bent_documents(draw: st.DrawFn, documents: Sequence[Any]) -> bytes:
    """Return one of ``documents`` as bytes, its structure changed in up to four places."""
    document = copy.deepcopy(draw(st.sampled_from(documents)))
    for _ in range(draw(st.integers(0, 4))):
        document = draw(_changed(document))
    return draw(bent_bytes(written(document)))


@st.composite
def _changed(draw: st.DrawFn, document: Any) -> Any:
    places = list(_places(document))
    if not places or draw(st.integers(0, 25)) == 0:
        return draw(st.one_of(_HOSTILE, st.just([document]), st.just({"body": document, "headers": {}})))
    container, name = draw(st.sampled_from(places))
    match draw(st.sampled_from(["replace"] * 6 + ["drop", "wrap", "deepen", "rename", "repeat", "move"])):
        case "drop":
            del container[name]
        case "wrap":
            container[name] = [container[name]]
        case "deepen":
            for _ in range(draw(st.sampled_from([1, 10, 45]))):
                container[name] = {"a": container[name]}
        case "rename" if isinstance(container, dict):
            container[draw(st.sampled_from([name.upper(), name.title(), "", f"{name} ", f"_{name}"]))] = container[name]
        case "repeat" if isinstance(container, dict):
            container[name + _AGAIN] = draw(_HOSTILE)
        case "repeat":
            container += [container[name]] * draw(st.sampled_from([1, 30]))
        case "move":
            other, place = draw(st.sampled_from(places))
            container[name] = copy.deepcopy(other[place]) if place in other or isinstance(other, list) else None
        case _:
            container[name] = draw(_HOSTILE)
    return document


def _places(value: Any) -> Any:
    """Find every member and element, as what holds it and its name or number there."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in list(inner):
        yield value, name
        yield from _places(member)


def written(value: Any, depth: int = 0) -> bytes:
    """Write a document as JSON, ``Raw`` parts as they are and repeated members twice."""
    return _written(value, depth).encode("utf-8", "surrogatepass")


def _written(value: Any, depth: int) -> str:
    if isinstance(value, Raw) or depth > _DEPTH_MOST:
        return str(value) if isinstance(value, Raw) else "0"
    if isinstance(value, dict):
        members = (
            f"{json.dumps(name.removesuffix(_AGAIN))}:{_written(each, depth + 1)}" for name, each in value.items()
        )
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_written(each, depth + 1) for each in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def bent_bytes(content: bytes) -> st.SearchStrategy[bytes]:
    """Return ``content`` mostly as it is, else in another encoding, cut, doubled, or with some bytes changed."""
    text = content.decode("utf-8", "replace")
    encoded = st.sampled_from(["utf-8-sig", "utf-16", "utf-16-le", "utf-32-be", "latin-1", "utf-7", "cp037"]).map(
        lambda name: text.encode(name, "replace")
    )
    cut = st.integers(0, max(len(content) - 1, 0)).map(lambda end: content[:end])
    framed = st.sampled_from([content * 2, b"\xff" + content, content + b"\x00", b"\r\n " + content, b"[" + content])
    return st.one_of(*[st.just(content)] * 5, encoded, cut, framed, _with_other_bytes(content))


@st.composite
def _with_other_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(changed)))
        width = draw(st.sampled_from([0, 1, 1, 4]))
        changed[place : place + width] = draw(st.binary(max_size=3))
    return bytes(changed)
