"""The suite itself: it says which rules apply, and asks for what is missing."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from prenopay.ports import HttpRequest, HttpResponse
from prenopay.providers.swish import Swish
from prenopay.testing.conformance import ProviderSuite
from prenopay.testing.conformance.rules.answers import with_unknown_members
from prenopay.testing.databases import empty_sqlite
from prenopay.testing.emulators.swish.gateway import SwishGateway
from prenopay.testing.gateway import Gateway, Totals
from prenopay.testing.http import Emulator, EmulatorRequest
from prenopay.testing.mock import MockGateway


class OfSwish(ProviderSuite):
    gateway = SwishGateway


def missing(suite: type[ProviderSuite]) -> dict[str, str]:
    return {rule.name: rule.missing for rule in suite.applies() if rule.missing}


def test_every_rule_that_does_not_apply_says_why() -> None:
    left_out = missing(OfSwish)
    assert left_out["test_captures_in_parts_add_up"] == "swish does not inherit Captures"
    assert left_out["test_a_charge_takes_the_money_once"] == "swish does not inherit ChargesMandates"
    assert "test_a_payout_is_sent_once" not in left_out
    assert all(rule.says.endswith(".") for rule in OfSwish.applies())


def test_a_rule_that_does_not_apply_is_skipped_with_that_reason() -> None:
    suite = OfSwish()
    with (
        empty_sqlite() as database,
        pytest.raises(pytest.skip.Exception, match="swish does not inherit Captures"),
        suite.staged_for(suite.test_captures_in_parts_add_up, database=database),
    ):
        pass


class WithoutPayouts(Gateway):
    """A Swish whose author forgot that it sends money."""

    def __init__(self) -> None:
        self._swish = SwishGateway()
        self.clock, self.faults, self.callbacks = self._swish.clock, self._swish.faults, self._swish.callbacks

    @property
    def mounts(self) -> Mapping[str, Emulator]:
        return self._swish.mounts

    def account(self, name: str) -> Swish:
        return self._swish.account(name)

    def pays(self, payment: str) -> None:
        self._swish.pays(payment)

    def declines(self, payment: str) -> None:
        self._swish.declines(payment)

    def books(self) -> dict[str, Totals]:
        return self._swish.books()

    def secrets(self) -> set[str]:
        return self._swish.secrets()


class Forgetful(ProviderSuite):
    gateway = WithoutPayouts


def test_what_the_gateway_lacks_is_asked_for_and_nothing_is_skipped() -> None:
    suite = Forgetful()
    with (
        empty_sqlite() as database,
        pytest.raises(pytest.fail.Exception, match=r"let WithoutPayouts inherit Payouts of .*: this rule applies"),
        suite.staged_for(suite.test_a_payout_is_sent_once, database=database),
    ):
        pass
    assert "test_a_payout_is_sent_once" not in missing(Forgetful)


class Deaf(MockGateway):
    """Plans faults, and looks at none."""

    def planned(self, request: EmulatorRequest, call: str) -> None:
        return None


class AtDeaf(ProviderSuite):
    gateway = Deaf


def test_a_gateway_that_meets_no_faults_is_told_so() -> None:
    suite = AtDeaf()
    with (
        empty_sqlite() as database,
        suite.staged_for(suite.test_what_did_not_leave_is_not_attempted, database=database) as stage,
        pytest.raises(AssertionError, match="or Deaf does not meet what is planned in its faults"),
    ):
        suite.test_what_did_not_leave_is_not_attempted(stage)


@pytest.mark.parametrize(
    ("gateway", "said"),
    [
        (None, "Bare has no gateway: write 'gateway = MyGateway' in it"),
        (lambda: "https://gateway.example", r"Bare\.gateway made a str: it must make a Gateway"),
    ],
)
def test_a_suite_without_a_gateway_says_what_to_write(gateway: Any, said: str) -> None:
    members = {} if gateway is None else {"gateway": staticmethod(gateway)}
    suite: Any = type("Bare", (ProviderSuite,), members)()
    with pytest.raises(TypeError, match=said):
        suite.applies()
    with (
        empty_sqlite() as database,
        pytest.raises(TypeError, match=said),
        suite.staged_for(suite.test_a_refund_gives_all_back, database=database),
    ):
        pass


def test_a_gateway_that_is_yielded_is_cleaned_up() -> None:
    ended: list[str] = []

    class Yields(ProviderSuite):
        def gateway(self) -> Generator[Gateway]:
            yield MockGateway()
            ended.append("cleaned up")

    assert not missing(Yields)
    assert ended == ["cleaned up"]


@pytest.mark.parametrize(
    ("body", "made"),
    [
        (b"[1.10, {}]", b"[1.10, {MEMBER}]"),
        (b'{"a{": "\\"{", "b": {"c": 1e3}}', b'{MEMBER,"a{": "\\"{", "b": {MEMBER,"c": 1e3}}'),
        (b"", b""),
    ],
)
def test_unknown_members_leave_every_other_byte_alone(body: bytes, made: bytes) -> None:
    request = HttpRequest(method="GET", url="https://gateway.example/", label="observe")
    answer = HttpResponse(status=200, headers=(("content-type", "application/json"),), body=body)
    member = with_unknown_members(request, replace(answer, body=b"{}")).body[1:-1]
    assert with_unknown_members(request, answer).body == made.replace(b"MEMBER", member)
