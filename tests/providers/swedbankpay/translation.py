"""From a request in Swedbank Pay's words back to the order and the account that would ask for it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from prenopay import Address, Money, Order, OrderLine, PageStyle, Payer, Secret
from prenopay.provider import ChangeRequest, ChargeRequest
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.values.mandates import MandateKind, StoreMethod
from prenopay.values.orders import DeliveryTime, Initiator, LineKind, PayerHistory, RiskFacts, ShippedTo

from .samples import CONSENT, Json, config

_KINDS = {
    "PRODUCT": LineKind.PRODUCT,
    "SERVICE": LineKind.SERVICE,
    "SHIPPING_FEE": LineKind.SHIPPING,
    "PAYMENT_FEE": LineKind.PAYMENT_FEE,
    "DISCOUNT": LineKind.DISCOUNT,
    "VALUE_CODE": LineKind.VOUCHER,
    "OTHER": LineKind.OTHER,
}
_ADDRESS = {
    "firstName": "first_name",
    "lastName": "last_name",
    "streetAddress": "street",
    "coAddress": "co_address",
    "city": "city",
    "zipCode": "zip_code",
    "countryCode": "country",
    "email": "email",
    "msisdn": "phone",
}
_PAYER = {
    "payerReference": "reference",
    "firstName": "first_name",
    "lastName": "last_name",
    "email": "email",
    "msisdn": "phone",
    "homePhoneNumber": "home_phone",
    "workPhoneNumber": "work_phone",
    "digitalProducts": "digital_only",
    "restrictedToSocialSecurityNumber": "must_match_personal_number",
}
_PAYEE = {
    "payeeId": "payee_id",
    "payeeName": "payee_name",
    "productCategory": "product_category",
    "subsite": "subsite",
    "siteId": "site_id",
}
_ROOT = {
    "description": "description",
    "userAgent": "payer_user_agent",
    "language": "language",
    "metadata": "metadata",
    "instrument": "only_instrument",
    "expandFirstInstrument": "expand_first_instrument",
    "restrictedToAgeLimit": "age_limit",
    "generateMotoPayment": "paid_by_staff",
}
_STORED = {
    "generatePaymentToken": MandateKind.ONE_CLICK,
    "generateRecurrenceToken": MandateKind.RECURRENCE,
    "generateUnscheduledToken": MandateKind.UNSCHEDULED,
}
_CHARGED = {"recurrenceToken": MandateKind.RECURRENCE, "unscheduledToken": MandateKind.UNSCHEDULED}
_TRANSLATED = {
    *_ROOT,
    *_STORED,
    *_CHARGED,
    "operation",
    "currency",
    "amount",
    "vatAmount",
    "urls",
    "payeeInfo",
    "payer",
    "orderItems",
    "restrictedToInstruments",
    "riskIndicator",
}
_DAYS = {"this": 0, "weeks": 7, "month": 45, "long": 90}


def account_of(asked: Json) -> SwedbankPay:
    """Return the account whose settings a request has."""
    urls, payee = asked["urls"], asked["payeeInfo"]
    return config(
        host_urls=tuple(urls.get("hostUrls", ())),
        terms_url=urls.get("termsOfServiceUrl", ""),
        logo_url=urls.get("logoUrl", ""),
        **_renamed(payee, _PAYEE),
    )


def order_of(asked: Json) -> Order:
    """Return the order that a request asks to be paid; what prenopay has no word for goes into ``extra``."""
    urls, currency = asked["urls"], asked["currency"]
    seamless = "paymentUrl" in urls
    instruments = asked.get("restrictedToInstruments", ())
    extra = {name: value for name, value in asked.items() if name not in _TRANSLATED}
    extra["payeeInfo"] = {"mcc": asked["payeeInfo"]["mcc"]} if "mcc" in asked["payeeInfo"] else {}
    extra["payer"] = _extra_of_payer(asked.get("payer", {}))
    return Order(
        amount=Money(asked.get("amount", 0), currency),
        vat=Money(asked.get("vatAmount", 0), currency),
        return_url=urls["completeUrl"],
        cancel_url=urls.get("cancelUrl", ""),
        payment_page_url=urls.get("paymentUrl", ""),
        page=PageStyle.SEAMLESS if seamless else PageStyle.REDIRECT,
        order_reference=asked["payeeInfo"].get("orderReference", ""),
        lines=lines_of(asked.get("orderItems") or (), currency),
        instruments=tuple(instruments),
        payer=payer_of(asked["payer"]) if "payer" in asked else None,
        risk=risk_of(asked["riskIndicator"]) if "riskIndicator" in asked else None,
        store=store_of(asked),
        extra={name: value for name, value in extra.items() if value != {}},
        **_renamed(asked, _ROOT),
    )


def store_of(asked: Json) -> StoreMethod | None:
    """Return what a request asks to be stored."""
    kinds = tuple(kind for name, kind in _STORED.items() if asked.get(name) is True)
    asks = asked.get("enablePaymentDetailsConsentCheckbox") is True
    return StoreMethod(consent=CONSENT, kinds=kinds, asks_in_page=asks) if kinds else None


def charge_of(asked: Json) -> ChargeRequest:
    """Return the charge that a request asks for; its lines, which need not add up in the docs, are left out."""
    ((name, kind),) = ((name, kind) for name, kind in _CHARGED.items() if name in asked)
    left_out = {"orderItems", "userAgent", "language", "description"}
    extra = {name: value for name, value in asked.items() if name not in _TRANSLATED | left_out}
    order = Order(
        amount=Money(asked["amount"], asked["currency"]),
        vat=Money(asked["vatAmount"], asked["currency"]),
        order_reference=asked["payeeInfo"].get("orderReference", ""),
        payer=payer_of(asked["payer"]),
        return_url="",
        initiator=Initiator.MERCHANT,
        extra=extra,
        **_renamed(asked, _ROOT),
    )
    return ChargeRequest(
        order=order,
        payment_id="pay_1",
        reference=asked["payeeInfo"]["payeeReference"],
        callback_url=asked["urls"]["callbackUrl"],
        kind=kind,
        token=Secret(asked[name]),
    )


def change_of(asked: Json, provider_reference: str) -> ChangeRequest:
    """Return what a capture, cancel, reversal or update asks for, in kronor."""
    return ChangeRequest(
        payment_id="pay_1",
        provider_reference=provider_reference,
        reference=asked.get("payeeReference", ""),
        amount=Money(asked["amount"], "SEK") if "amount" in asked else None,
        vat=Money(asked["vatAmount"], "SEK") if "vatAmount" in asked else None,
        lines=lines_of(asked.get("orderItems") or (), "SEK"),
        description=asked.get("description", ""),
    )


def lines_of(items: Iterable[Json], currency: str) -> tuple[OrderLine, ...]:
    """Return the lines of ``orderItems``."""
    return tuple(_line(item, currency) for item in items)


def _line(item: Json, currency: str) -> OrderLine:
    def money(name: str) -> Money | None:
        return Money(item[name], currency) if name in item else None

    return OrderLine(
        name=item["name"],
        reference=item["reference"],
        kind=_KINDS[item["type"]],
        group=item["class"],
        quantity=Decimal(str(item["quantity"])),
        unit=item["quantityUnit"],
        unit_price=money("unitPrice"),
        discount_price=money("discountPrice"),
        vat_percent=Decimal(item["vatPercent"]) / 100,
        amount=Money(item["amount"], currency),
        vat=money("vatAmount"),
        description=item.get("description", ""),
        discount_description=item.get("discountDescription", ""),
        item_url=item.get("itemUrl", ""),
        image_url=item.get("imageUrl", ""),
        only_with=tuple(item.get("restrictedToInstruments", ())),
    )


def payer_of(asked: Json) -> Payer:
    """Return the payer of ``payer``."""
    national = asked.get("nationalIdentifier", {})
    return Payer(
        personal_number=national.get("socialSecurityNumber", ""),
        personal_number_country=national.get("countryCode", "SE"),
        billing_address=_address(asked.get("billingAddress")),
        shipping_address=_address(asked.get("shippingAddress")),
        history=_history(asked["accountInfo"]) if "accountInfo" in asked else None,
        **_renamed(asked, _PAYER),
    )


def _extra_of_payer(asked: Json) -> Json:
    """Return what prenopay has no word for: odd members, and a password that was never changed."""
    known = {*_PAYER, "nationalIdentifier", "billingAddress", "shippingAddress", "accountInfo"}
    extra = {name: value for name, value in asked.items() if name not in known}
    never = asked.get("accountInfo", {}).get("accountPwdChangeIndicator") == "01"
    return extra | ({"accountInfo": {"accountPwdChangeIndicator": "01"}} if never else {})


def _history(asked: Json) -> PayerHistory:
    def days(name: str, *numbers: str) -> int | None:
        classes = dict(zip(numbers, _DAYS.values(), strict=True))
        return classes.get(asked.get(name, ""))

    matches, suspicious = asked.get("shippingNameIndicator"), asked.get("suspiciousAccountActivity")
    return PayerHistory(
        is_guest=asked.get("accountAgeIndicator") == "01",
        account_age_days=days("accountAgeIndicator", "02", "03", "04", "05"),
        account_changed_days=days("accountChangeIndicator", "01", "02", "03", "04"),
        password_changed_days=days("accountPwdChangeIndicator", "02", "03", "04", "05"),
        shipping_address_used_days=days("shippingAddressUsageIndicator", "01", "02", "03", "04"),
        shipping_name_matches=None if matches is None else matches == "01",
        suspicious_activity=None if suspicious is None else suspicious == "02",
    )


def risk_of(asked: Json) -> RiskFacts:
    """Return the facts of ``riskIndicator``."""
    times, places = list(DeliveryTime), list(ShippedTo)
    bought, pre_order = asked.get("reOrderPurchaseIndicator"), asked.get("preOrderPurchaseIndicator")
    place = asked.get("pickUpAddress", {})
    return RiskFacts(
        delivery_email=asked.get("deliveryEmailAddress", ""),
        delivery_time=times[int(asked["deliveryTimeFrameIndicator"]) - 1],
        shipped_to=places[int(asked["shipIndicator"]) - 1],
        pick_up_name=place.get("name", ""),
        pick_up_address=_address(place),
        gift_card=asked.get("giftCardPurchase"),
        bought_before=None if bought is None else bought == "02",
        available_from=_day(asked.get("preOrderDate", "")),
        is_pre_order=None if pre_order is None else pre_order == "02",
    )


def _day(written: str) -> date | None:
    return datetime.strptime(written, "%Y%m%d").replace(tzinfo=UTC).date() if written else None


def _address(asked: Json | None) -> Address | None:
    return Address(**{"country": "", **_renamed(asked, _ADDRESS)}) if asked else None


def _renamed(asked: Json, names: dict[str, str]) -> dict[str, Any]:
    return {ours: asked[theirs] for theirs, ours in names.items() if theirs in asked}
