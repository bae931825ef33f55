"""Commands on the accounts in a ``prenopay.toml``: payments, inbox, sweep, doctor."""

from __future__ import annotations

import argparse
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from prenopay._blocking import run_blocking
from prenopay._files import open_to_others
from prenopay.books.text import number_of
from prenopay.cli import settings
from prenopay.cli.finding import add_account, find, names
from prenopay.cli.output import print_json, print_table, print_values, shown
from prenopay.errors import ConfigurationError, NotFound, TransportError
from prenopay.ports import HttpRequest
from prenopay.provider import Probe, ProviderConfig
from prenopay.values.payments import Operation, Payment, PaymentState

if TYPE_CHECKING:
    from prenopay.blocking import Accounts
    from prenopay.books.unserved import Unserved

__all__ = ["add_commands", "counted", "opened"]

_CALLBACK_MAY_TAKE_SECONDS: Final = 10.0
_SHOWN_MOST: Final = 1000
_NUMBER_MOST: Final = 2**63 - 1
"""The highest number that the databases can store."""


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add ``payments``, ``inbox``, ``sweep`` and ``doctor``."""
    payments = commands.add_parser("payments", help="look at payments").add_subparsers(required=True, metavar="ACTION")
    listing = payments.add_parser("list", parents=[shared], help="list the newest payments")
    add_account(listing, what="only this account")
    listing.add_argument("--order", metavar="REFERENCE", help="only payments for this order")
    listing.add_argument("--state", choices=[state.value for state in PaymentState], help="only payments in this state")
    listing.add_argument("--limit", type=counted, default=50, help="at most this many for each account (default 50)")
    listing.set_defaults(run=_list_payments)
    showing = payments.add_parser("show", parents=[shared], help="show one payment and everything that happened to it")
    showing.add_argument("payment", metavar="PAYMENT", help="a payment id, pay_…")
    add_account(showing, what="look in this account only")
    showing.set_defaults(run=_show_payment)
    inbox = commands.add_parser("inbox", help="look at callbacks").add_subparsers(required=True, metavar="ACTION")
    callbacks = inbox.add_parser("list", parents=[shared], help="list the newest callbacks")
    callbacks.add_argument("--open", action="store_true", help="only callbacks that are not done yet")
    callbacks.add_argument("--limit", type=counted, default=50, help="at most this many (default 50)")
    callbacks.set_defaults(run=_list_callbacks)
    replaying = inbox.add_parser("replay", parents=[shared], help="process a callback again")
    replaying.add_argument("callback", type=counted, metavar="NUMBER", help="the number that inbox list shows")
    replaying.set_defaults(run=_replay)
    dismissing = inbox.add_parser("dismiss", parents=[shared], help="mark a callback as done that cannot be worked on")
    dismissing.add_argument("callback", type=counted, metavar="NUMBER", help="the number that inbox list shows")
    dismissing.add_argument("--person", required=True, metavar="NAME", help="who says so; kept")
    dismissing.add_argument("--reason", required=True, metavar="TEXT", help="why; kept")
    dismissing.set_defaults(run=_dismiss)
    sweep = commands.add_parser("sweep", parents=[shared], help="do what is due, without waiting for callbacks")
    sweep.add_argument("--limit", type=counted, default=200, help="at most this many of each kind (default 200)")
    sweep.set_defaults(run=_sweep)
    doctor = commands.add_parser("doctor", parents=[shared], help="check every account, and say what to fix")
    doctor.add_argument("account", nargs="*", metavar="ACCOUNT", help="only these accounts")
    doctor.set_defaults(run=_doctor)


def counted(text: str) -> int:
    """Read a number from 1 on, for argparse."""
    number = int(text)
    if not 1 <= number <= _NUMBER_MOST:
        raise ValueError(text)
    return number


counted.__name__ = "whole number from 1"  # argparse shows this name in its error


@contextmanager
def opened(options: argparse.Namespace) -> Generator[Accounts]:
    """Open the accounts in the settings. No event is delivered from here: only the host handles events."""
    found = settings.load_settings(options.config)
    with _database(found) as accounts:
        for config in found.accounts:
            accounts.add(config)
        yield accounts


@contextmanager
def _database(found: settings.Settings) -> Generator[Accounts]:
    from prenopay.blocking import Accounts  # noqa: PLC0415 - loads the database library and the HTTP client

    accounts = Accounts.open(
        found.database,
        callback_url=found.callback_url,
        callback_keys=found.callback_keys,
        token_keys=found.token_keys,
    )
    try:
        yield accounts
    finally:
        accounts.close()


def _list_payments(options: argparse.Namespace) -> int:
    state = PaymentState(options.state) if options.state else None
    with opened(options) as accounts:
        found: list[Payment] = []
        for name in names(accounts, options.account):
            found += accounts[name].find(order_reference=options.order, state=state, limit=options.limit)
    found.sort(key=lambda payment: payment.created_at, reverse=True)
    if options.json:
        print_json(found)
        return 0
    rows = [
        (
            each.payment_id,
            each.created_at,
            each.account,
            each.order_reference or None,
            each.state,
            each.amount,
            each.captured,
            each.refunded,
            ", ".join(flag.kind for flag in each.flags) or None,
        )
        for each in found
    ]
    headings = ("PAYMENT", "CREATED", "ACCOUNT", "ORDER", "STATE", "AMOUNT", "CAPTURED", "REFUNDED", "FLAGS")
    print_table(headings, rows, empty="no payments")
    return 0


def _show_payment(options: argparse.Namespace) -> int:
    with opened(options) as accounts:
        payments, payment = find(
            accounts,
            options.account,
            lambda each: each.get(options.payment),
            what=f"payment {options.payment!r}",
        )
        timeline = payments.timeline(payment.payment_id)
        still_open = payments.open_operations(payment_id=payment.payment_id)
    if options.json:
        print_json({"payment": payment, "open": still_open, "timeline": timeline})
        return 0
    print_values(
        {
            "payment": payment.payment_id,
            "account": f"{payment.account} ({payment.provider})",
            "order": payment.order_reference or None,
            "gateway": payment.provider_reference,
            "state": payment.state,
            "open": _told(still_open),
            "amount": payment.amount,
            "authorized": payment.authorized,
            "captured": payment.captured,
            "refunded": payment.refunded,
            "paid with": payment.instrument,
            "possible now": ", ".join(sorted(payment.allowed_actions)) or "nothing",
            "flags": "; ".join(f"{flag.kind}: {flag.detail}" for flag in payment.flags) or None,
        },
    )
    print()
    rows = [(entry.at, entry.kind, entry.amount, entry.text) for entry in timeline]
    print_table(("AT", "WHAT", "AMOUNT", ""), rows, empty="nothing happened yet")
    return 0


def _told(still_open: tuple[Operation, ...]) -> str | None:
    """Name the operations that have no final outcome, and the command that says more."""
    if not still_open:
        return None
    named = [f"{each.operation_id} ({each.kind}, {each.outcome} since {shown(each.created_at)})" for each in still_open]
    return f"{'; '.join(named)}: prenopay operations list"


def _list_callbacks(options: argparse.Namespace) -> int:
    with opened(options) as accounts:
        found = accounts.callbacks(open_only=options.open, limit=options.limit)
    if options.json:
        print_json(found)
        return 0
    rows = [
        (
            each.inbox_id,
            each.received_at,
            each.account,
            each.subject.id if each.subject is not None else None,
            each.times,
            each.done_at,
            each.tries,
            each.last_error or each.note or None,
        )
        for each in found
    ]
    headings = ("NUMBER", "RECEIVED", "ACCOUNT", "SUBJECT", "TIMES", "DONE", "FAILED", "WHY")
    print_table(headings, rows, empty="no callbacks")
    return 0


def _replay(options: argparse.Namespace) -> int:
    with opened(options) as accounts:
        why = accounts.replay(options.callback)
    if options.json:
        print_json({"callback": options.callback, "failure": why or None})
    else:
        print(f"callback {options.callback}: {why or 'done'}")
    return 1 if why else 0


def _dismiss(options: argparse.Namespace) -> int:
    with opened(options) as accounts:
        accounts.dismiss_callback(options.callback, person=options.person, reason=options.reason)
    if options.json:
        print_json({"callback": options.callback, "dismissed": True})
    else:
        print(f"callback {options.callback}: dismissed")
    return 0


def _sweep(options: argparse.Namespace) -> int:
    with opened(options) as accounts:
        report = accounts.sweep(limit=options.limit)
    if options.json:
        print_json(report)
    else:
        print(
            f"looked at {number_of(report.callbacks, 'callback')}, {number_of(report.operations, 'operation')}, "
            f"{number_of(report.payments, 'payment')}; "
            f"{len(report.failures)} failed",
        )
        for failure in report.failures:
            print(f"  {failure}")
    return 1 if report.failures else 0


def _doctor(options: argparse.Namespace) -> int:
    found = settings.load_settings(options.config)
    wanted = [config for config in found.accounts if not options.account or config.account in options.account]
    if missing := set(options.account) - {config.account for config in wanted}:
        known = ", ".join(config.account for config in found.accounts) or "none"
        message = f"there is no account {min(missing)!r} here; known are: {known}"
        raise NotFound(message)
    with _database(found) as accounts:
        examined = {config.account: _examine(accounts, config) for config in wanted}
        if not options.account:
            for each in accounts.unserved():  # one that cannot be opened is here, too: its own check has said why
                examined.setdefault(each.account, (_probe_unserved(each),))
    files = tuple(_probe_files(found, wanted))
    healthy = all(probe.ok for probes in (files, *examined.values()) for probe in probes)
    if options.json:
        print_json({"ok": healthy, "files": files, "accounts": examined})
    else:
        for name, probes in (*([("files", files)] if files else []), *examined.items()):
            print(name)
            for probe in probes:
                print(f"  {'ok  ' if probe.ok else 'FAIL'}  {probe.name}: {probe.found}")
                if probe.fix:
                    print(f"        {probe.fix}")
    return 0 if healthy else 1


def _probe_files(found: settings.Settings, wanted: list[ProviderConfig[Any]]) -> Generator[Probe]:
    """Name the files with secrets or payers' data that every user of this machine can read."""
    from prenopay.books.engine import database_files  # noqa: PLC0415 - loads the database library

    secrets = {*found.secret_files, *database_files(found.database)}
    for config in wanted:
        with suppress(ConfigurationError):  # the account's own check says it
            secrets |= {*config.secret_files()}
    for path in sorted(filter(open_to_others, secrets)):
        why = f"every user of this machine can read {path}"
        yield Probe(name="files", ok=False, found=why, fix=f"chmod 600 {path}; in a container, set the secret's mode")


def _examine(accounts: Accounts, config: ProviderConfig[object]) -> tuple[Probe, ...]:
    """Check one account. If it cannot be opened, return why, so that the other accounts are still checked."""
    from prenopay.accounts.reception import DOCTOR  # noqa: PLC0415 - loads the database library

    try:
        payments = accounts.add(config)
    except ConfigurationError as error:
        return (Probe(name="settings", ok=False, found=str(error)),)
    reached = _probe_callbacks(accounts.callback_urls.url(config.account, DOCTOR))
    return (*payments.probe(), reached, *_probe_waiting(accounts, config.account))


def _probe_waiting(accounts: Accounts, account: str) -> Generator[Probe]:
    """Check that neither the shop's handler nor the work on callbacks fails."""
    events = accounts.undelivered(account=account, failed_only=True, limit=_SHOWN_MOST)
    if events:
        first = events[0]
        found = (
            f"the shop's handler failed on {_many(len(events), 'event')}; the first waits since "
            f"{first.event.occurred_at:%Y-%m-%d %H:%M} UTC: {first.last_error}"
        )
        fix = "repair the handler; then: prenopay events list --failed, and prenopay events retry --all"
        yield Probe(name="events", ok=False, found=found, fix=fix)
    waiting = accounts.callbacks(open_only=True, limit=_SHOWN_MOST)
    failed = [each for each in waiting if each.account == account and each.tries]
    if failed:
        found = f"the work on {_many(len(failed), 'callback')} failed, the last time with: {failed[0].last_error}"
        fix = "prenopay inbox list --open says why; then: prenopay inbox replay NUMBER"
        yield Probe(name="inbox", ok=False, found=found, fix=fix)


def _many(count: int, noun: str) -> str:
    return ("" if count < _SHOWN_MOST else "at least ") + number_of(count, noun)


def _probe_unserved(found: Unserved) -> Probe:
    fix = "was it renamed or left out? add it to the settings under that name: then the sweep does the rest"
    return Probe(name="settings", ok=False, found=str(found), fix=fix)


def _probe_callbacks(url: str) -> Probe:
    """Call our own callback URL from here. If we cannot reach it, the gateway probably cannot either."""
    from prenopay._transport import BlockingSender  # noqa: PLC0415 - loads the HTTP client
    from prenopay.accounts.reception import COME_AGAIN  # noqa: PLC0415 - loads the database library

    request = HttpRequest(method="POST", url=url, label="callback check", body=b"{}")
    shown_url = url.rsplit("/", 1)[0]
    sender = BlockingSender()
    try:
        answer = run_blocking(sender.send(request, timeout=_CALLBACK_MAY_TAKE_SECONDS))
    except TransportError as error:
        fix = "start the shop, and check that callback_url reaches its callback app from outside"
        why = error if error.__cause__ is None else f"{type(error.__cause__).__name__}: {error.__cause__}"
        return Probe(name="callbacks", ok=False, found=f"the shop did not answer at {shown_url} ({why})", fix=fix)
    finally:
        run_blocking(sender.aclose())
    if answer.status == 204:  # noqa: PLR2004 - what the callback app answers to this check
        return Probe(name="callbacks", ok=True, found=f"{shown_url} answers")
    fix = "check that callback_url is where the callback app is mounted, and that callback_keys are the shop's"
    if (answer.status, answer.body) == (COME_AGAIN.status, COME_AGAIN.body):
        fix = "the app answers but does not know this account: restart the shop with these settings"
    return Probe(name="callbacks", ok=False, found=f"{shown_url} answered {answer.status}", fix=fix)
