"""The control API: lets tests in another process, and people with ``curl``, drive an emulator.

``/__emulator__/`` itself is a page for people: orders to approve and decline, the clock, faults, callbacks. Everything
under it is JSON:

========================  ==========================================================================
``GET  orders``           every order: state, totals, transactions, failed attempts
``GET  orders/{id}``      one of them, by any name the emulator knows it by
``POST payer``            ``{"order": …, "action": "pay_by_card", …}``: act as the payer
``GET  faults``           the faults still to come
``POST faults``           ``{"kind": "drop_after", "call": "capture", "times": 2, …}``: plan one
``POST faults/clear``     plan none
``GET  clock``            ``{"now": …}``
``POST clock``            ``{"advance_seconds": 60}`` or ``{"set": "2026-02-01T00:00:00+00:00"}``
``GET  callbacks``        what waits, and every delivery so far
``POST callbacks``        ``{"manner": "hold" | "release" | "drop" | "duplicate" | "reorder", "times": 1}``
``POST callbacks/forge``  ``{"order": …, "naming": "/psp/paymentorders/…"}``: send a false one
``GET  transcript``       every call seen
========================  ==========================================================================
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args, get_type_hints

from prenopay._arguments import check_arguments, refuse_misuse
from prenopay.testing.callbacks import Callback, Manner
from prenopay.testing.faults import Fault, FaultKind
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest, JsonObject, as_object, json_answer, read_json

if TYPE_CHECKING:
    from prenopay.testing.emulators.gateway import EmulatedGateway

__all__ = ["CONTROL_PREFIX", "ControlPanel", "ControlRefused", "PayerRefused", "call_with"]

CONTROL_PREFIX: Final = "/__emulator__/"
_YEARS: Final = 10 * 365 * 24 * 60 * 60
"""The most seconds that one call may push the clock: enough for every test, and never past the last date."""

_MEMBERS: Final[Mapping[str, Collection[str]]] = {
    "faults/clear": (),
    "clock": ("advance_seconds", "set"),
    "callbacks": ("manner", "times"),
    "callbacks/forge": ("order", "naming"),
}
"""What the bodies may have; those of payer and faults depend on what is in them."""
_NO_REFUSAL: Final = (
    "kind: a served emulator cannot refuse one call, because the connection is open before the call is read: use "
    "drop_before (the outcome is unknown), stop the emulator (nothing is sent), or test in process"
)

R = TypeVar("R")


class ControlRefused(ValueError):
    """What was asked of the emulator cannot be done; the message says why."""


class PayerRefused(ControlRefused):
    """No payer could do this now; the message says why."""


@check_arguments(refuse_misuse, any_text=True)
class ControlPanel:
    """Answers the control API of one emulator."""

    def __init__(self, emulator: EmulatedGateway[Any]) -> None:
        """Control ``emulator``."""
        self._emulator = emulator
        self._routes: dict[tuple[str, str], Callable[[JsonObject], object]] = {
            ("GET", "orders"): lambda _: {"orders": emulator.describe_orders()},
            ("POST", "payer"): self._act_as_payer,
            ("GET", "faults"): self._show_faults,
            ("POST", "faults"): self._plan_fault,
            ("POST", "faults/clear"): self._clear_faults,
            ("GET", "clock"): self._show_clock,
            ("POST", "clock"): self._move_clock,
            ("GET", "callbacks"): self._show_callbacks,
            ("POST", "callbacks"): self._behave,
            ("POST", "callbacks/forge"): self._forge,
            ("GET", "transcript"): self._show_transcript,
        }

    def answer(self, request: EmulatorRequest) -> EmulatorAnswer:
        """Answer one call under ``CONTROL_PREFIX``."""
        name = request.path.removeprefix(CONTROL_PREFIX).strip("/")
        try:
            if request.method == "GET" and name.startswith("orders/"):
                return json_answer(200, self._emulator.describe_order(name.removeprefix("orders/")))
            act = self._routes.get((request.method, name))
            if act is None:
                routes = [f"{method} {CONTROL_PREFIX}{route}" for method, route in self._routes]
                return json_answer(404, {"error": f"no such control: {request.method} {name}", "controls": routes})
            return json_answer(200, act(_only(_body(request), _MEMBERS.get(name))))
        except ControlRefused as refused:
            return json_answer(400, {"error": str(refused)})

    def _act_as_payer(self, body: JsonObject) -> object:
        action, order = _read(body, "action", str), _read(body, "order", str)
        rest = {name: value for name, value in body.items() if name not in {"action", "order"}}
        return self._emulator.act_as_payer(action, order, rest)

    def _show_faults(self, _: JsonObject) -> object:
        return {"faults": [dataclasses.asdict(fault) for fault in self._emulator.faults.waiting]}

    def _plan_fault(self, body: JsonObject) -> object:
        fault = call_with(Fault, body)
        if fault.kind is FaultKind.REFUSE:
            raise ControlRefused(_NO_REFUSAL)
        try:
            self._emulator.faults.add(fault)
        except ValueError as error:
            raise ControlRefused(str(error)) from error
        return self._show_faults(body)

    def _clear_faults(self, body: JsonObject) -> object:
        self._emulator.faults.clear()
        return self._show_faults(body)

    def _show_clock(self, _: JsonObject) -> object:
        return {"now": self._emulator.clock.now().isoformat()}

    def _move_clock(self, body: JsonObject) -> object:
        if "set" in body:
            try:
                self._emulator.clock.set(datetime.fromisoformat(_read(body, "set", str)))
            except ValueError as error:
                raise ControlRefused(str(error)) from error
        else:
            seconds = _read(body, "advance_seconds", int)
            if not 0 <= seconds <= _YEARS:
                message = f"advance_seconds must be from 0 to {_YEARS}"
                raise ControlRefused(message)
            self._emulator.clock.advance(timedelta(seconds=seconds))
        self._emulator.settle()
        return self._show_clock(body)

    def _show_callbacks(self, _: JsonObject) -> object:
        attempts: list[JsonObject] = []
        for attempt in self._emulator.callbacks.attempts:
            how = {"at": attempt.at.isoformat(), "status": attempt.status, "lost": attempt.lost}
            attempts.append({**_told(attempt.callback), **how})
        return {"waiting": [_told(callback) for callback in self._emulator.callbacks.waiting], "attempts": attempts}

    def _behave(self, body: JsonObject) -> object:
        manner = _read(body, "manner", Manner)
        self._emulator.callbacks.behave(manner, times=_read({"times": 1, **body}, "times", int))
        return {"manner": manner}

    def _forge(self, body: JsonObject) -> object:
        return _told(self._emulator.forge_callback(_read(body, "order", str), naming=_read(body, "naming", str)))

    def _show_transcript(self, _: JsonObject) -> object:
        seen = self._emulator.transcript.seen
        return {"seen": [{**dataclasses.asdict(entry), "at": entry.at.isoformat()} for entry in seen]}


@check_arguments(refuse_misuse, any_text=True)
def call_with(act: Callable[..., R], given: JsonObject, *first: object) -> R:
    """Call ``act`` with ``first`` and what ``given`` has for its other parameters, each read by its type.

    Raises ``ControlRefused`` for one that is missing, of another type, or unknown.
    """
    hints = get_type_hints(act)
    parameters = list(inspect.signature(act).parameters.values())[len(first) :]
    _only(given, [each.name for each in parameters])
    wanted = [each for each in parameters if each.name in given or each.default is each.empty]
    try:
        return act(*first, **{each.name: _read(given, each.name, hints[each.name]) for each in wanted})
    except ControlRefused:
        raise
    except ValueError as error:
        raise ControlRefused(str(error)) from error


def _only(given: JsonObject, known: Collection[str] | None) -> JsonObject:
    """Return ``given``, if it has no members but the ``known`` (``None``: any)."""
    unknown = [] if known is None else sorted(given.keys() - set(known))
    if unknown:
        message = f"{', '.join(unknown)}: unknown here; there is {', '.join(known or ()) or 'nothing to give'}"
        raise ControlRefused(message)
    return given


def _read(body: Mapping[str, object], name: str, kind: Any) -> Any:
    """Return the member ``name``; it must be given and be of ``kind`` (an int for ``int | None``)."""
    kind = next((each for each in get_args(kind) if each is not type(None)), kind)
    value: Any = body.get(name)
    if issubclass(kind, StrEnum):
        if isinstance(value, str) and value in set(kind):
            return kind(value)
        message = f"{name}: {value!r} is not one of {', '.join(kind)}"
        raise ControlRefused(message)
    wanted = (int, Decimal) if kind is float else kind
    if not isinstance(value, wanted) or isinstance(value, bool) is not (kind is bool):
        message = f"{name} must be given, as {kind.__name__}"
        raise ControlRefused(message)
    return float(value) if kind is float else value


def _body(request: EmulatorRequest) -> JsonObject:
    try:
        body = as_object(read_json(request.body)) if request.body else {}
    except ValueError:
        body = None
    if body is None:
        message = "the body must be a JSON object"
        raise ControlRefused(message)
    return body


def _told(callback: Callback) -> JsonObject:
    names = ("number", "about", "url", "tries")
    times_and_body = {"due": callback.due.isoformat(), "body": callback.body.decode()}
    return {**{name: getattr(callback, name) for name in names}, **times_and_body}
