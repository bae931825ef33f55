"""The calls of Swish's API: what is sent where, and what each answer is, or raises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, NoReturn, TypeVar
from urllib.parse import unquote

from prenopay._hidden import Hidden, raise_alone
from prenopay._text import quoted
from prenopay.errors import ForeignAnswer, UnexpectedAnswer
from prenopay.ports import HttpRequest, HttpResponse, Send
from prenopay.provider import Observation
from prenopay.provider.wire import In, Unreadable, is_success, read, read_object
from prenopay.providers.swish import _wire, encoding
from prenopay.providers.swish.config import SwishAccount
from prenopay.providers.swish.problems import read_refusal
from prenopay.providers.swish.reading import observation_of

__all__ = ["Absent", "Calls", "absent_in", "check_ours", "read_answer", "written"]

ModelT = TypeVar("ModelT", bound=In)

_PATH: Final = "/swish-cpcapi/api"
_JSON: Final = "application/json"
_PATCH: Final = "application/json-patch+json"
"""A cancel with plain JSON is answered with 415 (MSS guide, section 7)."""
_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class Absent:
    """Nothing was shown of the UUID that was looked up. ``is_stated``: Swish itself says that it has nothing.

    Anything in front of Swish can answer with a bare 404. After one, the same UUID may be sent again, because Swish
    refuses one that is taken; but nothing is proven.
    """

    is_stated: bool


def absent_in(answer: HttpResponse, call: str) -> Absent | None:
    """Return that a look-up found nothing, if its ``answer`` is a 404."""
    return Absent(read_refusal(answer, call).has_nothing) if answer.status == _NOT_FOUND else None


class Calls:
    """Calls Swish for one account. Objects are read under ``v1``, the only version that reads them."""

    def __init__(self, config: SwishAccount[object]) -> None:
        """Act for the merchant of ``config``."""
        self._config = config
        self._base = config.api_url + _PATH

    async def put(self, send: Send, kind: str, uuid: str, body: bytes, call: str) -> HttpResponse:
        """``PUT v2/paymentrequests/{uuid}`` or ``v2/refunds/{uuid}``.

        The transport does not send it again: after a lost answer the UUID is looked up first.
        """
        return await send(written("PUT", f"{self._base}/v2/{kind}/{uuid}", call, body))

    async def post_payout(self, send: Send, body: bytes) -> HttpResponse:
        """``POST v1/payouts``: the UUID is in the body."""
        return await send(written("POST", f"{self._base}/v1/payouts", "payout", body))

    async def patch_cancelled(self, send: Send, uuid: str, call: str) -> HttpResponse:
        """``PATCH v1/paymentrequests/{uuid}``: a second one changes nothing more than the first."""
        url = f"{self._base}/v1/paymentrequests/{uuid}"
        return await send(written("PATCH", url, call, encoding.cancel_body(), _PATCH, retry_safe=True))

    async def get(self, send: Send, kind: str, uuid: str, call: str) -> HttpResponse:
        """``GET v1/{kind}/{uuid}``."""
        return await send(written("GET", f"{self._base}/v1/{kind}/{uuid}", call, retry_safe=True))

    async def payment(self, send: Send, uuid: str, call: str) -> tuple[_wire.Payment, Observation] | Absent:
        """Read a payment, or return that none of that UUID was shown."""
        answer = await self.get(send, "paymentrequests", uuid, call)
        return absent_in(answer, call) or self.read_payment(answer, uuid, call)

    async def refund(self, send: Send, uuid: str, call: str) -> _wire.Refund | Absent:
        """Read a refund, or return that none of that UUID was shown."""
        answer = await self.get(send, "refunds", uuid, call)
        if absent := absent_in(answer, call):
            return absent
        refund, _ = read_answer(answer, _wire.Refund, call)
        self._check(refund.id, uuid, refund.payer_alias, answer, call)
        return refund

    async def payout(self, send: Send, uuid: str, call: str) -> _wire.Payout | Absent:
        """Read a payout, or return that none of that UUID was shown."""
        answer = await self.get(send, "payouts", uuid, call)
        if absent := absent_in(answer, call):
            return absent
        payout, _ = read_answer(answer, _wire.Payout, call)
        self._check(payout.payout_instruction_uuid, uuid, payout.payer_alias, answer, call)
        return payout

    def read_payment(self, answer: HttpResponse, uuid: str, call: str) -> tuple[_wire.Payment, Observation]:
        """Read an answer that should be our payment ``uuid``; raise the error that it is instead."""
        payment, decoded = read_answer(answer, _wire.Payment, call)
        self._check(payment.id, uuid, payment.payee_alias, answer, call)
        # A reference that was cleaned differs from the order's own, so it proves nothing.
        with_reference = not self._config.clean_texts
        return payment, observation_of(payment, decoded.reveal(), with_order_reference=with_reference)

    def check_location(self, answer: HttpResponse, uuid: str, call: str) -> None:
        """Raise unless the new object is ours, by the last part of ``Location``, which always names ``v1``.

        Swish's guide shows 201, ``Location`` and no body for each request that makes something. Another success may
        come from something in front of the gateway: it proves nothing.
        """
        location = answer.header("location")
        if location is None:
            if answer.status == HTTPStatus.CREATED and not answer.body:
                return
            message = f"{call}: the answer ({answer.status}) does not name what the gateway made"
            raise UnexpectedAnswer(message, http_status=answer.status)
        last = unquote(location.partition("?")[0].rstrip("/").rsplit("/", 1)[-1])
        if last.upper() != uuid.upper():
            message = f"{call}: the gateway made {quoted(last)}, not {uuid}"
            raise ForeignAnswer(message, http_status=answer.status)

    async def draw(self, send: Send, token: str, image: str) -> HttpResponse:
        """``POST commerce`` of the QR service."""
        url, body = f"{self._config.qr_api_url}/commerce", encoding.qr_body(token, image)
        return await send(written("POST", url, "qr", body, accept="image/*", retry_safe=True))

    def _check(self, found: str, asked: str, number: str, answer: HttpResponse, call: str) -> None:
        """Raise unless an object is the one that was asked for, and belongs to this account's number."""
        check_ours(answer, call, found=found, asked=asked, number=number, ours=self._config.number)


def written(
    method: str,
    url: str,
    label: str,
    body: bytes = b"",
    content_type: str = _JSON,
    *,
    accept: str = _JSON,
    retry_safe: bool = False,
) -> HttpRequest:
    """Return a request; logs and errors call it ``label``."""
    headers = (("accept", accept), ("user-agent", "prenopay"))
    return HttpRequest(
        method=method,
        url=url,
        label=label,
        headers=(*headers, ("content-type", content_type)) if body else headers,
        body=body,
        retry_safe=retry_safe,
    )


def read_answer(answer: HttpResponse, model: type[ModelT], call: str) -> tuple[ModelT, Hidden[Mapping[str, Any]]]:
    """Read an answer that should be a ``model``; return it as the model and decoded, or raise what it is instead."""
    if not is_success(answer):
        raise read_refusal(answer, call).error()
    try:
        decoded: Hidden[Mapping[str, Any]] = Hidden(read_object(answer.body, exact=True))
        return read(model, decoded.reveal()), decoded
    except Unreadable as error:
        what = model.__name__.lower()
        message = f"{call}: the gateway answered {answer.status} with something that is not a {what}: {error}"
        raise_alone(UnexpectedAnswer(message, http_status=answer.status))


def check_ours(answer: HttpResponse, call: str, *, found: str, asked: str, number: str, ours: str) -> None:
    """Raise unless an object is the one that was asked for, and belongs to our number if it names one."""
    if found.upper() != asked.upper():
        _not_ours(f"{call}: the gateway answered with {quoted(found)}, not with {asked}", answer)
    if number and number != ours:
        _not_ours(f"{call}: the gateway answered with an object of another Swish number", answer)


def _not_ours(message: str, answer: HttpResponse) -> NoReturn:
    raise ForeignAnswer(message, http_status=answer.status)
