"""Checks an account without side effects: can we reach the gateway, does it know us, do our clocks agree."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from prenopay.account import Account
from prenopay.errors import PrenopayError
from prenopay.provider.values import Probe

__all__ = ["probe"]

_RENEW_AHEAD: Final = timedelta(days=30)
"""How long before a certificate ends, its owner is warned."""
_CLOCKS_AGREE_WITHIN: Final = timedelta(seconds=60)


async def probe(account: Account) -> tuple[Probe, ...]:
    """Return everything that the gateway can be asked without side effects."""
    try:
        found = await account.gateway.probe(account.send())
    except PrenopayError as error:
        hosts = ", ".join(sorted(account.gateway.hosts))
        fix = f"check that this machine reaches {hosts} and trusts its certificate"
        return (Probe(name="reach", ok=False, found=str(error), fix=fix),)
    return tuple(_in_time(each, account.now()) for each in found)


def _in_time(found: Probe, now: datetime) -> Probe:
    """Compare what the gateway said with the clock."""
    if found.expires_at is not None:
        left = found.expires_at - now
        return replace(found, ok=found.ok and left > timedelta(0), fix=found.fix if left < _RENEW_AHEAD else "")
    if found.gateway_time is None:
        return found
    ahead = now - found.gateway_time
    close = abs(ahead) <= _CLOCKS_AGREE_WITHIN
    text = f"our clock is {ahead.total_seconds():+.0f} s from the gateway's"
    return replace(found, ok=close, found=text, fix="" if close else "set this machine's clock (NTP)")
