"""A callback URL is a capability: only paths that were handed out are accepted, and addresses are not trusted."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

import pytest

from prenopay import CallbackRequest, Secret
from prenopay.errors import ConfigurationError, Unverified
from prenopay.values.callbacks import CallbackAddress, CallbackUrls, source_address
from prenopay.values.subjects import Subject

_NEW, _OLD = Secret("the-new-key-that-signs-addresses"), Secret("the-old-key-that-signed-addresses")
_PAYMENT = "pay_01j000000000000000000000"


def urls(*keys: Secret, base: str = "https://shop.example/prenopay") -> CallbackUrls:
    return CallbackUrls(base, keys or (_NEW,))


def path(of: CallbackUrls, account: str = "paper", payment_id: str = _PAYMENT) -> str:
    return of.url(account, Subject.payment(payment_id)).removeprefix("https://shop.example")


# Handing out and verifying


def test_a_path_that_was_handed_out_is_accepted() -> None:
    assert CallbackAddress("paper", Subject.payment(_PAYMENT)) == urls().verify(path(urls()))


def test_it_is_accepted_wherever_the_app_is_mounted() -> None:
    bare = path(urls()).removeprefix("/prenopay")
    assert CallbackAddress("paper", Subject.payment(_PAYMENT)) == urls().verify("/some/other/mount" + bare)


def test_the_url_is_under_the_base() -> None:
    made = urls(base="https://shop.example/prenopay/").url("paper", Subject.payment(_PAYMENT))
    assert made.startswith(f"https://shop.example/prenopay/paper/payment/{_PAYMENT}/")


def test_the_url_is_the_same_every_time() -> None:
    assert urls().url("paper", Subject.payment(_PAYMENT)) == urls().url("paper", Subject.payment(_PAYMENT))


def test_the_mac_is_long_enough_not_to_be_guessed() -> None:
    guesses = 64 ** len(path(urls()).rsplit("/", 1)[1])
    assert guesses >= 2**128


def swap(whole: str, old: str, new: str) -> str:
    assert old in whole
    return whole.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/paper/", "/other/"),
        (_PAYMENT, _PAYMENT[:-1] + "1"),
        (_PAYMENT, ""),
        ("/paper/", "//"),
        ("/paper/", "/Paper/"),
    ],
)
def test_a_tampered_path_is_refused(old: str, new: str) -> None:
    with pytest.raises(Unverified):
        urls().verify(swap(path(urls()), old, new))


@pytest.mark.parametrize("cut", [1, 21, 22])
def test_a_shortened_mac_is_refused(cut: int) -> None:
    with pytest.raises(Unverified):
        urls().verify(path(urls())[:-cut])


def test_every_character_of_the_mac_counts() -> None:
    whole = path(urls())
    for place in range(len(whole) - 22, len(whole)):
        other = "A" if whole[place] != "A" else "B"
        with pytest.raises(Unverified):
            urls().verify(whole[:place] + other + whole[place + 1 :])


@pytest.mark.parametrize(
    "strange",
    ["", "/", "///", "/a/b", "/a/b/c", "paper", "/paper/pay_1/=", "/\ud800/b/c", "/a/b/\udcff", "/é/ü/å", "\0/\0/\0"],
)
def test_any_other_path_is_refused(strange: str) -> None:
    with pytest.raises(Unverified):
        urls().verify(strange)


@pytest.mark.parametrize(
    "added", [lambda path: path + "/", lambda path: path + "//", lambda path: path.replace("/", "//")]
)
def test_slashes_that_a_framework_adds_do_not_count(added: Callable[[str], str]) -> None:
    assert CallbackAddress("paper", Subject.payment(_PAYMENT)) == urls().verify(added(path(urls())))


# Keys


def test_an_old_key_still_verifies() -> None:
    assert CallbackAddress("paper", Subject.payment(_PAYMENT)) == urls(_NEW, _OLD).verify(path(urls(_OLD)))


def test_the_newest_key_signs() -> None:
    assert urls(_NEW).url("paper", Subject.payment(_PAYMENT)) == urls(_NEW, _OLD).url(
        "paper", Subject.payment(_PAYMENT)
    )


def test_a_dropped_key_verifies_nothing() -> None:
    with pytest.raises(Unverified):
        urls(_NEW).verify(path(urls(_OLD)))


def test_no_key_at_all_is_refused_and_says_how_to_make_one() -> None:
    with pytest.raises(ConfigurationError, match=r"callback_keys .*secrets\.token_urlsafe"):
        CallbackUrls("https://shop.example", ())


def test_a_short_key_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigurationError, match=r"callback_keys\[1\] must have at least 32 characters") as caught:
        CallbackUrls("https://shop.example", (_NEW, Secret("x" * 31)))
    assert "x" * 31 not in str(caught.value)


@pytest.mark.parametrize(
    "base",
    [
        "",
        "shop.example/prenopay",
        "/prenopay",
        "ftp://shop.example",
        "https://",
        "https://a b.example",
        "https://u@a.example",
    ],
)
def test_a_base_that_no_gateway_can_call_is_refused(base: str) -> None:
    with pytest.raises(ConfigurationError, match="callback_url: must be an absolute"):
        urls(base=base)


@pytest.mark.parametrize("base", ["https://a.example/c?k=1", "https://a.example/c?", "https://a.example/c#here"])
def test_a_base_that_a_path_cannot_be_added_to_is_refused(base: str) -> None:
    with pytest.raises(ConfigurationError, match="callback_url: must have no query and no fragment"):
        urls(base=base)


@pytest.mark.parametrize(
    "base", ["http://a.example", "http://10.0.0.1", "http://127.0.0.1.a.example", "http://localhost.a"]
)
def test_a_base_that_everybody_on_the_way_can_read_is_refused(base: str) -> None:
    with pytest.raises(ConfigurationError, match="callback_url: must use https, or be on this machine"):
        urls(base=base)


@pytest.mark.parametrize("base", ["https://[broken", "https://a.example:99999999"])
def test_a_base_that_is_no_url_is_refused(base: str) -> None:
    with pytest.raises(ConfigurationError, match="callback_url: "):
        urls(base=base)


@pytest.mark.parametrize("base", ["http://localhost:8000/c", "http://127.0.0.1/c", "http://[::1]:8000/c"])
def test_a_base_on_this_machine_needs_no_encryption(base: str) -> None:
    assert urls(base=base).base_url == base


# Where a callback came from


def came_from(peer: str, forwarded: str = "", *, proxies: tuple[str, ...] = ()) -> str | None:
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    source = source_address(CallbackRequest(path="/", body=b"", headers=headers, peer=peer), proxies)
    return None if source is None else str(source)


@pytest.mark.parametrize(
    ("peer", "forwarded", "proxies", "expected"),
    [
        ("20.91.170.121", "", (), "20.91.170.121"),
        ("203.0.113.9", "20.91.170.121", (), "203.0.113.9"),  # anybody can write this header
        ("10.0.0.1", "20.91.170.121", ("10.0.0.0/8",), "20.91.170.121"),
        ("10.0.0.1", "", ("10.0.0.0/8",), "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4, 20.91.170.121", ("10.0.0.0/8",), "20.91.170.121"),  # read from the right
        ("10.0.0.1", "20.91.170.121, 10.0.0.2", ("10.0.0.0/8",), "20.91.170.121"),
        ("10.0.0.1", "20.91.170.121,203.0.113.9", ("10.0.0.0/8",), "203.0.113.9"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", ("10.0.0.0/8",), "10.0.0.3"),
        ("::ffff:20.91.170.121", "", (), "20.91.170.121"),
        ("::ffff:10.0.0.1", "20.91.170.121", ("10.0.0.0/8",), "20.91.170.121"),
        ("2001:db8::1", "2001:db8::2", ("2001:db8::1/128",), "2001:db8::2"),
        ("", "20.91.170.121", ("10.0.0.0/8",), None),
        ("unix:", "", (), None),
        ("10.0.0.1", "unknown", ("10.0.0.0/8",), None),
    ],
)
def test_the_source_is_the_last_hop_nobody_trusted_vouches_for(
    peer: str,
    forwarded: str,
    proxies: tuple[str, ...],
    expected: str | None,
) -> None:
    assert expected == came_from(peer, forwarded, proxies=proxies)


def test_the_header_is_found_in_any_case() -> None:
    request = CallbackRequest(path="/", body=b"", headers={"x-forwarded-FOR": "20.91.170.121"}, peer="10.0.0.1")
    assert ipaddress.ip_address("20.91.170.121") == source_address(request, ("10.0.0.1",))


def test_a_callback_shows_neither_body_nor_headers() -> None:
    request = CallbackRequest(path="/", body=b"secret", headers={"a": "secret"}, query="a=secret", peer="10.0.0.1")
    assert "secret" not in repr(request)


def test_one_key_that_is_not_in_a_list_is_refused_with_the_fix() -> None:
    with pytest.raises(ConfigurationError, match="put brackets around"):
        CallbackUrls("https://shop.example/callbacks", "a-key-for-the-tests-that-is-long-enough")
