"""The keys of ``prenopay.toml``, from the dataclasses that contain them."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from enum import Enum
from typing import Any, get_origin, get_type_hints

from from_code.markdown import Texts, code, table
from prenopay import Secret
from prenopay.cli import settings
from prenopay.provider import ProviderConfig
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.providers.swish import KeyMaterial, Swish

__all__ = ["swedbankpay_keys", "swish_keys", "top_keys"]


def top_keys(texts: Texts) -> str:
    """Return the keys at the top of the file."""
    return table(("Key", "Meaning"), [(code(key), texts[key]) for key in settings._TOP_KEYS])  # noqa: SLF001


def swedbankpay_keys(texts: Texts) -> str:
    """Return the keys of a Swedbank Pay account."""
    return _keys(SwedbankPay, texts)


def swish_keys(texts: Texts) -> str:
    """Return the keys of a Swish account."""
    return _keys(Swish, texts)


def _keys(config: type[ProviderConfig[Any]], texts: Texts) -> str:
    hints = get_type_hints(config)
    rows = [
        (code(each.name), _kind(hints[each.name]), _default(each), texts[each.name])
        for each in sorted(fields(config), key=lambda each: each.default is not MISSING)  # required ones first
        if each.name != "account"
    ]
    return table(("Key", "Value", "Default", "Meaning"), rows)


def _kind(hint: Any) -> str:
    if hint == KeyMaterial:
        return "reference to a file"
    if hint in {Secret, Secret | str}:
        return "reference to a secret"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return " or ".join(code(member.name.lower()) for member in hint)
    if get_origin(hint) is tuple:
        return "list of texts"
    return {str: "text", float: "number", int: "whole number", bool: "true or false"}[hint]


def _default(each: Field[Any]) -> str:
    if each.default is MISSING:
        return "required"
    if isinstance(each.default, Enum):
        return code(each.default.name.lower())
    return code(each.default) if each.default not in ("", ()) else "none"
