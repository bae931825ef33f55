"""What an answer of the gateway's is: a payment order, somebody's no, or an error to raise. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Final

from prenopay._redaction import MASK, Secret
from prenopay.errors import ProviderError, UnexpectedAnswer
from prenopay.ports import HttpResponse
from prenopay.provider import Observation
from prenopay.providers.swedbankpay import _wire
from prenopay.providers.swedbankpay.problems import decline_of, error_of, unreadable_error
from prenopay.providers.swedbankpay.reading import observation_of
from prenopay.values.payments import Decline

__all__ = [
    "Declined",
    "KnownOrder",
    "date_of",
    "hidden",
    "is_order_id",
    "is_success",
    "order_in",
    "problem_in",
    "refusal",
    "unexpected",
]

_ORDER_ID: Final = re.compile(r"/psp/paymentorders/[\w~-][\w.~-]*")
_TOO_SHORT_TO_HIDE: Final = 8
"""A token is a GUID; putting a mask for every "1" would make an answer unreadable."""


class KnownOrder:
    """A payment order as read: the observation, and the links of what can be done."""

    __slots__ = ("links", "observation")

    def __init__(self, observation: Observation, links: Mapping[str, str]) -> None:
        self.observation: Observation = observation
        self.links: Mapping[str, str] = links

    def has(self, reference: str) -> bool:
        """Whether one of the order's transactions carries ``reference``."""
        return any(each.reference == reference for each in self.observation.transactions)


class Declined(Exception):
    """A request that was answered with somebody's no."""

    def __init__(self, decline: Decline) -> None:
        super().__init__(decline.text)
        self.decline = decline


def is_success(answer: HttpResponse) -> bool:
    """Whether the gateway took the request; what became of it stands in the body."""
    return 200 <= answer.status < 300  # noqa: PLR2004 - success


def is_order_id(text: str) -> bool:
    """Whether ``text`` is the id of a payment order, which is a path below the API's address."""
    return _ORDER_ID.fullmatch(text) is not None


def order_in(
    answer: HttpResponse,
    label: str,
    currency: str,
    *,
    declines: Callable[[_wire.Problem, int], bool] | None = None,
) -> KnownOrder:
    """Read an answer that should be a payment order; raise what it is instead.

    ``declines`` says which problems are somebody's no to this call: those raise ``Declined``.
    """
    if not is_success(answer):
        raise refusal(answer, label, declines=declines)
    try:
        decoded = _wire.read_object(answer.body)
        order = _wire.read(_wire.OrderAnswer, decoded)
        observed = observation_of(order, currency=currency, raw=decoded)
    except ValueError as error:
        what = f"something that is not a payment order: {error}"
        raise unexpected(answer, label, what) from error
    links = {operation.rel: operation.href for operation in order.operations}
    return KnownOrder(observed, MappingProxyType(links))


def problem_in(answer: HttpResponse) -> _wire.Problem | None:
    """Read the problem an answer holds, ``None`` where it holds none."""
    try:
        problem = _wire.read(_wire.Problem, _wire.read_object(answer.body))
    except _wire.Unreadable:
        return None
    return problem if problem.type or problem.problems or problem.title else None


def refusal(
    answer: HttpResponse,
    label: str,
    *,
    declines: Callable[[_wire.Problem, int], bool] | None = None,
) -> ProviderError | Declined:
    """Return what an answer that is not a success means."""
    stated = answer.header("retry-after") or ""
    retry_after = float(stated) if stated.isdecimal() else None
    problem = problem_in(answer)
    if problem is None:
        return unreadable_error(answer.status, retry_after=retry_after, call=label)
    if declines and declines(problem, answer.status):
        return Declined(decline_of(problem, date_of(answer)))
    return error_of(problem, answer.status, retry_after=retry_after, call=label)


def unexpected(answer: HttpResponse, label: str, what: str) -> UnexpectedAnswer:
    """Return the error for a success that says something else than it should."""
    message = f"{label}: the gateway answered {answer.status} with {what}"
    return UnexpectedAnswer(message, http_status=answer.status)


def date_of(answer: HttpResponse) -> datetime | None:
    """Return when the gateway says it answered."""
    try:
        read = parsedate_to_datetime(answer.header("date") or "")
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def hidden(answer: HttpResponse, secret: Secret) -> HttpResponse:
    """Return ``answer`` with ``secret`` masked: a refusal may repeat the token it refuses."""
    value = secret.reveal()
    if len(value) < _TOO_SHORT_TO_HIDE:
        return answer
    masked = re.sub(re.escape(value.encode()), MASK.encode(), answer.body, flags=re.IGNORECASE)
    return replace(answer, body=masked)
