"""The suite itself: which rules apply is said, and what is missing is asked for."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import pytest

from prenopay.ports import HttpRequest, HttpResponse
from prenopay.testing.conformance import ProviderSuite, World
from prenopay.testing.conformance.wire import with_unknown_members
from prenopay.testing.mock.shop import empty_sqlite
from tests.conformance import worlds


class OfSwish(ProviderSuite):
    def world(self) -> Generator[World]:
        yield from worlds.swish()


class WithoutHooks(ProviderSuite):
    def world(self) -> Generator[World]:
        for world in worlds.swish():
            yield replace(world, payout=None, deliver=None)


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


def test_what_the_world_lacks_is_asked_for_and_nothing_is_skipped() -> None:
    suite = WithoutHooks()
    with (
        empty_sqlite() as database,
        pytest.raises(pytest.fail.Exception, match=r"give World\(payout=…\): this rule applies"),
        suite.staged_for(suite.test_a_payout_is_sent_once, database=database),
    ):
        pass
    assert "test_a_payout_is_sent_once" not in missing(WithoutHooks)


def test_a_suite_without_a_world_says_what_to_write() -> None:
    suite: ProviderSuite = type("Bare", (ProviderSuite,), {})()
    with pytest.raises(NotImplementedError, match=r"Bare has no world: write 'def world\(self\)'.*yield World"):
        suite.applies()
    with (
        empty_sqlite() as database,
        pytest.raises(NotImplementedError, match="Bare has no world"),
        suite.staged_for(suite.test_a_refund_gives_all_back, database=database),
    ):
        pass


def test_a_world_that_is_returned_says_to_yield_it() -> None:
    class Returns(ProviderSuite):
        def world(self) -> Any:
            return next(worlds.mock())

    suite = Returns()
    with pytest.raises(TypeError, match=r"Returns\.world returned a World: write 'yield World\(…\)'"):
        suite.applies()
    with (
        empty_sqlite() as database,
        pytest.raises(TypeError, match="Returns"),
        suite.staged_for(suite.test_a_refund_gives_all_back, database=database),
    ):
        pass


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
