"""What the payment page says, in Swedish and in English."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["Texts", "money_text", "texts_for"]

_MINOR: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """Every text of the page in one language; ``{…}`` are filled in."""

    language: str
    ribbon: str
    pay_to: str
    your_order: str
    to_pay: str
    of_which_vat: str
    quantity: str
    choose_method: str
    card_number: str
    expiry: str
    expiry_hint: str
    security_code: str
    test_cards: str
    test_cards_intro: str
    asks_3d_secure: str
    pays_at_once: str
    use: str
    magic_note: str
    phone_number: str
    phone_hint: str
    opens_app: str
    goes_straight: str
    pay: str
    stored_title: str
    pay_with: str
    remember: str
    staff_title: str
    staff_text: str
    save: str
    save_at: str
    nothing_charged: str
    bank_saves: str
    saved_title: str
    saved_text: str
    cancel: str
    terms: str
    not_paid: str
    bank_title: str
    bank_text: str
    app_title: str
    app_text: str
    waits_for_answer: str
    approve: str
    decline: str
    cancel_step: str
    time_out: str
    paid_title: str
    paid_text: str
    closed_title: str
    closed_text: str
    expired_title: str
    expired_text: str
    not_allowed_title: str
    not_allowed_text: str
    not_found_title: str
    not_found_text: str
    back: str
    bad_card: str
    bad_expiry: str
    bad_code: str
    bad_phone: str
    declined: str
    failures: Mapping[str, str]
    methods: Mapping[str, str]


_ENGLISH: Final = Texts(
    language="en",
    ribbon="Emulator: no money moves. Never type a real card number.",
    pay_to="Pay to",
    your_order="Your order",
    to_pay="To pay",
    of_which_vat="of which VAT {amount}",
    quantity="Quantity",
    choose_method="How do you want to pay?",
    card_number="Card number",
    expiry="Valid thru",
    expiry_hint="MM/YY",
    security_code="Security code",
    test_cards="Other test cards",
    test_cards_intro="Choose one and the form is filled in. Other numbers are refused.",
    asks_3d_secure="asks in 3-D Secure",
    pays_at_once="pays at once",
    use="Use {brand} ending in {last}",
    magic_note="This order will be declined on purpose: {what} is one of the published test values.",
    phone_number="Mobile number",
    phone_hint="A Swedish number, such as 073-900 00 01",
    opens_app="You approve the payment in the app on your phone.",
    goes_straight="The payment is approved as soon as you press the button.",
    pay="Pay {amount}",
    stored_title="Saved before",
    pay_with="Pay {amount} with {name}",
    remember="Save this for the next time",
    staff_title="Payment by phone or letter",
    staff_text="Type the card as the payer gives it. The bank asks nothing.",
    save="Save",
    save_at="Save a way to pay at",
    nothing_charged="Nothing is charged now.",
    bank_saves="{merchant} wants to save your card {card}. Nothing is charged now.",
    saved_title="It is saved",
    saved_text="{merchant} may charge it as you have agreed. Nothing was charged now.",
    cancel="Cancel and go back",
    terms="Terms of purchase",
    not_paid="The payment was not completed",
    bank_title="Your bank asks",
    bank_text="{merchant} wants to charge {amount} to your card {card}.",
    app_title="Open {method} on your phone",
    app_text="Pay {amount} to {merchant}",
    waits_for_answer="The payment waits for your answer in the app. Here is the phone:",
    approve="Approve",
    decline="Decline",
    cancel_step="Cancel",
    time_out="Do nothing until it times out",
    paid_title="The payment is done",
    paid_text="{merchant} has your payment of {amount}.",
    closed_title="This payment is closed",
    closed_text="It was cancelled, and nothing was charged.",
    expired_title="This link has expired",
    expired_text="Ask {merchant} for a new one. Nothing was charged.",
    not_allowed_title="This site may not show the payment",
    not_allowed_text="The address {host} is not among the order's hostUrls.",
    not_found_title="There is no such payment",
    not_found_text="Check that the whole link was copied.",
    back="Back to {merchant}",
    bad_card="Only the published test cards can be used here.",
    bad_expiry="Write month and year as MM/YY, not in the past.",
    bad_code="Write the three or four digits of the security code.",
    bad_phone="Write a Swedish mobile number, such as 073-900 00 01.",
    declined="It was declined. Try again, or choose another way to pay.",
    failures={
        "acquirerinsufficientfunds": "There is not enough money on the card.",
        "acquirercardexpired": "The card has expired.",
        "3dsecureusercancelled": "You cancelled at your bank.",
        "usercancelled": "You cancelled in the app.",
        "bankidcancelled": "BankID was cancelled.",
        "swishdeclined": "You declined in Swish.",
        "swishtimeout": "It took too long.",
    },
    methods={
        "CreditCard": "Card",
        "ApplePay": "Apple Pay",
        "GooglePay": "Google Pay",
        "ClickToPay": "Click to Pay",
        "Invoice-PayExFinancingSe": "Invoice",
        "Invoice-PayExFinancingNo": "Invoice",
        "Invoice-PayMonthlyInvoiceSe": "Monthly invoice",
        "CreditAccount-CreditAccountSe": "Pay by instalments",
    },
)

_SWEDISH: Final = Texts(
    language="sv",
    ribbon="Emulator: inga pengar flyttas. Skriv aldrig ett riktigt kortnummer.",
    pay_to="Betala till",
    your_order="Din beställning",
    to_pay="Att betala",
    of_which_vat="varav moms {amount}",
    quantity="Antal",
    choose_method="Hur vill du betala?",
    card_number="Kortnummer",
    expiry="Giltigt till",
    expiry_hint="MM/ÅÅ",
    security_code="Säkerhetskod",
    test_cards="Andra testkort",
    test_cards_intro="Välj ett så fylls formuläret i. Andra nummer tas inte emot.",
    asks_3d_secure="frågar i 3-D Secure",
    pays_at_once="betalar direkt",
    use="Använd {brand} som slutar på {last}",
    magic_note="Den här beställningen nekas med avsikt: {what} är ett av de publicerade testvärdena.",
    phone_number="Mobilnummer",
    phone_hint="Ett svenskt nummer, till exempel 073-900 00 01",
    opens_app="Du godkänner betalningen i appen i din telefon.",
    goes_straight="Betalningen godkänns så snart du trycker på knappen.",
    pay="Betala {amount}",
    stored_title="Sparat sedan tidigare",
    pay_with="Betala {amount} med {name}",
    remember="Spara till nästa gång",
    staff_title="Betalning per telefon eller brev",
    staff_text="Skriv kortet som betalaren uppger det. Banken frågar inget.",
    save="Spara",
    save_at="Spara ett betalsätt hos",
    nothing_charged="Inget dras nu.",
    bank_saves="{merchant} vill spara ditt kort {card}. Inget dras nu.",
    saved_title="Det är sparat",
    saved_text="{merchant} får dra pengar så som ni har kommit överens om. Inget drogs nu.",
    cancel="Avbryt och gå tillbaka",
    terms="Köpvillkor",
    not_paid="Betalningen gick inte igenom",
    bank_title="Din bank frågar",
    bank_text="{merchant} vill dra {amount} från ditt kort {card}.",
    app_title="Öppna {method} i din telefon",
    app_text="Betala {amount} till {merchant}",
    waits_for_answer="Betalningen väntar på ditt svar i appen. Här är telefonen:",
    approve="Godkänn",
    decline="Neka",
    cancel_step="Avbryt",
    time_out="Gör ingenting tills tiden går ut",
    paid_title="Betalningen är klar",
    paid_text="{merchant} har fått din betalning på {amount}.",
    closed_title="Betalningen är stängd",
    closed_text="Den avbröts, och inget har dragits.",
    expired_title="Länken har gått ut",
    expired_text="Be {merchant} om en ny. Inget har dragits.",
    not_allowed_title="Webbplatsen får inte visa betalningen",
    not_allowed_text="Adressen {host} finns inte bland beställningens hostUrls.",
    not_found_title="Betalningen finns inte",
    not_found_text="Kontrollera att hela länken kom med.",
    back="Tillbaka till {merchant}",
    bad_card="Här fungerar bara de publicerade testkorten.",
    bad_expiry="Skriv månad och år som MM/ÅÅ, inte i det förflutna.",
    bad_code="Skriv säkerhetskodens tre eller fyra siffror.",
    bad_phone="Skriv ett svenskt mobilnummer, till exempel 073-900 00 01.",
    declined="Den nekades. Försök igen eller välj ett annat sätt att betala.",
    failures={
        "acquirerinsufficientfunds": "Det finns inte tillräckligt med pengar på kortet.",
        "acquirercardexpired": "Kortet har gått ut.",
        "3dsecureusercancelled": "Du avbröt hos din bank.",
        "usercancelled": "Du avbröt i appen.",
        "bankidcancelled": "BankID avbröts.",
        "swishdeclined": "Du nekade i Swish.",
        "swishtimeout": "Det tog för lång tid.",
    },
    methods={
        "CreditCard": "Kort",
        "ApplePay": "Apple Pay",
        "GooglePay": "Google Pay",
        "ClickToPay": "Click to Pay",
        "Invoice-PayExFinancingSe": "Faktura",
        "Invoice-PayExFinancingNo": "Faktura",
        "Invoice-PayMonthlyInvoiceSe": "Månadsfaktura",
        "CreditAccount-CreditAccountSe": "Delbetalning",
    },
)


def texts_for(culture: str) -> Texts:
    """Return the texts for a language tag such as ``sv-SE``; English for every other language."""
    return _SWEDISH if culture.lower().startswith("sv") else _ENGLISH


def money_text(amount: int, currency: str, texts: Texts) -> str:
    """Return an amount as people of that language write it; its parts never break over two lines."""
    major, minor = divmod(abs(amount), _MINOR)
    sign = "\N{MINUS SIGN}" if amount < 0 else ""
    if texts.language == "sv":
        grouped = f"{major:,}".replace(",", "\N{NO-BREAK SPACE}")
        unit = "kr" if currency == "SEK" else currency
        return f"{sign}{grouped},{minor:02d}\N{NO-BREAK SPACE}{unit}"
    return f"{sign}{currency}\N{NO-BREAK SPACE}{major:,}.{minor:02d}"
