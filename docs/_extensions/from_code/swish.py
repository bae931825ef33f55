"""The limits and tables of the Swish provider, from its code; they need no certificate."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from from_code.markdown import Texts, code, table
from from_code.swedbankpay import duration
from prenopay import Environment, PaymentState
from prenopay.provider import VERBS, DrawsQr, PaysOut, ReceivesCallbacks
from prenopay.providers.swish import Swish, SwishProvider, encoding
from prenopay.providers.swish.problems import _ERRORS, TABLE, Verdict
from prenopay.providers.swish.provider import _NOT_SUPPORTED, _PAGE_LIVES

__all__ = ["capabilities", "looks", "problems"]

_AGES: Final = (timedelta(0), timedelta(minutes=10), timedelta(hours=1), timedelta(days=1), timedelta(days=30))


def capabilities(_texts: Texts) -> str:
    """Return what the provider can do, and its limits."""
    bases = SwishProvider.__mro__
    verbs = ["create", "observe", *(name for protocol, name in VERBS.values() if protocol in bases)]
    more = [name for protocol, name in ((PaysOut, "pay_out"), (DrawsQr, "draw_qr")) if protocol in bases]
    rows = [
        ("Verbs", ", ".join(map(code, [*verbs, *more]))),
        *((f"No {code(verb)}", why) for verb, why in _NOT_SUPPORTED.items()),
        ("Receives callbacks", "yes" if ReceivesCallbacks in bases else "no"),
        ("Currencies", encoding.CURRENCY),
        ("Refund in parts", "yes"),
        ("A request counts as over after", duration(_PAGE_LIVES)),
        ("Bound on one call, look-ups included", f"{_account(Environment.TEST).deadline_seconds:g} seconds"),
        *((f"Hosts, {each}", ", ".join(map(code, sorted(_account(each).hosts)))) for each in Environment),
    ]
    return table(("What", "Swish"), rows)


def looks(_texts: Texts) -> str:
    """Return how often the sweep looks at a payment of each age."""
    rows = []
    for number, age in enumerate(_AGES):
        until = f"until {duration(_AGES[number + 1])}" if number + 1 < len(_AGES) else "later"
        pause = SwishProvider.next_check(object.__new__(SwishProvider), PaymentState.PENDING, age)
        rows.append((until, "never" if pause is None else f"every {duration(pause)}"))
    return table(("Age of the payment", "Open or unknown"), rows)


def problems(_texts: Texts) -> str:
    """Return every code with its meaning, and how sure it is."""
    rows = [
        (
            code(name),
            each.text,
            "declined" if each.verdict is Verdict.DECLINE else code(_ERRORS[each.verdict][0].__name__),
            f"{code(each.code)}, {each.kind}, {code(each.advice)}",
            f"{each.source} ({each.certainty.name.lower()})",
        )
        for name, each in TABLE.items()
    ]
    return table(("Code", "Meaning", "As the answer to a call", "As the end of a payment", "Source"), rows)


def _account(environment: Environment) -> Swish:
    return Swish(account="docs", environment=environment, number="1230000017", certificate=b"-")
