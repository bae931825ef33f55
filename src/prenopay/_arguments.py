"""Checks what a host hands over against the annotations, once, at the door.

A wrong type is refused before anything is stored or sent, and so is a text with a character that no database stores
or no terminal shows. The error names the argument, says what it must be, and never shows the value, which may be a
secret. What has one meaning only is converted: the text of an enum's member, the text of a secret, a list where a tuple
is kept.

An id that no id can have is checked first of all: it may come from a stranger, who made it long or strange.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime
from enum import Enum
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    NoReturn,
    TypeAlias,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from prenopay._redaction import Secret
from prenopay._text import flaw, quoted
from prenopay.errors import ConfigurationError, InvalidOrder, NotFound, PrenopayError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["check_arguments", "check_fields", "fitted", "refuse_argument", "refuse_setting"]

ClassT = TypeVar("ClassT", bound=type)

Refuse: TypeAlias = Callable[[str, str], NoReturn]
"""Raises the error about an argument: its name, and the whole sentence."""

_WORDS: Final[Mapping[object, str]] = {
    NoneType: "None",
    str: "a text (str)",
    int: "a whole number (int)",
    float: "a number (float or int)",
    bool: "True or False",
    bytes: "bytes",
}
_EXAMPLES: Final[Mapping[str, str]] = {
    "Money": "Money in minor units, such as Money(14900, 'SEK')",
    "date": "a date (datetime.date)",
    "datetime": "a time with its zone (datetime.datetime)",
    "timedelta": "a length of time (datetime.timedelta)",
}
_ABOUT: Final = ("operation_id", "payment_id")
"""The arguments that an error is about."""
_IDS: Final = ("after", "mandate_id", "operation_id", "payment_id")
"""The arguments that name something in the books, or will: every id is 1 to 100 visible ASCII characters."""
_ID: Final = re.compile(r"[!-~]{1,100}")
_STRANGERS: Final = frozenset({"method", "path"})
"""The arguments that a stranger's request brings along: any character may be in them, and none of them is stored."""


class _Unfit(Exception):
    """A value that an annotation does not take; ``within`` is the place inside of the argument."""

    def __init__(self, why: str, within: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.within = within


def refuse_argument(name: str, why: str) -> NoReturn:
    """Raise ``InvalidOrder`` about an argument or a field."""
    raise InvalidOrder(why, field=name)


def refuse_setting(_name: str, why: str) -> NoReturn:
    """Raise ``ConfigurationError`` about a setting."""
    raise ConfigurationError(why)


def check_fields(
    value: DataclassInstance, refuse: Refuse = refuse_argument, *, prefix: str = "", any_text: bool = False
) -> None:
    """Check every field of a frozen dataclass that is being made, and convert what has one meaning only.

    ``refuse`` is called with the field's name after ``prefix``. ``any_text``: strangers wrote the texts, and any
    character may be in them.
    """
    hints = _hints(type(value))
    for each in fields(value):
        given = getattr(value, each.name)
        fit = fitted(f"{prefix}{each.name}", given, hints.get(each.name, object), refuse, any_text=any_text)
        if fit is not given:
            object.__setattr__(value, each.name, fit)


def check_arguments(refuse: Refuse) -> Callable[[ClassT], ClassT]:
    """Return a decorator that checks the arguments of a class's public methods before the methods run.

    An error of such a call knows the ``operation_id`` and the ``payment_id`` that the host named.
    """

    def decorate(cls: ClassT) -> ClassT:
        for name, function in list(vars(cls).items()):
            if name.startswith("_") or not inspect.isfunction(function):
                continue
            wrap = _awaiting if inspect.iscoroutinefunction(function) else _plain
            setattr(cls, name, wrap(function, refuse))
        return cls

    return decorate


def fitted(name: str, value: object, kind: object, refuse: Refuse, *, any_text: bool = False) -> Any:
    """Return ``value`` as the annotation ``kind`` takes it, or call ``refuse``."""
    try:
        fit = _fit(value, kind)
        if not any_text:
            _refuse_flaws(fit)
    except _Unfit as unfit:
        attribute = getattr(value, name, None)  # a payment where its payment_id is wanted
        hint = f": pass its .{name}" if isinstance(attribute, str) else ""
        place = f" {unfit.within}" if unfit.within else ""
        refuse(name, f"{name}:{place} {unfit.why}{hint}")
    return fit


def _refuse_flaws(value: object) -> None:
    """Refuse a text, also one deep inside of what becomes JSON, that has a flaw."""
    if isinstance(value, str):
        if found := flaw(value):
            _fail(f"must not hold the character {found}, which cannot be stored and shown")
    elif isinstance(value, Mapping):
        for key, member in cast("Mapping[object, object]", value).items():
            _refuse_flaws(key)
            _refuse_flaws(member)
    elif isinstance(value, list | tuple):
        for member in cast("Sequence[object]", value):
            _refuse_flaws(member)


def _plain(function: Callable[..., Any], refuse: Refuse) -> Callable[..., Any]:
    signature = inspect.signature(function)

    @functools.wraps(function)
    def checked(*args: object, **kwargs: object) -> object:
        try:
            call, _about = _bound(function, signature, args, kwargs, refuse)
        finally:
            del args, kwargs  # error trackers show the variables of this frame
        return call()

    return checked


def _awaiting(function: Callable[..., Awaitable[Any]], refuse: Refuse) -> Callable[..., Any]:
    signature = inspect.signature(function)

    @functools.wraps(function)
    async def checked(*args: object, **kwargs: object) -> object:
        try:
            call, about = _bound(function, signature, args, kwargs, refuse)
        finally:
            del args, kwargs  # error trackers show the variables of this frame
        try:
            return await call()
        except PrenopayError as error:
            error.about(**about)
            raise

    return checked


def _bound(
    function: Callable[..., Any],
    signature: inspect.Signature,
    args: Sequence[object],
    kwargs: Mapping[str, object],
    refuse: Refuse,
) -> tuple[Callable[[], Any], dict[str, Any]]:
    """Return the call with arguments that fit, and what it is about. No frame of an error shows the arguments."""
    try:
        bound = _all_fitted(function, signature, signature.bind(*args, **kwargs), refuse)
    except (TypeError, ValueError) as error:
        del args, kwargs
        raise error.with_traceback(None) from None
    about = {each: bound.arguments.get(each) for each in _ABOUT}
    return lambda: function(*bound.args, **bound.kwargs), about


def _all_fitted(
    function: Callable[..., Any], signature: inspect.Signature, bound: inspect.BoundArguments, refuse: Refuse
) -> inspect.BoundArguments:
    hints = _hints(function)
    for name in _IDS:
        given = bound.arguments.get(name)
        if isinstance(given, str) and not _ID.fullmatch(given):
            _refuse_id(signature.parameters[name], given)
    for name, given in bound.arguments.items():
        if name != "self":
            any_text = name in _STRANGERS
            bound.arguments[name] = fitted(name, given, hints.get(name, object), refuse, any_text=any_text)
    return bound


def _refuse_id(parameter: inspect.Parameter, given: str) -> NoReturn:
    """Refuse an id that no id can have. One that is to be looked up names nothing; a new one is the host's mistake."""
    name = parameter.name
    why = f"{name} must be 1 to 100 visible ASCII characters without spaces, not {quoted(given)}"
    if name == "operation_id" and parameter.kind is inspect.Parameter.KEYWORD_ONLY:
        raise InvalidOrder(why, field=name).about(operation_id=given)
    message = f"nothing here has such an id: {why}"
    raise NotFound(message).about(**{name: given} if name in _ABOUT else {})


@functools.cache
def _hints(annotated: Any) -> Mapping[str, Any]:
    """Return the annotations. Those that name what only a type checker imports are not checked."""
    try:
        return get_type_hints(annotated)
    except NameError:
        return {}


def _fit(value: object, kind: object) -> object:
    origin: Any = get_origin(kind)
    inside = get_args(kind)
    if origin in (UnionType, Union):
        return _fit_one_of(value, inside)
    if origin in (tuple, Sequence) and inside:
        return _fit_many(value, inside[0])
    if origin is Mapping and inside:
        return _fit_mapping(value, *inside)
    wanted: Any = origin or kind
    if wanted is Callable or getattr(wanted, "__name__", "") == "Callable":
        return value if callable(value) else _unfit(value, "a function")
    if wanted is None:
        wanted = NoneType
    if not isinstance(wanted, type) or wanted is object or getattr(wanted, "_is_protocol", False):
        return value
    return _fit_class(value, wanted)


def _fit_class(value: object, wanted: type[Any]) -> object:
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return value
    is_another = (wanted is int and isinstance(value, bool)) or (wanted is date and isinstance(value, datetime))
    if isinstance(value, wanted) and not is_another:  # Python lets a bool pass as a number, and a time as a day
        return value
    if issubclass(wanted, Enum):
        return _member(value, wanted)
    if wanted is Secret and isinstance(value, str):
        return Secret(value) if value else _fail("must not be empty")
    if isinstance(value, type) and issubclass(value, wanted):
        _fail(f"must be an instance, such as {value.__name__}(...), not the class {value.__name__}")
    return _unfit(value, _name(wanted))


def _fit_one_of(value: object, kinds: Iterable[object]) -> object:
    """Return ``value`` as it is if one of ``kinds`` takes it so; otherwise as the first that can convert it."""
    some = [kind for kind in kinds if kind is not NoneType]
    if len(some) == 1 and value is not None:
        return _fit(value, some[0])  # its error says more
    first: object = None
    for kind in kinds:
        try:
            fit = _fit(value, kind)
        except _Unfit:
            continue
        if fit is value:
            return value
        first = fit if first is None else first
    if first is None:
        _unfit(value, " or ".join(map(_name, kinds)))
    return first


def _fit_many(value: object, kind: object) -> object:
    if not isinstance(value, tuple | list):
        name = _name(kind)
        _unfit(value, f"a tuple or list, each {name}", hint="; put brackets around the one there is: [one]")
    given, fit = cast("list[object] | tuple[object, ...]", value), list[object]()
    for number, each in enumerate(given):
        try:
            fit.append(_fit(each, kind))
        except _Unfit as unfit:
            raise _Unfit(unfit.why, f"[{number}]{unfit.within}") from None
    same = isinstance(given, tuple) and all(a is b for a, b in zip(fit, given, strict=True))
    return given if same else tuple(fit)


def _fit_mapping(value: object, key_kind: object, value_kind: object) -> object:
    if not isinstance(value, Mapping):
        _unfit(value, "a mapping (dict)")
    given = cast("Mapping[object, object]", value)
    for key, each in given.items():
        _fit(key, key_kind)
        try:
            _fit(each, value_kind)
        except _Unfit as unfit:
            raise _Unfit(unfit.why, f"[{quoted(key)}]{unfit.within}") from None
    return given


def _member(value: object, wanted: type[Enum]) -> Enum:
    if isinstance(value, str):
        for each in wanted:
            if value in (each.value, each.name, each.name.lower()):
                return each
    shown = quoted(value) if isinstance(value, str) else type(value).__name__
    texts = (each.value if isinstance(each.value, str) else each.name.lower() for each in wanted)
    return _fail(f"must be {wanted.__name__}: one of {', '.join(texts)}; not {shown}")


def _name(kind: object) -> str:
    plain: Any = get_origin(kind) or kind
    name = getattr(plain, "__name__", str(plain))
    return _WORDS.get(NoneType if kind is None else plain) or _EXAMPLES.get(name) or name


def _unfit(value: object, wanted: str, *, hint: str = "") -> NoReturn:
    given = "None" if value is None else type(value).__name__
    _fail(f"must be {wanted}, not {given}{hint}")


def _fail(why: str) -> NoReturn:
    raise _Unfit(why)
