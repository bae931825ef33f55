"""Puts other ports under accounts that are open already: a process whose database or sender fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from prenopay.ports import HttpSender, Ledger


def core_of(accounts: Any) -> Any:
    """Return the async accounts behind ``accounts`` of either colour."""
    return getattr(accounts, "_accounts", None) if type(accounts).__name__ == "Accounts" else accounts


def rewire(
    accounts: Any,
    *,
    ledger: Callable[[Ledger], Ledger] | None = None,
    http: Callable[[HttpSender], HttpSender] | None = None,
    **changes: Any,
) -> Callable[[], None]:
    """Wrap the ledger and the senders of every account, and change other ports; return what takes it all back."""
    core = core_of(accounts)
    before = {name: account.ports for name, account in core._accounts.items()}
    plain = core._ledger
    wrapped = plain if ledger is None else ledger(plain)
    for part in (core, core._reception):
        part._ledger = wrapped
    core._host = replace(core._host, ledger=wrapped)
    for account in core._accounts.values():
        sender = account.ports.http if http is None else http(account.ports.http)
        ports = replace(account.ports, ledger=wrapped, http=sender, **{"host": core._host, **changes})
        object.__setattr__(account, "ports", ports)

    def back() -> None:
        for part in (core, core._reception):
            part._ledger = plain
        core._host = replace(core._host, ledger=plain)
        for name, ports in before.items():
            object.__setattr__(core._accounts[name], "ports", ports)

    return back
