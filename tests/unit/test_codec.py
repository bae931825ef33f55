"""A stored value reads back as the same value, and a digest says whether two requests ask for the same thing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from prenopay import (
    Address,
    Advice,
    CaptureMode,
    Decline,
    DeclineCode,
    DeclineKind,
    Instrument,
    Money,
    Order,
    OrderLine,
    PageStyle,
    Payer,
    PaymentState,
    Secret,
)
from prenopay.books import codec
from prenopay.values.orders import DeliveryTime, LineKind, PayerHistory, RiskFacts, ShippedTo
from prenopay.values.payments import SeamlessView

_LINE = OrderLine(
    name="Papper + digitalt",
    amount=Money(14900, "SEK"),
    vat_percent=Decimal("6.00"),
    reference="P1",
    kind=LineKind.SERVICE,
    group="news",
    quantity=Decimal("1.5"),
    unit="mån",
    unit_price=Money(9933, "SEK"),
    discount_price=Money(0, "SEK"),
    vat=Money(843, "SEK"),
    description="Första månaden",
    discount_description="halva priset",
    item_url="https://shop.example/p1",
    image_url="https://shop.example/p1.png",
    only_with=(),
)
_ADDRESS = Address(first_name="Leia", street="Storgatan 1", zip_code="17674", city="Solna", country="NO")
_PAYER = Payer(
    reference="reader-7",
    email="leia@shop.example",
    personal_number="19850709-9805",
    must_match_personal_number=True,
    billing_address=_ADDRESS,
    history=PayerHistory(account_age_days=0, shipping_name_matches=False, is_guest=True),
    digital_only=False,
)
_RISK = RiskFacts(
    delivery_email="leia@shop.example",
    delivery_time=DeliveryTime.ELECTRONIC,
    shipped_to=ShippedTo.DIGITAL,
    pick_up_address=_ADDRESS,
    gift_card=False,
    available_from=date(2026, 11, 1),
)
_ORDER = Order(
    amount=Money(14900, "SEK"),
    description="Digital, en månad",
    return_url="https://shop.example/thanks",
    order_reference="4711",
    lines=(_LINE,),
    vat=Money(843, "SEK"),
    capture=CaptureMode.MANUAL,
    page=PageStyle.SEAMLESS,
    payment_page_url="https://shop.example/pay",
    instruments=(Instrument.SWISH, "CreditAccount-CreditAccountNo"),
    only_instrument=Instrument.CARD,
    payer=_PAYER,
    risk=_RISK,
    metadata={"issue": 44, "trial": True, "price": Decimal("1.10"), "name": "å"},
    valid_for=timedelta(minutes=30, microseconds=1),
    extra={"generatePaymentToken": True, "deep": {"list": (1, "two", None, 2.5)}},
)
_PLAIN_ORDER = Order(amount=Money(1, "EUR"), description="x", return_url="https://shop.example")
_DECLINE = Decline(
    code=DeclineCode.LIMIT_EXCEEDED,
    kind=DeclineKind.SOFT,
    advice=Advice.RETRY_LATER,
    provider_code="dailylimitexceeded",
    not_before=datetime(2026, 10, 29, 12, tzinfo=UTC),
    attempts_left=3,
)

_STORABLE = [
    _ORDER,
    _PLAIN_ORDER,
    _LINE,
    _PAYER,
    _ADDRESS,
    _RISK,
    _DECLINE,
    SeamlessView(script_url="https://ecom.example/x.js", content_sources=("https://ecom.example",)),
    Money(-5, "SEK"),
    PaymentState.CAPTURED,
    Instrument.SWISH,
    Decimal("6.00"),
    datetime(2026, 10, 28, 12, 0, 0, 1, tzinfo=UTC),
    date(2026, 10, 28),
    timedelta(days=-1, microseconds=7),
    (),
    (1, ("two", None), True),
    {"a": {"b": (1,)}},
    {"$type": "Money", "$enum": 1},
    0.1,
    "",
    0,
    False,
    None,
]

# Round trip


@pytest.mark.parametrize("value", _STORABLE, ids=lambda value: type(value).__name__)
def test_what_is_stored_reads_back_as_the_very_value(value: object) -> None:
    stored = json.loads(json.dumps(codec.dump(value)))
    read = codec.load(stored)
    assert (type(value), value) == (type(read), read)


def test_kinds_of_number_are_kept_apart() -> None:
    read = codec.load(codec.dump((1, True, Decimal(1), 1.0, "1")))
    expected = [int, bool, Decimal, float, str]
    assert expected == [type(member) for member in read]


def test_a_fields_default_is_left_out() -> None:
    expected = {"$type", "$v", "amount", "description", "return_url"}
    assert expected == set(codec.dump(_PLAIN_ORDER))


def test_a_zero_that_is_not_the_default_is_kept() -> None:
    history = PayerHistory(account_age_days=0)
    assert history == codec.load(codec.dump(history))


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object(), Secret("hunter2"), {"a": b"bytes"}, (Secret("x"),)])
def test_what_cannot_be_stored_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="cannot be stored"):
        codec.dump(value)


@pytest.mark.parametrize("stored", [{}, {"a": 1}, {"$what": 1}, {"$enum": "x"}, {"$decimal": 1}])
def test_what_was_never_stored_is_refused(stored: object) -> None:
    with pytest.raises(TypeError, match="not a value that prenopay stored"):
        codec.load(stored)


def test_a_stored_value_of_another_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="the stored value is a Money, not a Decline"):
        codec.load_as(Decline, codec.dump(Money(1, "SEK")))


def test_a_stored_value_of_that_kind_is_returned() -> None:
    expected = _DECLINE
    assert expected == codec.load_as(Decline, codec.dump(_DECLINE))


# Digests


def test_the_same_order_has_the_same_digest() -> None:
    assert codec.digest("create", _ORDER) == codec.digest("create", replace(_ORDER))


def test_a_stored_order_has_the_digest_it_had() -> None:
    again = codec.load(json.loads(json.dumps(codec.dump(_ORDER))))
    assert codec.digest(_ORDER) == codec.digest(again)


def test_a_digest_stays_what_it_was_in_earlier_releases() -> None:
    expected = "96c3d0c6f3beaa28036edc11edec3cde8271755fa2520711667b05d87a2814b4"
    assert expected == codec.digest("capture", "pay_1", Money(14900, "SEK"), (), "")


def test_the_order_of_a_mappings_keys_does_not_matter() -> None:
    forth: Mapping[str, Any] = {"a": 1, "b": {"c": 2, "d": 3}}
    back: Mapping[str, Any] = {"b": {"d": 3, "c": 2}, "a": 1}
    assert codec.digest(forth) == codec.digest(back)


_OTHERS: list[dict[str, Any]] = [
    {"amount": Money(14900, "NOK"), "lines": (), "vat": None},
    {"description": "Digital, en manad"},
    {"return_url": "https://shop.example/thanks/"},
    {"order_reference": "4712"},
    {"lines": (), "vat": None},
    {"lines": (replace(_LINE, name="Papper"),)},
    {"capture": CaptureMode.AUTOMATIC},
    {"instruments": ("CreditAccount-CreditAccountNo", Instrument.SWISH)},
    {"payer": None},
    {"payer": replace(_PAYER, email="")},
    {"risk": None},
    {"metadata": {}},
    {"valid_for": None},
    {"extra": {}},
    {"age_limit": 18},
]


@pytest.mark.parametrize("fields", _OTHERS, ids="-".join)
def test_any_other_order_has_another_digest(fields: dict[str, Any]) -> None:
    assert codec.digest(_ORDER) != codec.digest(replace(_ORDER, **fields))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1,), (True,)),
        ((1,), ("1",)),
        (("a", "b"), ("ab",)),
        (("a", ("b",)), ("a", "b")),
        ((None,), ()),
        ((Money(1, "SEK"),), (Money(1, "NOK"),)),
        ((Decimal("1.5"),), (1,)),
        (({"a": 1},), (("a", 1),)),
    ],
)
def test_what_differs_has_another_digest(one: tuple[object, ...], other: tuple[object, ...]) -> None:
    assert codec.digest(*one) != codec.digest(*other)


# Names and versions


@dataclass(frozen=True, slots=True, kw_only=True)
class Renamed:
    """A value whose field was called ``sum`` in version 1, and was in kronor."""

    minor: int


def of_version_2(monkeypatch: pytest.MonkeyPatch) -> None:
    """Store ``Renamed`` under the name of another class, as its second version."""
    known = codec.Stored(
        name="renamed",
        type=Renamed,
        version=2,
        names={"minor": "sum"},
        upgrades={1: lambda members: {"sum": members["sum"] * 100}},
    )
    monkeypatch.setitem(codec._BY_TYPE, Renamed, known)
    monkeypatch.setitem(codec._BY_NAME, "renamed", known)


def test_stored_names_are_not_the_names_of_classes() -> None:
    stored = codec.dump(_ORDER)
    assert (stored["$type"], stored["$v"]) == ("order", 1)
    assert stored["lines"][0]["$type"] == "order-line"
    assert stored["capture"] == {"$enum": ["capture-mode", "manual"]}


def test_a_renamed_field_is_stored_under_its_first_name(monkeypatch: pytest.MonkeyPatch) -> None:
    of_version_2(monkeypatch)
    stored = codec.dump(Renamed(minor=5))
    assert stored == {"$type": "renamed", "$v": 2, "sum": 5}
    assert codec.load(stored) == Renamed(minor=5)


def test_an_older_version_is_upgraded_when_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    of_version_2(monkeypatch)
    assert codec.load({"$type": "renamed", "$v": 1, "sum": 7}) == Renamed(minor=700)


def test_a_newer_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    of_version_2(monkeypatch)
    with pytest.raises(TypeError, match="newer prenopay"):
        codec.load({"$type": "renamed", "$v": 3, "sum": 7})


def test_a_version_alone_makes_no_other_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = codec.digest(Renamed(minor=5)) if Renamed in codec._BY_TYPE else None
    of_version_2(monkeypatch)
    at_two = codec.digest(Renamed(minor=5))
    monkeypatch.setitem(codec._BY_TYPE, Renamed, replace(codec._BY_TYPE[Renamed], version=3))
    assert before is None
    assert codec.digest(Renamed(minor=5)) == at_two
