"""Takes callbacks over WSGI: mount the app in Flask, Django or any other WSGI host.

The callback is stored and answered. prenopay looks at the payment when the server closes the finished reply. If
that fails, the callback stays in the inbox for the sweep.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from prenopay.blocking import Accounts
from prenopay.errors import ConfigurationError, PrenopayError
from prenopay.values.callbacks import BODY_LIMIT_BYTES, CallbackReply, CallbackRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

__all__ = ["CallbackApp"]

_log = logging.getLogger("prenopay")

_LENGTH_DIGITS: Final = 18
"""A longer number is not a length. The body would be too large anyway."""
_NOT_WHOLE: Final = CallbackReply(status=400, body=b"the body is incomplete\n")


class CallbackApp:
    """A WSGI app that takes the callbacks of every account in ``accounts``."""

    def __init__(self, accounts: Accounts) -> None:
        """Serve ``accounts``; mount this where their ``callback_url`` leads. Raises ``ConfigurationError``."""
        if not isinstance(accounts, Accounts):
            message = (
                f"pass the Accounts: a WSGI app serves Accounts, not {type(accounts).__name__}; "
                "prenopay.web.asgi has the app for AsyncAccounts"
            )
            raise ConfigurationError(message)
        self._accounts = accounts

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Handle one call of the server."""
        headers = {
            name.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        method, path = environ["REQUEST_METHOD"], environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        refused = self._accounts.refuse(path, method=method)
        if refused is not None:
            return _answer(refused, start_response, method)
        body = _read(environ)
        if body is None:
            return _answer(_NOT_WHOLE, start_response, method)
        reply = self._accounts.receive(
            CallbackRequest(
                path=path,
                body=body,
                headers=headers,
                query=environ.get("QUERY_STRING", ""),
                peer=environ.get("REMOTE_ADDR", ""),
                method=method,
            ),
        )
        return _ReplyThenWork(self._accounts, reply, _answer(reply, start_response, method))


def _answer(reply: CallbackReply, start_response: StartResponse, method: str) -> list[bytes]:
    headers = list(reply.headers)
    if reply.status != HTTPStatus.NO_CONTENT:  # it has neither
        headers += [("content-length", str(len(reply.body))), ("content-type", "text/plain; charset=utf-8")]
    start_response(f"{reply.status} {HTTPStatus(reply.status).phrase}", headers)
    return [] if method == "HEAD" else [reply.body]


class _ReplyThenWork:
    """The body of the reply. The server closes it when the reply has left, and then the work begins."""

    def __init__(self, accounts: Accounts, reply: CallbackReply, body: list[bytes]) -> None:
        self._accounts = accounts
        self._reply = reply
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        """Look at the payment."""
        if self._reply.address is None:
            return
        try:
            self._accounts.work(self._reply.address)
        except PrenopayError as error:
            _log.warning("callback for %s is left to the sweep: %s", self._reply.address, error)


def _read(environ: dict[str, Any]) -> bytes | None:
    """Read the body, up to one byte more than the limit; ``None`` if the caller hung up before its end."""
    most = BODY_LIMIT_BYTES + 1
    stated = environ.get("CONTENT_LENGTH") or "0"
    if not stated.isdecimal():
        return None
    length = min(int(stated), most) if len(stated) <= _LENGTH_DIGITS else most
    if not length and environ.get("wsgi.input_terminated"):
        chunked: bytes = environ["wsgi.input"].read(most)  # the server ends the stream for us
        return chunked
    body: bytes = environ["wsgi.input"].read(length)
    return body if len(body) == length else None
