"""A whole shop with an account that calls an emulated gateway over real sockets, in either colour."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prenopay._blocking import run_blocking
from prenopay._transport import AwaitingSender, BlockingSender
from prenopay.testing.emulators.swedbankpay import SwedbankPayEmulator
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest
from tests.behaviour.shop import Shop
from tests.transport.gateway import Line, Request, Talk


@contextmanager
def shop_at(
    url: str,
    *,
    colour: str,
    database: str,
    emulator: SwedbankPayEmulator,
    deadline_seconds: float = 20.0,
) -> Iterator[Shop]:
    """Open a shop whose account is at ``url``; its time is the emulator's, its sockets are real."""
    sender: BlockingSender | AwaitingSender = BlockingSender() if colour == "blocking" else AwaitingSender()
    shop = Shop(
        colour,
        database,
        emulator=emulator,
        sender=sender,
        base_url=url,
        deadline_seconds=deadline_seconds,
    )
    try:
        yield shop
    finally:
        if colour == "blocking":
            run_blocking(sender.aclose())
        else:
            shop._run(sender.aclose())
        shop.close()


def relaying(emulator: SwedbankPayEmulator, *, origin: str) -> Talk:
    """Answer as ``emulator`` does, with links to ``origin``."""

    def talk(line: Line) -> None:
        while (request := line.request()) is not None:
            line.say(written(answered(emulator, request, origin=origin)))

    return talk


def answered(emulator: SwedbankPayEmulator, request: Request, *, origin: str) -> EmulatorAnswer:
    outcome = emulator.handle(
        EmulatorRequest(
            method=request.method,
            target=request.target,
            headers=request.headers,
            body=request.body,
            origin=origin,
        ),
    )
    assert isinstance(outcome, EmulatorAnswer)
    return outcome


def written(outcome: EmulatorAnswer) -> bytes:
    lines = [f"HTTP/1.1 {outcome.status} Whatever", f"content-length: {len(outcome.body)}"]
    lines += [f"{name}: {value}" for name, value in outcome.headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + outcome.body
