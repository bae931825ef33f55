"""Problems (RFC 7807) as the gateway words them: types that clients branch on, texts for people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from prenopay.testing.http import JsonObject

_TYPES: Final = "https://api.payex.com/psp/errordetail/"
"""The same in every environment: a name, not an address."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one field (``PaymentOrder.Amount``), or what one source said."""

    name: str
    description: str


class Refusal(Exception):
    """The request is refused with ``status`` and ``body``; nothing has happened."""

    def __init__(self, body: JsonObject, *, status: int = 0) -> None:
        """Refuse with a problem, whose status is the answer's unless another is given."""
        super().__init__(str(body.get("detail", "")))
        self.body = body
        self.status: int = status or int(str(body["status"]))


def problem(word: str, *, status: int, title: str, detail: str, problems: Iterable[FieldProblem] = ()) -> JsonObject:
    """Return a problem whose type ends in ``word``."""
    body: JsonObject = {"type": f"{_TYPES}{word}", "title": title, "status": status, "detail": detail}
    named = [{"name": entry.name, "description": entry.description} for entry in problems]
    return {**body, "problems": named} if named else body


def input_error(*problems: FieldProblem, status: int = 400) -> Refusal:
    """Return the refusal of a request whose fields are wrong."""
    title, detail = "The request has errors", "One or more fields were not accepted; problems names them."
    return Refusal(problem("paymentorders/inputerror", status=status, title=title, detail=detail, problems=problems))


def forbidden(*, name: str, why: str) -> Refusal:
    """Return the refusal of an operation that the order's state does not allow."""
    title, detail = "The operation is not allowed", "The order does not allow this now; problems says why."
    reason = FieldProblem(name, why)
    return Refusal(problem("forbidden", status=403, title=title, detail=detail, problems=[reason]))


def no_agreement(*, why: str) -> Refusal:
    """Return the refusal of what the merchant's agreement does not allow."""
    return Refusal(problem("configurationerror", status=403, title="Configuration error", detail=why))


def not_found(*, what: str) -> Refusal:
    """Return the refusal of a resource that this merchant does not have."""
    return Refusal(problem("notfound", status=404, title="Not found", detail=f"There is no {what}."))
