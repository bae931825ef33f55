"""From an order in our words to the gateway's JSON. Pure: same order and reference, same bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final, cast
from urllib.parse import urlsplit

from prenopay.errors import InvalidOrder
from prenopay.provider import ChangeRequest, ChargeRequest, CreateRequest, Secret
from prenopay.providers.swedbankpay import _wire
from prenopay.providers.swedbankpay.config import SwedbankPay
from prenopay.providers.swedbankpay.instruments import INSTRUMENTS, name_of
from prenopay.providers.swedbankpay.payers import payer_out, risk_out
from prenopay.values.mandates import MandateKind, StoreMethod
from prenopay.values.orders import Address, Initiator, Instrument, LineKind, Order, OrderLine, PageStyle

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
    "transaction_body",
    "try_out",
    "update_body",
]

CURRENCIES: Final = frozenset({"SEK", "NOK", "DKK", "EUR"})

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
"""The largest amount seen in the docs: a 32-bit integer is likely behind it."""
_ABSOLUTE_URL: Final = re.compile(r"https?://[^/?#]")
_USER_AGENT: Final = "prenopay"
_ABORT_REASON: Final = "CancelledByConsumer"
_REMOVED: Final = "Removed by the merchant"


def check_order(order: Order) -> None:
    """Raise ``InvalidOrder`` for what these fields cannot hold."""
    _require(order.amount.currency in CURRENCIES, "amount", f"Swedbank Pay takes {', '.join(sorted(CURRENCIES))}")
    _require(order.amount.minor <= _AMOUNT_MOST, "amount", f"{order.amount} is more than a payment order can hold")
    _at_most("description", order.description, _DESCRIPTION_MOST)
    _at_most("order_reference", order.order_reference, _ORDER_REFERENCE_MOST)
    if order.initiator is Initiator.MERCHANT:
        _check_charging(order)
    else:
        _check_page(order)
        _check_storing(order)
    for field in ("return_url", "cancel_url", "payment_page_url"):
        url: str = getattr(order, field)
        _require(not url or bool(_ABSOLUTE_URL.match(url)), field, f"must be an absolute http(s) URL, not {url!r}")
    _require("id" not in order.metadata, "metadata", "the key 'id' is the gateway's own; choose another")
    for key, value in order.metadata.items():
        fits = isinstance(value, str | int | bool | Decimal)
        _require(fits, "metadata", f"{key!r} must be text, bool, int or Decimal, not {type(value).__name__}")
    for field, address in _addresses(order).items():
        _at_most(f"{field}.street", "" if address is None else address.street, _STREET_MOST)
    group_fits = all(line.group.replace("-", "").replace("_", "").isalnum() for line in order.lines)
    _require(group_fits, "lines.group", "only letters, digits, '-' and '_'")


def check_charge(request: ChargeRequest) -> None:
    """Raise ``InvalidOrder`` for what cannot be charged while the payer is absent."""
    why = f"a {request.kind} method is paid with by the payer, who must be present: make a payment of the order"
    _require(request.kind in _CHARGED_BY, "mandate", why)
    check_order(replace(request.order, initiator=Initiator.MERCHANT))


def try_out(config: SwedbankPay, order: Order) -> None:
    """Write the order as it will be sent; raises whatever keeps it from becoming JSON."""
    if order.initiator is Initiator.PAYER:
        create_body(config, CreateRequest(order=order, payment_id="", reference="", callback_url=""))
        return
    kind, token = MandateKind.UNSCHEDULED, Secret("a token")
    charge_body(
        config, ChargeRequest(order=order, payment_id="", reference="", callback_url="", kind=kind, token=token)
    )


def create_body(config: SwedbankPay, request: CreateRequest) -> bytes:
    """Return the body that creates a payment order; without an amount where a method is only stored."""
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
        payer=None if order.payer is None else payer_out(order.payer),
        order_items=_items(order.lines),
        risk_indicator=None if order.risk is None else risk_out(order.risk),
        metadata=_metadata(order),
        instrument=None if order.only_instrument is None else name_of(order.only_instrument),
        restricted_to_instruments=[name_of(name) for name in order.instruments] or None,
        expand_first_instrument=True if order.expand_first_instrument else None,
        restricted_to_age_limit=order.age_limit,
        generate_moto_payment=True if order.paid_by_staff else None,
        payment_token=None if request.offered is None else request.offered.reveal(),
        **({} if order.store is None else _storing(order.store, bought=bought)),
    )
    return _bytes({"paymentorder": _merged(body.as_json(), order.extra)})


def charge_body(config: SwedbankPay, request: ChargeRequest) -> bytes:
    """Return the body that charges a stored method: of the payer it says the reference and no more."""
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
    return _bytes({"paymentorder": _merged(body.as_json(), order.extra)})


def transaction_body(request: ChangeRequest, *, with_amount: bool) -> bytes:
    """Return the body of a capture or reversal, or (without amount) of a cancel."""
    transaction = _wire.TransactionOut(
        description=_cut(request.description),
        amount=request.amount.minor if with_amount and request.amount is not None else None,
        vat_amount=request.vat.minor if with_amount and request.vat is not None else None,
        payee_reference=request.reference,
        order_items=_items(request.lines) if with_amount else None,
    )
    return _bytes({"transaction": transaction.as_json()})


def abort_body() -> bytes:
    """Return the body that closes an open order."""
    return _bytes({"paymentorder": _wire.AbortOut(operation="Abort", abort_reason=_ABORT_REASON).as_json()})


def delete_body(reason: str) -> bytes:
    """Return the body that deletes stored tokens in the older API."""
    return _bytes(_wire.TokenStateOut(state="Deleted", comment=reason.strip() or _REMOVED).as_json())


def archive_body(reason: str) -> bytes:
    """Return the body that archives stored tokens in the Payer API."""
    return _bytes(_wire.ArchiveOut(reason=reason.strip() or _REMOVED, updated_by="Payee").as_json())


def update_body(request: ChangeRequest) -> bytes:
    """Return the body that changes amount and lines of an open order."""
    update = _wire.UpdateOut(
        operation="UpdateOrder",
        amount=0 if request.amount is None else request.amount.minor,
        vat_amount=0 if request.vat is None else request.vat.minor,
        order_items=_items(request.lines),
    )
    return _bytes({"paymentorder": update.as_json()})


def _check_page(order: Order) -> None:
    if order.page is PageStyle.SEAMLESS:
        why = "a seamless page needs the URL of the page that holds it, for the way back from apps and 3-D Secure"
        _require(bool(order.payment_page_url), "payment_page_url", why)
        _require("swp_ut=" not in order.payment_page_url.lower(), "payment_page_url", "swp_ut is the gateway's own")


def _check_charging(order: Order) -> None:
    nothing_else = order.store is None and not order.is_verification
    _require(nothing_else, "store", "a charge takes money and stores nothing new")
    _require(not order.paid_by_staff, "paid_by_staff", "nobody types card details when a stored method is charged")
    known = order.payer is not None and bool(order.payer.reference)
    _require(known, "payer.reference", "a charge names the payer by the reference the method was stored under")


def _check_storing(order: Order) -> None:
    if order.paid_by_staff:
        why = "the gateway takes card details from staff for a purchase only, not for storing them (docs: MOTO)"
        _require(not order.is_verification, "paid_by_staff", why)
        _require(not order.pay_with, "pay_with", "staff type the card of who is on the phone")
    if order.store is None:
        return
    kinds = ", ".join(sorted(set(order.store.kinds) - _STORABLE))
    why = f"Swedbank Pay stores {', '.join(sorted(_STORABLE))}, not {kinds}"
    _require(not kinds, "store.kinds", why)
    only = (order.only_instrument,) if order.only_instrument is not None else order.instruments
    if {name_of(name) for name in only} == {INSTRUMENTS[Instrument.TRUSTLY]}:
        why = "Trustly is not offered where a method is stored unless it is known (docs: Trustly recurring)"
        _require(bool(order.payer and order.payer.email), "payer.email", why)


def _storing(store: StoreMethod, *, bought: bool) -> dict[str, bool]:
    """Return the members that make the gateway store the method (docs: one-click, recur, unscheduled).

    On a purchase ``disableStoredPaymentDetails`` says that the host has asked the payer, and
    ``enablePaymentDetailsConsentCheckbox`` beside it makes the page ask. A verification takes neither:
    its page is there for nothing else. The docs promise that the checkbox decides over one-click
    details; whether it does so over the other kinds they do not say.
    """
    flags = {
        "generate_payment_token": MandateKind.ONE_CLICK in store.kinds,
        "generate_recurrence_token": MandateKind.RECURRENCE in store.kinds,
        "generate_unscheduled_token": MandateKind.UNSCHEDULED in store.kinds,
        "disable_stored_payment_details": bought and (store.asks_in_page or MandateKind.ONE_CLICK in store.kinds),
        "enable_payment_details_consent_checkbox": bought and store.asks_in_page,
    }
    return {name: True for name, is_set in flags.items() if is_set}


def _payee_info(config: SwedbankPay, order: Order, reference: str) -> _wire.PayeeInfoOut:
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


def _urls(config: SwedbankPay, order: Order, callback_url: str) -> _wire.UrlsOut:
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
        restricted_to_instruments=[name_of(name) for name in line.only_with] or None,
    )


def _addresses(order: Order) -> dict[str, Address | None]:
    payer, risk = order.payer, order.risk
    return {
        "payer.shipping_address": None if payer is None else payer.shipping_address,
        "payer.billing_address": None if payer is None else payer.billing_address,
        "risk.pick_up_address": None if risk is None else risk.pick_up_address,
    }


def _number(value: Decimal | int) -> int | float:
    """A JSON number; four decimals are exact in a float's shortest form."""
    return int(value) if value == int(value) else float(value)


def _plain(value: str | int | bool | Decimal) -> str | bool | int | float:  # noqa: FBT001 - a metadata value
    return _number(value) if isinstance(value, Decimal) else value


def _merged(body: dict[str, Any], extra: Mapping[str, object]) -> dict[str, Any]:
    """Lay ``extra`` over ``body``, object by object: the host's word is the last."""
    for key, value in extra.items():
        below = body.get(key)
        if isinstance(value, Mapping) and isinstance(below, dict):
            body[key] = _merged(cast("dict[str, Any]", below), cast("Mapping[str, object]", value))
        else:
            body[key] = value
    return body


def _cut(text: str) -> str:
    return text if len(text) <= _DESCRIPTION_MOST else text[: _DESCRIPTION_MOST - 1] + "…"


def _bytes(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _at_most(field: str, text: str, most: int) -> None:
    _require(len(text) <= most, field, f"at most {most} signs, not {len(text)}")


def _require(holds: bool, field: str, why: str) -> None:  # noqa: FBT001 - a condition, read in place
    if not holds:
        message = f"{field}: {why}"
        raise InvalidOrder(message, field=field)
