"""What the gateway tells the merchant's callback address, in the shape of the version that made the order."""

from __future__ import annotations

from typing import Final

from prenopay.testing.callbacks import Callback
from prenopay.testing.emulators.jsonvalues import JsonObject, write_json
from prenopay.testing.emulators.swedbankpay.instruments import Instrument
from prenopay.testing.emulators.swedbankpay.orders import PaymentOrder
from prenopay.testing.emulators.swedbankpay.register import Register

__all__ = ["CALLBACK_SOURCES", "notify", "payment_path"]

CALLBACK_SOURCES: Final = tuple(f"20.91.170.{last}" for last in range(120, 128))
"""The addresses from which the gateway calls."""


def notify(
    register: Register,
    order: PaymentOrder,
    *,
    number: int,
    instrument: Instrument,
    naming: str = "",
) -> Callback | None:
    """Queue a callback about ``order``, if it has an address. ``naming`` puts a false id into the body."""
    url = order.part_text("urls", "callbackUrl")
    if not url:
        return None
    body = _body(register, order, number=number, instrument=instrument, named=naming or order.id)
    due = register.now() + register.behaviour.callback_delay
    return register.callbacks.put(url, write_json(body), about=order.id, due=due)


def payment_path(order: PaymentOrder, instrument: Instrument) -> str:
    """Return the path of the payment below the order, which only versions before 3.1 know."""
    guid = order.id.rsplit("/", maxsplit=1)[-1]
    return f"/psp/{instrument.paid_name.lower()}/payments/{guid}"


def _body(register: Register, order: PaymentOrder, *, number: int, instrument: Instrument, named: str) -> JsonObject:
    word = register.behaviour.callback_instrument
    said = instrument.paid_name if word == "name" else word
    body: JsonObject = {"orderReference": order.order_reference} if order.order_reference else {}
    if order.version == "3.1":
        return {**body, "paymentOrder": {"id": named, "instrument": said, "number": number}}
    payment = payment_path(order, instrument)
    kind = "sales" if instrument.takes_at_once else "authorizations"
    return {
        **body,
        "paymentOrder": {"id": named, "instrument": said},
        "payment": {"id": payment, "number": number},
        "transaction": {"id": f"{payment}/{kind}/{register.new_guid()}", "number": number},
    }
