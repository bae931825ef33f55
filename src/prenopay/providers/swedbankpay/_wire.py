"""Swedbank Pay's JSON, named as the gateway names it: what we send, and what we read.

The docs and the gateway write one member in several cases (``paymentOrder``/``paymentorder``,
``postPurchaseFailedAttempts``). Unknown values are kept as text. A node that is only a link, a string or
missing reads as empty. Amounts and statuses have no defaults.
Source: developer.swedbankpay.com, payment request, resource sub-models, problems (2026-07-01).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar, cast

from pydantic import BeforeValidator, Field, StrictInt

from prenopay.provider.wire import In, Out, Text, as_text

# What we send


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
    """``urls`` of a charge: there is no page."""

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


def _node(value: Any) -> dict[str, Any] | None:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _listed(value: Any) -> list[Any]:
    members = cast("list[object]", value) if isinstance(value, list) else []
    return [member for member in members if isinstance(member, dict)]


def _text_or_none(value: object) -> str | None:
    return as_text(value) or None


def _whole_or_none(value: object) -> int | None:
    """Read a number that nothing depends on: a wrong value must not make the rest unreadable."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _is_true(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _time(value: object) -> datetime | None:
    """Read a time with two to seven fractional digits, in UTC if it has no zone; the docs' own junk is no time."""
    try:
        read = datetime.fromisoformat(value) if isinstance(value, str) else None
        if read is None:
            return None
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


NodeT = TypeVar("NodeT", bound=In)

Flag = Annotated[bool, BeforeValidator(_is_true)]
Sum = Annotated[StrictInt, Field(ge=0)]
Number = Annotated[int | None, BeforeValidator(_whole_or_none)]
OptionalText = Annotated[str | None, BeforeValidator(_text_or_none)]
Time = Annotated[datetime | None, BeforeValidator(_time)]
Node = Annotated[NodeT | None, BeforeValidator(_node)]
Listed = Annotated[list[NodeT], BeforeValidator(_listed)]


class ProblemEntry(In):
    """One of ``problems``: a field path or a source, and a text."""

    name: Text = ""
    description: Text = ""


class Suspension(In):
    """``suspension``: how many failed charges are left before the card scheme's ceiling."""

    attempts: Number = None
    remaining: Number = None
    state: Text = ""


class Problem(In):
    """A problem (RFC 7807). Only ``type`` is safe to act on; the body's status and the HTTP status may differ."""

    type: Text = ""
    title: Text = ""
    detail: Text = ""
    problems: Listed[ProblemEntry] = []
    suspension: Node[Suspension] = None


class Token(In):
    """One of ``tokens``."""

    type: Text = ""
    token: Text = Field(default="", repr=False)
    name: Text = ""
    expiry_date: Text = ""


class Details(In):
    """``details`` of a result: what it says of the card."""

    card_brand: Text = ""
    masked_pan: Text = ""
    masked_d_pan: Text = ""
    expiry_date: Text = ""
    bin: Text = ""


class Result(In):
    """``paid``, and what ``cancelled`` and ``reversed`` repeat of it."""

    instrument: OptionalText = None
    payee_reference: OptionalText = None
    order_reference: OptionalText = None
    transaction_type: Text = ""
    amount: Sum | None = None
    submitted_amount: Sum | None = None
    fee_amount: StrictInt | None = None
    discount_amount: StrictInt | None = None
    tokens: Listed[Token] = []
    # instead of ``tokens`` in answers of version 3.0 and earlier
    payment_token: Text = Field(default="", repr=False)
    recurrence_token: Text = Field(default="", repr=False)
    unscheduled_token: Text = Field(default="", repr=False)
    details: Node[Details] = None


class Failed(In):
    """``failed``: why a server-to-server order failed."""

    problem: Node[Problem] = None


class Transaction(In):
    """One of ``financialTransactionsList``; ``state`` only in the shape of 3.0 and earlier."""

    created: Time = None
    type: Text = ""
    state: Text = ""
    number: Text = ""
    amount: Sum | None = None
    payee_reference: OptionalText = None
    problem: Node[Problem] = None


class FinancialTransactions(In):
    """``financialTransactions``; the list is ``None`` while the node is only a link."""

    financial_transactions_list: Annotated[list[Transaction] | None, BeforeValidator(_listed)] = None


class FailedAttempt(In):
    """One of ``failedAttemptList``: a try of the payer's."""

    created: Time = None
    instrument: OptionalText = None
    number: Text = ""
    problem: Node[Problem] = None


class FailedAttempts(In):
    """``failedAttempts``."""

    failed_attempt_list: Listed[FailedAttempt] = []


class PostPurchaseFailedAttempt(In):
    """One failed capture, cancellation or reversal: without reference and amount."""

    created: Time = None
    type: Text = ""
    transaction_type: Text = ""
    number: Text = ""
    problem: Node[Problem] = None


class PostPurchaseFailedAttempts(In):
    """``postPurchaseFailedAttempts``."""

    post_purchase_failed_attempt_list: Listed[PostPurchaseFailedAttempt] = []


class HistoryEntry(In):
    """One of ``historyList``: information only, names may change."""

    name: Text = ""
    amount: StrictInt | None = None
    instrument: OptionalText = None


class History(In):
    """``history``."""

    history_list: Listed[HistoryEntry] = []


class Operation(In):
    """One of ``operations``: what is possible now, by ``rel``."""

    method: Text = ""
    href: Text = Field(default="", repr=False)
    rel: Text = ""


class PayeeInfo(In):
    """``payeeInfo``: what the order was made with; an answer has it in every status."""

    payee_reference: OptionalText = None
    order_reference: OptionalText = None


class Order(In):
    """A payment order of any API version."""

    id: Text
    operation: Text = ""
    status: OptionalText = None
    state: OptionalText = None
    currency: OptionalText = None
    amount: Sum | None = None
    updated: Time = None
    instrument: OptionalText = None
    remaining_capture_amount: Sum | None = None
    remaining_reversal_amount: Sum | None = None
    payee_info: Node[PayeeInfo] = None
    paid: Node[Result] = None
    cancelled: Node[Result] = None
    reversed: Node[Result] = None
    failed: Node[Failed] = None
    financial_transactions: Node[FinancialTransactions] = None
    failed_attempts: Node[FailedAttempts] = None
    post_purchase_failed_attempts: Node[PostPurchaseFailedAttempts] = None
    history: Node[History] = None
    # at the root in version 2
    payment_token: Text = Field(default="", repr=False)
    recurrence_token: Text = Field(default="", repr=False)
    unscheduled_token: Text = Field(default="", repr=False)


class Links(In):
    """What can be done with an order, where an answer says only this."""

    operations: Listed[Operation] = []


class OrderAnswer(In):
    """An order and what can be done with it."""

    payment_order: Order
    operations: Listed[Operation] = []


class InstrumentParameters(In):
    """The card or account behind a listed token, masked."""

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
    instrument_parameters: Node[InstrumentParameters] = None
    operations: Listed[Operation] = []


class TokenList(In):
    """A payer's tokens: ``tokenList`` in the Payer API, ``tokens`` in the older one."""

    payer_reference: OptionalText = None
    token_list: list[ListedToken] | None = None
    tokens: list[ListedToken] | None = None


class TokensAnswer(In):
    """A payer's tokens and what can be done with all of them, in the envelope of either API."""

    tokens: Node[TokenList] = None
    payer_owned_tokens: Node[TokenList] = None
    operations: Listed[Operation] = []


class TokenAnswer(In):
    """One token; the older API answers a deletion with the bare token, and perhaps ``isDeleted``."""

    token: Node[ListedToken] = None
    is_deleted: Flag | None = None


class CallbackOrder(In):
    """``paymentOrder`` of a callback."""

    id: Text
    instrument: Text = ""


class Callback(In):
    """A callback of any version: 3.0 and earlier add ``payment`` and ``transaction``."""

    payment_order: CallbackOrder
