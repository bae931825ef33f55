"""What Swish posts to a merchant's ``callbackUrl``: the object as GET shows it, and the merchant's identifier."""

from __future__ import annotations

from typing import Final

from prenopay.testing.callbacks import Callback
from prenopay.testing.emulators.jsonvalues import JsonObject, write_json
from prenopay.testing.emulators.swish.behaviour import IdentifierPlace
from prenopay.testing.emulators.swish.documents import document_of
from prenopay.testing.emulators.swish.objects import Item, Payout
from prenopay.testing.emulators.swish.register import Register

__all__ = ["CALLBACK_SOURCE", "IDENTIFIER_HEADER", "notify", "queue_callback"]

CALLBACK_SOURCE: Final = "89.46.83.171"
"""The address from which the simulator calls, as several integrators saw it."""
IDENTIFIER_HEADER: Final = "callbackIdentifier"


def notify(register: Register, item: Item, *, naming: str = "") -> Callback | None:
    """Queue a callback about ``item``, if it has an address. ``naming`` puts a false id into the body."""
    body = document_of(item, register.behaviour)
    if naming:
        body["payoutInstructionUUID" if isinstance(item, Payout) else "id"] = naming
    return queue_callback(register, body, url=item.callback_url, identifier=item.callback_identifier, about=item.id)


def queue_callback(register: Register, body: JsonObject, *, url: str, identifier: str, about: str) -> Callback | None:
    """Queue a callback with ``body``, carrying the identifier where the behaviour says."""
    if not url:
        return None
    place = register.behaviour.identifier_place
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json; charset=utf-8"),)
    if identifier and place in {IdentifierPlace.BOTH, IdentifierPlace.HEADER}:
        headers += ((IDENTIFIER_HEADER, identifier),)
    if place in {IdentifierPlace.HEADER, IdentifierPlace.NOWHERE}:
        body.pop(IDENTIFIER_HEADER, None)
    due = register.now() + register.behaviour.callback_delay
    return register.callbacks.put(url, write_json(body), about=about, due=due, headers=headers)
