"""Only paths that were handed out are accepted, whatever path a stranger calls. Nothing else ever happens."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given, strategies as st

from prenopay import Secret
from prenopay.errors import Unverified
from prenopay.values.callbacks import CallbackAddress, CallbackUrls
from prenopay.values.subjects import Subject

from .strategies import ANY_TEXT

_URLS = CallbackUrls("https://shop.example/prenopay", [Secret("a-key-for-the-tests-that-is-long-enough")])
_OTHERS = CallbackUrls("https://shop.example/prenopay", [Secret("a-key-of-somebody-else-that-is-long-enough")])

_SIGNS = string.ascii_letters + string.digits + "-_."
_ACCOUNTS = st.text(_SIGNS, min_size=1, max_size=60)
_PAYMENTS = st.text(string.ascii_lowercase + string.digits + "_", min_size=1, max_size=40)


def path_of(urls: CallbackUrls, account: str, payment_id: str) -> str:
    return urls.url(account, Subject.payment(payment_id)).removeprefix("https://shop.example")


@given(_ACCOUNTS, _PAYMENTS)
def test_every_path_that_was_handed_out_is_accepted(account: str, payment_id: str) -> None:
    assert CallbackAddress(account, Subject.payment(payment_id)) == _URLS.verify(path_of(_URLS, account, payment_id))


@given(ANY_TEXT | st.lists(ANY_TEXT, max_size=5).map("/".join))
@example("/a/\ud800/c")
@example("/a/b/\udcff")
@example("///")
def test_any_other_path_is_unverified(path: str) -> None:
    with pytest.raises(Unverified):
        _URLS.verify(path)


@given(_ACCOUNTS, _PAYMENTS)
def test_what_another_key_signed_is_unverified(account: str, payment_id: str) -> None:
    with pytest.raises(Unverified):
        _URLS.verify(path_of(_OTHERS, account, payment_id))


@given(_ACCOUNTS, _PAYMENTS, st.data())
def test_one_changed_character_makes_it_unverified(account: str, payment_id: str, data: st.DataObject) -> None:
    whole = path_of(_URLS, account, payment_id)
    place = data.draw(st.integers(len("/prenopay/"), len(whole) - 1))
    sign = data.draw(st.sampled_from(_SIGNS).filter(lambda other: other != whole[place]))
    with pytest.raises(Unverified):
        _URLS.verify(whole[:place] + sign + whole[place + 1 :])


@given(_ACCOUNTS, _PAYMENTS, _ACCOUNTS, _PAYMENTS)
def test_one_payments_mac_opens_no_other(account: str, payment_id: str, other: str, other_payment: str) -> None:
    if (account, payment_id) == (other, other_payment):
        return
    mac = path_of(_URLS, account, payment_id).rsplit("/", 1)[1]
    with pytest.raises(Unverified):
        _URLS.verify(f"/{other}/{other_payment}/{mac}")
