"""The page at an emulator's control address: orders, approve and decline, faults, callbacks and the clock, for people.

It does what the control API does, by forms. Every form is posted to the page itself, which then says what happened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from prenopay.testing.callbacks import CallbackAttempt, CallbackQueue
from prenopay.testing.control import CONTROL_PREFIX, ControlRefused
from prenopay.testing.emulators.pages import Html, Language, asset, html, page, redirect
from prenopay.testing.faults import Fault, FaultKind
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest

if TYPE_CHECKING:
    from prenopay.testing.emulators.gateway import EmulatedGateway
    from prenopay.testing.transcript import Transcript

__all__ = ["ControlPage", "Listed"]

_CSS: Final = f"{CONTROL_PREFIX}control.css"
_HERE: Final = frozenset({CONTROL_PREFIX, CONTROL_PREFIX.rstrip("/"), _CSS})
_ENGLISH: Final = Language("en", {})
_ORDERS_MOST: Final = 50
_CALLBACKS_MOST: Final = 8
_TIMES_MOST: Final = 999
_STEPS: Final = {"1 minute": 60, "1 hour": 3600, "1 day": 86_400, "30 days": 2_592_000}
_FAULTS: Final = {
    FaultKind.DROP_BEFORE: "lose the request",
    FaultKind.DROP_AFTER: "act, and lose the answer",
    FaultKind.STATUS_BEFORE: "answer 503 and do nothing",
    FaultKind.STATUS_AFTER: "act, and answer 503",
    FaultKind.HALF_BODY: "act, and send half the answer",
    FaultKind.UNREADABLE: "act, and answer with a page of HTML",
    FaultKind.DELAY: "answer 10 seconds late",
}
"""What can go wrong with a call over a socket."""
_LATE_SECONDS: Final = 10.0
_MADE: Final = frozenset({"200", "201"})
"""What the transcript has for a create whose answer went out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One order as the page lists it. ``facts`` say what happened to it; ``page`` is where the payer pays it.

    ``made_by`` is the reference in the call that made it, as the transcript has it.
    """

    name: str
    reference: str
    made_by: str
    text: str
    amount: str
    status: str
    facts: tuple[str, ...]
    is_open: bool
    page: str


class ControlPage:
    """Shows one emulator to a person, and does what the person's buttons say."""

    def __init__(self, emulator: EmulatedGateway[Any]) -> None:
        """Show ``emulator``."""
        self._emulator = emulator
        self._said: tuple[str, bool] | None = None
        """What the last button did, and whether it was refused; shown once."""

    def is_asked(self, request: EmulatorRequest) -> bool:
        """Say whether a call is for this page, and not for the control API."""
        return request.path in _HERE or (request.path == "/" and request.method == "GET")

    def answer(self, request: EmulatorRequest) -> EmulatorAnswer:
        """Answer one call of a browser."""
        match request.method, request.path:
            case "GET", path if path == _CSS:
                body = asset(__package__ or "", "page.css") + asset(__package__ or "", "control.css")
                return EmulatorAnswer(status=200, headers=(("content-type", "text/css; charset=utf-8"),), body=body)
            case "GET", path if path == CONTROL_PREFIX:
                return self._show()
            case "POST", path if path == CONTROL_PREFIX:
                try:
                    self._said = (self._act(request.form), False)
                except ControlRefused as refused:
                    self._said = (str(refused), True)
                return redirect(CONTROL_PREFIX)
            case "GET", _:
                return redirect(CONTROL_PREFIX)
            case _:
                return EmulatorAnswer(status=405)

    def _act(self, form: dict[str, str]) -> str:
        """Do what a button says, and return what was done."""
        emulator, order = self._emulator, form.get("order", "")
        match form.get("do"):
            case "approve":
                emulator.approve(order)
                return "The payer approved."
            case "decline":
                emulator.decline(order)
                return "The payer declined."
            case "fault":
                return self._plan(form)
            case "clear":
                emulator.faults.clear()
                return "Nothing goes wrong any more."
            case "advance" if form.get("by") in _STEPS:
                emulator.clock.advance(timedelta(seconds=_STEPS[form["by"]]))
                emulator.settle()
                return f"{form['by']} later."
            case _:
                message = "There is no such button; load the page again."
                raise ControlRefused(message)

    def _plan(self, form: dict[str, str]) -> str:
        kind, call, times = form.get("kind", ""), form.get("call", ""), form.get("times", "")
        if kind not in set(_FAULTS):
            message = f"kind: one of {', '.join(_FAULTS)}"
            raise ControlRefused(message)
        if not (times.isascii() and times.isdecimal() and 1 <= int(times[:4]) <= _TIMES_MOST):
            message = f"times: a number from 1 to {_TIMES_MOST}"
            raise ControlRefused(message)
        try:
            fault = Fault(kind=FaultKind(kind), call=call, times=int(times), seconds=_LATE_SECONDS)
            self._emulator.faults.add(fault)
        except ValueError as error:
            raise ControlRefused(str(error)) from error
        return f"Planned: {_told(fault)}."

    def _show(self) -> EmulatorAnswer:
        emulator, (text, is_refused) = self._emulator, self._said or ("", False)
        self._said, said = None, '<p class="{look}" role="status">{text}</p>'
        emulator.settle()
        orders = _told_apart(emulator.listed(), emulator.transcript)[::-1]
        body = html(
            '<body><p class="ribbon">Emulator: no money moves.</p><main><header><h1>{title}</h1>'
            '<a class="link" href="{here}">Load again</a></header>{said}'
            '<div class="columns"><section aria-labelledby="orders"><h2 id="orders">Orders</h2>{orders}</section>'
            "<div>{clock}{faults}{callbacks}{api}</div></div></main></body>",
            title=f"Emulated {emulator.title}",
            here=CONTROL_PREFIX,
            said=html(said, look="said wrong" if is_refused else "said", text=text) if text else None,
            orders=_orders(orders),
            clock=_clock(f"{emulator.clock.now():%Y-%m-%d %H:%M:%S} UTC"),
            faults=_faults(emulator.faults.waiting, emulator.faults.calls),
            callbacks=_callbacks(emulator.callbacks),
            api=html(
                '<section><h2>For programs</h2><p class="quiet">The same in JSON, such as '
                '<a href="{here}orders">{here}orders</a>.</p></section>',
                here=CONTROL_PREFIX,
            ),
        )
        return page(_ENGLISH, body, title=f"Emulated {emulator.title}", css=_CSS)


def _told_apart(orders: list[Listed], transcript: Transcript) -> list[Listed]:
    """Say of orders with one name which the shop may not know: a create whose answer was lost is often sent again."""
    creates, names = transcript.calls("create"), Counter(order.reference for order in orders)
    lost = {seen.reference for seen in creates} - {seen.reference for seen in creates if seen.outcome in _MADE}
    told: list[Listed] = []
    for order in orders:
        facts = {
            "the answer to its create was lost, so the shop may not know it": order.made_by in lost,
            f"one of {names[order.reference]} with this name: compare the id below with payment.provider_reference": (
                names[order.reference] > 1 and order.made_by not in lost
            ),
        }
        told.append(replace(order, facts=(*order.facts, *(fact for fact, is_so in facts.items() if is_so))))
    return told


def _orders(orders: list[Listed]) -> Html:
    if not orders:
        return html('<p class="quiet">None yet. Make a payment in your shop, and load this page again.</p>')
    more = len(orders) - _ORDERS_MOST
    return html(
        '<ul class="orders">{rows}</ul>{more}',
        rows=[_order(order) for order in orders[:_ORDERS_MOST]],
        more=html('<p class="quiet">And {more} older ones.</p>', more=more) if more > 0 else None,
    )


def _order(order: Listed) -> Html:
    facts = [html("<li>{fact}</li>", fact=fact) for fact in order.facts]
    status = html("<li><strong>{status}</strong></li>", status=order.status)
    pay = html(
        '{approve}{decline}<a class="link" href="{order.page}">Pay as the payer</a>',
        approve=_button("Approve", "pay", do="approve", order=order.name, about=order.reference),
        decline=_button("Decline", "other", do="decline", order=order.name, about=order.reference),
        order=order,
    )
    return html(
        '<li><p class="top"><strong class="reference">{order.reference}</strong>'
        '<span class="amount">{order.amount}</span></p><p class="quiet">{order.text}</p>'
        '<ul class="facts">{facts}</ul><p class="quiet id">{order.name}</p>{pay}</li>',
        order=order,
        facts=[status, *facts],
        pay=html('<div class="buttons">{pay}</div>', pay=pay) if order.is_open else None,
    )


def _button(text: str, look: str, *, about: str = "", **fields: str) -> Html:
    """Return a form that is only a button; ``about`` says what of, to people who do not see where it is."""
    hidden = '<input type="hidden" name="{name}" value="{value}">'
    return html(
        '<form method="post" action="{here}">{hidden}<button class="{look}"{label}>{text}</button></form>',
        here=CONTROL_PREFIX,
        hidden=[html(hidden, name=name, value=value) for name, value in fields.items()],
        look=look,
        label=html(' aria-label="{label}"', label=f"{text} {about}") if about else None,
        text=text,
    )


def _clock(now: str) -> Html:
    steps = [_button(f"+ {step}", "other", do="advance", by=step) for step in _STEPS]
    return html(
        '<section><h2>Clock</h2><p class="amount">{now}</p><div class="buttons">{steps}</div></section>',
        now=now,
        steps=steps,
    )


def _faults(waiting: tuple[Fault, ...], calls: Iterable[str]) -> Html:
    planned = html(
        "<ul>{rows}</ul>{clear}",
        rows=[html("<li>{fault}</li>", fault=_told(fault)) for fault in waiting],
        clear=_button("Remove them all", "other", do="clear"),
    )
    option = '<option value="{value}">{text}</option>'
    form = html(
        '<form method="post" action="{here}"><input type="hidden" name="do" value="fault">'
        '<label><span>What goes wrong</span><select name="kind">{kinds}</select></label>'
        '<div class="pair"><label><span>Call</span><select name="call">{calls}</select></label>'
        '<label><span>Times</span><input name="times" value="1" inputmode="numeric" required pattern="[1-9][0-9]*">'
        '</label></div><button class="other">Plan it</button></form>',
        here=CONTROL_PREFIX,
        kinds=[html(option, value=kind, text=text) for kind, text in _FAULTS.items()],
        calls=[html(option, value=call, text=call or "any call") for call in ("", *calls)],
    )
    none = html('<p class="quiet">Nothing goes wrong.</p>')
    return html("<section><h2>Faults</h2>{planned}{form}</section>", planned=planned if waiting else none, form=form)


def _told(fault: Fault) -> str:
    call, times = fault.call or "any call", "once" if fault.times == 1 else f"{fault.times} times"
    return f"{call}: {_FAULTS.get(fault.kind, fault.kind.value)}, {times}"


def _callbacks(queue: CallbackQueue) -> Html:
    waiting, attempts = len(queue.waiting), queue.attempts[-_CALLBACKS_MOST:][::-1]
    return html(
        '<section><h2>Callbacks</h2><p class="quiet">{waiting} waiting.</p>{rows}</section>',
        waiting=waiting or "None",
        rows=html("<ul>{rows}</ul>", rows=[_attempt(each) for each in attempts]) if attempts else None,
    )


def _attempt(attempt: CallbackAttempt) -> Html:
    how = "lost on the way" if attempt.lost else "no answer" if attempt.status is None else f"answered {attempt.status}"
    told = '<li><span class="amount">{at}</span> {host}: <strong class="{look}">{how}</strong></li>'
    look = "" if attempt.taken else "wrong"
    return html(told, at=f"{attempt.at:%H:%M:%S}", host=urlsplit(attempt.callback.url).netloc, look=look, how=how)
