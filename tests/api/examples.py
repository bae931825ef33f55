"""Makes a value of any public type from its fields' types, with a marked text wherever something secret may be."""

from __future__ import annotations

import dataclasses
import importlib
import itertools
import pickle
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from prenopay import Environment, Money, Order, OrderLine, Secret
from prenopay.providers.swedbankpay import ReferenceFormat, SwedbankPay

MARK = "marked-as-secret"
NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)

SECRET_FIELDS = frozenset(
    {
        *("access_token", "callback_keys", "token", "token_keys", "card_key"),
        *("body", "callback_url", "headers", "path", "query", "raw", "url"),  # may hold tokens, MACs, or who pays
        *("redirect_url", "script_url", "extra"),
        *("first_name", "last_name", "street", "co_address", "city", "zip_code", "email", "phone"),
        *("home_phone", "work_phone", "personal_number", "delivery_email", "pick_up_name"),
    },
)
"""Fields of public values that never show when the value is printed."""

SHOWN_ALL_THE_SAME = frozenset(
    {
        *(("CallbackReply", "body"), ("CallbackReply", "headers"), ("MandateSeen", "token")),
        *(("Settings", "callback_url"), ("Settings", "path")),
    },
)
"""What a gateway gets, a token masked before it gets there, the public address without a MAC, a file's name."""


PHONE_MARK = "+4670999"
"""What a marked phone number begins with: no other mark has its form."""


def example(kind: type[Any], count: int = 0, *, marked: bool = False) -> Any:
    """Return a value of ``kind`` with every field given; another ``count`` gives other values."""
    return _value(kind, itertools.count(count * 1000 + 1), marked=marked)


def pickled(value: Any, protocol: int = pickle.HIGHEST_PROTOCOL) -> Any:
    """Return ``value`` as another process gets it."""
    return pickle.loads(pickle.dumps(value, protocol))  # noqa: S301 - it was pickled here


def _value(kind: Any, numbers: itertools.count[int], *, marked: bool) -> Any:
    hints = get_type_hints(kind, localns=vars(importlib.import_module(kind.__module__)))
    fixed = FIXED.get(kind, {})
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        secret = marked and field.name in SECRET_FIELDS and (kind.__name__, field.name) not in SHOWN_ALL_THE_SAME
        form = _FORMS.get(field.name, "{0}")
        made = _make(hints[field.name], numbers, secret=secret, marked=marked)
        values[field.name] = fixed.get(field.name) or (form.format(made, next(numbers)) if type(made) is str else made)
    if kind is Order:
        values["amount"] = sum((line.amount for line in values["lines"]), Money.zero("SEK"))
        values["vat"] = sum((line.vat_amount for line in values["lines"]), Money.zero("SEK"))
    return kind(**values)


_PHONE = f"{PHONE_MARK}{{1:06d}}"
_FORMS: dict[str, str] = {
    **dict.fromkeys(("phone", "home_phone", "work_phone", "payee_phone"), _PHONE),
    **dict.fromkeys(("email", "delivery_email"), "{0}@shop.example"),
    **dict.fromkeys(("return_url", "cancel_url", "payment_page_url", "item_url", "image_url"), "https://{0}.example"),
    **dict.fromkeys(("country", "personal_number_country"), "NO"),
    "language": "nb-NO",
    "payee_personal_number": "19850709{1:04d}",
}
"""How a text is written in the fields that take one form only."""

FIXED: dict[type[Any], dict[str, Any]] = {
    SwedbankPay: {
        "environment": Environment.TEST,
        "time_zone": "Europe/Helsinki",
        "payee_id": "5cabf558-5283-482f-b252-4d58e06f6f3b",
        "reference_format": ReferenceFormat.DIGITS_12,
        "base_url": "http://127.0.0.1:8001",
        "callback_sources": ("20.91.170.120/29",),
        "trusted_proxies": ("10.0.0.0/8",),
    },
    OrderLine: {"only_with": ("Invoice",), "vat": Money(1, "SEK"), "vat_percent": 25},
    Order: {"age_limit": 18, "lines": (OrderLine(name="Month", amount=Money(11900, "SEK"), vat_percent=6),)},
    Money: {"currency": "SEK"},
}


def _make(hint: Any, numbers: itertools.count[int], *, secret: bool, marked: bool) -> Any:
    number = next(numbers)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        chosen = next(each for each in arguments if each is not NoneType)
        return _make(chosen, numbers, secret=secret, marked=marked)
    if origin is tuple:
        parts = arguments[:1] if arguments[1:] == (...,) else arguments
        return tuple(_make(part, numbers, secret=secret, marked=marked) for part in parts)
    if origin is frozenset:
        return frozenset({_make(arguments[0], numbers, secret=secret, marked=marked)})
    if origin in {Mapping, dict}:
        return {f"key{number}": _make(str, numbers, secret=secret, marked=marked)}
    if origin is not None:  # a ProviderConfig[…]
        return _value(SwedbankPay, numbers, marked=marked)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return list(hint)[number % len(hint)]
    if dataclasses.is_dataclass(hint):
        return _value(hint, numbers, marked=marked)
    return _plain(hint, number, f"{MARK}-{number}" if secret else f"text{number}")


def _plain(hint: Any, number: int, said: str) -> Any:
    makers: dict[Any, Any] = {
        str: said,
        bytes: said.encode(),
        int: number,
        float: number / 4,
        bool: bool(number % 2),
        object: said,
        Any: said,
        Secret: Secret(said),
        Decimal: Decimal(number),
        Path: Path(said),
        datetime: NOON + timedelta(minutes=number),
        date: NOON.date() + timedelta(days=number),
        timedelta: timedelta(minutes=number),
    }
    return makers[hint]
