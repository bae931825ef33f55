"""Stored cards and charges at the Swedbank Pay emulator against the gateway's own samples, where a folder is named.

The folder named by ``PRENOPAY_SAMPLES`` holds ``swedbankpay/*.json``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prenopay.testing.emulators.swedbankpay import DEFAULT_PAYEE_ID, Behaviour, DeclineChannel, TokenKind

from .calling import Answer, Merchant
from .storing import MASTERCARD, NETWORK, PAYER, card_token, charge, stored

DELETE = {"state": "Deleted", "comment": "x"}
ARCHIVE = {"reason": "x", "updatedBy": "Payee"}


def _sample(name: str) -> Any:
    folder = os.environ.get("PRENOPAY_SAMPLES")
    if not folder:
        pytest.skip("PRENOPAY_SAMPLES names no folder with the gateway's own samples")
    return json.loads((Path(folder) / "swedbankpay" / name).read_text())


def _names(value: Any, path: str = "") -> set[str]:
    """Return the paths of all members, lists merged."""
    if isinstance(value, list):
        return set().union(*(_names(entry, path) for entry in value))
    if not isinstance(value, dict):
        return set()
    found: set[str] = set()
    for key, member in value.items():
        here = f"{path}/{key}"
        found |= {here} | _names(member, here)
    return found


def _rels(value: Any) -> set[str]:
    if isinstance(value, list):
        return set().union(*(_rels(entry) for entry in value))
    if not isinstance(value, dict):
        return set()
    named = {str(value["rel"])} if "rel" in value and "href" in value else set()
    return named | set().union(*(_rels(member) for member in value.values()))


def _owned(merchant: Merchant) -> Answer:
    card_token(merchant.emulator, pan=NETWORK)
    return merchant.call("GET", "/psp/paymentorders/payerownedtokens/p-1")


def _all_deleted(merchant: Merchant) -> Answer:
    card_token(merchant.emulator)
    return merchant.call("PATCH", "/psp/paymentorders/payerownedtokens/p-1", DELETE)


def _deleted(kind: TokenKind) -> Callable[[Merchant], Answer]:
    def act(merchant: Merchant) -> Answer:
        token = card_token(merchant.emulator, kind=kind)
        return merchant.call("PATCH", f"/psp/paymentorders/{kind.value}tokens/{token}", DELETE)

    return act


def _payers(method: str, path: str, body: object = None) -> Callable[[Merchant], Answer]:
    def act(merchant: Merchant) -> Answer:
        token = card_token(merchant.emulator, kind=TokenKind.PAYMENT)
        if path == "p-1/archives" and method == "GET":
            merchant.call("PATCH", "/online/payers/p-1/archives", ARCHIVE)
        return merchant.call(method, f"/online/payers/{path.format(token=token)}", body)

    return act


def _paid(merchant: Merchant) -> Answer:
    stored(merchant)
    return merchant.call("GET", f"{merchant.emulator.orders[0].id}/paid")


def _failed(merchant: Merchant) -> Answer:
    merchant.emulator.decline_next_charge("acquirererror", channel=DeclineChannel.FAILED_ORDER)
    order = charge(merchant, card_token(merchant.emulator)).order["id"]
    return merchant.call("GET", f"{order}/failed")


def _no_member(path: str, *names: str) -> set[str]:
    return {f"{path}/{name}" for name in names}


OLD_PARAMETERS = "/instrumentParameters"
NEWER = ("lastFourPan", "issuerName")
OWNED_PARAMETERS = _no_member("/payerOwnedTokens/tokens/instrumentParameters", "email", "msisdn", "zipCode")
OURS_OWNED = _no_member("/payerOwnedTokens/tokens/instrumentParameters", *NEWER)


def test_members_are_those_of_the_samples() -> None:
    cases: list[tuple[str, Callable[[Merchant], Answer], set[str] | None, set[str]]] = [
        ("payerownedtokens-get-response-network-tokenization.json", _owned, set(), set()),
        ("payerownedtokens-delete-all-response.json", _all_deleted, OURS_OWNED, OWNED_PARAMETERS),
        ("token-delete-payerownedtoken-response.json", _all_deleted, OURS_OWNED, OWNED_PARAMETERS),
        (
            "token-delete-paymenttoken-response.json",
            _deleted(TokenKind.PAYMENT),
            _no_member(OLD_PARAMETERS, *NEWER),
            set(),
        ),
        (
            "token-delete-unscheduledtoken-response.json",
            _deleted(TokenKind.UNSCHEDULED),
            _no_member(OLD_PARAMETERS, *NEWER),
            set(),
        ),
        ("token-delete-recurrencetoken-response.json", _deleted(TokenKind.RECURRENCE), set(), set()),
        ("payerapi-get-all-payer-tokens-response.json", _payers("GET", "p-1"), set(), set()),
        ("payerapi-get-archived-payer-tokens-response.json", _payers("GET", "p-1/archives"), set(), set()),
        (
            "payerapi-patch-archive-all-payer-tokens-response.json",
            _payers("PATCH", "p-1/archives", ARCHIVE),
            None,
            set(),
        ),
        (
            "payerapi-patch-archive-single-payer-token-response.json",
            _payers("PATCH", "tokens/{token}-Payment/archives", ARCHIVE),
            set(),
            set(),
        ),
        (
            "payerapi-patch-update-display-name-response.json",
            _payers("PATCH", "tokens/{token}-Payment/displaynames", {"displayName": "x"}),
            set(),
            set(),
        ),
        ("paymentorder-status-paid-card-unscheduled-token.json", _paid, None, set()),
        ("paymentorder-failed.json", _failed, set(), set()),
    ]
    for name, act, ours_more, theirs_more in cases:
        merchant = Merchant()
        sample, body = _sample(name), act(merchant).body
        theirs, ours = _names(sample), _names(body)
        assert theirs - ours == theirs_more
        if ours_more is not None:
            assert ours - theirs == ours_more
        assert _rels(body) == _rels(sample)


def _single_card(merchant: Merchant) -> dict[str, Any]:
    token = card_token(merchant.emulator, pan=NETWORK, kind=TokenKind.PAYMENT)
    merchant.emulator.behaviour = Behaviour(cardholder_type_key="cardHolderType")
    found: dict[str, Any] = merchant.call("GET", f"/online/payers/tokens/{token}-Payment").body["token"]
    return found


def _single_account(merchant: Merchant) -> dict[str, Any]:
    token = merchant.emulator.store_account("p-1", kind=TokenKind.PAYMENT).token
    found: dict[str, Any] = merchant.call("GET", f"/online/payers/tokens/{token}-Payment").body["token"]
    return found


def test_parameters_are_those_of_the_samples() -> None:
    cases: list[tuple[str, Callable[[Merchant], dict[str, Any]]]] = [
        ("creditcard", _single_card),
        ("trustly", _single_account),
    ]
    for name, single in cases:
        merchant = Merchant()
        theirs = _sample(f"payerapi-instrument-parameters-{name}.json")["token"]["instrumentParameters"]
        assert single(merchant)["instrumentParameters"].keys() == theirs.keys()


def _do_not_retry(merchant: Merchant) -> Answer:
    merchant.emulator.decline_next_charge("acquirererrordonotretry")
    return charge(merchant, card_token(merchant.emulator))


def _modification(merchant: Merchant) -> Answer:
    return charge(merchant, card_token(merchant.emulator), amount=952507)


def _suspended(times: int) -> Callable[[Merchant], Answer]:
    def act(merchant: Merchant) -> Answer:
        token = card_token(merchant.emulator, pan=MASTERCARD)
        merchant.emulator.decline_next_charge("authenticationrequired", times=times)
        return [charge(merchant, token, f"C{number}") for number in range(times)][-1]

    return act


def _over_the_limit(merchant: Merchant) -> Answer:
    _suspended(10)(merchant)
    return charge(merchant, merchant.emulator.tokens()[0].token, "X1")


def _missing(merchant: Merchant) -> Answer:
    return _recur(merchant, "none")


def _inactive(merchant: Merchant) -> Answer:
    merchant.emulator.behaviour = Behaviour(inactive_name="UnscheduledToken")
    token = card_token(merchant.emulator, kind=TokenKind.RECURRENCE)
    merchant.emulator.archive_token(token)
    return _recur(merchant, token)


def _recur(merchant: Merchant, token: str) -> Answer:
    return charge(merchant, "", operation="Recur", unscheduledToken=None, recurrenceToken=token)


def _consent(merchant: Merchant) -> Answer:
    return merchant.create(payer=PAYER, generatePaymentToken=True, enablePaymentDetailsConsentCheckbox=True)


def test_problems_are_those_of_the_samples() -> None:
    cases: list[tuple[str, Callable[[Merchant], Answer]]] = [
        ("creditcard-acquirererrordonotretry", _do_not_retry),
        ("creditcard-authenticationrequired-modification-required", _modification),
        ("creditcard-authenticationrequired-suspension-warning", _suspended(5)),
        ("creditcard-dailylimitexceeded", _over_the_limit),
        ("paymentorders-inputerror-token-missing", _missing),
        ("paymentorders-paymenttokeninactive-recurrence", _inactive),
        ("paymentorders-inputerror-consent-checkbox", _consent),
    ]
    for name, act in cases:
        merchant = Merchant()
        theirs = _sample(f"problem-{name}.json")
        merchant.emulator.behaviour = Behaviour(decline_channel=DeclineChannel.PROBLEM)
        answer = act(merchant)
        assert (answer.status, answer.body["type"]) == (theirs["status"], theirs["type"])
        assert _names(theirs) - _names(answer.body) == set()
        assert _names(answer.body) - _names(theirs) <= {"/instance"}
        assert {entry["name"] for entry in answer.body["problems"]} <= {entry["name"] for entry in theirs["problems"]}


def test_real_requests_that_store_are_taken_as_they_are() -> None:
    cases: list[tuple[str, str]] = [
        ("recur-initial-request-redirect", "Purchase"),
        ("unscheduled-initial-request", "Purchase"),
        ("moto-purchase-request-redirect", "Purchase"),
        ("verify-request", "Verify"),
        ("payer-aware-menu-request-redirect", "Purchase"),
    ]
    for name, operation in cases:
        merchant = Merchant()
        sample = _sample(f"{name}.json")
        sample["paymentorder"]["payeeInfo"]["payeeId"] = DEFAULT_PAYEE_ID
        answer = merchant.call("POST", "/psp/paymentorders", sample)
        assert answer.status == 201, answer.body
        assert answer.order["operation"] == operation


def test_real_charges_are_taken_but_for_lines_that_do_not_add_up() -> None:
    cases: list[tuple[str, TokenKind]] = [("recur", TokenKind.RECURRENCE), ("unscheduled", TokenKind.UNSCHEDULED)]
    for name, kind in cases:
        merchant = Merchant()
        order = _sample(f"{name}-request.json")["paymentorder"]
        payer = order["payer"]["payerReference"]
        order["payeeInfo"]["payeeId"] = DEFAULT_PAYEE_ID
        order[kind.field] = merchant.emulator.store_card(payer, kind=kind).token
        refused = merchant.call("POST", "/psp/paymentorders", {"paymentorder": order})
        assert refused.problem_names == ["PaymentOrder.Amount"]
        answer = merchant.call("POST", "/psp/paymentorders", {"paymentorder": {**order, "orderItems": None}})
        assert answer.order["status"] == "Paid"
