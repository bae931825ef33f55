"""Awaiting what blocks, not awaiting what must be, and handing a handler of one colour to the other."""

from __future__ import annotations

from prenopay import Accounts, AsyncAccounts, AsyncPayments, Event, Order, Payments
from prenopay.provider import Refunds
from prenopay.web import asgi, wsgi

DATABASE, URL, KEYS = "sqlite://", "https://kuriren.example/callbacks", ["a-key-for-the-tests-that-is-long-enough"]


async def awaits_the_blocking_one(payments: Payments[Refunds], accounts: Accounts, order: Order) -> None:
    await payments.create(order, operation_id="x")  # refused: misc | reportGeneralTypeIssues
    await payments.refund("p", operation_id="x")  # refused: misc | reportGeneralTypeIssues
    await accounts.sweep()  # refused: misc | reportGeneralTypeIssues


async def does_not_await(payments: AsyncPayments[Refunds], accounts: AsyncAccounts, order: Order) -> None:
    payments.create(order, operation_id="x")  # refused: unused-coroutine | reportUnusedCoroutine
    payments.refund("p", operation_id="x")  # refused: unused-coroutine | reportUnusedCoroutine
    payments.erase_payer("p")  # refused: unused-coroutine | reportUnusedCoroutine
    accounts.sweep()  # refused: unused-coroutine | reportUnusedCoroutine
    accounts.aclose()  # refused: unused-coroutine | reportUnusedCoroutine
    paid = payments.get("p").is_paid  # refused: attr-defined | reportAttributeAccessIssue
    print(paid)


async def awaits_too_much(payments: AsyncPayments[Refunds]) -> str:
    payment = await payments.get("p")
    await payment  # refused: misc | reportGeneralTypeIssues
    return payment.account


async def later(event: Event) -> None:
    print(event)


def at_once(event: Event) -> None:
    print(event)


def of_a_text(event: str) -> None:
    print(event)


def of_nothing() -> None:
    print()


def tells_the_wrong_way() -> None:
    Accounts.open(
        DATABASE,
        callback_url=URL,
        callback_keys=KEYS,
        on_event=later,  # refused: arg-type | reportArgumentType
    )
    Accounts.open(
        DATABASE,
        callback_url=URL,
        callback_keys=KEYS,
        on_event=of_a_text,  # refused: arg-type | reportArgumentType
    )
    Accounts.open(
        DATABASE,
        callback_url=URL,
        callback_keys=KEYS,
        on_event=of_nothing,  # refused: arg-type | reportArgumentType
    )
    Accounts.open(
        DATABASE,
        callback_url=URL,
        callback_keys=KEYS,
        on_event=of_nothing(),  # refused: func-returns-value | -
    )
    AsyncAccounts.open(
        DATABASE,
        callback_url=URL,
        callback_keys=KEYS,
        on_event=at_once,  # refused: arg-type | reportArgumentType
    )


def mounts_the_wrong_one(blocking: Accounts, awaiting: AsyncAccounts) -> None:
    asgi.CallbackApp(blocking)  # refused: arg-type | reportArgumentType
    wsgi.CallbackApp(awaiting)  # refused: arg-type | reportArgumentType
