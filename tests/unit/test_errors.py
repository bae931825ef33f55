"""Errors say what happened and what to do next, carry their context, and contain no secret."""

from __future__ import annotations

import copy
import pickle

import pytest

from prenopay import errors
from prenopay.errors import (
    ConfigurationError,
    InvalidOrder,
    NotFound,
    NotSent,
    OutcomeUnknown,
    PrenopayError,
    ProviderError,
    RateLimited,
    Rejected,
    UnsupportedOperation,
)

_FAMILY = [
    each
    for each in vars(errors).values()
    if isinstance(each, type) and issubclass(each, PrenopayError | ConfigurationError)
]


def test_every_error_is_public_and_in_the_drawn_tree() -> None:
    for kind in _FAMILY:
        assert kind.__name__ in errors.__all__
        assert kind.__name__ in (errors.__doc__ or "")


def test_every_message_is_scrubbed() -> None:
    expected = "refused *** of ***"
    for kind in _FAMILY:
        assert expected == str(kind("refused 4925000000000004 of leia@shop.example"))


def test_every_error_can_be_raised_without_words() -> None:
    for kind in _FAMILY:
        with pytest.raises(kind):
            raise kind


def test_details_survive_pickling_and_copying() -> None:
    error = RateLimited(
        "slower",
        http_status=429,
        provider_code="velocity",
        problems=(("Amount", "too often"),),
        advice="wait",
        retry_after=2.5,
    )
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301 - our own bytes
        assert vars(error) == vars(again)


def test_what_a_gateway_said_is_scrubbed_too() -> None:
    error = Rejected("no", problems=(("Payer.Email", "leia@shop.example is wrong"),), advice="call +46701234567")
    expected = ((("Payer.Email", "*** is wrong"),), "call ***")
    assert expected == (error.problems, error.advice)


def test_context_is_filled_in_once() -> None:
    error = NotSent("no way").about(account="paper").about(account="other", payment_id="pay_1")
    expected = ("paper", "pay_1", None)
    assert expected == (error.account, error.payment_id, error.operation_id)


def test_context_of_one_error_is_not_that_of_another() -> None:
    NotSent("first").about(account="paper")
    assert NotSent("second").account is None


def test_a_configuration_error_is_never_swallowed_with_the_family() -> None:
    assert not issubclass(ConfigurationError, PrenopayError)
    assert issubclass(ConfigurationError, ValueError)


@pytest.mark.parametrize(("kind", "builtin"), [(InvalidOrder, ValueError), (NotFound, LookupError)])
def test_an_error_of_everyday_kind_is_caught_as_such(kind: type[PrenopayError], builtin: type[Exception]) -> None:
    assert issubclass(kind, builtin)


def test_lost_and_never_sent_are_never_the_same() -> None:
    assert not issubclass(NotSent, OutcomeUnknown)
    assert not issubclass(OutcomeUnknown, NotSent)


def test_an_unsupported_operation_says_what_to_use_instead() -> None:
    error = UnsupportedOperation("cannot capture", capability="capture", reason="settles at once; use refund")
    expected = ("capture", "settles at once; use refund")
    assert expected == (error.capability, error.reason)


def test_a_provider_error_knows_nothing_by_default() -> None:
    error = ProviderError("no")
    expected = (None, None, (), "")
    assert expected == (error.http_status, error.provider_code, error.problems, error.advice)
