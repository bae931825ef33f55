"""What payers pay with: instruments, the published test cards, what is stored of them, and why they are declined."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from prenopay.testing.emulators.swedbankpay.problems import FieldProblem, problem
from prenopay.testing.http import JsonObject, as_list, as_object

DAY: Final = timedelta(days=1)
MONTH: Final = timedelta(days=30)

# Instruments

_SEK, _NOK = frozenset({"SEK"}), frozenset({"NOK"})
_ALL: Final = frozenset({"SEK", "NOK", "DKK", "EUR"})
_OTHER_NAMES: Final = {"CreditAccount": "CreditAccount-CreditAccountSe"}
"""Other names that the gateway takes in requests."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """One way to pay. ``name`` is the gateway's word in menus, ``paid_name`` its word in results.

    ``problem_prefix`` comes before the word in the types of its problems.
    """

    name: str
    paid_name: str
    currencies: frozenset[str]
    problem_prefix: str
    takes_at_once: bool = False
    """A sale, with nothing to capture; all others reserve first."""
    opens_app: bool = False
    """The payer leaves for an app; meanwhile the merchant cannot abort."""

    @property
    def is_card(self) -> bool:
        """Whether a card number is typed."""
        return self.name == "CreditCard"

    @property
    def is_bank_account(self) -> bool:
        """Whether it pays from an account that can be stored and charged later."""
        return self.name == "Trustly"

    @property
    def is_invoice(self) -> bool:
        """Whether the payer is sent an invoice."""
        return self.paid_name == "Invoice"


_MENU: Final = (
    Instrument("CreditCard", "CreditCard", _ALL, "creditcard/"),
    Instrument("Swish", "Swish", _SEK, "", takes_at_once=True, opens_app=True),
    Instrument("Trustly", "Trustly", frozenset({"SEK", "EUR"}), "trustly/", takes_at_once=True),
    Instrument("Vipps", "Vipps", _NOK, "vipps/", opens_app=True),
    Instrument("MobilePay", "MobilePay", frozenset({"DKK", "EUR"}), "mobilepay/", opens_app=True),
    Instrument("ApplePay", "ApplePay", _ALL, "creditcard/"),
    Instrument("GooglePay", "GooglePay", _ALL, "creditcard/"),
    Instrument("ClickToPay", "ClickToPay", _ALL, "creditcard/"),
    Instrument("Invoice-PayExFinancingSe", "Invoice", _SEK, "invoice/"),
    Instrument("Invoice-PayExFinancingNo", "Invoice", _NOK, "invoice/"),
    Instrument("Invoice-PayMonthlyInvoiceSe", "Invoice", _SEK, "invoice/"),
    Instrument("CreditAccount-CreditAccountSe", "CreditAccount", _SEK, "creditaccount/"),
)
INSTRUMENTS: Final = {instrument.name: instrument for instrument in _MENU}
"""All of them, in the order of a menu that nobody restricted."""


def available_instruments(names: Iterable[str], currency: str) -> tuple[Instrument, ...]:
    """Return the instruments called ``names``, in that order, that exist in ``currency``."""
    known = (INSTRUMENTS.get(_OTHER_NAMES.get(name, name)) for name in names)
    return tuple(instrument for instrument in known if instrument is not None and currency in instrument.currencies)


# Cards


@dataclass(frozen=True, slots=True, kw_only=True)
class CardUsed:
    """What is kept of a card: never its number."""

    masked: str
    brand: str
    expiry: str
    is_challenged: bool
    """Whether 3-D Secure asks the payer."""
    is_network_token: bool


@dataclass(frozen=True, slots=True)
class TestCard:
    """One published test card."""

    __test__ = False

    number: str
    brand: str
    expiry: str = "12/2034"
    is_challenged: bool = False
    is_network_token: bool = False
    cvc: str = "123"

    def used(self, expiry: str) -> CardUsed:
        """Return what is kept when a payer pays with it."""
        return CardUsed(
            masked=f"{self.number[:6]}{'*' * (len(self.number) - 10)}{self.number[-4:]}",
            brand=self.brand,
            expiry=expiry,
            is_challenged=self.is_challenged,
            is_network_token=self.is_network_token,
        )


TEST_CARDS: Final = (
    TestCard("4761739001010416", "Visa", is_challenged=True),
    TestCard("5226612199533406", "MasterCard", is_challenged=True),
    TestCard("4925000000000004", "Visa"),
    TestCard("4581097032723517", "Visa"),
    TestCard("4581099940323133", "Visa"),
    TestCard("5226600159865967", "MasterCard"),
    TestCard("5226603115488031", "MasterCard"),
    TestCard("5226604266737382", "MasterCard"),
    TestCard("5226600156995650", "MasterCard"),
    TestCard("5510000000001232", "MasterCard", "04/2035", is_network_token=True),
    TestCard("5510000000002347", "MasterCard", "06/2035", is_challenged=True, is_network_token=True),
    TestCard("4111112000003211", "Visa", "09/2035", is_network_token=True),
    TestCard("4111112000006545", "Visa", "11/2035", is_challenged=True, is_network_token=True),
    TestCard("5510000000009631", "MasterCard", "08/2035"),
    TestCard("5510000000005431", "MasterCard", "02/2035"),
    TestCard("4111112000004565", "Visa", "07/2035"),
    TestCard("4111112000007899", "Visa", "12/2035"),
    TestCard("377601000000000", "American Express", cvc="1234"),
    TestCard("5019994016316467", "Dankort"),
    TestCard("5019994001307083", "Dankort"),
    TestCard("6007220000000004", "Forbrugsforeningen"),
    TestCard("6764429999947470", "Maestro"),
    TestCard("4571994016401817", "Visa/Dankort"),
    TestCard("4571994016471869", "Visa/Dankort"),
)
"""All of them. Any other number might be a real card, so it is refused at once."""

ASKING_CARD: Final = TEST_CARDS[0]
"""A Visa that 3-D Secure asks about: the default card of a payer who does not approve."""
PLAIN_CARD: Final = TEST_CARDS[2]
"""A Visa that 3-D Secure does not ask about: the default card."""


def find_card(number: str) -> TestCard | None:
    """Return the test card with this number, spaces aside."""
    return next((card for card in TEST_CARDS if card.number == "".join(number.split())), None)


def is_good_until(expiry: str, now: datetime) -> bool:
    """Say whether ``expiry`` is MM/YYYY, and not past."""
    found = re.fullmatch(r"(0[1-9]|1[0-2])/(20[0-9]{2})", expiry)
    return found is not None and (int(found[2]), int(found[1])) >= (now.year, now.month)


# Declines

_SUSPENDED_BY: Final = 952100
_DO_NOT_RETRY: Final = 952400
_NEEDS_AUTHENTICATION: Final = 952507
_DAILY_MOST, _MONTHLY_MOST, _WARNED_FROM = 10, 15, 5

_BY_AMOUNT: Final = {
    900313: ("acquirerinvalidamount", 403, "REJECTED_BY_ACQUIRER_INVALID_AMOUNT", "13"),
    900330: ("acquirererror", 403, "REJECTED_BY_ACQUIRER_FORMAT_ERROR", "30"),
    900334: ("acquirerpossiblefraud", 403, "REJECTED_BY_ACQUIRER_POSSIBLE_FRAUD", "34"),
    900343: ("acquirercardstolen", 403, "REJECTED_BY_ACQUIRER_CARD_STOLEN", "43"),
    900351: ("acquirererror", 403, "REJECTED_BY_ACQUIRER", "51"),
    900354: ("acquirercardexpired", 403, "REJECTED_BY_ACQUIRER_CARD_EXPIRED", "54"),
    900359: ("acquirerpossiblefraud", 403, "REJECTED_BY_ACQUIRER_POSSIBLE_FRAUD", "59"),
    900361: ("acquirerinsufficientfunds", 403, "REJECTED_BY_ACQUIRER_INSUFFICIENT_FUNDS", "61"),
    900362: ("acquirererror", 403, "REJECTED_BY_ACQUIRER", "62"),
    900391: ("acquirergatewayerror", 502, "ACQUIRER_HOST_OFFLINE", "91"),
}
CARD_WORDS: Final[dict[str, tuple[int, str, str]]] = {
    **dict.fromkeys(("cardbranddisabled", "accountholdertyperejected", "cardtyperejected"), (403, "REJECTED", "")),
    **dict.fromkeys(("3dsecurerequired", "authenticationstatusrejected"), (403, "REJECTED", "")),
    **dict.fromkeys(("frauddetected", "paymenttokenerror"), (403, "REJECTED", "")),
    "velocitycheck": (429, "REJECTED_BY_VELOCITY_CHECK", ""),
    "badrequest": (400, "BAD_REQUEST", ""),
    "cardblacklisted": (400, "REJECTED_CARD_BLACKLISTED", ""),
    "carddeclined": (403, "REJECTED_BY_ACQUIRER", "05"),
    "acquirererror": (403, "REJECTED_BY_ACQUIRER", "51"),
    "acquirercardblacklisted": (403, "REJECTED_BY_ACQUIRER_CARD_BLACKLISTED", "04"),
    "acquirercardstolen": (403, "REJECTED_BY_ACQUIRER_CARD_STOLEN", "43"),
    "acquirercardexpired": (403, "REJECTED_BY_ACQUIRER_CARD_EXPIRED", "54"),
    "acquirerinsufficientfunds": (403, "REJECTED_BY_ACQUIRER_INSUFFICIENT_FUNDS", "61"),
    "acquirerinvalidamount": (403, "REJECTED_BY_ACQUIRER_INVALID_AMOUNT", "13"),
    "acquirerpossiblefraud": (403, "REJECTED_BY_ACQUIRER_POSSIBLE_FRAUD", "59"),
    "acquirererrordonotretry": (403, "REJECTED_BY_ACQUIRER_DO_NOT_RETRY", "05"),
    "authenticationrequired": (403, "AUTHENTICATION_REQUIRED", "O5"),
    "dailylimitexceeded": (403, "REJECTED_BY_POSPAY_DAILY_LIMIT", ""),
    "monthlylimitexceeded": (403, "REJECTED_BY_POSPAY_MONTHLY_LIMIT", ""),
    "internalservererror": (500, "INTERNAL_SERVER_ERROR", ""),
    **dict.fromkeys(("acquirergatewayerror", "badgateway"), (502, "ACQUIRER_HOST_OFFLINE", "91")),
    "acquirergatewaytimeout": (504, "ACQUIRER_TIMEOUT", ""),
}
"""How a card can be declined without its holder: word, HTTP status, cause, response code (docs: problems)."""
_SWISH_BY_DESCRIPTION: Final = {"RF07": "swishdeclined", "TM01": "swishtimeout", "BANKIDCL": "bankidcancelled"}
_SWISH: Final = {
    "bankidcancelled": (409, "BankID was cancelled"),
    "swishdeclined": (403, "Swish declined"),
    "swishtimeout": (403, "Swish timed out"),
    "usercancelled": (403, "Cancelled in the app"),
}
_COMPONENT: Final = FieldProblem("Component", "pospay-ecommerce-financial-service")


def card_decline(amount: int, card: CardUsed, *, failures: Sequence[datetime], now: datetime) -> JsonObject | None:
    """Return why the acquirer declines this amount, or ``None``. ``failures`` are this card's earlier ones.

    The schemes suspend a card after ten failures within a day, or fifteen within thirty, and warn before.
    """
    if amount != _SUSPENDED_BY:
        return amount_decline(amount)
    today, this_month = (sum(now - failure < span for failure in failures) for span in (DAY, MONTH))
    if this_month >= _MONTHLY_MOST:
        return card_refusal("monthlylimitexceeded")
    remaining = _DAILY_MOST - today - 1
    if remaining < 0:
        return card_refusal("dailylimitexceeded")
    body = card_refusal("authenticationrequired")
    is_warned = remaining <= _WARNED_FROM
    return suspension_warning(body, card, attempts=today + 1, remaining=remaining) if is_warned else body


def amount_decline(amount: int) -> JsonObject | None:
    """Return why the acquirer declines this amount, or ``None``, without regard to the card's history."""
    if amount == _SUSPENDED_BY:
        return card_refusal("authenticationrequired")
    if amount == _DO_NOT_RETRY:
        return card_refusal("acquirererrordonotretry")
    if amount == _NEEDS_AUTHENTICATION:
        reason = "AUTHENTICATION_REQUIRED"
        asked = {"required": "YES", "reason": reason, "acquirerCode": "O5", "acquirerDetail": reason}
        return {**card_refusal("authenticationrequired"), "modification": asked}
    if amount not in _BY_AMOUNT:
        return None
    word, status, code, response = _BY_AMOUNT[amount]
    return _card_problem(word, FieldProblem("ExternalResponse", f"{code}, response-code: {response}"), status=status)


def card_refusal(word: str) -> JsonObject:
    """Return the problem that the documents name ``word``; raises ``KeyError`` for an unknown word."""
    status, cause, response = CARD_WORDS[word]
    coded = FieldProblem(cause, f"response-code: {response}")
    match word:
        case "acquirererrordonotretry":
            said = FieldProblem("ExternalResponse", "Forbidden-AcquirerErrorDoNotRetry")
            return _card_problem(word, said, coded, _COMPONENT)
        case "authenticationrequired":
            return _card_problem(word, coded)
        case "dailylimitexceeded" | "monthlylimitexceeded":
            return _card_problem(word, FieldProblem(cause, "suspended"))
        case _:
            text = f"{cause}, response-code: {response}" if response else cause
            return _card_problem(word, FieldProblem("ExternalResponse", text), status=status)


def blocks_card(decline: JsonObject | None) -> bool:
    """Say whether the card must not be tried again for thirty days."""
    return decline is not None and str(decline["type"]).endswith("/acquirererrordonotretry")


def suspension_warning(body: JsonObject, card: CardUsed, *, attempts: int, remaining: int) -> JsonObject:
    """Return a decline that warns how few tries are left (docs: problems, "Attempts Remaining")."""
    named = as_list(body.get("problems")) or [{}]
    cause, _, code = str((as_object(named[0]) or {}).get("description", "")).partition("response-code: ")
    warning = {
        "attempts": attempts,
        "remaining": remaining,
        "product": card.brand.upper(),
        "acquirerCode": code,
        "acquirerDetail": cause.rstrip(", ") or "AUTHENTICATION_REQUIRED",
        "state": "WARNING",
    }
    title, detail = "SuspensionWarning. The card might be blocked.", f"{remaining} attempts left."
    return {**body, "title": title, "detail": detail, "suspension": warning}


def swish_decline(description: str) -> JsonObject | None:
    """Return why Swish declines an order with this description, or ``None``."""
    word = _SWISH_BY_DESCRIPTION.get(description)
    return swish_problem(word) if word else None


def swish_problem(word: str, detail: str = "") -> JsonObject:
    """Return a Swish problem, whose type names no instrument."""
    status, title = _SWISH[word]
    return problem(word, status=status, title=title, detail=detail or f"{title}.")


def payer_says_no(prefix: str, *, cancelled: bool) -> JsonObject:
    """Return the problem of a payer who declined, or cancelled, what the instrument asked."""
    match prefix:
        case "":
            return swish_problem("usercancelled" if cancelled else "swishdeclined")
        case "creditcard/":
            word = "3dsecureusercancelled" if cancelled else "3dsecuredeclined"
            return _card_problem(word, FieldProblem("ExternalResponse", "CANCELED" if cancelled else "DECLINED"))
        case "trustly/":
            word, status = "systemerror", 502
        case "invoice/" | "creditaccount/":
            word, status = "creditnotapproved", 403
        case _:
            word, status = f"{prefix.rstrip('/')}declined", 403
    return problem(f"{prefix}{word}", status=status, title="Not paid", detail="The payer did not go through with it.")


def acquirer_says_no(prefix: str) -> JsonObject:
    """Return the problem of a post-purchase operation that failed behind the gateway."""
    if not prefix:
        return swish_problem("swishdeclined", "The payer's bank does not take the money back.")
    said = FieldProblem("ExternalResponse", "REJECTED_BY_ACQUIRER, response-code: 51")
    title, detail = "The operation failed", "It could not be completed; see problems."
    return problem(f"{prefix}acquirererror", status=403, title=title, detail=detail, problems=[said, _COMPONENT])


def _card_problem(word: str, *problems: FieldProblem, status: int = 403) -> JsonObject:
    title, detail = "The payment failed", "The card payment was not completed; see problems."
    return problem(f"creditcard/{word}", status=status, title=title, detail=detail, problems=problems)
