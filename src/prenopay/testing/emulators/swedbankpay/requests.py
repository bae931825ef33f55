"""What every request must look like: one table for each, a row for each field; and the rules between fields."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from prenopay.testing.callbacks import CallbackAddresses
from prenopay.testing.emulators.fields import (
    INT32_MOST,
    Breach,
    Field,
    Rule,
    Table,
    absent,
    callback_address,
    decimal_number,
    flat_map,
    list_of,
    may,
    must,
    never,
    one_of,
    pascal,
    read,
    shape,
    text,
    web_address,
    whole,
    yes_no,
)
from prenopay.testing.emulators.leniency import Takes
from prenopay.testing.emulators.swedbankpay.cards import INSTRUMENTS
from prenopay.testing.emulators.swedbankpay.orders import (
    CHARGES,
    GENERATE,
    VERIFY,
    ArchivedBy,
    ReferenceFormat,
    items_of,
    number_in,
)
from prenopay.testing.emulators.swedbankpay.problems import FieldProblem, input_error
from prenopay.testing.http import EmulatorRequest, JsonObject, as_object, read_json

CURRENCIES: Final = ("SEK", "NOK", "DKK", "EUR")
LANGUAGES: Final = tuple(
    "da-DK de-DE en-US es-ES et-EE fi-FI fr-FR lt-LT lv-LV nb-NO pl-PL ru-RU sv-SE".split()  # noqa: SIM905 - a table
)
_INSTRUMENT: Final = one_of((*INSTRUMENTS, "CreditAccount"))
_INSTRUMENTS: Final = list_of(_INSTRUMENT)
_ITEM_TYPES: Final = ("PRODUCT", "SERVICE", "SHIPPING_FEE", "PAYMENT_FEE", "DISCOUNT", "VALUE_CODE", "OTHER")
_MAY_BE_NEGATIVE: Final = frozenset({"PAYMENT_FEE", "DISCOUNT", "VALUE_CODE"})
_said: Final = text(longest=2000)
"""Any text; fields without a documented bound get this one."""
_blank: Final = text(longest=2000, may_be_empty=True)
_email: Final = text(pattern=r"[^@\s]+@[^@\s]+")
_msisdn: Final = text(pattern=r"\+[0-9]{8,15}")
_country: Final = text(pattern=r"[A-Z]{2}")
_callback: Final = web_address()
_page: Final = web_address(any_scheme=True)
_signed: Final = whole(least=-INT32_MOST)


def _codes(last: int) -> Rule:
    return one_of([f"0{number}" for number in range(1, last + 1)])


def _all(row: Field, *names: str) -> Table:
    """Return the same row for several fields."""
    return dict.fromkeys(names, row)


_ADDRESS: Final[Table] = {
    **_all(may(_blank), "firstName", "lastName", "addressee", "name", "coAddress", "city", "zipCode"),
    "email": may(_email),
    "msisdn": may(_msisdn),
    "streetAddress": may(text(longest=50)),
    "countryCode": may(_country),
}
_PERSON: Final[Table] = {"socialSecurityNumber": must(_said), "countryCode": must(_country), "guestMode": may(yes_no)}
_ACCOUNT_INFO: Final[Table] = {
    **_all(may(_codes(5)), "accountAgeIndicator", "accountPwdChangeIndicator", "accountChangePwdIndicator"),
    **_all(may(_codes(4)), "accountChangeIndicator", "shippingAddressUsageIndicator"),
    **_all(may(_codes(2)), "shippingNameIndicator", "suspiciousAccountActivity"),
}
_PAYER: Final[Table] = {
    **_all(may(_said), "payerReference", "firstName", "lastName"),
    "email": may(_email),
    **_all(may(_msisdn), "msisdn", "workPhoneNumber", "homePhoneNumber"),
    **_all(may(yes_no), "digitalProducts", "restrictedToSocialSecurityNumber"),
    "countryCode": may(_country),
    "nationalIdentifier": may(shape(_PERSON)),
    **_all(may(shape(_ADDRESS)), "shippingAddress", "billingAddress"),
    "accountInfo": may(shape(_ACCOUNT_INFO)),
}
_RISK: Final[Table] = {
    **_all(may(_email), "deliveryEmailAddress", "deliveryEmailAdress"),
    "deliveryTimeFrameIndicator": may(_codes(4)),
    "preOrderDate": may(text(pattern=r"[0-9]{8}")),
    **_all(may(_codes(2)), "preOrderPurchaseIndicator", "reOrderPurchaseIndicator"),
    "shipIndicator": may(_codes(7)),
    "giftCardPurchase": may(yes_no),
    "pickUpAddress": may(shape(_ADDRESS)),
}
_ITEM: Final[Table] = {
    **_all(must(_said), "reference", "name", "quantityUnit"),
    "type": must(one_of(_ITEM_TYPES)),
    "class": must(text(pattern=r"[\w-]*")),
    "quantity": must(decimal_number(decimals=4)),
    **_all(must(_signed), "unitPrice", "amount", "vatAmount"),
    "vatPercent": must(whole(most=10_000)),
    "discountPrice": may(whole()),
    **_all(may(_page), "itemUrl", "imageUrl"),
    **_all(may(_said), "description", "discountDescription"),
    "restrictedToInstruments": may(_INSTRUMENTS),
}
_URLS: Final[Table] = {
    "hostUrls": must(list_of(web_address(any_scheme=True, is_origin=True))),
    "completeUrl": must(_page),
    "cancelUrl": may(_page),
    "callbackUrl": may(_callback),
    "paymentUrl": may(web_address(any_scheme=True, reserved="swp_ut")),
    **_all(may(web_address(local_http=False)), "logoUrl", "termsOfServiceUrl"),
}
_CLIENT_INFO: Final[Table] = {
    **_all(may(_said), "clientType", "platformName", "presentationSdkName", "presentationSdkVersion"),
    **_all(may(_said), "integrationModuleName", "integrationModuleVersion"),
    **_all(may(_said), "integrationSdkName", "integrationSdkVersion"),
}
_AMOUNTS: Final[Table] = {
    "amount": must(whole(least=1)),
    "vatAmount": must(whole()),
    "orderItems": may(list_of(shape(_ITEM))),
}
_PAYER_PRESENT: Final[Table] = {
    "urls": must(shape(_URLS)),
    "payer": may(shape(_PAYER)),
    "riskIndicator": may(shape(_RISK)),
    "instrument": may(_INSTRUMENT),
    "restrictedToInstruments": may(_INSTRUMENTS),
    **_all(may(yes_no), *GENERATE.values(), "expandFirstInstrument"),
    **_all(
        may(absent("It goes with the operation that charges it, not with this one.")),
        *(kind.field for kind in CHARGES.values()),
    ),
}
_PURCHASE: Final[Table] = {
    **_PAYER_PRESENT,
    **_AMOUNTS,
    "restrictedToAgeLimit": may(whole(most=150)),
    "callToActionType": may(one_of(("Pay", "Deposit"))),
    "paymentToken": may(_said),
    **_all(may(yes_no), "disableStoredPaymentDetails", "autoClick", "corporateMode"),
    **_all(may(yes_no), "enablePaymentDetailsConsentCheckbox", "generateMotoPayment", "requestTraExemption"),
    **_all(may(yes_no), "generateAfdPayment", "restrictedToAfdInstruments", "restrictedToPayoutInstruments"),
    **_all(may(yes_no), "requestDeliveryInfo", "restrictedToDeliveryInfoInstruments"),
}
_VERIFICATION: Final[Table] = {
    **_PAYER_PRESENT,
    **_all(may(absent("Verify buys nothing: it has no amounts and no order items.")), *_AMOUNTS),
    "disableStoredPaymentDetails": may(never("It cannot be used with Verify.")),
    "enablePaymentDetailsConsentCheckbox": may(never("It cannot be used with Verify.")),
    "generateMotoPayment": may(never("Only a Purchase can be typed by staff.")),
    "paymentToken": may(absent("Only a Purchase is paid with it.")),
}


def _payee_info(reference: ReferenceFormat) -> Table:
    """Return the rows of ``payeeInfo``, whose reference depends on who settles."""
    return {
        "payeeId": must(text(pattern=r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")),
        "payeeReference": must(text(pattern=reference.value)),
        "payeeName": may(_said),
        **_all(may(text(longest=50)), "orderReference", "productCategory"),
        "subsite": may(text(longest=40, pattern=r"[A-Za-z0-9]*")),
        "siteId": may(text(longest=15, pattern=r"[A-Za-z0-9]*")),
        "mcc": may(whole(least=1000, most=9999)),
    }


@functools.cache
def create_table(reference: ReferenceFormat, operation: str) -> Table:
    """Return the rows of ``paymentorder`` in a request that creates one, by its operation."""
    always: Table = {
        "operation": must(one_of(("Purchase", VERIFY, *CHARGES))),
        "currency": must(one_of(CURRENCIES)),
        "description": must(text(longest=40)),
        "userAgent": must(_said),
        "language": must(one_of(LANGUAGES)),
        "payeeInfo": must(shape(_payee_info(reference))),
        "metadata": may(flat_map),
        "implementation": may(_said),
        "productName": may(one_of(("Checkout3",))),
        "clientInfo": may(shape(_CLIENT_INFO)),
    }
    if operation not in CHARGES:
        return {**always, **(_VERIFICATION if operation == VERIFY else _PURCHASE)}
    urls = {name: may(row.rule) for name, row in _URLS.items()}
    payer = shape({**_PAYER, "payerReference": must(_said)})
    return {**always, **_AMOUNTS, CHARGES[operation].field: must(_said), "payer": must(payer), "urls": may(shape(urls))}


@functools.cache
def post_purchase_table(reference: ReferenceFormat, ending: str) -> Table:
    """Return the rows of ``transaction``. A cancel never has an amount: it releases all that is left."""
    named = must(text(pattern=reference.value))
    if ending == "cancellations":
        return {"description": must(text(longest=40)), "payeeReference": named}
    receipt = may(text(longest=50))
    return {"description": must(_said), **_AMOUNTS, "payeeReference": named, "receiptReference": receipt}


PATCHES: Final[Mapping[str, Table]] = {
    "UpdateOrder": {"operation": must(_said), **_AMOUNTS, "description": may(text(longest=40))},
    "Abort": {"operation": must(_said), "abortReason": must(_said)},
    "PaymentAttemptAborted": {"operation": must(_said), "abortReason": must(_said)},
    "SetInstrument": {"operation": must(_said), "instrument": must(_INSTRUMENT)},
}
"""The rows of a change to an order, by its operation."""

ARCHIVERS: Final = {
    "payee": ArchivedBy.PAYEE,
    "consumer": ArchivedBy.PAYEE,
    "online": ArchivedBy.SWEDBANK_PAY,
    "tokenissuer": ArchivedBy.TOKEN_ISSUER,
}
"""The word in a request → the word in answers: the documents list different ones."""


def _archiver(path: str, value: object) -> Iterator[Breach]:
    if not isinstance(value, str) or value.lower() not in ARCHIVERS:
        yield Breach(path, f"One of {', '.join(ARCHIVERS)} is expected here, in any case.")


DELETE: Final[Table] = {"state": must(one_of(("Deleted",))), "comment": must(_said)}
ARCHIVE: Final[Table] = {"reason": must(_said), "updatedBy": must(_archiver)}
RENAME: Final[Table] = {"displayName": must(_said)}


# Between fields


def between_order_fields(order: JsonObject, *, version: str) -> Iterator[Breach]:
    """Yield the contradictions between the fields of a create request that are each right alone."""
    yield from between_items(order, path="PaymentOrder")
    if order.get("operation") in CHARGES:
        return
    urls, payee = (as_object(order.get(name)) or {} for name in ("urls", "payeeInfo"))
    if not urls.get("cancelUrl") and not urls.get("paymentUrl"):
        why = "A redirect page needs cancelUrl, a seamless view needs paymentUrl; one of them must be given."
        yield Breach("PaymentOrder.Urls.CancelUrl", why)
    # An order that stores, or is paid with what is stored, must name the payer (docs: payer, token-handling).
    if not (as_object(order.get("payer")) or {}).get("payerReference"):
        for name in filter(order.get, (*GENERATE.values(), "paymentToken")):
            yield Breach(f"PaymentOrder.{pascal(name)}", "It needs Payer.PayerReference.")
    if order.get("operation") == VERIFY:
        return
    if version != "3.1" and not order.get("orderItems"):
        yield Breach("PaymentOrder.OrderItems", f"Order items are required in version {version}.")
    if order.get("enablePaymentDetailsConsentCheckbox") and not order.get("disableStoredPaymentDetails"):
        name = "PaymentOrder.EnablePaymentDetailsConsentCheckbox"
        yield Breach(name, "It goes together with DisableStoredPaymentDetails only.")
    if order.get("autoClick") and urls.get("termsOfServiceUrl"):
        yield Breach("PaymentOrder.AutoClick", "It cannot be combined with TermsOfServiceUrl.")
    if order.get("generateAfdPayment") and order.get("orderItems"):
        yield Breach("PaymentOrder.OrderItems", "Fuel dispensers have no order items.")
    if order.get("generateAfdPayment") and not payee.get("mcc"):
        yield Breach("PaymentOrder.PayeeInfo.Mcc", "Fuel dispensers need it.")


def reachable(order: JsonObject, addresses: CallbackAddresses) -> Iterator[Breach]:
    """Yield why the gateway could not call back."""
    url = (as_object(order.get("urls")) or {}).get("callbackUrl")
    return callback_address(addresses)("PaymentOrder.Urls.CallbackUrl", url) if url else iter(())


def between_items(body: JsonObject, *, path: str) -> Iterator[Breach]:
    """Yield what is wrong between an amount, its VAT and its order items."""
    amount, items = number_in(body, "amount"), items_of(body)
    if number_in(body, "vatAmount") > amount:
        yield Breach(f"{path}.VatAmount", "The VAT is larger than the amount that holds it.")
    for place, item in enumerate(items):
        if number_in(item, "amount") < 0 and item.get("type") not in _MAY_BE_NEGATIVE:
            yield Breach(f"{path}.OrderItems[{place}].Amount", "Only fees and discounts may be negative.")
    # What is restricted to an instrument counts only when that is chosen.
    total = sum(number_in(item, "amount") for item in items if not item.get("restrictedToInstruments"))
    if items and total != amount:
        yield Breach(f"{path}.Amount", f"The order items add up to {total}, the amount is {amount}.")


# Reading and refusing


def json_body(request: EmulatorRequest) -> JsonObject:
    """Return the JSON object in the body; raises ``Refusal`` for anything else."""
    try:
        body = as_object(read_json(request.body))
    except ValueError:
        body = None
    if body is None:
        raise input_error(FieldProblem("Body", "The body must be a JSON object."))
    return body


def part_of(body: JsonObject, name: str) -> JsonObject:
    """Return the object that ``body`` has under ``name``, whatever its case; empty when there is none."""
    found = next((value for key, value in body.items() if key.lower() == name), None)
    return as_object(found) or {}


def accepted(table: Table, body: JsonObject, takes: Takes, *, path: str) -> JsonObject:
    """Return ``body`` as the gateway reads it; raises ``Refusal`` for what it does not take."""
    understood, wrong = read(table, body, takes, path)
    refuse(wrong)
    return understood


def refuse(breaches: Iterable[Breach]) -> None:
    """Raise ``Refusal`` if something is wrong."""
    found = [FieldProblem(each.path, each.why) for each in breaches]
    if found:
        raise input_error(*found)
