"""Reads a payment at the gateway, and the refunds that the gateway keeps as objects of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from prenopay.account import Account
from prenopay.books import codec
from prenopay.books.operations import StoredOperation
from prenopay.errors import ForeignAnswer
from prenopay.payments.amounts import fitted
from prenopay.payments.ending import closes_page_only
from prenopay.payments.rows import StoredPayment
from prenopay.ports import Send
from prenopay.provider.values import ChangeRequest, Observation, ProviderTransaction, Reply, TransactionKind
from prenopay.provider.verbs import RefundsApart
from prenopay.values.orders import OrderLine
from prenopay.values.payments import Advice, Decline, DeclineCode, DeclineKind, OperationKind, Outcome

__all__ = ["change_request", "keeps_apart", "read_payment"]


def keeps_apart(account: Account, kind: OperationKind) -> bool:
    """Whether observing a payment does not show a change of this ``kind``."""
    return kind is OperationKind.REFUND and account.can(RefundsApart)


def change_request(
    account: Account, stored: StoredPayment, operation: StoredOperation, *, again: bool
) -> ChangeRequest:
    """Return what the gateway is asked for when a change of a payment is carried out, or looked up."""
    made, payment = operation.operation, stored.payment
    lines: tuple[OrderLine, ...] = codec.load(operation.parameters["lines"])
    if not lines and made.amount == payment.amount:
        lines = stored.order.lines
    return ChangeRequest(
        payment_id=payment.payment_id,
        provider_reference=payment.provider_reference or "",
        reference=made.reference,
        amount=made.amount,
        vat=operation.vat,
        lines=fitted(lines, operation.vat),
        description=operation.parameters["description"] or payment.description,
        callback_url=account.callback_url(stored.subject),
        again=again,
        first_tried_at=operation.first_sent_at,
        page_only=closes_page_only(made),
    )


async def read_payment(
    account: Account, send: Send, stored: StoredPayment, refunds: Sequence[StoredOperation]
) -> Observation:
    """Return what the gateway says about a payment; ``refunds`` are read one by one if the gateway keeps them apart."""
    observed = await account.gateway.observe(send, stored.payment.provider_reference or "")
    if not refunds or not account.can(RefundsApart):
        return observed
    gateway = cast("RefundsApart", account.gateway)
    seen: dict[Outcome, list[ProviderTransaction]] = {outcome: [] for outcome in Outcome}
    for refund in refunds:
        request = change_request(account, stored, refund, again=True)
        try:
            reply = await gateway.observe_refund(send, request, observed)
        except ForeignAnswer as error:
            reply = Reply(outcome=Outcome.UNKNOWN, decline=_not_ours(error))
        made = refund.operation
        seen[reply.outcome].append(
            ProviderTransaction(
                kind=TransactionKind.REFUND,
                number=made.reference,
                amount=made.amount,
                reference=made.reference,
                created_at=refund.first_sent_at,
                decline=reply.decline,
            )
        )
    return replace(
        observed,
        transactions=(*observed.transactions, *seen[Outcome.SUCCEEDED]),
        failed_transactions=(*observed.failed_transactions, *seen[Outcome.DECLINED]),
        uncertain_transactions=(*observed.uncertain_transactions, *seen[Outcome.UNKNOWN]),
    )


def _not_ours(error: ForeignAnswer) -> Decline:
    return Decline(
        code=DeclineCode.UNAVAILABLE, kind=DeclineKind.SOFT, advice=Advice.NEVER, provider_code="", text=str(error)
    )
