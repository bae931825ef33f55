"""Checks what a host hands over against the annotations, once, at the door.

A wrong type is refused before anything is stored or sent, and so is a text with a character that no database stores
or no terminal shows. The error names the argument, says what it must be, and never shows the value, which may be a
secret. What has one meaning only is converted: the text of an enum's member, the text of a secret, a list where a tuple
is kept.

An id that no id can have is checked first of all: it may come from a stranger, who made it long or strange.
"""

from __future__ import annotations

import builtins
import functools
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Literal,
    NoReturn,
    Protocol,
    TypeAlias,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from prenopay._hidden import raise_alone
from prenopay._redaction import Secret
from prenopay._text import flaw, quoted
from prenopay.errors import ConfigurationError, InvalidOrder, NotFound, PrenopayError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "check_arguments",
    "check_fields",
    "checked_fields",
    "fitted",
    "refuse_argument",
    "refuse_misuse",
    "refuse_setting",
]

ClassT = TypeVar("ClassT", bound=type)
CheckedT = TypeVar("CheckedT", bound=Callable[..., Any])

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
    "timedelta": "a timedelta, such as timedelta(seconds=60)",
}
_ABOUT: Final = ("operation_id", "payment_id")
"""The arguments that an error is about."""
_IDS: Final = ("after", "mandate_id", "operation_id", "payment_id")
"""The arguments that name something in the books, or will: every id is 1 to 100 visible ASCII characters."""
_ID: Final = re.compile(r"[!-~]{1,100}")
_STRANGERS: Final = frozenset({"method", "path"})
"""The arguments that a stranger's request brings along: any character may be in them, and none of them is stored."""
_CALLED: Final = frozenset({"__init__", "__call__", "__getitem__"})
"""The special methods that hosts call with arguments of their own."""
_ANYTHING: Final[frozenset[type]] = frozenset({object})
"""What an annotation accepts that says nothing."""
_RECEIVERS: Final = frozenset({"self", "cls"})
_NOTHING: Final[frozenset[type]] = frozenset()
_BY_POSITION: Final = frozenset({inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD})
_MANY: Final = frozenset({inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD})


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


def refuse_misuse(_name: str, why: str) -> NoReturn:
    """Raise ``TypeError`` about an argument or a field of what no payer, order or setting is the reason of."""
    raise TypeError(why)


def check_fields(
    value: DataclassInstance, refuse: Refuse = refuse_argument, *, prefix: str = "", any_text: bool = False
) -> None:
    """Check every field of a frozen dataclass that is being made, and convert what has one meaning only.

    ``refuse`` is called with the field's name after ``prefix``. ``any_text``: strangers wrote the texts, and any
    character may be in them.
    """
    for name, accepted, kind in _fields_of(type(value)):
        given = getattr(value, name)
        if type(given) in accepted and (any_text or type(given) is not str or not flaw(given)):
            continue
        fit = fitted(f"{prefix}{name}", given, kind, refuse, any_text=any_text)
        if fit is not given:
            object.__setattr__(value, name, fit)


def checked_fields(cls: ClassT) -> ClassT:
    """Check the fields of a value that has no rules of its own; written below ``dataclass``. Raises ``TypeError``."""
    own = vars(cls).get("__post_init__")

    def __post_init__(self: Any) -> None:  # noqa: N807 - the name that dataclasses call
        check_fields(self, refuse_misuse, any_text=True)
        if own is not None:
            own(self)

    setattr(cls, "__post_init__", functools.wraps(own)(__post_init__) if own else __post_init__)  # noqa: B010 - the class has no such attribute for type checkers
    return cls


def check_arguments(refuse: Refuse, *, any_text: bool = False) -> Callable[[CheckedT], CheckedT]:
    """Return a decorator that checks the arguments of a function, or of a class's public methods, before they run.

    An error of an awaited call knows the ``operation_id`` and the ``payment_id`` that the host named. ``any_text``:
    tests may use texts and ids that no host can.
    """

    def decorate(target: CheckedT) -> CheckedT:
        if not isinstance(target, type):
            return cast("CheckedT", _checking(target, refuse, any_text=any_text))
        is_value = is_dataclass(target)
        members: dict[str, Any] = dict(vars(target))
        for name, member in members.items():
            if name.startswith("_") and name not in _CALLED:
                continue
            if name == "__init__" and is_value:
                continue  # its fields are checked
            if getattr(member, "__isabstractmethod__", False):
                continue
            if isinstance(member, classmethod | staticmethod):
                function: Any = cast("Any", member).__func__
                again: Any = classmethod if isinstance(member, classmethod) else staticmethod
                setattr(target, name, again(_checking(function, refuse, any_text=any_text)))
            elif inspect.isfunction(member):
                setattr(target, name, _checking(member, refuse, any_text=any_text))
        return cast("CheckedT", target)

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


def _checking(function: Any, refuse: Refuse, *, any_text: bool) -> Any:
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def awaiting(*args: object, **kwargs: object) -> object:
            try:
                call, about = _call(function, args, kwargs, refuse, any_text=any_text)
            finally:
                del args, kwargs  # error trackers show the variables of this frame
            try:
                return await call()
            except PrenopayError as error:
                error.about(**about)
                raise

        return awaiting

    @functools.wraps(function)
    def plain(*args: object, **kwargs: object) -> object:
        try:
            call, _about = _call(function, args, kwargs, refuse, any_text=any_text)
        finally:
            del args, kwargs  # error trackers show the variables of this frame
        return call()

    return plain


def _call(
    function: Any, args: tuple[object, ...], kwargs: dict[str, object], refuse: Refuse, *, any_text: bool
) -> tuple[Callable[[], Any], dict[str, Any]]:
    """Return the call with arguments that fit, and what it is about. No frame of an error shows the arguments."""
    plan = _plan(function)
    if not plan.takes(args, kwargs, any_text=any_text):
        try:
            args, kwargs = _fitting(function, args, kwargs, refuse, any_text=any_text)
        except (TypeError, ValueError) as error:
            del args, kwargs
            raise_alone(error.with_traceback(None))
    return _Ready(function, args, kwargs), plan.about(args, kwargs)


class _Ready:
    """A call with arguments that fit, which the variables of no frame show."""

    __slots__ = ("_args", "_function", "_kwargs")

    def __init__(self, function: Any, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        self._function, self._args, self._kwargs = function, args, kwargs

    def __call__(self) -> Any:
        return self._function(*self._args, **self._kwargs)


def _fitting(
    function: Any, args: tuple[object, ...], kwargs: dict[str, object], refuse: Refuse, *, any_text: bool
) -> tuple[tuple[object, ...], dict[str, object]]:
    """Return the arguments as the function takes them. What is given is checked before anybody asks what is missing."""
    plan = _plan(function)
    try:
        bound = plan.signature.bind_partial(*args, **kwargs)
    except TypeError:
        return args, kwargs  # too many, or an unknown name: Python says it best
    for name in () if any_text else _IDS:
        given = bound.arguments.get(name)
        if isinstance(given, str) and not _ID.fullmatch(given):
            _refuse_id(plan.signature.parameters[name], given)
    for name, given in bound.arguments.items():
        takes_any = any_text or name in _STRANGERS
        kind, how = plan.kinds.get(name, object), plan.signature.parameters[name].kind
        if how is inspect.Parameter.VAR_POSITIONAL:
            bound.arguments[name] = tuple(fitted(name, each, kind, refuse, any_text=takes_any) for each in given)
        elif how is inspect.Parameter.VAR_KEYWORD:
            bound.arguments[name] = {
                key: fitted(key, each, kind, refuse, any_text=takes_any) for key, each in given.items()
            }
        else:
            bound.arguments[name] = fitted(name, given, kind, refuse, any_text=takes_any)
    return bound.args, bound.kwargs


def _refuse_id(parameter: inspect.Parameter, given: str) -> NoReturn:
    """Refuse an id that no id can have. One that is to be looked up names nothing; a new one is the host's mistake."""
    name = parameter.name
    why = f"{name} must be 1 to 100 visible ASCII characters without spaces, not {quoted(given)}"
    if name == "operation_id" and parameter.kind is inspect.Parameter.KEYWORD_ONLY:
        raise InvalidOrder(why, field=name).about(operation_id=given)
    message = f"nothing here has such an id: {why}"
    raise NotFound(message).about(**{name: given} if name in _ABOUT else {})


class _Plan:
    """What a function takes: its parameters, what each may be, and the types that need no closer look."""

    def __init__(self, function: Any) -> None:
        self.signature = inspect.signature(function)
        parameters = self.signature.parameters.values()
        self.kinds = {name: kind for name, kind in _hints(function).items() if name not in _RECEIVERS}
        self._in_order = [each.name for each in parameters if each.kind in _BY_POSITION]
        self._accepted = {each.name: _accepted(self.kinds.get(each.name, object)) for each in parameters}
        for each in parameters:
            if each.kind in _MANY:
                self._accepted[each.name] = frozenset()

    def about(self, args: tuple[object, ...], kwargs: dict[str, object]) -> dict[str, Any]:
        """Return the ids that an error of the call is about."""
        given = {**dict(zip(self._in_order, args, strict=False)), **kwargs}
        return {each: given.get(each) for each in _ABOUT}

    def takes(self, args: tuple[object, ...], kwargs: dict[str, object], *, any_text: bool) -> bool:
        """Whether every argument is plainly right. Most calls need no more than this."""
        if len(args) > len(self._in_order):
            return False
        given = (*zip(self._in_order, args, strict=False), *kwargs.items())
        return all(self._fits(name, each, any_text=any_text) for name, each in given)

    def _fits(self, name: str, given: object, *, any_text: bool) -> bool:
        accepted = self._accepted.get(name, _NOTHING)
        if type(given) is str and not any_text and name not in _STRANGERS:
            is_right = _ID.fullmatch(given) is not None if name in _IDS else not flaw(given)
            return is_right and (str in accepted or accepted is _ANYTHING)
        return accepted is _ANYTHING or type(given) in accepted


@functools.cache
def _plan(function: Any) -> _Plan:
    return _Plan(function)


@functools.cache
def _fields_of(cls: type[DataclassInstance]) -> tuple[tuple[str, frozenset[type], object], ...]:
    """Return each field of a dataclass, with the types that need no closer look, and its annotation."""
    kinds = _hints(cls)
    annotated = [(each.name, kinds.get(each.name, object)) for each in fields(cls)]
    return tuple((name, _accepted(kind), kind) for name, kind in annotated)


def _accepted(kind: object) -> frozenset[type]:
    """Return the types whose very instances fit ``kind``, whatever they hold."""
    origin: Any = get_origin(kind)
    if origin in (UnionType, Union):
        parts = [_accepted(each) for each in get_args(kind)]
        return _ANYTHING if any(each is _ANYTHING for each in parts) else _NOTHING.union(*parts)
    if kind is None:
        return frozenset({NoneType})
    if kind is float:
        return frozenset({float, int})
    if isinstance(kind, TypeVar) or any(kind is each for each in (object, Any, _ForCheckers)):
        return _ANYTHING
    if origin is not None or not isinstance(kind, type) or getattr(kind, "_is_protocol", False):
        return frozenset()
    return frozenset({kind})


@functools.cache
def _hints(annotated: Any) -> Mapping[str, Any]:
    """Return the annotations. What only a type checker imports is a class of the same name, which takes everything."""
    try:
        return get_type_hints(annotated)
    except NameError:
        known = _Names(vars(builtins))
        for each in reversed(getattr(annotated, "__mro__", (annotated,))):
            known |= vars(sys.modules[each.__module__])
        return get_type_hints(annotated, localns=known)


class _Named(type):
    def __getattr__(cls, name: str) -> Any:
        """Return the placeholder for a name inside of it, as for a module's class."""
        if name.startswith("_"):
            raise AttributeError(name)
        return cls


class _ForCheckers(metaclass=_Named):
    """Stands for a name that only type checkers import, with or without parameters. Everything fits it."""

    def __class_getitem__(cls, _parameters: Any) -> Any:
        return cls


class _Names(dict[str, Any]):
    """The names of a module, and a placeholder for every other."""

    def __missing__(self, name: str) -> object:
        if name.startswith("__"):
            raise KeyError(name)
        return _ForCheckers


def _fit(value: object, kind: object) -> object:
    origin: Any = get_origin(kind)
    inside = get_args(kind)
    if origin in (UnionType, Union):
        return _fit_one_of(value, inside)
    if origin is tuple and inside and inside[-1] is not Ellipsis:
        return _fit_shape(value, inside)
    if origin in (tuple, Sequence) and inside:
        return _fit_many(value, inside[0])
    if origin is Literal:
        return (
            value if value in inside else _fail(f"must be one of {', '.join(map(repr, inside))}; not {quoted(value)}")
        )
    if origin is Mapping and inside:
        return _fit_mapping(value, *inside)
    wanted: Any = origin or kind
    if wanted is Callable or getattr(wanted, "__name__", "") == "Callable":
        return value if callable(value) else _unfit(value, "a function")
    if wanted is None:
        wanted = NoneType
    if not isinstance(wanted, type) or wanted is object or wanted is _ForCheckers:
        return value
    if getattr(wanted, "_is_protocol", False):
        return _fit_protocol(value, wanted)
    return _fit_class(value, wanted)


def _fit_protocol(value: object, wanted: type[Any]) -> object:
    """Return ``value`` if it has every member of a protocol, itself or as an instance."""
    if isinstance(value, type):
        _fail(f"must be an instance, such as {value.__name__}(...), not the class {value.__name__}")
    protocols = [each for each in wanted.__mro__ if getattr(each, "_is_protocol", False) and each is not Protocol]
    names = sorted({name for each in protocols for name in vars(each) if not name.startswith("_")})
    if missing := [name for name in names if not hasattr(value, name)]:
        _fail(f"must be a {wanted.__name__}, not {_kind_of(value)}, which has no {missing[0]}")
    if "__call__" in vars(wanted) and not callable(value):
        _unfit(value, "a function")
    return value


def _fit_shape(value: object, kinds: Sequence[object]) -> object:
    """Return ``value`` as a tuple with one part of each kind."""
    given = _members(value)
    if len(given) != len(kinds):
        _unfit(value, f"a tuple of {len(kinds)}: {', '.join(map(_name, kinds))}")
    return _same_if_so(given, [_fit(each, kind) for each, kind in zip(given, kinds, strict=True)])


def _members(value: object) -> Sequence[object]:
    return cast("Sequence[object]", value) if isinstance(value, tuple | list) else ()


def _same_if_so(given: Sequence[object], fit: list[object]) -> Sequence[object]:
    """Return ``given`` if it is a tuple of what fits, so that nothing is copied."""
    same = isinstance(given, tuple) and all(a is b for a, b in zip(fit, given, strict=True))
    return given if same else tuple(fit)


def _fit_class(value: object, wanted: type[Any]) -> object:
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return value
    is_another = (wanted is int and isinstance(value, bool)) or (wanted is date and isinstance(value, datetime))
    if isinstance(value, wanted) and not is_another:  # Python lets a bool pass as a number, and a time as a day
        if type(value) is not wanted and getattr(wanted, "__final__", False):
            _fail(f"must be {wanted.__name__} itself, not {_kind_of(value)}, which inherits it and cannot be stored")
        return _plain(value, wanted) if isinstance(value, Enum) else value
    if issubclass(wanted, Enum):
        return _member(value, wanted)
    if wanted is Secret and isinstance(value, str):
        return Secret(value) if value else _fail("must not be empty")
    if isinstance(value, type) and issubclass(value, wanted):
        _fail(f"must be an instance, such as {value.__name__}(...), not the class {value.__name__}")
    return _unfit(value, _name(wanted))


def _plain(value: Enum, wanted: type[Any]) -> object:
    """Return what a member of a host's own enum stands for, where a text or a number is wanted."""
    if wanted is str and isinstance(value, str):
        return str.__str__(value)
    return int(value) if wanted is int and isinstance(value, int) else value


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
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        if _is_one(value, kind):
            _fail("must be a tuple or list: put the one there is into a tuple, (x,), or into brackets, [x]")
        _unfit(value, f"a tuple or list, each {_name(kind)}")
    given, fit = cast("Sequence[object]", value), list[object]()
    for number, each in enumerate(given):
        try:
            fit.append(_fit(each, kind))
        except _Unfit as unfit:
            raise_alone(_Unfit(unfit.why, f"[{number}]{unfit.within}"))
    return _same_if_so(given, fit)


def _is_one(value: object, kind: object) -> bool:
    try:
        _fit(value, kind)
    except _Unfit:
        return False
    return True


def _fit_mapping(value: object, key_kind: object, value_kind: object) -> object:
    if not isinstance(value, Mapping):
        _unfit(value, "a mapping (dict)")
    given, fit = cast("Mapping[object, object]", value), dict[object, object]()
    for key, each in given.items():
        name = _fit(key, key_kind)
        try:
            fit[name] = _fit(each, value_kind)
        except _Unfit as unfit:
            raise_alone(_Unfit(unfit.why, f"[{quoted(key)}]{unfit.within}"))
    same = all(a is b for a, b in zip((*fit, *fit.values()), (*given, *given.values()), strict=True))
    return given if same else fit


def _member(value: object, wanted: type[Enum]) -> Enum:
    if isinstance(value, str):
        for each in wanted:
            if value in (each.value, each.name, each.name.lower()):
                return each
    shown = quoted(value) if isinstance(value, str) else type(value).__name__
    texts = (each.value if isinstance(each.value, str) else each.name.lower() for each in wanted)
    return _fail(f"must be {wanted.__name__}: one of {', '.join(texts)}; not {shown}")


def _name(kind: object) -> str:
    if get_origin(kind) in (UnionType, Union):
        return " or ".join(map(_name, get_args(kind)))
    plain: Any = get_origin(kind) or kind
    name = getattr(plain, "__name__", str(plain))
    return _WORDS.get(NoneType if kind is None else plain) or _EXAMPLES.get(name) or name


def _unfit(value: object, wanted: str, *, hint: str = "") -> NoReturn:
    _fail(f"must be {wanted}, not {_kind_of(value)}{hint}")


def _kind_of(value: object) -> str:
    return "None" if value is None else type(value).__name__


def _fail(why: str) -> NoReturn:
    raise _Unfit(why)
