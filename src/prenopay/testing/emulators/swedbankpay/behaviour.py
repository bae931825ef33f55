"""The emulator's switches: all that the gateway's documentation leaves open, or describes in more than one way.

The defaults are what the documentation says, and what real traffic shows where it says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal

from prenopay._arguments import checked_fields
from prenopay.testing.callbacks import CallbackAddresses, RetrySchedule
from prenopay.testing.emulators.leniency import Leniency

__all__ = [
    "AWKWARD",
    "LENIENCIES",
    "LENIENT",
    "AsynchronousReversal",
    "AttemptLimits",
    "Behaviour",
    "Brand",
    "DeclineChannel",
    "DuplicateAnswer",
    "TrustlyCharge",
]


class DuplicateAnswer(StrEnum):
    """The answer to a ``payeeReference`` that was used before. Only ``REPLAY`` is lenient."""

    CONFLICT = "conflict"
    """409, and nothing happens."""
    INPUT_ERROR = "inputerror"
    """400 naming the field, and nothing happens."""
    FORBIDDEN = "forbidden"
    """403, and nothing happens."""
    REPLAY = "replay"
    """The first answer again, byte for byte, if the request is the same; otherwise as ``CONFLICT``."""


class Brand(StrEnum):
    """The domain in absolute links."""

    PAYEX = "payex.com"
    SWEDBANK_PAY = "swedbankpay.com"


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class AsynchronousReversal:
    """Reversals answer 202 and settle later; a failure shows without a reference, as at the real gateway."""

    after: timedelta = timedelta(days=2)
    succeeds: bool = True


class DeclineChannel(StrEnum):
    """How a declined charge is reported. The documents describe both, but not when each is used."""

    FAILED_ORDER = "failed_order"
    """As an order that is ``Failed`` (docs: validate-status, status-models)."""
    PROBLEM = "problem"
    """As a problem with its own HTTP status; the order's id is never given (docs: problems)."""


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class TrustlyCharge:
    """A charge of a bank account settles later (docs: unscheduled, Trustly)."""

    after: timedelta = timedelta(hours=6)
    succeeds: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class AttemptLimits:
    """How many failures of a card, in a day and in thirty days, suspend it (docs: problems, MIT)."""

    mastercard_daily: int = 10
    mastercard_monthly: int = 35
    visa_monthly: int = 15
    warned_from: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Behaviour:
    """How this gateway behaves; make another with ``dataclasses.replace``."""

    # Requests
    takes: frozenset[Leniency] = frozenset()
    """What it takes although the documents ask for something else; ``LENIENT`` takes what production takes."""
    duplicate_reference: DuplicateAnswer = DuplicateAnswer.CONFLICT
    items_are_required: bool = False
    """Refuse captures and reversals without items of an order that has them: tables say so, example pages do not."""
    declined_operations: frozenset[Literal["capture", "cancel", "reversal"]] = frozenset()
    """Post-purchase operations that the acquirer says no to."""

    callback_addresses: CallbackAddresses = CallbackAddresses.PUBLIC
    """Which ``callbackUrl`` is taken; the documents do not say it, and the gateway calls from the internet."""

    # Answers
    create_status: Literal[200, 201] = 201
    order_key: Literal["paymentOrder", "paymentorder"] = "paymentOrder"
    brand: Brand = Brand.PAYEX
    zero_remaining: bool = False
    """Write ``remaining…Amount`` as 0 where it is otherwise left out."""
    initial_transaction_listed: bool = False
    """List the authorization or sale among the financial transactions."""
    post_purchase_key: Literal["postPurchaseFailedAttempts", "postpurchaseFailedAttempts"] = (
        "postPurchaseFailedAttempts"
    )
    post_purchase_type_key: Literal["type", "transactionType"] = "type"
    swish_number_key: Literal["misidn", "msisdn"] = "misidn"
    stray_members: bool = False
    """Put ``paymentTokenGenerated: false`` into nodes of things that never happened."""
    noise: bool = False
    """Add members, operations and history that no client knows."""
    wallet_paid_is_short: bool = False
    """Google Pay and Click to Pay leave ``transactionType`` and the submitted amount out of ``paid``."""
    unknown_status: str = ""
    """Say this instead of the order's status."""
    unauthorized_body: bool = False
    """Explain a 401 in its body."""

    # Money
    fee_amount: int = 0
    discount_amount: int = 0
    approved_amount: int | None = None
    """The issuer approves at most this much, as at fuel dispensers."""

    # Reversals
    asynchronous_reversal: AsynchronousReversal | None = None
    swish_reversal_lags: bool = True
    """The answer to a Swish reversal leaves ``remainingReversalAmount`` out; the next GET has it."""

    # Stored payment details
    missing_token_status: Literal[404, 400] = 404
    """The status for a token that does not exist: 404 in the documents, 400 in older recordings."""
    inactive_name: Literal["", "UnscheduledToken"] = ""
    """The name in the problem of an inactive token; empty for the field's own. The one sample names another field."""
    unknown_payer: Literal["notfound", "empty"] = "notfound"
    """The answer about a payer without tokens: 404, or an empty list; not documented."""
    capital_types: bool = False
    """Write the types in ``paid.tokens`` with a capital; the samples do both."""
    one_click_suffix: Literal["Payment", "OneClick"] = "Payment"
    """How the Payer API's addresses call one-click tokens; both are taken."""
    cardholder_type_key: Literal["cardholderType", "cardHolderType"] = "cardholderType"
    verification_type: Literal["", "Verification", "Authorization"] = ""
    """The ``transactionType`` of a paid Verify; empty leaves it out. Not documented."""

    # Charges
    decline_channel: DeclineChannel = DeclineChannel.FAILED_ORDER
    failed_type_is_bare: bool = False
    """Write only the last word of the problem's type in ``failed``, as one sample does."""
    duplicate_charge: DuplicateAnswer | Literal["accept"] | None = None
    """The answer to a repeated ``payeeReference`` of a charge; ``None``: as to any other. Not documented.

    ``"accept"`` does not notice, and charges once more.
    """
    trustly_charge: TrustlyCharge = field(default_factory=TrustlyCharge)
    trustly_callbacks: bool = True
    """Report charges of bank accounts that settled or failed; charges of cards are never reported."""
    attempt_limits: AttemptLimits = field(default_factory=AttemptLimits)

    # Callbacks
    callback_delay: timedelta = timedelta(0)
    callback_instrument: Literal["", "paymentorders", "name"] = "paymentorders"
    """What a callback says of the instrument; ``name`` is its true name."""
    post_purchase_callbacks: bool = False
    """Report captures, cancellations and reversals too."""
    retry_schedule: RetrySchedule = field(default_factory=RetrySchedule)


AWKWARD: Final = Behaviour(
    create_status=200,
    order_key="paymentorder",
    brand=Brand.SWEDBANK_PAY,
    zero_remaining=True,
    initial_transaction_listed=True,
    post_purchase_key="postpurchaseFailedAttempts",
    post_purchase_type_key="transactionType",
    swish_number_key="msisdn",
    stray_members=True,
    noise=True,
    wallet_paid_is_short=True,
    inactive_name="UnscheduledToken",
    unknown_payer="empty",
    capital_types=True,
    one_click_suffix="OneClick",
    cardholder_type_key="cardHolderType",
    verification_type="Verification",
    decline_channel=DeclineChannel.PROBLEM,
    failed_type_is_bare=True,
    callback_instrument="",
    post_purchase_callbacks=True,
)
"""Everything a tolerant client must live with, at once."""

LENIENCIES: Final[Mapping[Leniency, str]] = MappingProxyType(
    {
        Leniency.UNKNOWN_MEMBERS: (
            "`disablePaymentMenu` in every create of the gateway's WooCommerce module (2026-08); "
            "`clientInfo` in the `UpdateOrder` of its PHP SDK 6.3.0"
        ),
        Leniency.EMPTY_TEXTS: (
            "`itemUrl`, `imageUrl`, `description`, `logoUrl`, `termsOfServiceUrl`, `payer.firstName` and "
            "`payer.msisdn` of the gateway's WooCommerce module (2026-08)"
        ),
        Leniency.TEXTS_FOR_NUMBERS: "`amount` of a test in the PHP SDK, which runs at the live test gateway",
        Leniency.TEXTS_FOR_BOOLEANS: "`corporateMode` in the sample of the page Corporate Limited Menu (2026-07-01)",
        Leniency.NUMBERS_FOR_TEXTS: "`discountDescription` of the same test in the PHP SDK",
        Leniency.ANY_SCHEME: (
            "`paymentUrl` in a sample of the mobile SDK's pages is an app's; three addresses in the sample of Verify "
            "for payouts are http; the page URLs asks for https in `logoUrl` and `termsOfServiceUrl` only (2026-07-01)"
        ),
        Leniency.VERSION_IN_CONTENT_TYPE: (
            "the page Payment Request v3.1 (2026-07-01); the PHP SDK 6.3.0 and the shop modules on it do so"
        ),
        Leniency.NO_VERSION: "the page Migration Guide v2 (2026-07-01): then the oldest API answers",
    }
)
"""Each way in which this gateway is more lenient than its documents, with its source."""

LENIENT: Final = Behaviour(takes=frozenset(LENIENCIES))
"""As lenient as production, for clients that are not prenopay's."""
