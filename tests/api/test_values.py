"""Every public value: frozen and by keyword, equal by content, copied and pickled whole, silent about secrets."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest

from prenopay import Money, OperationId, Secret, errors
from prenopay.mandates.ceilings import Never, NotBefore
from prenopay.values.callbacks import CallbackAddress

from .examples import MARK, SECRET_FIELDS, example, pickled, value_types

TYPES = value_types()
POSITIONAL = {Money, CallbackAddress, Never, NotBefore}

each_type = pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)


def test_the_values_a_host_meets_are_all_here() -> None:
    names = {kind.__name__ for kind in TYPES}
    assert {"Money", "Order", "OrderLine", "Payer", "Payment", "Operation", "Event", "Decline", "Flag"} <= names
    assert {"CallbackRequest", "CallbackReply", "SweepReport", "Settings", "SwedbankPay", "Observation"} <= names
    assert {"Consent", "ImportReport", "Mandate", "MethodSeen", "StoreMethod", "TokenLine"} <= names


@each_type
def test_it_is_frozen_and_small(kind: type[Any]) -> None:
    value = example(kind)
    name = dataclasses.fields(kind)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, getattr(value, name))
    assert not hasattr(value, "__dict__")


@each_type
def test_it_is_made_by_keyword(kind: type[Any]) -> None:
    by_keyword = all(field.kw_only for field in dataclasses.fields(kind))
    assert by_keyword is (kind not in POSITIONAL)


@each_type
def test_it_is_equal_by_what_it_holds(kind: type[Any]) -> None:
    one, same, other = example(kind), example(kind), example(kind, 7)
    assert one == same
    assert one != other
    assert one != object()


@each_type
def test_it_can_stand_in_a_set(kind: type[Any]) -> None:
    assert {example(kind), example(kind), example(kind, 7)} == {example(kind), example(kind, 7)}


@each_type
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_it_survives_pickling(kind: type[Any], protocol: int) -> None:
    value = example(kind)
    again = pickled(value, protocol)
    assert type(again) is kind
    assert value == again


@each_type
def test_it_survives_copying(kind: type[Any]) -> None:
    value = example(kind)
    assert value == copy.copy(value)
    assert value == copy.deepcopy(value)
    assert value == dataclasses.replace(value)


@each_type
def test_what_it_shows_holds_no_secret(kind: type[Any]) -> None:
    value = example(kind, marked=True)
    shown = [repr(value), str(value), f"{value}", repr([value]), repr({"value": value})]
    assert [text for text in shown if MARK in text] == []
    assert all(text for text in shown)


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


ERRORS = [getattr(errors, name) for name in errors.__all__]


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_an_error_survives_pickling_with_what_it_knows(kind: type[Exception]) -> None:
    """Task queues and process pools carry errors to other processes."""
    error: Any = kind("what happened, and what to do")
    known = {name: f"some-{name}" for name in ("account", "provider", "operation_id", "payment_id")}
    if isinstance(error, errors.PrenopayError):
        error.about(**known)
    extra = {"field": "amount", "retry_after": 1.5, "http_status": 409, "reason": "use refund", "advice": "wait"}
    for name in extra.keys() & vars(error).keys():
        setattr(error, name, extra[name])
    for again in (pickled(error), copy.copy(error)):
        assert type(again) is kind
        assert str(error) == str(again)
        assert vars(error) == vars(again)
