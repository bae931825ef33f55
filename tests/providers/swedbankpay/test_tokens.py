"""A payer's stored methods, listed and removed through either API: what is sent, where, and what ends well."""

from __future__ import annotations

import json
import traceback
from datetime import date
from typing import Any

import pytest

from prenopay import Secret
from prenopay._blocking import run_blocking
from prenopay.errors import (
    Conflict,
    InvalidOrder,
    NotSent,
    OutcomeUnknown,
    PrenopayError,
    ProviderUnavailable,
    RateLimited,
    Unauthenticated,
    UnexpectedAnswer,
)
from prenopay.ports import HttpResponse
from prenopay.provider import Environment
from prenopay.values.mandates import MandateKind, MethodSeen

from .samples import API, STORED, TOKEN, Json, Script, answer, body_of, problem, provider

_NEW: Json = {"payer_api": True}
_OLD: Json = {"payer_api": False}
_BOTH = pytest.mark.parametrize("api", [_NEW, _OLD], ids=["payer_api", "payerownedtokens"])
_PAYERS = "https://api.externalintegration.swedbankpay.com/online/payers"
_OWNED = f"{API}/psp/paymentorders/payerownedtokens"
_ONE_CLICK, _RECURRENCE, _UNSCHEDULED = MandateKind.ONE_CLICK, MandateKind.RECURRENCE, MandateKind.UNSCHEDULED


def link(rel: str, href: str) -> Json:
    return {"rel": rel, "href": href, "method": "PATCH", "contentType": "application/json"}


def new_token(kind: str = "Unscheduled", state: str = "Active", href: str = "", **members: Any) -> Json:
    """Return a token of the Payer API."""
    address = f"{_PAYERS}/tokens/{STORED}-{kind}"
    return {
        "operations": [link("get-token", address), link("archive-token", href or f"{address}/archives?of=ours")],
        "id": f"/online/payers/tokens/{STORED}-{kind}",
        "payerReference": "reader-7",
        "token": STORED,
        "tokenType": kind,
        "instrument": "CreditCard",
        "displayName": "0004",
        "correlationId": "c0ffee00-0000-4000-8000-000000000001",
        "state": state,
        "networkTokenized": True,
        "instrumentParameters": {
            "cardBrand": "Visa",
            "expiryPan": "12/2027",
            "bin": "492500",
            "cardholderType": "Consumer",
            "lastFourPan": "0004",
        },
        **members,
    }


def old_token(kind: str = "Unscheduled", **members: Any) -> Json:
    """Return a token of the older API."""
    return {
        "token": STORED,
        "tokenType": kind,
        "networkTokenized": True,
        "instrument": "CreditCard",
        "instrumentDisplayName": "492500******0004",
        "instrumentParameters": {"expiryDate": "12/2027", "cardBrand": "Visa"},
        "operations": [],
        **members,
    }


def new_list(*tokens: object, href: str = f"{_PAYERS}/reader-7/archives?of=ours", **members: Any) -> Json:
    body = {"id": "/online/payers/reader-7", "payerReference": "reader-7", "tokenList": list(tokens), **members}
    return {"tokens": body, "operations": [link("archive-payer-tokens", href)]}


def old_list(*tokens: object, href: str = f"{_OWNED}/reader-7?of=ours", **members: Any) -> Json:
    body = {"id": "x", "payerReference": "reader-7", "tokens": list(tokens), **members}
    return {"payerOwnedTokens": body, "operations": [link("delete-payerownedtokens", href)]}


def list_of(api: Json) -> Json:
    """Return a list with one active token, as ``api`` gives it."""
    return new_list(new_token()) if api["payer_api"] else old_list(old_token())


def listed(script: Script, payer_reference: str = "reader-7", **fields: Any) -> tuple[MethodSeen, ...]:
    return run_blocking(provider(**fields).observe_methods(script, payer_reference))


def remove(script: Script, kind: MandateKind = _UNSCHEDULED, reason: str = "subscription ended", **fields: Any) -> None:
    run_blocking(provider(**fields).remove_method(script, kind, Secret(STORED), reason=reason))


def remove_all(script: Script, reason: str = "account closed", **fields: Any) -> None:
    run_blocking(provider(**fields).remove_all_methods(script, "reader-7", reason=reason))


_MISSING = problem(
    "paymentorders/inputerror", 404, problems=[{"name": "UnscheduledToken", "description": "does not exist"}]
)
_INACTIVE = problem("paymentorders/paymenttokeninactive", 422)
_GONE = [
    answer(problem("notfound", 404), 404),
    answer(problem("brandnew", 404), 404),
    answer(problem("notfound", 410), 410),
    answer(_MISSING, 404),
    answer(_MISSING, 400),
    answer(_INACTIVE, 422),
]

_TROUBLE: list[tuple[HttpResponse | Exception, type[PrenopayError]]] = [
    (answer(b"", 404), Conflict),  # from a proxy in front of the gateway
    (answer(b"<html>", 404), Conflict),
    (answer(b"", 401), Unauthenticated),
    (answer(problem("forbidden"), 403), Conflict),
    (answer(b"", 429), RateLimited),
    (answer(problem("notfound", 404), 500), ProviderUnavailable),
    (answer(_INACTIVE, 502), ProviderUnavailable),
    (answer(b"", 302), UnexpectedAnswer),
    (answer(b"<html>", 200), UnexpectedAnswer),
    (OutcomeUnknown("lost"), OutcomeUnknown),
    (NotSent("refused"), NotSent),
]


# Which host and which API


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        (_NEW, f"{_PAYERS}/reader-7"),
        (_OLD, f"{_OWNED}/reader-7"),
        ({}, f"{_PAYERS}/reader-7"),
        ({"environment": Environment.PRODUCTION}, "https://api.swedbankpay.com/online/payers/reader-7"),
        (
            {"environment": Environment.PRODUCTION, **_OLD},
            "https://api.payex.com/psp/paymentorders/payerownedtokens/reader-7",
        ),
        ({"base_url": "http://127.0.0.1:8001/"}, "http://127.0.0.1:8001/online/payers/reader-7"),
        ({"base_url": API}, f"{API}/online/payers/reader-7"),
    ],
)
def test_a_list_is_one_read(fields: Json, url: str) -> None:
    script = Script(answer(new_list()))
    listed(script, **fields)
    (only,) = script.sent
    expected = ("GET", url, "list methods", True, b"")
    assert expected == (only.method, only.url, only.label, only.retry_safe, only.body)
    assert dict(only.headers)["authorization"] == f"Bearer {TOKEN}"


@_BOTH
def test_payer_and_token_are_one_part_of_the_path(api: Json) -> None:
    missing = answer(problem("notfound", 404), 404)
    script = Script(missing, missing)
    listed(script, "läsare/7?a=b#c", **api)
    assert script.sent[0].url.endswith("/l%C3%A4sare%2F7%3Fa%3Db%23c")
    run_blocking(provider(**api).remove_method(script, _UNSCHEDULED, Secret("a/b?c"), reason="x"))
    assert "/a%2Fb%3Fc" in script.sent[1].url
    for reference in ("", ".", ".."):
        with pytest.raises(InvalidOrder, match=r"^payer_reference: "):
            listed(Script(), reference, **api)


# Listing


@_BOTH
def test_either_shape_is_read_and_has_the_same_key(api: Json) -> None:
    keys = set()
    for body in (new_list(new_token()), old_list(old_token())):
        (method,) = listed(Script(answer(body)), **api)
        expected = (_UNSCHEDULED, "Visa •••• 0004, 12/27", "card", date(2027, 12, 31), True)
        seen = (method.kind, method.display, method.instrument, method.expires, method.network_tokenized)
        assert expected == seen
        assert method.token == Secret(STORED)
        assert STORED not in repr(method)
        keys.add(method.card_key)
    assert len(keys) == 1
    assert "" not in keys


@pytest.mark.parametrize(
    ("kind", "state", "expected"),
    [
        ("Payment", "Active", [_ONE_CLICK]),
        ("OneClick", "ACTIVE", [_ONE_CLICK]),
        ("Recurrence", "", [_RECURRENCE]),
        ("TransactionOnFile", "Active", []),
        ("Brandnew", "Active", []),
        ("Payment", "Archived", []),
        ("Payment", "New", []),
    ],
)
def test_each_kind_of_active_token_gets_our_word(kind: str, state: str, expected: list[MandateKind]) -> None:
    assert expected == [method.kind for method in listed(Script(answer(new_list(new_token(kind, state)))))]
    old = old_token(kind, state=state)
    assert expected == [method.kind for method in listed(Script(answer(old_list(old))), **_OLD)]


@pytest.mark.parametrize(
    ("members", "shown"),
    [
        ({"displayName": "My own card 2024"}, "Visa •••• 0004, 12/27"),
        ({"displayName": "123456 ****** 9999", "instrumentParameters": {}}, "Card •••• 9999"),
        ({"displayName": "0416", "instrumentParameters": None}, "Card •••• 0416"),
        ({"displayName": "Mine", "instrumentParameters": {"cardBrand": "Visa"}}, "Visa"),
        ({"instrument": "Trustly", "instrumentParameters": {"maskedAccountNumber": "***5678"}}, "Trustly •••• 5678"),
        ({"displayName": "4925000000000004", "instrumentParameters": {}}, "Card"),
        ({"instrument": "Swish", "displayName": "+46701234567", "instrumentParameters": {}}, "Swish"),
        ({"networkTokenized": "junk", "instrumentParameters": "junk", "displayName": 5}, "Card"),
    ],
)
def test_a_method_is_shown_as_people_know_it(members: Json, shown: str) -> None:
    (method,) = listed(Script(answer(new_list(new_token(**members)))))
    assert shown == method.display


_NOTHING = [*_GONE[:3], answer(new_list()), answer(old_list()), answer(new_list({"tokenType": "Payment"}))]


@_BOTH
@pytest.mark.parametrize("nothing", _NOTHING, ids=range(len(_NOTHING)))
def test_a_payer_may_be_unknown_or_have_stored_nothing(api: Json, nothing: HttpResponse) -> None:
    assert not listed(Script(nothing), **api)


_NO_LISTS: list[object] = [
    {},
    {"tokens": "x"},
    {"tokens": {"payerReference": "reader-7"}},
    {"tokens": {"tokenList": None}},
    {"tokens": {"tokenList": "junk"}},
    {"tokens": {"tokenList": ["junk"]}},
    {"payerOwnedTokens": []},
    new_list(new_token(), payerReference="reader-8"),
    old_list(old_token(), payerReference="reader-8"),
]


@_BOTH
@pytest.mark.parametrize("body", _NO_LISTS, ids=range(len(_NO_LISTS)))
def test_what_is_no_list_of_this_payers_is_not_taken_for_an_empty_one(api: Json, body: object) -> None:
    with pytest.raises(UnexpectedAnswer, match=r"^list methods: "):
        listed(Script(answer(body)), **api)


# Removing one: the Payer API


@pytest.mark.parametrize(
    ("kind", "endings"),
    [
        (_UNSCHEDULED, ["Unscheduled"]),
        (_RECURRENCE, ["Recurrence"]),
        (_ONE_CLICK, ["Payment"]),
        (_ONE_CLICK, ["Payment", "OneClick"]),  # it has two names
    ],
)
def test_a_token_is_archived_by_its_own_link(kind: MandateKind, endings: list[str]) -> None:
    unknown = [answer(problem("notfound", 404), 404)] * (len(endings) - 1)
    token = new_token(endings[-1])
    script = Script(*unknown, answer({"token": token}), answer({"token": {**token, "state": "Archived"}}))
    remove(script, kind)
    addresses = [f"{_PAYERS}/tokens/{STORED}-{ending}" for ending in endings]
    assert [*(("GET", each) for each in addresses), ("PATCH", f"{addresses[-1]}/archives")] == script.calls
    assert script.sent[-1].url.endswith("?of=ours")
    assert body_of(script.sent[-1]) == {"reason": "subscription ended", "updatedBy": "Payee"}
    assert all(each.retry_safe for each in script.sent)


@pytest.mark.parametrize("gone", [*_GONE, answer({"token": new_token(state="Archived")})])
def test_a_token_that_does_not_exist_is_removed(gone: HttpResponse) -> None:
    script = Script(gone, gone)
    remove(script)
    assert len(script.sent) == 1
    if gone.status != 200:
        script = Script(gone, gone)
        remove(script, _ONE_CLICK)
        assert len(script.sent) == 2
        remove(Script(gone), **_OLD)


_STAYS: list[tuple[Json, list[HttpResponse], type[PrenopayError], str]] = [
    *((_NEW, [answer(body)], UnexpectedAnswer, "not a token") for body in ({}, {"token": "x"}, {"token": None})),
    (_NEW, [answer({"token": new_token()})] * 2, UnexpectedAnswer, "still active"),
    (_NEW, [answer({"token": new_token(operations=[])})], Conflict, "offers no 'archive-token' now"),
    (_OLD, [answer({"token": STORED, "isDeleted": False})], UnexpectedAnswer, "not deleted"),
]


@pytest.mark.parametrize(("api", "steps", "kind", "why"), _STAYS)
def test_a_token_that_stays_is_an_error(
    api: Json, steps: list[HttpResponse], kind: type[PrenopayError], why: str
) -> None:
    script = Script(*steps)
    with pytest.raises(kind, match=why):
        remove(script, **api)
    assert len(steps) == len(script.sent)


@pytest.mark.parametrize("gone", [*_GONE, answer(b"", 204), answer(b" \n"), answer({"token": new_token(state="")})])
def test_a_token_that_goes_meanwhile_is_removed(gone: HttpResponse) -> None:
    remove(Script(answer({"token": new_token()}), gone))


_FOREIGN = [
    f"https://evil.example/online/payers/tokens/{STORED}-Unscheduled/archives",
    "https://api.swedbankpay.com/online/payers/tokens/1/archives",  # of production
    "https://api.externalintegration.swedbankpay.com.evil.example/x",
    "https://api.externalintegration.swedbankpay.com:444/x",
    "https://user@api.externalintegration.swedbankpay.com/x",
    "http://api.externalintegration.swedbankpay.com/x",
    "//api.externalintegration.swedbankpay.com/x",
    "/online/payers/tokens/1/archives",
    "https://[broken",
    "javascript:alert(1)",
]


@pytest.mark.parametrize("href", _FOREIGN)
def test_links_are_followed_to_our_hosts_only(href: str) -> None:
    script = Script(answer({"token": new_token(href=href)}))
    with pytest.raises(NotSent, match="not a host of this account") as caught:
        remove(script)
    assert len(script.sent) == 1
    assert STORED not in str(caught.value)
    for api, body in ((_NEW, new_list(new_token(), href=href)), (_OLD, old_list(old_token(), href=href))):
        script = Script(answer(body))
        with pytest.raises(NotSent, match="not a host of this account"):
            remove_all(script, **api)
        assert len(script.sent) == 1
    for host in ("api.externalintegration.payex.com", "API.externalintegration.swedbankpay.com"):
        script = Script(answer({"token": new_token(href=f"https://{host}/x/archives")}), answer(b""))
        remove(script)
        assert script.sent[1].url == f"https://{host}/x/archives"


# Removing one: the older API


@pytest.mark.parametrize(
    ("kind", "path"),
    [(_UNSCHEDULED, "unscheduledtokens"), (_RECURRENCE, "recurrencetokens"), (_ONE_CLICK, "paymenttokens")],
)
def test_a_token_is_deleted_at_its_own_path(kind: MandateKind, path: str) -> None:
    answers: list[Json] = [
        {"token": STORED, "isDeleted": True},
        {"token": STORED, "instrument": "CreditCard", "instrumentDisplayName": "492500******0004"},
        {"paymentToken": STORED, "instrument": "CreditCard"},
        {"state": "Deleted", "comment": "as the use cases show"},
    ]
    for given in (*map(answer, answers), answer(b"", 204)):
        script = Script(given)
        remove(script, kind, **_OLD)
        assert [("PATCH", f"{API}/psp/paymentorders/{path}/{STORED}")] == script.calls
        assert body_of(script.sent[0]) == {"state": "Deleted", "comment": "subscription ended"}
        assert script.sent[0].retry_safe


# Removing one: either way


@_BOTH
@pytest.mark.parametrize(("trouble", "kind"), _TROUBLE)
def test_what_fails_is_an_error(api: Json, trouble: HttpResponse | Exception, kind: type[PrenopayError]) -> None:
    with pytest.raises(kind):
        listed(Script(trouble), **api)
    with pytest.raises(kind):
        remove(Script(trouble), **api)
    if api["payer_api"]:
        with pytest.raises(kind):
            remove(Script(answer({"token": new_token()}), trouble))
    for steps in ((trouble,), (answer(list_of(api)), trouble)):
        with pytest.raises(kind):
            remove_all(Script(*steps), **api)


@_BOTH
def test_a_consent_in_an_app_is_not_stored_here(api: Json) -> None:
    script = Script()
    with pytest.raises(InvalidOrder, match=r"^kind: "):
        remove(script, MandateKind.CONSENT, **api)
    assert not script.sent


@_BOTH
def test_a_removal_without_a_reason_still_gives_one(api: Json) -> None:
    script = Script(*[answer({"token": new_token()})] * api["payer_api"], answer(b""))
    remove(script, reason=" ", **api)
    assert "Removed by the merchant" in body_of(script.sent[-1]).values()


# Removing all


@pytest.mark.parametrize(
    ("api", "url", "body"),
    [
        (_NEW, f"{_PAYERS}/reader-7/archives?of=ours", {"reason": "account closed", "updatedBy": "Payee"}),
        (_OLD, f"{_OWNED}/reader-7?of=ours", {"state": "Deleted", "comment": "account closed"}),
    ],
)
def test_all_are_removed_by_the_lists_own_link(api: Json, url: str, body: Json) -> None:
    after = new_list(new_token(state="Archived")) if api["payer_api"] else old_list(old_token())
    script = Script(answer(list_of(api)), answer(after))
    remove_all(script, **api)
    patch = script.sent[1]
    assert ("PATCH", url, "remove methods", True) == (patch.method, patch.url, patch.label, patch.retry_safe)
    assert body == body_of(patch)


@pytest.mark.parametrize("body", [old_list(old_token()), new_list(new_token())])
def test_the_link_says_what_to_send(body: Json) -> None:
    for api in (_NEW, _OLD):
        script = Script(answer(body), answer(b""))
        remove_all(script, **api)
        expected = {"state", "comment"} if "payerOwnedTokens" in body else {"reason", "updatedBy"}
        assert expected == set(body_of(script.sent[1]))


@_BOTH
def test_nothing_is_sent_if_there_is_nothing_to_remove(api: Json) -> None:
    for nothing in (*_NOTHING[:-1], answer(new_list(new_token(state="Archived")))):
        script = Script(nothing)
        remove_all(script, **api)
        assert len(script.sent) == 1


@_BOTH
def test_tokens_that_disappear_in_between_are_removed(api: Json) -> None:
    kind = "TransactionOnFile"  # a legacy one, which is removed too
    legacy = answer(new_list(new_token(kind)) if api["payer_api"] else old_list(old_token(kind)))
    for given in (legacy, answer(list_of(api))):
        for gone in (*_GONE, answer(b"", 204), answer(b""), answer({})):
            script = Script(given, gone)
            remove_all(script, **api)
            assert len(script.sent) == 2
    with pytest.raises(Conflict, match="nothing was removed"):
        remove_all(Script(answer({**list_of(api), "operations": []})), **api)
    with pytest.raises(UnexpectedAnswer, match="still active"):
        remove_all(Script(answer(new_list(new_token())), answer(new_list(new_token()))), **api)


# Secrets


@_BOTH
@pytest.mark.parametrize("status", [400, 403, 500, 302])
def test_an_error_does_not_show_the_token(api: Json, status: int) -> None:
    said = problem("forbidden", status, title=f"{STORED}", detail=f"/tokens/{STORED.upper()}-Unscheduled is busy")
    for steps in ((answer(said, status),), (answer({"token": new_token()}), answer(said, status))):
        if len(steps) == 1 or api["payer_api"]:
            with pytest.raises(PrenopayError) as caught:
                remove(Script(*steps), **api)
            shown = "".join(traceback.format_exception(caught.value)) + json.dumps(vars(caught.value), default=repr)
            assert STORED not in shown.lower()
