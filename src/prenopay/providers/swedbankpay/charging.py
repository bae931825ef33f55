"""Charges a stored method once while the payer is absent, and reads the result.

A card answers at once, in one of two ways: a decline is an order that ``Failed`` (with a 2xx), or the
gateway refuses the request with a problem. Trustly answers later: the order stays open. A charge only
reserves money, and is captured like any other payment. Card charges get no callback, and there is no
look-up by ``payeeReference``: an order whose answer was lost cannot be found again.
Source: developer.swedbankpay.com, recur, unscheduled, status models, problems (2026-07-01).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from prenopay._text import quoted
from prenopay.errors import (
    DuplicateReference,
    OutcomeUnknown,
    PrenopayError,
    ProviderError,
    ProviderUnavailable,
    UnexpectedAnswer,
)
from prenopay.ports import Send
from prenopay.provider import Charged, ChargeRequest, Observation
from prenopay.providers.swedbankpay.calls import ORDERS, Calls, Declined, expanded, hidden, order_in, order_made
from prenopay.providers.swedbankpay.config import RepeatedReference, SwedbankPayAccount
from prenopay.providers.swedbankpay.encoding import charge_body, check_charge
from prenopay.providers.swedbankpay.problems import decline_of, is_decline
from prenopay.values.payments import Decline, DeclineCode, Outcome, PaymentState

__all__ = ["charge"]

_LABEL: Final = "charge"
_UNCERTAIN: Final = (ProviderUnavailable, UnexpectedAnswer, DuplicateReference)
"""Errors after which the money may still have been reserved."""


async def charge(send: Send, calls: Calls, config: SwedbankPayAccount[object], request: ChargeRequest) -> Charged:
    """Send ``Recur`` or ``UnscheduledPurchase`` once, and return the result.

    Raises ``InvalidOrder`` for what cannot be charged, ``OutcomeUnknown`` if the result is unknown, and other
    errors only if certainly nothing happened.
    """
    check_charge(request)
    if request.again and (request.token is None or config.repeated_reference != RepeatedReference.REFUSED):
        raise _unknown(request, "an earlier try may have reached the gateway, so nothing was sent again")
    url = expanded(config.api_url + ORDERS)
    body, token = charge_body(config, request), request.token_to_send()
    answer = hidden(await send(calls.request("POST", url, _LABEL, body)), token)
    try:
        made = order_made(answer, _LABEL, request.order.amount.currency, declines=is_decline)
        charged = _charged_of(made.observation)
    except Declined as declined:
        return _declined(request, declined.decline)
    except ProviderError as error:
        if request.again or isinstance(error, _UNCERTAIN):
            raise _unknown(request, str(error)) from error
        raise
    return await _with_reason(send, calls, config, request, charged)


def _charged_of(observed: Observation) -> Charged:
    """Return what an order's status means for the charge; a 2xx alone means nothing."""
    observed = replace(observed, methods=())  # a charge stores nothing, and the token in the answer is masked
    match observed.state:
        case PaymentState.AUTHORIZED | PaymentState.CAPTURED if observed.authorized:
            return Charged(outcome=Outcome.SUCCEEDED, observation=observed)
        case PaymentState.DECLINED | PaymentState.CANCELLED:  # ended, and nothing is reserved
            decline = observed.decline or decline_of(None, None)
            return Charged(outcome=Outcome.DECLINED, observation=observed, decline=decline)
        case PaymentState.UNKNOWN:
            return Charged(outcome=Outcome.UNKNOWN, observation=observed, decline=observed.decline)
        case PaymentState.PENDING:
            return Charged(outcome=Outcome.PENDING, observation=observed)
        case _:
            message = f"{_LABEL}: the order is {quoted(observed.raw_status)}, and nothing is reserved in it"
            raise UnexpectedAnswer(message)


def _declined(request: ChargeRequest, decline: Decline) -> Charged:
    """Return a refusal. A token that no longer works says nothing about an earlier try under the reference."""
    if request.again and decline.code is DeclineCode.MANDATE_INACTIVE:
        raise _unknown(
            request, f"this try was refused ({decline.provider_code}), but the outcome of the earlier one is unknown"
        )
    return Charged(outcome=Outcome.DECLINED, decline=decline)


async def _with_reason(
    send: Send, calls: Calls, config: SwedbankPayAccount[object], request: ChargeRequest, charged: Charged
) -> Charged:
    """Read the order again if it failed without a reason: the next step depends on the reason."""
    observed, decline = charged.observation, charged.decline
    if observed is None or observed.state is not PaymentState.DECLINED or (decline and decline.provider_code):
        return charged
    url = expanded(config.api_url + observed.provider_reference)
    try:
        answer = hidden(await send(calls.request("GET", url, _LABEL, retry_safe=True)), request.token_to_send())
        again = _charged_of(order_in(answer, _LABEL, request.order.amount.currency).observation)
    except PrenopayError:
        return charged
    return again if again.outcome is Outcome.DECLINED else charged


def _unknown(request: ChargeRequest, why: str) -> OutcomeUnknown:
    message = (
        f"{why}; money may be reserved at the gateway under payeeReference {request.reference}, which cannot be "
        "looked up: find it in the merchant portal or ask support, then settle the operation by hand; "
        "a charge under a new reference could take the money twice"
    )
    return OutcomeUnknown(message)
