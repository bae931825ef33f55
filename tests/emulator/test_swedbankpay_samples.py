"""The Swedbank Pay emulator's answers against the gateway's own samples, where a folder with them is named."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

from prenopay.testing.emulators.swedbankpay import (
    DEFAULT_PAYEE_ID,
    LENIENT,
    Behaviour,
    DeclineChannel,
    PayerAnswer,
    TokenKind,
)

from .calling import ITEM, Answer, Merchant
from .samples import load, names
from .storing import MASTERCARD, NETWORK, PAYER, card_token, charge, stored


def _paid(merchant: Merchant) -> str:
    order = merchant.order()
    merchant.emulator.pay_by_card(order)
    return order


def _created(merchant: Merchant) -> Answer:
    return merchant.create()


def _captured(merchant: Merchant) -> Answer:
    return merchant.call("POST", f"{_paid(merchant)}/captures", _move(amount=1500, vatAmount=0))


def _cancelled(merchant: Merchant) -> Answer:
    return merchant.call("POST", f"{_paid(merchant)}/cancellations", _move())


def _reversed(merchant: Merchant) -> Answer:
    order = _paid(merchant)
    merchant.capture(order, 1500, "C0")
    return merchant.call("POST", f"{order}/reversals", _move(amount=1500, vatAmount=0))


def _aborted(merchant: Merchant) -> Answer:
    return merchant.patch(merchant.order(), "Abort", abortReason="x")


def _move(**members: object) -> dict[str, object]:
    return {"transaction": {"description": "x", "payeeReference": "M1", **members}}


def _node(name: str) -> Callable[[Merchant], Answer]:
    def fetch(merchant: Merchant) -> Answer:
        order = _paid(merchant)
        merchant.capture(order, 700, "C1", receiptReference="K1")
        merchant.cancel(order, "X1")
        return merchant.call("GET", f"{order}/{name}")

    return fetch


def _paid_by(instrument: str, currency: str = "SEK") -> Callable[[Merchant], Answer]:
    def fetch(merchant: Merchant) -> Answer:
        order = merchant.order(currency=currency)
        if instrument == "Swish":
            merchant.emulator.pay_by_swish(order)
        else:
            merchant.emulator.pay_by(order, instrument)
        return merchant.call("GET", f"{order}/paid")

    return fetch


def _failed_attempts(merchant: Merchant) -> Answer:
    order = merchant.order(currency="NOK")
    merchant.emulator.pay_by_card(order, pan="4761739001010416", answer=PayerAnswer.CANCEL)
    merchant.emulator.pay_by(order, "Vipps", answer=PayerAnswer.DECLINE)
    return merchant.call("GET", f"{order}/failedattempts")


ORDER = "/paymentOrder/"
REMAINING = {f"{ORDER}remaining{word}Amount" for word in ("Capture", "Cancellation", "Reversal")}
VIEWABLE = {f"{ORDER}viewableInstruments"}
PAID_ALWAYS = {f"/paid/{name}" for name in ("orderReference", "submittedAmount", "feeAmount", "discountAmount")}
TOKENS = {"/paid/tokens", *(f"/paid/tokens/{name}" for name in ("type", "token", "name", "expiryDate"))}
CARD_TOKENS = {f"/paid/details/{name}" for name in ("nonPaymentToken", "externalNonPaymentToken")}
CARD_TOKENS |= {"/paid/details/issuingBank", "/paid/details/paymentAccountReference"}


def test_members_are_those_of_the_samples() -> None:
    cases: list[tuple[str, Callable[[Merchant], Answer], set[str] | None, set[str]]] = [
        ("purchase-response-initialized-redirect-v3.1.json", _created, VIEWABLE, set()),
        ("capture-response-v3.1.json", _captured, VIEWABLE, REMAINING),
        ("cancel-response-v3.1.json", _cancelled, VIEWABLE, set()),
        ("reversal-response-v3.1.json", _reversed, VIEWABLE, REMAINING),
        ("abort-response-redirect.json", _aborted, None, set()),
        ("paymentorder-aborted.json", lambda m: m.call("GET", f"{_aborted(m).order['id']}/aborted"), set(), set()),
        ("paymentorder-paid-card.json", _node("paid"), set(), TOKENS | {"/paid/details/maskedDPan"}),
        ("paymentorder-paid-swish.json", _paid_by("Swish"), PAID_ALWAYS, set()),
        ("paymentorder-paid-invoice.json", _paid_by("Invoice-PayExFinancingSe"), PAID_ALWAYS, set()),
        ("paymentorder-paid-apple-pay.json", _paid_by("ApplePay"), PAID_ALWAYS | CARD_TOKENS, set()),
        (
            "paymentorder-paid-google-pay.json",
            _paid_by("GooglePay"),
            PAID_ALWAYS | CARD_TOKENS | {"/paid/transactionType"},
            set(),
        ),
        (
            "paymentorder-paid-click-to-pay.json",
            _paid_by("ClickToPay"),
            PAID_ALWAYS | CARD_TOKENS | {"/paid/transactionType"},
            set(),
        ),
        ("paymentorder-paid-mobilepay.json", _paid_by("MobilePay", "DKK"), PAID_ALWAYS | CARD_TOKENS, set()),
        ("paymentorder-financialtransactions.json", _node("financialtransactions"), set(), set()),
        ("paymentorder-history.json", _node("history"), set(), set()),
        ("paymentorder-failedattempts.json", _failed_attempts, set(), set()),
        ("urls-response.json", lambda m: m.call("GET", f"{_all_urls(m)}/urls"), set(), set()),
    ]
    for name, answer, ours_more, theirs_more in cases:
        merchant = Merchant()
        theirs, ours = names(load("swedbankpay", name)), names(answer(merchant).body)
        assert theirs - ours <= theirs_more | {
            f"/operations/{part}" for part in ("method", "href", "rel", "contentType")
        }
        if ours_more is not None:
            assert ours - theirs <= ours_more


def _all_urls(merchant: Merchant) -> str:
    urls = {
        "hostUrls": ["https://shop.example"],
        "completeUrl": "https://shop.example/1",
        "cancelUrl": "https://shop.example/2",
        "paymentUrl": "https://shop.example/3",
        "callbackUrl": "https://shop.example/4",
        "logoUrl": "https://shop.example/5",
        "termsOfServiceUrl": "https://shop.example/6",
    }
    return merchant.order(urls=urls)


def test_callbacks_are_those_of_the_samples() -> None:
    cases: list[tuple[str, str]] = [
        ("callback-v3.1-paymentorder.json", "3.1"),
        ("callback-v3.0-migration-guide.json", "3.0"),
    ]
    for name, version in cases:
        merchant = Merchant()
        order = dataclasses.replace(merchant, version=version).order(orderItems=[ITEM])
        merchant.emulator.pay_by_swish(order)
        (callback,) = merchant.emulator.callbacks.waiting
        assert names(json.loads(callback.body)) == names(load("swedbankpay", name))


def test_older_transactions_are_those_of_the_samples(merchant: Merchant) -> None:
    order, old = _paid(merchant), dataclasses.replace(merchant, version="3.0")
    answers = {
        "capture": old.capture(order, 500, "C1", receiptReference="K1"),
        "reversal": old.reverse(order, 500, "R1", receiptReference="K1"),
        "cancel": old.cancel(order, "X1"),
    }
    extra = {f"/reversal/transaction/{part}" for part in ("isOperational", "reconciliationNumber", "operations")}
    for verb, answer in answers.items():
        assert names(load("swedbankpay", f"{verb}-response-v3.0.json")) - extra == names(answer.body)


def test_a_real_purchase_request_is_taken_as_it_is(merchant: Merchant) -> None:
    sample = load("swedbankpay", "purchase-request-v3.1.json")
    payee = merchant.emulator.merchants[0].payee_id
    sample["paymentorder"]["payeeInfo"]["payeeId"] = payee
    assert merchant.call("POST", "/psp/paymentorders", sample).status == 201


def test_real_requests_beside_the_documents_tables_are_taken_by_a_lenient_gateway_only(merchant: Merchant) -> None:
    for name in ("corporate-limited-menu", "payout-verify", "instrument-mode-purchase"):
        sample = load("swedbankpay", f"{name}-request.json")
        order = sample["paymentorder"]
        order["payeeInfo"] |= {"payeeId": DEFAULT_PAYEE_ID, "payeeReference": name.replace("-", "")}
        order["urls"].setdefault("cancelUrl", "https://example.com/cancelled")  # the first sample forgets it
        for behaviour, status in ((Behaviour(), 400), (LENIENT, 201)):
            merchant.emulator.behaviour = behaviour
            answer = merchant.call("POST", "/psp/paymentorders", sample)
            assert answer.status == status, answer.body


# Stored cards and charges

DELETE = {"state": "Deleted", "comment": "x"}
ARCHIVE = {"reason": "x", "updatedBy": "Payee"}


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


def _stored_paid(merchant: Merchant) -> Answer:
    stored(merchant)
    return merchant.call("GET", f"{merchant.emulator.orders[0].id}/paid")


def _charge_failed(merchant: Merchant) -> Answer:
    merchant.emulator.decline_next_charge("acquirererror", channel=DeclineChannel.FAILED_ORDER)
    order = charge(merchant, card_token(merchant.emulator)).order["id"]
    return merchant.call("GET", f"{order}/failed")


def _no_member(path: str, *names: str) -> set[str]:
    return {f"{path}/{name}" for name in names}


OLD_PARAMETERS = "/instrumentParameters"
NEWER = ("lastFourPan", "issuerName")
OWNED_PARAMETERS = _no_member("/payerOwnedTokens/tokens/instrumentParameters", "email", "msisdn", "zipCode")
OURS_OWNED = _no_member("/payerOwnedTokens/tokens/instrumentParameters", *NEWER)


def test_members_about_tokens_are_those_of_the_samples() -> None:
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
        ("paymentorder-status-paid-card-unscheduled-token.json", _stored_paid, None, set()),
        ("paymentorder-failed.json", _charge_failed, set(), set()),
    ]
    for name, act, ours_more, theirs_more in cases:
        merchant = Merchant()
        sample, body = load("swedbankpay", name), act(merchant).body
        theirs, ours = names(sample), names(body)
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
        theirs = load("swedbankpay", f"payerapi-instrument-parameters-{name}.json")["token"]["instrumentParameters"]
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
        theirs = load("swedbankpay", f"problem-{name}.json")
        merchant.emulator.behaviour = Behaviour(decline_channel=DeclineChannel.PROBLEM)
        answer = act(merchant)
        assert (answer.status, answer.body["type"]) == (theirs["status"], theirs["type"])
        assert names(theirs) - names(answer.body) == set()
        assert names(answer.body) - names(theirs) <= {"/instance"}
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
        sample = load("swedbankpay", f"{name}.json")
        sample["paymentorder"]["payeeInfo"]["payeeId"] = DEFAULT_PAYEE_ID
        answer = merchant.call("POST", "/psp/paymentorders", sample)
        assert answer.status == 201, answer.body
        assert answer.order["operation"] == operation


def test_real_charges_are_taken_but_for_lines_that_do_not_add_up() -> None:
    cases: list[tuple[str, TokenKind]] = [("recur", TokenKind.RECURRENCE), ("unscheduled", TokenKind.UNSCHEDULED)]
    for name, kind in cases:
        merchant = Merchant()
        order = load("swedbankpay", f"{name}-request.json")["paymentorder"]
        payer = order["payer"]["payerReference"]
        order["payeeInfo"]["payeeId"] = DEFAULT_PAYEE_ID
        order[kind.field] = merchant.emulator.store_card(payer, kind=kind).token
        refused = merchant.call("POST", "/psp/paymentorders", {"paymentorder": order})
        assert refused.problem_names == ["PaymentOrder.Amount"]
        answer = merchant.call("POST", "/psp/paymentorders", {"paymentorder": {**order, "orderItems": None}})
        assert answer.order["status"] == "Paid"
