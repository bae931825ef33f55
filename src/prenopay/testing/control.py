"""The control API: lets tests in another process, and people with ``curl``, drive an emulator.

Everything is JSON and stands under ``/__emulator__/``:

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
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final, Protocol, TypeVar

from prenopay.testing.callbacks import Callback, CallbackQueue, Manner
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.jsonvalues import JsonObject, as_object, read_json
from prenopay.testing.faults import Fault, FaultBody, FaultKind, FaultPlan
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest, json_answer
from prenopay.testing.transcript import Seen, Transcript

__all__ = ["CONTROL_PREFIX", "ControlPanel", "ControlRefused", "Controlled", "take", "take_word"]

CONTROL_PREFIX: Final = "/__emulator__/"
_YEARS: Final = 10 * 365 * 24 * 60 * 60
"""How many seconds the clock is pushed at most by one call: no story needs more, and time must not end."""

T = TypeVar("T")
W = TypeVar("W", bound=StrEnum)


class ControlRefused(ValueError):
    """What was asked of the emulator cannot be done; the message says why."""


class Controlled(Protocol):
    """What the control API needs of an emulator."""

    @property
    def clock(self) -> VirtualClock:
        """Its time."""
        ...

    @property
    def faults(self) -> FaultPlan:
        """What is to go wrong."""
        ...

    @property
    def callbacks(self) -> CallbackQueue:
        """What it has to tell hosts."""
        ...

    @property
    def transcript(self) -> Transcript:
        """What it was asked."""
        ...

    def settle(self) -> None:
        """Let happen what was due by now."""
        ...

    def describe_orders(self) -> list[JsonObject]:
        """Return every order as JSON."""
        ...

    def describe_order(self, order: str) -> JsonObject:
        """Return one order as JSON; raises ``ControlRefused`` if there is none."""
        ...

    def act_as_payer(self, action: str, order: str, arguments: Mapping[str, object]) -> JsonObject:
        """Do what a payer does; raises ``ControlRefused`` where a payer could not."""
        ...

    def forge_callback(self, order: str, *, naming: str) -> Callback:
        """Queue a callback to the order's address that names another."""
        ...


class ControlPanel:
    """Answers the control API of one emulator."""

    def __init__(self, emulator: Controlled) -> None:
        """Control ``emulator``."""
        self._emulator = emulator
        self._routes: dict[tuple[str, str], Callable[[JsonObject], object]] = {
            ("GET", "orders"): lambda _: {"orders": emulator.describe_orders()},
            ("POST", "payer"): self._act_as_payer,
            ("GET", "faults"): lambda _: {"faults": [_planned(fault) for fault in emulator.faults.waiting]},
            ("POST", "faults"): self._plan_fault,
            ("POST", "faults/clear"): self._clear_faults,
            ("GET", "clock"): lambda _: {"now": emulator.clock.now().isoformat()},
            ("POST", "clock"): self._move_clock,
            ("GET", "callbacks"): self._show_callbacks,
            ("POST", "callbacks"): self._behave,
            ("POST", "callbacks/forge"): self._forge,
            ("GET", "transcript"): lambda _: {"seen": [_seen(seen) for seen in emulator.transcript.seen]},
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
            return json_answer(200, act(_body(request)))
        except ControlRefused as refused:
            return json_answer(400, {"error": str(refused)})

    def _act_as_payer(self, body: JsonObject) -> object:
        action, order = take(body, "action", str), take(body, "order", str)
        arguments = {name: value for name, value in body.items() if name not in {"action", "order"}}
        return self._emulator.act_as_payer(action, order, arguments)

    def _plan_fault(self, body: JsonObject) -> object:
        self._emulator.faults.add(_fault(body))
        return {"faults": [_planned(fault) for fault in self._emulator.faults.waiting]}

    def _clear_faults(self, body: JsonObject) -> object:
        self._emulator.faults.clear()
        return {"faults": []}

    def _move_clock(self, body: JsonObject) -> object:
        if "set" in body:
            try:
                self._emulator.clock.set(datetime.fromisoformat(take(body, "set", str)))
            except ValueError as error:
                raise ControlRefused(str(error)) from error
        else:
            seconds = take(body, "advance_seconds", int)
            if not 0 <= seconds <= _YEARS:
                message = f"advance_seconds must be from 0 to {_YEARS}"
                raise ControlRefused(message)
            self._emulator.clock.advance(timedelta(seconds=seconds))
        self._emulator.settle()
        return {"now": self._emulator.clock.now().isoformat()}

    def _show_callbacks(self, body: JsonObject) -> object:
        queue = self._emulator.callbacks
        return {
            "waiting": [_told(callback) for callback in queue.waiting],
            "attempts": [
                {
                    **_told(attempt.callback),
                    "at": attempt.at.isoformat(),
                    "status": attempt.status,
                    "lost": attempt.lost,
                }
                for attempt in queue.attempts
            ],
        }

    def _behave(self, body: JsonObject) -> object:
        times = take(body, "times", int) if "times" in body else 1
        manner = take_word(body, "manner", Manner)
        self._emulator.callbacks.behave(manner, times=times)
        return {"manner": manner}

    def _forge(self, body: JsonObject) -> object:
        return _told(self._emulator.forge_callback(take(body, "order", str), naming=take(body, "naming", str)))


def take(body: Mapping[str, object], name: str, kind: type[T]) -> T:
    """Return the member ``name``, which must be there and be of ``kind``."""
    value = body.get(name)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        message = f"{name} must be given, as {kind.__name__}"
        raise ControlRefused(message)
    return value


def take_word(body: Mapping[str, object], name: str, words: type[W]) -> W:
    """Return the member ``name``, which must be there and be one of ``words``."""
    value = take(body, name, str)
    if value not in {word.value for word in words}:
        message = f"{name}: {value!r} is not one of {', '.join(words)}"
        raise ControlRefused(message)
    return words(value)


def _body(request: EmulatorRequest) -> JsonObject:
    if not request.body:
        return {}
    try:
        body = as_object(read_json(request.body))
    except ValueError:
        body = None
    if body is None:
        message = "the body must be a JSON object"
        raise ControlRefused(message)
    return body


def _fault(body: JsonObject) -> Fault:
    known = [member.name for member in dataclasses.fields(Fault)]
    if not body.keys() <= set(known):
        message = f"a fault has only {', '.join(known)}"
        raise ControlRefused(message)
    kind = take_word(body, "kind", FaultKind)
    given = {"call": "", "method": "", "path": "", "after": 0, "times": 1, "seconds": 0, "status": 503, **body}
    given.setdefault("body", FaultBody.HTML.value)
    try:
        return Fault(
            kind=kind,
            call=take(given, "call", str),
            method=take(given, "method", str),
            path=take(given, "path", str),
            after=take(given, "after", int),
            times=take(given, "times", int),
            seconds=float(take({"seconds": Decimal(str(given["seconds"]))}, "seconds", Decimal)),
            status=take(given, "status", int),
            body=take_word(given, "body", FaultBody),
            retry_after=take(given, "retry_after", int) if "retry_after" in given else None,
        )
    except (ValueError, ArithmeticError) as error:
        raise ControlRefused(str(error)) from error


def _planned(fault: Fault) -> JsonObject:
    return dataclasses.asdict(fault)


def _seen(seen: Seen) -> JsonObject:
    return {**dataclasses.asdict(seen), "at": seen.at.isoformat()}


def _told(callback: Callback) -> JsonObject:
    return {
        "number": callback.number,
        "about": callback.about,
        "url": callback.url,
        "body": callback.body.decode(),
        "due": callback.due.isoformat(),
        "tries": callback.tries,
    }
