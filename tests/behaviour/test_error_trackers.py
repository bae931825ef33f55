"""A witness: what the Sentry SDK would send of errors, with the settings it has by default."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport
from sentry_sdk.utils import event_from_exception

from prenopay import CaptureMode, StoreMethod
from prenopay.errors import UnexpectedAnswer
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.testing.faults import Fault, FaultKind
from prenopay.testing.frames import shown_in
from tests.behaviour.shop import CONSENT, Rewriter, Shop
from tests.behaviour.test_secrets import PAYER, RISK, leaks


class Kept(Transport):
    """Sends nothing, and keeps everything."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Any] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.events.append(envelope.get_event())


def seen_in(error: Exception) -> list[dict[str, Any]]:
    """Return what Sentry would get of an error, without the frames of the host, which are this test's."""
    kept = Kept()
    client = sentry_sdk.Client(
        dsn="https://public@tracker.invalid/1",
        transport=kept,
        default_integrations=False,
        auto_enabling_integrations=False,
    )
    event, hint = event_from_exception(error, client_options=client.options)
    client.capture_event(event, hint)
    (sent,) = kept.events
    values = sent["exception"]["values"]
    for value in values:
        frames = value.get("stacktrace", {}).get("frames", [])
        frames[:] = [each for each in frames if not each["module"].startswith(("tests.", "prenopay.testing."))]
    return list(values)


def repeated(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    said = f"{dict(request.headers)} {request.url} ".encode() + request.body
    return replace(answer, status=400, body=said)


def spoilt(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    return replace(answer, body=answer.body.replace(b'"amount"', b'"amount of %s"' % request.body[:1]))


def test_sentry_gets_no_secret(rewriting: tuple[Shop, Rewriter]) -> None:
    shop, rewriter = rewriting
    paid = shop.bought(payer=PAYER, risk=RISK)
    shop.pay(paid)
    errors: list[Exception | None] = []
    for number, rewrite in enumerate((repeated, spoilt)):
        rewriter.rewrite = rewrite
        errors.append(shop.tries(lambda: shop.bought(f"order:{number}x", payer=PAYER, risk=RISK)))  # noqa: B023 - called at once
        errors.append(shop.tries(lambda: shop.payments.observe(paid.payment_id)))
    rewriter.rewrite = lambda _request, answer: answer
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_BEFORE, method="POST"))
    errors.append(shop.tries(lambda: shop.bought("order:lost", payer=PAYER, risk=RISK)))

    met = [error for error in errors if error is not None]
    assert len(met) == len(errors), "each of these fails"
    sent = [seen_in(error) for error in met]

    variables = [each["vars"] for values in sent for value in values for each in value["stacktrace"]["frames"]]
    assert any("answer" in each for each in variables), "Sentry collects the variables of prenopay's frames"
    assert leaks(json.dumps(sent, ensure_ascii=False)) == []
    assert str(paid.redirect_url) not in json.dumps(sent)


def test_no_tracker_gets_the_token_of_an_answer_that_cannot_be_read(rewriting: tuple[Shop, Rewriter]) -> None:
    shop, rewriter = rewriting
    paid = shop.bought(payer=PAYER, store=StoreMethod(consent=CONSENT), capture=CaptureMode.MANUAL)
    shop.pay(paid)
    tokens: list[str] = []

    def without_its_amount(_request: HttpRequest, answer: HttpResponse) -> HttpResponse:
        tokens.extend(re.findall(r'[tT]oken": ?"([^"]+)"', answer.body.decode()))
        return replace(answer, body=answer.body.replace(b'"amount"', b'"amounts"'))

    rewriter.rewrite = without_its_amount
    error = shop.tries(lambda: shop.payments.observe(paid.payment_id))

    assert tokens
    assert isinstance(error, UnexpectedAnswer)
    secrets = {str(paid.redirect_url), *tokens}
    shown = shown_in(error, not_in=("tests.",))
    assert [each.where for each in shown if any(secret in each.text for secret in secrets)] == []
