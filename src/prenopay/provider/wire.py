"""What the wire models of all providers share: the bases of what is sent and read, and how JSON is decoded.

Out: strict and closed, so that a misspelled field fails here. In: open. Member names are compared in lower
case, because gateways change their case; unknown members are ignored. Only this module and the ``_wire``
modules of providers know pydantic.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, ClassVar, Final, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from prenopay._hidden import HiddenBytes
from prenopay._text import shown
from prenopay.ports import HttpResponse

__all__ = [
    "In",
    "Out",
    "Text",
    "Unreadable",
    "as_text",
    "is_success",
    "json_bytes",
    "lowered",
    "members_of",
    "read",
    "read_json",
    "read_object",
    "shown_members",
]

ModelT = TypeVar("ModelT", bound="In")

_DEPTH_MOST: Final = 40
"""The deepest known answer, a payment order, has some eight levels."""
_NESTED: Final = frozenset({dict, list})
_NAMES_MOST: Final = 12
_NAME_MOST: Final = 40


class Unreadable(ValueError):
    """A body that is not what the gateway sends; the message says why, without the body."""


class _Hidden(BaseModel):
    """A model whose ``repr`` shows none of its members: error trackers show the variables of frames."""

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Return nothing to show."""
        return ()


class Out(_Hidden):
    """A request body, or a part of one. Members are named in camel case."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        strict=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object without the members that are ``None``."""
        return self.model_dump(by_alias=True, exclude_none=True)


class In(_Hidden):
    """A part of an answer. ``read`` puts the member names in lower case first."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        alias_generator=lambda name: name.replace("_", ""),
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )


def as_text(value: object) -> str:
    """Return a JSON value as text; objects, arrays and ``null`` are empty."""
    return "" if value is None or isinstance(value, dict | list) else str(value)


Text = Annotated[str, BeforeValidator(as_text)]


def json_bytes(body: object) -> HiddenBytes:
    """Return ``body`` as compact JSON, hidden: the same value always gives the same bytes."""
    return HiddenBytes(json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode())


def read_json(body: bytes | str, *, exact: bool = False) -> Any:
    """Decode JSON; raises ``Unreadable``. ``exact`` reads numbers with a point as ``Decimal``, and refuses ``NaN``.

    What nests deeper than any gateway's answer is refused too, so that nobody who reads on need count.
    """
    exactly: dict[str, Any] = {"parse_float": Decimal, "parse_constant": _refuse_constant} if exact else {}
    try:
        decoded = json.loads(body, **exactly)
    except (ValueError, RecursionError, InvalidOperation) as error:
        message = "the body is empty" if not body.strip() else f"the body is not JSON ({type(error).__name__})"
    else:
        if not _is_too_deep(decoded):
            return decoded
        message = f"the body nests more than {_DEPTH_MOST} deep"
        del decoded
    del body  # error trackers show the variables of this frame
    raise Unreadable(message)


def read_object(body: bytes | str, *, exact: bool = False) -> dict[str, Any]:
    """Decode a JSON object; raises ``Unreadable`` for anything else."""
    decoded = read_json(body, exact=exact)
    if isinstance(decoded, dict):
        return cast("dict[str, Any]", decoded)
    message = f"the body is a JSON {type(decoded).__name__}, not an object"
    del body, decoded  # error trackers show the variables of this frame
    raise Unreadable(message)


def read(model: type[ModelT], decoded: Mapping[str, Any]) -> ModelT:
    """Read decoded JSON as ``model``; raises ``Unreadable`` that names the member at fault."""
    try:
        return model.model_validate(lowered(decoded))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the body"
        message = f"{place}: {first['msg']}"
    del decoded  # error trackers show the variables of this frame
    raise Unreadable(message)


def lowered(value: Any) -> Any:
    """Put member names in lower case at every level, and make texts fit to be shown, stored and sent on.

    One pass, because every answer goes through it.
    """
    if type(value) is dict:
        members = cast("dict[str, Any]", value)
        return {name.lower(): lowered(member) for name, member in members.items()}
    if type(value) is list:
        return [lowered(member) for member in cast("Any", value)]
    return shown(value) if type(value) is str else value


def members_of(value: Any) -> dict[str, Any]:
    """Return the members of a JSON object by their names in lower case; anything else has none."""
    if not isinstance(value, Mapping):
        return {}
    return {name.lower(): member for name, member in cast("Mapping[str, Any]", value).items()}


def shown_members(members: Mapping[str, Any]) -> str:
    """Return the member names for an error message: one readable line, even if a stranger chose the names."""
    shown = [name if name.isidentifier() and len(name) <= _NAME_MOST else "…" for name in sorted(members)]
    return ", ".join(shown[:_NAMES_MOST]) or "none"


def is_success(answer: HttpResponse) -> bool:
    """Whether the gateway accepted the request; the result is in the body."""
    return 200 <= answer.status < 300  # noqa: PLR2004 - success


def _is_too_deep(decoded: Any) -> bool:
    """Whether a body nests too deep. It is seen level by level, because recursion has an end too."""
    level = [decoded]
    for _ in range(_DEPTH_MOST + 1):
        level = [member for each in level for member in _inside(each) if type(member) in _NESTED]
        if not level:
            return False
    return True


def _inside(value: Any) -> Iterable[Any]:
    if type(value) is dict:
        return cast("dict[str, Any]", value).values()
    return cast("Any", value) if type(value) is list else ()


def _refuse_constant(name: str) -> None:
    message = f"{name} is not a number"
    raise ValueError(message)
