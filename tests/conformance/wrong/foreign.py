"""Providers that believe what is not theirs to believe: other systems' objects, answers of anything in front."""

from __future__ import annotations

from dataclasses import replace

from prenopay import Outcome, PaymentState
from prenopay.errors import ForeignAnswer, ProviderError, UnexpectedAnswer
from prenopay.ports import Send
from prenopay.provider import ChangeRequest, Charged, ChargeRequest, Observation, Reply
from prenopay.providers.swedbankpay.calls import KnownOrder, expanded, order_in
from prenopay.providers.swedbankpay.provider import SwedbankPayProvider
from prenopay.providers.swish import SwishProvider
from prenopay.testing.mock import MockProvider


class TakesAnyRefundForOurs(MockProvider):
    async def refund(self, send: Send, request: ChangeRequest) -> Reply:
        seen = await self.observe(send, request.provider_reference)
        if any(each.reference == request.reference for each in seen.transactions):
            return Reply(outcome=Outcome.SUCCEEDED)
        return await super().refund(send, request)


class ActsOnWhatComes(SwedbankPayProvider):
    """Follows the links of whatever order is answered."""

    async def _get(self, send: Send, provider_reference: str, label: str) -> KnownOrder:
        url = expanded(self._api_url + provider_reference)
        return order_in(await send(self._calls.request("GET", url, label, retry_safe=True)), label, "")


class TakesAnyLookForAStatement(SwedbankPayProvider):
    async def _get(self, send: Send, provider_reference: str, label: str) -> KnownOrder:
        try:
            return await super()._get(send, provider_reference, label)
        except ProviderError as error:
            error.stated = True
            raise


class TakesAnyChargeForOurs(MockProvider):
    async def charge(self, send: Send, request: ChargeRequest) -> Charged:
        try:
            return await super().charge(send, request)
        except ForeignAnswer:
            return Charged(outcome=Outcome.SUCCEEDED)


class GivesChargesUp(MockProvider):
    async def charge(self, send: Send, request: ChargeRequest) -> Charged:
        return Charged(outcome=Outcome.NOT_ATTEMPTED) if request.again else await super().charge(send, request)


class TakesAnyRefusalForADecline(MockProvider):
    async def pay_out(self, send: Send, reference: str, body: bytes, *, again: bool) -> Reply:
        try:
            return await super().pay_out(send, reference, body, again=again)
        except ProviderError:
            return Reply(outcome=Outcome.DECLINED)


class TakesAnyCodeForADecline(SwishProvider):
    async def observe(self, send: Send, provider_reference: str) -> Observation:
        seen = await super().observe(send, provider_reference)
        return replace(seen, state=PaymentState.DECLINED) if seen.state is PaymentState.UNKNOWN else seen


class TakesWhatItCannotReadForADecline(MockProvider):
    async def charge(self, send: Send, request: ChargeRequest) -> Charged:
        try:
            return await super().charge(send, request)
        except UnexpectedAnswer:
            return Charged(outcome=Outcome.DECLINED)
