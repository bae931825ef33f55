"""From an order in our words to the gateway's JSON. Pure: the same order and reference give the same bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final, cast
from urllib.parse import urlsplit

from prenopay._text import quoted
from prenopay.errors import InvalidOrder
from prenopay.provider import ChangeRequest, ChargeRequest, CreateRequest, Secret
from prenopay.provider.wire import json_bytes
from prenopay.providers.swedbankpay import _wire
from prenopay.providers.swedbankpay.config import SwedbankPayAccount
from prenopay.values.mandates import MandateKind, StoreMethod
from prenopay.values.orders import (
    Address,
    DeliveryTime,
    Initiator,
    Instrument,
    LineKind,
    Order,
    OrderLine,
    PageStyle,
    Payer,
    PayerHistory,
    RiskFacts,
    ShippedTo,
)

__all__ = [
    "CURRENCIES",
    "INSTRUMENTS",
    "abort_body",
    "archive_body",
    "charge_body",
    "check_charge",
    "check_order",
    "create_body",
    "delete_body",
    "instrument_of",
    "transaction_body",
    "try_out",
    "update_body",
]

CURRENCIES: Final = frozenset({"SEK", "NOK", "DKK", "EUR"})
_LANGUAGES: Final = frozenset(
    "da-DK de-DE en-US es-ES et-EE fi-FI fr-FR lt-LT lv-LV nb-NO pl-PL ru-RU sv-SE".split()  # noqa: SIM905 - a table
)
"""The languages of the payment page (docs: languages, 2026-04)."""

INSTRUMENTS: Final[Mapping[str, str]] = {
    Instrument.CARD: "CreditCard",
    Instrument.SWISH: "Swish",
    Instrument.VIPPS: "Vipps",
    Instrument.MOBILEPAY: "MobilePay",
    Instrument.APPLE_PAY: "ApplePay",
    Instrument.GOOGLE_PAY: "GooglePay",
    Instrument.CLICK_TO_PAY: "ClickToPay",
    Instrument.TRUSTLY: "Trustly",
    Instrument.INVOICE: "Invoice-PayExFinancingSe",
    Instrument.MONTHLY_INVOICE: "Invoice-PayMonthlyInvoiceSe",
    Instrument.CREDIT_ACCOUNT: "CreditAccount-CreditAccountSe",
}
"""Our word → the gateway's, in requests. Others (such as the Norwegian invoice) are given in the gateway's word."""

_WORDS: Final[Mapping[str, str]] = {
    **{theirs.lower(): ours for ours, theirs in INSTRUMENTS.items()},
    "invoice": Instrument.INVOICE,
    "invoice-payexfinancingno": Instrument.INVOICE,
    "creditaccount": Instrument.CREDIT_ACCOUNT,
    "creditaccount-creditaccountno": Instrument.CREDIT_ACCOUNT,
}
_LINE_KINDS: Final = {
    LineKind.PRODUCT: "PRODUCT",
    LineKind.SERVICE: "SERVICE",
    LineKind.SHIPPING: "SHIPPING_FEE",
    LineKind.PAYMENT_FEE: "PAYMENT_FEE",
    LineKind.DISCOUNT: "DISCOUNT",
    LineKind.VOUCHER: "VALUE_CODE",
    LineKind.OTHER: "OTHER",
}
_STORABLE: Final = frozenset({MandateKind.ONE_CLICK, MandateKind.RECURRENCE, MandateKind.UNSCHEDULED})
_CHARGED_BY: Final = {MandateKind.RECURRENCE: "Recur", MandateKind.UNSCHEDULED: "UnscheduledPurchase"}
"""The operation that charges each kind of token with the payer absent (docs: recur, unscheduled)."""

_DESCRIPTION_MOST: Final = 40
_ORDER_REFERENCE_MOST: Final = 50
_STREET_MOST: Final = 50
_AMOUNT_MOST: Final = 2_147_483_647
"""The largest amount in the docs, which is the largest 32-bit integer."""
_WEB_PAGE: Final = re.compile(r"https?:", re.IGNORECASE)
_USER_AGENT: Final = "prenopay"
_ABORT_REASON: Final = "CancelledByConsumer"
_REMOVED: Final = "Removed by the merchant"
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


def _name_of(instrument: str) -> str:
    """Return the gateway's name for one of our words; any other text is the gateway's name already."""
    return INSTRUMENTS.get(instrument, str(instrument))


def instrument_of(name: str | None) -> str | None:
    """Return our word for an instrument, or the gateway's if we have none; ``None`` if the answer names none."""
    if not name or name.lower() == "paymentorders":
        return None
    known = _WORDS.get(name.lower())
    return str(known) if known is not None else name


def check_order(order: Order) -> None:
    """Raise ``InvalidOrder`` for an order that a payment order cannot express."""
    _require(order.amount.currency in CURRENCIES, "amount", f"Swedbank Pay takes {', '.join(sorted(CURRENCIES))}")
    _require(order.amount.minor <= _AMOUNT_MOST, "amount", f"{order.amount} is more than a payment order can hold")
    why = f"the payment page has {', '.join(sorted(_LANGUAGES))}, not {order.language}"
    _require(order.language in _LANGUAGES, "language", why)
    _at_most("description", order.description, _DESCRIPTION_MOST)
    _at_most("order_reference", order.order_reference, _ORDER_REFERENCE_MOST)
    if order.initiator is Initiator.MERCHANT:
        _check_charging(order)
    else:
        _check_page(order)
        _check_storing(order)
    for field in ("return_url", "cancel_url", "payment_page_url"):
        url: str = getattr(order, field)
        why = f"the payment page leads to web pages only, not to apps such as {quoted(url)}"
        _require(not url or bool(_WEB_PAGE.match(url)), field, why)
    _require("id" not in order.metadata, "metadata", "the gateway uses the key 'id' itself; choose another")
    for key, value in order.metadata.items():
        fits = isinstance(value, str | int | bool | Decimal)
        _require(fits, "metadata", f"{quoted(key)} must be text, bool, int or Decimal, not {type(value).__name__}")
    for field, address in _addresses(order).items():
        _at_most(f"{field}.street", "" if address is None else address.street, _STREET_MOST)
    group_fits = all(line.group.replace("-", "").replace("_", "").isalnum() for line in order.lines)
    _require(group_fits, "lines.group", "only letters, digits, '-' and '_'")


def check_charge(request: ChargeRequest) -> None:
    """Raise ``InvalidOrder`` for a charge that the gateway does not take while the payer is absent."""
    why = f"only the payer can pay with a {request.kind} method: create a payment of the order instead"
    _require(request.kind in _CHARGED_BY, "mandate", why)
    check_order(replace(request.order, initiator=Initiator.MERCHANT))


def try_out(config: SwedbankPayAccount[object], order: Order) -> None:
    """Write the order as it will be sent; raises the error that keeps it from becoming JSON."""
    if order.initiator is Initiator.PAYER:
        create_body(config, CreateRequest(order=order, payment_id="", reference="", callback_url=""))
        return
    kind, token = MandateKind.UNSCHEDULED, Secret("a token")
    charge_body(
        config, ChargeRequest(order=order, payment_id="", reference="", callback_url="", kind=kind, token=token)
    )


def create_body(config: SwedbankPayAccount[object], request: CreateRequest) -> bytes:
    """Return the body that creates a payment order; it has no amount if a method is only stored."""
    order = request.order
    bought = not order.is_verification
    body = _wire.PaymentOrderOut(
        operation="Purchase" if bought else "Verify",
        currency=order.amount.currency,
        amount=order.amount.minor if bought else None,
        vat_amount=order.vat_amount.minor if bought else None,
        description=order.description,
        user_agent=order.payer_user_agent or _USER_AGENT,
        language=order.language,
        urls=_urls(config, order, request.callback_url),
        payee_info=_payee_info(config, order, request.reference),
        payer=None if order.payer is None else _payer(order.payer),
        order_items=_items(order.lines),
        risk_indicator=None if order.risk is None else _risk(order.risk),
        metadata=_metadata(order),
        instrument=None if order.only_instrument is None else _name_of(order.only_instrument),
        restricted_to_instruments=[_name_of(name) for name in order.instruments] or None,
        expand_first_instrument=True if order.expand_first_instrument else None,
        restricted_to_age_limit=order.age_limit,
        generate_moto_payment=True if order.paid_by_staff else None,
        payment_token=None if request.offered is None else request.offered.reveal(),
        **({} if order.store is None else _storing(order.store, bought=bought)),
    )
    return json_bytes({"paymentorder": _merged(body.as_json(), order.extra)})


def charge_body(config: SwedbankPayAccount[object], request: ChargeRequest) -> bytes:
    """Return the body that charges a stored method; it names the payer by the reference only."""
    order, token = request.order, request.token_to_send().reveal()
    body = _wire.ChargeOut(
        operation=_CHARGED_BY[request.kind],
        recurrence_token=token if request.kind is MandateKind.RECURRENCE else None,
        unscheduled_token=token if request.kind is MandateKind.UNSCHEDULED else None,
        currency=order.amount.currency,
        amount=order.amount.minor,
        vat_amount=order.vat_amount.minor,
        description=order.description,
        user_agent=order.payer_user_agent or _USER_AGENT,
        language=order.language,
        urls=_wire.CallbackUrlOut(callback_url=request.callback_url),
        payee_info=_payee_info(config, order, request.reference),
        payer=_wire.PayerOut(payer_reference=order.payer.reference if order.payer is not None else None),
        order_items=_items(order.lines),
        metadata=_metadata(order),
    )
    return json_bytes({"paymentorder": _merged(body.as_json(), order.extra)})


def transaction_body(request: ChangeRequest, *, with_amount: bool) -> bytes:
    """Return the body of a capture or reversal, or (without amount) of a cancel."""
    transaction = _wire.TransactionOut(
        description=_cut(request.description),
        amount=request.amount.minor if with_amount and request.amount is not None else None,
        vat_amount=request.vat.minor if with_amount and request.vat is not None else None,
        payee_reference=request.reference,
        order_items=_items(request.lines) if with_amount else None,
    )
    return json_bytes({"transaction": transaction.as_json()})


def abort_body() -> bytes:
    """Return the body that closes an open order."""
    return json_bytes({"paymentorder": _wire.AbortOut(operation="Abort", abort_reason=_ABORT_REASON).as_json()})


def delete_body(reason: str) -> bytes:
    """Return the body that deletes stored tokens in the older API."""
    return json_bytes(_wire.TokenStateOut(state="Deleted", comment=reason.strip() or _REMOVED).as_json())


def archive_body(reason: str) -> bytes:
    """Return the body that archives stored tokens in the Payer API."""
    return json_bytes(_wire.ArchiveOut(reason=reason.strip() or _REMOVED, updated_by="Payee").as_json())


def update_body(request: ChangeRequest) -> bytes:
    """Return the body that changes amount and lines of an open order."""
    update = _wire.UpdateOut(
        operation="UpdateOrder",
        amount=0 if request.amount is None else request.amount.minor,
        vat_amount=0 if request.vat is None else request.vat.minor,
        order_items=_items(request.lines),
    )
    return json_bytes({"paymentorder": update.as_json()})


def _check_page(order: Order) -> None:
    if order.page is PageStyle.SEAMLESS:
        why = "a seamless page needs the URL of the page around it: apps and 3-D Secure return to it"
        _require(bool(order.payment_page_url), "payment_page_url", why)
        _require(
            "swp_ut=" not in order.payment_page_url.lower(),
            "payment_page_url",
            "the gateway adds swp_ut itself; leave it out",
        )


def _check_charging(order: Order) -> None:
    nothing_else = order.store is None and not order.is_verification
    _require(nothing_else, "store", "a charge takes money and stores nothing new")
    _require(not order.paid_by_staff, "paid_by_staff", "no card details are typed when a stored method is charged")
    known = order.payer is not None and bool(order.payer.reference)
    _require(known, "payer.reference", "a charge needs the payer reference under which the method was stored")


def _check_storing(order: Order) -> None:
    if order.paid_by_staff:
        why = "the gateway does not store card details that staff type, only pays with them (docs: MOTO)"
        _require(not order.is_verification, "paid_by_staff", why)
        _require(not order.pay_with, "pay_with", "staff type a card, so no stored method can be offered")
    if order.store is None:
        return
    kinds = ", ".join(sorted(set(order.store.kinds) - _STORABLE))
    why = f"Swedbank Pay stores {', '.join(sorted(_STORABLE))}, not {kinds}"
    _require(not kinds, "store.kinds", why)
    only = (order.only_instrument,) if order.only_instrument is not None else order.instruments
    if {_name_of(name) for name in only} == {INSTRUMENTS[Instrument.TRUSTLY]}:
        why = "Trustly stores a method only if it is known (docs: Trustly recurring)"
        _require(bool(order.payer and order.payer.email), "payer.email", why)


def _storing(store: StoreMethod, *, bought: bool) -> dict[str, bool]:
    """Return the members that make the gateway store the method (docs: one-click, recur, unscheduled).

    On a purchase, ``disableStoredPaymentDetails`` says that the host has asked the payer;
    ``enablePaymentDetailsConsentCheckbox`` in addition makes the page ask. A verification takes neither:
    its page has no other purpose. The docs say that the checkbox decides about one-click details; they do
    not say whether it decides about the other kinds.
    """
    flags = {
        "generate_payment_token": MandateKind.ONE_CLICK in store.kinds,
        "generate_recurrence_token": MandateKind.RECURRENCE in store.kinds,
        "generate_unscheduled_token": MandateKind.UNSCHEDULED in store.kinds,
        "disable_stored_payment_details": bought and (store.asks_in_page or MandateKind.ONE_CLICK in store.kinds),
        "enable_payment_details_consent_checkbox": bought and store.asks_in_page,
    }
    return {name: True for name, is_set in flags.items() if is_set}


def _payee_info(config: SwedbankPayAccount[object], order: Order, reference: str) -> _wire.PayeeInfoOut:
    return _wire.PayeeInfoOut(
        payee_id=config.payee_id,
        payee_reference=reference,
        payee_name=config.payee_name or None,
        order_reference=order.order_reference or None,
        product_category=config.product_category or None,
        subsite=config.subsite or None,
        site_id=config.site_id or None,
    )


def _metadata(order: Order) -> dict[str, str | bool | int | float] | None:
    return {key: _plain(value) for key, value in order.metadata.items()} or None


def _urls(config: SwedbankPayAccount[object], order: Order, callback_url: str) -> _wire.UrlsOut:
    pages = [order.return_url] + ([order.payment_page_url] if order.payment_page_url else [])
    origins = dict.fromkeys(f"{urlsplit(page).scheme}://{urlsplit(page).netloc}" for page in pages)
    seamless = order.page is PageStyle.SEAMLESS
    return _wire.UrlsOut(
        host_urls=list(config.host_urls or origins),
        complete_url=order.return_url,
        cancel_url=order.cancel_url or (None if seamless else order.return_url),
        payment_url=order.payment_page_url if seamless else None,
        callback_url=callback_url,
        logo_url=config.logo_url or None,
        terms_of_service_url=config.terms_url or None,
    )


def _items(lines: Sequence[OrderLine]) -> list[_wire.OrderItemOut] | None:
    return [_item(number, line) for number, line in enumerate(lines, start=1)] or None


def _item(number: int, line: OrderLine) -> _wire.OrderItemOut:
    return _wire.OrderItemOut(
        reference=line.reference or str(number),
        name=line.name,
        type=_LINE_KINDS[line.kind],
        class_=line.group,
        quantity=_number(line.quantity),
        quantity_unit=line.unit,
        unit_price=line.price_of_one.minor,
        vat_percent=int(line.vat_percent * 100),
        amount=line.amount.minor,
        vat_amount=line.vat_amount.minor,
        discount_price=None if line.discount_price is None else line.discount_price.minor,
        item_url=line.item_url or None,
        image_url=line.image_url or None,
        description=line.description or None,
        discount_description=line.discount_description or None,
        restricted_to_instruments=[_name_of(name) for name in line.only_with] or None,
    )


def _payer(payer: Payer) -> _wire.PayerOut:
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
    """Write days as the docs' two-digit classes (this purchase, under 30, 30 to 60, over 60 days)."""
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


def _risk(risk: RiskFacts) -> _wire.RiskIndicatorOut:
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


def _addresses(order: Order) -> dict[str, Address | None]:
    payer, risk = order.payer, order.risk
    return {
        "payer.shipping_address": None if payer is None else payer.shipping_address,
        "payer.billing_address": None if payer is None else payer.billing_address,
        "risk.pick_up_address": None if risk is None else risk.pick_up_address,
    }


def _number(value: Decimal | int) -> int | float:
    """Return a JSON number; a float writes four decimals exactly."""
    return int(value) if value == int(value) else float(value)


def _plain(value: str | int | bool | Decimal) -> str | bool | int | float:  # noqa: FBT001 - a metadata value
    return _number(value) if isinstance(value, Decimal) else value


def _merged(body: dict[str, Any], extra: Mapping[str, object]) -> dict[str, Any]:
    """Merge ``extra`` into ``body``, object by object; the host's value wins."""
    for key, value in extra.items():
        below = body.get(key)
        if isinstance(value, Mapping) and isinstance(below, dict):
            body[key] = _merged(cast("dict[str, Any]", below), cast("Mapping[str, object]", value))
        else:
            body[key] = value
    return body


def _cut(text: str) -> str:
    return text if len(text) <= _DESCRIPTION_MOST else text[: _DESCRIPTION_MOST - 1] + "…"


def _at_most(field: str, text: str, most: int) -> None:
    _require(len(text) <= most, field, f"at most {most} characters, not {len(text)}")


def _require(holds: bool, field: str, why: str) -> None:  # noqa: FBT001 - a condition, read in place
    if not holds:
        message = f"{field}: {why}"
        raise InvalidOrder(message, field=field)
