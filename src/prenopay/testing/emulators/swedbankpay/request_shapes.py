"""What every request body must look like, field by field, and the rules that hold between fields."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Final

from prenopay.testing.emulators.jsonvalues import JsonObject, as_list, as_object
from prenopay.testing.emulators.swedbankpay.fields import (
    Check,
    Member,
    absent,
    flat_map,
    list_of,
    may,
    must,
    never,
    one_of,
    shape,
    text,
    web_address,
    whole,
    yes_no,
)
from prenopay.testing.emulators.swedbankpay.merchants import ReferenceFormat
from prenopay.testing.emulators.swedbankpay.problems import FieldProblem
from prenopay.testing.emulators.swedbankpay.request_parts import (
    CLIENT_INFO,
    CURRENCIES,
    INSTRUMENT_NAMES,
    ITEM,
    LANGUAGES,
    PAYER,
    RISK,
    URLS,
    all_may,
    free,
    payee_info,
)
from prenopay.testing.emulators.swedbankpay.tokens import CHARGES, GENERATE, VERIFY

__all__ = [
    "ABORT",
    "ABORT_ATTEMPT",
    "SET_INSTRUMENT",
    "UPDATE",
    "between_items",
    "between_order_fields",
    "cancel_shape",
    "create_shape",
    "money_back_or_taken_shape",
    "sum_of",
]

_MAY_BE_NEGATIVE: Final = frozenset({"PAYMENT_FEE", "DISCOUNT", "VALUE_CODE"})
_OPERATIONS: Final = ("Purchase", VERIFY, *CHARGES)
_NO_CHARGE: Final = absent("It goes with the operation that charges it, not with this one.")
_NOTHING_BOUGHT: Final = absent("Verify buys nothing: it has no amounts and no order items.")
_NOT_TO_VERIFY: Final = never("It cannot be used with Verify.")


@functools.cache
def create_shape(reference: ReferenceFormat, operation: str) -> Check:
    """Return the shape of ``paymentorder`` in a request that creates one, by its operation."""
    always: Mapping[str, Member] = {
        "operation": must(one_of(_OPERATIONS)),
        "currency": must(one_of(CURRENCIES)),
        "description": must(text(longest=40)),
        "userAgent": must(free),
        "language": must(one_of(LANGUAGES)),
        "payeeInfo": must(payee_info(reference)),
        "metadata": may(flat_map),
        "implementation": may(free),
        "productName": may(one_of(("Checkout3",))),
        "clientInfo": may(shape(all_may(free, *CLIENT_INFO))),
    }
    if operation in CHARGES:
        return shape({**always, **_AMOUNTS, **_charge(operation)})
    return shape({**always, **_PAYER_PRESENT, **(_VERIFICATION if operation == VERIFY else _PURCHASE)})


_AMOUNTS: Final[Mapping[str, Member]] = {
    "amount": must(whole(least=1)),
    "vatAmount": must(whole()),
    "orderItems": may(list_of(shape(ITEM), least=1)),
}

_PAYER_PRESENT: Final[Mapping[str, Member]] = {
    "urls": must(shape(URLS)),
    "payer": may(shape(PAYER)),
    "riskIndicator": may(shape(RISK)),
    "instrument": may(one_of(INSTRUMENT_NAMES)),
    "restrictedToInstruments": may(list_of(one_of(INSTRUMENT_NAMES), least=1)),
    **all_may(yes_no, *GENERATE.values(), "expandFirstInstrument"),
    **all_may(_NO_CHARGE, *(kind.field for kind in CHARGES.values())),
}

_PURCHASE: Final[Mapping[str, Member]] = {
    **_AMOUNTS,
    "restrictedToAgeLimit": may(whole(most=150)),
    "callToActionType": may(one_of(("Pay", "Deposit"))),
    "paymentToken": may(free),
    **all_may(yes_no, "disableStoredPaymentDetails", "autoClick", "corporateMode"),
    **all_may(yes_no, "enablePaymentDetailsConsentCheckbox", "generateMotoPayment", "requestTraExemption"),
    **all_may(yes_no, "generateAfdPayment", "restrictedToAfdInstruments", "restrictedToPayoutInstruments"),
    **all_may(yes_no, "requestDeliveryInfo", "restrictedToDeliveryInfoInstruments"),
}

_VERIFICATION: Final[Mapping[str, Member]] = {
    **all_may(_NOTHING_BOUGHT, "amount", "vatAmount", "orderItems"),
    **all_may(_NOT_TO_VERIFY, "disableStoredPaymentDetails", "enablePaymentDetailsConsentCheckbox"),
    "generateMotoPayment": may(never("Only a Purchase can be typed by staff.")),
    "paymentToken": may(absent("Only a Purchase is paid with it.")),
}


def _charge(operation: str) -> Mapping[str, Member]:
    """Return what a charge has: a token, whose it is, and at most an address to be called at."""
    addresses = {name: may(web_address()) for name in URLS if name != "hostUrls"}
    return {
        CHARGES[operation].field: must(free),
        "payer": must(shape({**PAYER, "payerReference": must(free)})),
        "urls": may(shape({**addresses, "hostUrls": may(list_of(web_address(is_origin=True), least=1))})),
    }


@functools.cache
def money_back_or_taken_shape(reference: ReferenceFormat) -> Check:
    """Return the shape of ``transaction`` in a capture or a reversal."""
    return shape(
        {
            "description": must(free),
            "amount": must(whole(least=1)),
            "vatAmount": must(whole()),
            "payeeReference": must(text(pattern=reference.value)),
            "receiptReference": may(text(longest=50)),
            "orderItems": may(list_of(shape(ITEM), least=1)),
        },
    )


@functools.cache
def cancel_shape(reference: ReferenceFormat) -> Check:
    """Return the shape of ``transaction`` in a cancel: never an amount, it releases all that is left."""
    return shape(
        {
            "description": must(text(longest=40)),
            "payeeReference": must(text(pattern=reference.value)),
        },
    )


UPDATE: Final = shape(
    {
        "operation": must(free),
        "amount": must(whole(least=1)),
        "vatAmount": must(whole()),
        "description": may(text(longest=40)),
        "orderItems": may(list_of(shape(ITEM), least=1)),
    },
)
ABORT: Final = shape({"operation": must(free), "abortReason": must(free)})
ABORT_ATTEMPT: Final = shape({"operation": must(free), "abortReason": must(free)})
SET_INSTRUMENT: Final = shape({"operation": must(free), "instrument": must(one_of(INSTRUMENT_NAMES))})


def between_order_fields(order: JsonObject, *, version: str) -> Iterator[FieldProblem]:
    """Yield what is wrong between the fields of a create request that are right one by one."""
    urls = as_object(order.get("urls")) or {}
    if not urls.get("cancelUrl") and not urls.get("paymentUrl"):
        why = "A redirect page needs cancelUrl, a seamless view needs paymentUrl; one of them must be given."
        yield FieldProblem("PaymentOrder.Urls.CancelUrl", why)
    yield from _about_tokens(order)
    yield from between_items(order, path="PaymentOrder")
    if order.get("operation") == VERIFY:
        return
    if version != "3.1" and not order.get("orderItems"):
        yield FieldProblem("PaymentOrder.OrderItems", f"Order items are required in version {version}.")
    if order.get("enablePaymentDetailsConsentCheckbox") and not order.get("disableStoredPaymentDetails"):
        name = "PaymentOrder.EnablePaymentDetailsConsentCheckbox"
        yield FieldProblem(name, "It goes together with DisableStoredPaymentDetails only.")
    if order.get("autoClick") and urls.get("termsOfServiceUrl"):
        yield FieldProblem("PaymentOrder.AutoClick", "It cannot be combined with TermsOfServiceUrl.")
    if order.get("generateAfdPayment"):
        if order.get("orderItems"):
            yield FieldProblem("PaymentOrder.OrderItems", "Fuel dispensers have no order items.")
        if not (as_object(order.get("payeeInfo")) or {}).get("mcc"):
            yield FieldProblem("PaymentOrder.PayeeInfo.Mcc", "Fuel dispensers need it.")


def _about_tokens(order: JsonObject) -> Iterator[FieldProblem]:
    """Whoever stores, or pays with what is stored, must say whose it is (docs: payer, token-handling)."""
    if (as_object(order.get("payer")) or {}).get("payerReference"):
        return
    for name in (*GENERATE.values(), "paymentToken"):
        if order.get(name):
            yield FieldProblem(f"PaymentOrder.{name[0].upper()}{name[1:]}", "It needs Payer.PayerReference.")


def between_items(holder: JsonObject, *, path: str) -> Iterator[FieldProblem]:
    """Yield what is wrong between an amount, its VAT and its order items."""
    amount, vat_amount = _number(holder, "amount"), _number(holder, "vatAmount")
    if vat_amount > amount:
        yield FieldProblem(f"{path}.VatAmount", "The VAT is larger than the amount that holds it.")
    items = [item for item in map(as_object, as_list(holder.get("orderItems")) or []) if item is not None]
    for place, item in enumerate(items):
        if _number(item, "amount") < 0 and item.get("type") not in _MAY_BE_NEGATIVE:
            yield FieldProblem(f"{path}.OrderItems[{place}].Amount", "Only fees and discounts may be negative.")
    if items and sum_of(items) != amount:
        yield FieldProblem(f"{path}.Amount", f"The order items add up to {sum_of(items)}, the amount is {amount}.")


def sum_of(items: list[JsonObject]) -> int:
    """Return what the items add up to; those restricted to an instrument count only when it is chosen."""
    return sum(_number(item, "amount") for item in items if not item.get("restrictedToInstruments"))


def _number(holder: JsonObject, name: str) -> int:
    value = holder.get(name)
    return value if isinstance(value, int) else 0
