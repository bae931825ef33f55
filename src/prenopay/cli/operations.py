"""``prenopay operations``: list open operations, look one up at the gateway, or settle one by hand."""

from __future__ import annotations

import argparse
from typing import Any

from prenopay.cli.accounts import opened
from prenopay.cli.finding import add_account, find, names
from prenopay.cli.output import print_json, print_table

__all__ = ["add_commands"]


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add ``operations``."""
    actions = commands.add_parser("operations", help="look at operations that are still open").add_subparsers(
        required=True,
        metavar="ACTION",
    )
    listing = actions.add_parser("list", parents=[shared], help="list operations whose outcome is not known yet")
    add_account(listing, what="only this account")
    listing.add_argument("--limit", type=int, default=50, help="at most this many for each account (default 50)")
    listing.set_defaults(run=_list)
    resolving = actions.add_parser(
        "resolve",
        parents=[shared],
        help="look one up at the gateway, or settle it by hand when the gateway cannot say what happened",
    )
    resolving.add_argument("operation", metavar="OPERATION", help="the operation id that the shop gave it")
    add_account(resolving, what="the account that has it; needed if several accounts have this id")
    found = resolving.add_mutually_exclusive_group()
    found.add_argument(
        "--happened", metavar="GATEWAY_ID", help="it happened: the gateway's id of the payment, which is then read"
    )
    found.add_argument(
        "--did-not-happen", action="store_true", help="it did not happen: you checked the gateway's portal"
    )
    resolving.add_argument("--person", default="", metavar="NAME", help="who found out; kept in the history")
    resolving.add_argument("--reason", default="", metavar="TEXT", help="how that person knows; kept in the history")
    resolving.set_defaults(run=_resolve)


def _list(options: argparse.Namespace) -> int:
    with opened(options) as accounts:
        found = [
            each
            for name in names(accounts, options.account)
            for each in accounts[name].open_operations(limit=options.limit)
        ]
    if options.json:
        print_json(found)
        return 0
    rows = [
        (each.operation_id, each.account, each.kind, each.amount, each.outcome, each.created_at, each.error or None)
        for each in found
    ]
    print_table(("OPERATION", "ACCOUNT", "KIND", "AMOUNT", "OUTCOME", "SINCE", "WHY"), rows, empty="nothing is open")
    return 0


def _resolve(options: argparse.Namespace) -> int:
    with opened(options) as accounts:
        payments, made = find(
            accounts,
            options.account,
            lambda each: each.operation(options.operation),
            what=f"operation {options.operation!r}",
        )
        if options.happened or options.did_not_happen:
            made = payments.settle_by_hand(
                made.operation_id,
                provider_reference=options.happened,
                person=options.person,
                reason=options.reason,
            )
        else:
            made = payments.resolve(made.operation_id)
    if options.json:
        print_json(made)
    else:
        print(f"{made.operation_id} in {made.account}: {made.outcome}" + (f" ({made.error})" if made.error else ""))
    return 0 if made.settled_at is not None else 1
