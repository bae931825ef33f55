"""Recurring payments, experimental: what is asked, and how careful the reading is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prenopay import Money
from prenopay.errors import Conflict, InvalidOrder, UnexpectedAnswer
from prenopay.models import Outcome
from prenopay.ports import HttpRequest
from prenopay.providers.swish.encoding import callback_identifier
from prenopay.providers.swish.recurring import Recurring

from .authority import NUMBER
from .samples import CALLBACK, HOST, MISSING, UUID, Json, answer, config

_BASE = f"{HOST}/recurring/merchant/v1"
_ABOUT_US = {
    "callbackUrl": CALLBACK,
    "callbackIdentifier": callback_identifier(CALLBACK),
    "payee": {"alias": NUMBER},
    "payeePaymentReference": "subscription-1",
}


def recurring() -> Recurring:
    return Recurring(config(recurring=True))


def said(request: HttpRequest) -> tuple[str, str, Json]:
    return request.method, request.url.removeprefix(_BASE), json.loads(request.body or b"{}")


def test_a_consent_is_asked_of_a_phone() -> None:
    asked = recurring().ask_consent(UUID, "070-123 45 67", callback_url=CALLBACK, order_reference="subscription-1")
    assert ("POST", f"/consents/{UUID}", {**_ABOUT_US, "payer": {"alias": "46701234567"}}) == said(asked)


def test_a_consent_is_asked_in_the_app() -> None:
    asked = recurring().ask_consent_in_app(
        UUID, "197501082387", callback_url=CALLBACK, order_reference="subscription-1"
    )
    assert ("POST", f"/consents/{UUID}/token", {**_ABOUT_US, "tin": "197501082387"}) == said(asked)


def test_money_is_taken_on_a_consent() -> None:
    asked = recurring().charge(UUID, "C1", Money(14950, "SEK"), description="En månad", callback_url=CALLBACK)
    expected = {
        "consentId": "C1",
        "callbackUrl": CALLBACK,
        "payee": {"alias": NUMBER},
        "amount": {"value": 149.5, "currency": "SEK"},
        "message": "En månad",
    }
    assert ("POST", f"/payments/single/{UUID}", expected) == said(asked)
    assert not asked.retry_safe


def test_the_other_questions() -> None:
    questions = recurring()
    expected: list[tuple[str, str, Json]] = [
        ("PUT", f"/consent/{UUID}/callback", {"callbackUrl": CALLBACK}),
        ("GET", f"/consents/{UUID}", {}),
        ("DELETE", f"/consents/{UUID}", {}),
        ("GET", f"/payments/single/{UUID}/status", {}),
        ("POST", "/recurring/alias", {"alias": "46701234567"}),
    ]
    assert expected == [
        said(questions.move_callback(UUID, CALLBACK)),
        said(questions.look_at_consent(UUID)),
        said(questions.end_consent(UUID)),
        said(questions.look_at_charge(UUID)),
        said(questions.ask_offered("070-123 45 67")),
    ]


@pytest.mark.parametrize(("status", "active"), [("ACTIVE", True), ("PENDING", False), ("REVOKED", False), ("?", False)])
def test_only_an_active_consent_may_be_charged(status: str, active: bool) -> None:  # noqa: FBT001 - of the table
    assert active is recurring().is_active(answer({"status": status}))


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ({"status": "CREATED"}, Outcome.PENDING),
        ({"status": "?"}, Outcome.PENDING),
        ({"status": "PAID"}, Outcome.SUCCEEDED),
        ({"status": "DECLINED"}, Outcome.DECLINED),
        ({"status": "ERROR", "errorCode": "RF07"}, Outcome.DECLINED),
        ({"status": "ERROR", "errorCode": "DS24"}, Outcome.UNKNOWN),
    ],
)
def test_a_charge_stands(body: Json, outcome: Outcome) -> None:
    assert outcome is recurring().charge_reply(answer(body)).outcome


def test_whether_it_is_offered() -> None:
    assert recurring().is_offered(answer({"recurringIsOffered": True}))
    assert not recurring().is_offered(answer({"recurringIsOffered": False}))


def test_what_cannot_be_read_or_said_says_so() -> None:
    asking: Any = recurring()
    with pytest.raises(UnexpectedAnswer):
        asking.is_active(answer({}))
    with pytest.raises(Conflict):
        asking.is_active(MISSING)
    with pytest.raises(InvalidOrder):
        asking.ask_offered("12")
