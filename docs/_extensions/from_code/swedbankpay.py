"""The limits and tables of the Swedbank Pay provider, from its code."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from from_code.markdown import Texts, code, table
from prenopay import Environment, Instrument, PaymentState, Secret
from prenopay.provider import VERBS, ChargesMandates, ReceivesCallbacks, StoresMandates
from prenopay.providers.swedbankpay import ReferenceFormat, SwedbankPay, SwedbankPayProvider
from prenopay.providers.swedbankpay.encoding import INSTRUMENTS
from prenopay.providers.swedbankpay.problems import _ERRORS, TABLE, Meaning, Verdict

__all__ = ["capabilities", "duration", "instruments", "looks", "problems", "references"]

_AGES: Final = (
    timedelta(0),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(days=1),
    timedelta(days=28),
    timedelta(days=180),
)


def _provider() -> SwedbankPayProvider:
    config = SwedbankPay(
        account="docs",
        environment=Environment.TEST,
        payee_id="00000000-0000-4000-8000-000000000000",
        access_token=Secret("docs"),
    )
    return config.provider()


def capabilities(_texts: Texts) -> str:
    """Return what the provider can do, and its limits."""
    provider = _provider()
    limits = provider.limits
    can = [name for protocol, name in VERBS.values() if protocol in type(provider).__mro__]
    resend = "for ever" if limits.resend_window is None else duration(limits.resend_window)
    rows = [
        ("Verbs", ", ".join(code(name) for name in ("create", "observe", *can))),
        ("Stores methods", "yes" if StoresMandates in type(provider).__mro__ else "no"),
        ("Charges stored methods", "yes" if ChargesMandates in type(provider).__mro__ else "no"),
        ("Receives callbacks", "yes" if ReceivesCallbacks in type(provider).__mro__ else "no"),
        ("Currencies", ", ".join(sorted(limits.currencies))),
        ("Capture in parts", "yes" if limits.partial_capture else "no"),
        ("Refund in parts", "yes" if limits.partial_refund else "no"),
        ("The same reference may be sent again", resend),
        ("A payment page lives", duration(limits.page_lives)),
        ("Bound on one call, look-ups included", f"{limits.deadline_seconds:g} seconds (`deadline_seconds`)"),
        ("Hosts, test", _hosts(Environment.TEST)),
        ("Hosts, production", _hosts(Environment.PRODUCTION)),
    ]
    return table(("What", "Swedbank Pay"), rows)


def _hosts(environment: Environment) -> str:
    config = SwedbankPay(
        account="docs",
        environment=environment,
        payee_id="00000000-0000-4000-8000-000000000000",
        access_token=Secret("docs"),
    )
    return ", ".join(code(host) for host in sorted(config.hosts))


def references(texts: Texts) -> str:
    """Return the possible formats of a gateway reference."""
    rows = [
        (
            code(each.name.lower()),
            each.value.alphabet.name.lower().replace("_", " "),
            str(each.value.length),
            texts[each.name.lower()],
        )
        for each in ReferenceFormat
    ]
    return table(("`reference_format`", "Characters", "Length", "For"), rows)


def instruments(_texts: Texts) -> str:
    """Return prenopay's words for instruments, and the gateway's."""
    rows = [(code(f"Instrument.{Instrument(ours).name}"), code(theirs)) for ours, theirs in INSTRUMENTS.items()]
    return table(("prenopay", "Swedbank Pay"), rows)


def looks(_texts: Texts) -> str:
    """Return how often the sweep looks at a payment of each age."""
    provider = _provider()
    rows = []
    for number, age in enumerate(_AGES):
        until = f"until {duration(_AGES[number + 1])}" if number + 1 < len(_AGES) else "later"
        pauses = (provider.next_check(state, age) for state in (PaymentState.PENDING, PaymentState.AUTHORIZED))
        rows.append((until, *("never" if pause is None else f"every {duration(pause)}" for pause in pauses)))
    return table(("Age of the payment", "Open", "Authorized"), rows)


def problems(_texts: Texts) -> str:
    """Return every problem type with its meaning."""
    rows = [(code(word), *_meaning(meaning)) for word, meaning in TABLE.items()]
    headings = ("Problem type", "As the answer to a call", "As a payer's failed try", "Wait")
    return table(headings, rows)


def _meaning(meaning: Meaning) -> tuple[str, str, str]:
    is_decline = meaning.verdict is Verdict.DECLINE
    answer = "declined" if is_decline else f"`{_ERRORS[meaning.verdict][0].__name__}`"
    read = f"`{meaning.code}`, {meaning.kind}, `{meaning.advice}`"
    return answer, read, "" if meaning.wait is None else duration(meaning.wait)


def duration(span: timedelta) -> str:
    """Return ``span`` in words."""
    for unit, seconds in (("day", 86400), ("hour", 3600), ("minute", 60)):
        count, rest = divmod(int(span.total_seconds()), seconds)
        if count and not rest:
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{span.total_seconds():g} seconds"
