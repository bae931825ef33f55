"""Keeps secrets out of the frames of errors: error trackers show every local variable, by its ``repr``.

Texts and bytes that may hold a secret (URLs, bodies, what was decoded of them) are of a type whose ``repr`` is a
mask, and are otherwise used like any other. The frames of other libraries hold pieces of them in plain types, so
those frames are cut off where an error becomes one of ours.
"""

from __future__ import annotations

from abc import ABCMeta
from typing import TYPE_CHECKING, Any, Final, Generic, NoReturn, TypeVar, cast, final

if TYPE_CHECKING:
    from inspect import Signature
    from typing import SupportsIndex

__all__ = [
    "Hidden",
    "HiddenBytes",
    "HiddenText",
    "HidesArguments",
    "chain_of",
    "hide",
    "raise_alone",
    "without_frames",
]

T_co = TypeVar("T_co", covariant=True)
ErrorT = TypeVar("ErrorT", bound=BaseException)

_SHOWN: Final = "***"


@final
class Hidden(Generic[T_co]):
    """Holds a value, such as a decoded body, that shows itself only when asked.

    Error trackers open dicts and lists whatever their ``repr`` is, so such a value needs a holder.
    """

    __slots__ = ("_value",)

    def __init__(self, value: T_co) -> None:
        self._value = value

    def reveal(self) -> T_co:
        """Return the value itself. Use it in place, and keep it in no variable of a function that may raise."""
        return self._value

    def __repr__(self) -> str:
        return f"Hidden({_SHOWN!r})"


@final
class HiddenText(str):
    """A text, such as a URL, whose ``repr`` is a mask; so is that of a part that is cut out of it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(_SHOWN)

    def __getitem__(self, key: SupportsIndex | slice) -> HiddenText:
        """Return a part, hidden too: some tools cut a long text before they show it."""
        return HiddenText(super().__getitem__(key))


@final
class HiddenBytes(bytes):
    """Bytes, such as a body, whose ``repr`` is a mask. ``str`` shows the same."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(_SHOWN.encode())

    __str__ = __repr__


class HidesArguments(ABCMeta):
    """The class of values that refuse wrong arguments: no frame of the error shows what was given.

    The ``__init__`` of a dataclass has every argument as a variable, in the type in which it was given.
    """

    if not TYPE_CHECKING:  # type checkers read the signature from __init__

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            """Make a value; cut the frames of a ``ValueError``."""
            try:
                return super().__call__(*args, **kwargs)
            except ValueError as error:
                del args, kwargs
                raise_alone(error.with_traceback(None))

        @property
        def __signature__(cls) -> Signature:
            """Show help and documentation what a value is made of."""
            from inspect import signature  # noqa: PLC0415 - slow to import, and only people ask

            try:
                whole = signature(cls.__init__, eval_str=True)
            except NameError:  # a name that only type checkers import
                whole = signature(cls.__init__)
            return whole.replace(parameters=list(whole.parameters.values())[1:])


def hide(value: object, *names: str) -> None:
    """Hide the texts and bytes in these fields of a frozen dataclass that is being made; empty ones stay."""
    for name in names:
        match getattr(value, name):
            case str(text) if text:
                object.__setattr__(value, name, HiddenText(text))
            case bytes(body) if body:
                object.__setattr__(value, name, HiddenBytes(body))
            case _:
                pass


def raise_alone(error: BaseException) -> NoReturn:
    """Raise ``error`` so that nothing leads from it to the error that is being handled.

    ``raise … from None`` hides that error from tracebacks only. Some error trackers, such as Rollbar's, follow
    ``__context__`` all the same, and show the variables of its frames.
    """
    try:
        raise error
    finally:
        error.__cause__ = error.__context__ = None  # nothing sets them again on its way
        del error  # the frame of this function would keep it in a circle


def without_frames(error: ErrorT) -> ErrorT:
    """Return ``error`` without the frames that it and its causes passed; what they say stays."""
    for each in chain_of(error):
        each.__traceback__ = None
    return error


def chain_of(error: BaseException) -> list[BaseException]:
    """Return the error and everything that a tracker shows below it: causes, contexts, members of groups."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop(0)
        if each is None or any(each is known for known in found):
            continue
        found.append(each)
        waiting += [each.__cause__, each.__context__]  # as Rollbar does, whatever __suppress_context__ says
        if isinstance(each, BaseExceptionGroup):
            waiting += cast("tuple[BaseException, ...]", each.exceptions)
    return found
