"""A request's fields, read strictly: each wrong one leaves its code, so that an answer can name them all."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Final
from urllib.parse import urlsplit

from prenopay.testing.emulators.jsonvalues import JsonObject
from prenopay.testing.emulators.swish.behaviour import Behaviour, CallbackAddresses
from prenopay.testing.emulators.swish.codes import Call
from prenopay.testing.emulators.swish.problems import malformed, unprocessable

__all__ = ["Fields", "age_on", "is_ssn"]

_AMOUNT: Final = re.compile(r"\d{1,12}(\.\d{2})?")
_PAYOUT_AMOUNT: Final = re.compile(r"\d{1,12}(\.\d{1,2})?")
_ANY_AMOUNT: Final = re.compile(r"(\d+)(\.\d{1,2})?")
_WHOLE_DIGITS: Final = 12
_MSISDN: Final = re.compile(r"[1-9]\d{7,14}")
"""Digits with country code, without plus and zeros before it (MSS user guide 2.0, §5.1)."""
_IDENTIFIER: Final = re.compile(r"[0-9a-zA-Z-]{32,36}")
_MESSAGE_MOST: Final = 50
_AGE_LEAST, _AGE_MOST = 1, 99
_CO_ORDINATION: Final = 60
"""What is added to the day in a samordningsnummer."""
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_HTTPS_PORT: Final = 443
_DATES: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)?")


class Fields:
    """Reads one body; ``codes`` gathers what is wrong, ``refuse`` says so."""

    def __init__(self, body: JsonObject, behaviour: Behaviour, call: Call, *, known: Iterable[str]) -> None:
        """Read ``body``, of whose members only the ``known`` may have a value."""
        self.codes: list[str] = []
        self._body = {name: value for name, value in body.items() if value is not None}
        self._behaviour = behaviour
        self._call = call
        unknown = sorted(self._body.keys() - set(known))
        if unknown and behaviour.unknown_members == "refuse":
            message = f"The emulator knows no member {', '.join(unknown)}."
            raise malformed(message)

    def refuse(self) -> None:
        """Raise the refusal of all that was wrong, if anything was."""
        if self.codes:
            raise unprocessable(self.codes, self._call)

    def text(self, name: str, code: str, *, required: bool = False) -> str:
        """Return a text; ``code`` is what a missing or a wrong one gets."""
        value = self._body.get(name, "")
        if not isinstance(value, str) or (required and not value):
            self.codes.append(code)
            return ""
        return value

    def pattern(self, name: str, pattern: re.Pattern[str], code: str, *, required: bool = False) -> str:
        """Return a text that ``pattern`` fits as a whole."""
        value = self.text(name, code, required=required)
        if value and not pattern.fullmatch(value):
            self.codes.append(code)
        return value

    def amount(self) -> Decimal:
        """Return the amount: a text, or, as several integrators send it, a number."""
        value = self._body.get("amount")
        written = value if isinstance(value, str) else ""
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            written = f"{Decimal(value):f}"
        fits = _AMOUNT if isinstance(value, str) and self._call is not Call.PAYOUT else _PAYOUT_AMOUNT
        wide = _ANY_AMOUNT.fullmatch(written)
        code = ""
        if wide is None:
            code = "PA02"
        elif len(wide[1].lstrip("0")) > _WHOLE_DIGITS:
            code = "RF08" if self._call is Call.REFUND else "AM02"
        elif Decimal(written) < self._behaviour.minimum_amount:
            code = "AM06"
        elif not fits.fullmatch(written):
            code = "PA02"
        if code:
            self.codes.append(code)
            return Decimal(0)
        return Decimal(written)

    def currency(self) -> None:
        """Check that it is SEK."""
        if self._body.get("currency") != "SEK":
            self.codes.append("AM03")

    def callback_url(self, *, required: bool = True) -> str:
        """Return where callbacks go."""
        url = self.text("callbackUrl", "RP03", required=required)
        if url and not _can_be_called(url, self._behaviour.callback_addresses):
            self.codes.append("RP03")
        return url

    def callback_identifier(self) -> str:
        """Return the secret that callbacks carry."""
        return self.pattern("callbackIdentifier", _IDENTIFIER, self._behaviour.field_error_code)

    def message(self) -> str:
        """Return what the payer reads."""
        message = self.text("message", "RP02")
        allowed = self._behaviour.message_signs.allow(message, payment=self._call in {Call.ECOM, Call.MCOM})
        if len(message) > _MESSAGE_MOST or not allowed:
            self.codes.append("RP02")
        return message

    def reference(self, name: str, *, required: bool = False) -> str:
        """Return the merchant's own reference."""
        reference = self.text(name, "FF08", required=required)
        if reference and not self._behaviour.reference_signs.allow(reference):
            self.codes.append("FF08")
        return reference

    def msisdn(self, name: str, *, code: str = "BE18", required: bool = False) -> str:
        """Return a private person's number."""
        return self.pattern(name, _MSISDN, code, required=required)

    def ssn(self, name: str, code: str, *, required: bool = False) -> str:
        """Return a personal identity number of twelve digits."""
        ssn = self.text(name, code, required=required)
        if ssn and not is_ssn(ssn):
            self.codes.append(code)
        return ssn

    def age_limit(self) -> int | None:
        """Return the age the payer must have; a text, as the guide has it."""
        value = self._body.get("ageLimit")
        if value is None:
            return None
        if isinstance(value, str) and value.isdecimal() and _AGE_LEAST <= int(value) <= _AGE_MOST:
            return int(value)
        self.codes.append(self._behaviour.field_error_code)
        return None

    def past_moment(self, name: str, now: datetime, code: str) -> None:
        """Check a moment that must not be in the future; without a zone it is UTC."""
        value = self.text(name, code, required=True)
        if not value:
            return
        try:
            moment = datetime.fromisoformat(value) if _DATES.fullmatch(value) else None
        except ValueError:
            moment = None
        if moment is None or moment.replace(tzinfo=moment.tzinfo or now.tzinfo) > now:
            self.codes.append(code)


def is_ssn(ssn: str) -> bool:
    """Say whether twelve digits begin with a date; the check digit is not looked at."""
    return len(ssn) == 12 and ssn.isdecimal() and _born(ssn) is not None  # noqa: PLR2004 - twelve digits


def age_on(ssn: str, day: date) -> int:
    """Return how old the person is on that day."""
    born = _born(ssn)
    if born is None:
        return 0
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def _born(ssn: str) -> date | None:
    day = int(ssn[6:8])
    try:
        return date(int(ssn[:4]), int(ssn[4:6]), day - _CO_ORDINATION if day > _CO_ORDINATION else day)
    except ValueError:
        return None


def _can_be_called(url: str, addresses: CallbackAddresses) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    if not parts.hostname or any(sign.isspace() for sign in url):
        return False
    if addresses is CallbackAddresses.LOCAL_HTTP and parts.scheme == "http":
        return parts.hostname in _LOCAL
    return parts.scheme == "https" and (addresses is not CallbackAddresses.PORT_443 or port in {None, _HTTPS_PORT})
