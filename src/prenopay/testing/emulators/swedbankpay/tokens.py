"""Stored payment details: how orders make and offer tokens, how merchants read and end them, what happens to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote, unquote

from prenopay.testing.control import ControlRefused
from prenopay.testing.emulators.fields import Table, pascal
from prenopay.testing.emulators.gateway import as_json
from prenopay.testing.emulators.swedbankpay.behaviour import Behaviour, Brand, DeclineChannel
from prenopay.testing.emulators.swedbankpay.cards import CARD_WORDS, PLAIN_CARD, CardUsed, find_card, is_good_until
from prenopay.testing.emulators.swedbankpay.documents import Hosts, operation, trace_of
from prenopay.testing.emulators.swedbankpay.orders import (
    ArchivedBy,
    Attempt,
    Merchant,
    PaymentOrder,
    TokenKind,
    TokenRecord,
)
from prenopay.testing.emulators.swedbankpay.problems import FieldProblem, Refusal, input_error, not_found, problem
from prenopay.testing.emulators.swedbankpay.register import PlannedDecline, Register
from prenopay.testing.emulators.swedbankpay.requests import ARCHIVE, ARCHIVERS, DELETE, RENAME, accepted, json_body
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest, JsonObject, as_object, json_answer

PAYERS_PATH: Final = "/online/payers"
_ORDERS: Final = "/psp/paymentorders"
_OF_PAYER: Final = ("payerownedtokens", "payerownedpaymenttokens")
"""The second is in a sample's links (docs: network-tokenization)."""
_OF_KIND: Final = {f"{kind.value}tokens": kind for kind in TokenKind}
TOKEN_PATHS: Final = frozenset({*_OF_PAYER, *_OF_KIND})
"""The older API's paths below payment orders, in lower case: their case does not matter."""
_MENU_MOST: Final = 3
"""The most stored cards that a payer is shown (docs: one-click-payments)."""
_ISSUER: Final = "Emulated bank"


# What orders store and offer


def asks_consent(order: PaymentOrder) -> bool:
    """Say whether the page asks the payer whether the details may be stored."""
    if not order.generates(TokenKind.PAYMENT) or order.is_verification:
        return False
    return not order.asks("disableStoredPaymentDetails") or order.asks("enablePaymentDetailsConsentCheckbox")


def stored_choices(register: Register, order: PaymentOrder) -> tuple[TokenRecord, ...]:
    """Return the stored methods that the page offers the payer: the named one, or the newest."""
    payee_id, payer, wanted = order.merchant.payee_id, order.payer_reference, order.text("paymentToken")
    if wanted:
        named = register.vault.find(payee_id, wanted, TokenKind.PAYMENT)
        return (named,) if named is not None and named.is_active else ()
    if not payer or order.is_typed_by_staff or order.is_verification or not order.generates(TokenKind.PAYMENT):
        return ()
    if order.asks("disableStoredPaymentDetails"):
        return ()
    menu = {instrument.name for instrument in order.menu}
    fitting = [
        stored
        for stored in register.vault.of_payer(payee_id, payer)
        if stored.kind is TokenKind.PAYMENT and stored.is_active and stored.instrument in menu
        if stored.card is None or is_good_until(stored.expiry, register.now())
    ]
    return tuple(reversed(fitting[-_MENU_MOST:]))


def store(register: Register, order: PaymentOrder, attempt: Attempt) -> None:
    """Make the tokens that the order asks for: one of each kind, now that the payer has gone through with it."""
    drawn = _untyped(register, order.merchant, order.payer_reference, attempt.card)
    is_new = attempt.stored is None and (attempt.remembers or not asks_consent(order))
    for kind in TokenKind:
        fits = order.generates(kind) and order.can_store(attempt.instrument, kind)
        if fits and (is_new or kind is not TokenKind.PAYMENT):
            made = replace(drawn, token=register.new_guid(), kind=kind, made_by=order.id)
            order.tokens.append(register.vault.keep(made))


def _untyped(register: Register, merchant: Merchant, payer_reference: str, card: CardUsed | None) -> TokenRecord:
    """Return what all tokens for one card, or for one bank account, have in common."""
    correlation_id, account = register.new_guid(), register.new_number()
    return TokenRecord(
        token="",
        kind=TokenKind.PAYMENT,
        payee_id=merchant.payee_id,
        payer_reference=payer_reference,
        instrument="CreditCard" if card else "Trustly",
        correlation_id=correlation_id,
        card=card,
        account_id="" if card else str(account % 10_000_000),
        masked_account="" if card else f"***{account % 10_000:04d}",
    )


def usable_token(register: Register, merchant: Merchant, request: JsonObject, kind: TokenKind) -> TokenRecord:
    """Return the token that a request names; raises ``Refusal`` for one that is missing, ended or another payer's."""
    stored = _active(register, merchant, str(request.get(kind.field)), kind)
    if (as_object(request.get("payer")) or {}).get("payerReference") != stored.payer_reference:
        why = f"The {pascal(kind.field)} was stored for another payer."
        raise input_error(FieldProblem("PaymentOrder.Payer.PayerReference", why))
    return stored


def _active(register: Register, merchant: Merchant, token: str, kind: TokenKind) -> TokenRecord:
    """Return a token that can be used (docs: problems, InputError and TokenInactive)."""
    stored, name = register.vault.find(merchant.payee_id, token, kind), pascal(kind.field)
    if stored is None:
        reason = FieldProblem(name, f"The given {name} does not exist.")
        raise input_error(reason, status=register.behaviour.missing_token_status)
    if stored.is_active:
        return stored
    title, detail = "Payment token is inactive", f"The given {name} is inactive."
    named = [FieldProblem(register.behaviour.inactive_name or name, detail)]
    word = "paymentorders/paymenttokeninactive"
    raise Refusal(problem(word, status=422, title=title, detail=detail, problems=named))


# What merchants read and end


class TokenApi:
    """Answers both APIs; raises ``Refusal``."""

    def __init__(self, register: Register, hosts: Hosts) -> None:
        """Work on ``register``."""
        self._register = register
        self._hosts = hosts

    def paymentorders(self, request: EmulatorRequest, merchant: Merchant, what: str, name: str) -> EmulatorAnswer:
        """Answer the older API: ``what`` is one of ``TOKEN_PATHS``, ``name`` a payer or a token."""
        origin, _ = self._hosts.origins(request, self._register.behaviour.brand)
        if request.method not in {"GET", "PATCH"}:
            raise not_found(what=f"{request.method} {request.path}")
        is_read, is_list = request.method == "GET", what in _OF_PAYER
        comment = "" if is_read else self._body(request, DELETE, "PayerOwnedTokens" if is_list else "Token")["comment"]
        if is_list:
            tokens = self._active_of(merchant, name, as_listed=is_read)
        else:
            tokens = [_active(self._register, merchant, name, _OF_KIND[what])]
        if not is_read:
            tokens = [self._end(stored, ArchivedBy.PAYEE, comment) for stored in tokens]
        if is_list:
            return json_answer(200, _owned_tokens(unquote(name), tokens, origin, linked=is_read))
        said = _owned_token(tokens[0], origin, linked=True) if is_read else _deleted_token(tokens[0])
        return json_answer(200, said)

    def payers(self, request: EmulatorRequest, merchant: Merchant) -> EmulatorAnswer:
        """Answer the Payer API. No document names a version for it, so none is asked for."""
        origin, _ = self._hosts.origins(request, Brand.SWEDBANK_PAY)
        behaviour = self._register.behaviour
        match request.method, [part for part in request.path[len(PAYERS_PATH) :].split("/") if part]:
            case "GET", [first, name] if first.lower() == "tokens":
                return json_answer(200, _payer_token(self._found(merchant, name), origin, behaviour))
            case "PATCH", [first, name, part] if first.lower() == "tokens":
                changed = self._changed(request, merchant, name, part.lower())
                return json_answer(200, _payer_token(changed, origin, behaviour, part=part.lower()))
            case "GET", [payer, *rest] if [part.lower() for part in rest] in ([], ["archives"]):
                known = self._register.vault.listed(merchant.payee_id, unquote(payer), self._register.now())
                self._must_know(known)
                tokens = [stored for stored in known if stored.is_active is not bool(rest)]
            case "PATCH", [payer, *rest] if [part.lower() for part in rest] == ["archives"]:
                body = self._body(request, ARCHIVE, "Archive")
                tokens = [self._archive(stored, body) for stored in self._active_of(merchant, payer)]
            case _:
                raise not_found(what=f"{request.method} {request.path}")
        return json_answer(200, _payer_tokens(unquote(payer), tokens, origin, behaviour, archived=bool(rest)))

    def _changed(self, request: EmulatorRequest, merchant: Merchant, name: str, part: str) -> TokenRecord:
        tables = {"archives": (ARCHIVE, "Archive"), "displaynames": (RENAME, "DisplayName")}
        if part not in tables:
            raise not_found(what=request.path)
        body, found = self._body(request, *tables[part]), self._found(merchant, name)
        stored = _active(self._register, merchant, found.token, found.kind)
        if part == "archives":
            return self._archive(stored, body)
        return self._register.vault.keep(replace(stored, given_name=str(body["displayName"])))

    def _found(self, merchant: Merchant, name: str) -> TokenRecord:
        """Return the token that an address of the Payer API names, active or not."""
        token, _, word = name.rpartition("-")
        word = {"oneclick": "payment"}.get(word.lower(), word.lower())
        kind = TokenKind(word) if word in set(TokenKind) else None
        stored = self._register.vault.find(merchant.payee_id, token, kind) if kind else None
        if stored is None:
            raise not_found(what="such token")
        return stored

    def _active_of(self, merchant: Merchant, payer: str, *, as_listed: bool = False) -> list[TokenRecord]:
        vault, whose = self._register.vault, (merchant.payee_id, unquote(payer))
        known = vault.listed(*whose, self._register.now()) if as_listed else vault.of_payer(*whose)
        active = [stored for stored in known if stored.is_active]
        self._must_know(active)
        return active

    def _must_know(self, tokens: list[TokenRecord]) -> None:
        if not tokens and self._register.behaviour.unknown_payer == "notfound":
            raise not_found(what="payer with stored tokens")

    def _archive(self, stored: TokenRecord, body: JsonObject) -> TokenRecord:
        return self._end(stored, ARCHIVERS[str(body["updatedBy"]).lower()], body["reason"])

    def _end(self, stored: TokenRecord, by: ArchivedBy, reason: object) -> TokenRecord:
        return self._register.vault.keep(replace(stored, archived_by=by, archive_reason=str(reason)))

    def _body(self, request: EmulatorRequest, table: Table, name: str) -> JsonObject:
        return accepted(table, json_body(request), self._register.behaviour.takes, path=name)


# Documents of the older API, as on the gateway's page on token handling


def _owned_tokens(payer: str, tokens: Iterable[TokenRecord], origin: str, *, linked: bool) -> JsonObject:
    """Return a payer's tokens; what was just deleted is not ``linked``: nothing can be done with it."""
    here = quote(payer, safe="")
    listed = [_owned_token(stored, origin, linked=linked) for stored in tokens]
    members: JsonObject = {"id": f"{_ORDERS}/payerownedtokens/{here}", "payerReference": payer, "tokens": listed}
    change = operation("PATCH", f"{origin}{_ORDERS}/payerOwnedPaymentTokens/{here}", "delete-payerownedtokens")
    return {"payerOwnedTokens": members, **({"operations": [change]} if linked else {})}


def _owned_token(stored: TokenRecord, origin: str, *, linked: bool) -> JsonObject:
    word = stored.kind.value
    change = operation("PATCH", f"{origin}{_ORDERS}/{word}tokens/{stored.token}", f"delete-{word}tokens")
    return {
        "token": stored.token,
        "tokenType": word.capitalize(),
        **({"networkTokenized": stored.is_network_token} if stored.card else {}),
        **_owned_members(stored),
        **({"operations": [change]} if linked else {}),
    }


def _deleted_token(stored: TokenRecord) -> JsonObject:
    """Return the answer to deleting one token: each kind has another shape."""
    if stored.kind is TokenKind.RECURRENCE:
        return {"token": stored.token, "isDeleted": True}
    return {"paymentToken" if stored.kind is TokenKind.PAYMENT else "token": stored.token, **_owned_members(stored)}


def _owned_members(stored: TokenRecord) -> JsonObject:
    card, parameters = stored.card, _account(stored)
    if card is not None:
        device = {"lastFourDPan": _device_digits(card)} if card.is_network_token else {}
        parameters = {"expiryDate": card.expiry, "cardBrand": card.brand, "lastFourPan": card.masked[-4:]}
        parameters |= {**device, "issuerName": _ISSUER}
    return {
        **as_json(stored, "instrument", "correlation_id"),
        "instrumentDisplayName": stored.name,
        "instrumentParameters": parameters,
    }


# Documents of the Payer API


def _payer_tokens(
    payer: str, tokens: Iterable[TokenRecord], origin: str, behaviour: Behaviour, *, archived: bool
) -> JsonObject:
    """Return a payer's active tokens, or the archived ones."""
    here = f"{PAYERS_PATH}/{quote(payer, safe='')}"
    archives = f"{origin}{here}/archives"
    operations = [operation("GET", f"{origin}{here}", "get-payer-tokens")]
    operations += [operation("PATCH", archives, "archive-payer-tokens")]
    members = {
        "id": f"{here}/archives" if archived else here,
        "payerReference": payer,
        "migratedFromConsumerProfile": False,
        "tokenList": [_payer_member(stored, origin, behaviour) for stored in tokens],
    }
    only = [operation("GET", archives, "get-archived-payer-tokens")]
    return {"tokens": members, "operations": only if archived else operations}


def _payer_token(stored: TokenRecord, origin: str, behaviour: Behaviour, *, part: str = "") -> JsonObject:
    """Return one token; ``part`` is what was changed. Its id then lacks the path of payers, as in the samples."""
    path = _path(stored, behaviour)
    return {
        "id": f"{path.removeprefix(PAYERS_PATH)}/{part}" if part else path,
        "payerReference": stored.payer_reference,
        "migratedFromConsumerProfile": False,
        "token": _payer_member(stored, origin, behaviour),
    }


def _payer_member(stored: TokenRecord, origin: str, behaviour: Behaviour) -> JsonObject:
    path = _path(stored, behaviour)
    operations = [operation("GET", f"{origin}{path}", "get-token")]
    if stored.is_active:
        operations += [
            operation("PATCH", f"{origin}{path}/archives", "archive-token"),
            operation("PATCH", f"{origin}{path}/displaynames", "update-displayname"),
        ]
    return {
        "operations": operations,
        "id": path,
        "tokenType": stored.kind.value.capitalize(),
        **as_json(stored, "payer_reference", "token", "instrument", "correlation_id"),
        "displayName": stored.given_name or stored.name[-4:],
        "state": "Active" if stored.is_active else "Archived",
        **({} if stored.is_active else as_json(stored, "archived_by", "archive_reason")),
        "networkTokenized": stored.is_network_token,
        "instrumentParameters": _parameters(stored, behaviour),
    }


def _parameters(stored: TokenRecord, behaviour: Behaviour) -> JsonObject:
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
        "countryCode": "752",
        "lastFourPan": card.masked[-4:],
    }
    if card.is_network_token:
        members |= {"expiryDate": card.expiry, "lastFourDPan": _device_digits(card), "expiryDPan": card.expiry}
    return members


def _account(stored: TokenRecord) -> JsonObject:
    return {"accountId": stored.account_id, "maskedAccountNumber": stored.masked_account}


def _path(stored: TokenRecord, behaviour: Behaviour) -> str:
    is_one_click = stored.kind is TokenKind.PAYMENT
    suffix = behaviour.one_click_suffix if is_one_click else stored.kind.value.capitalize()
    return f"{PAYERS_PATH}/tokens/{stored.token}-{suffix}"


def _device_digits(card: CardUsed) -> str:
    """Return the last four digits of the number that represents the card at the scheme."""
    return f"{int(trace_of(f'device {card.masked} {card.expiry}')[:8], 16) % 10_000:04d}"


# What happens behind the merchant's back


def card_typed(number: str, expiry: str, register: Register, error: type[ControlRefused]) -> CardUsed:
    """Return a published test card with this date; raises ``error`` for any other, without repeating its number."""
    card = find_card(number)
    if card is None:
        message = "only the published test cards can be used here"
        raise error(message)
    if not is_good_until(expiry, register.now()):
        message = f"expiry: write MM/YYYY, not in the past, instead of {expiry!r}"
        raise error(message)
    return card.used(expiry)


class TokenKeeper:
    """Changes what is stored, and plans declines; raises ``ControlRefused`` for what nobody could do."""

    _register: Register
    merchants: tuple[Merchant, ...]

    def store_card(
        self,
        payer_reference: str,
        *,
        kind: TokenKind = TokenKind.UNSCHEDULED,
        pan: str = PLAIN_CARD.number,
        expiry: str = PLAIN_CARD.expiry,
    ) -> TokenRecord:
        """Store a published test card for a payer of the first merchant's, as if an order had done it."""
        with self._register.lock:
            return self._put(payer_reference, kind, card_typed(pan, expiry, self._register, ControlRefused))

    def store_account(self, payer_reference: str, *, kind: TokenKind = TokenKind.UNSCHEDULED) -> TokenRecord:
        """Store a bank account (Trustly) for a payer of the first merchant's, as if an order had done it."""
        with self._register.lock:
            return self._put(payer_reference, kind, None)

    def lag_lists(self, until: datetime, *, is_empty: bool = False) -> None:
        """Until then, have the lists of stored tokens show what is stored now, or nothing."""
        with self._register.lock:
            self._register.vault.lag(until, is_empty=is_empty)

    def archive_token(
        self, token: str, *, by: ArchivedBy = ArchivedBy.TOKEN_ISSUER, reason: str = "The card was closed"
    ) -> TokenRecord:
        """End a token without the merchant: the issuer closed the card, or the gateway did."""
        with self._register.lock:
            return self._register.vault.keep(replace(self._kept(token), archived_by=by, archive_reason=reason))

    def expire_card(self, token: str) -> TokenRecord:
        """Make the card behind a token have expired last month."""
        with self._register.lock:
            stored, card = self._with_card(token)
            last_month = self._register.now().replace(day=1) - timedelta(days=1)
            return self._register.vault.keep(replace(stored, card=replace(card, expiry=f"{last_month:%m/%Y}")))

    def replace_card(self, token: str, pan: str, expiry: str) -> TokenRecord:
        """Put the card that the issuer sent instead behind a network token, without telling anybody.

        The payer's other tokens for the same card get it too.
        """
        with self._register.lock:
            stored, card = self._with_card(token)
            if not card.is_network_token:
                message = (
                    "the gateway learns of new cards through network tokens only: "
                    "store one of the test cards whose is_network_token is true"
                )
                raise ControlRefused(message)
            new = card_typed(pan, expiry, self._register, ControlRefused)
            return self._register.vault.replace_card(stored, replace(new, is_network_token=True))

    def decline_next_charge(
        self, problem: str = "acquirerinsufficientfunds", *, channel: DeclineChannel | None = None, times: int = 1
    ) -> None:
        """Have the next ``times`` charges of cards that reach the acquirer declined by a documented word.

        Without a ``channel`` the decline is reported as ``behaviour.decline_channel`` says.
        """
        if problem not in CARD_WORDS or times < 1:
            message = f"problem must be one of {', '.join(CARD_WORDS)}, and times 1 or more"
            raise ControlRefused(message)
        with self._register.lock:
            self._register.planned_declines += [PlannedDecline(word=problem, channel=channel)] * times

    def _put(self, payer: str, kind: TokenKind, card: CardUsed | None) -> TokenRecord:
        drawn = _untyped(self._register, self.merchants[0], payer, card)
        return self._register.vault.keep(replace(drawn, token=self._register.new_guid(), kind=kind))

    def _with_card(self, token: str) -> tuple[TokenRecord, CardUsed]:
        stored = self._kept(token)
        if stored.card is None:
            message = f"there is no card behind the {stored.kind} token, but a bank account"
            raise ControlRefused(message)
        return stored, stored.card

    def _kept(self, token: str) -> TokenRecord:
        stored = next((entry for entry in self._register.vault if entry.token == token.lower()), None)
        if stored is None:
            message = "there is no such token"
            raise ControlRefused(message)
        return stored
