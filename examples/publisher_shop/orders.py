"""The shop's own books: which order is whose, which payment collects it, and whether access is open."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass

from anyio.to_thread import run_sync
from sqlalchemy import Boolean, Column, Engine, Executable, Integer, MetaData, String, Table, insert, select, update

metadata = MetaData()

shop_orders = Table(
    "shop_orders",
    metadata,
    Column("number", String(20), primary_key=True),
    Column("offer", String(20), nullable=False),
    Column("email", String(200), nullable=False),
    Column("language", String(5), nullable=False),
    Column("instrument", String(20), nullable=False),
    Column("attempt", Integer, nullable=False, default=1),
    Column("payment_id", String(40)),
    Column("access", Boolean, nullable=False, default=False),
)


@dataclass(frozen=True, kw_only=True)
class ShopOrder:
    """One order. ``attempt`` counts payments: a reader whose payment ended tries again with the next."""

    number: str
    offer: str
    email: str
    language: str
    instrument: str
    attempt: int = 1
    payment_id: str | None = None
    access: bool = False


class Orders:
    """Reads and writes the shop's orders, on a worker thread: the event loop never waits for the disk."""

    def __init__(self, engine: Engine) -> None:
        """Use ``engine``; make the table if it is not there."""
        self._engine = engine
        metadata.create_all(engine)

    async def add(self, *, offer: str, email: str, language: str, instrument: str) -> ShopOrder:
        """Write down a new order under a number nobody can guess."""
        order = ShopOrder(
            number=f"ND-{secrets.token_hex(5).upper()}",
            offer=offer,
            email=email,
            language=language,
            instrument=instrument,
        )
        await run_sync(self._write, insert(shop_orders).values(**asdict(order)))
        return order

    async def get(self, number: str) -> ShopOrder | None:
        """Return the order, or ``None``."""
        return await run_sync(self._read, number)

    async def attach(self, number: str, payment_id: str) -> None:
        """Remember which payment collects the order now."""
        await self._update(number, payment_id=payment_id)

    async def try_again(self, order: ShopOrder) -> None:
        """The last payment ended without money: the next one is another attempt."""
        await self._update(order.number, attempt=order.attempt + 1, payment_id=None)

    async def open_access(self, number: str) -> None:
        """Let the reader in. Doing it twice changes nothing."""
        await self._update(number, access=True)

    async def close_access(self, number: str) -> None:
        """Everything was refunded: no access any more."""
        await self._update(number, access=False)

    async def _update(self, number: str, **values: object) -> None:
        await run_sync(self._write, update(shop_orders).where(shop_orders.c.number == number).values(**values))

    def _write(self, statement: Executable) -> None:
        with self._engine.begin() as connection:
            connection.execute(statement)

    def _read(self, number: str) -> ShopOrder | None:
        with self._engine.connect() as connection:
            row = connection.execute(select(shop_orders).where(shop_orders.c.number == number)).one_or_none()
        return None if row is None else ShopOrder(**row._mapping)  # noqa: SLF001 - SQLAlchemy's name for a row as a mapping
