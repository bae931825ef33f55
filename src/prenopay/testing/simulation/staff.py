"""What the host and its staff ask for: again, capture, refund, cancel, charge, pay out, look after what is stored."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, Final

from prenopay.accounts.accounts import AsyncAccounts
from prenopay.provider import Cancels, Captures, ChargesMandates, PaysOut, Refunds, StoresMandates, Updates
from prenopay.testing.gateway import Banks, OldMethods, Payouts, StoredMethods
from prenopay.testing.simulation import customers
from prenopay.testing.simulation.books import MandateRow, OperationRow, PaymentRow, remains
from prenopay.testing.simulation.gateways import Place, text_of
from prenopay.testing.simulation.moment import Did, Moment, step
from prenopay.testing.simulation.notebook import Wish
from prenopay.testing.simulation.people import PEOPLE, STRANGER, Person, sek
from prenopay.testing.simulation.weather import perhaps
from prenopay.testing.simulation.world import Came, World
from prenopay.values.orders import CaptureMode, OrderLine
from prenopay.values.payments import Advice, DeclineCode, Operation

__all__ = ["end", "settle_by_hand", "to_settle"]

_PERIODS: Final = ("2026-01", "2026-02")
_EXPIRE: Final = ("", "", "2026-01", "2026-03", "2027-12")
"""When cards of another system expire: some of them within every life, which begins in January 2026."""
_BLOCKED_FOR: Final = timedelta(days=29)
"""Schemes forbid a card for thirty days; a day is left for clocks that ran on meanwhile."""
_AUTOMATIC_MOSTLY: Final = (CaptureMode.AUTOMATIC, CaptureMode.AUTOMATIC, CaptureMode.MANUAL)


def _wishes(at: Moment) -> list[Wish]:
    wishes = list(at.world.notebook.wishes.values())
    return [wish for wish in wishes if not wish.answered] * 3 + wishes


@step("repeat", 2, of=_wishes)
async def repeat(at: Moment, wish: Wish) -> Did:
    """The host repeats what it asked for, under the same operation id."""
    came = await at.world.asks_again(wish)
    return Did(f"{wish.text}: {came}", came.well)


# Payments


@step("capture", 4, Captures, of=lambda at: [row for row in at.payments(Captures) if row.totals.kept > 0])
async def capture(at: Moment, row: PaymentRow) -> Did:
    """Staff take reserved money, in part or whole."""
    return await _change(at, "capture", row, _part(at, row.totals.kept))


@step("refund", 6, Refunds, of=lambda at: [row for row in at.payments(Refunds) if row.captured > row.refunded])
async def refund(at: Moment, row: PaymentRow) -> Did:
    """Staff give money back, in part or whole; now and then a bank refuses it later."""
    did = await _change(at, "refund", row, _part(at, row.captured - row.refunded))
    gateway = at.world.gateways.places[row.account].gateway
    if isinstance(gateway, Banks) and perhaps(at.chance, 0.4) and gateway.refuses_refund(row.name or ""):
        return Did(f"{did.said}, refused by the bank", did.well)
    return did


@step("cancel", 0.8, Cancels, of=lambda at: [row for row in at.payments(Cancels) if row.is_open or row.totals.kept > 0])
async def cancel(at: Moment, row: PaymentRow) -> Did:
    """Staff end a payment before its money is taken."""
    return await _change(at, "cancel", row, None)


@step("update", 0.6, Updates, of=lambda at: [row for row in at.payments(Updates) if row.state == "pending"])
async def update(at: Moment, row: PaymentRow) -> Did:
    """Staff change the amount of a payment nobody has paid yet."""
    return await _change(at, "update", row, 40_000 + at.chance.randint(1, 900))


async def end(at: Moment, row: PaymentRow) -> Did:
    """Staff take what is still reserved, or let it go."""
    return await _change(at, at.chance.choice(("capture", "cancel")), row, None)


def _part(at: Moment, most: int) -> int | None:
    return at.chance.randint(1, most) if perhaps(at.chance, 0.5) else None


async def _change(at: Moment, what: str, row: PaymentRow, amount: int | None) -> Did:
    operation_id = f"{what}:{at.world.notebook.next_number(what, row.account)}"
    text = text_of(row.account, operation_id)

    async def ask(process: AsyncAccounts, more: int) -> object:
        account: Any = process[row.account]
        asked = None if amount is None and not more else sek((amount or 0) + more)
        change = partial(getattr(account, what), row.payment_id, operation_id=operation_id)
        match what:
            case "cancel":
                return await change(description=f"{text} {more}" if more else text)
            case "update":
                lines = (OrderLine(name="One month", amount=asked or sek(0), vat_percent=6),)
                return await change(lines=lines, description=text)
            case _:
                return await change(asked, description=text)

    wish = Wish(
        operation_id=operation_id,
        what=what,
        account=row.account,
        ask=ask,
        amount=amount,
        payment_id=row.payment_id,
    )
    came = await at.world.asks(wish)
    return Did(f"{wish.text} of {row.payment_id}, {amount}: {came}", came.well)


@step("replace", 0.4, Cancels, of=lambda at: [row for row in at.payments(Cancels) if row.is_open and row.name])
async def replace_link(at: Moment, row: PaymentRow) -> Did:
    """Staff put a new payment instead of an open one."""
    place, payer = at.world.gateways.places[row.account], _payers(at).get(row.payment_id, "")
    person = next((each for each in PEOPLE if each.reference == payer), at.chance.choice(PEOPLE))
    return await customers.order(at, place, person, CaptureMode.AUTOMATIC, replaces=row.payment_id)


def _open_payments(at: Moment) -> list[PaymentRow]:
    rows = [row for row in at.books.payments if row.is_open]
    return [row for row in rows if row.name is None] * 3 + rows


@step("expire", 0.8, of=_open_payments)
async def expire(at: Moment, row: PaymentRow) -> Did:
    """Staff end a payment that nobody pays."""
    came = await at.world.tries(lambda: at.world.account(row.account).expire(row.payment_id))
    return Did(f"{row.payment_id}: {came}", came.well)


@step("resolve", 1.5, of=lambda at: [row for row in at.books.operations if row.is_open])
async def resolve(at: Moment, row: OperationRow) -> Did:
    """Staff have an open operation looked up."""
    came = await at.world.tries(lambda: at.world.account(row.account).resolve(row.operation_id))
    return Did(f"{row.operation_id} of {row.account}: {came}", came.well)


def to_settle(at: Moment) -> list[OperationRow]:
    """Return what only people can settle: lost charges, and what others came between.

    That is another shop's object under our reference, a refund in the portal while ours had no answer, or a time that
    a wrong clock wrote: how long the gateway remembers it cannot be said.
    """
    taken, open_ones = at.world.gateways.taken, [row for row in at.books.operations if row.outcome == "unknown"]
    in_the_way = [row for row in open_ones if row.reference in taken]
    by_others = {row.payment_id for row in at.books.payments if row.name in at.world.notebook.by_hand}
    in_doubt = [row for row in open_ones if row.kind == "refund" and row.subject_id in by_others]
    alone = [row for row in in_the_way if at.world.gateways.made_under({row.reference}) is None]
    misdated = [row for row in open_ones if row.created_at > at.world.clock.now().strftime("%Y-%m-%d %H:%M:%S")]
    return list(dict.fromkeys([*at.books.lost_charges, *alone, *in_doubt, *misdated]))


@step("settle by hand", 5, ChargesMandates, of=to_settle)
async def settle_by_hand(at: Moment, row: OperationRow) -> Did:
    """A person looks for a lost charge in the gateway's portal, and writes down what is there."""
    history = at.world.gateways.places[row.account].history
    sent = at.world.notebook.sent(row.account, row.operation_id)
    seen = (at.world.gateways.made_under(sent), *map(history.find, sorted(sent)))
    found = next((name for name in seen if name is not None and name not in at.world.gateways.foreign), None)
    came = await at.world.tries(
        lambda: at.world.account(row.account).settle_by_hand(
            row.operation_id, provider_reference=found, person="Ann", reason="looked in the portal"
        ),
    )
    said = f"{row.operation_id}, {'found' if found else 'nothing found'}: {came}"
    wish = at.world.notebook.wishes.get(text_of(row.account, row.operation_id))
    if not came.answered or found is not None or wish is None or perhaps(at.chance, 0.5):
        return Did(said, came.answered)
    again = await at.world.asks_again(wish)
    return Did(f"{said}, asked again: {again}", came.answered)


def _payers(at: Moment) -> dict[str, str]:
    """Return who pays each payment."""
    wishes = (
        (row, at.world.notebook.wishes.get(text_of(row.account, row.operation_id))) for row in at.books.operations
    )
    return {row.subject_id: wish.payer for row, wish in wishes if wish is not None and wish.payer}


def _forgettable(at: Moment) -> list[Person]:
    """Return payers who have ordered something."""
    return [each for each in PEOPLE if each.reference in set(_payers(at).values())]


@step("erase", 0.4, of=_forgettable)
async def erase(at: Moment, person: Person) -> Did:
    """A reader asks to be forgotten: from then on no table may know who they were."""
    world, payers = at.world, _payers(at)
    mine = [row for row in at.books.payments if payers.get(row.payment_id) == person.reference]
    secrets, wanted = person.secrets, [partial(world.account(row.account).erase_payer, row.payment_id) for row in mine]
    if is_by_name := perhaps(at.chance, 0.5):  # in every account, with what is stored there
        secrets = (*secrets, person.reference)
        wanted = [
            partial(world.account(each).erase_payer, payer_reference=person.reference) for each in world.gateways.places
        ]
    answered = 0
    for use_case in wanted:
        answered += (await world.tries(use_case)).answered
    is_whole = answered == len(wanted) and not world.weather.is_interrupted
    if is_whole and (left := remains(world.engine, secrets)):
        world.notebook.broken.append(f"forgotten: {person.reference} was erased, and {left} know them still")
    how = "by name" if is_by_name else "one by one"
    return Did(f"{person.reference}, {answered} of {len(wanted)}, {how}", is_whole)


# Stored methods


@step("charge", 9, ChargesMandates, of=lambda at: [row for row in at.mandates(ChargesMandates) if row.is_chargeable])
async def charge(at: Moment, row: MandateRow) -> Did:
    """The host draws on a stored method for a period; now and then the draw is declined."""
    place, period = at.world.gateways.places[row.account], at.chance.choice(_PERIODS)
    if isinstance(place.gateway, StoredMethods) and perhaps(at.chance, 0.25):
        place.gateway.decline_next_charge(at.chance)
    number, mode = at.world.notebook.next_number("authorize", row.account), _AUTOMATIC_MOSTLY
    operation_id, amount, mode_of_it = f"charge:{number}", 5_000 + number, place.capture_mode(at.chance, *mode)

    async def ask(process: AsyncAccounts, more: int) -> object:
        account: Any = process[row.account]
        return await account.charge(
            row.mandate_id,
            sek(amount + more),
            operation_id=operation_id,
            description=text_of(row.account, operation_id),
            order_reference=f"C-{number}",
            period=period,
            capture=mode_of_it,
        )

    wish = Wish(
        operation_id=operation_id,
        what="authorize",
        account=row.account,
        ask=ask,
        amount=amount,
        order_reference=f"C-{number}",
        payer=row.payer_reference,
        mandate_id=row.mandate_id,
        period=period,
    )
    came = await at.world.asks(wish)
    _remember_block(at.world, row, came)
    return Did(f"{wish.text} on {row.mandate_id} for {period}: {came}", came.well)


def _remember_block(world: World, row: MandateRow, came: Came) -> None:
    """Remember what a decline forbids, until a draw on any method of the payer's goes well."""
    blocked = world.notebook.blocked
    if came.well:
        for wish in world.notebook.wishes.values():
            if wish.payer == row.payer_reference:
                blocked.pop(wish.mandate_id, None)
    decline = came.answer.decline if isinstance(came.answer, Operation) else None
    if decline is not None and (decline.advice is Advice.NEVER or decline.code is DeclineCode.DO_NOT_RETRY):
        blocked[row.mandate_id] = world.clock.now() + _BLOCKED_FOR


def _living(at: Moment) -> list[MandateRow]:
    return [row for row in at.mandates(StoresMandates) if row.state != "proposed" and not row.has_ended]


@step("refresh", 0.8, StoresMandates, of=_living)
async def refresh(at: Moment, row: MandateRow) -> Did:
    """The host looks how a reader's stored methods are."""
    came = await at.world.tries(lambda: at.world.account(row.account).mandates.refresh(row.payer_reference))
    return Did(f"{row.payer_reference} of {row.account}: {came}", came.well)


def _removable(at: Moment) -> list[MandateRow]:
    """Return living methods, and first those on which a draw was lost."""
    rows = _living(at)
    drawn = {wish.mandate_id for wish in at.world.notebook.wishes.values() if wish.mandate_id and at.books.lost_charges}
    return [row for row in rows if row.mandate_id in drawn] * 3 + rows


@step("remove", 1, StoresMandates, of=_removable)
async def remove(at: Moment, row: MandateRow) -> Did:
    """A reader takes a stored method back."""
    mandates = at.world.account(row.account).mandates
    came = await at.world.tries(lambda: mandates.remove(row.mandate_id, reason="the reader left"))
    return Did(f"{row.mandate_id}: {came}", came.answered)


@step("take over", 0.7, OldMethods, of=lambda at: at.world.gateways.each(OldMethods))
async def take_over(at: Moment, gateway: OldMethods) -> Did:
    """The host takes over a method or two that another system stored for a reader."""
    person, agreed_at = at.chance.choice(PEOPLE), at.world.clock.now().isoformat()
    stored = [gateway.store_method(person.reference, at.chance) for _ in range(at.chance.choice((1, 2)))]
    lines = ["payer_reference,kind,token,display,expires,text_version,agreed_at"]
    for old in stored:
        expires = at.chance.choice(_EXPIRE)
        lines.append(
            f"{person.reference},{old.kind.value},{old.token},{old.display},{expires},terms-2025-01,{agreed_at}"
        )
    came = await at.world.tries(lambda: at.world.account(stored[0].account).mandates.take_over("\n".join(lines)))
    return Did(f"{len(stored)} of {person.reference}: {came}", came.well)


# Payouts


@step("pay out", 0.9, PaysOut, Payouts, of=lambda at: at.world.gateways.having(PaysOut, Payouts))
async def pay_out(at: Moment, place: Place) -> Did:
    """The host sends somebody money; now and then a bank refuses it later."""
    gateway: Any = place.gateway
    number = at.world.notebook.next_number("pay out", place.name)
    operation_id, amount = f"out:{number}", 40_000 + number
    order = replace(
        gateway.payout_order(sek(amount)),
        payee_phone=STRANGER.phone,
        payee_personal_number=STRANGER.personal_number,
        description=text_of(place.name, operation_id),
        reference=f"WON-{number}",
    )

    async def ask(process: AsyncAccounts, more: int) -> object:
        account: Any = process[place.name]
        return await account.pay_out(replace(order, amount=sek(amount + more)), operation_id=operation_id)

    wish = Wish(operation_id=operation_id, what="pay out", account=place.name, ask=ask, amount=amount)
    came = await at.world.asks(wish)
    if isinstance(gateway, Banks) and perhaps(at.chance, 0.2):
        gateway.refuses_payout()
    return Did(f"{wish.text}: {came}", came.well)
