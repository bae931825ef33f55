"""Why a payment is declined: the published magic amounts and descriptions, and what each problem looks like."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from prenopay.testing.emulators.jsonvalues import JsonObject, as_list, as_object
from prenopay.testing.emulators.swedbankpay.cards import CardUsed
from prenopay.testing.emulators.swedbankpay.problems import FieldProblem, problem

__all__ = [
    "CARD_WORDS",
    "acquirer_says_no",
    "amount_decline",
    "blocks_card",
    "card_decline",
    "card_problem",
    "card_refusal",
    "is_magic_amount",
    "payer_says_no",
    "suspension_warning",
    "swish_decline",
    "swish_problem",
]

_SUSPENDED_BY: Final = 952100
_DAILY_MOST: Final = 10
_MONTHLY_MOST: Final = 15
_WARNED_FROM: Final = 5
_DAY: Final = timedelta(days=1)
_MONTH: Final = timedelta(days=30)

_BY_AMOUNT: Final = {
    900313: ("acquirerinvalidamount", 403, "REJECTED_BY_ACQUIRER_INVALID_AMOUNT", "13"),
    900330: ("acquirererror", 403, "REJECTED_BY_ACQUIRER_FORMAT_ERROR", "30"),
    900334: ("acquirerpossiblefraud", 403, "REJECTED_BY_ACQUIRER_POSSIBLE_FRAUD", "34"),
    900343: ("acquirercardstolen", 403, "REJECTED_BY_ACQUIRER_CARD_STOLEN", "43"),
    900351: ("acquirererror", 403, "REJECTED_BY_ACQUIRER", "51"),
    900354: ("acquirercardexpired", 403, "REJECTED_BY_ACQUIRER_CARD_EXPIRED", "54"),
    900359: ("acquirerpossiblefraud", 403, "REJECTED_BY_ACQUIRER_POSSIBLE_FRAUD", "59"),
    900361: ("acquirerinsufficientfunds", 403, "REJECTED_BY_ACQUIRER_INSUFFICIENT_FUNDS", "61"),
    900362: ("acquirererror", 403, "REJECTED_BY_ACQUIRER", "62"),
    900391: ("acquirergatewayerror", 502, "ACQUIRER_HOST_OFFLINE", "91"),
}
CARD_WORDS: Final[dict[str, tuple[int, str, str]]] = {
    **dict.fromkeys(("cardbranddisabled", "accountholdertyperejected", "cardtyperejected"), (403, "REJECTED", "")),
    **dict.fromkeys(("3dsecurerequired", "authenticationstatusrejected"), (403, "REJECTED", "")),
    **dict.fromkeys(("frauddetected", "paymenttokenerror"), (403, "REJECTED", "")),
    "velocitycheck": (429, "REJECTED_BY_VELOCITY_CHECK", ""),
    "badrequest": (400, "BAD_REQUEST", ""),
    "cardblacklisted": (400, "REJECTED_CARD_BLACKLISTED", ""),
    "carddeclined": (403, "REJECTED_BY_ACQUIRER", "05"),
    "acquirererror": (403, "REJECTED_BY_ACQUIRER", "51"),
    "acquirercardblacklisted": (403, "REJECTED_BY_ACQUIRER_CARD_BLACKLISTED", "04"),
    "acquirercardstolen": (403, "REJECTED_BY_ACQUIRER_CARD_STOLEN", "43"),
    "acquirercardexpired": (403, "REJECTED_BY_ACQUIRER_CARD_EXPIRED", "54"),
    "acquirerinsufficientfunds": (403, "REJECTED_BY_ACQUIRER_INSUFFICIENT_FUNDS", "61"),
    "acquirerinvalidamount": (403, "REJECTED_BY_ACQUIRER_INVALID_AMOUNT", "13"),
    "acquirerpossiblefraud": (403, "REJECTED_BY_ACQUIRER_POSSIBLE_FRAUD", "59"),
    "acquirererrordonotretry": (403, "REJECTED_BY_ACQUIRER_DO_NOT_RETRY", "05"),
    "authenticationrequired": (403, "AUTHENTICATION_REQUIRED", "O5"),
    "dailylimitexceeded": (403, "REJECTED_BY_POSPAY_DAILY_LIMIT", ""),
    "monthlylimitexceeded": (403, "REJECTED_BY_POSPAY_MONTHLY_LIMIT", ""),
    "internalservererror": (500, "INTERNAL_SERVER_ERROR", ""),
    **dict.fromkeys(("acquirergatewayerror", "badgateway"), (502, "ACQUIRER_HOST_OFFLINE", "91")),
    "acquirergatewaytimeout": (504, "ACQUIRER_TIMEOUT", ""),
}
"""What can be said of a card without its holder there: word, HTTP status, cause, response code (docs: problems)."""
_DO_NOT_RETRY: Final = 952400
_NEEDS_AUTHENTICATION: Final = 952507

_SWISH_BY_DESCRIPTION: Final = {"RF07": "swishdeclined", "TM01": "swishtimeout", "BANKIDCL": "bankidcancelled"}
_SWISH: Final = {
    "bankidcancelled": (409, "BankID was cancelled"),
    "swishdeclined": (403, "Swish declined"),
    "swishtimeout": (403, "Swish timed out"),
    "usercancelled": (403, "Cancelled in the app"),
}
_COMPONENT: Final = FieldProblem("Component", "pospay-ecommerce-financial-service")


def is_magic_amount(amount: int) -> bool:
    """Say whether a card payment of this amount is declined on purpose."""
    return amount in {*_BY_AMOUNT, _DO_NOT_RETRY, _NEEDS_AUTHENTICATION, _SUSPENDED_BY}


def card_decline(amount: int, card: CardUsed, *, failures: Sequence[datetime], now: datetime) -> JsonObject | None:
    """Return why the acquirer declines this amount, or ``None``. ``failures`` are this card's earlier ones."""
    if amount == _SUSPENDED_BY:
        return _suspension(card, failures=failures, now=now)
    return amount_decline(amount)


def amount_decline(amount: int) -> JsonObject | None:
    """Return why the acquirer declines this amount, or ``None``, whatever the card has been through."""
    if amount == _SUSPENDED_BY:
        return card_refusal("authenticationrequired")
    if amount == _DO_NOT_RETRY:
        return card_refusal("acquirererrordonotretry")
    if amount == _NEEDS_AUTHENTICATION:
        reason = "AUTHENTICATION_REQUIRED"
        asked = {"required": "YES", "reason": reason, "acquirerCode": "O5", "acquirerDetail": reason}
        return {**card_refusal("authenticationrequired"), "modification": asked}
    if amount not in _BY_AMOUNT:
        return None
    kind, status, code, response = _BY_AMOUNT[amount]
    return card_problem(kind, FieldProblem("ExternalResponse", f"{code}, response-code: {response}"), status=status)


def card_refusal(word: str) -> JsonObject:
    """Return the problem that the documents name ``word``; raises ``KeyError`` for a word of nobody's."""
    status, cause, response = CARD_WORDS[word]
    match word:
        case "acquirererrordonotretry":
            return card_problem(
                word,
                FieldProblem("ExternalResponse", "Forbidden-AcquirerErrorDoNotRetry"),
                FieldProblem(cause, f"response-code: {response}"),
                _COMPONENT,
            )
        case "authenticationrequired":
            return card_problem(word, FieldProblem(cause, f"response-code: {response}"))
        case "dailylimitexceeded" | "monthlylimitexceeded":
            return card_problem(word, FieldProblem(cause, "suspended"))
        case _:
            said = f"{cause}, response-code: {response}" if response else cause
            return card_problem(word, FieldProblem("ExternalResponse", said), status=status)


def blocks_card(problem: JsonObject | None) -> bool:
    """Say whether the card must not be tried again for thirty days."""
    return problem is not None and str(problem["type"]).endswith("/acquirererrordonotretry")


def swish_decline(description: str) -> JsonObject | None:
    """Return why Swish declines an order with this description, or ``None``."""
    kind = _SWISH_BY_DESCRIPTION.get(description)
    return swish_problem(kind) if kind else None


def swish_problem(kind: str, detail: str = "") -> JsonObject:
    """Return a Swish problem, whose type names no instrument."""
    status, title = _SWISH[kind]
    return problem(kind, status=status, title=title, detail=detail or f"{title}.")


def payer_says_no(prefix: str, *, cancelled: bool) -> JsonObject:
    """Return the problem of a payer who declined, or cancelled, what the instrument asked."""
    match prefix:
        case "":
            return swish_problem("usercancelled" if cancelled else "swishdeclined")
        case "creditcard/":
            word = "3dsecureusercancelled" if cancelled else "3dsecuredeclined"
            return card_problem(word, FieldProblem("ExternalResponse", "CANCELED" if cancelled else "DECLINED"))
        case "trustly/":
            kind, status = "systemerror", 502
        case "invoice/" | "creditaccount/":
            kind, status = "creditnotapproved", 403
        case _:
            kind, status = f"{prefix.rstrip('/')}declined", 403
    return problem(f"{prefix}{kind}", status=status, title="Not paid", detail="The payer did not go through with it.")


def acquirer_says_no(prefix: str) -> JsonObject:
    """Return the problem of a post-purchase operation that failed behind the gateway."""
    if prefix == "":
        return swish_problem("swishdeclined", "The payer's bank does not take the money back.")
    return problem(
        f"{prefix}acquirererror",
        status=403,
        title="The operation failed",
        detail="It could not be completed; see problems.",
        problems=[FieldProblem("ExternalResponse", "REJECTED_BY_ACQUIRER, response-code: 51"), _COMPONENT],
    )


def _suspension(card: CardUsed, *, failures: Sequence[datetime], now: datetime) -> JsonObject:
    """Count as the schemes do: ten failures within a day, fifteen within thirty, and a warning before."""
    today = sum(1 for failure in failures if now - failure < _DAY)
    this_month = sum(1 for failure in failures if now - failure < _MONTH)
    if this_month >= _MONTHLY_MOST:
        return card_refusal("monthlylimitexceeded")
    if today >= _DAILY_MOST:
        return card_refusal("dailylimitexceeded")
    remaining = _DAILY_MOST - today - 1
    body = card_refusal("authenticationrequired")
    if remaining > _WARNED_FROM:
        return body
    return suspension_warning(body, card, attempts=today + 1, remaining=remaining)


def suspension_warning(body: JsonObject, card: CardUsed, *, attempts: int, remaining: int) -> JsonObject:
    """Return a decline that warns how few tries are left (docs: problems, "Attempts Remaining")."""
    named = as_list(body.get("problems")) or []
    said = str((as_object(named[0]) or {}).get("description", "")) if named else ""
    cause, _, code = said.partition("response-code: ")
    warning = {
        "attempts": attempts,
        "remaining": remaining,
        "product": card.brand.upper(),
        "acquirerCode": code,
        "acquirerDetail": cause.rstrip(", ") or "AUTHENTICATION_REQUIRED",
        "state": "WARNING",
    }
    title, detail = "SuspensionWarning. The card might be blocked.", f"{remaining} attempts left."
    return {**body, "title": title, "detail": detail, "suspension": warning}


def card_problem(kind: str, *problems: FieldProblem, status: int = 403) -> JsonObject:
    """Return a card's problem."""
    return problem(
        f"creditcard/{kind}",
        status=status,
        title="The payment failed",
        detail="The card payment was not completed; see problems.",
        problems=problems,
    )
