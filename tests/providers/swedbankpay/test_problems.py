"""Every documented problem: what it means as an answer, as a failed attempt, and when to try again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from prenopay import Advice, Decline, DeclineCode, DeclineKind, Outcome
from prenopay._blocking import run_blocking
from prenopay.errors import (
    Conflict,
    DuplicateReference,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    Rejected,
    Unauthenticated,
    UnexpectedAnswer,
)
from prenopay.providers.swedbankpay.problems import TABLE

from .samples import ORDER_ID, RESERVED, Json, Script, answer, change, order, paid, problem, provider

_AT = datetime(2026, 10, 28, 12, tzinfo=UTC)
_DATE = "Wed, 28 Oct 2026 12:00:00 GMT"

_C, _SOFT, _HARD = DeclineCode, DeclineKind.SOFT, DeclineKind.HARD
_LATER, _OTHER, _NEVER, _AUTH = Advice.RETRY_LATER, Advice.NEW_METHOD, Advice.NEVER, Advice.AUTHENTICATE
_DAY, _MONTH = timedelta(days=1), timedelta(days=30)

# A decline: type, HTTP status, code, kind, advice, least wait.
_DECLINES: list[tuple[str, int, DeclineCode, DeclineKind, Advice, timedelta | None]] = [
    ("paymentorders/paymenttokeninactive", 422, _C.MANDATE_INACTIVE, _HARD, _OTHER, None),
    ("paymentsessions/clientapplaunchfailed", 400, _C.UNAVAILABLE, _SOFT, _LATER, None),
    # cards
    ("creditcard/cardbranddisabled", 403, _C.CARD_NOT_ACCEPTED, _HARD, _OTHER, None),
    ("creditcard/accountholdertyperejected", 403, _C.CARD_NOT_ACCEPTED, _HARD, _OTHER, None),
    ("creditcard/cardtyperejected", 403, _C.CARD_NOT_ACCEPTED, _HARD, _OTHER, None),
    ("creditcard/3dsecurerequired", 403, _C.AUTHENTICATION_REQUIRED, _SOFT, _AUTH, None),
    ("creditcard/authenticationstatusrejected", 403, _C.AUTHENTICATION_FAILED, _SOFT, _AUTH, None),
    ("creditcard/authenticationrequired", 403, _C.AUTHENTICATION_REQUIRED, _SOFT, _AUTH, None),
    ("creditcard/3dsecuredeclined", 403, _C.AUTHENTICATION_FAILED, _SOFT, _AUTH, None),
    ("creditcard/3dsecureusercancelled", 403, _C.CANCELLED_BY_PAYER, _SOFT, _OTHER, None),
    ("creditcard/3dsecureusercanceled", 403, _C.CANCELLED_BY_PAYER, _SOFT, _OTHER, None),
    ("creditcard/3DSECUREERROR", 400, _C.UNAVAILABLE, _SOFT, _LATER, None),
    ("creditcard/badrequest", 400, _C.UNAVAILABLE, _SOFT, _LATER, None),
    ("creditcard/velocitycheck", 429, _C.LIMIT_EXCEEDED, _SOFT, _LATER, None),
    ("creditcard/frauddetected", 403, _C.SUSPECTED_FRAUD, _HARD, _NEVER, None),
    ("creditcard/acquirerpossiblefraud", 403, _C.SUSPECTED_FRAUD, _HARD, _NEVER, None),
    ("creditcard/cardblacklisted", 400, _C.CARD_BLOCKED, _HARD, _NEVER, None),
    ("creditcard/acquirercardblacklisted", 403, _C.CARD_BLOCKED, _HARD, _NEVER, None),
    ("creditcard/acquirercardstolen", 403, _C.CARD_BLOCKED, _HARD, _NEVER, None),
    ("creditcard/acquirercardexpired", 403, _C.CARD_EXPIRED, _HARD, _OTHER, None),
    ("creditcard/acquirererror", 403, _C.DECLINED, _SOFT, _LATER, None),
    ("creditcard/carddeclined", 403, _C.DECLINED, _SOFT, _LATER, None),
    ("creditcard/acquirerinsufficientfunds", 403, _C.INSUFFICIENT_FUNDS, _SOFT, _LATER, None),
    ("creditcard/acquirerinvalidamount", 403, _C.INVALID_AMOUNT, _HARD, _OTHER, None),
    ("creditcard/paymenttokenerror", 403, _C.MANDATE_INACTIVE, _HARD, _OTHER, None),
    ("creditcard/dailylimitexceeded", 403, _C.LIMIT_EXCEEDED, _SOFT, _LATER, _DAY),
    ("creditcard/monthlylimitexceeded", 403, _C.LIMIT_EXCEEDED, _SOFT, _OTHER, _MONTH),
    ("creditcard/acquirererrordonotretry", 403, _C.DO_NOT_RETRY, _HARD, _NEVER, _MONTH),
    ("creditcard/modificationsrequired", 403, _C.INVALID_DETAILS, _HARD, _OTHER, None),
    # Swish
    ("bankidalreadyinuse", 409, _C.PAYER_BUSY, _SOFT, _AUTH, None),
    ("bankidcancelled", 409, _C.CANCELLED_BY_PAYER, _SOFT, _OTHER, None),
    ("paymentagelimitnotmet", 403, _C.AGE_LIMIT_NOT_MET, _HARD, _NEVER, None),
    ("socialsecuritynumbermismatch", 403, _C.IDENTITY_MISMATCH, _HARD, _OTHER, None),
    ("swishalreadyinuse", 403, _C.PAYER_BUSY, _SOFT, _LATER, None),
    ("swishdeclined", 403, _C.DECLINED, _SOFT, _OTHER, None),
    ("swishtimeout", 403, _C.TIMED_OUT, _SOFT, _AUTH, None),
    ("usercancelled", 403, _C.CANCELLED_BY_PAYER, _SOFT, _OTHER, None),
    # Vipps
    ("vipps/vipps_error", 403, _C.UNAVAILABLE, _SOFT, _LATER, None),
    ("vipps/vipps_declined", 400, _C.DECLINED, _SOFT, _OTHER, None),
    ("vipps/vippsdeclined", 403, _C.DECLINED, _SOFT, _OTHER, None),
    ("vipps/card_blacklisted", 400, _C.CARD_BLOCKED, _HARD, _NEVER, None),
    ("vipps/acquirer_card_blacklisted", 403, _C.CARD_BLOCKED, _HARD, _NEVER, None),
    ("vipps/acquirer_card_expired", 403, _C.CARD_EXPIRED, _HARD, _OTHER, None),
    ("vipps/acquirer_card_stolen", 403, _C.CARD_BLOCKED, _HARD, _NEVER, None),
    ("vipps/acquirer_error", 403, _C.DECLINED, _SOFT, _LATER, None),
    ("vipps/acquirer_insufficient_funds", 403, _C.INSUFFICIENT_FUNDS, _SOFT, _LATER, None),
    ("vipps/acquirer_invalid_amount", 403, _C.INVALID_AMOUNT, _HARD, _OTHER, None),
    ("vipps/acquirer_possible_fraud", 403, _C.SUSPECTED_FRAUD, _HARD, _NEVER, None),
    ("vipps/card_declined", 403, _C.DECLINED, _SOFT, _LATER, None),
    ("vipps/fraud_detected", 403, _C.SUSPECTED_FRAUD, _HARD, _NEVER, None),
    ("vipps/payment_token_error", 403, _C.MANDATE_INACTIVE, _HARD, _OTHER, None),
    # invoice
    ("invoice/CreditNotApproved", 403, _C.CREDIT_REFUSED, _HARD, _OTHER, None),
    ("invoice/ABORTEDIDENTIFICATION", 403, _C.CANCELLED_BY_PAYER, _SOFT, _OTHER, None),
    ("invoice/USERPREABORTED", 403, _C.CANCELLED_BY_PAYER, _SOFT, _OTHER, None),
    ("invoice/USERABORTED", 403, _C.CANCELLED_BY_PAYER, _SOFT, _OTHER, None),
    ("invoice/TIMEOUTIDENTIFICATION", 403, _C.TIMED_OUT, _SOFT, _AUTH, None),
    ("invoice/NATIONALIDENTIFIERMISMATCH", 403, _C.IDENTITY_MISMATCH, _HARD, _OTHER, None),
    ("invoice/FAILED", 403, _C.AUTHENTICATION_FAILED, _SOFT, _OTHER, None),
    # credit account
    ("creditaccount/INVALIDAMOUNT", 400, _C.INVALID_AMOUNT, _HARD, _OTHER, None),
    ("creditaccount/FAILEDAMOUNT", 400, _C.INVALID_AMOUNT, _HARD, _OTHER, None),
    ("creditaccount/CREDITNOTAPPROVED", 403, _C.CREDIT_REFUSED, _HARD, _OTHER, None),
    ("creditaccount/AMOUNTEXCEEDSLIMIT", 403, _C.LIMIT_EXCEEDED, _SOFT, _OTHER, None),
    ("creditaccount/INVALIDACCOUNTUSAGE", 403, _C.CREDIT_REFUSED, _HARD, _OTHER, None),
    ("creditaccount/SIGNINGFAILED", 403, _C.AUTHENTICATION_FAILED, _SOFT, _OTHER, None),
    ("creditaccount/USERCANCELLED", 403, _C.CANCELLED_BY_PAYER, _SOFT, _OTHER, None),
    ("creditaccount/FORBIDDEN", 403, _C.CREDIT_REFUSED, _HARD, _OTHER, None),
    ("creditaccount/UNKNOWN", 403, _C.DECLINED, _SOFT, _LATER, None),
]

# An error: type, HTTP status, what is raised.
_ERRORS: list[tuple[str, int, type[ProviderError]]] = [
    ("inputerror", 400, Rejected),
    ("paymentorders/inputerror", 400, Rejected),
    ("configurationerror", 403, Unauthenticated),
    ("configerror", 403, Unauthenticated),
    ("forbidden", 403, Conflict),
    ("notfound", 404, Conflict),
    ("systemerror", 500, ProviderUnavailable),
    ("paymentsessions/operationnotallowed", 403, Conflict),
    # cards
    ("creditcard/internalservererror", 500, ProviderUnavailable),
    ("creditcard/3dsecureacquirergatewayerror", 502, ProviderUnavailable),
    ("creditcard/acquirergatewayerror", 502, ProviderUnavailable),
    ("creditcard/badgateway", 502, ProviderUnavailable),
    ("creditcard/acquirergatewaytimeout", 504, ProviderUnavailable),
    # Swish
    ("bankiderror", 502, ProviderUnavailable),
    ("swisherror", 502, ProviderUnavailable),
    ("swishgatewaytimeout", 504, ProviderUnavailable),
    # Trustly, Vipps
    ("trustly/systemerror", 502, ProviderUnavailable),
    ("vipps/bad_request", 500, ProviderUnavailable),
    ("vipps/internal_server_error", 500, ProviderUnavailable),
    ("vipps/unknown_error", 500, ProviderUnavailable),
    ("vipps/acquirer_gateway_error", 502, ProviderUnavailable),
    ("vipps/bad_gateway", 502, ProviderUnavailable),
    ("vipps/acquirer_gateway_timeout", 504, ProviderUnavailable),
    # invoice
    ("invoice/InputError", 400, Rejected),
    ("invoice/Forbidden", 403, Conflict),
    ("invoice/NotFound", 404, Conflict),
    ("invoice/SystemError", 500, ProviderUnavailable),
    ("invoice/ERROR", 502, ProviderUnavailable),
    ("invoice/externalerror", 500, ProviderUnavailable),
    ("invoice/externalerror", 502, ProviderUnavailable),
    # credit account
    ("creditaccount/CURRENCYNOTSUPPORTED", 400, Rejected),
    ("creditaccount/VALIDATION", 400, Rejected),
    ("creditaccount/AUTHORIZATIONEXPIRED", 403, Conflict),
    ("creditaccount/INVALIDSTATE", 403, Conflict),
    ("creditaccount/MISSINGPREAUTHORIZATION", 403, Conflict),
    ("creditaccount/IDENTIFIERALREADYINUSE", 403, Conflict),
    ("creditaccount/NOTFOUND", 404, Conflict),
]


def answered(body: object, status: int, **headers: str) -> Decline | None:
    """Ask for a capture that is answered so; return the decline, or raise the error."""
    before = order("Paid", rels=RESERVED, paid=paid())
    script = Script(answer(before), answer(body, status, **headers), answer(before))
    reply = run_blocking(provider().capture(script, change()))
    assert Outcome.DECLINED is reply.outcome
    return reply.decline


def failed_with(body: Json) -> Decline:
    """Read an order with one failed attempt."""
    tried = {"created": "2026-10-28T12:00:00Z", "number": 1, "problem": body}
    script = Script(answer(order(failedAttempts={"failedAttemptList": [tried]})))
    (attempt,) = run_blocking(provider().observe(script, ORDER_ID)).attempts
    return attempt.decline


# The tables


@pytest.mark.parametrize("row", _DECLINES, ids=lambda row: row[0])
def test_a_decline_is_the_same_as_an_answer_and_as_a_failed_attempt(row: tuple[Any, ...]) -> None:
    kind, status, code, how, advice, wait = row
    expected = (code, how, advice, None if wait is None else _AT + wait)
    for decline in (answered(problem(kind, status), status, date=_DATE), failed_with(problem(kind, status))):
        assert decline is not None
        assert expected == (decline.code, decline.kind, decline.advice, decline.not_before)


@pytest.mark.parametrize(("kind", "status", "error"), _ERRORS)
def test_anything_else_is_raised(kind: str, status: int, error: type[ProviderError]) -> None:
    with pytest.raises(ProviderError) as caught:
        answered(problem(kind, status), status)
    assert error is type(caught.value)
    assert caught.value.advice


def test_every_documented_problem_is_tested_here() -> None:
    types = [row[0] for row in _DECLINES] + [row[0] for row in _ERRORS]
    tested = {each.lower().replace("_", "") for each in types}
    words = tested | {each.rsplit("/", 1)[-1] for each in tested}
    assert not set(TABLE) - words


# What else a problem says


def test_an_error_carries_what_the_gateway_said() -> None:
    named = (("PaymentOrder.Amount", "Must be positive"), ("Component", "x"))
    listed = [{"name": name, "description": description} for name, description in named]
    wrong = problem("inputerror", 400, title="Input error", detail="See problems", problems=listed)
    with pytest.raises(Rejected) as caught:
        answered(wrong, 400)
    error = caught.value
    text = "capture: Input error - See problems - PaymentOrder.Amount: Must be positive"
    assert (text, 400, "inputerror", named) == (str(error), error.http_status, error.provider_code, error.problems)
    assert "fix the fields named in problems" in error.advice


@pytest.mark.parametrize(
    ("kind", "status", "advice"),
    [("configerror", 403, "access_token"), ("forbidden", 403, "allowed_actions"), ("systemerror", 500, "the same id")],
)
def test_every_error_says_what_to_do_next(kind: str, status: int, advice: str) -> None:
    with pytest.raises(ProviderError, match="capture") as caught:
        answered(problem(kind, status), status)
    assert advice in caught.value.advice


@pytest.mark.parametrize("kind", ["forbidden", "inputerror", "notfound"])
def test_a_merchant_that_is_not_the_tokens_points_to_payee_id(kind: str) -> None:
    named = [{"name": "PaymentOrder.PayeeInfo.PayeeId", "description": "Belongs to another payee"}]
    with pytest.raises(Unauthenticated, match="payee_id") as caught:
        answered(problem(kind, problems=named), 403)
    assert "payee_id" in caught.value.advice


def test_a_decline_says_what_the_gateway_said_without_the_card() -> None:
    told = problem("creditcard/carddeclined", title="No", detail="card 4925000000000004 of leia@shop.example")
    decline = failed_with(told)
    expected = ("carddeclined", "No - card *** of ***")
    assert expected == (decline.provider_code, decline.text)


@pytest.mark.parametrize(("suspension", "expected"), [({"remaining": 3, "state": "WARNING"}, 3), (None, None)])
def test_a_decline_says_how_many_draws_are_left(suspension: Json | None, expected: int | None) -> None:
    assert expected == failed_with(problem("creditcard/authenticationrequired", suspension=suspension)).attempts_left


@pytest.mark.parametrize("date", ["", "soon", "Wed, 28 Oct 99999999999 12:00:00 GMT"])
def test_a_wait_is_counted_only_from_a_time(date: str) -> None:
    decline = answered(problem("creditcard/dailylimitexceeded"), 403, date=date)
    assert decline is not None
    assert decline.not_before is None


# Spellings


@pytest.mark.parametrize(
    "spelled",
    [
        "https://api.externalintegration.payex.com/psp/errordetail/creditcard/AcquirerInsufficientFunds/",
        "creditcard/acquirer_insufficient_funds",
        "acquirer-insufficient-funds",
        "ACQUIRERINSUFFICIENTFUNDS",
    ],
)
def test_a_type_is_compared_by_its_last_word(spelled: str) -> None:
    assert DeclineCode.INSUFFICIENT_FUNDS is failed_with({"type": spelled}).code


def test_the_type_counts_and_not_the_status_of_the_body() -> None:
    assert answered(problem("swishdeclined", 500), 403) is not None


@pytest.mark.parametrize("word", ["RecurrenceToken", "UnscheduledToken", "PaymentOrder.PaymentToken"])
def test_a_token_that_is_gone_is_a_decline(word: str) -> None:
    missing = problem(
        "paymentorders/inputerror", 404, problems=[{"name": word, "description": "The token does not exist"}]
    )
    decline = answered(missing, 404)
    assert decline is not None
    assert DeclineCode.MANDATE_INACTIVE is decline.code


@pytest.mark.parametrize(
    ("name", "description"),
    [("RecurrenceToken", "is required"), ("Payer", "does not exist"), ("TokenReference", "does not exist")],
)
def test_any_other_input_error_is_ours(name: str, description: str) -> None:
    with pytest.raises(Rejected):
        answered(problem("inputerror", 400, problems=[{"name": name, "description": description}]), 400)


# Undocumented types


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *((status, UnexpectedAnswer) for status in (400, 402, 403, 404, 410, 422)),
        (401, Unauthenticated),
        (409, DuplicateReference),
        (429, RateLimited),
        (500, ProviderUnavailable),
        (503, ProviderUnavailable),
    ],
)
def test_an_unknown_type_proves_nothing(status: int, error: type[ProviderError]) -> None:
    for kind in ("brandnew", "creditcard/brandnew", ""):
        with pytest.raises(ProviderError) as caught:
            answered(problem(kind, status), status)
        assert error is type(caught.value)
        assert not caught.value.stated or status == 409


def test_an_unknown_type_of_a_failed_attempt_is_a_plain_decline() -> None:
    decline = failed_with({"type": "brandnew"})
    expected = (DeclineCode.DECLINED, DeclineKind.SOFT, Advice.RETRY_LATER, "brandnew")
    assert expected == (decline.code, decline.kind, decline.advice, decline.provider_code)


# Answers without a problem

_UNREADABLE: list[object] = [b"", b"<html>Bad gateway</html>", b'{"type": "inp', b"null", b"[]", {}, {"type": None}]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (302, UnexpectedAnswer),
        (400, Rejected),
        (401, Unauthenticated),
        (403, Unauthenticated),
        (404, Conflict),
        (409, Conflict),
        (422, Rejected),
        (429, RateLimited),
        (500, ProviderUnavailable),
        (502, ProviderUnavailable),
    ],
)
def test_an_answer_without_a_problem_is_read_by_its_status(status: int, error: type[ProviderError]) -> None:
    for body in _UNREADABLE:
        with pytest.raises(
            ProviderError, match=f"capture: the gateway answered {status} and did not say why"
        ) as caught:
            answered(body, status)
        assert (error, status) == (type(caught.value), caught.value.http_status)


# Too many requests


@pytest.mark.parametrize("body", [b"", problem("brandnew", 429), problem("forbidden", 429)])
@pytest.mark.parametrize(("stated", "expected"), [("7", 7.0), ("", None), ("soon", None), ("-1", None)])
def test_too_many_requests_say_how_long_to_wait(body: object, stated: str, expected: float | None) -> None:
    with pytest.raises(RateLimited) as caught:
        answered(body, 429, retry_after=stated)
    assert expected == caught.value.retry_after
