"""Callbacks over WSGI: mount it in Flask, Django or any other WSGI host.

The callback is stored and answered; the payment is looked at when the server closes the finished
reply. What goes wrong then stays in the inbox for the sweep.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from prenopay.callbacks import BODY_LIMIT_BYTES, CallbackReply, CallbackRequest
from prenopay.errors import PrenopayError
from prenopay.payments_sync import Accounts

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

__all__ = ["CallbackApp"]

_log = logging.getLogger("prenopay")


class CallbackApp:
    """A WSGI app that takes the callbacks of every account in ``accounts``."""

    def __init__(self, accounts: Accounts) -> None:
        """Serve ``accounts``; mount this where their ``callback_url`` leads."""
        self._accounts = accounts

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Take one call."""
        headers = {
            name.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        reply = self._accounts.receive(
            CallbackRequest(
                path=environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""),
                body=_read(environ),
                headers=headers,
                query=environ.get("QUERY_STRING", ""),
                peer=environ.get("REMOTE_ADDR", ""),
                method=environ["REQUEST_METHOD"],
            ),
        )
        answer_headers = [*reply.headers, ("content-length", str(len(reply.body)))]
        if reply.body:
            answer_headers.append(("content-type", "text/plain; charset=utf-8"))
        start_response(f"{reply.status} {HTTPStatus(reply.status).phrase}", answer_headers)
        return _ReplyThenWork(self._accounts, reply)


class _ReplyThenWork:
    """The reply's body; when the server closes it, the reply has left and the work begins."""

    def __init__(self, accounts: Accounts, reply: CallbackReply) -> None:
        self._accounts = accounts
        self._reply = reply

    def __iter__(self) -> Iterator[bytes]:
        return iter([self._reply.body])

    def close(self) -> None:
        """Look at the payment."""
        if self._reply.payment is None:
            return
        try:
            self._accounts.work(self._reply.payment)
        except PrenopayError as error:
            _log.warning("callback for %s is left to the sweep: %s", self._reply.payment, error)


def _read(environ: dict[str, Any]) -> bytes:
    """Read the body, no further than shows that it is too large."""
    most = BODY_LIMIT_BYTES + 1
    stated = environ.get("CONTENT_LENGTH") or "0"
    length = int(stated) if stated.isdecimal() else 0
    if not length and environ.get("wsgi.input_terminated"):
        length = most  # a chunked body: the server ends the stream for us
    body: bytes = environ["wsgi.input"].read(min(length, most))
    return body
