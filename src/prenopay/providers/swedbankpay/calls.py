"""The requests of an account, and what their answers are: a payment order, a decline, or an error to raise."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, TypeAlias

from prenopay._hidden import HiddenText, raise_alone
from prenopay._redaction import MASK, Secret
from prenopay._text import quoted
from prenopay.errors import ForeignAnswer, ProviderError, UnexpectedAnswer
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.provider import ChangeRequest, Observation, TransactionKind
from prenopay.provider.wire import Unreadable, is_success, read, read_object
from prenopay.providers.swedbankpay import _wire
from prenopay.providers.swedbankpay.config import SwedbankPayAccount
from prenopay.providers.swedbankpay.problems import decline_of, error_of, unreadable_error
from prenopay.providers.swedbankpay.reading import observation_of
from prenopay.values.payments import Decline

__all__ = [
    "ORDERS",
    "Calls",
    "Declined",
    "KnownOrder",
    "expanded",
    "hidden",
    "is_order_id",
    "order_in",
    "order_made",
    "problem_in",
    "refusal",
    "unexpected",
]

ORDERS: Final = "/psp/paymentorders"
"""The only path that is known beforehand; every other one comes in an answer."""
_ORDER_ID: Final = re.compile(r"/psp/paymentorders/[\w~-][\w.~-]*")
_VERSIONED: Final = "application/json;version=3.1"
_ACCEPT: Final = "application/json;version=3.1, application/problem+json;q=0.9"
_EXPAND: Final = (
    "$expand=payeeinfo,paid,cancelled,reversed,failed,aborted,failedattempts,"
    "financialtransactions,postpurchasefailedattempts"
)
_TOO_SHORT_TO_HIDE: Final = 8
"""A token is a GUID. Masking every "1" would make an answer unreadable."""

Declines: TypeAlias = Callable[[_wire.Problem, int], bool]
"""Says which problems, with which HTTP status, are a decline of the call."""


class Calls:
    """Writes the requests of one account."""

    def __init__(self, config: SwedbankPayAccount[object]) -> None:
        """Use the token of ``config``."""
        self._headers = (
            ("authorization", f"Bearer {config.access_token.reveal()}"),
            ("accept", _ACCEPT),
            ("content-type", _VERSIONED),
            ("user-agent", "prenopay"),
        )

    def request(self, method: str, url: str, label: str, body: bytes = b"", *, retry_safe: bool = False) -> HttpRequest:
        """Return the request; logs and errors call it ``label``."""
        return HttpRequest(method=method, url=url, label=label, headers=self._headers, body=body, retry_safe=retry_safe)


def expanded(url: str) -> str:
    """Return ``url`` with the query that asks for every node of an order; it works with every method."""
    return f"{url}{'&' if '?' in url else '?'}{_EXPAND}"


@dataclass(frozen=True, slots=True)
class KnownOrder:
    """A payment order as read: the observation, and the links of what can be done."""

    observation: Observation
    links: Mapping[str, HiddenText]

    def has(self, request: ChangeRequest, kind: TransactionKind) -> bool:
        """Whether the order lists what ``request`` asks for.

        Raises ``ForeignAnswer`` if its reference is on something else, which another system must have asked for.
        """
        under = [each for each in self.observation.transactions if each.reference == request.reference]
        amount = None if kind is TransactionKind.RELEASE else request.amount
        for each in under:
            if each.kind is not kind or (amount is not None and each.amount not in {None, amount}):
                message = f"{kind}: our reference {request.reference} is on a {each.kind} of {each.amount}"
                raise ForeignAnswer(message, advice="find out who made it, then settle this operation by hand")
        return bool(under)


class Declined(Exception):
    """A request that was declined."""

    def __init__(self, decline: Decline) -> None:
        super().__init__(decline.text)
        self.decline = decline


def is_order_id(text: str) -> bool:
    """Whether ``text`` is the id of a payment order, which is a path below the API's address."""
    return _ORDER_ID.fullmatch(text) is not None


def order_in(
    answer: HttpResponse, label: str, currency: str, *, declines: Declines | None = None, named: str = ""
) -> KnownOrder:
    """Read an answer that should be a payment order, ``named`` so if that is given; raise what it is instead.

    A problem that ``declines`` accepts raises ``Declined``. Another order raises ``ForeignAnswer``: its links would
    move another payer's money.
    """
    if not is_success(answer):
        raise refusal(answer, label, declines=declines)
    try:
        order, observed = _order_of(answer, currency)
    except ValueError as error:
        what = f"something that is not a payment order: {error}"
        raise_alone(unexpected(answer, label, what))
    if named and order.payment_order.id != named:
        message = f"{label}: the gateway answered with order {quoted(order.payment_order.id)}, we asked for {named}"
        raise ForeignAnswer(message, http_status=answer.status)
    links = {operation.rel: HiddenText(operation.href) for operation in order.operations}
    return KnownOrder(observed, MappingProxyType(links))


def _order_of(answer: HttpResponse, currency: str) -> tuple[_wire.OrderAnswer, Observation]:
    """Read an order as it was sent and in our words; raises ``ValueError``, whose frames hold what was decoded."""
    decoded = read_object(answer.body)
    order = read(_wire.OrderAnswer, decoded)
    return order, observation_of(order, currency=currency, raw=decoded)


def order_made(answer: HttpResponse, label: str, currency: str, *, declines: Declines | None = None) -> KnownOrder:
    """Read an answer that should be a new payment order, which can be read by its id later."""
    order = order_in(answer, label, currency, declines=declines)
    made = order.observation.provider_reference
    if not is_order_id(made):
        what = f"an id that is not that of a payment order: {quoted(made)}"
        raise unexpected(answer, label, what)
    return order


def problem_in(answer: HttpResponse) -> _wire.Problem | None:
    """Read the problem in an answer; ``None`` if there is none."""
    try:
        problem = read(_wire.Problem, read_object(answer.body))
    except Unreadable:
        return None
    return problem if problem.type or problem.problems or problem.title else None


def refusal(answer: HttpResponse, label: str, *, declines: Declines | None = None) -> ProviderError | Declined:
    """Return what an answer that is not a success means."""
    problem, wait = problem_in(answer), answer.retry_after
    if problem is None:
        return unreadable_error(answer.status, retry_after=wait, call=label)
    if declines and declines(problem, answer.status):
        return Declined(decline_of(problem, answer.moment("date")))
    return error_of(problem, answer.status, retry_after=wait, call=label)


def unexpected(answer: HttpResponse, label: str, what: str) -> UnexpectedAnswer:
    """Return the error for a success whose body is not what it should be."""
    message = f"{label}: the gateway answered {answer.status} with {what}"
    return UnexpectedAnswer(message, http_status=answer.status)


def hidden(answer: HttpResponse, secret: Secret) -> HttpResponse:
    """Return ``answer`` with ``secret`` masked: a refusal may repeat the token that it refuses."""
    value = secret.reveal()
    if len(value) < _TOO_SHORT_TO_HIDE:
        return answer
    masked = re.sub(re.escape(value.encode()), MASK.encode(), answer.body, flags=re.IGNORECASE)
    return replace(answer, body=masked)
