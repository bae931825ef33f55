"""The parts that request bodies are made of: addresses, payers, order lines, addresses of the shop, the payee."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from prenopay.testing.emulators.swedbankpay.fields import (
    INT32_MOST,
    Check,
    Member,
    decimal_number,
    list_of,
    may,
    must,
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
    "CLIENT_INFO",
    "CURRENCIES",
    "INSTRUMENT_NAMES",
    "ITEM",
    "LANGUAGES",
    "PAYER",
    "RISK",
    "URLS",
    "all_may",
    "free",
    "payee_info",
]

CURRENCIES: Final = ("SEK", "NOK", "DKK", "EUR")
LANGUAGES: Final = (
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
INSTRUMENT_NAMES: Final = (*INSTRUMENTS, "CreditAccount")
_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LETTERS_AND_DIGITS: Final = re.compile(r"[A-Za-z0-9]*")
_MSISDN: Final = re.compile(r"\+[0-9]{8,15}")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_DAY: Final = re.compile(r"[0-9]{8}")
_ITEM_TYPES: Final = ("PRODUCT", "SERVICE", "SHIPPING_FEE", "PAYMENT_FEE", "DISCOUNT", "VALUE_CODE", "OTHER")
_ITEM_CLASS: Final = re.compile(r"[\w-]*")
_TEXT_LONGEST: Final = 2000
"""Texts without a documented bound get this one."""

free: Final = text(longest=_TEXT_LONGEST)
"""Any text."""


def _codes(last: int) -> Check:
    return one_of(tuple(f"0{number}" for number in range(1, last + 1)))


def all_may(check: Check, *names: str) -> Mapping[str, Member]:
    """Return members that may be left out, all with the same check."""
    return {name: may(check) for name in names}


def _blank_allowed(path: str, value: object) -> Iterator[FieldProblem]:
    if value != "":
        yield from free(path, value)


_ADDRESS: Final = {
    **all_may(_blank_allowed, "firstName", "lastName", "addressee", "name", "coAddress", "city", "zipCode"),
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

PAYER: Final = {
    "payerReference": may(free),
    "firstName": may(free),
    "lastName": may(free),
    "email": may(text(pattern=_EMAIL)),
    **all_may(text(pattern=_MSISDN), "msisdn", "workPhoneNumber", "homePhoneNumber"),
    "digitalProducts": may(yes_no),
    "countryCode": may(text(pattern=_COUNTRY)),
    "nationalIdentifier": may(
        shape(
            {
                "socialSecurityNumber": must(free),
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

RISK: Final = {
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

ITEM: Final = {
    "reference": must(free),
    "name": must(free),
    "type": must(one_of(_ITEM_TYPES)),
    "class": must(text(pattern=_ITEM_CLASS)),
    "quantity": must(decimal_number(decimals=4)),
    "quantityUnit": must(free),
    "unitPrice": must(whole(least=-INT32_MOST)),
    "vatPercent": must(whole(most=10_000)),
    "amount": must(whole(least=-INT32_MOST)),
    "vatAmount": must(whole(least=-INT32_MOST)),
    "discountPrice": may(whole()),
    "itemUrl": may(web_address()),
    "imageUrl": may(web_address()),
    "description": may(free),
    "discountDescription": may(free),
    "restrictedToInstruments": may(list_of(one_of(INSTRUMENT_NAMES), least=1)),
}

URLS: Final = {
    "hostUrls": must(list_of(web_address(is_origin=True), least=1)),
    "completeUrl": must(web_address()),
    "cancelUrl": may(web_address()),
    "paymentUrl": may(web_address(no_query="swp_ut")),
    "callbackUrl": may(web_address()),
    "logoUrl": may(web_address(tls_only=True)),
    "termsOfServiceUrl": may(web_address(tls_only=True)),
}

CLIENT_INFO: Final = (
    "clientType",
    "platformName",
    "presentationSdkName",
    "presentationSdkVersion",
    "integrationModuleName",
    "integrationModuleVersion",
    "integrationSdkName",
    "integrationSdkVersion",
)


def payee_info(reference: ReferenceFormat) -> Check:
    """Return the shape of ``payeeInfo``, whose reference depends on who settles."""
    return shape(
        {
            "payeeId": must(text(pattern=_GUID)),
            "payeeReference": must(text(pattern=reference.value)),
            "payeeName": may(free),
            "orderReference": may(text(longest=50)),
            "productCategory": may(text(longest=50)),
            "subsite": may(text(longest=40, pattern=_LETTERS_AND_DIGITS)),
            "siteId": may(text(longest=15, pattern=_LETTERS_AND_DIGITS)),
            "mcc": may(whole(least=1000, most=9999)),
        },
    )
