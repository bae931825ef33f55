"""The staff's sessions and the passwords that were tried, kept in the shop's database for all of its processes."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import time
from contextlib import suppress
from typing import Final

from anyio.to_thread import run_sync
from sqlalchemy import Column, Engine, Integer, LargeBinary, String, Table, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from examples.publisher_shop.orders import metadata

SESSION_SECONDS: Final = 8 * 60 * 60
TRIES_MOST: Final = 5
TRIES_SECONDS: Final = 15 * 60
"""One caller may try this many passwords in this time: at most 480 a day, of a password that nobody can guess."""
SHARED_PREFIX: Final = 64
"""One person has at least so many addresses of IPv6: they count as one caller."""

shop_sessions = Table(
    "shop_sessions",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("until", Integer, nullable=False),
)

shop_login_tries = Table(
    "shop_login_tries",
    metadata,
    Column("caller", String(60), primary_key=True),
    Column("window", Integer, primary_key=True),
    Column("tries", Integer, nullable=False),
)


class Sessions:
    """Opens and ends sessions on a worker thread. A session ends here, so a copied cookie ends with it.

    The table holds a digest of each cookie under the staff's password: a reader of the table cannot come in, and a
    new password ends every session.
    """

    def __init__(self, engine: Engine, password: str) -> None:
        """Use ``engine``."""
        self._engine = engine
        self._password = password.encode()

    async def may_try(self, host: str) -> bool:
        """Count one more try of the caller at ``host``; return whether its password may be looked at."""
        return await run_sync(self._count, caller_of(host), int(time.time() // TRIES_SECONDS)) <= TRIES_MOST

    async def begin(self, host: str, given: str) -> str | None:
        """Return a new session's cookie; ``None`` if ``given`` is not the password."""
        if not hmac.compare_digest(given.encode(), self._password):
            return None
        cookie = secrets.token_urlsafe()
        await run_sync(self._begin, self._digest(cookie), caller_of(host))
        return cookie

    async def is_open(self, cookie: str) -> bool:
        """Return whether the cookie's session has begun and not ended."""
        return await run_sync(self._is_open, self._digest(cookie))

    async def end(self, cookie: str) -> None:
        """End the cookie's session, in every browser that has a copy."""
        await run_sync(self._end, self._digest(cookie))

    def _digest(self, cookie: str) -> bytes:
        return hmac.digest(self._password, cookie.encode(), "sha256")

    def _count(self, caller: str, window: int) -> int:
        with suppress(IntegrityError):
            return self._counted(caller, window)
        return self._counted(caller, window)  # another process made the row at the same moment

    def _counted(self, caller: str, window: int) -> int:
        """Count in one row for each caller: a flood of tries fills nothing."""
        row = (shop_login_tries.c.caller == caller) & (shop_login_tries.c.window == window)
        with self._engine.begin() as connection:
            connection.execute(delete(shop_login_tries).where(shop_login_tries.c.window < window))
            one_more = update(shop_login_tries).where(row).values(tries=shop_login_tries.c.tries + 1)
            if not connection.execute(one_more).rowcount:
                connection.execute(insert(shop_login_tries).values(caller=caller, window=window, tries=1))
            return int(connection.execute(select(shop_login_tries.c.tries).where(row)).scalar_one())

    def _begin(self, digest: bytes, caller: str) -> None:
        now = int(time.time())
        with self._engine.begin() as connection:
            connection.execute(delete(shop_sessions).where(shop_sessions.c.until < now))
            connection.execute(insert(shop_sessions).values(digest=digest, until=now + SESSION_SECONDS))
            connection.execute(delete(shop_login_tries).where(shop_login_tries.c.caller == caller))

    def _is_open(self, digest: bytes) -> bool:
        query = select(shop_sessions.c.until).where(shop_sessions.c.digest == digest)
        with self._engine.connect() as connection:
            until = connection.execute(query).scalar_one_or_none()
        return until is not None and until > time.time()

    def _end(self, digest: bytes) -> None:
        with self._engine.begin() as connection:
            connection.execute(delete(shop_sessions).where(shop_sessions.c.digest == digest))


def caller_of(host: str) -> str:
    """Return what is counted as one caller: an address of IPv4, a network of IPv6."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(address), SHARED_PREFIX), strict=False))
    return str(address)
