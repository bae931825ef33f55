"""The books have the greatest totals that were observed, in any order of observations, and never more."""

from __future__ import annotations

from hypothesis import given, strategies as st

from prenopay import Money, PaymentState
from prenopay.payments.movements import Movement, Totals, new_movements
from prenopay.provider import Observation, ProviderTransaction, TransactionKind

_AMOUNTS = st.integers(0, 1000)
_NUMBERS = st.sampled_from(["", "1", "2", "3", "4", "5"])
_KINDS = list(TransactionKind)

_LISTED = st.builds(
    ProviderTransaction,
    kind=st.sampled_from(_KINDS),
    number=_NUMBERS,
    amount=st.none() | st.builds(Money, st.integers(0, 1000), st.just("SEK")),
    reference=st.none() | st.sampled_from(["REF1", "REF2"]),
    created_at=st.none(),
)


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    """Return any observation; its list of transactions need not fit its totals."""

    def total() -> Money:
        return Money(draw(_AMOUNTS), "SEK")

    return Observation(
        provider_reference="/psp/paymentorders/1",
        state=PaymentState.PENDING,
        authorized=total(),
        captured=total(),
        refunded=total(),
        cancelled=total(),
        submitted=Money(1000, "SEK"),
        fee=Money(0, "SEK"),
        discount=Money(0, "SEK"),
        allowed_actions=frozenset(),
        transactions=tuple(draw(st.lists(_LISTED, max_size=6))),
    )


def write(books: list[Movement], observed: Observation) -> tuple[Movement, ...]:
    """Write ``observed`` into ``books`` as the ledger does; return the new movements."""
    known = {(each.kind, each.number) for each in books if each.number is not None}
    added = new_movements(Totals.of(books, "SEK"), observed, known)
    books += added
    return added


def greatest(seen: list[Observation]) -> Totals:
    nothing = Money.zero("SEK")
    return Totals(
        authorized=max((each.authorized for each in seen), default=nothing),
        captured=max((each.captured for each in seen), default=nothing),
        refunded=max((each.refunded for each in seen if each.refunded is not None), default=nothing),
        cancelled=max((each.cancelled for each in seen), default=nothing),
    )


@given(st.lists(observations(), max_size=6))
def test_the_books_hold_the_greatest_totals_seen(seen: list[Observation]) -> None:
    books: list[Movement] = []
    for count, observed in enumerate(seen, start=1):
        write(books, observed)
        assert greatest(seen[:count]) == Totals.of(books, "SEK")


@given(st.lists(observations(), max_size=5), st.data())
def test_the_order_in_which_things_are_seen_does_not_matter(seen: list[Observation], data: st.DataObject) -> None:
    one: list[Movement] = []
    other: list[Movement] = []
    for observed in seen:
        write(one, observed)
    for observed in data.draw(st.permutations(seen)):
        write(other, observed)
    assert Totals.of(one, "SEK") == Totals.of(other, "SEK")


@given(st.lists(observations(), min_size=1, max_size=5))
def test_seeing_the_same_again_adds_nothing(seen: list[Observation]) -> None:
    books: list[Movement] = []
    for observed in seen:
        write(books, observed)
        assert not write(books, observed)
    for observed in seen:
        assert not write(books, observed)


@given(st.lists(observations(), max_size=6))
def test_no_transaction_is_written_twice(seen: list[Observation]) -> None:
    books: list[Movement] = []
    for observed in seen:
        write(books, observed)
    named = [(each.kind, each.number) for each in books if each.number is not None]
    assert len(named) == len(set(named))
    assert "" not in {number for _kind, number in named}


@given(st.lists(observations(), max_size=6))
def test_every_movement_goes_the_way_of_its_kind(seen: list[Observation]) -> None:
    books: list[Movement] = []
    for observed in seen:
        write(books, observed)
    inward = {TransactionKind.AUTHORIZATION, TransactionKind.CAPTURE}
    assert all((each.amount.minor > 0) is (each.kind in inward) and each.amount.minor for each in books)


@given(st.lists(st.lists(st.sampled_from(["R1", "R2", "R3", "R4"]), max_size=6), max_size=6))
def test_refunds_that_are_kept_apart_are_written_once_each(listed: list[list[str]]) -> None:
    books: list[Movement] = []
    for numbers in listed:
        write(books, _listing(numbers))
    refunded = {number for numbers in listed for number in numbers}
    assert Totals.of(books, "SEK").refunded == Money(sum(int(number[1]) * 100 for number in refunded), "SEK")


def _listing(numbers: list[str]) -> Observation:
    """Return the observation of a gateway whose refunds are objects of their own: R1 of 1.00, R2 of 2.00, and so on."""
    whole, nothing = Money(100_000, "SEK"), Money.zero("SEK")
    refunds = tuple(
        ProviderTransaction(
            kind=TransactionKind.REFUND,
            number=number,
            amount=Money(int(number[1]) * 100, "SEK"),
            reference=number,
            created_at=None,
        )
        for number in numbers
    )
    return Observation(
        provider_reference="1",
        state=PaymentState.CAPTURED,
        authorized=whole,
        captured=whole,
        refunded=None,
        cancelled=nothing,
        submitted=whole,
        fee=nothing,
        discount=nothing,
        allowed_actions=frozenset(),
        transactions=refunds,
    )
