"""Erase a person: from one payment, from one payout, or from all that an account knows by the host's reference.

What is erased stays erased: a payment remembers that its payer was, and then nothing about them is stored, whatever
callbacks, looks and events come later. The history of the money stays.
"""

from __future__ import annotations

from sqlalchemy import Connection

from prenopay._arguments import refuse_argument
from prenopay.account import Account
from prenopay.books import operations
from prenopay.mandates import rows as mandates
from prenopay.payments import rows
from prenopay.payouts import rows as payouts
from prenopay.values.subjects import Subject, SubjectKind

__all__ = ["erase"]


async def erase(
    account: Account, *, payment_id: str | None, operation_id: str | None, payer_reference: str | None
) -> tuple[Subject, ...]:
    """Erase the person whom exactly one of the three names finds; return what they were erased from."""
    if sum(each is not None for each in (payment_id, operation_id, payer_reference)) != 1:
        why = "name the person once: by payment_id, by operation_id or by payer_reference"
        refuse_argument("payment_id", why)
    if payer_reference is not None:
        if not payer_reference.strip():
            refuse_argument("payer_reference", "payer_reference: must not be empty")
        erased = await account.transact(_all_of, account, payer_reference)
    elif operation_id is not None:
        erased = await account.transact(_behind, account, operation_id)
    else:
        erased = await account.transact(_one, account, Subject.payment(payment_id or ""))
    await account.ports.ledger.erase_traces()
    return erased


def _one(connection: Connection, account: Account, subject: Subject) -> tuple[Subject, ...]:
    rows.erase_payer(connection, account.name, subject.id, now=account.now())
    return (subject,)


def _behind(connection: Connection, account: Account, operation_id: str) -> tuple[Subject, ...]:
    """Erase the person from what an operation is about."""
    subject = operations.load(connection, account.name, operation_id).operation.subject
    if subject.kind is SubjectKind.PAYOUT:
        return (payouts.erase_payee(connection, account.name, operation_id, now=account.now()),)
    return _one(connection, account, subject)


def _all_of(connection: Connection, account: Account, payer_reference: str) -> tuple[Subject, ...]:
    """Erase the person whom the host calls ``payer_reference``: from all that is found, or from nothing."""
    erased = list[Subject]()
    for payment_id in rows.of_payer(connection, account.name, payer_reference):
        erased += _one(connection, account, Subject.payment(payment_id))
    for operation_id in payouts.of_payee(connection, account.name, payer_reference):
        erased.append(payouts.erase_payee(connection, account.name, operation_id, now=account.now()))
    for mandate_id in mandates.erase_payer(connection, account.name, payer_reference, now=account.now()):
        erased.append(Subject.mandate(mandate_id))
    return tuple(erased)
