"""The shop's own book of monthly fees: a line for each try, written before the money is asked for."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass

from anyio.to_thread import run_sync
from sqlalchemy import Column, Engine, Integer, String, Table, insert, select
from sqlalchemy.exc import IntegrityError

from examples.publisher_shop.orders import metadata
from prenopay import OperationId

shop_fees = Table(
    "shop_fees",
    metadata,
    Column("reader", String(20), primary_key=True),
    Column("period", String(7), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("mandate_id", String(60), nullable=False),
)


@dataclass(frozen=True, kw_only=True)
class FeeTry:
    """One try to charge a reader's fee for one month (``period``: ``2026-11``) on one saved card."""

    reader: str
    period: str
    attempt: int
    mandate_id: str

    @property
    def operation_id(self) -> OperationId:
        """The same id for a double click and for two tabs: this try charges once."""
        return OperationId.of("fee", self.reader, self.period, self.attempt)

    @property
    def order_reference(self) -> str:
        """The reference that staff search by: one for each month, beginning with the reader's number."""
        return f"{self.reader}-{self.period}"


class Fees:
    """Reads and writes the book on a worker thread."""

    def __init__(self, engine: Engine) -> None:
        """Use ``engine``."""
        self._engine = engine

    async def add(self, fee: FeeTry) -> FeeTry:
        """Store a try, or return the same try if another tab stored it before."""
        return await run_sync(self._add, fee)

    async def of_reader(self, reader: str) -> list[FeeTry]:
        """Return a reader's tries, oldest first."""
        return await run_sync(self._read, reader)

    def _add(self, fee: FeeTry) -> FeeTry:
        with suppress(IntegrityError), self._engine.begin() as connection:
            connection.execute(insert(shop_fees).values(**asdict(fee)))
        same = (each for each in self._read(fee.reader) if each.operation_id == fee.operation_id)
        return next(same)

    def _read(self, reader: str) -> list[FeeTry]:
        query = select(shop_fees).where(shop_fees.c.reader == reader).order_by(shop_fees.c.period, shop_fees.c.attempt)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [
            FeeTry(reader=row.reader, period=row.period, attempt=row.attempt, mandate_id=row.mandate_id) for row in rows
        ]
