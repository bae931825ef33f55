"""Problems (RFC 7807) as the gateway words them: types that clients branch on, texts for people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from prenopay.testing.emulators.jsonvalues import JsonObject

__all__ = ["FieldProblem", "Refusal", "forbidden", "input_error", "no_agreement", "not_found", "problem"]

_TYPES: Final = "https://api.payex.com/psp/errordetail/"
"""The same in every environment: a name, not an address."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one field (``PaymentOrder.Amount``), or what one source said."""

    name: str
    description: str
    is_unknown_member: bool = False


class Refusal(Exception):
    """The request is refused with ``status`` and ``body``; nothing has happened."""

    def __init__(self, body: JsonObject, *, status: int) -> None:
        """Refuse with a problem."""
        super().__init__(str(body.get("detail", "")))
        self.body = body
        self.status = status


def problem(
    kind: str,
    *,
    status: int,
    title: str,
    detail: str,
    problems: Iterable[FieldProblem] = (),
) -> JsonObject:
    """Return a problem whose type ends in ``kind``."""
    body: JsonObject = {"type": f"{_TYPES}{kind}", "title": title, "status": status, "detail": detail}
    named = [{"name": entry.name, "description": entry.description} for entry in problems]
    return {**body, "problems": named} if named else body


def input_error(*problems: FieldProblem, status: int = 400) -> Refusal:
    """Return the refusal of a request whose fields are wrong."""
    body = problem(
        "paymentorders/inputerror",
        status=status,
        title="The request has errors",
        detail="One or more fields were not accepted; problems names them.",
        problems=problems,
    )
    return Refusal(body, status=status)


def forbidden(reason: FieldProblem) -> Refusal:
    """Return the refusal of an operation that the order's state does not allow."""
    body = problem(
        "forbidden",
        status=403,
        title="The operation is not allowed",
        detail="The order does not allow this now; problems says why.",
        problems=[reason],
    )
    return Refusal(body, status=403)


def no_agreement(*, why: str) -> Refusal:
    """Return the refusal of what the merchant's agreement does not hold."""
    body = problem("configurationerror", status=403, title="Configuration error", detail=why)
    return Refusal(body, status=403)


def not_found(*, what: str) -> Refusal:
    """Return the refusal of a resource that this merchant does not have."""
    return Refusal(problem("notfound", status=404, title="Not found", detail=f"There is no {what}."), status=404)
