"""Wrong ways of capturing, refunding, cancelling, charging and paying out."""

from __future__ import annotations

import itertools
from dataclasses import replace

from prenopay import Outcome, PaymentState, Secret
from prenopay.errors import Conflict, NotSent, OutcomeUnknown, Rejected
from prenopay.ports import Send
from prenopay.provider import ChangeRequest, Charged, ChargeRequest, Created, CreateRequest, Reply
from prenopay.providers.swedbankpay.provider import SwedbankPayProvider
from prenopay.providers.swish import Swish, SwishProvider
from prenopay.testing.mock import MockProvider
from prenopay.values.mandates import MandateKind

_numbers = itertools.count(1)


def fresh() -> str:
    """Return a reference that was never used before."""
    return f"{next(_numbers):020d}"


class ClaimsAll(MockProvider):
    """Says that all went well, and does nothing."""

    async def capture(self, send: Send, request: ChangeRequest) -> Reply:
        return await self._claimed(send, request)

    async def refund(self, send: Send, request: ChangeRequest) -> Reply:
        return await self._claimed(send, request)

    async def update(self, send: Send, request: ChangeRequest) -> Reply:
        return await self._claimed(send, request)

    async def cancel(self, send: Send, request: ChangeRequest) -> Reply:
        reply = await self._claimed(send, request)
        assert reply.observation is not None
        return replace(reply, observation=replace(reply.observation, state=PaymentState.CANCELLED))

    async def _claimed(self, send: Send, request: ChangeRequest) -> Reply:
        seen = await self.observe(send, request.provider_reference)
        return Reply(outcome=Outcome.SUCCEEDED, observation=seen)


class TakesAndGivesAll(MockProvider):
    """Whatever part was asked for."""

    async def capture(self, send: Send, request: ChangeRequest) -> Reply:
        seen = await self.observe(send, request.provider_reference)
        return await super().capture(send, replace(request, amount=seen.authorized - seen.captured))

    async def refund(self, send: Send, request: ChangeRequest) -> Reply:
        seen = await self.observe(send, request.provider_reference)
        return await super().refund(send, replace(request, amount=seen.captured))


class GivesHalf(MockProvider):
    async def refund(self, send: Send, request: ChangeRequest) -> Reply:
        assert request.amount is not None
        half = replace(request.amount, minor=request.amount.minor // 2)
        return await super().refund(send, replace(request, amount=half))


class DoesTwice(MockProvider):
    """Sends everything twice, under two references."""

    async def capture(self, send: Send, request: ChangeRequest) -> Reply:
        await super().capture(send, replace(request, reference=fresh()))
        return await super().capture(send, request)

    async def refund(self, send: Send, request: ChangeRequest) -> Reply:
        await super().refund(send, replace(request, reference=fresh()))
        return await super().refund(send, request)

    async def charge(self, send: Send, request: ChargeRequest) -> Charged:
        await super().charge(send, replace(request, reference=fresh()))
        return await super().charge(send, request)

    async def pay_out(self, send: Send, reference: str, body: bytes, *, again: bool) -> Reply:
        await super().pay_out(send, fresh(), body, again=False)
        return await super().pay_out(send, reference, body, again=again)


class ForgetsItsReference(MockProvider):
    """Sends again under a new reference what may have arrived."""

    async def capture(self, send: Send, request: ChangeRequest) -> Reply:
        return await super().capture(send, replace(request, reference=fresh()))

    async def refund(self, send: Send, request: ChangeRequest) -> Reply:
        return await super().refund(send, replace(request, reference=fresh()))

    async def charge(self, send: Send, request: ChargeRequest) -> Charged:
        return await super().charge(send, replace(request, reference=fresh(), again=False))

    async def pay_out(self, send: Send, reference: str, body: bytes, *, again: bool) -> Reply:
        return await super().pay_out(send, fresh(), body, again=False)


class CallsItRefused(MockProvider):
    """Takes a lost answer for a no."""

    async def create_payment(self, send: Send, request: CreateRequest) -> Created:
        try:
            return await super().create_payment(send, request)
        except OutcomeUnknown as error:
            raise Rejected(str(error)) from error

    async def cancel(self, send: Send, request: ChangeRequest) -> Reply:
        try:
            return await super().cancel(send, request)
        except OutcomeUnknown as error:
            raise Rejected(str(error)) from error


class TakesItForARefusal(MockProvider):
    """Takes a refused connection for the gateway's no."""

    async def create_payment(self, send: Send, request: CreateRequest) -> Created:
        try:
            return await super().create_payment(send, request)
        except NotSent as error:
            raise Rejected(str(error)) from error


class IsNeverSure(MockProvider):
    """Takes no for an answer that was lost."""

    async def charge(self, send: Send, request: ChargeRequest) -> Charged:
        answer = await super().charge(send, request)
        if answer.outcome is not Outcome.SUCCEEDED:
            message = "it may have been taken"
            raise OutcomeUnknown(message)
        return answer


class NeverLooks(MockProvider):
    """Takes what may have arrived for under way, for ever."""

    async def refund(self, send: Send, request: ChangeRequest) -> Reply:
        return Reply(outcome=Outcome.PENDING) if request.again else await super().refund(send, request)


class TakesTimeForNothing(SwedbankPayProvider):
    """Takes the end of the time for a request that never left."""

    async def create_payment(self, send: Send, request: CreateRequest) -> Created:
        try:
            return await super().create_payment(send, request)
        except OutcomeUnknown as error:
            raise NotSent(str(error)) from error


class CancelsWhatIsPaid(SwishProvider):
    """Takes a payment that has ended for one that was cancelled."""

    async def cancel(self, send: Send, request: ChangeRequest) -> Reply:
        try:
            return await super().cancel(send, request)
        except Conflict:
            seen = await self.observe(send, request.provider_reference)
            return Reply(outcome=Outcome.SUCCEEDED, observation=seen)


class CancelsWhatIsTaken(SwedbankPayProvider):
    async def cancel(self, send: Send, request: ChangeRequest) -> Reply:
        try:
            return await super().cancel(send, request)
        except Conflict:
            seen = await self.observe(send, request.provider_reference)
            return Reply(outcome=Outcome.SUCCEEDED, observation=seen)


class SaysNothingInstead(SwishProvider):
    """Has no word on what it cannot do."""

    def __init__(self, config: Swish) -> None:
        super().__init__(config)
        self.limits = replace(self.limits, not_supported={})


class DeclinesWithoutAWord(MockProvider):
    async def charge(self, send: Send, request: ChargeRequest) -> Charged:
        made = await super().charge(send, request)
        return made if made.decline is None else replace(made, decline=replace(made.decline, provider_code=""))


class KeepsMethods(MockProvider):
    async def remove_method(self, send: Send, kind: MandateKind, token: Secret, *, reason: str) -> None:
        return


def never_again(*_given: object) -> None:
    """There is no next look, and nothing lies for too long."""


async def gives_back_unseen(*_given: object) -> None:
    """Money is given back without a look."""


def proves_all(*_given: object) -> bool:
    """Whatever went wrong proves that nothing happened."""
    return False
