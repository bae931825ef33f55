"""Stored tokens as they are answered: in the older API below payment orders, and in the Payer API.

The shapes are those of the gateway's page on token handling, where each API has its own names and links.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import quote

from prenopay.testing.emulators.jsonvalues import JsonObject
from prenopay.testing.emulators.swedbankpay.behaviour import Behaviour
from prenopay.testing.emulators.swedbankpay.calls import ORDERS_PATH, PAYERS_PATH
from prenopay.testing.emulators.swedbankpay.cards import CardUsed
from prenopay.testing.emulators.swedbankpay.formats import trace_of
from prenopay.testing.emulators.swedbankpay.tokens import StoredToken, TokenKind

__all__ = ["deleted_token", "owned_token", "owned_tokens", "payer_token", "payer_tokens"]

_ISSUER: Final = "Emulated bank"
_SWEDEN: Final = "752"
_DELETE: Final = {kind: f"delete-{kind.value}tokens" for kind in TokenKind}


# The older API


def owned_tokens(payer_reference: str, tokens: Sequence[StoredToken], *, origin: str, linked: bool) -> JsonObject:
    """Return a payer's tokens; what was just deleted is not ``linked``: nothing can be done with it."""
    here = quote(payer_reference, safe="")
    listed = [owned_token(stored, origin=origin, linked=linked) for stored in tokens]
    path = f"{ORDERS_PATH}/payerownedtokens/{here}"
    members = {"payerOwnedTokens": {"id": path, "payerReference": payer_reference, "tokens": listed}}
    if not linked:
        return {**members}
    all_of_them = f"{origin}{ORDERS_PATH}/payerOwnedPaymentTokens/{here}"
    return {**members, "operations": [_operation("PATCH", all_of_them, "delete-payerownedtokens")]}


def owned_token(stored: StoredToken, *, origin: str, linked: bool) -> JsonObject:
    """Return one token of a list."""
    members: JsonObject = {"token": stored.token, "tokenType": stored.kind.value.capitalize()}
    if stored.card is not None:
        members["networkTokenized"] = stored.card.is_network_token
    members |= _plain(stored)
    if not linked:
        return members
    href = f"{origin}{ORDERS_PATH}/{stored.kind.value}tokens/{stored.token}"
    return {**members, "operations": [_operation("PATCH", href, _DELETE[stored.kind])]}


def deleted_token(stored: StoredToken) -> JsonObject:
    """Return what deleting one token answers: for each kind another shape."""
    match stored.kind:
        case TokenKind.RECURRENCE:
            return {"token": stored.token, "isDeleted": True}
        case TokenKind.UNSCHEDULED:
            return {"token": stored.token, **_plain(stored)}
        case TokenKind.PAYMENT:
            return {"paymentToken": stored.token, **_plain(stored)}


def _plain(stored: StoredToken) -> JsonObject:
    return {
        "instrument": stored.instrument.name,
        "instrumentDisplayName": stored.name,
        "correlationId": stored.correlation_id,
        "instrumentParameters": _owned_parameters(stored),
    }


def _owned_parameters(stored: StoredToken) -> JsonObject:
    card = stored.card
    if card is None:
        return _account(stored)
    members: JsonObject = {"expiryDate": card.expiry, "cardBrand": card.brand, "lastFourPan": card.masked[-4:]}
    if card.is_network_token:
        members["lastFourDPan"] = _device_digits(card)
    return {**members, "issuerName": _ISSUER}


# The Payer API


def payer_tokens(
    payer_reference: str,
    tokens: Iterable[StoredToken],
    *,
    origin: str,
    behaviour: Behaviour,
    archived: bool,
) -> JsonObject:
    """Return a payer's active tokens, or the archived ones."""
    payer = f"{PAYERS_PATH}/{quote(payer_reference, safe='')}"
    here, archives = f"{origin}{payer}", f"{origin}{payer}/archives"
    if archived:
        operations = [_operation("GET", archives, "get-archived-payer-tokens")]
    else:
        operations = [
            _operation("GET", here, "get-payer-tokens"),
            _operation("PATCH", archives, "archive-payer-tokens"),
        ]
    listed = [_payer_token(stored, origin=origin, behaviour=behaviour) for stored in tokens]
    return {
        "tokens": {
            "id": f"{payer}/archives" if archived else payer,
            "payerReference": payer_reference,
            "migratedFromConsumerProfile": False,
            "tokenList": listed,
        },
        "operations": operations,
    }


def payer_token(stored: StoredToken, *, origin: str, behaviour: Behaviour, part: str = "") -> JsonObject:
    """Return one token; ``part`` is what was changed. Its id then leaves out where payers live, as the samples do."""
    path = _path(stored, behaviour)
    return {
        "id": f"{path.removeprefix(PAYERS_PATH)}/{part}" if part else path,
        "payerReference": stored.payer_reference,
        "migratedFromConsumerProfile": False,
        "token": _payer_token(stored, origin=origin, behaviour=behaviour),
    }


def _payer_token(stored: StoredToken, *, origin: str, behaviour: Behaviour) -> JsonObject:
    path = _path(stored, behaviour)
    operations = [_operation("GET", f"{origin}{path}", "get-token")]
    ended: JsonObject = {}
    if stored.archived_by is None:
        operations += [
            _operation("PATCH", f"{origin}{path}/archives", "archive-token"),
            _operation("PATCH", f"{origin}{path}/displaynames", "update-displayname"),
        ]
    else:
        ended = {"archivedBy": stored.archived_by, "archiveReason": stored.archive_reason}
    return {
        "operations": operations,
        "id": path,
        "payerReference": stored.payer_reference,
        "token": stored.token,
        "tokenType": stored.kind.value.capitalize(),
        "instrument": stored.instrument.name,
        "displayName": stored.display_name,
        "correlationId": stored.correlation_id,
        "state": "Active" if stored.is_active else "Archived",
        **ended,
        "networkTokenized": stored.card is not None and stored.card.is_network_token,
        "instrumentParameters": _parameters(stored, behaviour),
    }


def _parameters(stored: StoredToken, behaviour: Behaviour) -> JsonObject:
    card = stored.card
    if card is None:
        return _account(stored)
    members: JsonObject = {
        "cardBrand": card.brand,
        "expiryPan": card.expiry,
        "issuerName": _ISSUER,
        "bin": card.masked[:6],
        behaviour.cardholder_type_key: "Consumer",
        "cardType": "Credit",
        "countryCode": _SWEDEN,
        "lastFourPan": card.masked[-4:],
    }
    if card.is_network_token:
        members |= {"expiryDate": card.expiry, "lastFourDPan": _device_digits(card), "expiryDPan": card.expiry}
    return members


def _account(stored: StoredToken) -> JsonObject:
    return {"accountId": stored.account_id, "maskedAccountNumber": stored.masked_account}


def _path(stored: StoredToken, behaviour: Behaviour) -> str:
    kind = stored.kind.value.capitalize()
    suffix = behaviour.one_click_suffix if stored.kind is TokenKind.PAYMENT else kind
    return f"{PAYERS_PATH}/tokens/{stored.token}-{suffix}"


def _device_digits(card: CardUsed) -> str:
    """Return the last four digits of the number that stands for the card at the scheme."""
    return f"{int(trace_of(f'device {card.masked} {card.expiry}')[:8], 16) % 10_000:04d}"


def _operation(method: str, href: str, rel: str) -> JsonObject:
    return {"method": method, "href": href, "rel": rel, "contentType": "application/json"}
