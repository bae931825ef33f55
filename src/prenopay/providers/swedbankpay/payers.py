"""From what the host knows of payer and purchase to the gateway's JSON. Pure."""

from __future__ import annotations

from typing import Final

from prenopay.providers.swedbankpay import _wire
from prenopay.values.orders import Address, DeliveryTime, Payer, PayerHistory, RiskFacts, ShippedTo

__all__ = ["payer_out", "risk_out"]

_DELIVERY_TIMES: Final = {
    DeliveryTime.ELECTRONIC: "01",
    DeliveryTime.SAME_DAY: "02",
    DeliveryTime.OVERNIGHT: "03",
    DeliveryTime.LATER: "04",
}
_SHIPPED_TO: Final = {
    ShippedTo.BILLING_ADDRESS: "01",
    ShippedTo.VERIFIED_ADDRESS: "02",
    ShippedTo.OTHER_ADDRESS: "03",
    ShippedTo.STORE: "04",
    ShippedTo.DIGITAL: "05",
    ShippedTo.TICKETS: "06",
    ShippedTo.OTHER: "07",
}


def payer_out(payer: Payer) -> _wire.PayerOut:
    """Return ``payer`` of a request."""
    identifier = None
    if payer.personal_number:
        identifier = _wire.NationalIdentifierOut(
            social_security_number=payer.personal_number,
            country_code=payer.personal_number_country,
        )
    return _wire.PayerOut(
        payer_reference=payer.reference or None,
        first_name=payer.first_name or None,
        last_name=payer.last_name or None,
        email=payer.email or None,
        msisdn=payer.phone or None,
        home_phone_number=payer.home_phone or None,
        work_phone_number=payer.work_phone or None,
        digital_products=payer.digital_only,
        national_identifier=identifier,
        restricted_to_social_security_number=True if payer.must_match_personal_number else None,
        shipping_address=None if payer.shipping_address is None else _address(payer.shipping_address),
        billing_address=None if payer.billing_address is None else _address(payer.billing_address),
        account_info=None if payer.history is None else _account_info(payer.history),
    )


def _address(address: Address) -> _wire.AddressOut:
    return _wire.AddressOut(
        first_name=address.first_name or None,
        last_name=address.last_name or None,
        email=address.email or None,
        msisdn=address.phone or None,
        street_address=address.street or None,
        co_address=address.co_address or None,
        city=address.city or None,
        zip_code=address.zip_code or None,
        country_code=address.country or None,
    )


def _account_info(history: PayerHistory) -> _wire.AccountInfoOut:
    """Say days in the docs' two-digit classes (this purchase, under 30, 30 to 60, over 60 days)."""
    age = "01" if history.is_guest else _class_of_days(history.account_age_days, first="02")
    matches, suspicious = history.shipping_name_matches, history.suspicious_activity
    return _wire.AccountInfoOut(
        account_age_indicator=age,
        account_change_indicator=_class_of_days(history.account_changed_days, first="01"),
        account_pwd_change_indicator=_class_of_days(history.password_changed_days, first="02"),
        shipping_address_usage_indicator=_class_of_days(history.shipping_address_used_days, first="01"),
        shipping_name_indicator=None if matches is None else "01" if matches else "02",
        suspicious_account_activity=None if suspicious is None else "02" if suspicious else "01",
    )


def _class_of_days(days: int | None, *, first: str) -> str | None:
    if days is None:
        return None
    step = 0 if days == 0 else 1 if days < 30 else 2 if days <= 60 else 3  # noqa: PLR2004 - the docs' bounds
    return f"{int(first) + step:02d}"


def risk_out(risk: RiskFacts) -> _wire.RiskIndicatorOut:
    """Return ``riskIndicator`` of a request."""
    pick_up = None
    if risk.pick_up_address is not None:
        place = risk.pick_up_address
        pick_up = _wire.PickUpAddressOut(
            name=risk.pick_up_name or None,
            street_address=place.street or None,
            co_address=place.co_address or None,
            city=place.city or None,
            zip_code=place.zip_code or None,
            country_code=place.country or None,
        )
    pre_order, bought = risk.is_pre_order, risk.bought_before
    return _wire.RiskIndicatorOut(
        delivery_email_address=risk.delivery_email or None,
        delivery_time_frame_indicator=None if risk.delivery_time is None else _DELIVERY_TIMES[risk.delivery_time],
        pre_order_date=None if risk.available_from is None else risk.available_from.strftime("%Y%m%d"),
        pre_order_purchase_indicator=None if pre_order is None else "02" if pre_order else "01",
        ship_indicator=None if risk.shipped_to is None else _SHIPPED_TO[risk.shipped_to],
        gift_card_purchase=risk.gift_card,
        re_order_purchase_indicator=None if bought is None else "02" if bought else "01",
        pick_up_address=pick_up,
    )
