"""Reads a payment at the gateway, and the refunds that the gateway keeps as objects of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from prenopay.account import Account
from prenopay.ports import Send
from prenopay.provider.values import Observation, ProviderTransaction, TransactionKind
from prenopay.provider.verbs import RefundsApart
from prenopay.values.payments import Operation, OperationKind, Outcome

__all__ = ["keeps_apart", "read_payment"]


def keeps_apart(account: Account, kind: OperationKind) -> bool:
    """Whether observing a payment does not show a change of this ``kind``."""
    return kind is OperationKind.REFUND and account.can(RefundsApart)


async def read_payment(
    account: Account, send: Send, provider_reference: str, refunds: Sequence[Operation]
) -> Observation:
    """Return what the gateway says about a payment; ``refunds`` are read one by one if the gateway keeps them apart."""
    observed = await account.gateway.observe(send, provider_reference)
    if not refunds or not account.can(RefundsApart):
        return observed
    gateway = cast("RefundsApart", account.gateway)
    moved: list[ProviderTransaction] = []
    declined: list[ProviderTransaction] = []
    for refund in refunds:
        reply = await gateway.observe_refund(send, refund.reference, observed.submitted.currency)
        seen = ProviderTransaction(
            kind=TransactionKind.REFUND,
            number=refund.reference,
            amount=refund.amount,
            reference=refund.reference,
            created_at=refund.created_at,
            decline=reply.decline,
        )
        if reply.outcome is Outcome.SUCCEEDED:
            moved.append(seen)
        elif reply.outcome is Outcome.DECLINED:
            declined.append(seen)
    return replace(
        observed,
        transactions=(*observed.transactions, *moved),
        failed_transactions=(*observed.failed_transactions, *declined),
    )
