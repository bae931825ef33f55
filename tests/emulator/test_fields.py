"""Every row of every table of fields, broken once over the wire: the answer names the field, or has its code."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prenopay.testing.emulators.fields import Field, Table, anything, check, may, must, text
from prenopay.testing.emulators.swedbankpay import ReferenceFormat, TokenKind
from prenopay.testing.emulators.swedbankpay.requests import (
    ARCHIVE,
    DELETE,
    PATCHES,
    RENAME,
    create_table,
    post_purchase_table,
)
from prenopay.testing.emulators.swish import Behaviour, SwishEmulator
from prenopay.testing.emulators.swish.problems import Call
from prenopay.testing.emulators.swish.requests import payment_table, refund_table

from .calling import Answer, Merchant, purchase
from .storing import card_token, charge, verify
from .swish_calling import PAYER, Shop

CANDIDATES: tuple[object, ...] = ([], "", -1, 1.23456, "¤" * 3000, {"no": {"such": "thing"}}, "x", True)
"""One of them is wrong for every rule that takes anything less than all."""


@dataclass(frozen=True)
class Broken:
    """A body with one field wrong or missing, and the field's path in it."""

    path: tuple[str, ...]
    row: Field
    value: object

    @property
    def name(self) -> str:
        """The path as problems write it."""
        return ".".join(part[:1].upper() + part[1:] for part in self.path).replace(".[", "[")

    def within(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``body`` with the field broken; objects and lists on the way begin empty."""
        value = self.value
        for part in reversed(self.path[1:]):
            value = [value] if part == "[0]" else {part: value}
        return {**body, self.path[0]: value}


def broken(table: Table, path: tuple[str, ...] = ()) -> Iterator[Broken]:
    """Find what each row refuses, also within objects and lists."""
    for name, row in table.items():
        here = (*path, name)
        if row.required:
            yield Broken(here, row, None)
        refused = [value for value in CANDIDATES if any(True for _ in row.rule("", value))]
        if row.rule is not anything:
            yield Broken(here, row, refused[0])
        yield from _within(row, here)


def _within(row: Field, path: tuple[str, ...]) -> Iterator[Broken]:
    if isinstance(row.rule, functools.partial):
        inner = row.rule.args[0]
        if isinstance(inner, dict):
            yield from broken(inner, path)
        else:
            yield from broken({"[0]": may(inner)}, path)


def _refused(answer: Answer, name: str) -> None:
    assert (answer.status, answer.problem) == (400, "inputerror"), name
    assert name in answer.problem_names, name


def test_every_row_of_an_order_is_refused_by_name() -> None:
    merchant, count = Merchant(), 0
    for operation, good in (("Purchase", purchase()["paymentorder"]), ("Verify", purchase(**verify())["paymentorder"])):
        assert isinstance(good, dict)
        for each in broken(create_table(ReferenceFormat.SETTLED_BY_GATEWAY, operation)):
            answer = merchant.call("POST", "/psp/paymentorders", {"paymentorder": each.within(good)})
            _refused(answer, f"PaymentOrder.{each.name}")
            count += 1
    assert count > 200
    assert merchant.emulator.orders == ()


def test_every_row_of_a_charge_is_refused_by_name() -> None:
    merchant = Merchant()
    token = card_token(merchant.emulator, kind=TokenKind.UNSCHEDULED)
    for each in broken(create_table(ReferenceFormat.SETTLED_BY_GATEWAY, "UnscheduledPurchase")):
        if each.path[0] != "operation":
            _refused(charge(merchant, token, **each.within({})), f"PaymentOrder.{each.name}")
    assert merchant.emulator.charges() == ()


def test_every_row_of_a_change_is_refused_by_name() -> None:
    merchant = Merchant()
    order, good = merchant.order(), {"description": "x", "amount": 1, "vatAmount": 0, "payeeReference": "M1"}
    for operation, table in PATCHES.items():
        for each in broken(table):
            if each.path[0] != "operation":
                body = each.within({"operation": operation})
                answer = merchant.call("PATCH", order, {"paymentorder": body})
                _refused(answer, f"PaymentOrder.{each.name}")
    merchant.emulator.pay_by_card(order)
    for ending in ("captures", "cancellations", "reversals"):
        for each in broken(post_purchase_table(ReferenceFormat.SETTLED_BY_GATEWAY, ending)):
            answer = merchant.call("POST", f"{order}/{ending}", {"transaction": each.within(good)})
            _refused(answer, f"Transaction.{each.name}")
    assert len(merchant.emulator.order(order).transactions) == 1


def test_every_row_about_tokens_is_refused_by_name() -> None:
    merchant = Merchant()
    token = card_token(merchant.emulator)
    old, new = f"/psp/paymentorders/unscheduledtokens/{token}", f"/online/payers/tokens/{token}-Unscheduled"
    calls = {
        (old, "Token"): DELETE,
        ("/psp/paymentorders/payerownedtokens/p-1", "PayerOwnedTokens"): DELETE,
        (f"{new}/archives", "Archive"): ARCHIVE,
        ("/online/payers/p-1/archives", "Archive"): ARCHIVE,
        (f"{new}/displaynames", "DisplayName"): RENAME,
    }
    for (path, name), table in calls.items():
        for each in broken(table):
            _refused(merchant.call("PATCH", path, each.within({})), f"{name}.{each.name}")
        _refused(merchant.call("PATCH", path, {"extra": 1}), f"{name}.Extra")
    assert merchant.emulator.tokens()[0].is_active


def test_every_row_of_swish_is_refused_with_its_code() -> None:
    behaviour, emulator = Behaviour(), SwishEmulator()
    shop = Shop(emulator)
    for call, payer in ((Call.MCOM, None), (Call.ECOM, PAYER)):
        for each in broken(payment_table(behaviour, call)):
            if each.path == ("payeeAlias",) and each.value is not None:
                continue  # a number is another merchant's before it is wrong: 403
            if each.path == ("payerAlias",) and each.value is None:
                continue  # without a payer it is no e-commerce
            answer = shop.create(**each.within({"payerAlias": payer}))
            assert (answer.status, answer.codes) == (422, [each.row.problem]), each
    assert emulator.payments == ()
    for each in broken(refund_table(behaviour)):
        if each.path != ("payerAlias",) or each.value is None:
            assert shop.refund("0" * 32, **each.within({})).codes == [each.row.problem], each
    assert emulator.refunds == ()


def test_one_row_can_be_switched_by_itself() -> None:
    strict: Table = {"name": must(text(longest=3), "N1"), "code": must(text(pattern="[A-Z]+"), "C1")}
    body: dict[str, object] = {"name": "long name", "code": "x"}
    assert [breach.problem for breach in check(strict, body)] == ["N1", "C1"]
    assert [breach.problem for breach in check({**strict, "name": may(anything)}, body)] == ["C1"]
