"""From an order, a change or a payout in our words to Swish's JSON. Pure: the same request gives the same bytes.

Sources differ on the characters that a text may have: the MSS guide (section 5.1) takes letters, digits, space
and a few more, newer copies of the developer site many more, and ``-`` is allowed for payments but not for
refunds. Only the characters that all sources allow are sent.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable
from datetime import UTC
from typing import Final

from prenopay._hidden import raise_alone
from prenopay._text import quoted
from prenopay.errors import InvalidOrder
from prenopay.provider import ChangeRequest, ChargeRequest, CreateRequest, PayoutRequest
from prenopay.provider.wire import json_bytes
from prenopay.providers.swish import _wire
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
    "clean_message",
    "clean_reference",
    "consent_body",
    "message",
    "payment_body",
    "payout_payload",
    "qr_body",
    "reference",
    "refund_body",
]

CURRENCY: Final = "SEK"

_AMOUNT_MOST: Final = 99_999_999_999_999
"""999 999 999 999,99 kronor (MSS guide, section 5.1)."""
_QR_SIZE: Final = 300
"""The smallest size that the service draws (QR manual, section 4)."""
_MESSAGE_MOST: Final = 50
_REFERENCE_MOST: Final = 35
"""36 in newer copies of the developer site."""

_LETTERS: Final = "A-Za-zÅÄÖåäö0-9"
_IN_MESSAGE: Final = re.compile(rf"[{_LETTERS} :;.,?!()]")
_REFERENCE: Final = re.compile(rf"[A-Za-z0-9-]{{1,{_REFERENCE_MOST}}}")
_OUR_LETTERS: Final = frozenset("ÅÄÖåäö")
_INSTEAD: Final = {
    "&": " och ",
    "Æ": "Ä",
    "æ": "ä",
    "Ø": "Ö",
    "ø": "ö",
    "Ð": "D",
    "ð": "d",
    "Þ": "Th",
    "þ": "th",
    "ß": "ss",
    "Œ": "OE",
    "œ": "oe",
    "Ł": "L",
    "ł": "l",
    "…": "...",
    "[": "(",
    "]": ")",
    "{": "(",
    "}": ")",
    "'": "",
    "’": "",  # noqa: RUF001 - that character is meant
    '"': "",
    "”": "",
    "“": "",
}
"""What replaces a character that Swish does not take; any other becomes a space."""


def check_order(config: SwishAccount[object], order: Order) -> None:
    """Raise ``InvalidOrder`` for what a payment request cannot express."""
    why = "Swish stores only standing consents, which are experimental: set recurring = true for this account"
    _require(order.store is None, "store", why)
    _check_amount(order.amount, "amount")
    _check_way(order)
    _try(payment_body, config, order)


def check_consent(config: SwishAccount[object], order: Order) -> None:
    """Raise ``InvalidOrder`` for what the request for a consent cannot express. Experimental."""
    kinds = () if order.store is None else order.store.kinds
    _require(kinds == (MandateKind.CONSENT,), "store.kinds", "Swish stores consents only: (MandateKind.CONSENT,)")
    why = "a consent is signed without a payment: store it with an amount of zero, and charge it once it is active"
    _require(order.is_verification, "amount", why)
    _check_currency(order.amount, "amount")
    _check_way(order)
    payer = order.payer or Payer()
    _require(order.age_limit is None, "age_limit", "a consent has no member for it: check the payer's age on your site")
    why = "a consent has no member for it together with a phone number"
    matches = payer.must_match_personal_number and order.page is PageStyle.PHONE
    _require(not matches, "payer.must_match_personal_number", why)
    _try(consent_body, config, order)


def check_charge(config: SwishAccount[object], order: Order) -> None:
    """Raise ``InvalidOrder`` for what a charge on a consent cannot express. Experimental."""
    _check_amount(order.amount, "amount")
    message(order.description, field="description", clean=config.clean_texts)


def payment_body(config: SwishAccount[object], request: CreateRequest) -> bytes:
    """Return the body that creates a payment request: e-commerce with a phone number, else m-commerce."""
    order, clean = request.order, config.clean_texts
    payer = order.payer or Payer()
    body = _wire.PaymentRequestOut(
        payee_payment_reference=_reference(order.order_reference, "order_reference", clean=clean),
        callback_url=request.callback_url,
        callback_identifier=callback_identifier(request.callback_url),
        payer_alias=_payer_alias(payer) if order.page is PageStyle.PHONE else None,
        payer_ssn=_personal_number(payer) if payer.must_match_personal_number else None,
        age_limit=None if order.age_limit is None else str(order.age_limit),
        payee_alias=config.number,
        amount=_amount(order.amount),
        currency=order.amount.currency,
        message=message(order.description, field="description", clean=clean),
    )
    return json_bytes({**body.as_json(), **order.extra})


def consent_body(config: SwishAccount[object], request: CreateRequest) -> bytes:
    """Return the body that requests a consent: from a phone number, or from the payer who opens it in the app.

    For the latter, one intermediary wants the personal number, so it is sent if it is known. Experimental.
    """
    order = request.order
    payer, by_phone = order.payer or Payer(), order.page is PageStyle.PHONE
    number = "" if by_phone or not payer.personal_number else _personal_number(payer)
    body = _wire.ConsentOut(
        callback_url=request.callback_url,
        payee=_wire.AliasOut(alias=config.number),
        payer=_wire.AliasOut(alias=_payer_alias(payer)) if by_phone else None,
        tin=number or None,
        payee_payment_reference=_reference(order.order_reference, "order_reference", clean=config.clean_texts),
    )
    return json_bytes({**body.as_json(), **order.extra})


def charge_body(config: SwishAccount[object], request: ChargeRequest) -> bytes:
    """Return the body that takes money on a consent. Experimental."""
    order = request.order
    body = _wire.ChargeOut(
        consent_id=request.token_to_send().reveal(),
        callback_url=request.callback_url,
        payee=_wire.AliasOut(alias=config.number),
        amount=_wire.AmountOut(value=float(order.amount.to_decimal()), currency=order.amount.currency),
        message=message(order.description, field="description", clean=config.clean_texts),
    )
    return json_bytes(body.as_json())


def refund_body(config: SwishAccount[object], request: ChangeRequest, *, original: str, order_reference: str) -> bytes:
    """Return the body that gives money back; Swish knows the payer, so it needs no number."""
    amount = request.amount or Money.zero(CURRENCY)
    _check_amount(amount, "amount")
    body = _wire.RefundOut(
        payer_payment_reference=order_reference or None,
        original_payment_reference=original,
        callback_url=request.callback_url,
        callback_identifier=callback_identifier(request.callback_url),
        payer_alias=config.number,
        amount=_amount(amount),
        currency=amount.currency,
        message=_fitted(request.description) or None,
    )
    return json_bytes(body.as_json())


def cancel_body() -> bytes:
    """Return the only patch there is (MSS guide, section 7.1)."""
    return json_bytes([_wire.PatchOut(op="replace", path="/status", value="cancelled").as_json()])


def payout_payload(config: SwishAccount[object], request: PayoutRequest, serial: str) -> bytes:
    """Return the part of a payout that is signed, as it is sent.

    The time is UTC without a zone: even if it is read as Swedish time, it is not in the future.
    """
    order = request.order
    _check_amount(order.amount, "amount")
    number = order.payee_personal_number
    why = "a payout needs the payee's personal number, unless the account has payouts_without_personal_number"
    _require(bool(number) or config.payouts_without_personal_number, "payee_personal_number", why)
    text = order.description.strip()
    body = _wire.PayoutPayloadOut(
        payout_instruction_uuid=request.reference,
        payer_payment_reference=reference(order.reference, field="reference", clean=config.clean_texts),
        payer_alias=config.number,
        payee_alias=_alias(order.payee_phone),
        payee_ssn=number or None,
        amount=_amount(order.amount),
        currency=order.amount.currency,
        payout_type="PAYOUT",
        message=message(text, field="description", clean=config.clean_texts) if text else None,
        instruction_date=request.asked_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        signing_certificate_serial_number=serial,
    )
    return json_bytes(body.as_json())


def qr_body(token: str, image: str) -> bytes:
    """Return the body of a request to the QR service; a vector image has no size."""
    return json_bytes(_wire.QrOut(token=token, format=image, size=None if image == "svg" else _QR_SIZE).as_json())


def callback_identifier(callback_url: str) -> str:
    """Return the text that Swish repeats in a header of the callback, derived from the secret at the end of its URL.

    The guide (section 5.1) and newer copies of the site both allow 32 hex digits.
    """
    secret = callback_url.partition("?")[0].rstrip("/").rsplit("/", 1)[-1]
    return hashlib.sha256(f"prenopay-swish-callback\n{secret}".encode(errors="replace")).hexdigest()[:32].upper()


def _check_way(order: Order) -> None:
    """Refuse a way to the payer that Swish does not have."""
    why = "Swish has no page to embed; use PageStyle.REDIRECT (app and QR code) or PageStyle.PHONE"
    _require(order.page is not PageStyle.SEAMLESS, "page", why)
    chosen = {*order.instruments, *([] if order.only_instrument is None else [order.only_instrument])}
    _require(not chosen or Instrument.SWISH in chosen, "instruments", "this account takes only Swish")


def _try(
    write: Callable[[SwishAccount[object], CreateRequest], bytes], config: SwishAccount[object], order: Order
) -> None:
    """Write the body of ``order`` without sending it; raises ``InvalidOrder`` if that fails."""
    try:
        write(config, CreateRequest(order=order, payment_id="", reference="", callback_url=""))
    except InvalidOrder:
        raise
    except (ArithmeticError, TypeError, ValueError) as error:
        message = f"order: cannot be written as a request: {error}"
        raise_alone(InvalidOrder(message, field="order"))


def _reference(text: str, field: str, *, clean: bool) -> str | None:
    return reference(text, field=field, clean=clean) if text else None


def _payer_alias(payer: Payer) -> str:
    _require(bool(payer.phone), "payer.phone", "PageStyle.PHONE sends the request to this number, so it is needed")
    return _alias(payer.phone)


def _alias(phone: str) -> str:
    """Return a phone number as Swish writes it: digits only, with the country code (MSS guide, section 5.1)."""
    return phone.removeprefix("+")


def _personal_number(payer: Payer) -> str:
    field = "payer.personal_number"
    _require(bool(payer.personal_number), field, "must_match_personal_number needs it")
    _require(payer.personal_number_country == "SE", field, "Swish checks Swedish personal numbers only")
    return payer.personal_number


def _check_amount(amount: Money, field: str) -> None:
    _check_currency(amount, field)
    _require(0 < amount.minor <= _AMOUNT_MOST, field, f"{amount} is not between 0.01 and 999999999999.99")


def _check_currency(amount: Money, field: str) -> None:
    _require(amount.currency == CURRENCY, field, f"Swish takes {CURRENCY} only, not {amount.currency}")


def _amount(amount: Money) -> str:
    """Write kronor with two decimals, always: systems read one or none in different ways."""
    return f"{amount.minor // 100}.{amount.minor % 100:02d}"


def message(text: str, *, field: str, clean: bool) -> str:
    """Return ``text`` as a Swish message; raises ``InvalidOrder`` if it does not fit."""
    text = clean_message(text) if clean else text
    wrong = "".join(dict.fromkeys(each for each in text if not _IN_MESSAGE.fullmatch(each)))
    if wrong:
        why = (
            f"{field}: Swish takes letters a to ö, digits, space and :;.,?!() only, not {quoted(wrong)}; "
            "use others, or set clean_texts"
        )
        raise InvalidOrder(why, field=field)
    if len(text) > _MESSAGE_MOST:
        why = f"{field}: at most {_MESSAGE_MOST} characters, not {len(text)}; shorten it, or set clean_texts"
        raise InvalidOrder(why, field=field)
    if not text.strip():
        why = f"{field}: it holds nothing that Swish takes"
        raise InvalidOrder(why, field=field)
    return text


def reference(text: str, *, field: str, clean: bool) -> str:
    """Return ``text`` as a merchant's reference; raises ``InvalidOrder`` if it does not fit."""
    text = clean_reference(text) if clean else text
    if not _REFERENCE.fullmatch(text):
        why = f"{field}: Swish takes 1 to {_REFERENCE_MOST} letters a to z, digits and '-' only, not {quoted(text)}"
        raise InvalidOrder(why, field=field)
    return text


def _fitted(text: str) -> str:
    """Return the description of a change, cleaned and cut if need be: no money is kept back because of its words."""
    fits = len(text) <= _MESSAGE_MOST and all(map(_IN_MESSAGE.fullmatch, text))
    return text.strip() if fits else clean_message(text)


def clean_message(text: str) -> str:
    """Return ``text`` with the characters that Swish does not take replaced or left out, cut to fit."""
    plain = "".join(map(_plain, unicodedata.normalize("NFC", text)))
    kept = "".join(each if _IN_MESSAGE.fullmatch(each) else " " for each in plain)
    return " ".join(kept.split())[:_MESSAGE_MOST].rstrip()


def clean_reference(text: str) -> str:
    """Return ``text`` with ``-`` for the characters that Swish does not take, cut to fit."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-")[:_REFERENCE_MOST].rstrip("-")


def _plain(character: str) -> str:
    if character in _INSTEAD:
        return _INSTEAD[character]
    if character in _OUR_LETTERS or character.isascii():
        return character
    decomposed = unicodedata.normalize("NFKD", character)
    return "".join(part for part in decomposed if not unicodedata.combining(part))


def _require(holds: bool, field: str, why: str) -> None:  # noqa: FBT001 - a condition, read in place
    if not holds:
        message = f"{field}: {why}"
        raise InvalidOrder(message, field=field)
