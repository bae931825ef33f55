"""Wrong ways of taking a payment and of seeing it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any

from prenopay import Money, Order, PaymentState
from prenopay.errors import Conflict
from prenopay.ports import Send
from prenopay.provider import ChangeRequest, Created, CreateRequest, Observation, Reply
from prenopay.testing.mock import MockProvider


class Sees(MockProvider):
    """Sees what ``altered`` makes of the truth."""

    def altered(self, seen: Observation) -> Observation:
        raise NotImplementedError

    async def observe(self, send: Send, provider_reference: str) -> Observation:
        return self.altered(await super().observe(send, provider_reference))

    async def capture(self, send: Send, request: ChangeRequest) -> Reply:
        return self._altered(await super().capture(send, request))

    async def refund(self, send: Send, request: ChangeRequest) -> Reply:
        return self._altered(await super().refund(send, request))

    def _altered(self, reply: Reply) -> Reply:
        return replace(reply, observation=reply.observation and self.altered(reply.observation))


class SeesNoMoney(Sees):
    def altered(self, seen: Observation) -> Observation:
        return replace(seen, state=PaymentState.AUTHORIZED, captured=seen.captured * 0, allowed_actions=frozenset())


class SeesOnlyKronor(Sees):
    def altered(self, seen: Observation) -> Observation:
        nothing = Money(0, seen.authorized.currency)
        if nothing.currency == "SEK":
            return seen
        return replace(seen, state=PaymentState.PENDING, authorized=nothing, captured=nothing)


class SeesAnotherReference(Sees):
    def altered(self, seen: Observation) -> Observation:
        return replace(seen, reference=(seen.reference or "")[::-1])


class SeesEachTimeSomethingElse(Sees):
    numbers = itertools.count()

    def altered(self, seen: Observation) -> Observation:
        return replace(seen, raw_status=f"{seen.raw_status} {next(self.numbers)}")


class SeesNoDeclines(Sees):
    def altered(self, seen: Observation) -> Observation:
        return replace(seen, attempts=(), decline=None)


class SeesAFeeThatGrows(Sees):
    numbers = itertools.count()

    def altered(self, seen: Observation) -> Observation:
        return replace(seen, fee=Money(next(self.numbers), seen.fee.currency))


class SeesNoMethods(Sees):
    def altered(self, seen: Observation) -> Observation:
        return replace(seen, methods=())


class SeesWhatIsNotEvenItself(Sees):
    """NaN does not equal NaN once it was copied."""

    def altered(self, seen: Observation) -> Observation:
        return replace(seen, raw={"amount": float("nan")})


class KeepsNoAnswer(Sees):
    def altered(self, seen: Observation) -> Observation:
        return replace(seen, raw={})


class SeesTheFirstAlways(MockProvider):
    first = ""

    async def observe(self, send: Send, provider_reference: str) -> Observation:
        self.first = self.first or provider_reference
        return await super().observe(send, self.first)


class ChecksNothing(MockProvider):
    def check_order(self, order: Order) -> None:
        return


class MakesTwo(MockProvider):
    async def create_payment(self, send: Send, request: CreateRequest) -> Created:
        await super().create_payment(send, replace(request, reference=request.reference[::-1]))
        return await super().create_payment(send, request)


class NeverCloses(MockProvider):
    async def cancel(self, send: Send, request: ChangeRequest) -> Reply:
        message = "not now"
        raise Conflict(message)


class NeverLooksAgain(MockProvider):
    def next_check(self, state: PaymentState, age: timedelta) -> timedelta | None:
        return None


class ShowsTheEmail(Sees):
    email = ""

    async def create_payment(self, send: Send, request: CreateRequest) -> Created:
        self.email = request.order.payer.email if request.order.payer else ""
        return await super().create_payment(send, request)

    def altered(self, seen: Observation) -> Observation:
        return replace(seen, instrument=self.email or None)


class HasACapitalName(MockProvider):
    name = "Mock"


class ProbesNothing(MockProvider):
    async def probe(self, send: Send) -> Any:
        return ()
