"""Every knob of the emulators: fields and words with their defaults and texts, control calls, payer actions, codes.

The text of a knob is the docstring under it. If there is none, the page gives the text. A knob without a text
stops the build.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Callable, Mapping
from enum import Enum, StrEnum
from types import ModuleType
from typing import Any, Final

from from_code.markdown import Texts, code, table
from prenopay.testing import callbacks, control, faults
from prenopay.testing.emulators.leniency import Leniency
from prenopay.testing.emulators.swedbankpay import SwedbankPayEmulator, behaviour as swedbankpay, cards, payer
from prenopay.testing.emulators.swish import SwishEmulator, behaviour as swish, problems as codes

__all__ = ["CLASSES", "MAKERS"]


_LISTED_MOST: Final = 2
_NOTHING: Final = "-"


def _of(module: ModuleType) -> dict[str, type]:
    """Return the switches a module exports: its dataclasses and enums."""
    found = {name: getattr(module, name) for name in module.__all__}
    return {
        name: each
        for name, each in found.items()
        if isinstance(each, type) and (dataclasses.is_dataclass(each) or issubclass(each, Enum))
    }


CLASSES: Final[Mapping[str, type]] = {
    **{f"swedbankpay.{name}": each for name, each in _of(swedbankpay).items()},
    "swedbankpay.PayerAnswer": payer.PayerAnswer,
    "swedbankpay.TrustlyAnswer": payer.TrustlyAnswer,
    **{f"swish.{name}": each for name, each in _of(swish).items()},
    "Leniency": Leniency,
    **_of(faults),
    "CallbackAddresses": callbacks.CallbackAddresses,
    "Manner": callbacks.Manner,
    "RetrySchedule": callbacks.RetrySchedule,
}
"""What can be set on an emulator, by the name that the page uses."""


def docstrings_of(owner: type) -> dict[str, str]:
    """Return the docstrings under the attributes of a class, each in one line."""
    body = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
    if not isinstance(body, ast.ClassDef):
        message = f"{owner} is not written as a class"
        raise TypeError(message)
    found: dict[str, str] = {}
    for above, below in zip(body.body, body.body[1:], strict=False):
        name = (
            above.target
            if isinstance(above, ast.AnnAssign)
            else above.targets[0]
            if isinstance(above, ast.Assign)
            else None
        )
        is_text = (
            isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str)
        )
        if isinstance(name, ast.Name) and is_text:
            found[name.id] = " ".join(str(below.value.value).split()).replace("``", "`")  # type: ignore[attr-defined]  # see is_text
    return found


def _text(docstrings: Mapping[str, str], texts: Texts, name: str) -> str:
    return docstrings.get(name) or texts[name]


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        value = field.default
    elif field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    else:
        return "must be given"
    if isinstance(value, Enum):
        return code(f"{type(value).__name__}.{value.name}")
    if isinstance(value, frozenset):
        return _span(value)
    return (
        code(f"{type(value).__name__}()")
        if dataclasses.is_dataclass(value) and field.name != "retry_schedule"
        else code(value if str(value) else '""')
    )


def _span(values: frozenset[Any]) -> str:
    """Return a set in a short form: ``200 to 299`` for a range of numbers."""
    ordered = sorted(values)
    if len(ordered) > _LISTED_MOST and isinstance(ordered[0], int):
        return f"{ordered[0]} to {ordered[-1]}"
    return ", ".join(code(each) for each in ordered) or "none"


def _type(annotation: object) -> str:
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    return code(text)


def _fields(owner: type) -> Callable[[Texts], str]:
    def make(texts: Texts) -> str:
        docstrings = docstrings_of(owner)
        rows = [
            (code(each.name), _type(each.type), _default(each), _text(docstrings, texts, each.name))
            for each in dataclasses.fields(owner)
        ]
        return table(("Field", "Type", "Default", "What it does"), rows)

    return make


def _words(owner: type[Enum]) -> Callable[[Texts], str]:
    def make(texts: Texts) -> str:
        docstrings = docstrings_of(owner)
        rows = [(code(each.name), _value(each), _text(docstrings, texts, each.name)) for each in owner]
        return table(("Member", "Value", "What it does"), rows)

    return make


def _value(member: Enum) -> str:
    return code(member.value) if isinstance(member, StrEnum) else _NOTHING


def control_calls(texts: Texts) -> str:
    """Return every call of the control API; the page describes its body and its answer."""
    panel = control.ControlPanel(SwishEmulator())
    routes = [*panel._routes, ("GET", "orders/{id}")]  # noqa: SLF001 - the table of the routes is what is documented
    rows = [
        (method, code(f"{control.CONTROL_PREFIX}{route}"), texts[f"{method} {route}"])
        for method, route in sorted(routes, key=lambda each: each[1])
    ]
    return table(("Method", "Path", "Body, and what it does"), rows)


def _actions(emulator: SwedbankPayEmulator | SwishEmulator) -> Callable[[Texts], str]:
    """Return the payer's actions."""

    def make(texts: Texts) -> str:
        rows = [(code(word), texts[word]) for word in emulator.payer_actions()]
        return table(("Action", "Further members, and what the payer does"), rows)

    return make


def swish_codes(_texts: Texts) -> str:
    """Return the messages that make a call fail: at once, or when the payer or the bank acts."""
    tables = (codes._AT_ONCE, codes._LATER)  # noqa: SLF001 - they are what is documented
    known = sorted({word for each in tables for words in each.values() for word in words})

    def calls(by_call: Mapping[codes.Call, frozenset[str]], word: str) -> str:
        return ", ".join(call.value for call in codes.Call if word in by_call[call]) or _NOTHING

    rows = [(code(word), calls(tables[0], word), calls(tables[1], word), codes.text_of(word)) for word in known]
    return table(("Message", "Refused at once", "Ends with it later", "What Swish says"), rows)


def swedbankpay_descriptions(_texts: Texts) -> str:
    """Return the descriptions that make a Swish payment at Swedbank Pay fail."""
    rows = [(code(text), code(word)) for text, word in cards._SWISH_BY_DESCRIPTION.items()]  # noqa: SLF001 - as above
    return table(("Description", "Problem"), rows)


def _leniencies(sources: Mapping[Leniency, str]) -> Callable[[Texts], str]:
    """Return what a gateway takes although its documents ask for something else."""

    def make(_texts: Texts) -> str:
        return table(("Member", "Source"), [(code(way.name), source) for way, source in sources.items()])

    return make


def charge_words(_texts: Texts) -> str:
    """Return the words for a planned decline of a charge."""
    rows = [(code(word), str(status), title or _NOTHING) for word, (status, title, _) in cards.CARD_WORDS.items()]
    return table(("Word", "HTTP status", "Cause"), rows)


MAKERS: Final[Mapping[str, Callable[[Texts], str]]] = {
    **{f"knobs:{name}": _words(each) if issubclass(each, Enum) else _fields(each) for name, each in CLASSES.items()},
    "knobs:control": control_calls,
    "knobs:swedbankpay.actions": _actions(SwedbankPayEmulator()),
    "knobs:swish.actions": _actions(SwishEmulator()),
    "knobs:swedbankpay.charges": charge_words,
    "knobs:swedbankpay.descriptions": swedbankpay_descriptions,
    "knobs:swedbankpay.leniencies": _leniencies(swedbankpay.LENIENCIES),
    "knobs:swish.codes": swish_codes,
    "knobs:swish.leniencies": _leniencies(swish.LENIENCIES),
}
"""What the ``from-code`` directive makes of the emulators' knobs."""
