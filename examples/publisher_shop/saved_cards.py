"""A reader's saved cards: the consent, saving a card, replacing it, and every choice the reader made."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from examples.publisher_shop.catalogue import MONTHLY, OFFERS, Offer
from examples.publisher_shop.orders import ShopOrder
from examples.publisher_shop.shop import Shop
from prenopay import (
    Consent,
    ConsentKind,
    Instrument,
    Mandate,
    MandateChange,
    MandateState,
    Money,
    OperationId,
    Order,
    Payer,
    Payment,
    StoreMethod,
)
from prenopay.errors import IdReused, NotFound, OutcomeUnknown, PrenopayError

TEXT_VERSION: Final = "subscription-2026-11"
"""Names the present wording of the texts ``save_text``: another wording gets another version."""
CHANNEL: Final = "web"
BY_READER: Final = "reader"
SHOWN: Final = frozenset(
    {MandateState.PENDING, MandateState.ACTIVE, MandateState.EXPIRING, MandateState.SUSPENDED},
)
ASK_AGAIN_AFTER_SECONDS: Final = (0.2, 0.5, 1.0)

log = logging.getLogger("shop")


def may_save(shop: Shop, offer: Offer) -> bool:
    """Return whether the checkout offers to save the card: it does for monthly offers."""
    return shop.saves_cards and offer.is_monthly


async def agreed(shop: Shop, order: ShopOrder) -> ShopOrder:
    """Return the order with the reader's consent as given now; the new card replaces the saved one."""
    saved = usable(await cards_of(shop, order.reader))
    return replace(
        order,
        agreed_text=TEXT_VERSION,
        agreed_at=shop.now().isoformat(),
        replaces=None if saved is None else saved.mandate_id,
    )


def store_for(order: ShopOrder) -> StoreMethod | None:
    """Return the request to store the card, if the reader agreed to it."""
    if not order.agreed_at:
        return None
    consent = _consent(OFFERS[order.offer], order.agreed_text, datetime.fromisoformat(order.agreed_at))
    return StoreMethod(consent=consent, replaces=order.replaces)


async def cards_of(shop: Shop, reader: str, *, asks_gateway: bool = False) -> tuple[Mandate, ...]:
    """Return a reader's cards, newest first, ended ones included.

    Issuers renew cards silently, so a page that shows cards asks the gateway first. If the gateway cannot
    be reached, the page shows the cards as the books have them.
    """
    known = await shop.cards.mandates.of_payer(reader) if reader else ()
    if asks_gateway and any(card.state in SHOWN for card in known):
        try:
            return await shop.cards.mandates.refresh(reader)
        except PrenopayError as error:
            log.warning("the saved cards of %s could not be refreshed: %s", reader, error)
    return known


def usable(cards: tuple[Mandate, ...]) -> Mandate | None:
    """Return the card that is charged for the next fee."""
    return next((card for card in cards if card.state.is_chargeable), None)


async def verify_new_card(shop: Shop, old: Mandate, form: str, *, language: str) -> Payment:
    """Return a payment of zero, whose page verifies the reader's new card; the new card replaces the old one.

    The operation id names the form: a double click or a second tab with the same form gets the same page.
    """
    asked, operation_id = _verification(shop, old, form, language), change_id(old.mandate_id, form)
    for pause in ASK_AGAIN_AFTER_SECONDS:
        try:
            return await shop.cards.create(await _asked_before(shop, operation_id) or asked, operation_id=operation_id)
        except (OutcomeUnknown, IdReused):  # another click is asking at this moment
            await asyncio.sleep(pause)
    return await shop.cards.create(await _asked_before(shop, operation_id) or asked, operation_id=operation_id)


def change_id(mandate_id: str, form: str) -> OperationId:
    """Return the operation id of a form that changes a card."""
    return OperationId.of("change-card", mandate_id, form)


async def _asked_before(shop: Shop, operation_id: OperationId) -> Order | None:
    """Return the order of the first click: its consent has the time of that click."""
    try:
        return await shop.cards.order((await shop.cards.operation(operation_id)).payment_id)
    except NotFound:
        return None


def _verification(shop: Shop, old: Mandate, form: str, language: str) -> Order:
    back = f"{shop.url}/my/cards/{old.mandate_id}/changed?form={form}"
    consent = _consent(MONTHLY, TEXT_VERSION, shop.now())
    return Order(
        amount=Money.zero("SEK"),
        description="Norrviks Dagblad",
        order_reference=f"{old.payer_reference}-{form}",
        return_url=back,
        cancel_url=back,
        language="en-US" if language == "en" else "sv-SE",
        instruments=(Instrument.CARD,),
        expand_first_instrument=True,
        payer=Payer(reference=old.payer_reference),
        store=StoreMethod(consent=consent, replaces=old.mandate_id),
    )


def _consent(offer: Offer, text_version: str, agreed_at: datetime) -> Consent:
    """Return the consent as the text words it: the price of one month, each month, and nothing else."""
    return Consent(
        kind=ConsentKind.FIXED,
        most=offer.price,
        text_version=text_version,
        agreed_at=agreed_at,
        channel=CHANNEL,
    )


# Every choice that the reader made


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One step of one card: ``word`` names it in the texts, ``by`` is the card that replaced it."""

    at: datetime
    card: Mandate
    word: str
    actor: str
    reason: str
    by: str


async def choices(shop: Shop, cards: tuple[Mandate, ...]) -> list[Choice]:
    """Return what happened to a reader's cards, newest first."""
    shown = {card.mandate_id: card.display for card in cards}
    steps = [
        Choice(at=step.at, card=card, word=word, actor=step.actor, reason=step.reason, by=shown.get(by, ""))
        for card in reversed(cards)
        for by in (card.replaced_by or "",)
        for step, word in _named(await shop.cards.mandates.history(card.mandate_id))
    ]
    return sorted(steps, key=lambda choice: choice.at)[::-1]


def _named(steps: tuple[MandateChange, ...]) -> list[tuple[MandateChange, str]]:
    """Give each step its word. A card that becomes active a second time was suspended in between."""
    named: list[tuple[MandateChange, str]] = []
    was_saved = False
    for step in steps:
        match step.state:
            case MandateState.ACTIVE:
                word, was_saved = "works_again" if was_saved else "saved", True
            case MandateState.DELETED if step.actor == BY_READER:
                word = "removed"
            case MandateState.DELETED:
                word = "deleted" if was_saved else "not_completed"
            case state:
                word = state.value
        named.append((step, word))
    return named
