"""Values to search through: money, orders, observations and JSON, as wide as their types allow."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from prenopay import (
    Address,
    Advice,
    CaptureMode,
    Decline,
    DeclineCode,
    DeclineKind,
    Instrument,
    Money,
    Order,
    OrderLine,
    PageStyle,
    Payer,
)
from prenopay.values.orders import DeliveryTime, LineKind, PayerHistory, RiskFacts, ShippedTo

CURRENCIES = st.sampled_from(["SEK", "NOK", "DKK", "EUR", "JPY", "KWD"])
MINORS = st.integers(-(10**12), 10**12)
PERCENTS = st.one_of(
    st.sampled_from([0, 6, 12, 25]),
    st.decimals(0, 100, places=2, allow_nan=False, allow_infinity=False),
)
RATES = PERCENTS.filter(lambda percent: percent == 0 or percent >= 1)
"""What a line of an order takes: less than one percent is a mistake."""
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=20)
"""Every character that a text may contain, lone surrogates included."""
TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=12)
"""What an order may hold: no control characters, and no halves of surrogate pairs."""
REFERENCES = st.text(st.characters(exclude_categories=("C", "Z")), max_size=12)
"""What the host may name an order or a payer."""
NAMES = st.text(string.ascii_letters + "åäö ", min_size=1, max_size=12).filter(lambda text: bool(text.strip()))
URLS = st.builds("https://shop.example/{}".format, st.text(string.ascii_lowercase, max_size=8))

ZONES = st.sampled_from([UTC, timezone(timedelta(hours=2)), timezone(-timedelta(hours=9, minutes=30))])
TIMES = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=ZONES)  # noqa: DTZ001 - bounds have no zone


def money(currency: str = "SEK", minors: st.SearchStrategy[int] = MINORS) -> st.SearchStrategy[Money]:
    """Return amounts of one currency."""
    return st.builds(Money, minors, st.just(currency))


def json_of(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """Return JSON with these texts in it."""
    return st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | texts,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
        max_leaves=12,
    )


JSON = json_of(st.text(max_size=12))

DAYS = st.none() | st.integers(0, 4000)
YES_OR_NO = st.none() | st.booleans()

ADDRESSES = st.builds(Address, first_name=TEXTS, street=TEXTS, city=TEXTS, country=st.sampled_from(["SE", "NO", ""]))
HISTORIES = st.builds(
    PayerHistory,
    account_age_days=DAYS,
    account_changed_days=DAYS,
    password_changed_days=DAYS,
    shipping_name_matches=YES_OR_NO,
    suspicious_activity=YES_OR_NO,
    is_guest=st.booleans(),
)
PAYERS = st.builds(
    Payer,
    reference=REFERENCES,
    email=st.just("") | st.emails(),
    phone=st.just("") | st.from_regex(r"\+[1-9][0-9]{7,14}", fullmatch=True),
    personal_number=TEXTS,
    personal_number_country=st.just("NO"),
    billing_address=st.none() | ADDRESSES,
    shipping_address=st.none() | ADDRESSES,
    history=st.none() | HISTORIES,
    digital_only=YES_OR_NO,
)
RISKS = st.builds(
    RiskFacts,
    delivery_time=st.none() | st.sampled_from(DeliveryTime),
    shipped_to=st.none() | st.sampled_from(ShippedTo),
    pick_up_address=st.none() | ADDRESSES,
    gift_card=YES_OR_NO,
    available_from=st.none() | st.dates(),
    is_pre_order=YES_OR_NO,
)
QUANTITIES = st.one_of(st.integers(1, 1000), st.decimals("0.0001", 1000, places=4))

METADATA = st.dictionaries(
    TEXTS,
    st.one_of(TEXTS, st.integers(), st.booleans(), st.decimals(allow_nan=False, allow_infinity=False, places=3)),
    max_size=4,
)
STORABLE: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | TEXTS
    | st.decimals(allow_nan=False)
    | TIMES
    | st.dates()
    | st.timedeltas()
    | st.sampled_from([*Instrument, *CaptureMode]),
    lambda inner: st.lists(inner, max_size=4).map(tuple) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)
"""Any value of an order's ``extra``, in the shape in which it is read back."""


@st.composite
def lines(draw: st.DrawFn, currency: str) -> tuple[OrderLine, ...]:
    """Return order lines that add up to more than zero."""
    return tuple(
        OrderLine(
            name=draw(NAMES),
            amount=draw(money(currency, st.integers(1, 10**7))),
            vat_percent=draw(RATES),
            kind=draw(st.sampled_from(LineKind)),
            quantity=draw(QUANTITIES),
            reference=draw(TEXTS),
            unit_price=draw(st.none() | money(currency)),
        )
        for _ in range(draw(st.integers(1, 3)))
    )


@st.composite
def orders(draw: st.DrawFn) -> Order:
    """Return valid orders."""
    currency = draw(CURRENCIES)
    made = draw(st.just(()) | lines(currency))
    amount = (
        sum((line.amount for line in made), Money.zero(currency))
        if made
        else Money(draw(st.integers(1, 10**9)), currency)
    )
    return Order(
        amount=amount,
        description=draw(NAMES),
        return_url=draw(URLS),
        order_reference=draw(REFERENCES),
        lines=made,
        capture=draw(st.sampled_from(CaptureMode)),
        page=draw(st.sampled_from(PageStyle)),
        payment_page_url=draw(URLS),
        instruments=tuple(draw(st.lists(st.sampled_from([*Instrument, "Banklink"]), max_size=3))),
        payer=draw(st.none() | PAYERS),
        risk=draw(st.none() | RISKS),
        metadata=draw(METADATA),
        valid_for=draw(st.none() | st.timedeltas(timedelta(microseconds=1), timedelta(days=400))),
        extra=draw(st.dictionaries(TEXTS, STORABLE, max_size=3)),
    )


DECLINES = st.builds(
    Decline,
    code=st.sampled_from(DeclineCode),
    kind=st.sampled_from(DeclineKind),
    advice=st.sampled_from(Advice),
    provider_code=TEXTS,
    text=TEXTS,
    not_before=st.none() | TIMES,
    attempts_left=st.none() | st.integers(),
)
