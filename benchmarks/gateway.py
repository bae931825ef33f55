"""A gateway that always says the same: the cheapest HTTP/1.1 server the standard library allows.

Run in a process of its own, so that its work is not counted as the client's. The answers are invented,
of the size and shape of a Swedbank Pay payment order.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import multiprocessing
from collections.abc import Iterator
from multiprocessing.connection import Connection

ORDER_ID = "/psp/paymentorders/11111111-2222-3333-4444-555555555555"
_LAST_PART = b"555555555555"
_NODES = (
    "orderItems",
    "urls",
    "payeeInfo",
    "payer",
    "history",
    "failed",
    "aborted",
    "cancelled",
    "reversed",
    "financialTransactions",
    "failedAttempts",
    "postPurchaseFailedAttempts",
    "metadata",
)
_PAID = {
    "id": f"{ORDER_ID}/paid",
    "number": 40129782830,
    "instrument": "CreditCard",
    "transactionType": "Authorization",
    "amount": 11900,
    "submittedAmount": 11900,
    "feeAmount": 0,
    "discountAmount": 0,
    "paymentTokenGenerated": False,
    "details": {"cardBrand": "Visa", "maskedPan": "492500******0004", "expiryDate": "12/2031"},
}


def body(*, paid: bool) -> bytes:
    """Return a payment order of 119 kronor, waiting or paid."""
    order: dict[str, object] = {
        "id": ORDER_ID,
        "created": "2026-01-02T03:04:05.1234567Z",
        "updated": "2026-01-02T03:05:05.1234567Z",
        "operation": "Purchase",
        "status": "Paid" if paid else "Initialized",
        "currency": "SEK",
        "amount": 11900,
        "vatAmount": 674,
        "description": "A newspaper",
        "initiatingSystemUserAgent": "prenopay",
        "language": "sv-SE",
        "availableInstruments": ["CreditCard", "Swish", "Trustly", "MobilePay", "GooglePay", "ClickToPay"],
        "implementation": "PaymentsOnly",
        "integration": "Redirect",
        "instrumentMode": False,
        "guestMode": False,
        **{node: {"id": f"{ORDER_ID}/{node.lower()}"} for node in _NODES},
    }
    if paid:
        order |= {"remainingCaptureAmount": 11900, "remainingCancellationAmount": 11900}
        order["paid"] = _PAID
    rels = ("cancel", "capture") if paid else ("update-order", "abort", "redirect-checkout")
    operations = [
        {
            "method": "POST",
            "rel": rel,
            "href": f"https://example.com{ORDER_ID}/{rel}",
            "contentType": "application/json",
        }
        for rel in rels
    ]
    return json.dumps({"paymentOrder": order, "operations": operations}).encode()


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Serve in another process and give the URL."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()
        ours.close()


def _serve(pipe: Connection) -> None:
    asyncio.run(_run(pipe))


async def _run(pipe: Connection) -> None:
    head = "HTTP/1.1 {} OK\r\ncontent-type: application/json; charset=utf-8; version=3.1\r\ncontent-length: {}\r\n\r\n"
    answers = {
        method: head.format(status, len(content)).encode() + content
        for method, status, content in (("POST", 201, body(paid=False)), ("GET", 200, body(paid=True)))
    }
    created = itertools.count(100_000_000_000)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
                length = next((int(line.split(":")[1]) for line in lines if line.startswith("content-length:")), 0)
                await reader.readexactly(length)
                method = lines[0].split(" ")[0].upper()
                if method == "POST":  # every order has an id of its own, or the books would refuse it
                    writer.write(answers[method].replace(_LAST_PART, str(next(created)).encode()))
                else:
                    writer.write(answers[method])
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()
