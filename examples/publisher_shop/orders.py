"""The shop's own books: who placed an order, which payment collects it, and whether access is open."""

from __future__ import annotations

import base64
import hashlib
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from anyio.to_thread import run_sync
from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Engine,
    Executable,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    create_engine,
    insert,
    make_url,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from prenopay import Payment

metadata = MetaData()

shop_orders = Table(
    "shop_orders",
    metadata,
    Column("number", String(20), primary_key=True),
    Column("secret", String(40), nullable=False, unique=True),
    Column("offer", String(20), nullable=False),
    Column("email", String(200), nullable=False),
    Column("language", String(5), nullable=False),
    Column("instrument", String(20), nullable=False),
    Column("phone", String(40), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("account", String(60)),
    Column("payment_id", String(40)),
    Column("access", Boolean, nullable=False),
    Column("reader", String(20), nullable=False, index=True),
    Column("agreed_text", String(60), nullable=False),
    Column("agreed_at", String(40), nullable=False),
    Column("replaces", String(60)),
)


@dataclass(frozen=True, kw_only=True)
class ShopOrder:
    """One order. ``attempt`` counts payments: a reader whose payment ended without money makes another attempt.

    ``account`` and ``payment_id`` identify its payment. Swish asks on the phone with the number ``phone``, if given.

    ``reader`` is the reader's number. If the reader agreed to save the card, ``agreed_text`` names the text they
    agreed to and ``agreed_at`` the time; ``replaces`` is the saved card that the new card replaces.

    ``number`` names the order wherever people read: on receipts, on bank statements, at the gateway and in logs. It
    opens nothing. ``secret`` is in the address of the order's pages: the shop has no logins for readers, so anyone who
    knows the address may see the order and read the paper.
    """

    number: str = ""
    secret: str = field(default="", repr=False)
    offer: str
    email: str
    language: str
    instrument: str
    phone: str = ""
    attempt: int = 1
    account: str | None = None
    payment_id: str | None = None
    access: bool = False
    reader: str = ""
    agreed_text: str = ""
    agreed_at: str = ""
    replaces: str | None = None

    @property
    def path(self) -> str:
        """The path of the order's pages."""
        return f"/orders/{self.secret}"

    def named_by(self, form: str) -> Self:
        """Return the order with a number and a secret that are computed from the form's random id and the choices.

        The same form sent twice gives the same order. The same form with another choice gives another order.
        """
        choices = (self.offer, self.email, self.instrument, self.phone, self.agreed_text)
        said = "\n".join((form, *choices))
        return replace(self, number=f"ND-{_digest('number', said)[:12]}", secret=_digest("secret", said)[:32])


def is_given_back(payment: Payment) -> bool:
    """Return whether the reader paid and got all of it back."""
    return bool(payment.captured) and payment.refunded >= payment.captured


def _digest(use: str, said: str) -> str:
    """Return letters and digits from which neither what was said nor another use's digest can be computed."""
    return base64.b32encode(hashlib.sha256(f"{use}\n{said}".encode()).digest()).decode()


def open_engine(database: str) -> Engine:
    """Open the shop's own connections to the database that prenopay uses too."""
    url = make_url(database)
    return create_engine(url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url)


class Orders:
    """Reads and writes the shop's orders on a worker thread: the event loop never waits for the disk."""

    def __init__(self, engine: Engine) -> None:
        """Use ``engine``."""
        self._engine = engine

    async def add(self, order: ShopOrder) -> ShopOrder:
        """Store a new order, or return the one that this form made before."""
        with suppress(IntegrityError):
            await run_sync(self._write, insert(shop_orders).values(**asdict(order)))
        return await self.numbered(order.number) or order

    async def at(self, secret: str) -> ShopOrder | None:
        """Return the order whose pages have that address, or ``None``. A stranger may ask for any text."""
        is_plain = secret.isascii() and secret.isprintable()
        return await run_sync(self._read, shop_orders.c.secret == secret) if is_plain else None

    async def numbered(self, number: str) -> ShopOrder | None:
        """Return the order, or ``None``."""
        return await run_sync(self._read, shop_orders.c.number == number)

    async def of_reader(self, reader: str) -> list[ShopOrder]:
        """Return a reader's orders."""
        return await run_sync(self._read_all, reader)

    async def attach(self, order: ShopOrder, account: str, payment_id: str) -> None:
        """Store which payment collects the order now, unless another tab has begun the next attempt."""
        this_attempt = (shop_orders.c.number == order.number) & (shop_orders.c.attempt == order.attempt)
        await self._update(this_attempt & ~shop_orders.c.access, account=account, payment_id=payment_id)

    async def try_again(self, order: ShopOrder, *, instrument: str) -> None:
        """Begin the next attempt: the last payment ended without money. Only the first tab that asks has an effect."""
        this_attempt = (shop_orders.c.number == order.number) & (shop_orders.c.attempt == order.attempt)
        next_one = {"attempt": order.attempt + 1, "instrument": instrument, "payment_id": None}
        await self._update(this_attempt & ~shop_orders.c.access, **next_one)

    async def open_access(self, number: str, account: str, payment_id: str) -> None:
        """Open access, and store which payment paid. Doing it twice changes nothing."""
        await self._update(shop_orders.c.number == number, access=True, account=account, payment_id=payment_id)

    async def close_access(self, number: str, payment_id: str) -> None:
        """Close access after a full refund, unless another payment opened it."""
        its_payment = (shop_orders.c.number == number) & (shop_orders.c.payment_id == payment_id)
        await self._update(its_payment, access=False)

    async def aclose(self) -> None:
        """Close the connections to the database."""
        await run_sync(self._engine.dispose)

    async def _update(self, where: ColumnElement[bool], **values: object) -> None:
        await run_sync(self._write, update(shop_orders).where(where).values(**values))

    def _write(self, statement: Executable) -> None:
        with self._engine.begin() as connection:
            connection.execute(statement)

    def _read(self, where: ColumnElement[bool]) -> ShopOrder | None:
        with self._engine.connect() as connection:
            row = connection.execute(select(shop_orders).where(where)).one_or_none()
        return None if row is None else _order(row)

    def _read_all(self, reader: str) -> list[ShopOrder]:
        with self._engine.connect() as connection:
            rows = connection.execute(select(shop_orders).where(shop_orders.c.reader == reader)).all()
        return [_order(row) for row in rows]


def _order(row: Row[Any]) -> ShopOrder:
    return ShopOrder(**row._mapping)  # noqa: SLF001 - SQLAlchemy's name for a row as a mapping
