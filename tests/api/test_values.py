"""Every public value: frozen and by keyword, equal by content, copied and pickled whole, silent about secrets."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest

from prenopay import Money, OperationId, Secret, Subject, errors
from prenopay.values.callbacks import CallbackAddress

from .doors import values_met
from .examples import MARK, PHONE_MARK, SECRET_FIELDS, example, pickled

TYPES = values_met()
POSITIONAL = {Money, CallbackAddress, Subject}


def test_the_values_a_host_meets_are_all_here() -> None:
    names = {kind.__name__ for kind in TYPES}
    assert {"Money", "Order", "OrderLine", "Payer", "Payment", "Operation", "Event", "Decline", "Flag"} <= names
    assert {"CallbackRequest", "CallbackReply", "SweepReport", "Settings", "SwedbankPay", "Observation"} <= names
    assert {"Consent", "ImportReport", "Mandate", "MethodSeen", "StoreMethod"} <= names


def test_values_are_frozen_and_small() -> None:
    for kind in TYPES:
        value = example(kind)
        name = dataclasses.fields(kind)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, name, getattr(value, name))
        assert not hasattr(value, "__dict__"), kind


def test_values_are_made_by_keyword() -> None:
    positional = {kind for kind in TYPES if not all(field.kw_only for field in dataclasses.fields(kind))}
    assert positional == POSITIONAL


def test_values_are_equal_by_what_they_hold_and_can_be_in_a_set() -> None:
    for kind in TYPES:
        one, same, other = example(kind), example(kind), example(kind, 7)
        assert one == same
        assert one != other
        assert one != object()
        assert {one, same, other} == {one, other}, kind


def test_values_survive_pickling_and_copying() -> None:
    for kind in TYPES:
        value = example(kind)
        again = [pickled(value), copy.copy(value), copy.deepcopy(value), dataclasses.replace(value)]
        assert again == [value] * 4
        assert {type(each) for each in again} == {kind}


def test_what_values_show_holds_no_secret() -> None:
    for kind in TYPES:
        value = example(kind, marked=True)
        shown = [repr(value), str(value), f"{value}", repr([value]), repr({"value": value})]
        assert [text for text in shown if MARK in text or PHONE_MARK in text] == [], kind
        assert all(shown), kind


def test_the_marks_are_there_to_be_seen() -> None:
    marked = {kind.__name__ for kind in TYPES if MARK in _everything(example(kind, marked=True))}
    assert {"Address", "Payer", "Order", "CallbackRequest", "HttpRequest", "SwedbankPay", "Settings"} <= marked
    names = {field.name for kind in TYPES for field in dataclasses.fields(kind)}
    assert names >= SECRET_FIELDS


def _everything(value: Any) -> str:
    """Return what ``repr`` would show if nothing were hidden."""
    if isinstance(value, Secret):
        return value.reveal()
    if dataclasses.is_dataclass(value):
        return " ".join(_everything(getattr(value, field.name)) for field in dataclasses.fields(value))
    if isinstance(value, tuple):
        return " ".join(_everything(each) for each in value)
    return str(value)


# Values that are no dataclasses


def test_a_secret_shows_a_mask_and_is_equal_by_content() -> None:
    secret = Secret(MARK)
    assert [text for text in (repr(secret), str(secret), f"{secret}") if MARK in text] == []
    assert secret == Secret(MARK)
    assert secret != Secret("another")
    assert hash(secret) == hash(Secret(MARK))
    assert secret != MARK
    for again in (copy.copy(secret), copy.deepcopy(secret), pickled(secret)):
        assert again.reveal() == MARK


def test_an_operation_id_stays_one() -> None:
    made = OperationId.of("refund", "K-1", 2)
    for again in (copy.copy(made), copy.deepcopy(made), pickled(made)):
        assert made == again
        assert type(again) is OperationId


def test_errors_survive_pickling_with_what_they_know() -> None:
    """Task queues and process pools carry errors to other processes."""
    for name in errors.__all__:
        error: Any = getattr(errors, name)("what happened, and what to do")
        known = {name: f"some-{name}" for name in ("account", "provider", "operation_id", "payment_id")}
        if isinstance(error, errors.PrenopayError):
            error.about(**known)
        extra = {"field": "amount", "retry_after": 1.5, "http_status": 409, "reason": "use refund", "advice": "wait"}
        for key in extra.keys() & vars(error).keys():
            setattr(error, key, extra[key])
        for again in (pickled(error), copy.copy(error)):
            assert type(again) is type(error)
            assert str(error) == str(again)
            assert vars(error) == vars(again)
