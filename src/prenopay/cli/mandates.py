"""``prenopay mandates``: list stored methods, import tokens from another system, and reseal tokens with a new key."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from prenopay._hidden import raise_alone
from prenopay.books.text import number_of
from prenopay.cli.accounts import opened
from prenopay.cli.output import print_json, print_table
from prenopay.errors import ConfigurationError

if TYPE_CHECKING:
    from prenopay.blocking import Accounts, Payments
    from prenopay.provider import StoresMandates
    from prenopay.values.mandates import Mandate

__all__ = ["add_commands"]

_MISSING_MOST: Final = 500


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add ``mandates``."""
    actions = commands.add_parser("mandates", help="look at the payers' stored methods").add_subparsers(
        required=True,
        metavar="ACTION",
    )
    listing = actions.add_parser("list", parents=[shared], help="list a payer's stored methods")
    listing.add_argument("account", metavar="ACCOUNT")
    listing.add_argument("payer", metavar="PAYER", help="the payer's reference")
    listing.add_argument("--refresh", action="store_true", help="first ask the gateway for their present state")
    listing.set_defaults(run=_list)
    showing = actions.add_parser("show", parents=[shared], help="show everything that happened to one")
    showing.add_argument("account", metavar="ACCOUNT")
    showing.add_argument("mandate", metavar="MANDATE", help="a mandate id, man_…")
    showing.set_defaults(run=_show)
    missing = actions.add_parser("missing", parents=[shared], help="list stored methods that the gateway does not show")
    missing.add_argument("account", metavar="ACCOUNT")
    missing.set_defaults(run=_missing)
    taking = actions.add_parser("import", parents=[shared], help="import tokens that another system stored")
    taking.add_argument("account", metavar="ACCOUNT")
    taking.add_argument("file", metavar="FILE", help="a CSV file; the documentation describes its header")
    taking.add_argument("--dry-run", action="store_true", help="only show what would be imported, and what is wrong")
    taking.add_argument("--unchecked", action="store_true", help="do not ask the gateway for each payer's tokens")
    taking.set_defaults(run=_import)
    sealing = actions.add_parser("reseal", parents=[shared], help="seal every token with the first key in token_keys")
    sealing.add_argument("account", metavar="ACCOUNT")
    sealing.set_defaults(run=_reseal)


def _list(options: argparse.Namespace) -> int:
    with opened(options) as accounts:
        stored = _storing(accounts, options.account).mandates
        found = stored.refresh(options.payer) if options.refresh else stored.of_payer(options.payer)
    return _print(options, found, empty="no stored methods")


def _missing(options: argparse.Namespace) -> int:
    with opened(options) as accounts:
        found = _storing(accounts, options.account).mandates.missing(limit=_MISSING_MOST)
    return _print(options, found, empty="no method is missing")


def _print(options: argparse.Namespace, found: tuple[Mandate, ...], *, empty: str) -> int:
    if options.json:
        print_json(found)
        return 0
    rows = [(each.mandate_id, each.kind, each.state, each.display, each.created_at, each.reason) for each in found]
    print_table(("MANDATE", "KIND", "STATE", "METHOD", "SINCE", "WHY"), rows, empty=empty)
    return 0


def _show(options: argparse.Namespace) -> int:
    with opened(options) as accounts:
        stored = _storing(accounts, options.account).mandates
        mandate, changes = stored.get(options.mandate), stored.history(options.mandate)
    if options.json:
        print_json({"mandate": mandate, "history": changes})
        return 0
    rows = [(each.at, each.state, each.actor, each.reason) for each in changes]
    shown = mandate.display or "(no display)"
    print(f"{mandate.mandate_id} in {mandate.account}  {shown}  payer {mandate.payer_reference}")
    print_table(("AT", "STATE", "WHO", "WHY"), rows, empty="nothing happened yet")
    return 0


def _import(options: argparse.Namespace) -> int:
    try:
        text = Path(options.file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{options.file} cannot be read: {error}"
        raise_alone(ConfigurationError(message))
    with opened(options) as accounts:
        report = _storing(accounts, options.account).mandates.take_over(
            text,
            dry_run=options.dry_run,
            check=not options.unchecked,
            actor="prenopay mandates import",
        )
    if options.json:
        print_json(report)
        return 1 if report.problems else 0
    for problem in report.problems:
        print(f"line {problem.line}: {problem.column + ': ' if problem.column else ''}{problem.why}")
    verb = "would be imported" if report.dry_run else "imported"
    print(
        "nothing was imported: fix these lines"
        if report.problems
        else f"{options.account}: {report.added} {verb}, {report.known} known"
    )
    return 1 if report.problems else 0


def _reseal(options: argparse.Namespace) -> int:
    with opened(options) as accounts:
        count = _storing(accounts, options.account).mandates.reseal()
    if options.json:
        print_json({"sealed": count})
    else:
        print(f"{options.account}: {number_of(count, 'token')} sealed with the newest key")
    return 0


def _storing(accounts: Accounts, name: str) -> Payments[StoresMandates]:
    """Return an account by name. If it stores no methods, its first call raises an error that says so."""
    return cast("Payments[StoresMandates]", accounts[name])
