"""The VAT of the parts is the VAT of the whole, for every division of a payment into parts."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given, strategies as st

from prenopay import Money
from prenopay.payments.amounts import vat_of_part

_PARTS = st.lists(st.integers(1, 10**7), min_size=1, max_size=8)


def sek(minor: int) -> Money:
    return Money(minor, "SEK")


def shares(parts: list[int], vat: int, whole: int) -> list[int]:
    """Return the VAT of each of ``parts`` of ``whole``, one after the other."""
    before = [0, *accumulate(parts)]
    return [
        vat_of_part(sek(vat), sek(whole), before=sek(taken), part=sek(part)).minor
        for taken, part in zip(before, parts, strict=False)
    ]


@given(_PARTS, st.data())
def test_the_vat_of_the_parts_adds_up(parts: list[int], data: st.DataObject) -> None:
    vat = data.draw(st.integers(0, sum(parts)))
    assert vat == sum(shares(parts, vat, sum(parts)))


@given(_PARTS, st.data())
def test_no_part_holds_more_vat_than_it_is(parts: list[int], data: st.DataObject) -> None:
    vat = data.draw(st.integers(0, sum(parts)))
    found = shares(parts, vat, sum(parts))
    assert all(0 <= share <= part for share, part in zip(found, parts, strict=True))


@given(_PARTS, st.data())
def test_every_part_holds_its_share_to_one_minor_unit(parts: list[int], data: st.DataObject) -> None:
    whole = sum(parts)
    vat = data.draw(st.integers(0, whole))
    found = shares(parts, vat, whole)
    assert all(abs(share * whole - vat * part) <= whole for share, part in zip(found, parts, strict=True))


@given(_PARTS, st.integers(1, 10**6), st.data())
def test_what_goes_beyond_the_whole_holds_no_more_than_all_of_it(
    parts: list[int],
    beyond: int,
    data: st.DataObject,
) -> None:
    whole = sum(parts)
    vat = data.draw(st.integers(0, whole))
    before = data.draw(st.integers(0, whole))
    part = whole - before + beyond
    share = vat_of_part(sek(vat), sek(whole), before=sek(before), part=sek(part))
    assert sek(0) <= share <= min(sek(vat), sek(part))
