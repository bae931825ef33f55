"""What a host asks to be paid: the order, its lines, its payer, and how the payment page should look."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Final, NoReturn
from urllib.parse import urlsplit

from prenopay._arguments import check_fields, refuse_argument
from prenopay._hidden import HidesArguments, hide
from prenopay._redaction import scrub
from prenopay._text import name_flaw, quoted
from prenopay.errors import InvalidOrder
from prenopay.values.callbacks import is_loopback
from prenopay.values.forms import country_code, email_address, language_tag, personal_number, phone_number
from prenopay.values.links import is_app_link
from prenopay.values.mandates import StoreMethod
from prenopay.values.money import Money

__all__ = [
    "Address",
    "CaptureMode",
    "DeliveryTime",
    "Initiator",
    "Instrument",
    "LineKind",
    "Order",
    "OrderLine",
    "PageStyle",
    "Payer",
    "PayerHistory",
    "PayoutOrder",
    "RiskFacts",
    "ShippedTo",
    "check_sums",
    "sums_of",
]

_MOST_LINES: Final = 500
"""The most lines of an order. No publisher's order has more, and a payment page shows far fewer."""
_ORDER_REFERENCE_MOST: Final = 100
_PAYER_REFERENCE_MOST: Final = 200
"""How long a host's names may be: the columns of PostgreSQL hold no more."""
_NUMBER_MOST: Final = 1_000_000_000
"""A larger number is a mistake."""
_RATE_MOST: Final = 100
"""A higher VAT rate is a mistake, such as 2500 for 25 percent."""
_LINE_TEXT_MOST: Final = 40
"""Swedbank Pay refuses a longer description of a line (its own shop plugin cuts there since version 4.2.0)."""
_SWEDEN: Final = "SE"
_AGES: Final = range(1, 100)
"""What Swish takes (MSS guide, section 5.1)."""
_SIX_MEANS: Final = "6 means 6 %"
"""A lower VAT rate than 1 is a mistake, such as 0.06 for 6 percent."""


class Instrument(StrEnum):
    """A way to pay, in prenopay's word. Other names that a gateway uses stay readable as plain text."""

    CARD = "card"
    SWISH = "swish"
    VIPPS = "vipps"
    MOBILEPAY = "mobilepay"
    APPLE_PAY = "apple_pay"
    GOOGLE_PAY = "google_pay"
    CLICK_TO_PAY = "click_to_pay"
    TRUSTLY = "trustly"
    INVOICE = "invoice"
    MONTHLY_INVOICE = "monthly_invoice"
    CREDIT_ACCOUNT = "credit_account"


class CaptureMode(StrEnum):
    """When reserved money is taken."""

    AUTOMATIC = "automatic"
    """At once, by prenopay: for what is delivered at once, such as a digital subscription."""
    MANUAL = "manual"
    """When the host calls ``capture``: for goods, because law and card rules want them shipped first."""


class Initiator(StrEnum):
    """Who starts a payment: the payer, present on a page, or the merchant, on a mandate."""

    PAYER = "payer"
    MERCHANT = "merchant"


class PageStyle(StrEnum):
    """How the payer meets the gateway's payment page."""

    REDIRECT = "redirect"
    """The browser goes to the gateway's page and comes back to ``return_url``."""
    SEAMLESS = "seamless"
    """The gateway's script draws the page inside one of the host's own pages."""
    PHONE = "phone"
    """The request goes to the app on the payer's phone (``payer.phone``); the payer opens the app by hand."""


class LineKind(StrEnum):
    """What an order line is."""

    PRODUCT = "product"
    SERVICE = "service"
    SHIPPING = "shipping"
    PAYMENT_FEE = "payment_fee"
    DISCOUNT = "discount"
    VOUCHER = "voucher"
    OTHER = "other"


class DeliveryTime(StrEnum):
    """How soon the payer gets what was bought (a fact for 3-D Secure)."""

    ELECTRONIC = "electronic"
    SAME_DAY = "same_day"
    OVERNIGHT = "overnight"
    LATER = "later"


class ShippedTo(StrEnum):
    """Where the goods go (a fact for 3-D Secure)."""

    BILLING_ADDRESS = "billing_address"
    VERIFIED_ADDRESS = "verified_address"
    OTHER_ADDRESS = "other_address"
    STORE = "store"
    DIGITAL = "digital"
    TICKETS = "tickets"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """One line of an order. ``amount`` is for the whole line and includes VAT, in minor units (öre).

    ``quantity`` has at most four decimals. ``vat_percent`` is a rate such as ``6`` or ``25``; ``vat`` is computed
    from it when left out. A discount has a negative amount. Raises ``InvalidOrder``.
    """

    name: str
    amount: Money
    vat_percent: Decimal | int
    reference: str = ""
    kind: LineKind = LineKind.PRODUCT
    group: str = "none"
    quantity: Decimal | int = 1
    unit: str = "pcs"
    unit_price: Money | None = None
    discount_price: Money | None = None
    vat: Money | None = None
    description: str = ""
    discount_description: str = ""
    item_url: str = ""
    image_url: str = ""
    only_with: tuple[str, ...] = ()
    """The instruments that a fee or discount belongs to, in the gateway's own words (invoice kinds)."""

    def __post_init__(self) -> None:
        """Refuse a line whose numbers cannot be right; the error names the field."""
        check_fields(self, _refuse_in_line, prefix="lines.")
        _require(bool(self.name.strip()), "lines.name", "every order line needs a name")
        for name, number, decimals in (("quantity", self.quantity, 4), ("vat_percent", self.vat_percent, 2)):
            sane = Decimal(number).is_finite() and 0 <= number < _NUMBER_MOST
            fits = sane and Decimal(number) == round(Decimal(number), decimals)
            _require(fits, f"lines.{name}", f"{number} must be zero or more, with at most {decimals} decimals")
        _require(self.quantity > 0, "lines.quantity", "must be more than zero")
        _require(
            self.vat_percent <= _RATE_MOST, "lines.vat_percent", f"{self.vat_percent} is not a VAT rate in percent"
        )
        _require(
            self.vat_percent == 0 or self.vat_percent >= 1,
            "lines.vat_percent",
            f"{self.vat_percent} is less than one percent; {_SIX_MEANS}",
        )
        _require(bool(self.unit.strip()), "lines.unit", "must not be empty: say what is counted, such as pcs")
        for name in ("description", "discount_description"):
            _at_most(f"lines.{name}", getattr(self, name), _LINE_TEXT_MOST)
        _require_urls(self, "lines.", "item_url", "image_url")
        if self.vat is not None:
            least, most = sorted((0, self.amount.minor))
            _require(least <= self.vat.minor <= most, "lines.vat", f"{self.vat} is not a part of {self.amount}")

    @property
    def vat_amount(self) -> Money:
        """The VAT inside ``amount``."""
        return self.vat if self.vat is not None else self.amount.vat_share(self.vat_percent)

    @property
    def price_of_one(self) -> Money:
        """``unit_price``; if it was left out, the line's amount divided by its quantity."""
        if self.unit_price is not None:
            return self.unit_price
        exact = Decimal(self.amount.minor) / Decimal(self.quantity)
        return Money(int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP)), self.amount.currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address(metaclass=HidesArguments):
    """A postal address. ``country`` is ISO 3166-1 alpha-2; ``phone`` is kept as ``+`` and digits."""

    first_name: str = ""
    last_name: str = ""
    street: str = ""
    co_address: str = ""
    city: str = ""
    zip_code: str = ""
    country: str = "SE"
    email: str = ""
    phone: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be right; the error names the field."""
        check_fields(self, prefix="address.")
        _in_one_form(self, "address.", phone=phone_number, email=email_address, country=country_code)
        hide(self, "first_name", "last_name", "street", "co_address", "zip_code", "email", "phone")

    def __repr__(self) -> str:
        return f"Address(country={self.country!r}, …)"


@dataclass(frozen=True, slots=True, kw_only=True)
class PayerHistory:
    """What the host knows about the payer's account with it; it makes a 3-D Secure question less likely.

    Days are whole days since the event. ``None`` means not known, ``0`` means during this purchase.
    """

    account_age_days: int | None = None
    account_changed_days: int | None = None
    password_changed_days: int | None = None
    shipping_address_used_days: int | None = None
    shipping_name_matches: bool | None = None
    suspicious_activity: bool | None = None
    is_guest: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be right; the error names the field."""
        check_fields(self, prefix="payer.history.")
        for name in self.__slots__:
            value = getattr(self, name)
            _require(value is None or value >= 0, f"payer.history.{name}", f"must be zero or more, not {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer(metaclass=HidesArguments):
    """Who pays. Every field is optional; more facts make a 3-D Secure question less likely.

    ``reference`` is the host's stable pseudonym for the payer. Never use a personal number, and never share one
    between two people: the gateway finds stored cards by it. An e-mail address is refused, and so are characters
    that cannot be seen.

    Phone numbers are taken as people write them, and kept as ``+`` and digits with the country code; a Swedish
    personal number is kept as 12 digits.
    """

    reference: str = ""
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    phone: str = ""
    home_phone: str = ""
    work_phone: str = ""
    personal_number: str = field(default="", repr=False)
    personal_number_country: str = "SE"
    must_match_personal_number: bool = False
    billing_address: Address | None = field(default=None, repr=False)
    shipping_address: Address | None = field(default=None, repr=False)
    history: PayerHistory | None = None
    digital_only: bool | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be right; the error names the field."""
        check_fields(self, prefix="payer.")
        phones = dict.fromkeys(("phone", "home_phone", "work_phone"), phone_number)
        _in_one_form(self, "payer.", **phones, email=email_address, personal_number_country=country_code)
        if self.personal_number_country == _SWEDEN:
            _in_one_form(self, "payer.", personal_number=personal_number)
        hide(self, "first_name", "last_name", "email", "phone", "home_phone", "work_phone", "personal_number")
        _at_most("payer.reference", self.reference, _PAYER_REFERENCE_MOST)
        _require_name("payer.reference", self.reference)

    def __repr__(self) -> str:
        return f"Payer(reference={scrub(self.reference)!r}, …)"  # somebody may use an e-mail address, which is refused


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskFacts(metaclass=HidesArguments):
    """What the host knows about this purchase, which helps the issuer to judge the risk."""

    delivery_email: str = field(default="", repr=False)
    delivery_time: DeliveryTime | None = None
    shipped_to: ShippedTo | None = None
    pick_up_name: str = field(default="", repr=False)
    pick_up_address: Address | None = None
    gift_card: bool | None = None
    bought_before: bool | None = None
    available_from: date | None = None
    is_pre_order: bool | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be right; the error names the field."""
        check_fields(self, prefix="risk.")
        _in_one_form(self, "risk.", delivery_email=email_address)
        hide(self, "delivery_email", "pick_up_name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order(metaclass=HidesArguments):
    """What the host asks to be paid.

    ``amount`` includes VAT, in minor units (öre). If there are ``lines``, they must add up to ``amount``, and the
    VAT is the sum of theirs. Without lines the VAT is ``vat`` (zero when left out).

    ``instruments`` restricts *and* orders the payment menu (empty: the whole menu). ``only_instrument`` locks the
    menu to one instrument, where the agreement allows it. ``extra`` is merged into the request last: use it for a
    gateway field that prenopay has no word for.

    Raises ``InvalidOrder`` (a ``ValueError``) whose ``field`` names what is wrong.
    """

    amount: Money
    description: str
    return_url: str
    """The URL that the payer comes back to. It may be empty only if the merchant starts the payment."""
    cancel_url: str = ""
    payment_page_url: str = ""
    """Seamless only: the host's page with the payment frame. Apps and 3-D Secure return to it."""
    order_reference: str = ""
    """The host's name of the order: characters that can be seen, and plain spaces inside of it."""
    lines: tuple[OrderLine, ...] = ()
    vat: Money | None = None
    capture: CaptureMode = CaptureMode.AUTOMATIC
    page: PageStyle = PageStyle.REDIRECT
    language: str = "sv-SE"
    instruments: tuple[Instrument | str, ...] = ()
    only_instrument: Instrument | str | None = None
    expand_first_instrument: bool = False
    payer: Payer | None = None
    risk: RiskFacts | None = None
    age_limit: int | None = None
    payer_user_agent: str = ""
    store: StoreMethod | None = None
    """Stores the method for later charges. With an ``amount`` of zero it is stored without a purchase."""
    pay_with: str = ""
    """A ``ONE_CLICK`` mandate of the payer. The gateway's page offers it, and the payer accepts it there."""
    initiator: Initiator = Initiator.PAYER
    paid_by_staff: bool = False
    """The merchant's staff types the card details, from the phone or a letter (MOTO), where the agreement allows it."""
    metadata: Mapping[str, str | int | bool | Decimal] = field(
        default_factory=dict[str, str | int | bool | Decimal],
        hash=False,
    )
    valid_for: timedelta | None = None
    """How long the payer may pay; then the sweep closes the order (default: as long as the gateway's page is open)."""
    extra: Mapping[str, object] = field(default_factory=dict[str, object], repr=False, hash=False)

    def __post_init__(self) -> None:
        """Refuse an order that cannot be right, before anything is stored or sent."""
        check_fields(self)
        least = 0 if self.store else 1  # an order that only stores a method may have an amount of zero
        _require(self.amount.minor >= least, "amount", f"must be more than zero, not {self.amount}")
        if self.store or self.pay_with:
            known = self.payer is not None and bool(self.payer.reference)
            _require(known, "payer.reference", "a stored method belongs to someone: name the payer")
        if self.is_verification:
            _require(not self.lines, "lines", "must be empty: an amount of zero stores the method only")
            _require(not self.pay_with, "pay_with", "must be empty: an amount of zero stores the method only")
        _require(bool(self.description.strip()), "description", "must not be empty: say what the payer pays for")
        _at_most("order_reference", self.order_reference, _ORDER_REFERENCE_MOST)
        _require_name("order_reference", self.order_reference)
        comes_back = bool(self.return_url) or self.initiator is Initiator.MERCHANT
        _require(comes_back, "return_url", "must not be empty: name the URL that the payer comes back to")
        _require_urls(self, "", "return_url", "cancel_url", "payment_page_url")
        _in_one_form(self, "", language=language_tag)
        if self.age_limit is not None:
            why = f"must be {_AGES[0]} to {_AGES[-1]}, not {self.age_limit}"
            _require(self.age_limit in _AGES, "age_limit", why)
        _require(len(self.lines) <= _MOST_LINES, "lines", f"at most {_MOST_LINES} lines, not {len(self.lines)}")
        if self.vat is not None:
            in_amount = self.vat.currency == self.amount.currency and 0 <= self.vat.minor <= self.amount.minor
            _require(in_amount, "vat", f"{self.vat} is not a part of {self.amount}")
        if self.valid_for is not None:
            _require(self.valid_for > timedelta(0), "valid_for", "must be more than zero")
        if self.lines:
            check_sums(self.amount, self.vat, self.lines)

    @property
    def is_verification(self) -> bool:
        """Whether a method is stored without a purchase."""
        return self.amount.minor == 0

    @property
    def vat_amount(self) -> Money:
        """The VAT inside ``amount``: stated, or the sum of the lines, or zero."""
        if self.vat is not None:
            return self.vat
        return sums_of(self.lines)[1] if self.lines else Money.zero(self.amount.currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutOrder(metaclass=HidesArguments):
    """Money that the host sends to someone: a prize, a freelancer's fee, a refund that came too late.

    ``amount`` is what arrives, in minor units (öre); there is no VAT in it. If ``payee_personal_number`` (12
    digits) is given, the gateway checks that the phone belongs to that person. ``reference`` is the host's own;
    the reports of its bank show it. ``payee_reference`` is the host's pseudonym for the payee, as
    ``Payer.reference`` is for a payer: it stays in the books, and ``erase_payer`` finds the payout by it. Raises
    ``InvalidOrder``.
    """

    amount: Money
    payee_phone: str = field(repr=False)
    payee_personal_number: str = field(default="", repr=False)
    description: str = ""
    reference: str
    payee_reference: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """Refuse an order that cannot be right, before anything is stored or sent."""
        check_fields(self)
        _require(self.amount.minor > 0, "amount", f"must be more than zero, not {self.amount}")
        _require(bool(self.payee_phone.strip()), "payee_phone", "must not be empty: this phone gets the money")
        _in_one_form(self, "", payee_phone=phone_number, payee_personal_number=personal_number)
        hide(self, "payee_phone", "payee_personal_number")
        _require(bool(self.reference.strip()), "reference", "must not be empty: the bank's reports show it")
        _require_name("reference", self.reference)
        _require_name("payee_reference", self.payee_reference)


def sums_of(lines: tuple[OrderLine, ...]) -> tuple[Money, Money]:
    """Return amount and VAT of ``lines``.

    A line with ``only_with`` does not count, because the gateway adds it later.
    """
    nothing = Money.zero(lines[0].amount.currency)
    counted = [line for line in lines if not line.only_with]
    return sum((line.amount for line in counted), nothing), sum((line.vat_amount for line in counted), nothing)


def check_sums(amount: Money, vat: Money | None, lines: tuple[OrderLine, ...]) -> None:
    """Raise ``InvalidOrder`` unless the lines add up to ``amount`` (and to ``vat`` where stated), VAT included."""
    currencies = {line.amount.currency for line in lines} | {line.vat_amount.currency for line in lines}
    _require(currencies == {amount.currency}, "lines", f"every line must be in {amount.currency}")
    total, vat_total = sums_of(lines)
    _require(total == amount, "lines", f"the lines add up to {total}, the amount says {amount}")
    in_amount = 0 <= vat_total.minor <= total.minor
    _require(in_amount, "lines.vat", f"the VAT of the lines adds up to {vat_total}, which is not a part of {total}")
    if vat is not None:
        _require(vat_total == vat, "vat", f"the VAT of the lines adds up to {vat_total}, the order says {vat}")


def _in_one_form(value: object, prefix: str, **rules: Callable[..., str]) -> None:
    """Put each field that is not empty into the form that its rule returns."""
    for name, rule in rules.items():
        if given := getattr(value, name):
            object.__setattr__(value, name, rule(given, field=f"{prefix}{name}"))


def _require_urls(value: object, prefix: str, *names: str) -> None:
    """Refuse a URL that a payer's browser cannot open safely: https, or on this machine, or an app's own scheme."""
    for name in names:
        if url := getattr(value, name):
            _require(_is_url(url), f"{prefix}{name}", f"must be an absolute https URL, not {quoted(url)}")


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if any(map(str.isspace, url)) or not parts.scheme:
        return False
    if parts.scheme in {"https", "http"}:
        return bool(host) and (parts.scheme == "https" or is_loopback(host))
    return is_app_link(url)


def _refuse_in_line(name: str, why: str) -> NoReturn:
    hint = f"; {_SIX_MEANS}" if name == "lines.vat_percent" else ""
    refuse_argument(name, f"{why}{hint}")


def _require_name(field_name: str, text: str) -> None:
    """Refuse a host's own name for something that a gateway might send back in another form."""
    wrong = name_flaw(text)
    _require(not wrong, field_name, wrong)


def _at_most(field_name: str, text: str, most: int) -> None:
    _require(len(text) <= most, field_name, f"at most {most} characters, not {len(text)}")


def _require(holds: bool, field_name: str, why: str) -> None:  # noqa: FBT001 - a condition, read in place
    if not holds:
        message = f"{field_name}: {why}"
        raise InvalidOrder(message, field=field_name)
