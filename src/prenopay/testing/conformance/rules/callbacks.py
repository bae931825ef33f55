"""Callbacks are hints: twice, early, late, forged, foreign or not at all, they change nothing but timing."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from prenopay.provider import ReceivesCallbacks
from prenopay.testing.conformance.stage import Stage, needs
from prenopay.values.callbacks import CallbackRequest
from prenopay.values.orders import CaptureMode
from prenopay.values.payments import FlagKind, Payment

__all__ = ["Callbacks"]

NONSENSE: Final = (
    b"",
    b"{",
    b"{}",
    b"[]",
    b"null",
    b"0",
    b'"text"',
    b"\xff\xfe\x00",
    b"<html></html>",
    b'{"id": 1, "status": {}}',
    b"[" * 3000,
    b'{"a":' * 3000 + b"1" + b"}" * 3000,
)
_ERROR: Final = 500
_NOT_FOUND: Final = 404
_GOOD: Final = range(200, 300)


class Callbacks:
    """What the gateway says, and what strangers claim."""

    @needs(ReceivesCallbacks)
    def test_a_callback_alone_is_enough(self, stage: Stage) -> None:
        """A callback is answered well and makes the books right, without browser and sweep."""
        payment = _paid_and_told(stage)

        assert stage.got(payment).is_paid, f"after the callback the books say {stage.got(payment)!r}"
        assert stage.got(payment).flags == ()
        for request in stage.heard:
            assert stage.provider.callback_reply(accepted=True).status in _GOOD
            assert stage.receive(request).status in _GOOD
        stage.books_agree()

    @needs(ReceivesCallbacks)
    def test_a_callback_that_comes_again_changes_nothing(self, stage: Stage) -> None:
        """The same callback three times: one change, one event."""
        payment = _paid_and_told(stage)
        told, seen = list(stage.events), stage.got(payment)

        for _ in range(3):
            for request in list(stage.heard):
                stage.receive(request)

        assert stage.events == told
        assert stage.got(payment) == replace(seen, updated_at=stage.got(payment).updated_at)
        stage.books_agree()

    @needs(ReceivesCallbacks)
    def test_a_callback_that_comes_early_changes_nothing(self, stage: Stage) -> None:
        """A callback before anything happened leaves the payment open; the money is found when it comes."""
        payment = stage.bought(capture=CaptureMode.AUTOMATIC)
        stage.forge(payment, naming=payment)

        assert stage.deliver() > 0

        early = stage.got(payment)
        assert early.is_open, f"nobody has paid, and the books say {early.state}"
        assert (early.captured.minor, early.flags, stage.events) == (0, (), [])
        stage.pays(payment)
        stage.deliver()
        stage.settle()
        assert stage.got(payment).is_paid

    @needs(ReceivesCallbacks)
    def test_a_callback_that_comes_late_changes_nothing(self, stage: Stage) -> None:
        """A callback months after all has ended is answered well, and nothing moves."""
        payment = _paid_and_told(stage)
        before, told = stage.gateway.books()[str(payment.provider_reference)], len(stage.events)
        stage.later(days=90)

        for request in list(stage.heard):
            assert stage.receive(request).status in _GOOD

        assert stage.at_gateway(payment) == before
        assert stage.got(payment).captured.minor == stage.due
        assert len(stage.events) == told

    @needs(ReceivesCallbacks)
    def test_a_forged_address_is_refused_before_any_work(self, stage: Stage) -> None:
        """A path that was not handed out here gets 404; nothing is stored, and the gateway is not called."""
        payment = stage.bought()
        path, calls = stage.address(payment), len(stage.wire.seen)
        head, _, mac = path.rpartition("/")
        forged = [
            f"{head}/{'A' if mac[0] != 'A' else 'B'}{mac[1:]}",
            f"{head}/",
            path.replace(payment.payment_id, payment.payment_id[:-1]),
            path.replace(f"/{payment.account}/", "/another-account/"),
            "/",
            "",
        ]
        for each in forged:
            reply = stage.receive(CallbackRequest(path=each, body=b"{}"))
            assert (reply.status, reply.address) == (_NOT_FOUND, None), each
        assert len(stage.wire.seen) == calls
        assert stage.every_payment() == (payment,)

    @needs(ReceivesCallbacks)
    def test_a_callback_of_another_account_touches_nothing(self, stage: Stage) -> None:
        """A good address of another account that names our payment leads nowhere."""
        payment = stage.bought()
        stage.pays(payment)
        calls = len(stage.wire.seen)

        reply = stage.receive(CallbackRequest(path=stage.address(payment, account="another-account"), body=b"{}"))

        assert reply.address is None
        assert len(stage.wire.seen) == calls
        assert stage.got(payment) == payment

    @needs(ReceivesCallbacks)
    def test_nonsense_in_a_body_harms_nothing(self, stage: Stage) -> None:
        """``read_callback`` raises for no body; a good address alone leads to a look at the payment."""
        payment = stage.taken()
        for body in NONSENSE:
            for headers in ({}, {"content-type": "application/json", "x": "\udcff"}):
                request = CallbackRequest(path=stage.address(payment), body=body, headers=headers)
                stage.provider.read_callback(request)
                assert stage.receive(request).status < _ERROR, f"{body[:20]!r}"

        after = stage.got(payment)
        assert (after.state, after.captured, after.refunded) == (payment.state, payment.captured, payment.refunded)
        kinds = [flag.kind for flag in after.flags]
        assert set(kinds) <= {FlagKind.MALFORMED_CALLBACK, FlagKind.FOREIGN_CALLBACK}
        assert len(kinds) == len(set(kinds)) == stage.told.count("payment.flagged"), "one flag and event of each kind"

    @needs(ReceivesCallbacks)
    def test_a_callback_that_names_another_payment_changes_neither(self, stage: Stage) -> None:
        """A body that names another payment leads to a look at our own, and to a flag on it."""
        ours, other = stage.bought("order:1"), stage.bought("order:2")
        stage.forge(ours, naming=other)

        assert stage.deliver() > 0

        assert stage.got(ours).is_open
        assert [flag.kind for flag in stage.got(ours).flags] == [FlagKind.FOREIGN_CALLBACK]
        assert stage.got(other) == other, "what names the other payment came to our address"
        stage.pays(ours)
        assert not stage.observed(ours).is_open

    def test_the_sweep_finds_what_no_callback_told(self, stage: Stage) -> None:
        """Without any callback the sweep finds that the payer paid, and the host is notified."""
        payment = stage.bought(capture=CaptureMode.AUTOMATIC)
        stage.pays(payment)
        assert not stage.got(payment).is_paid

        for _ in range(4):
            stage.later(hours=1)
            assert stage.sweep().failures == ()

        assert stage.got(payment).is_paid
        assert "payment.captured" in stage.told
        stage.books_agree()

    def test_everything_is_told_once_and_in_order(self, stage: Stage) -> None:
        """The host hears each change once, numbered without gaps, the money last."""
        payment = stage.taken()
        for _ in range(3):
            stage.observed(payment)
            stage.sweep()

        assert [event.number for event in stage.events] == list(range(1, len(stage.events) + 1))
        assert len({event.event_id for event in stage.events}) == len(stage.events)
        assert stage.told.count("payment.captured") == 1
        assert stage.told.count("payment.authorized") <= 1
        assert stage.told[-1] == "payment.captured"
        assert stage.events[-1].is_paid


def _paid_and_told(stage: Stage) -> Payment:
    """Have an order paid, and let the gateway call back, as often as it wants."""
    payment = stage.bought(capture=CaptureMode.AUTOMATIC)
    stage.pays(payment)
    for _ in range(3):
        stage.deliver()
    assert stage.heard, "no callback came; does create_payment hand on request.callback_url?"
    return payment
