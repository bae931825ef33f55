"""Compares an object that Swish has under our UUID with the request that we send under it. Pure.

A UUID alone does not make an object ours: another system of the merchant's may have used it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from prenopay.errors import ForeignAnswer
from prenopay.provider.wire import as_text, members_of, read_object
from prenopay.providers.swish import _wire

__all__ = ["differences", "names_us", "require_ours"]

_CLOCKS_AGREE_WITHIN: Final = timedelta(seconds=60)
"""How far the gateway's clock may be behind ours; ``doctor`` complains about more."""
_NAMES: Final = (
    "payee_alias",
    "payer_alias",
    "payee_payment_reference",
    "payer_payment_reference",
    "original_payment_reference",
)
"""Members that an answer may leave out; then they say nothing."""


def differences(found: _wire.Money, body: bytes) -> list[str]:
    """Return the members of ``body``, a request of ours, that ``found`` has with another value."""
    sent = members_of(read_object(body, exact=True))
    asked = _wire.Asked.model_validate(members_of(sent.get("payload")) or sent)
    wrong = [name for name in ("amount", "currency") if getattr(found, name) != getattr(asked, name)]
    for name in _NAMES:
        ours, theirs = getattr(asked, name), getattr(found, name, "")
        if ours and theirs and ours != theirs:
            wrong.append(name)
    if found.callback_url and not names_us(found, body):
        wrong.append("callback_url")
    return wrong


def require_ours(call: str, found: _wire.Money, body: bytes, first_tried_at: datetime | None) -> None:
    """Raise ``ForeignAnswer`` unless ``found`` is what ``body`` asks for, and not older than our first try."""
    wrong = differences(found, body)
    made_at = found.date_created
    if made_at is not None and first_tried_at is not None and made_at < first_tried_at - _CLOCKS_AGREE_WITHIN:
        wrong.append("its age")
    if wrong:
        message = (
            f"{call}: under our reference the gateway has something else: it differs from our request in "
            f"{', '.join(wrong)}; another system may use the merchant's number"
        )
        raise ForeignAnswer(message, advice="find out which, then settle this operation by hand")


def names_us(found: _wire.Money | _wire.Consent, body: bytes) -> bool:
    """Whether an object reports to the subject that ``body`` names: nobody else can know the id of that.

    The signature at the end of our address is left out, because the host's keys change.
    """
    asked = as_text(members_of(read_object(body)).get("callbackurl"))
    subject = asked.rstrip("/").rpartition("/")[0]
    return bool(subject) and subject.rpartition("/")[2] in found.callback_url
