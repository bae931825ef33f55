"""Values read, compared or made in ways that cannot be right."""

from __future__ import annotations

from typing import assert_never

from prenopay import (
    CallbackRequest,
    Environment,
    Event,
    Money,
    Order,
    Outcome,
    Payment,
    PaymentState,
    Secret,
)
from prenopay.values.mandates import Consent, Mandate, MandateState, StoreMethod
from prenopay.providers.swedbankpay import SwedbankPay

TEST, SECRET = Environment.TEST, Secret("t")
PAYEE = "5cabf558-5283-482f-b252-4d58e06f6f3b"


def compared(payment: Payment) -> bool:
    if payment.state is Outcome.PENDING:  # refused: comparison-overlap | -
        return True
    if payment.state == Outcome.SUCCEEDED:  # refused: comparison-overlap | reportUnnecessaryComparison
        return True
    if payment.amount == "149 SEK":  # refused: comparison-overlap | reportUnnecessaryComparison
        return True
    return payment.is_paid == "yes"  # refused: comparison-overlap | reportUnnecessaryComparison


def not_all_cases(outcome: Outcome) -> str:
    match outcome:
        case Outcome.SUCCEEDED:
            return "done"
        case Outcome.PENDING | Outcome.DECLINED | Outcome.NOT_ATTEMPTED:
            return "not done"
        case _:
            assert_never(outcome)  # refused: arg-type | reportArgumentType


def changed(payment: Payment, event: Event) -> None:
    payment.state = PaymentState.CAPTURED  # refused: misc | reportAttributeAccessIssue
    event.amount = Money(1, "SEK")  # refused: misc | reportAttributeAccessIssue
    payment.is_paid = True  # refused: misc | reportAttributeAccessIssue


def misread(payment: Payment) -> str:
    print(payment["state"])  # refused: index | reportIndexIssue
    print(payment.paid)  # refused: attr-defined | reportAttributeAccessIssue
    return payment.redirect_url  # refused: return-value | reportReturnType


def made(price: Money) -> None:
    Order(price, "One month", "https://kuriren.example")  # refused: call-arg | reportCallIssue
    Order(amount=price, return_url="https://kuriren.example")  # refused: call-arg | reportCallIssue
    Order(amount=price, description="x", return_url="y", capture="automatic")  # refused: arg-type | reportArgumentType
    Order(amount=price, description="x", return_url="y", amonut=price)  # refused: call-arg | reportCallIssue
    CallbackRequest(path="/", body="{}")  # refused: arg-type | reportArgumentType


def configured() -> None:
    SwedbankPay(
        account="a",
        environment=TEST,
        payee_id=PAYEE,
        access_token="t",  # refused: arg-type | reportArgumentType
    )
    SwedbankPay(account="a", payee_id=PAYEE, access_token=SECRET)  # refused: call-arg | reportCallIssue
    SwedbankPay(
        account="a",
        environment="test",  # refused: arg-type | reportArgumentType
        payee_id=PAYEE,
        access_token=SECRET,
    )


def stored(mandate: Mandate, consent: Consent) -> str:
    mandate.state = MandateState.ACTIVE  # refused: misc | reportAttributeAccessIssue
    StoreMethod()  # refused: call-arg | reportCallIssue
    StoreMethod(consent=consent, kinds=("unscheduled",))  # refused: arg-type | reportArgumentType
    Consent(text_version="t", channel="web")  # refused: call-arg | reportCallIssue
    return str(mandate.token)  # refused: attr-defined | reportAttributeAccessIssue
