"""How a request's body is read before it is judged, and how what is wrong with it is refused."""

from __future__ import annotations

from collections.abc import Iterable

from prenopay.testing.emulators.jsonvalues import JsonObject, as_object, read_json
from prenopay.testing.emulators.swedbankpay.problems import FieldProblem, input_error
from prenopay.testing.http import EmulatorRequest

__all__ = ["json_body", "refuse"]


def json_body(request: EmulatorRequest) -> JsonObject:
    """Return the JSON object in the body; raises ``Refusal`` for anything else."""
    try:
        body = as_object(read_json(request.body))
    except ValueError:
        body = None
    if body is None:
        raise input_error(FieldProblem("Body", "The body must be a JSON object."))
    return body


def refuse(problems: Iterable[FieldProblem], *, strict: bool) -> None:
    """Raise ``Refusal`` if there are problems; unknown members are one only to the ``strict``."""
    found = [entry for entry in problems if strict or not entry.is_unknown_member]
    if found:
        raise input_error(*found)
