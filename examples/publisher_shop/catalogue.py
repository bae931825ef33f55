"""What the newspaper sells: prices include VAT, 6 % on newspapers and 25 % on postage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from examples.publisher_shop.texts import TEXTS
from prenopay import CaptureMode, LineKind, Money, OrderLine


@dataclass(frozen=True, kw_only=True)
class Item:
    """One line of an offer; ``name`` is a key of the texts."""

    reference: str
    name: str
    kronor: int
    vat_percent: int
    kind: LineKind


@dataclass(frozen=True, kw_only=True)
class Offer:
    """Something to buy. ``capture`` says whether money is taken at once or when the paper ships.

    An offer that ``is_monthly`` continues month by month, for the same price, on a saved card.
    """

    key: str
    items: tuple[Item, ...]
    capture: CaptureMode
    is_monthly: bool = False

    @property
    def price(self) -> Money:
        """The sum of the items, VAT included."""
        return sum((Money(item.kronor * 100, "SEK") for item in self.items), Money.zero("SEK"))

    @property
    def vat(self) -> Money:
        """The VAT in the price."""
        return sum((line.vat_amount for line in self.lines("sv")), Money.zero("SEK"))

    def lines(self, language: str) -> tuple[OrderLine, ...]:
        """Return the order lines, with their names in ``language``."""
        return tuple(
            OrderLine(
                reference=item.reference,
                name=TEXTS[language][item.name],
                amount=Money(item.kronor * 100, "SEK"),
                vat_percent=item.vat_percent,
                kind=item.kind,
                group="newspaper",
            )
            for item in self.items
        )


OFFERS = {
    offer.key: offer
    for offer in (
        Offer(
            key="digital",
            items=(Item(reference="digital-1", name="digital", kronor=119, vat_percent=6, kind=LineKind.SERVICE),),
            capture=CaptureMode.AUTOMATIC,
            is_monthly=True,
        ),
        Offer(
            key="paper",
            items=(
                Item(reference="paper-3", name="paper", kronor=837, vat_percent=6, kind=LineKind.PRODUCT),
                Item(reference="postage", name="postage", kronor=60, vat_percent=25, kind=LineKind.SHIPPING),
            ),
            capture=CaptureMode.MANUAL,
        ),
        Offer(
            key="issue",
            items=(Item(reference="issue-47", name="issue", kronor=35, vat_percent=6, kind=LineKind.PRODUCT),),
            capture=CaptureMode.AUTOMATIC,
        ),
    )
}

MONTHLY: Final = OFFERS["digital"]
"""What a saved card pays for."""
