"""What an order stores when it is paid, what it offers of what was stored before, and which tokens may be used."""

from __future__ import annotations

from typing import Final

from prenopay.testing.emulators.jsonvalues import JsonObject, as_object
from prenopay.testing.emulators.swedbankpay.cards import CardUsed, is_good_until
from prenopay.testing.emulators.swedbankpay.instruments import Instrument
from prenopay.testing.emulators.swedbankpay.merchants import Merchant
from prenopay.testing.emulators.swedbankpay.orders import Attempt, PaymentOrder
from prenopay.testing.emulators.swedbankpay.problems import FieldProblem, Refusal, input_error, problem
from prenopay.testing.emulators.swedbankpay.register import Register
from prenopay.testing.emulators.swedbankpay.tokens import StoredToken, TokenKind

__all__ = ["asks_consent", "inactive", "make_token", "missing", "store", "stored_choices", "usable_token"]

_MENU_MOST: Final = 3
"""So many stored cards are shown to a payer (docs: one-click-payments)."""


def asks_consent(order: PaymentOrder) -> bool:
    """Say whether the page asks the payer whether the details may be stored."""
    if not order.generates(TokenKind.PAYMENT) or order.is_verification:
        return False
    hidden = order.request.get("disableStoredPaymentDetails") is True
    return not hidden or order.request.get("enablePaymentDetailsConsentCheckbox") is True


def stored_choices(register: Register, order: PaymentOrder) -> tuple[StoredToken, ...]:
    """Return what the page offers the payer of what is stored: the named one, or the newest."""
    payee_id, payer, wanted = order.merchant.payee_id, order.payer_reference, order.text("paymentToken")
    if wanted:
        named = register.vault.find(payee_id, wanted, TokenKind.PAYMENT)
        return (named,) if named is not None and named.is_active else ()
    if not payer or order.is_typed_by_staff or order.is_verification or not order.generates(TokenKind.PAYMENT):
        return ()
    if order.request.get("disableStoredPaymentDetails") is True:
        return ()
    fitting = [
        stored
        for stored in register.vault.of_payer(payee_id, payer)
        if stored.kind is TokenKind.PAYMENT and stored.is_active and stored.instrument in order.menu
        if stored.card is None or is_good_until(stored.expiry, register.now())
    ]
    return tuple(reversed(fitting[-_MENU_MOST:]))


def store(register: Register, order: PaymentOrder, attempt: Attempt) -> None:
    """Make the tokens that the order asks for: one of each kind, now that the payer has gone through with it."""
    correlation_id, account = register.new_guid(), register.new_number()
    for kind in TokenKind:
        if not order.generates(kind) or not order.can_store(attempt.instrument, kind):
            continue
        is_new = attempt.stored is None and (attempt.remembers or not asks_consent(order))
        if kind is TokenKind.PAYMENT and not is_new:
            continue
        stored = make_token(
            register,
            order.merchant,
            kind=kind,
            payer_reference=order.payer_reference,
            instrument=attempt.instrument,
            card=attempt.card,
            correlation_id=correlation_id,
            account=account,
            made_by=order.id,
        )
        order.tokens.append(stored.told())


def make_token(
    register: Register,
    merchant: Merchant,
    *,
    kind: TokenKind,
    payer_reference: str,
    instrument: Instrument,
    card: CardUsed | None,
    correlation_id: str,
    account: int,
    made_by: str = "",
) -> StoredToken:
    """Put a card, or the bank account with this number, into the vault."""
    stored = StoredToken(
        token=register.new_guid(),
        kind=kind,
        payee_id=merchant.payee_id,
        payer_reference=payer_reference,
        instrument=instrument,
        correlation_id=correlation_id,
        created=register.now(),
        made_by=made_by,
        card=card,
        account_id="" if card else str(account % 10_000_000),
        masked_account="" if card else f"***{account % 10_000:04d}",
    )
    register.vault.add(stored)
    return stored


def usable_token(register: Register, merchant: Merchant, request: JsonObject, kind: TokenKind) -> StoredToken:
    """Return the token that a request names; raises ``Refusal`` for one that is missing, ended or another payer's."""
    name = kind.field[0].upper() + kind.field[1:]
    stored = register.vault.find(merchant.payee_id, str(request.get(kind.field)), kind)
    if stored is None:
        raise missing(register, name)
    if not stored.is_active:
        raise inactive(register, name)
    payer = (as_object(request.get("payer")) or {}).get("payerReference")
    if payer != stored.payer_reference:
        why = f"The {name} was stored for another payer."
        raise input_error(FieldProblem("PaymentOrder.Payer.PayerReference", why))
    return stored


def missing(register: Register, name: str) -> Refusal:
    """Return the refusal of a token that does not exist (docs: problems, InputError)."""
    reason = FieldProblem(name, f"The given {name} does not exist.")
    return input_error(reason, status=register.behaviour.missing_token_status)


def inactive(register: Register, name: str) -> Refusal:
    """Return the refusal of a token that was deleted (docs: problems, TokenInactive)."""
    detail = f"The given {name} is inactive."
    body = problem(
        "paymentorders/paymenttokeninactive",
        status=422,
        title="Payment token is inactive",
        detail=detail,
        problems=[FieldProblem(register.behaviour.inactive_name or name, detail)],
    )
    return Refusal(body, status=422)
