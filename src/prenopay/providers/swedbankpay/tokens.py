"""Lists and removes a payer's stored methods at the gateway, through either of its two APIs.

The Payer API addresses a token as ``{token}-{type}`` and links to what can be done with it; the older one
takes a deletion at the token's own path. Links are followed to the account's own hosts only.
Source: developer.swedbankpay.com, token handling (2026-07-01).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, TypeVar
from urllib.parse import quote

from prenopay._hidden import HiddenText, raise_alone
from prenopay._redaction import Secret
from prenopay._text import quoted
from prenopay.errors import Conflict, InvalidOrder, NotSent
from prenopay.ports import HttpResponse, Send
from prenopay.provider.wire import In, Unreadable, is_success, read, read_object
from prenopay.providers.swedbankpay import _wire
from prenopay.providers.swedbankpay.calls import ORDERS, Calls, hidden, problem_in, refusal, unexpected
from prenopay.providers.swedbankpay.config import SwedbankPayAccount
from prenopay.providers.swedbankpay.encoding import archive_body, delete_body
from prenopay.providers.swedbankpay.problems import is_token_gone
from prenopay.providers.swedbankpay.reading import ACTIVE, methods_listed
from prenopay.values.links import host_of
from prenopay.values.mandates import MandateKind, MethodSeen

__all__ = ["StoredTokens"]

InT = TypeVar("InT", bound=In)

_PAYERS: Final = "/online/payers"
_TYPES: Final[Mapping[MandateKind, tuple[str, ...]]] = {
    MandateKind.ONE_CLICK: ("Payment", "OneClick"),
    MandateKind.RECURRENCE: ("Recurrence",),
    MandateKind.UNSCHEDULED: ("Unscheduled",),
}
"""How the Payer API's paths end; the docs show two ways for one-click details."""
_PATHS: Final[Mapping[MandateKind, str]] = {
    MandateKind.ONE_CLICK: "paymenttokens",
    MandateKind.RECURRENCE: "recurrencetokens",
    MandateKind.UNSCHEDULED: "unscheduledtokens",
}
_ARCHIVE_ALL: Final = "archive-payer-tokens"
_DELETE_ALL: Final = "delete-payerownedtokens"
_ARCHIVE: Final = "archive-token"
_LIST, _REMOVE, _REMOVE_ALL = "list methods", "remove method", "remove methods"
_NO_LONGER: Final = frozenset({404, 410})


class StoredTokens:
    """The stored methods of one merchant's payers."""

    def __init__(self, config: SwedbankPayAccount[object], calls: Calls) -> None:
        """Use the API that ``config`` chooses."""
        self._base = config.tokens_url
        self._hosts = config.hosts
        self._payer_api = config.payer_api
        self._calls = calls

    async def observe(self, send: Send, payer_reference: str) -> tuple[MethodSeen, ...]:
        """Return the payer's methods that still work; an unknown payer has none."""
        listed, _ = await self._listed(send, payer_reference, _LIST)
        return methods_listed(listed)

    async def remove(self, send: Send, kind: MandateKind, token: Secret, reason: str) -> None:
        """Remove one token; a token that is gone already is no error."""
        if kind not in _PATHS:
            message = f"kind: Swedbank Pay stores no {kind}"
            raise InvalidOrder(message, field="kind")
        segment = _segment("token", token.reveal())
        if self._payer_api:
            await self._archive(send, [HiddenText(f"{segment}-{ending}") for ending in _TYPES[kind]], token, reason)
            return
        url = HiddenText(f"{self._base}{ORDERS}/{_PATHS[kind]}/{segment}")
        answer = hidden(await self._patch(send, url, _REMOVE, delete_body(reason)), token)
        if not _is_gone(answer) and self._read_change(_wire.TokenAnswer, answer, _REMOVE).is_deleted is False:
            raise unexpected(answer, _REMOVE, "a token that is not deleted")

    async def remove_all(self, send: Send, payer_reference: str, reason: str) -> None:
        """Remove every token of the payer; nothing is sent if there is none."""
        listed, links = await self._listed(send, payer_reference, _REMOVE_ALL)
        if not any(token.state.lower() in ACTIVE for token in listed):
            return
        rel = next((rel for rel in (_ARCHIVE_ALL, _DELETE_ALL) if rel in links), _ARCHIVE_ALL)
        body = archive_body(reason) if rel == _ARCHIVE_ALL else delete_body(reason)
        answer = await self._patch(send, self._link(links, rel, _REMOVE_ALL), _REMOVE_ALL, body)
        if _is_gone(answer):
            return
        changed = self._read_change(_wire.TokensAnswer, answer, _REMOVE_ALL)
        envelope = changed.tokens or changed.payer_owned_tokens or _wire.TokenList()
        if any(token.state.lower() == "active" for token in envelope.token_list or ()):
            raise unexpected(answer, _REMOVE_ALL, "tokens that are still active")

    async def _listed(
        self, send: Send, payer_reference: str, label: str
    ) -> tuple[list[_wire.ListedToken], Mapping[str, HiddenText]]:
        """Return the payer's tokens as listed, and the links of what can be done with all of them."""
        segment = _segment("payer_reference", payer_reference)
        path = f"{_PAYERS}/{segment}" if self._payer_api else f"{ORDERS}/payerownedtokens/{segment}"
        answer = await send(self._calls.request("GET", self._base + path, label, retry_safe=True))
        if _is_gone(answer):
            return [], {}
        found = self._read(_wire.TokensAnswer, answer, label)
        envelope = found.tokens or found.payer_owned_tokens
        listed = None if envelope is None else envelope.token_list if envelope.tokens is None else envelope.tokens
        if envelope is None or listed is None:
            raise unexpected(answer, label, "something that is not a list of tokens")
        if envelope.payer_reference not in {None, payer_reference}:
            raise unexpected(answer, label, "the tokens of another payer")
        return listed, _links(found.operations)

    async def _archive(self, send: Send, names: Collection[str], token: Secret, reason: str) -> None:
        """Find the token under one of ``names`` and archive it by its own link."""
        for name in names:
            url = HiddenText(f"{self._base}{_PAYERS}/tokens/{name}")
            answer = await send(self._calls.request("GET", url, _REMOVE, retry_safe=True))
            if not is_success(answer):
                answer = hidden(answer, token)
            if _is_gone(answer):
                continue
            found = self._read(_wire.TokenAnswer, answer, _REMOVE).token
            if found is None:
                raise unexpected(answer, _REMOVE, "something that is not a token")
            if found.state.lower() not in ACTIVE:
                return
            link = self._link(_links(found.operations), _ARCHIVE, _REMOVE)
            answer = hidden(await self._patch(send, link, _REMOVE, archive_body(reason)), token)
            changed = None if _is_gone(answer) else self._read_change(_wire.TokenAnswer, answer, _REMOVE).token
            if changed is not None and changed.state.lower() == "active":
                raise unexpected(answer, _REMOVE, "a token that is still active")
            return

    async def _patch(self, send: Send, url: str, label: str, body: bytes) -> HttpResponse:
        """Send a removal; sending it twice has the same effect as once."""
        return await send(self._calls.request("PATCH", url, label, body, retry_safe=True))

    def _link(self, links: Mapping[str, HiddenText], rel: str, label: str) -> HiddenText:
        """Return the link ``rel`` if it leads to one of the account's own hosts."""
        if rel not in links:
            message = f"{label}: the gateway offers no {rel!r} now; nothing was removed"
            raise Conflict(message)
        scheme, host, name = host_of(links[rel])
        if host not in self._hosts or scheme != host_of(self._base)[0]:
            where = f"{quoted(name)}, which is not a host of this account"
            message = f"{label}: the link {rel!r} leads to {where}; nothing was sent"
            raise NotSent(message)
        return links[rel]

    @staticmethod
    def _read(model: type[InT], answer: HttpResponse, label: str) -> InT:
        if not is_success(answer):
            raise refusal(answer, label)
        try:
            return read(model, read_object(answer.body))
        except Unreadable as error:
            raise_alone(unexpected(answer, label, f"something that is not a list of tokens: {error}"))

    def _read_change(self, model: type[InT], answer: HttpResponse, label: str) -> InT:
        """Read the answer to a removal, which may be empty."""
        return model() if is_success(answer) and not answer.body.strip() else self._read(model, answer, label)


def _is_gone(answer: HttpResponse) -> bool:
    """Whether the gateway says, in a problem, that there is no such token or payer.

    A bare 404 does not count: it may come from a proxy in front of the gateway.
    """
    problem = None if is_success(answer) else problem_in(answer)
    return problem is not None and (answer.status in _NO_LONGER or is_token_gone(problem, answer.status))


def _links(operations: list[_wire.Operation]) -> dict[str, HiddenText]:
    return {operation.rel: HiddenText(operation.href) for operation in operations}


def _segment(field: str, text: str) -> HiddenText:
    """Return ``text`` as one part of a path, whatever characters it holds."""
    if not text.strip("."):
        message = f"{field}: must not be empty or only dots"
        raise InvalidOrder(message, field=field)
    return HiddenText(quote(text, safe=""))
