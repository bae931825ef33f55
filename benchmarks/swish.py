"""Create and observe over mutual TLS through prenopay against bare httpx with the same context, on the same gateway."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

import httpx

from benchmarks.measuring import Ratio, compare
from prenopay import Environment, Money, Order, OrderLine
from prenopay._blocking import run_blocking
from prenopay._system import BlockingClock, SystemEntropy
from prenopay._transport import AccountSender, BlockingSender
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.provider import CreateRequest
from prenopay.providers.swish import Swish, SwishProvider
from prenopay.providers.swish.encoding import payment_body
from prenopay.testing.emulators.swish import DEFAULT_NUMBER, SwishAuthority

UUID = "0123456789ABCDEF0123456789ABCDEF"
API = "/swish-cpcapi/api"
ORDER = Order(
    amount=Money(11900, "SEK"),
    description="A newspaper",
    lines=(OrderLine(name="One month", amount=Money(11900, "SEK"), vat_percent=6),),
    order_reference="K-1",
    return_url="https://shop.example/return",
)
REQUEST = CreateRequest(order=ORDER, payment_id="pay_1", reference=UUID, callback_url="https://shop.example/c/secret")
PAID = {
    "id": UUID,
    "payeePaymentReference": "K-1",
    "paymentReference": "1E2FC19E5E5E4E18916609B7F8911C12",
    "callbackUrl": "https://shop.example/c/secret",
    "payerAlias": "46701740605",
    "payeeAlias": DEFAULT_NUMBER,
    "amount": 119.0,
    "currency": "SEK",
    "message": "A newspaper",
    "status": "PAID",
    "dateCreated": "2026-01-02T03:04:05.123Z",
    "datePaid": "2026-01-02T03:05:05.123Z",
    "errorCode": None,
    "errorMessage": None,
}


def measure() -> Iterator[Ratio]:
    """Measure the typed call on a connection that is open already: handshakes come once on both sides."""
    with _running() as (url, chain, key, root):
        config = Swish(
            account="bench",
            environment=Environment.TEST,
            number=DEFAULT_NUMBER,
            certificate=chain,
            private_key=key,
            base_url=url,
            trust=root,
        )
        body = payment_body(config, REQUEST)
        with httpx.Client(base_url=url, verify=config.tls(), trust_env=False) as bare:

            def bare_calls() -> object:
                put = bare.put(
                    f"{API}/v2/paymentrequests/{UUID}", content=body, headers={"content-type": "application/json"}
                )
                assert put.status_code == 201
                return bare.get(f"{API}/v1/paymentrequests/{UUID}").json()

            typed = _typed(config.provider(), BlockingSender(config.tls()))
            yield compare(
                "typed create + observe, mutual TLS", typed, bare_calls, baseline_name="bare httpx", calls=100
            )


def _typed(provider: SwishProvider, transport: BlockingSender) -> Callable[[], object]:
    sender = AccountSender(
        transport,
        account="bench",
        provider=provider.name,
        hosts=provider.hosts,
        clock=BlockingClock(),
        entropy=SystemEntropy(),
    )

    async def send(request: HttpRequest) -> HttpResponse:
        return await sender.send(request, timeout=10)

    async def calls() -> None:
        await provider.create_payment(send, REQUEST)
        await provider.observe(send, UUID)

    return lambda: run_blocking(calls())


@contextmanager
def _running() -> Iterator[tuple[str, bytes, bytes, bytes]]:
    """Serve in another process; give the URL, the merchant's chain and key, and the server's root."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        port, *files = ours.recv()
        chain, key, root = files
        yield f"https://127.0.0.1:{port}", chain, key, root
    finally:
        process.terminate()
        process.join()
        ours.close()


def _serve(pipe: Connection) -> None:
    asyncio.run(_run(pipe))


async def _run(pipe: Connection) -> None:
    """Answer every PUT and every GET with the same bytes."""
    authority = SwishAuthority()
    issued = authority.issue(DEFAULT_NUMBER, key_size=2048)
    paid = json.dumps(PAID).encode()
    location = f"https://127.0.0.1{API}/v1/paymentrequests/{UUID}"
    made = f"HTTP/1.1 201 Created\r\nlocation: {location}\r\npaymentrequesttoken: {UUID}\r\ncontent-length: 0\r\n\r\n"
    read = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(paid)}\r\n\r\n"

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
                length = next((int(line.split(":")[1]) for line in lines if line.startswith("content-length:")), 0)
                await reader.readexactly(length)
                writer.write(made.encode() if lines[0].startswith("put") else read.encode() + paid)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=authority.server_tls())
    pipe.send((server.sockets[0].getsockname()[1], issued.chain_pem, issued.key_pem, authority.server_root_pem))
    await server.serve_forever()
