"""The page at the control address: what it shows, what its buttons do, and what it says when they are refused."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from prenopay.testing.emulators.swedbankpay import Status, SwedbankPayEmulator
from prenopay.testing.emulators.swish import Status as SwishStatus, SwishEmulator
from prenopay.testing.faults import Fault, FaultKind
from prenopay.testing.http import Emulator, EmulatorAnswer, EmulatorRequest

from .calling import Merchant
from .swish_calling import PAYER, Shop

HERE = "/__emulator__/"


def _get(emulator: Emulator, path: str = HERE) -> str:
    answer = emulator.handle(EmulatorRequest(method="GET", target=path))
    assert isinstance(answer, EmulatorAnswer)
    assert answer.status == 200
    return answer.body.decode()


def _press(emulator: Emulator, do: str, **fields: object) -> str:
    """Press a button, follow the redirect, and return the page."""
    body = urlencode({"do": do, **fields}).encode()
    answer = emulator.handle(EmulatorRequest(method="POST", target=HERE, body=body))
    assert isinstance(answer, EmulatorAnswer)
    assert (answer.status, dict(answer.headers)["location"]) == (303, HERE)
    return _get(emulator)


@pytest.fixture(params=["swedbankpay", "swish"])
def gateway(request: Any) -> SwedbankPayEmulator | SwishEmulator:
    return SwedbankPayEmulator() if request.param == "swedbankpay" else SwishEmulator()


def _orders(gateway: SwedbankPayEmulator | SwishEmulator) -> list[str]:
    """Make three orders that can be paid."""
    if isinstance(gateway, SwishEmulator):
        shop = Shop(gateway)
        return [shop.created(), shop.created(message="En bok <b"), shop.created(payerAlias=PAYER)]
    merchant = Merchant(gateway)
    return [merchant.order(f"A{number}") for number in range(3)]


def test_orders_are_approved_and_declined(gateway: SwedbankPayEmulator | SwishEmulator) -> None:
    face = gateway.phone if isinstance(gateway, SwishEmulator) else gateway
    assert "None yet" in _get(face)
    first, second, third = _orders(gateway)
    shown = _get(face)
    assert shown.count(">Approve</button>") == 3
    assert shown.index(third) < shown.index(first), "the newest comes first"
    assert "bok <b" not in shown

    assert "The payer approved." in _press(face, "approve", order=first)
    assert "The payer approved." not in _get(face), "only once"
    shown = _press(face, "declin", order=second)
    assert "There is no such button" in shown
    shown = _press(face, "decline", order=second)
    assert "The payer declined." in shown
    orders = gateway.payments if isinstance(gateway, SwishEmulator) else gateway.orders
    declined = {Status.INITIALIZED, SwishStatus.DECLINED}  # a card's page stays open for another try
    assert (orders[0].status.upper(), orders[1].status in declined) == ("PAID", True)
    assert 'role="status"' in _press(face, "approve", order=first), "nobody can pay it twice"
    assert "said wrong" in _press(face, "approve", order="none")


def test_an_open_question_is_answered_by_the_same_buttons(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    for order, pay in ((merchant.order("A1"), "Swish"), (merchant.order("A2", instrument="Trustly"), "")):
        if pay:
            merchant.call("POST", f"{HERE}payer", {"order": order, "action": "pay_by_swish", "answer": "leave"})
            assert "waits for an answer" in _get(emulator)
        _press(emulator, "decline", order=order)
        assert len(emulator.order(order).failed_attempts) == 1
        assert emulator.approve(order).status is Status.PAID


def test_time_and_faults_are_set_and_shown(gateway: SwedbankPayEmulator | SwishEmulator) -> None:
    before = gateway.clock.now()
    assert "1 day later." in _press(gateway, "advance", by="1 day")
    assert (gateway.clock.now() - before).days == 1
    assert "There is no such button" in _press(gateway, "advance", by="1 week")

    assert "Nothing goes wrong" in _get(gateway)
    shown = _press(gateway, "fault", kind="drop_after", call="create", times="2")
    assert gateway.faults.waiting == (Fault(kind=FaultKind.DROP_AFTER, call="create", times=2, seconds=10.0),)
    assert "create: act, and lose the answer, 2 times" in shown
    assert all(f'<option value="{call}">' in shown for call in gateway.faults.calls)
    for wrong in ({"kind": "refuse"}, {"call": "captrue"}, {"times": "0"}, {"times": "many"}, {"times": "9" * 5000}):
        shown = _press(gateway, "fault", **{"kind": "delay", "call": "", "times": "1", **wrong})
        assert "said wrong" in shown
    assert len(gateway.faults.waiting) == 1
    assert "Nothing goes wrong" in _press(gateway, "clear")


def test_callbacks_show_what_the_shop_answered(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    for number, status in enumerate((200, 500, None)):
        emulator.pay_by_card(merchant.order(f"A{number}"))
        emulator.deliver_callbacks(lambda *_, status=status: status)
    shown = _get(emulator)
    assert "2 waiting." in shown
    assert [word in shown for word in ("answered 200", "answered 500", "no answer")] == [True] * 3
    assert "shop.example" in shown


def test_a_browser_finds_the_page_without_its_last_slash(emulator: SwedbankPayEmulator) -> None:
    for path in ("/", "/__emulator__"):
        answer = emulator.handle(EmulatorRequest(method="GET", target=path))
        assert isinstance(answer, EmulatorAnswer)
        assert (answer.status, dict(answer.headers)["location"]) == (303, HERE)
    assert "--action" in _get(emulator, f"{HERE}control.css")
    assert emulator.handle(EmulatorRequest(method="DELETE", target=HERE)) == EmulatorAnswer(status=405)
    phone = SwishEmulator().phone
    assert isinstance(phone.handle(EmulatorRequest(method="GET", target="/__emulator__")), EmulatorAnswer)
    assert "Emulated Swish" in _get(phone)


def test_of_two_orders_with_one_name_the_page_says_which_the_shop_may_not_know() -> None:
    swedbankpay, swish = SwedbankPayEmulator(), SwishEmulator()
    merchant, shop = Merchant(swedbankpay), Shop(swish)
    for number, kind in enumerate((FaultKind.DROP_AFTER, FaultKind.HALF_BODY, None)):
        if kind is not None:
            swedbankpay.faults.add(Fault(kind=kind, call="create"))
            swish.faults.add(Fault(kind=kind, call="create"))
        with suppress(AssertionError):  # the caller's, at a lost answer
            merchant.create(f"R{number}")
        shop.send("PUT", f"/swish-cpcapi/api/v2/paymentrequests/{shop.new_id()}", shop.request())
    for face in (swedbankpay, swish.phone):
        shown = _get(face)
        assert shown.count("the answer to its create was lost") == 2
        assert shown.count("one of 3 with this name") == 1


def test_another_id_is_answered_with_the_one_to_pass(gateway: SwedbankPayEmulator | SwishEmulator) -> None:
    for name in ("C1", "pay_01J0000000"):
        for call in (gateway.approve, gateway.decline):
            with pytest.raises(ValueError, match=r"pass payment\.provider_reference"):
                call(name)


def test_the_reference_has_every_call_that_a_fault_may_hit(gateway: SwedbankPayEmulator | SwishEmulator) -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "emulators.md").read_text(encoding="utf-8")
    listed = page.partition("The names of calls for `Fault.call`")[2].partition("## ")[0]
    assert [call for call in gateway.faults.calls if f"`{call}`" not in listed] == []
