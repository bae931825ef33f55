"""Takes callbacks over ASGI: mount the app in Starlette, FastAPI, Django or any other ASGI host.

The callback is stored, and the gateway gets its reply. Only then, in the same call, prenopay looks at the payment.
If that fails, the callback stays in the inbox for the sweep.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, TypeAlias

from prenopay.accounts.accounts import AsyncAccounts
from prenopay.errors import ConfigurationError, PrenopayError
from prenopay.values.callbacks import BODY_LIMIT_BYTES, CallbackReply, CallbackRequest

__all__ = ["CallbackApp"]

_log = logging.getLogger("prenopay")

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


class CallbackApp:
    """An ASGI app that takes the callbacks of every account in ``accounts``."""

    def __init__(self, accounts: AsyncAccounts) -> None:
        """Serve ``accounts``; mount this where their ``callback_url`` leads. Raises ``ConfigurationError``."""
        if not isinstance(accounts, AsyncAccounts):
            message = (
                f"pass the AsyncAccounts: an ASGI app serves AsyncAccounts, not {type(accounts).__name__}; "
                "prenopay.web.wsgi has the app for Accounts"
            )
            raise ConfigurationError(message)
        self._accounts = accounts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call of the server."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1003})
            return
        refused = self._accounts.refuse(scope["path"], method=scope["method"])
        if refused is not None:
            await _answer(send, refused)
            return
        body = await _read(receive)
        if body is None:
            return
        request = CallbackRequest(
            path=scope["path"],
            body=body,
            headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            query=scope.get("query_string", b"").decode("latin-1"),
            peer=scope["client"][0] if scope.get("client") else "",
            method=scope["method"],
        )
        reply = await self._accounts.receive(request)
        await _answer(send, reply)
        if reply.address is not None:
            try:
                await self._accounts.work(reply.address)
            except PrenopayError as error:
                _log.warning("callback for %s is left to the sweep: %s", reply.address, error)


async def _read(receive: Receive) -> bytes | None:
    """Read the body, up to one byte more than the limit; ``None`` if the caller hung up."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > BODY_LIMIT_BYTES or not message.get("more_body", False):
            return bytes(body[: BODY_LIMIT_BYTES + 1])


async def _answer(send: Send, reply: CallbackReply) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]
    if reply.status != HTTPStatus.NO_CONTENT:  # it has neither
        headers.append((b"content-length", str(len(reply.body)).encode()))
        headers.append((b"content-type", b"text/plain; charset=utf-8"))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


async def _live(receive: Receive, send: Send) -> None:
    """Acknowledge start and stop; there is nothing to do for either."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
