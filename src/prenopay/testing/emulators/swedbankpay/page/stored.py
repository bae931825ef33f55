"""The parts of the payment page about storing: the question whether to save, and what was saved before."""

from __future__ import annotations

from collections.abc import Sequence

from prenopay.testing.emulators.markup import Html, element
from prenopay.testing.emulators.swedbankpay.page.visit import Visit
from prenopay.testing.emulators.swedbankpay.storing import asks_consent
from prenopay.testing.emulators.swedbankpay.tokens import StoredToken

__all__ = ["consent_field", "stored_forms"]


def consent_field(visit: Visit, name: str) -> tuple[Html, ...]:
    """Return the box to tick, where the order asks: empty until the payer ticks it, as consent has to be."""
    if not asks_consent(visit.order):
        return ()
    place = f"remember-{name.lower()}"
    box = element("input", type="checkbox", id=place, name="remember", value="yes")
    return (element("p", box, " ", element("label", visit.texts.remember, for_=place), class_="consent"),)


def stored_forms(visit: Visit, stored: Sequence[StoredToken]) -> list[Html]:
    """Return one button for each stored card or account; the tokens themselves stay at the gateway."""
    if not stored:
        return []
    heading = element("h3", visit.texts.stored_title)
    forms = [_form(visit, place, entry) for place, entry in enumerate(stored)]
    return [element("div", heading, *forms, class_="stored")]


def _form(visit: Visit, place: int, stored: StoredToken) -> Html:
    brand = f"{stored.card.brand} " if stored.card else ""
    name = f"{brand}\N{BULLET}\N{BULLET}\N{BULLET}\N{BULLET} {stored.name[-4:]}"
    said = visit.texts.pay_with.format(amount=visit.price, name=name)
    hidden = element("input", type="hidden", name="stored", value=str(place))
    button = element("button", said, type="submit", class_="pay")
    return element("form", hidden, button, method="post", action=visit.href("/pay"))
