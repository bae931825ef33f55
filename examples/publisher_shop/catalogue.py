"""What the newspaper sells: prices include VAT, 6 % on newspapers and 25 % on postage."""

from __future__ import annotations

from dataclasses import dataclass

from prenopay import CaptureMode, Money, OrderLine
from prenopay.orders import LineKind


@dataclass(frozen=True, kw_only=True)
class Offer:
    """Something to buy. ``capture`` says whether money is taken at once or when the paper ships."""

    key: str
    lines: tuple[OrderLine, ...]
    capture: CaptureMode

    @property
    def price(self) -> Money:
        """The sum of the lines."""
        return sum((line.amount for line in self.lines), Money.zero("SEK"))


def _line(reference: str, name: str, kronor: int, *, vat_percent: int, kind: LineKind) -> OrderLine:
    return OrderLine(
        reference=reference,
        name=name,
        amount=Money(kronor * 100, "SEK"),
        vat_percent=vat_percent,
        kind=kind,
        group="newspaper",
    )


OFFERS = {
    offer.key: offer
    for offer in (
        Offer(
            key="digital",
            lines=(_line("digital-1", "Digital prenumeration", 119, vat_percent=6, kind=LineKind.SERVICE),),
            capture=CaptureMode.AUTOMATIC,
        ),
        Offer(
            key="paper",
            lines=(
                _line("paper-3", "Papperstidning och digitalt", 837, vat_percent=6, kind=LineKind.PRODUCT),
                _line("postage", "Porto", 60, vat_percent=25, kind=LineKind.SHIPPING),
            ),
            capture=CaptureMode.MANUAL,
        ),
        Offer(
            key="issue",
            lines=(_line("issue-47", "Dagens nummer", 35, vat_percent=6, kind=LineKind.PRODUCT),),
            capture=CaptureMode.AUTOMATIC,
        ),
    )
}
