"""What the phone says, in Swedish and in English."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

__all__ = ["Texts", "money_text", "texts_for"]

_SPACE: Final = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """Every text in one language; ``{…}`` are filled in."""

    language: str
    ribbon: str
    app: str
    home_title: str
    your_number: str
    number_hint: str
    number_wrong: str
    show: str
    token_label: str
    token_hint: str
    open: str
    open_requests: str
    open_for: str
    none_open: str
    by_token: str
    request_title: str
    to: str
    message: str
    reference: str
    answer_by: str
    approve: str
    decline: str
    too_late_title: str
    too_late: str
    unknown_title: str
    unknown: str
    paid_title: str
    paid: str
    declined_title: str
    declined: str
    cancelled_title: str
    cancelled: str
    failed_title: str
    failed: str
    back_to_shop: str
    goes_back: str
    home: str


_SWEDISH: Final = Texts(
    language="sv",
    ribbon="Emulerad telefon: inga pengar flyttas",
    app="Betalappen",
    home_title="Vad vill du betala?",
    your_number="Ditt mobilnummer",
    number_hint="T.ex. 070-174 06 06. Alla nummer duger.",
    number_wrong="Skriv ett mobilnummer, t.ex. 070-174 06 06.",
    show="Visa förfrågningar",
    token_label="Kod eller länk",  # noqa: S106 - a label
    token_hint="Det som står i QR-koden, eller länken som börjar med swish://",  # noqa: S106 - a hint
    open="Öppna",
    open_requests="Väntar på svar",
    open_for="Väntar på svar från {number}",
    none_open="Ingenting väntar just nu.",
    by_token="QR-kod eller länk",  # noqa: S106 - a label
    request_title="Betala",
    to="Till",
    message="Meddelande",
    reference="Referens",
    answer_by="Svara före kl. {time}.",
    approve="Godkänn med BankID",
    decline="Avbryt",
    too_late_title="För sent",
    too_late="Tiden för att betala har gått ut. Be butiken om en ny förfrågan.",
    unknown_title="Finns inte",
    unknown="Det finns ingen förfrågan med den koden.",
    paid_title="Betalt",
    paid="{amount} till {merchant}.",
    declined_title="Avbrutet",
    declined="Du betalade inte.",
    cancelled_title="Återtagen",
    cancelled="Butiken har tagit tillbaka sin förfrågan.",
    failed_title="Det gick inte",
    failed="Betalningen genomfördes inte ({code}).",
    back_to_shop="Tillbaka till butiken",
    goes_back="På en telefon öppnas nu {url}",
    home="Till början",
)
_ENGLISH: Final = Texts(
    language="en",
    ribbon="Emulated phone: no money moves",
    app="The payment app",
    home_title="What do you want to pay?",
    your_number="Your mobile number",
    number_hint="Such as 070-174 06 06. Any number will do.",
    number_wrong="Write a mobile number, such as 070-174 06 06.",
    show="Show requests",
    token_label="Code or link",  # noqa: S106 - a label
    token_hint="What the QR code says, or the link that begins with swish://",  # noqa: S106 - a hint
    open="Open",
    open_requests="Waiting for an answer",
    open_for="Waiting for an answer from {number}",
    none_open="Nothing is waiting now.",
    by_token="QR code or link",  # noqa: S106 - a label
    request_title="Pay",
    to="To",
    message="Message",
    reference="Reference",
    answer_by="Answer before {time}.",
    approve="Approve with BankID",
    decline="Cancel",
    too_late_title="Too late",
    too_late="The time to pay has passed. Ask the shop for a new request.",
    unknown_title="Not found",
    unknown="There is no request with that code.",
    paid_title="Paid",
    paid="{amount} to {merchant}.",
    declined_title="Cancelled",
    declined="You did not pay.",
    cancelled_title="Withdrawn",
    cancelled="The shop has withdrawn its request.",
    failed_title="It did not work",
    failed="The payment was not made ({code}).",
    back_to_shop="Back to the shop",
    goes_back="On a phone this opens {url}",
    home="To the start",
)


def texts_for(accepted: str) -> Texts:
    """Return the texts in the language that a browser prefers; the app's own is Swedish."""
    return _ENGLISH if accepted.strip().lower().startswith("en") else _SWEDISH


def money_text(amount: Decimal) -> str:
    """Return an amount as Swedes write it."""
    whole, _, part = f"{amount:,.2f}".partition(".")
    return f"{whole.replace(',', _SPACE)},{part}{_SPACE}kr"
