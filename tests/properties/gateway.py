"""Bodies that a gateway, or somebody who pretends to be one, might send: nearly right, and far from it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from prenopay import Secret
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.provider import Environment
from prenopay.providers.swedbankpay import SwedbankPay

from .strategies import JSON

ORDER_ID = "/psp/paymentorders/6b1c2d3e-0001-4a5b-8c9d-08de16a1b2c3"
PROVIDER = SwedbankPay(
    account="paper",
    environment=Environment.TEST,
    payee_id="7f3c9a10-1b2c-4d5e-8f90-a1b2c3d4e5f6",
    access_token=Secret("t0ken"),
).provider()

_NAMES = """
    id status state amount currency operation instrument updated created number type title detail name description
    paymentOrder paymentorder PAYMENTORDER payment transaction orderReference operations rel href method event
    remainingCaptureAmount remainingCancellationAmount remainingReversalAmount paid cancelled reversed failed aborted
    financialTransactions financialTransactionsList failedAttempts failedAttemptList postPurchaseFailedAttempts
    postpurchaseFailedAttemptList history historyList problem problems suspension remaining tokens token details
    payeeReference transactionType submittedAmount feeAmount discountAmount capture cancellation reversal sale
    recurrenceToken expiryDate
"""
_WORDS = f"""
    Initialized Paid Failed Cancelled Reversed Aborted Ready Pending Frozen Purchase Verify SEK NOK sek Swish
    CreditCard Authorization Sale Capture Cancellation Reversal Completed capture cancel reversal abort update-order
    view-checkout redirect-checkout PaymentPaid PaymentCaptured PaymentPartiallyReversed
    creditcard/monthlylimitexceeded acquirererror inputerror forbidden systemerror RecurrenceToken
    2026-10-28T12:00:00.1234567Z 9999-12-31T23:59:59Z 0001-01-01T00:00:00+14:00 12/0023 https://[broken
    https://api.externalintegration.payex.com/x {ORDER_ID}
"""
NAMES = st.sampled_from(_NAMES.split())
WORDS = st.sampled_from(_WORDS.split())

LEAVES: st.SearchStrategy[Any] = st.one_of(
    WORDS,
    st.integers(-5, 20000),
    st.none(),
    st.booleans(),
    st.just("\ud800"),
    st.floats(),
    st.text(max_size=4),
)
NEAR: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=20,
)
"""JSON in the gateway's own words, combined at random."""


# Small numbers, so that totals match one another exactly as often as they do not.
AMOUNTS = st.integers(0, 12)

TRANSACTIONS = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["Authorization", "Sale", "Capture", "Cancellation", "Reversal", "Chargeback"]),
            "number": st.integers(1, 9),
            "amount": AMOUNTS,
        },
        optional={"payeeReference": st.sampled_from(["REF1", "REF2"]), "created": WORDS},
    ),
    max_size=4,
).map(lambda listed: {"financialTransactionsList": listed})
PAID = st.fixed_dictionaries(
    {"amount": AMOUNTS},
    optional={
        "transactionType": st.sampled_from(["Authorization", "Sale", ""]),
        "instrument": st.sampled_from(["CreditCard", "Swish", "Trustly", "Banklink"]),
        "submittedAmount": AMOUNTS,
        "feeAmount": AMOUNTS,
        "discountAmount": st.integers(-12, 12),
    },
)
FAILED_ATTEMPTS = st.lists(
    st.fixed_dictionaries(
        {"created": WORDS, "problem": st.fixed_dictionaries({"type": WORDS}, optional={"status": LEAVES})},
        optional={"number": st.integers(1, 9), "instrument": WORDS},
    ),
    max_size=3,
).map(lambda listed: {"failedAttemptList": listed})

_RELS = "capture cancel reversal abort update-order redirect-checkout view-checkout create-paymentorder-reversal"
_LINKS = st.sampled_from(["https://api.externalintegration.payex.com/x", "https://[broken", "/x", "x", ""])
_OPERATIONS = st.lists(
    st.builds(lambda rel, href: {"rel": rel, "method": "POST", "href": href}, st.sampled_from(_RELS.split()), _LINKS),
    max_size=3,
)


def orders_of(*statuses: str) -> st.SearchStrategy[dict[str, Any]]:
    """Return payment orders that can be read, although no gateway would add up in this way."""
    needed = {
        "id": st.just(ORDER_ID),
        "status": st.sampled_from(statuses),
        "operation": st.just("Purchase"),
        "amount": AMOUNTS,
        "currency": st.just("SEK"),
    }
    optional = {
        "remainingCaptureAmount": AMOUNTS,
        "remainingReversalAmount": AMOUNTS,
        "paid": PAID,
        "financialTransactions": TRANSACTIONS,
        "failedAttempts": FAILED_ATTEMPTS,
    }
    order = st.fixed_dictionaries(needed, optional=optional)
    return st.builds(lambda order, operations: {"paymentOrder": order, "operations": operations}, order, _OPERATIONS)


PAID_ORDERS = orders_of("Paid", "Paid", "Paid", "Reversed", "Cancelled")
ORDERS = orders_of("Initialized", "Paid", "Failed", "Cancelled", "Reversed", "Aborted", "Frozen")


def dented(body: Any, junk: Any, path: list[int]) -> Any:
    """Return ``body`` with ``junk`` at one place in it."""
    if not path or not isinstance(body, dict | list) or not body:
        return junk
    names = list(body) if isinstance(body, dict) else list(range(len(body)))
    name = names[path[0] % len(names)]
    below = dented(body[name], junk, path[1:])
    if isinstance(body, dict):
        return {**body, name: below}
    return [below if place == name else member for place, member in enumerate(body)]


DENTED = st.builds(dented, ORDERS, LEAVES | JSON, st.lists(st.integers(0, 9), min_size=1, max_size=5))
"""Payment orders with one wrong value somewhere."""

BODIES = st.one_of(NEAR, ORDERS, DENTED, JSON).map(lambda tree: json.dumps(tree).encode())
CUT = st.builds(lambda body, size: body[: size % (len(body) + 1)], BODIES, st.integers(0, 10**6))
ANY_BODY = st.one_of(st.binary(max_size=60), BODIES, CUT)
"""Any JSON, much of it nearly right."""

_HEADERS = st.dictionaries(st.sampled_from(["date", "retry-after"]), WORDS | st.text(max_size=30))
ANSWERS = st.builds(
    lambda status, headers, body: HttpResponse(status=status, headers=tuple(headers.items()), body=body),
    st.sampled_from([200] * 8 + [201, 202, 302, 400, 401, 403, 404, 409, 422, 429, 500, 502]),
    _HEADERS,
    ANY_BODY,
)


class Answering:
    """A send that gives one answer after the other, and then repeats the last one."""

    def __init__(self, *answers: HttpResponse) -> None:
        self._answers = list(answers)

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
