"""From an order, a change or a payout in our words to Swish's JSON. Pure: same request, same bytes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any, Final

from prenopay.errors import InvalidOrder
from prenopay.provider import ChangeRequest, ChargeRequest, CreateRequest, PayoutRequest
from prenopay.providers.swish import _wire, phones, texts
from prenopay.providers.swish.config import SwishAccount
from prenopay.values.mandates import MandateKind
from prenopay.values.money import Money
from prenopay.values.orders import Instrument, Order, PageStyle, Payer

__all__ = [
    "CURRENCY",
    "callback_identifier",
    "cancel_body",
    "charge_body",
    "check_charge",
    "check_consent",
    "check_order",
    "consent_body",
    "payment_body",
    "payout_payload",
    "qr_body",
    "refund_body",
]

CURRENCY: Final = "SEK"

_AMOUNT_MOST: Final = 99_999_999_999_999
"""999 999 999 999,99 kronor (MSS guide, section 5.1)."""
_AGES: Final = range(1, 100)
_SEPARATORS: Final = re.compile(r"[\s+-]")
_PERSONAL_NUMBER: Final = re.compile(r"(18|19|20)[0-9]{10}")
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://?[^/?#\s]")
"""Of a web page, or of an app that the payer comes back to."""
_QR_SIZE: Final = 300
"""The least that the service draws (QR manual, section 4)."""


def check_order(config: SwishAccount[object], order: Order) -> None:
    """Raise ``InvalidOrder`` for what a payment request cannot hold."""
    why = "Swish stores nothing but standing consents, which are experimental: set recurring = true for this account"
    _require(order.store is None, "store", why)
    _check_amount(order.amount, "amount")
    _check_way(order)
    if order.age_limit is not None:
        _require(order.age_limit in _AGES, "age_limit", f"must be 1 to 99, not {order.age_limit}")
    _try(payment_body, config, order)


def check_consent(config: SwishAccount[object], order: Order) -> None:
    """Raise ``InvalidOrder`` for what the request for a consent cannot hold. Experimental."""
    kinds = () if order.store is None else order.store.kinds
    _require(kinds == (MandateKind.CONSENT,), "store.kinds", "Swish stores consents only: (MandateKind.CONSENT,)")
    why = "a consent is signed without a payment: store it with an amount of zero, and charge it once it is active"
    _require(order.is_verification, "amount", why)
    _check_currency(order.amount, "amount")
    _check_way(order)
    payer = order.payer or Payer()
    _require(order.age_limit is None, "age_limit", "a consent has no member for it: check the payer's age yourself")
    why = "a consent has no member for it that goes with a phone number"
    matches = payer.must_match_personal_number and order.page is PageStyle.PHONE
    _require(not matches, "payer.must_match_personal_number", why)
    _try(consent_body, config, order)


def check_charge(config: SwishAccount[object], order: Order) -> None:
    """Raise ``InvalidOrder`` for what a charge on a consent cannot hold. Experimental."""
    _check_amount(order.amount, "amount")
    texts.message(order.description, field="description", clean=config.clean_texts)


def payment_body(config: SwishAccount[object], request: CreateRequest) -> bytes:
    """Return the body that creates a payment request: with a phone number e-commerce, without one m-commerce."""
    order, clean = request.order, config.clean_texts
    payer = order.payer or Payer()
    body = _wire.PaymentRequestOut(
        payee_payment_reference=_reference(order.order_reference, "order_reference", clean=clean),
        callback_url=request.callback_url,
        callback_identifier=callback_identifier(request.callback_url),
        payer_alias=_payer_alias(payer) if order.page is PageStyle.PHONE else None,
        payer_ssn=_personal_number(payer),
        age_limit=None if order.age_limit is None else str(order.age_limit),
        payee_alias=config.number,
        amount=_amount(order.amount),
        currency=order.amount.currency,
        message=texts.message(order.description, field="description", clean=clean),
    )
    return _bytes({**body.as_json(), **order.extra})


def consent_body(config: SwishAccount[object], request: CreateRequest) -> bytes:
    """Return the body that asks for a consent: of a phone number, or of whoever opens it in the app.

    Of the latter one intermediary wants the personal number, so it is told where it is known. Experimental.
    """
    order = request.order
    payer, by_phone = order.payer or Payer(), order.page is PageStyle.PHONE
    number = "" if by_phone else payer.personal_number
    body = _wire.ConsentOut(
        callback_url=request.callback_url,
        payee=_wire.AliasOut(alias=config.number),
        payer=_wire.AliasOut(alias=_payer_alias(payer)) if by_phone else None,
        tin=_twelve_digits(number, "payer.personal_number") if number else None,
        payee_payment_reference=_reference(order.order_reference, "order_reference", clean=config.clean_texts),
    )
    return _bytes({**body.as_json(), **order.extra})


def charge_body(config: SwishAccount[object], request: ChargeRequest) -> bytes:
    """Return the body that takes money on a consent. Experimental."""
    order = request.order
    body = _wire.ChargeOut(
        consent_id=request.token_to_send().reveal(),
        callback_url=request.callback_url,
        payee=_wire.AliasOut(alias=config.number),
        amount=_wire.AmountOut(value=float(order.amount.to_decimal()), currency=order.amount.currency),
        message=texts.message(order.description, field="description", clean=config.clean_texts),
    )
    return _bytes(body.as_json())


def refund_body(config: SwishAccount[object], request: ChangeRequest, *, original: str, order_reference: str) -> bytes:
    """Return the body that gives money back; Swish knows the payer, so the number need not be told."""
    amount = request.amount or Money.zero(CURRENCY)
    _check_amount(amount, "amount")
    text = request.description.strip()
    body = _wire.RefundOut(
        payer_payment_reference=order_reference or None,
        original_payment_reference=original,
        callback_url=request.callback_url,
        callback_identifier=callback_identifier(request.callback_url),
        payer_alias=config.number,
        amount=_amount(amount),
        currency=amount.currency,
        message=texts.message(text, field="description", clean=config.clean_texts) if text else None,
    )
    return _bytes(body.as_json())


def cancel_body() -> bytes:
    """Return the only patch there is (MSS guide, section 7.1)."""
    return _bytes([_wire.PatchOut(op="replace", path="/status", value="cancelled").as_json()])


def payout_payload(config: SwishAccount[object], request: PayoutRequest, serial: str) -> bytes:
    """Return the part of a payout that is signed, as it is sent.

    The time is UTC without a zone: read as Swedish time, as some do, it is not in the future either.
    """
    order = request.order
    _check_amount(order.amount, "amount")
    number = order.payee_personal_number
    why = "a payout needs the payee's personal number, unless the account has payouts_without_personal_number"
    _require(bool(number) or config.payouts_without_personal_number, "payee_personal_number", why)
    text = order.description.strip()
    body = _wire.PayoutPayloadOut(
        payout_instruction_uuid=request.reference,
        payer_payment_reference=texts.reference(order.reference, field="reference", clean=config.clean_texts),
        payer_alias=config.number,
        payee_alias=phones.msisdn(order.payee_phone, field="payee_phone"),
        payee_ssn=_twelve_digits(number, "payee_personal_number") if number else None,
        amount=_amount(order.amount),
        currency=order.amount.currency,
        payout_type="PAYOUT",
        message=texts.message(text, field="description", clean=config.clean_texts) if text else None,
        instruction_date=request.asked_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        signing_certificate_serial_number=serial,
    )
    return _bytes(body.as_json())


def qr_body(token: str, image: str) -> bytes:
    """Return what the QR service is asked; a vector image has no size."""
    return _bytes(_wire.QrOut(token=token, format=image, size=None if image == "svg" else _QR_SIZE).as_json())


def callback_identifier(callback_url: str) -> str:
    """Return what Swish repeats in a header of the callback: derived from the secret at the end of its URL.

    32 hex digits fit both what the guide (section 5.1) and what newer copies of the site ask for.
    """
    secret = callback_url.partition("?")[0].rstrip("/").rsplit("/", 1)[-1]
    return hashlib.sha256(f"prenopay-swish-callback\n{secret}".encode(errors="replace")).hexdigest()[:32].upper()


def _check_way(order: Order) -> None:
    """Refuse a way to the payer that Swish has not."""
    why = "Swish has no page to show inside another; use PageStyle.REDIRECT (app and QR code) or PageStyle.PHONE"
    _require(order.page is not PageStyle.SEAMLESS, "page", why)
    chosen = {*order.instruments, *([] if order.only_instrument is None else [order.only_instrument])}
    _require(not chosen or Instrument.SWISH in chosen, "instruments", "this account takes Swish and nothing else")
    _require(bool(_ABSOLUTE.match(order.return_url)), "return_url", f"must be absolute, not {order.return_url!r}")


def _try(
    write: Callable[[SwishAccount[object], CreateRequest], bytes], config: SwishAccount[object], order: Order
) -> None:
    """Write the body of ``order`` for nobody; raises ``InvalidOrder`` where that cannot be done."""
    try:
        write(config, CreateRequest(order=order, payment_id="", reference="", callback_url=""))
    except InvalidOrder:
        raise
    except (ArithmeticError, TypeError, ValueError) as error:
        message = f"order: cannot be written as a request: {error}"
        raise InvalidOrder(message, field="order") from error


def _reference(text: str, field: str, *, clean: bool) -> str | None:
    return texts.reference(text, field=field, clean=clean) if text else None


def _payer_alias(payer: Payer) -> str:
    _require(bool(payer.phone), "payer.phone", "PageStyle.PHONE sends the request to this number: say which")
    return phones.msisdn(payer.phone, field="payer.phone")


def _personal_number(payer: Payer) -> str | None:
    if not payer.must_match_personal_number:
        return None
    field = "payer.personal_number"
    _require(bool(payer.personal_number), field, "must_match_personal_number needs it")
    _require(payer.personal_number_country == "SE", field, "Swish checks Swedish personal numbers only")
    return _twelve_digits(payer.personal_number, field)


def _twelve_digits(number: str, field: str) -> str:
    digits = _SEPARATORS.sub("", number)
    why = "must have 12 digits, with the century: 10 could be two persons"
    _require(bool(_PERSONAL_NUMBER.fullmatch(digits)), field, why)
    return digits


def _check_amount(amount: Money, field: str) -> None:
    _check_currency(amount, field)
    _require(0 < amount.minor <= _AMOUNT_MOST, field, f"{amount} is not between 0.01 and 999999999999.99")


def _check_currency(amount: Money, field: str) -> None:
    _require(amount.currency == CURRENCY, field, f"Swish takes {CURRENCY} only, not {amount.currency}")


def _amount(amount: Money) -> str:
    """Write kronor with two decimals, always: one or none is read differently here and there."""
    return f"{amount.minor // 100}.{amount.minor % 100:02d}"


def _bytes(body: Mapping[str, Any] | list[dict[str, Any]]) -> bytes:
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _require(holds: bool, field: str, why: str) -> None:  # noqa: FBT001 - a condition, read in place
    if not holds:
        message = f"{field}: {why}"
        raise InvalidOrder(message, field=field)
