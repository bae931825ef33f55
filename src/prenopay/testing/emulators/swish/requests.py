"""What every request must look like: one table for each, a row for each field; and how Swish writes its values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final, assert_never

from prenopay.testing.emulators.fields import (
    Breach,
    Rule,
    Table,
    anything,
    callback_address,
    may,
    must,
    one_of,
    read,
    text,
)
from prenopay.testing.emulators.leniency import Leniency
from prenopay.testing.emulators.swish.behaviour import AmountStyle, Behaviour, DateStyle
from prenopay.testing.emulators.swish.problems import Call, malformed
from prenopay.testing.http import JsonObject

_CENT: Final = Decimal("0.01")
_UUID: Final = text(pattern=r"[0-9A-F]{32}")
_MSISDN: Final = text(pattern=r"[1-9]\d{7,14}", may_be_empty=True)
"""Digits with country code, without plus and zeros before it (MSS user guide 2.0, §5.1)."""
_IDENTIFIER: Final = text(pattern=r"[0-9a-zA-Z-]{32,36}", may_be_empty=True)
_ANY: Final = text(may_be_empty=True)
_WHOLE_DIGITS: Final = 12
_MESSAGE_MOST: Final = 50
_CO_ORDINATION: Final = 60
"""What is added to the day in a samordningsnummer."""
_DATES: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)?"


# The tables


def payment_table(behaviour: Behaviour, call: Call) -> Table:
    """Return the rows of a payment request; with a payer it is e-commerce."""
    whose = must if call is Call.ECOM else may
    return {
        "payeeAlias": must(_ANY, "RP01"),
        "callbackUrl": must(_address(behaviour), "RP03"),
        "payerAlias": whose(_MSISDN, "BE18"),
        "amount": must(_amount(behaviour, call), "PA02"),
        "payeePaymentReference": may(_reference(behaviour), "FF08"),
        "message": may(_message(behaviour, call), "RP02"),
        "payerSSN": may(_unless_empty(_ssn), behaviour.field_error_code),
        "ageLimit": may(text(pattern="0*[1-9][0-9]?"), behaviour.field_error_code),
        "callbackIdentifier": may(_IDENTIFIER, behaviour.field_error_code),
        "currency": must(one_of(("SEK",)), "AM03"),
    }


def refund_table(behaviour: Behaviour) -> Table:
    """Return the rows of a refund."""
    return {
        "payerAlias": must(_ANY, "RP01"),
        "originalPaymentReference": must(_ANY, "RF02"),
        "callbackUrl": must(_address(behaviour), "RP03"),
        "payeeAlias": may(_MSISDN, "BE18"),
        "amount": must(_amount(behaviour, Call.REFUND), "PA02"),
        "payerPaymentReference": may(_reference(behaviour), "FF08"),
        "message": may(_message(behaviour, Call.REFUND), "RP02"),
        "callbackIdentifier": may(_IDENTIFIER, behaviour.field_error_code),
        "currency": must(one_of(("SEK",)), "AM03"),
    }


def payout_table(behaviour: Behaviour, now: datetime) -> Table:
    """Return the rows of a payout's signed payload. The guide's own example has a national number, ``07…``."""
    return {
        "payerAlias": must(_ANY, "RP01"),
        "payoutInstructionUUID": must(_UUID, "PA01"),
        "payeeAlias": must(text(pattern=r"\d{8,15}"), "ACMT17"),
        "payeeSSN": (must if behaviour.payee_ssn_required else may)(_unless_empty(_ssn), "PA06"),
        "amount": must(_amount(behaviour, Call.PAYOUT), "PA02"),
        "payerPaymentReference": must(text(pattern=r"[A-Za-z0-9-]{1,35}"), "FF08"),
        "message": may(_message(behaviour, Call.PAYOUT), "RP02"),
        "currency": must(one_of(("SEK",)), "AM03"),
        "payoutType": must(one_of(("PAYOUT",)), "PA01"),
        "instructionDate": must(_past(now), "PA01"),
        "signingCertificateSerialNumber": must(_UUID, "PA01"),
    }


def envelope_table(behaviour: Behaviour) -> Table:
    """Return the rows of what is around a payout's payload; the signature is checked separately."""
    return {
        "payload": may(anything),
        "signature": may(anything),
        "callbackUrl": may(_unless_empty(_address(behaviour)), "RP03"),
        "callbackIdentifier": may(_IDENTIFIER, behaviour.field_error_code),
    }


def consent_table(behaviour: Behaviour, *, is_new: bool) -> Table:
    """Return the rows of a consent, or of a change of its callback address."""
    address = {
        "callbackUrl": must(_address(behaviour), "RP03"),
        "callbackIdentifier": may(_IDENTIFIER, behaviour.field_error_code),
    }
    reference = may(_reference(behaviour), "FF08")
    new = {"payee": may(anything), "payer": may(anything), "tin": may(anything), "payeePaymentReference": reference}
    return {**address, **new} if is_new else address


def charge_table(behaviour: Behaviour) -> Table:
    """Return the rows of a charge on a consent, whose ``amount`` was an object with value and currency."""
    return {
        "payee": may(anything),
        "consentId": must(_ANY, "PA01"),
        "amount": must(_amount(behaviour, Call.MCOM), "PA02"),
        "message": may(_message(behaviour, Call.MCOM), "RP02"),
        **consent_table(behaviour, is_new=False),
        "currency": must(one_of(("SEK",)), "AM03"),
    }


def checked(body: JsonObject, table: Table, behaviour: Behaviour) -> tuple[JsonObject, list[str]]:
    """Return the members that have a value, and the codes of all that is wrong; refuses unknown members."""
    understood, breaches = read(table, _given(body), behaviour.takes)
    unknown = [breach.path for breach in breaches if breach.leniency is Leniency.UNKNOWN_MEMBERS]
    if unknown:
        message = f"The emulator knows no member {', '.join(unknown)}."
        raise malformed(message)
    return _given(understood), [breach.problem for breach in breaches if breach.problem]


def _given(body: JsonObject) -> JsonObject:
    return {name: value for name, value in body.items() if value is not None}


def text_in(body: JsonObject, name: str) -> str:
    """Return the text ``name``, empty when it was not sent."""
    value = body.get(name)
    return value if isinstance(value, str) else ""


def amount_in(body: JsonObject) -> Decimal:
    """Return the amount of a request; zero where it is malformed."""
    written = _written(body.get("amount"))
    return Decimal(written) if re.fullmatch(r"\d+(\.\d+)?", written) else Decimal(0)


# The rules


def _written(value: object) -> str:
    """Return an amount's text; several integrators send a number instead."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return f"{Decimal(value):f}"
    return value if isinstance(value, str) else ""


def _amount(behaviour: Behaviour, call: Call) -> Rule:
    def rule(path: str, value: object) -> Iterator[Breach]:
        written = _written(value)
        found = re.fullmatch(r"(\d+)(\.\d{1,2})?", written)
        needs_two = isinstance(value, str) and call is not Call.PAYOUT
        if found is None:
            yield Breach(path, "An amount with at most two decimals is expected here.")
        elif len(found[1].lstrip("0")) > _WHOLE_DIGITS:
            yield Breach(path, "The amount is too large.", "RF08" if call is Call.REFUND else "AM02")
        elif Decimal(written) < behaviour.minimum_amount:
            yield Breach(path, "The amount is too small.", "AM06")
        elif len(found[1]) > _WHOLE_DIGITS or (needs_two and re.search(r"\.\d$", written)):
            yield Breach(path, "Two decimals, or none, are expected here.")

    return rule


def _address(behaviour: Behaviour) -> Rule:
    return callback_address(behaviour.callback_addresses)


def _unless_empty(rule: Rule) -> Rule:
    return lambda path, value: iter(()) if value == "" else rule(path, value)


def _message(behaviour: Behaviour, call: Call) -> Rule:
    pattern = behaviour.message_signs.value[0 if call in {Call.ECOM, Call.MCOM} else 1]
    return text(longest=_MESSAGE_MOST, pattern=pattern, may_be_empty=True)


def _reference(behaviour: Behaviour) -> Rule:
    return text(pattern=behaviour.reference_signs.value, may_be_empty=True)


def _ssn(path: str, value: object) -> Iterator[Breach]:
    if not (isinstance(value, str) and is_ssn(value)):
        yield Breach(path, "Twelve digits are expected here.")


def _past(now: datetime) -> Rule:
    """Take a moment that is not in the future; without a zone it is UTC."""

    def rule(path: str, value: object) -> Iterator[Breach]:
        try:
            is_moment = isinstance(value, str) and re.fullmatch(_DATES, value)
            moment = datetime.fromisoformat(str(value)) if is_moment else None
        except ValueError:
            moment = None
        if moment is None or moment.replace(tzinfo=moment.tzinfo or UTC) > now:
            yield Breach(path, "A moment that is not in the future is expected here.")

    return rule


def is_ssn(ssn: str) -> bool:
    """Say whether twelve digits begin with a date; the check digit is not checked."""
    return re.fullmatch(r"[0-9]{12}", ssn) is not None and _born(ssn) is not None


def age_on(ssn: str, day: date) -> int:
    """Return how old the person is on that day."""
    born = _born(ssn) or day
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def _born(ssn: str) -> date | None:
    day = int(ssn[6:8])
    try:
        return date(int(ssn[:4]), int(ssn[4:6]), day - _CO_ORDINATION if day > _CO_ORDINATION else day)
    except ValueError:
        return None


# How Swish writes values


def stamp(moment: datetime, style: DateStyle) -> str:
    """Return a moment, to the millisecond."""
    local, utc = swedish_time(moment), moment.replace(tzinfo=None)
    match style:
        case DateStyle.ZULU:
            return f"{_bare(utc)}Z"
        case DateStyle.OFFSET:
            return f"{_bare(local)}+0{(local - utc).seconds // 3600}00"
        case DateStyle.BARE:
            return _bare(utc)
        case DateStyle.BARE_SWEDISH:
            return _bare(local)
        case _:
            assert_never(style)


def _bare(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def swedish_time(moment: datetime) -> datetime:
    """Return the Swedish wall clock, without a zone: the EU's rule, so that no zone database is needed."""
    moment = moment.astimezone(UTC).replace(tzinfo=None)
    begins, ends = (_last_sunday(moment.year, month) for month in (3, 10))
    return moment + timedelta(hours=2 if begins <= moment < ends else 1)


def _last_sunday(year: int, month: int) -> datetime:
    last = datetime(year, month, 31, 1)  # noqa: DTZ001 - UTC without its mark; both months have 31 days
    return last - timedelta(days=(last.weekday() + 1) % 7)


def amount_of(amount: Decimal, style: AmountStyle) -> object:
    """Return an amount as JSON has it."""
    match style:
        case AmountStyle.NUMBER:
            return amount.quantize(_CENT)
        case AmountStyle.WHOLE_NUMBER:
            return int(amount) if amount == int(amount) else amount.quantize(_CENT)
        case AmountStyle.STRING:
            return f"{amount:.2f}"
        case _:
            assert_never(style)


def minor(amount: Decimal) -> int:
    """Return an amount in öre."""
    return int(amount.quantize(_CENT).scaleb(2))
