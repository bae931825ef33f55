"""Wrong ways of hearing callbacks, reading answers and keeping secrets."""

from __future__ import annotations

import copy
import json
import logging
from dataclasses import replace
from typing import Any

from prenopay import CallbackRequest, PaymentState
from prenopay.errors import Conflict, ProviderUnavailable, RateLimited, Rejected, Unauthenticated, UnexpectedAnswer
from prenopay.ports import HttpRequest, HttpResponse, Send
from prenopay.provider import Created, CreateRequest, Inspection, Observation, Probe
from prenopay.providers.swedbankpay.provider import SwedbankPayProvider
from prenopay.testing.conformance.stage import ACCOUNT
from prenopay.testing.emulators.swedbankpay import DEFAULT_ACCESS_TOKEN
from prenopay.testing.mock import MockProvider
from prenopay.values.callbacks import CallbackAddress, CallbackUrls, Heard
from prenopay.values.subjects import Subject


class GivesNoAddress(MockProvider):
    async def create_payment(self, send: Send, request: CreateRequest) -> Created:
        return await super().create_payment(send, replace(request, callback_url="https://nowhere.example/"))


class BelievesCallbacks(MockProvider):
    """Believes that a payment was paid once a callback came."""

    told = False

    def read_callback(self, request: CallbackRequest) -> Heard:
        self.told = True
        return super().read_callback(request)

    async def observe(self, send: Send, provider_reference: str) -> Observation:
        seen = await super().observe(send, provider_reference)
        if not self.told:
            return seen
        return replace(seen, state=PaymentState.CAPTURED, authorized=seen.submitted, captured=seen.submitted)


class HearsOnce(MockProvider):
    heard: frozenset[bytes] = frozenset()

    def read_callback(self, request: CallbackRequest) -> Heard:
        if request.body in self.heard:
            return Heard(problem="heard before")
        self.heard |= {request.body}
        return super().read_callback(request)


class ReadsWithoutCare(MockProvider):
    def read_callback(self, request: CallbackRequest) -> Heard:
        return Heard(names=(json.loads(request.body)["payment"],))


class HearsNoNames(MockProvider):
    def read_callback(self, request: CallbackRequest) -> Heard:
        return Heard()


def takes_any_address(_urls: CallbackUrls, path: str) -> CallbackAddress:
    """Return whose path it is, if it is one."""
    account, _kind, payment_id = (*path.split("/"), "", "", "")[-7:-4]
    return CallbackAddress(account, Subject.payment(payment_id))


def takes_any_account(_urls: CallbackUrls, path: str) -> CallbackAddress:
    """Return whose path it would be if all were one account's."""
    return CallbackAddress(ACCOUNT, Subject.payment(path.split("/")[-2]))


class TalksOfItsToken(SwedbankPayProvider):
    async def observe(self, send: Send, provider_reference: str) -> Observation:
        logging.getLogger("shop").debug("asking with %s", DEFAULT_ACCESS_TOKEN)
        return await super().observe(send, provider_reference)


class ShowsItsToken(SwedbankPayProvider):
    async def observe(self, send: Send, provider_reference: str) -> Observation:
        return replace(await super().observe(send, provider_reference), instrument=DEFAULT_ACCESS_TOKEN[:40])


class ComplainsWithItsToken(SwedbankPayProvider):
    async def create_payment(self, send: Send, request: CreateRequest) -> Created:
        try:
            return await super().create_payment(send, request)
        except Rejected as error:
            message = f"refused with {DEFAULT_ACCESS_TOKEN}"
            raise Rejected(message) from error


class KeepsItsToken(SwedbankPayProvider):
    async def observe(self, send: Send, provider_reference: str) -> Observation:
        seen = await super().observe(send, provider_reference)
        return replace(seen, raw={**seen.raw, "note": f"asked with {DEFAULT_ACCESS_TOKEN}"})


class NamesMethodsByToken(MockProvider):
    async def observe(self, send: Send, provider_reference: str) -> Observation:
        seen = await super().observe(send, provider_reference)
        return replace(seen, methods=tuple(replace(each, display=each.token.reveal()) for each in seen.methods))


class HasNoLabels(SwedbankPayProvider):
    async def observe(self, send: Send, provider_reference: str) -> Observation:
        async def unlabelled(request: HttpRequest) -> HttpResponse:
            return await send(replace(request, label=""))

        return await super().observe(unlabelled, provider_reference)


class MindsWhatIsNew(SwedbankPayProvider):
    async def observe(self, send: Send, provider_reference: str) -> Observation:
        bodies: list[bytes] = []

        async def listening(request: HttpRequest) -> HttpResponse:
            answer = await send(request)
            bodies.append(answer.body)
            return answer

        seen = await super().observe(listening, provider_reference)
        return replace(seen, status_is_known=not any(b"memberOfATimeToCome" in body for body in bodies))


class EndsWhatItDoesNotKnow(SwedbankPayProvider):
    async def observe(self, send: Send, provider_reference: str) -> Observation:
        seen = await super().observe(send, provider_reference)
        return seen if seen.status_is_known else replace(seen, state=PaymentState.CANCELLED)


class RemembersInstead(SwedbankPayProvider):
    last: Any = None

    async def observe(self, send: Send, provider_reference: str) -> Observation:
        try:
            self.last = await super().observe(send, provider_reference)
        except UnexpectedAnswer:
            if self.last is None:
                raise
        seen: Observation = self.last
        return seen


class TakesFailureForRefusal(SwedbankPayProvider):
    async def create_payment(self, send: Send, request: CreateRequest) -> Created:
        try:
            return await super().create_payment(send, request)
        except ProviderUnavailable as error:
            raise Rejected(str(error)) from error


class TakesAMistakeForFailure(SwedbankPayProvider):
    async def create_payment(self, send: Send, request: CreateRequest) -> Created:
        try:
            return await super().create_payment(send, request)
        except Rejected as error:
            raise ProviderUnavailable(str(error)) from error


class TakesBadCredentialsForFailure(SwedbankPayProvider):
    async def create_payment(self, send: Send, request: CreateRequest) -> Created:
        try:
            return await super().create_payment(send, request)
        except Unauthenticated as error:
            raise ProviderUnavailable(str(error)) from error


class TakesConflictForAMistake(SwedbankPayProvider):
    async def create_payment(self, send: Send, request: CreateRequest) -> Created:
        try:
            return await super().create_payment(send, request)
        except Conflict as error:
            raise Rejected(str(error)) from error


class DoesNotSayHowLong(SwedbankPayProvider):
    async def create_payment(self, send: Send, request: CreateRequest) -> Created:
        try:
            return await super().create_payment(send, request)
        except RateLimited as error:
            raise RateLimited(str(error)) from error


class FindsAllWell(SwedbankPayProvider):
    async def probe(self, send: Send) -> tuple[Probe, ...]:
        return tuple(replace(each, ok=True, fix="") for each in await super().probe(send))


def reads_anything(_body: bytes) -> Inspection:
    return Inspection(kind="payment")


def equals_nothing(_config: object, _other: object) -> bool:
    return False


class KeepsAnAddressInSight(SwedbankPayProvider):
    async def create_payment(self, send: Send, request: CreateRequest) -> Created:
        said = [f"from {request.order.payer.email}"] if request.order.payer is not None else []
        made = await super().create_payment(send, request)
        return made if said else replace(made, redirect_url=None)


class ReadsToAnyDepth(SwedbankPayProvider):
    async def observe(self, send: Send, provider_reference: str) -> Observation:
        async def read_first(request: HttpRequest) -> HttpResponse:
            answer = await send(request)
            copy.deepcopy(json.loads(answer.body))
            return answer

        return await super().observe(read_first, provider_reference)
