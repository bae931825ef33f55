"""Charging a stored method while the payer is absent, once, and reading how that ended.

A card answers at once, in one of two ways: the gateway makes an order of a decline too (``Failed``,
with a 2xx), or it refuses the request with a problem. Trustly answers later: the order stays open.
A charge is only reserved; taking it is a capture like any other. Card charges get no callback, and
there is no look-up by ``payeeReference``: an order whose answer was lost cannot be found again.
Source: developer.swedbankpay.com, recur, unscheduled, status models, problems (2026-07-01).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from prenopay.errors import (
    DuplicateReference,
    OutcomeUnknown,
    PrenopayError,
    ProviderError,
    ProviderUnavailable,
    UnexpectedAnswer as Unexpected,
)
from prenopay.ports import Send
from prenopay.provider import Charged, ChargeRequest, Observation
from prenopay.providers.swedbankpay.answers import Declined, hidden, is_order_id, order_in, unexpected
from prenopay.providers.swedbankpay.calls import ORDERS, Calls, expanded
from prenopay.providers.swedbankpay.config import RepeatedReference, SwedbankPay
from prenopay.providers.swedbankpay.encoding import charge_body, check_charge
from prenopay.providers.swedbankpay.problems import decline_of, is_decline_of_charge
from prenopay.values.payments import Decline, DeclineCode, Outcome, PaymentState

__all__ = ["charge"]

_LABEL: Final = "charge"
_SAYS_NOTHING: Final = (ProviderUnavailable, Unexpected, DuplicateReference)
"""Answers after which the money may be reserved all the same."""


async def charge(send: Send, calls: Calls, config: SwedbankPay, request: ChargeRequest) -> Charged:
    """``Recur`` or ``UnscheduledPurchase``: send once, and say how it ended.

    Raises ``InvalidOrder`` for what cannot be charged, ``OutcomeUnknown`` for what cannot be told, and
    other errors only where certainly nothing happened.
    """
    check_charge(request)
    if request.again and (request.token is None or config.repeated_reference != RepeatedReference.REFUSED):
        raise _unknown(request, "an earlier try may have reached the gateway, so nothing was sent again")
    url = expanded(config.api_url + ORDERS)
    body, token = charge_body(config, request), request.token_to_send()
    answer = hidden(await send(calls.request("POST", url, _LABEL, body)), token)
    try:
        known = order_in(answer, _LABEL, request.order.amount.currency, declines=is_decline_of_charge)
        if not is_order_id(known.observation.provider_reference):
            what = f"an id that is not that of a payment order: {known.observation.provider_reference!r}"
            raise unexpected(answer, _LABEL, what)
        charged = _charged_of(known.observation)
    except Declined as declined:
        return _declined(request, declined.decline)
    except ProviderError as error:
        if request.again or isinstance(error, _SAYS_NOTHING):
            raise _unknown(request, str(error)) from error
        raise
    return await _with_reason(send, calls, config, request, charged)


def _charged_of(observed: Observation) -> Charged:
    """Say what an order's status means for the charge; a 2xx alone means nothing."""
    observed = replace(observed, methods=())  # a charge stores nothing, and the token in the answer is masked
    match observed.state:
        case PaymentState.AUTHORIZED | PaymentState.CAPTURED if observed.authorized:
            return Charged(outcome=Outcome.SUCCEEDED, observation=observed)
        case PaymentState.DECLINED | PaymentState.CANCELLED:  # ended, and nothing is reserved (any more)
            decline = observed.decline or decline_of(None, None)
            return Charged(outcome=Outcome.DECLINED, observation=observed, decline=decline)
        case PaymentState.PENDING:
            return Charged(outcome=Outcome.PENDING, observation=observed)
        case _:
            message = f"{_LABEL}: the gateway says {observed.raw_status!r} of an order in which nothing is reserved"
            raise Unexpected(message)


def _declined(request: ChargeRequest, decline: Decline) -> Charged:
    """Read a refusal. Of a token that works no more it says nothing about an earlier try under the reference."""
    if request.again and decline.code is DeclineCode.MANDATE_INACTIVE:
        raise _unknown(request, f"this try was refused ({decline.provider_code}), of the earlier one nothing is known")
    return Charged(outcome=Outcome.DECLINED, decline=decline)


async def _with_reason(
    send: Send, calls: Calls, config: SwedbankPay, request: ChargeRequest, charged: Charged
) -> Charged:
    """Read the order again where it failed without saying why: how to go on depends on it."""
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
