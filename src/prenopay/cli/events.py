"""``prenopay events``: list the events that the shop's handler has not taken, and make them due again."""

from __future__ import annotations

import argparse
from typing import Any

from prenopay.books.text import number_of
from prenopay.cli.accounts import counted, opened
from prenopay.cli.finding import add_account, names
from prenopay.cli.output import print_json, print_table
from prenopay.errors import ConfigurationError

__all__ = ["add_commands"]


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add ``events``."""
    actions = commands.add_parser("events", help="look at events that wait for the shop").add_subparsers(
        required=True,
        metavar="ACTION",
    )
    listing = actions.add_parser("list", parents=[shared], help="list events that the shop's handler has not taken")
    add_account(listing, what="only this account")
    listing.add_argument("--failed", action="store_true", help="only events on which the handler failed")
    listing.add_argument("--limit", type=counted, default=50, help="at most this many (default 50)")
    listing.set_defaults(run=_list)
    retrying = actions.add_parser("retry", parents=[shared], help="make events due now; the shop's sweep delivers them")
    retrying.add_argument("event", nargs="*", metavar="EVENT", help="an event id, evt_…")
    retrying.add_argument("--all", action="store_true", help="every event on which the handler failed")
    retrying.set_defaults(run=_retry)


def _list(options: argparse.Namespace) -> int:
    with opened(options) as accounts:
        account = options.account and names(accounts, options.account)[0]
        found = accounts.undelivered(account=account, failed_only=options.failed, limit=options.limit)
    if options.json:
        print_json(found)
        return 0
    rows = [
        (
            each.event.event_id,
            each.event.occurred_at,
            each.event.account,
            each.event.kind,
            each.event.amount,
            each.tries,
            each.next_at,
            each.last_error or None,
        )
        for each in found
    ]
    headings = ("EVENT", "SINCE", "ACCOUNT", "KIND", "AMOUNT", "FAILED", "NEXT", "WHY")
    print_table(headings, rows, empty="no event waits")
    return 0


def _retry(options: argparse.Namespace) -> int:
    if bool(options.event) is options.all:
        message = "events retry: name the events, or say --all"
        raise ConfigurationError(message)
    with opened(options) as accounts:
        made_due = accounts.retry_events(options.event or None)
    if options.json:
        print_json({"due": made_due})
    else:
        are = "is" if len(made_due) == 1 else "are"
        print(f"{number_of(len(made_due), 'event')} {are} due now: the shop's next sweep delivers them")
        for event_id in made_due:
            print(f"  {event_id}")
    return 0
