"""What every request body must look like, field by field, and the rules that hold between fields."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Final

from prenopay.testing.emulators.jsonvalues import JsonObject, as_list, as_object
from prenopay.testing.emulators.swedbankpay.fields import (
    INT32_MOST,
    Check,
    Member,
    decimal_number,
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
from prenopay.testing.emulators.swedbankpay.instruments import INSTRUMENTS
from prenopay.testing.emulators.swedbankpay.merchants import ReferenceFormat
from prenopay.testing.emulators.swedbankpay.problems import FieldProblem

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

_CURRENCIES: Final = ("SEK", "NOK", "DKK", "EUR")
_LANGUAGES: Final = (
    "da-DK",
    "de-DE",
    "en-US",
    "es-ES",
    "et-EE",
    "fi-FI",
    "fr-FR",
    "lt-LT",
    "lv-LV",
    "nb-NO",
    "pl-PL",
    "ru-RU",
    "sv-SE",
)
_INSTRUMENT_NAMES: Final = (*INSTRUMENTS, "CreditAccount")
_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LETTERS_AND_DIGITS: Final = re.compile(r"[A-Za-z0-9]*")
_MSISDN: Final = re.compile(r"\+[0-9]{8,15}")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_DAY: Final = re.compile(r"[0-9]{8}")
_ITEM_TYPES: Final = ("PRODUCT", "SERVICE", "SHIPPING_FEE", "PAYMENT_FEE", "DISCOUNT", "VALUE_CODE", "OTHER")
_MAY_BE_NEGATIVE: Final = frozenset({"PAYMENT_FEE", "DISCOUNT", "VALUE_CODE"})
_ITEM_CLASS: Final = re.compile(r"[\w-]*")
_TEXT_LONGEST: Final = 2000
"""Texts without a documented bound get this one."""

_free: Final = text(longest=_TEXT_LONGEST)
_no_tokens: Final = never("Stored payment details are not emulated.")


def _codes(last: int) -> Check:
    return one_of(tuple(f"0{number}" for number in range(1, last + 1)))


def _all_may(check: Check, *names: str) -> Mapping[str, Member]:
    return {name: may(check) for name in names}


def _blank_allowed(path: str, value: object) -> Iterator[FieldProblem]:
    if value != "":
        yield from _free(path, value)


_ADDRESS: Final = {
    **_all_may(_blank_allowed, "firstName", "lastName", "addressee", "name", "coAddress", "city", "zipCode"),
    "email": may(text(pattern=_EMAIL)),
    "msisdn": may(text(pattern=_MSISDN)),
    "streetAddress": may(text(longest=50)),
    "countryCode": may(text(pattern=_COUNTRY)),
}

_ACCOUNT_INFO: Final = {
    "accountAgeIndicator": may(_codes(5)),
    "accountChangeIndicator": may(_codes(4)),
    "accountPwdChangeIndicator": may(_codes(5)),
    "accountChangePwdIndicator": may(_codes(5)),
    "shippingAddressUsageIndicator": may(_codes(4)),
    "shippingNameIndicator": may(_codes(2)),
    "suspiciousAccountActivity": may(_codes(2)),
}

_PAYER: Final = {
    "payerReference": may(_free),
    "firstName": may(_free),
    "lastName": may(_free),
    "email": may(text(pattern=_EMAIL)),
    **_all_may(text(pattern=_MSISDN), "msisdn", "workPhoneNumber", "homePhoneNumber"),
    "digitalProducts": may(yes_no),
    "countryCode": may(text(pattern=_COUNTRY)),
    "nationalIdentifier": may(
        shape(
            {
                "socialSecurityNumber": must(_free),
                "countryCode": must(text(pattern=_COUNTRY)),
                "guestMode": may(yes_no),
            },
        ),
    ),
    "restrictedToSocialSecurityNumber": may(yes_no),
    "shippingAddress": may(shape(_ADDRESS)),
    "billingAddress": may(shape(_ADDRESS)),
    "accountInfo": may(shape(_ACCOUNT_INFO)),
}

_RISK: Final = {
    "deliveryEmailAddress": may(text(pattern=_EMAIL)),
    "deliveryEmailAdress": may(text(pattern=_EMAIL)),
    "deliveryTimeFrameIndicator": may(_codes(4)),
    "preOrderDate": may(text(pattern=_DAY)),
    "preOrderPurchaseIndicator": may(_codes(2)),
    "shipIndicator": may(_codes(7)),
    "giftCardPurchase": may(yes_no),
    "reOrderPurchaseIndicator": may(_codes(2)),
    "pickUpAddress": may(shape(_ADDRESS)),
}

_ITEM: Final = {
    "reference": must(_free),
    "name": must(_free),
    "type": must(one_of(_ITEM_TYPES)),
    "class": must(text(pattern=_ITEM_CLASS)),
    "quantity": must(decimal_number(decimals=4)),
    "quantityUnit": must(_free),
    "unitPrice": must(whole(least=-INT32_MOST)),
    "vatPercent": must(whole(most=10_000)),
    "amount": must(whole(least=-INT32_MOST)),
    "vatAmount": must(whole(least=-INT32_MOST)),
    "discountPrice": may(whole()),
    "itemUrl": may(web_address()),
    "imageUrl": may(web_address()),
    "description": may(_free),
    "discountDescription": may(_free),
    "restrictedToInstruments": may(list_of(one_of(_INSTRUMENT_NAMES), least=1)),
}

_URLS: Final = {
    "hostUrls": must(list_of(web_address(is_origin=True), least=1)),
    "completeUrl": must(web_address()),
    "cancelUrl": may(web_address()),
    "paymentUrl": may(web_address(no_query="swp_ut")),
    "callbackUrl": may(web_address()),
    "logoUrl": may(web_address(tls_only=True)),
    "termsOfServiceUrl": may(web_address(tls_only=True)),
}

_CLIENT_INFO: Final = (
    "clientType",
    "platformName",
    "presentationSdkName",
    "presentationSdkVersion",
    "integrationModuleName",
    "integrationModuleVersion",
    "integrationSdkName",
    "integrationSdkVersion",
)


@functools.cache
def create_shape(reference: ReferenceFormat) -> Check:
    """Return the shape of ``paymentorder`` in a create request."""
    return shape(
        {
            "operation": must(_purchase_only),
            "currency": must(one_of(_CURRENCIES)),
            "amount": must(whole(least=1)),
            "vatAmount": must(whole()),
            "description": must(text(longest=40)),
            "userAgent": must(_free),
            "language": must(one_of(_LANGUAGES)),
            "urls": must(shape(_URLS)),
            "payeeInfo": must(_payee_info(reference)),
            "payer": may(shape(_PAYER)),
            "orderItems": may(list_of(shape(_ITEM), least=1)),
            "riskIndicator": may(shape(_RISK)),
            "metadata": may(flat_map),
            "implementation": may(_free),
            "productName": may(one_of(("Checkout3",))),
            "instrument": may(one_of(_INSTRUMENT_NAMES)),
            "restrictedToInstruments": may(list_of(one_of(_INSTRUMENT_NAMES), least=1)),
            "restrictedToAgeLimit": may(whole(most=150)),
            "callToActionType": may(one_of(("Pay", "Deposit"))),
            "clientInfo": may(shape(_all_may(_free, *_CLIENT_INFO))),
            **_all_may(_no_tokens, "generatePaymentToken", "generateRecurrenceToken", "generateUnscheduledToken"),
            **_all_may(_no_tokens, "paymentToken", "recurrenceToken", "unscheduledToken"),
            **_all_may(yes_no, "expandFirstInstrument", "disableStoredPaymentDetails", "autoClick", "corporateMode"),
            **_all_may(yes_no, "enablePaymentDetailsConsentCheckbox", "generateMotoPayment", "requestTraExemption"),
            **_all_may(yes_no, "generateAfdPayment", "restrictedToAfdInstruments", "restrictedToPayoutInstruments"),
            **_all_may(yes_no, "requestDeliveryInfo", "restrictedToDeliveryInfoInstruments"),
        },
    )


def _payee_info(reference: ReferenceFormat) -> Check:
    return shape(
        {
            "payeeId": must(text(pattern=_GUID)),
            "payeeReference": must(text(pattern=reference.value)),
            "payeeName": may(_free),
            "orderReference": may(text(longest=50)),
            "productCategory": may(text(longest=50)),
            "subsite": may(text(longest=40, pattern=_LETTERS_AND_DIGITS)),
            "siteId": may(text(longest=15, pattern=_LETTERS_AND_DIGITS)),
            "mcc": may(whole(least=1000, most=9999)),
        },
    )


@functools.cache
def money_back_or_taken_shape(reference: ReferenceFormat) -> Check:
    """Return the shape of ``transaction`` in a capture or a reversal."""
    return shape(
        {
            "description": must(_free),
            "amount": must(whole(least=1)),
            "vatAmount": must(whole()),
            "payeeReference": must(text(pattern=reference.value)),
            "receiptReference": may(text(longest=50)),
            "orderItems": may(list_of(shape(_ITEM), least=1)),
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
        "operation": must(_free),
        "amount": must(whole(least=1)),
        "vatAmount": must(whole()),
        "description": may(text(longest=40)),
        "orderItems": may(list_of(shape(_ITEM), least=1)),
    },
)
ABORT: Final = shape({"operation": must(_free), "abortReason": must(_free)})
ABORT_ATTEMPT: Final = shape({"operation": must(_free), "abortReason": must(_free)})
SET_INSTRUMENT: Final = shape({"operation": must(_free), "instrument": must(one_of(_INSTRUMENT_NAMES))})


def between_order_fields(order: JsonObject, *, version: str) -> Iterator[FieldProblem]:
    """Yield what is wrong between the fields of a create request that are right one by one."""
    urls = as_object(order.get("urls")) or {}
    if not urls.get("cancelUrl") and not urls.get("paymentUrl"):
        why = "A redirect page needs cancelUrl, a seamless view needs paymentUrl; one of them must be given."
        yield FieldProblem("PaymentOrder.Urls.CancelUrl", why)
    yield from between_items(order, path="PaymentOrder")
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


def _purchase_only(path: str, value: object) -> Iterator[FieldProblem]:
    if value != "Purchase":
        yield FieldProblem(path, f"This emulator knows the operation Purchase, not {value!r}.")


def _number(holder: JsonObject, name: str) -> int:
    value = holder.get(name)
    return value if isinstance(value, int) else 0
