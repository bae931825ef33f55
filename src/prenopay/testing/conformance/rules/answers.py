"""Future answers and broken ones: what is new is ignored, and what cannot be read is never believed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Final, cast

from prenopay.errors import (
    Conflict,
    LedgerUnavailable,
    OutcomeUnknown,
    PrenopayError,
    ProviderError,
    RateLimited,
    Rejected,
    Unauthenticated,
)
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.provider import ChargesMandates, Inspection, Refunds
from prenopay.testing.conformance.rules.mandates import drawn, stored
from prenopay.testing.conformance.stage import Edit, Stage, answering, changes_something, needs
from prenopay.testing.gateway import StoredMethods, StrangeCode, StrangeStatus
from prenopay.values.orders import CaptureMode
from prenopay.values.payments import FlagKind, Outcome, PaymentState

__all__ = ["Answers", "with_unknown_members"]

BROKEN: Final = (b"", b"{}", b"[]", b"null", b"0", b"\xff\xfe", b"<html></html>", b'{"id": null}', b"[" * 5000)
STATUSES: Final = (301, 400, 401, 403, 404, 409, 418, 422, 429, 500, 502, 503, 504)
DEPTHS: Final = (41, 300, 900)
"""How deep an answer may nest: just beyond what prenopay reads, and almost as deep as Python's parser goes."""
_SERVER_ERRORS: Final = 500
_WAIT_SECONDS: Final = 7
_TEXTS_MOST: Final = 30
"""How many texts of an answer are tried."""
_NUMBERS_MOST: Final = 12
"""How many numbers of an answer are tried."""
_NUMBER: Final = re.compile(rb":\s*([1-9][0-9.]*)(?=\s*[,}\]])")
_PHONE: Final = "46701234567"
_GOES_ON: Final = f"\0\ud83d\x1b[31m {_PHONE}"
_WAITS: Final = (
    (("retry-after", str(_WAIT_SECONDS)),),
    (("date", "Wed, 28 Oct 2026 12:00:00 GMT"), ("retry-after", "Wed, 28 Oct 2026 12:00:07 GMT")),
)
_MEMBER: Final = b'"memberOfATimeToCome": {"status": "New", "amount": 1, "list": [true, null]}'
_QUOTE, _ESCAPE, _OPEN, _CLOSE = b'"\\{}'


class Answers:
    """What a gateway may answer one day."""

    def test_members_that_nobody_knows_are_let_be(self, stage: Stage) -> None:
        """With unknown members in every JSON object of every answer, a payment goes as usual."""
        with stage.wire.edited(with_unknown_members):
            payment = stage.taken()
            assert payment.is_paid, f"the books say {payment!r}"
            if Refunds in type(stage.provider).__mro__:
                stage.do(lambda payments: payments.refund(payment.payment_id, operation_id="refund:1"))
                stage.settle()
                assert stage.got(payment).refunded == payment.captured
        assert stage.got(payment).flags == ()
        stage.books_agree()

    def test_each_text_may_hold_anything(self, stage: Stage) -> None:
        """Control characters, half characters and a phone number in any text of an answer are stored, and not shown."""
        payment = stage.bought()
        stage.pays(payment)
        for place in range(_TEXTS_MOST):
            with stage.wire.edited(partial(_going_on, place)):
                error = stage.tries(lambda: stage.observed(payment))
            assert not isinstance(error, LedgerUnavailable), f"an answer cannot be written down: {error}"
            assert _unfit(str(error)) == [], f"an error shows what nobody must see: {error!r}"

        seen = stage.observed(payment)
        said = [*(flag.detail for flag in seen.flags), *(event.detail for event in stage.events), *stage.log]
        said += [each.decline.text for each in stage.events if each.decline is not None]
        assert [each for each in said if _unfit(each)] == []

    def test_a_sum_below_zero_is_never_believed(self, stage: Stage) -> None:
        """A number of an answer that turns negative makes it unreadable, or changes nothing in what the books say."""
        payment = stage.bought("order:0")
        stage.pays(payment)
        for place in range(_NUMBERS_MOST):
            with stage.wire.edited(partial(_negative, place)):
                error = stage.tries(lambda: stage.observed(payment))  # noqa: B023 - called at once
                assert error is None or isinstance(error, ProviderError), f"number {place}: {error!r}"
            seen, there = stage.got(payment), stage.at_gateway(payment)
            assert FlagKind.ADJUSTED not in {flag.kind for flag in seen.flags}, f"number {place}: {seen.flags}"
            if error is not None:
                assert seen.is_open, f"number {place}: it was refused, and the books say {seen.state}"
                continue
            assert seen.captured.minor in {0, there.captured}, f"number {place}: the books say {seen!r}"
            assert seen.authorized.minor == there.authorized, f"number {place}: the books say {seen!r}"
            payment = stage.bought(f"order:{place + 1}")
            stage.pays(payment)

    @needs(gateway=(StrangeStatus,))
    def test_a_status_that_nobody_knows_ends_nothing(self, stage: Stage) -> None:
        """An unknown status is flagged and waited out: it neither ends a payment nor makes money."""
        payment = stage.bought(capture=CaptureMode.AUTOMATIC)
        gateway = stage.gateway
        assert isinstance(gateway, StrangeStatus)

        def strange(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
            return (
                answer if changes_something(request) else replace(answer, body=gateway.with_strange_status(answer.body))
            )

        with stage.wire.edited(strange):
            seen = stage.observed(payment)
        assert seen.is_open, f"nobody knows the status, and the books say {seen.state}"
        assert seen.captured.minor == 0
        assert [flag.kind for flag in seen.flags] == [FlagKind.UNREADABLE_STATUS]

        stage.pays(payment)
        stage.observed(payment)
        stage.settle()
        assert stage.got(payment).is_paid
        stage.books_agree()

    @needs(gateway=(StrangeCode,))
    def test_a_code_that_nobody_knows_settles_nothing(self, stage: Stage) -> None:
        """A payer is refused with a code that is on no page: the payment has not ended, and somebody hears of it."""
        payment = stage.bought()
        stage.gateway.declines(str(payment.provider_reference))

        with stage.wire.edited(_strange_code(stage)):
            error = stage.tries(lambda: stage.observed(payment))

        seen = stage.got(payment)
        assert seen.is_open, f"nobody knows the code, and the books say {seen.state}"
        assert seen.captured.minor == 0
        shown = error is not None or bool(seen.flags)
        assert shown or seen.state is PaymentState.PENDING, "nobody hears that a code is on no page"

    @needs(ChargesMandates, gateway=(StoredMethods, StrangeCode))
    def test_a_charge_refused_with_a_code_that_nobody_knows_stays_open(self, stage: Stage) -> None:
        """Such a charge is unknown: a decline would invite to another one."""
        mandate = stored(stage)
        assert isinstance(stage.gateway, StoredMethods)
        stage.gateway.decline_next_charge()

        with stage.wire.edited(_strange_code(stage)):
            stage.tries(lambda: drawn(stage, mandate))
            stage.later(hours=1)
            stage.sweep()

        outcome = stage.operation("charge:1").outcome
        assert outcome in {Outcome.UNKNOWN, Outcome.PENDING}, f"nobody knows the code, and the books say {outcome}"

    def test_an_answer_that_cannot_be_read_is_not_believed(self, stage: Stage) -> None:
        """A 200 with nonsense raises one of prenopay's errors; the payment stays as it was."""
        payment = stage.taken()
        for body in BROKEN:
            with stage.wire.answered(answering(200, body)):
                error = stage.tries(lambda: stage.observed(payment))

            assert isinstance(error, ProviderError | OutcomeUnknown), f"what came of {body[:20]!r} was {error!r}"
            after = stage.got(payment)
            assert (after.state, after.captured) == (payment.state, payment.captured), f"{body[:20]!r} was believed"
        assert stage.observed(payment).is_paid

    def test_an_answer_nested_to_any_depth_is_read_or_refused(self, stage: Stage) -> None:
        """A member that nests very deep in a good answer ends in a reading of it or in one of prenopay's errors."""
        payment = stage.taken()
        for depth in DEPTHS:
            with stage.wire.edited(_nested(depth)):
                error = stage.tries(lambda: stage.observed(payment))

            fits = error is None or isinstance(error, ProviderError | OutcomeUnknown)
            assert fits, f"what came of an answer that nests {depth} deep was {error!r}"
            after = stage.got(payment)
            assert (after.state, after.captured) == (payment.state, payment.captured), f"{depth} deep, and believed"
        stage.books_agree()

    def test_a_refusal_is_an_error_and_a_failure_leaves_it_open(self, stage: Stage) -> None:
        """Any other status raises one of prenopay's errors; after a 5xx nobody knows what happened."""
        for status in STATUSES:
            operation_id = f"order:{status}"
            with stage.wire.answered(answering(status)):
                error = stage.tries(lambda: stage.bought(operation_id))  # noqa: B023 - called at once

            assert isinstance(error, PrenopayError), f"the gateway said {status}, and the call says that all is well"
            outcome = stage.operation(operation_id).outcome
            assert outcome in {Outcome.NOT_ATTEMPTED, Outcome.UNKNOWN}, f"after {status} it says {outcome}"
            if status >= _SERVER_ERRORS:
                assert outcome is Outcome.UNKNOWN, f"after {status} nobody knows, and it says {outcome}"
        assert sum(payment.captured.minor for payment in stage.every_payment()) == 0

    def test_a_request_that_is_wrong_is_rejected(self, stage: Stage) -> None:
        """A 400 or 422 without a body raises ``Rejected``, or ``Unauthenticated`` if it refuses what logs in."""
        for status in (400, 422):
            _is_told(stage, status, Rejected, Unauthenticated)

    def test_credentials_that_are_refused_are_unauthenticated(self, stage: Stage) -> None:
        """A 401, or a 403 without a body, raises ``Unauthenticated``: nothing happened, and a person must look."""
        for status in (401, 403):
            _is_told(stage, status, Unauthenticated)

    def test_a_conflict_is_told_as_one(self, stage: Stage) -> None:
        """A 409 raises ``Conflict`` (or ``DuplicateReference``, which is one): the request has no mistake."""
        _is_told(stage, 409, Conflict)

    def test_too_many_requests_say_how_long_to_wait(self, stage: Stage) -> None:
        """A 429 raises ``RateLimited`` with the seconds of the answer's ``Retry-After``, also if it states a date."""
        for headers in _WAITS:
            error = _is_told(stage, 429, RateLimited, headers=headers)

            assert isinstance(error, RateLimited)
            told = error.retry_after
            assert told == _WAIT_SECONDS, f"{headers} ask for {_WAIT_SECONDS} seconds, and retry_after is {told}"

    def test_inspect_makes_up_no_reading(self, stage: Stage) -> None:
        """``inspect`` raises ``ValueError`` for a body that is not the gateway's."""
        read = [body[:20] for body in (*BROKEN, b'{"colour": "green"}') if _inspected(stage, body) is not None]
        assert read == [], "inspect must raise ValueError for what is none of the gateway's bodies"

    def test_inspect_reads_what_observe_reads(self, stage: Stage) -> None:
        """``inspect`` sees in a stored answer about a payment the state that ``observe`` sees in it."""
        payment = stage.taken()
        bodies: list[bytes] = []

        def kept(_request: HttpRequest, answer: HttpResponse) -> HttpResponse:
            bodies.append(answer.body)
            return answer

        with stage.wire.edited(kept):
            seen = stage.seen_at_gateway(payment)

        read = [_inspected(stage, body) for body in bodies]
        states = [each.state for each in read if each is not None]
        assert seen.state in states, f"observe sees {seen.state}, and inspect {states or 'nothing it can read'}"


def _strange_code(stage: Stage) -> Edit:
    gateway = stage.gateway
    assert isinstance(gateway, StrangeCode)
    return lambda _request, answer: replace(answer, body=gateway.with_strange_code(answer.body))


def _is_told(
    stage: Stage, status: int, *meant: type[ProviderError], headers: tuple[tuple[str, str], ...] = ()
) -> PrenopayError | None:
    """Answer a create with ``status``; it must raise an error that is ``meant``, and leave nothing open."""
    operation_id = f"order:{status}:{len(headers)}"
    with stage.wire.answered(answering(status, headers=headers)):
        error = stage.tries(lambda: stage.bought(operation_id))

    named = " or ".join(each.__name__ for each in meant)
    assert isinstance(error, meant), f"the gateway said {status}, which is {named}; what came was {error!r}"
    outcome = stage.operation(operation_id).outcome
    assert outcome is Outcome.NOT_ATTEMPTED, f"after {status} nothing happened, and the books say {outcome}"
    return error


def _going_on(place: int, _request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    """Let the text at a place of a JSON answer go on after its end; any other answer stays as it is."""
    try:
        document: Any = json.loads(answer.body)
    except ValueError:
        return answer
    texts = [*_texts_in(document)]
    if place >= len(texts):
        return answer
    holder, key = texts[place]
    holder[key] += _GOES_ON
    return replace(answer, body=json.dumps(document).encode())


def _negative(place: int, request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    """Make one number of an answer to a look negative, written as it was; what is in quotes stays as it is."""
    if changes_something(request):
        return answer
    numbers = [*_NUMBER.finditer(answer.body)]
    if place >= len(numbers):
        return answer
    start = numbers[place].start(1)
    return replace(answer, body=answer.body[:start] + b"-" + answer.body[start:])


def _texts_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield what holds each text of a document, and under which key."""
    if isinstance(value, dict | list):
        holder = cast("Any", value)
        for key in holder if isinstance(value, dict) else range(len(holder)):
            if isinstance(holder[key], str):
                yield holder, key
            else:
                yield from _texts_in(holder[key])


def _unfit(text: str) -> list[str]:
    """Return what nobody must see that is in ``text``."""
    return [each for each in ("\0", "\ud83d", "\x1b", _PHONE) if each in text]


def with_unknown_members(_request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    """Put a member that nobody knows into every JSON object of the answer, and leave every other byte alone."""
    if b"json" not in (answer.header("content-type") or "json").encode():
        return answer
    return replace(answer, body=_into_every_object(answer.body))


def _nested(depth: int) -> Edit:
    """Return an edit that puts a member of that depth into the first JSON object of every answer."""
    member = b'{"deepMember": ' + b"[" * depth + b"]" * depth + b", "

    def edit(_request: HttpRequest, answer: HttpResponse) -> HttpResponse:
        return replace(answer, body=answer.body.replace(b"{", member, 1))

    return edit


def _into_every_object(body: bytes) -> bytes:
    """Work on the bytes, so that numbers stay as they were written."""
    made = bytearray()
    inside_text = escaped = False
    for place, byte in enumerate(body):
        made.append(byte)
        if inside_text:
            inside_text = escaped or byte != _QUOTE
            escaped = byte == _ESCAPE and not escaped
        elif byte == _QUOTE:
            inside_text = True
        elif byte == _OPEN:
            is_empty = body[place + 1 :].lstrip()[:1] == bytes([_CLOSE])
            made += _MEMBER if is_empty else _MEMBER + b","
    return bytes(made)


def _inspected(stage: Stage, body: bytes) -> Inspection | None:
    """Return how a body is read; ``None`` where it is refused."""
    try:
        return stage.config.inspect(body)
    except ValueError:
        return None
