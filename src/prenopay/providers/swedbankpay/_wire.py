"""Swedbank Pay's JSON, named as the gateway names it: what we send, and what we read.

Out: strict and closed, so that a field we misspell fails here. In: open. Names are matched without
case (``paymentOrder``/``paymentorder`` and ``postPurchaseFailedAttempts`` come in several casings),
unknown members are ignored, unknown values survive as text, and a node that is only a link, a
string or missing reads as empty. Amounts and statuses have no defaults.
Source: developer.swedbankpay.com, payment request, resource sub-models, problems (2026-07-01).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, ValidationError
from pydantic.alias_generators import to_camel

__all__ = ["Unreadable", "read", "read_object"]

ModelT = TypeVar("ModelT", bound="In")

_DEPTH_MOST: Final = 40
"""A payment order nests some eight deep."""
_NESTED: Final = frozenset({dict, list})


class Unreadable(ValueError):
    """A body that is not what the gateway sends; the message says why, without the body."""


# What we send


class Out(BaseModel):
    """A request body, or a part of one."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        strict=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object, without what was left out."""
        return self.model_dump(by_alias=True, exclude_none=True)


class UrlsOut(Out):
    """``urls`` of a request."""

    host_urls: list[str]
    complete_url: str
    cancel_url: str | None = None
    payment_url: str | None = None
    callback_url: str
    logo_url: str | None = None
    terms_of_service_url: str | None = None


class PayeeInfoOut(Out):
    """``payeeInfo`` of a request."""

    payee_id: str
    payee_reference: str
    payee_name: str | None = None
    order_reference: str | None = None
    product_category: str | None = None
    subsite: str | None = None
    site_id: str | None = None


class OrderItemOut(Out):
    """One line of ``orderItems``."""

    reference: str
    name: str
    type: str
    class_: str = Field(serialization_alias="class")
    quantity: int | float
    quantity_unit: str
    unit_price: int
    vat_percent: int
    amount: int
    vat_amount: int
    discount_price: int | None = None
    item_url: str | None = None
    image_url: str | None = None
    description: str | None = None
    discount_description: str | None = None
    restricted_to_instruments: list[str] | None = None


class AddressOut(Out):
    """``shippingAddress`` and ``billingAddress``."""

    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    msisdn: str | None = None
    street_address: str | None = None
    co_address: str | None = None
    city: str | None = None
    zip_code: str | None = None
    country_code: str | None = None


class PickUpAddressOut(Out):
    """``riskIndicator.pickUpAddress``."""

    name: str | None = None
    street_address: str | None = None
    co_address: str | None = None
    city: str | None = None
    zip_code: str | None = None
    country_code: str | None = None


class AccountInfoOut(Out):
    """``payer.accountInfo``: 3-D Secure indicators, as the two-digit texts of the docs."""

    account_age_indicator: str | None = None
    account_change_indicator: str | None = None
    account_pwd_change_indicator: str | None = None
    shipping_address_usage_indicator: str | None = None
    shipping_name_indicator: str | None = None
    suspicious_account_activity: str | None = None


class NationalIdentifierOut(Out):
    """``payer.nationalIdentifier``."""

    social_security_number: str
    country_code: str


class PayerOut(Out):
    """``payer`` of a request."""

    payer_reference: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    msisdn: str | None = None
    home_phone_number: str | None = None
    work_phone_number: str | None = None
    digital_products: bool | None = None
    national_identifier: NationalIdentifierOut | None = None
    restricted_to_social_security_number: bool | None = None
    shipping_address: AddressOut | None = None
    billing_address: AddressOut | None = None
    account_info: AccountInfoOut | None = None


class RiskIndicatorOut(Out):
    """``riskIndicator`` of a request."""

    delivery_email_address: str | None = None
    delivery_time_frame_indicator: str | None = None
    pre_order_date: str | None = None
    pre_order_purchase_indicator: str | None = None
    ship_indicator: str | None = None
    gift_card_purchase: bool | None = None
    re_order_purchase_indicator: str | None = None
    pick_up_address: PickUpAddressOut | None = None


class PaymentOrderOut(Out):
    """``paymentorder`` of a create request; a ``Verify`` has no amounts."""

    operation: str
    currency: str
    amount: int | None = None
    vat_amount: int | None = None
    description: str
    user_agent: str
    language: str
    urls: UrlsOut
    payee_info: PayeeInfoOut
    payer: PayerOut | None = None
    order_items: list[OrderItemOut] | None = None
    risk_indicator: RiskIndicatorOut | None = None
    metadata: dict[str, str | bool | int | float] | None = None
    instrument: str | None = None
    restricted_to_instruments: list[str] | None = None
    expand_first_instrument: bool | None = None
    restricted_to_age_limit: int | None = None
    generate_moto_payment: bool | None = None
    payment_token: str | None = Field(default=None, repr=False)
    generate_payment_token: bool | None = None
    generate_recurrence_token: bool | None = None
    generate_unscheduled_token: bool | None = None
    disable_stored_payment_details: bool | None = None
    enable_payment_details_consent_checkbox: bool | None = None


class CallbackUrlOut(Out):
    """``urls`` of a charge: nobody is at a page."""

    callback_url: str


class ChargeOut(Out):
    """``paymentorder`` of a ``Recur`` or an ``UnscheduledPurchase``."""

    operation: str
    recurrence_token: str | None = Field(default=None, repr=False)
    unscheduled_token: str | None = Field(default=None, repr=False)
    currency: str
    amount: int
    vat_amount: int
    description: str
    user_agent: str
    language: str
    urls: CallbackUrlOut
    payee_info: PayeeInfoOut
    payer: PayerOut
    order_items: list[OrderItemOut] | None = None
    metadata: dict[str, str | bool | int | float] | None = None


class TokenStateOut(Out):
    """What deletes stored tokens in the older API; no other state is taken."""

    state: str
    comment: str


class ArchiveOut(Out):
    """What archives stored tokens in the Payer API."""

    reason: str
    updated_by: str


class TransactionOut(Out):
    """``transaction`` of a capture, cancel or reversal."""

    description: str
    amount: int | None = None
    vat_amount: int | None = None
    payee_reference: str
    order_items: list[OrderItemOut] | None = None


class AbortOut(Out):
    """``paymentorder`` of an abort."""

    operation: str
    abort_reason: str


class UpdateOut(Out):
    """``paymentorder`` of an update."""

    operation: str
    amount: int
    vat_amount: int
    order_items: list[OrderItemOut] | None = None


# What we read


def _link_is_empty(value: Any) -> dict[str, Any] | None:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _list_or_nothing(value: Any) -> list[Any]:
    listed = cast("list[object]", value) if isinstance(value, list) else []
    return [member for member in listed if isinstance(member, dict)]


def _text(value: object) -> str:
    return "" if value is None or isinstance(value, dict | list) else str(value)


def _text_or_none(value: object) -> str | None:
    return _text(value) or None


def _whole_or_none(value: object) -> int | None:
    """Read a number that nothing depends on: junk must not make the rest unreadable."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _is_true(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _time(value: object) -> datetime | None:
    """Read a time with two to seven fractional digits; junk, which the docs show, is no time."""
    try:
        read = datetime.fromisoformat(value) if isinstance(value, str) else None
        return read if read is None else _in_utc(read)
    except (ValueError, OverflowError):
        return None


def _in_utc(time: datetime) -> datetime:
    """Return ``time`` in UTC, which no zone means too; raises ``OverflowError`` beyond the years there are."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


Flag = Annotated[bool, BeforeValidator(_is_true)]
Text = Annotated[str, BeforeValidator(_text)]
Number = Annotated[int | None, BeforeValidator(_whole_or_none)]
OptionalText = Annotated[str | None, BeforeValidator(_text_or_none)]
Time = Annotated[datetime | None, BeforeValidator(_time)]


class In(BaseModel):
    """A part of an answer, whose member names have been put in lower case."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        alias_generator=lambda name: name.replace("_", ""),
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )


class ProblemEntry(In):
    """One of ``problems``: a field path or a source, and a text."""

    name: Text = ""
    description: Text = ""


class Suspension(In):
    """``suspension``: how many failed draws are left before the card scheme's ceiling."""

    attempts: Number = None
    remaining: Number = None
    state: Text = ""


class Problem(In):
    """A problem (RFC 7807). ``type`` is the only member to act on; body and HTTP status may differ."""

    type: Text = ""
    title: Text = ""
    detail: Text = ""
    instance: Text = ""
    problems: Annotated[list[ProblemEntry], BeforeValidator(_list_or_nothing)] = []
    suspension: Annotated[Suspension | None, BeforeValidator(_link_is_empty)] = None


class Token(In):
    """One of ``tokens``."""

    type: Text = ""
    token: Text = Field(default="", repr=False)
    name: Text = ""
    expiry_date: Text = ""


class Details(In):
    """``details`` of a result: of the card, or whose Swish number paid."""

    card_brand: Text = ""
    masked_pan: Text = ""
    masked_d_pan: Text = ""
    expiry_date: Text = ""
    bin: Text = ""
    msisdn: Text = Field(default="", repr=False)
    misidn: Text = Field(default="", repr=False)


class Result(In):
    """``paid``, and what ``cancelled`` and ``reversed`` repeat of it."""

    id: Text = ""
    number: Text = ""
    instrument: OptionalText = None
    payee_reference: OptionalText = None
    order_reference: OptionalText = None
    transaction_type: Text = ""
    amount: StrictInt | None = None
    submitted_amount: StrictInt | None = None
    fee_amount: StrictInt | None = None
    discount_amount: StrictInt | None = None
    tokens: Annotated[list[Token], BeforeValidator(_list_or_nothing)] = []
    # instead of ``tokens`` in answers of version 3.0 and earlier
    payment_token: Text = Field(default="", repr=False)
    recurrence_token: Text = Field(default="", repr=False)
    unscheduled_token: Text = Field(default="", repr=False)
    details: Annotated[Details | None, BeforeValidator(_link_is_empty)] = None


class Failed(In):
    """``failed``: why a server-to-server order failed."""

    id: Text = ""
    problem: Annotated[Problem | None, BeforeValidator(_link_is_empty)] = None


class Aborted(In):
    """``aborted``."""

    id: Text = ""
    abort_reason: Text = ""


class Transaction(In):
    """One of ``financialTransactionsList``; ``state`` only in the shape of 3.0 and earlier."""

    created: Time = None
    type: Text = ""
    state: Text = ""
    number: Text = ""
    amount: StrictInt | None = None
    payee_reference: OptionalText = None
    problem: Annotated[Problem | None, BeforeValidator(_link_is_empty)] = None


class FinancialTransactions(In):
    """``financialTransactions``; the list is ``None`` while the node is only a link."""

    id: Text = ""
    financial_transactions_list: Annotated[list[Transaction] | None, BeforeValidator(_list_or_nothing)] = None


class FailedAttempt(In):
    """One of ``failedAttemptList``: a try of the payer's."""

    created: Time = None
    instrument: OptionalText = None
    number: Text = ""
    status: Text = ""
    problem: Annotated[Problem | None, BeforeValidator(_link_is_empty)] = None


class FailedAttempts(In):
    """``failedAttempts``."""

    id: Text = ""
    failed_attempt_list: Annotated[list[FailedAttempt], BeforeValidator(_list_or_nothing)] = []


class PostPurchaseFailedAttempt(In):
    """One failed capture, cancellation or reversal: without reference and amount."""

    created: Time = None
    type: Text = ""
    transaction_type: Text = ""
    number: Text = ""
    problem: Annotated[Problem | None, BeforeValidator(_link_is_empty)] = None


class PostPurchaseFailedAttempts(In):
    """``postPurchaseFailedAttempts``."""

    id: Text = ""
    post_purchase_failed_attempt_list: Annotated[
        list[PostPurchaseFailedAttempt],
        BeforeValidator(_list_or_nothing),
    ] = []


class HistoryEntry(In):
    """One of ``historyList``: information only, names may change."""

    name: Text = ""
    instrument: OptionalText = None
    amount: StrictInt | None = None


class History(In):
    """``history``."""

    id: Text = ""
    history_list: Annotated[list[HistoryEntry], BeforeValidator(_list_or_nothing)] = []


class Operation(In):
    """One of ``operations``: what is possible now, by ``rel``."""

    method: Text = ""
    href: Text = Field(default="", repr=False)
    rel: Text = ""


class PayeeInfo(In):
    """``payeeInfo``: what the order was made with, told whatever became of it."""

    payee_reference: OptionalText = None
    order_reference: OptionalText = None


class Order(In):
    """A payment order of any API version."""

    id: Text
    operation: Text = ""
    status: OptionalText = None
    state: OptionalText = None
    currency: OptionalText = None
    amount: StrictInt | None = None
    updated: Time = None
    instrument: OptionalText = None
    remaining_capture_amount: StrictInt | None = None
    remaining_cancellation_amount: StrictInt | None = None
    remaining_reversal_amount: StrictInt | None = None
    payee_info: Annotated[PayeeInfo | None, BeforeValidator(_link_is_empty)] = None
    paid: Annotated[Result | None, BeforeValidator(_link_is_empty)] = None
    cancelled: Annotated[Result | None, BeforeValidator(_link_is_empty)] = None
    reversed: Annotated[Result | None, BeforeValidator(_link_is_empty)] = None
    failed: Annotated[Failed | None, BeforeValidator(_link_is_empty)] = None
    aborted: Annotated[Aborted | None, BeforeValidator(_link_is_empty)] = None
    financial_transactions: Annotated[FinancialTransactions | None, BeforeValidator(_link_is_empty)] = None
    failed_attempts: Annotated[FailedAttempts | None, BeforeValidator(_link_is_empty)] = None
    post_purchase_failed_attempts: Annotated[
        PostPurchaseFailedAttempts | None,
        BeforeValidator(_link_is_empty),
    ] = None
    history: Annotated[History | None, BeforeValidator(_link_is_empty)] = None
    # at the root in version 2
    payment_token: Text = Field(default="", repr=False)
    recurrence_token: Text = Field(default="", repr=False)
    unscheduled_token: Text = Field(default="", repr=False)


class OrderAnswer(In):
    """An order and what can be done with it."""

    payment_order: Order
    operations: Annotated[list[Operation], BeforeValidator(_list_or_nothing)] = []


class InstrumentParameters(In):
    """What a listed token stands for: the card or the account, masked."""

    card_brand: Text = ""
    expiry_date: Text = ""
    expiry_pan: Text = ""
    bin: Text = ""
    last_four_pan: Text = ""
    masked_account_number: Text = ""


class ListedToken(In):
    """One stored token as either API lists it; the older one lists active ones only, without a state."""

    token: Text = Field(default="", repr=False)
    token_type: Text = ""
    instrument: OptionalText = None
    instrument_display_name: Text = ""
    display_name: Text = ""
    state: Text = ""
    network_tokenized: Flag = False
    instrument_parameters: Annotated[InstrumentParameters | None, BeforeValidator(_link_is_empty)] = None
    operations: Annotated[list[Operation], BeforeValidator(_list_or_nothing)] = []


class TokenList(In):
    """A payer's tokens: ``tokenList`` in the Payer API, ``tokens`` in the older one."""

    payer_reference: OptionalText = None
    token_list: list[ListedToken] | None = None
    tokens: list[ListedToken] | None = None


class TokensAnswer(In):
    """A payer's tokens and what can be done with all of them, in the envelope of either API."""

    tokens: Annotated[TokenList | None, BeforeValidator(_link_is_empty)] = None
    payer_owned_tokens: Annotated[TokenList | None, BeforeValidator(_link_is_empty)] = None
    operations: Annotated[list[Operation], BeforeValidator(_list_or_nothing)] = []


class TokenAnswer(In):
    """One token; the older API answers a deletion with the bare token, and perhaps ``isDeleted``."""

    token: Annotated[ListedToken | None, BeforeValidator(_link_is_empty)] = None
    is_deleted: Flag | None = None


class CallbackOrder(In):
    """``paymentOrder`` of a callback."""

    id: Text
    instrument: Text = ""
    number: Text = ""


class Callback(In):
    """A callback of any version: 3.0 and earlier add ``payment`` and ``transaction``."""

    payment_order: CallbackOrder
    order_reference: Text = ""


def read_object(body: bytes | str) -> dict[str, Any]:
    """Decode a JSON object; raises ``Unreadable`` for anything else, however it is broken."""
    try:
        decoded: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        message = "the body is empty" if not body.strip() else f"the body is not JSON ({type(error).__name__})"
        raise Unreadable(message) from error
    if not isinstance(decoded, dict):
        message = f"the body is a JSON {type(decoded).__name__}, not an object"
        raise Unreadable(message)
    return cast("dict[str, Any]", decoded)


def read(model: type[ModelT], decoded: Mapping[str, Any]) -> ModelT:
    """Read decoded JSON as ``model``; raises ``Unreadable`` naming the member that does not fit."""
    try:
        return model.model_validate(_lowered(decoded))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the body"
        message = f"{place}: {first['msg']}"
        raise Unreadable(message) from error


def _lowered(value: Any, depth: int = 0) -> Any:
    """Put member names in lower case all the way down; one pass, because it stands in every answer's way."""
    if depth > _DEPTH_MOST:
        message = f"the body nests more than {_DEPTH_MOST} deep"
        raise Unreadable(message)
    below = depth + 1
    if type(value) is dict:
        members = cast("dict[str, Any]", value)
        return {
            name.lower(): _lowered(member, below) if type(member) in _NESTED else member
            for name, member in members.items()
        }
    if type(value) is list:
        return [_lowered(member, below) if type(member) in _NESTED else member for member in cast("Any", value)]
    return value
