"""The callbacks of a gateway: queued by the clock, retried on a schedule, and misbehaving on request."""

from __future__ import annotations

import ipaddress
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final, TypeAlias, cast
from urllib.parse import urlsplit

from prenopay.testing.clock import VirtualClock
from prenopay.values.callbacks import CallbackRequest

__all__ = [
    "Callback",
    "CallbackAddresses",
    "CallbackAttempt",
    "CallbackQueue",
    "Manner",
    "Post",
    "RetrySchedule",
    "hand_over",
    "post_over_http",
    "posting_without_name",
]

Post: TypeAlias = Callable[[str, bytes, tuple[tuple[str, str], ...]], int | None]
"""Delivers (url, body, headers) and returns the status of the answer, or ``None`` when none came."""

_POST_SECONDS: Final = 10.0
"""How long a host may take to answer: the gateways want an answer fast."""
_TWICE: Final = 2
_log = logging.getLogger("prenopay.testing")
_GOOD: Final = frozenset(range(200, 300))


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySchedule:
    """When a callback that the host did not take is sent again. The defaults are Swedbank Pay's.

    The gateway's text can be read in two ways: each time counts ``from_first`` try, or from the try before it.
    A status in ``taken_by`` ends the retries: any 2xx, unless the gateway says otherwise.
    """

    seconds: tuple[int, ...] = (30, 60, 360, 432, 864, 1265)
    from_first: bool = True
    taken_by: frozenset[int] = _GOOD

    def next_due(self, *, first: datetime, last: datetime, tries: int) -> datetime | None:
        """Return when to try again after ``tries`` tries, or ``None`` to give up."""
        if tries > len(self.seconds):
            return None
        return (first if self.from_first else last) + timedelta(seconds=self.seconds[tries - 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """One callback that waits to be delivered; ``about`` names what it is about."""

    number: int
    about: str
    url: str
    body: bytes = field(repr=False)
    headers: tuple[tuple[str, str], ...] = ()
    due: datetime
    first_try: datetime | None = None
    tries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackAttempt:
    """One delivery: to whom, when, and what was answered.

    ``lost`` means that it never left, ``taken`` that the host's answer accepts it.
    """

    callback: Callback
    at: datetime
    status: int | None = None
    lost: bool = False
    taken: bool = False


class CallbackAddresses(StrEnum):
    """Which ``callbackUrl`` an emulator accepts."""

    PUBLIC = "public"
    """What a gateway can reach: ``https://``, port 443, and a host that is not private."""
    LOCAL = "local"
    """Also ``http://`` on this machine, private hosts and every port: for a shop under development."""


class Manner(StrEnum):
    """How callbacks misbehave."""

    HOLD = "hold"
    """Nothing leaves until ``release``."""
    RELEASE = "release"
    DROP = "drop"
    """The next ones are lost on the way, and the sender believes that they came."""
    DUPLICATE = "duplicate"
    """The next ones come twice."""
    REORDER = "reorder"
    """What is due at the next delivery comes in reverse order."""


class CallbackQueue:
    """The callbacks that wait, and a record of every delivery."""

    def __init__(self, clock: VirtualClock, *, schedule: RetrySchedule | None = None) -> None:
        """Keep time by ``clock``; retry by ``schedule``."""
        self.schedule: RetrySchedule = schedule or RetrySchedule()
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[Callback] = []
        self._attempts: list[CallbackAttempt] = []
        self._made = 0
        self._is_held = False
        self._is_reordered = False
        self._to_drop = 0
        self._to_duplicate = 0

    @property
    def waiting(self) -> tuple[Callback, ...]:
        """What has not been delivered yet, whether due or not."""
        with self._lock:
            return tuple(self._waiting)

    @property
    def attempts(self) -> tuple[CallbackAttempt, ...]:
        """Every delivery so far, in order."""
        with self._lock:
            return tuple(self._attempts)

    def put(
        self,
        url: str,
        body: bytes,
        *,
        about: str = "",
        due: datetime | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> Callback:
        """Queue a callback, due now or at ``due``."""
        with self._lock:
            self._made += 1
            when = due or self._clock.now()
            callback = Callback(number=self._made, about=about, url=url, body=body, headers=headers, due=when)
            self._waiting.append(callback)
            return callback

    def withdraw(self, callback: Callback) -> None:
        """Take a callback that waits off the queue."""
        with self._lock:
            self._waiting.remove(callback)

    def behave(self, manner: Manner, *, times: int = 1) -> None:
        """Take on a manner; ``times`` says how many callbacks are dropped or duplicated."""
        with self._lock:
            match manner:
                case Manner.HOLD:
                    self._is_held = True
                case Manner.RELEASE:
                    self._is_held = False
                case Manner.DROP:
                    self._to_drop += times
                case Manner.DUPLICATE:
                    self._to_duplicate += times
                case Manner.REORDER:
                    self._is_reordered = True

    def due(self, now: datetime | None = None) -> tuple[Callback, ...]:
        """Return what would leave by ``now``, in the order of leaving."""
        with self._lock:
            return tuple(self._due(now or self._clock.now()))

    def deliver(self, post: Post) -> tuple[CallbackAttempt, ...]:
        """Deliver what is due through ``post``; what is not taken is retried on the schedule.

        ``post`` runs outside the queue's lock, so that the host may call the emulator from it. An error in ``post``
        is raised, because test clients raise what the host's code raises. That callback is retried on the
        schedule, and the callbacks behind it wait.
        """
        made: list[CallbackAttempt] = []
        leaving = self._take_due()
        for number, (callback, copies) in enumerate(leaving, start=1):
            try:
                tries = [self._try(callback, post) for _ in range(copies)]
            except BaseException:
                self._put_back(callback, leaving[number:])
                raise
            if not copies:
                tries = [CallbackAttempt(callback=callback, at=self._clock.now(), lost=True)]
            with self._lock:
                self._attempts.extend(tries)
                if copies and not any(attempt.taken for attempt in tries):
                    self._put_again(callback)
            made.extend(tries)
        return tuple(made)

    def _due(self, now: datetime) -> list[Callback]:
        if self._is_held:
            return []
        ready = sorted(
            (callback for callback in self._waiting if callback.due <= now),
            key=lambda callback: (callback.due, callback.number),
        )
        return ready[::-1] if self._is_reordered else ready

    def _take_due(self) -> list[tuple[Callback, int]]:
        """Take what is due off the queue, with how many copies of each are to leave."""
        with self._lock:
            taken: list[tuple[Callback, int]] = []
            for callback in self._due(self._clock.now()):
                self._waiting.remove(callback)
                copies = 1
                if self._to_drop:
                    self._to_drop -= 1
                    copies = 0
                elif self._to_duplicate:
                    self._to_duplicate -= 1
                    copies = _TWICE
                taken.append((callback, copies))
            if taken:
                self._is_reordered = False
            return taken

    def _put_back(self, callback: Callback, behind: list[tuple[Callback, int]]) -> None:
        with self._lock:
            self._attempts.append(CallbackAttempt(callback=callback, at=self._clock.now()))
            self._put_again(callback)
            for each, copies in behind:
                self._waiting.append(each)
                self._to_drop += copies == 0
                self._to_duplicate += copies == _TWICE

    def _try(self, callback: Callback, post: Post) -> CallbackAttempt:
        status = post(callback.url, callback.body, callback.headers)
        taken = status in self.schedule.taken_by
        if not taken:
            said = "nothing" if status is None else status
            _log.warning("the host answered %s to the callback about %s", said, callback.about or "a payment")
        return CallbackAttempt(callback=callback, at=self._clock.now(), status=status, taken=taken)

    def _put_again(self, callback: Callback) -> None:
        now = self._clock.now()
        first, tries = callback.first_try or now, callback.tries + 1
        due = self.schedule.next_due(first=first, last=now, tries=tries)
        if due is not None:
            self._waiting.append(replace(callback, first_try=first, tries=tries, due=due))


def hand_over(receive: Callable[[CallbackRequest], int | None], *, peer: str = "127.0.0.1") -> Post:
    """Return a ``Post`` that hands callbacks to a host in this process, as coming from ``peer``."""

    def post(url: str, body: bytes, headers: tuple[tuple[str, str], ...]) -> int | None:
        parts = urlsplit(url)
        return receive(CallbackRequest(path=parts.path, query=parts.query, body=body, headers=dict(headers), peer=peer))

    return post


def post_over_http(url: str, body: bytes, headers: tuple[tuple[str, str], ...]) -> int | None:
    """Deliver over real HTTP; ``None`` when the host did not answer."""
    parts = urlsplit(url)
    make = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    return _post(make(parts.hostname or "", parts.port, timeout=_POST_SECONDS), url, body, headers)


def posting_without_name(tls: ssl.SSLContext) -> Post:
    """Return a ``Post`` whose TLS does not say which host it wants (no SNI), and still checks the name it gets.

    A host with several names at one address then answers with the certificate of its default name.
    """
    tls.check_hostname = False  # Python checks only a name that it sends; the name is checked below

    def post(url: str, body: bytes, headers: tuple[tuple[str, str], ...]) -> int | None:
        parts = urlsplit(url)
        if parts.scheme != "https":
            return post_over_http(url, body, headers)
        connection = _NamelessConnection(parts.hostname or "", parts.port, timeout=_POST_SECONDS, context=tls)
        return _post(connection, url, body, headers)

    return post


class _NamelessConnection(HTTPSConnection):
    """Sends no server name in the handshake; compares the certificate's names with the host itself."""

    def __init__(self, host: str, port: int | None, *, timeout: float, context: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=timeout, context=context)
        self._tls = context

    def connect(self) -> None:
        plain = socket.create_connection((self.host, self.port), self.timeout)
        try:
            secured = self._tls.wrap_socket(plain)
        except BaseException:
            plain.close()
            raise
        self.sock = secured
        certificate = cast("Mapping[str, object]", secured.getpeercert() or {})
        names = cast("Iterable[tuple[str, str]]", certificate.get("subjectAltName", ()))
        if not any(_is_named(self.host, kind, name) for kind, name in names):
            message = f"the certificate is not for {self.host}"
            raise ssl.SSLCertVerificationError(message)


def _is_named(host: str, kind: str, name: str) -> bool:
    """Say whether a certificate's name is the host's; a star stands for one whole first label."""
    if kind == "IP Address":
        try:
            return ipaddress.ip_address(host) == ipaddress.ip_address(name.strip())
        except ValueError:
            return False
    host, name = host.lower().rstrip("."), name.lower()
    return kind == "DNS" and (host == name or (name.startswith("*.") and host.partition(".")[2] == name[2:]))


def _post(connection: HTTPConnection, url: str, body: bytes, headers: tuple[tuple[str, str], ...]) -> int | None:
    parts = urlsplit(url)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    try:
        connection.request("POST", target, body=body, headers=dict(headers))
        answer = connection.getresponse()
        answer.read()
    except (OSError, HTTPException):
        return None
    else:
        return answer.status
    finally:
        connection.close()
