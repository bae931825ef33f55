"""Refunds that are objects of their own: what became of each is asked by our reference."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from prenopay.ports import Send
from prenopay.provider import Observation, PaymentProvider, ProviderTransaction, RefundsApart, TransactionKind
from prenopay.values.payments import Operation, OperationKind, Outcome

__all__ = ["keeps_apart", "with_refunds"]


def keeps_apart(gateway: PaymentProvider, kind: OperationKind) -> bool:
    """Whether observing a payment says nothing of a change of this ``kind``."""
    return kind is OperationKind.REFUND and RefundsApart in type(gateway).__mro__


async def with_refunds(
    gateway: PaymentProvider,
    send: Send,
    observed: Observation,
    under_way: tuple[Operation, ...],
) -> Observation:
    """Add to ``observed`` what became of each refund ``under_way``."""
    moved: list[ProviderTransaction] = []
    failed: list[ProviderTransaction] = []
    for refund in under_way:
        currency = observed.submitted.currency
        reply = await cast("RefundsApart", gateway).observe_refund(send, refund.reference, currency)
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
            failed.append(seen)
    return replace(
        observed,
        transactions=(*observed.transactions, *moved),
        failed_transactions=(*observed.failed_transactions, *failed),
    )
