"""What merchants ask about stored tokens, and how they end them: in the older API and in the Payer API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from prenopay.testing.emulators.jsonvalues import JsonObject
from prenopay.testing.emulators.swedbankpay.behaviour import Brand
from prenopay.testing.emulators.swedbankpay.calls import PAYERS_PATH
from prenopay.testing.emulators.swedbankpay.fields import Check, must, one_of, shape, text
from prenopay.testing.emulators.swedbankpay.hosts import Hosts
from prenopay.testing.emulators.swedbankpay.merchants import Merchant
from prenopay.testing.emulators.swedbankpay.problems import FieldProblem, not_found
from prenopay.testing.emulators.swedbankpay.register import Register
from prenopay.testing.emulators.swedbankpay.request_bodies import json_body, refuse
from prenopay.testing.emulators.swedbankpay.storing import inactive, missing
from prenopay.testing.emulators.swedbankpay.token_documents import (
    deleted_token,
    owned_token,
    owned_tokens,
    payer_token,
    payer_tokens,
)
from prenopay.testing.emulators.swedbankpay.tokens import ArchivedBy, StoredToken, TokenKind
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest, json_answer

__all__ = ["TOKEN_PATHS", "TokenApi"]

_OF_PAYER: Final = ("payerownedtokens", "payerownedpaymenttokens")
"""The second stands in a sample's links (docs: network-tokenization)."""
_OF_KIND: Final = {f"{kind.value}tokens": kind for kind in TokenKind}
TOKEN_PATHS: Final = frozenset({*_OF_PAYER, *_OF_KIND})
"""What stands below payment orders for the older API, in lower case: their case does not count."""

_LONGEST: Final = 2000
_said: Final = text(longest=_LONGEST)
_DELETE: Final = shape({"state": must(one_of(("Deleted",))), "comment": must(_said)})
_RENAME: Final = shape({"displayName": must(_said)})
_ARCHIVERS: Final = {
    "payee": ArchivedBy.PAYEE,
    "consumer": ArchivedBy.PAYEE,
    "online": ArchivedBy.SWEDBANK_PAY,
    "tokenissuer": ArchivedBy.TOKEN_ISSUER,
}
"""Who says so → who is named: the documents list other words in requests than in answers."""


def _archiver(path: str, value: object) -> Iterator[FieldProblem]:
    if not isinstance(value, str) or value.lower() not in _ARCHIVERS:
        yield FieldProblem(path, f"One of {', '.join(_ARCHIVERS)} is expected here, in any case.")


_ARCHIVE: Final = shape({"reason": must(_said), "updatedBy": must(_archiver)})


class TokenApi:
    """Answers both APIs; raises ``Refusal`` for what cannot be."""

    def __init__(self, register: Register, hosts: Hosts) -> None:
        """Work on ``register``."""
        self._register = register
        self._hosts = hosts

    # The older API

    def paymentorders(self, request: EmulatorRequest, merchant: Merchant, what: str, name: str) -> EmulatorAnswer:
        """Answer a call below payment orders: ``what`` is one of ``TOKEN_PATHS``, ``name`` a payer or a token."""
        origin, _ = self._hosts.origins(request, self._register.behaviour.brand)
        if what in _OF_PAYER:
            return self._owned(request, merchant, unquote(name), origin)
        kind = _OF_KIND[what]
        match request.method:
            case "GET":
                stored = self._token(merchant, name, kind)
                return json_answer(200, owned_token(stored, origin=origin, linked=True))
            case "PATCH":
                comment = str(self._body(request, _DELETE, "Token")["comment"])
                stored = self._token(merchant, name, kind)
                _end(stored, ArchivedBy.PAYEE, comment)
                return json_answer(200, deleted_token(stored))
            case _:
                raise not_found(what=f"{request.method} {request.path}")

    def _owned(self, request: EmulatorRequest, merchant: Merchant, payer: str, origin: str) -> EmulatorAnswer:
        tokens = [stored for stored in self._all_of(merchant, payer) if stored.is_active]
        match request.method:
            case "GET":
                self._must_know(tokens)
                return json_answer(200, owned_tokens(payer, tokens, origin=origin, linked=True))
            case "PATCH":
                comment = str(self._body(request, _DELETE, "PayerOwnedTokens")["comment"])
                self._must_know(tokens)
                for stored in tokens:
                    _end(stored, ArchivedBy.PAYEE, comment)
                return json_answer(200, owned_tokens(payer, tokens, origin=origin, linked=False))
            case _:
                raise not_found(what=f"{request.method} {request.path}")

    # The Payer API

    def payers(self, request: EmulatorRequest, merchant: Merchant) -> EmulatorAnswer:
        """Answer a call below payers. No document names a version for it, so none is asked for."""
        origin, _ = self._hosts.origins(request, Brand.SWEDBANK_PAY)
        match request.method, [part for part in request.path[len(PAYERS_PATH) :].split("/") if part]:
            case "GET", [first, name] if first.lower() == "tokens":
                stored = self._named(merchant, name)
                return self._payer_token(stored, origin)
            case "PATCH", [first, name, part] if first.lower() == "tokens":
                return self._change(request, merchant, name, part.lower(), origin)
            case "GET", [payer]:
                return self._list(merchant, unquote(payer), origin, archived=False)
            case "GET", [payer, part] if part.lower() == "archives":
                return self._list(merchant, unquote(payer), origin, archived=True)
            case "PATCH", [payer, part] if part.lower() == "archives":
                return self._archive_all(request, merchant, unquote(payer), origin)
            case _:
                raise not_found(what=f"{request.method} {request.path}")

    def _change(
        self,
        request: EmulatorRequest,
        merchant: Merchant,
        name: str,
        part: str,
        origin: str,
    ) -> EmulatorAnswer:
        match part:
            case "archives":
                body = self._body(request, _ARCHIVE, "Archive")
                stored = self._active(self._named(merchant, name))
                _end(stored, _ARCHIVERS[str(body["updatedBy"]).lower()], str(body["reason"]))
            case "displaynames":
                body = self._body(request, _RENAME, "DisplayName")
                stored = self._active(self._named(merchant, name))
                stored.given_name = str(body["displayName"])
            case _:
                raise not_found(what=request.path)
        return self._payer_token(stored, origin, part=part)

    def _list(self, merchant: Merchant, payer: str, origin: str, *, archived: bool) -> EmulatorAnswer:
        known = self._all_of(merchant, payer)
        self._must_know(known)
        return self._tokens(payer, [stored for stored in known if stored.is_active != archived], origin, archived)

    def _archive_all(self, request: EmulatorRequest, merchant: Merchant, payer: str, origin: str) -> EmulatorAnswer:
        body = self._body(request, _ARCHIVE, "Archive")
        tokens = [stored for stored in self._all_of(merchant, payer) if stored.is_active]
        self._must_know(tokens)
        for stored in tokens:
            _end(stored, _ARCHIVERS[str(body["updatedBy"]).lower()], str(body["reason"]))
        return self._tokens(payer, tokens, origin, archived=True)

    def _tokens(
        self,
        payer: str,
        tokens: list[StoredToken],
        origin: str,
        archived: bool,  # noqa: FBT001 - read in place
    ) -> EmulatorAnswer:
        behaviour = self._register.behaviour
        return json_answer(200, payer_tokens(payer, tokens, origin=origin, behaviour=behaviour, archived=archived))

    def _payer_token(self, stored: StoredToken, origin: str, *, part: str = "") -> EmulatorAnswer:
        return json_answer(200, payer_token(stored, origin=origin, behaviour=self._register.behaviour, part=part))

    # What both need

    def _body(self, request: EmulatorRequest, check: Check, name: str) -> JsonObject:
        body = json_body(request)
        refuse(check(name, body), strict=self._register.behaviour.refuse_unknown_members)
        return body

    def _all_of(self, merchant: Merchant, payer: str) -> list[StoredToken]:
        return self._register.vault.of_payer(merchant.payee_id, payer)

    def _must_know(self, tokens: list[StoredToken]) -> None:
        if not tokens and self._register.behaviour.unknown_payer == "notfound":
            raise not_found(what="payer with stored tokens")

    def _token(self, merchant: Merchant, token: str, kind: TokenKind) -> StoredToken:
        stored = self._register.vault.find(merchant.payee_id, token, kind)
        if stored is None:
            raise missing(self._register, kind.field[0].upper() + kind.field[1:])
        return self._active(stored)

    def _named(self, merchant: Merchant, name: str) -> StoredToken:
        """Return the token that an address of the Payer API names, active or not."""
        token, _, word = name.rpartition("-")
        word = {"oneclick": "payment"}.get(word.lower(), word.lower())
        kind = TokenKind(word) if word in set(TokenKind) else None
        stored = self._register.vault.find(merchant.payee_id, token, kind) if kind else None
        if stored is None:
            raise not_found(what="such token")
        return stored

    def _active(self, stored: StoredToken) -> StoredToken:
        if not stored.is_active:
            raise inactive(self._register, stored.kind.field[0].upper() + stored.kind.field[1:])
        return stored


def _end(stored: StoredToken, by: ArchivedBy, reason: str) -> None:
    stored.archived_by, stored.archive_reason = by, reason
