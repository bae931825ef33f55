"""Callbacks on their way out: the schedule, the manners, and the record of every delivery."""

from __future__ import annotations

from datetime import timedelta

import pytest

from prenopay.testing.callbacks import CallbackQueue, Manner, Post, RetrySchedule, hand_over, post_over_http
from prenopay.testing.clock import VirtualClock
from prenopay.values.callbacks import CallbackRequest


class _Host:
    """Takes callbacks, and answers with the given statuses."""

    def __init__(self, *statuses: int | None) -> None:
        self.statuses = list(statuses)
        self.bodies: list[bytes] = []

    def post(self, url: str, body: bytes, headers: tuple[tuple[str, str], ...]) -> int | None:
        self.bodies.append(body)
        return self.statuses.pop(0) if self.statuses else 200


def _pushed(queue: CallbackQueue, clock: VirtualClock, post: Post, seconds: int) -> int:
    """Push time second by second, and return after how many something was delivered."""
    for second in range(seconds + 1):
        if queue.deliver(post):
            return second
        clock.advance(timedelta(seconds=1))
    return -1


def test_what_is_taken_is_told_once() -> None:
    queue, host = CallbackQueue(VirtualClock()), _Host(204)
    queue.put("https://host.example/cb", b"{}")
    (attempt,) = queue.deliver(host.post)
    assert attempt.taken
    assert queue.deliver(host.post) == ()
    assert queue.waiting == ()


def test_what_is_not_taken_is_told_again_on_the_schedule() -> None:
    cases: list[tuple[bool, list[int]]] = [(True, [30, 30, 300, 72, 432, 401]), (False, [30, 60, 360, 432, 864, 1265])]
    for from_first, waits in cases:
        clock, host = VirtualClock(), _Host(*([500, None] * 10))
        queue = CallbackQueue(clock, schedule=RetrySchedule(from_first=from_first))
        queue.put("https://host.example/cb", b"{}")
        assert _pushed(queue, clock, host.post, 0) == 0
        assert [_pushed(queue, clock, host.post, 2000) for _ in range(7)] == [*waits, -1]
        assert len(queue.attempts) == 7
        assert queue.waiting == ()


def test_nothing_leaves_before_it_is_due() -> None:
    clock, host = VirtualClock(), _Host()
    queue = CallbackQueue(clock)
    queue.put("https://host.example/cb", b"{}", due=clock.now() + timedelta(seconds=10))
    assert queue.due() == ()
    assert len(queue.due(clock.now() + timedelta(minutes=1))) == 1
    assert queue.deliver(host.post) == ()
    clock.advance(timedelta(seconds=10))
    assert len(queue.deliver(host.post)) == 1


def test_held_callbacks_wait_for_release() -> None:
    queue, host = CallbackQueue(VirtualClock()), _Host()
    queue.behave(Manner.HOLD)
    queue.put("https://host.example/cb", b"{}")
    assert queue.deliver(host.post) == ()
    queue.behave(Manner.RELEASE)
    assert len(queue.deliver(host.post)) == 1


def test_a_dropped_callback_never_leaves_and_is_never_tried_again() -> None:
    queue, host = CallbackQueue(VirtualClock()), _Host()
    queue.behave(Manner.DROP)
    queue.put("https://host.example/cb", b"1")
    queue.put("https://host.example/cb", b"2")
    assert [attempt.lost for attempt in queue.deliver(host.post)] == [True, False]
    assert host.bodies == [b"2"]
    assert queue.waiting == ()


def test_a_duplicate_comes_twice() -> None:
    queue, host = CallbackQueue(VirtualClock()), _Host()
    queue.behave(Manner.DUPLICATE)
    queue.put("https://host.example/cb", b"1")
    queue.put("https://host.example/cb", b"2")
    queue.deliver(host.post)
    assert host.bodies == [b"1", b"1", b"2"]


def test_reordered_callbacks_come_last_first_once() -> None:
    queue, host = CallbackQueue(VirtualClock()), _Host()
    queue.behave(Manner.REORDER)
    for body in (b"1", b"2", b"3"):
        queue.put("https://host.example/cb", body)
    queue.deliver(host.post)
    queue.put("https://host.example/cb", b"4")
    queue.put("https://host.example/cb", b"5")
    queue.deliver(host.post)
    assert host.bodies == [b"3", b"2", b"1", b"4", b"5"]


def test_a_host_in_this_process_gets_a_callback_request() -> None:
    received: list[CallbackRequest] = []

    def receive(request: CallbackRequest) -> int:
        received.append(request)
        return 200

    queue = CallbackQueue(VirtualClock())
    queue.put("https://host.example/cb/1?secret=2", b"{}")
    queue.deliver(hand_over(receive, peer="20.91.170.120"))
    (request,) = received
    assert (request.path, request.query, request.peer) == ("/cb/1", "secret=2", "20.91.170.120")
    assert (request.method, request.headers, request.body) == ("POST", {}, b"{}")


def test_a_host_that_is_not_there_does_not_answer() -> None:
    assert post_over_http("http://127.0.0.1:9/", b"{}", ()) is None


def test_what_the_host_raises_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    clock = VirtualClock()
    queue, host = CallbackQueue(clock), _Host()
    for body in (b"1", b"2", b"3"):
        queue.put("https://host.example/cb", body, about=f"payment {body.decode()}")
    queue.behave(Manner.DUPLICATE, times=3)

    faults = [RuntimeError("the host's own fault")]

    def post(url: str, body: bytes, headers: tuple[tuple[str, str], ...]) -> int | None:
        if body == b"2" and faults:
            raise faults.pop()
        return host.post(url, body, headers)

    with pytest.raises(RuntimeError, match="own fault"):
        queue.deliver(post)
    assert {each.body for each in queue.waiting} == {b"2", b"3"}
    clock.advance(timedelta(minutes=5))
    queue.deliver(post)

    assert sorted(set(host.bodies)) == [b"1", b"2", b"3"]
    assert queue.waiting == ()
    assert host.bodies.count(b"3") == 2, "what was planned for it still holds"
    assert caplog.text == ""


def test_what_the_host_refuses_is_said(caplog: pytest.LogCaptureFixture) -> None:
    queue, host = CallbackQueue(VirtualClock()), _Host(404, None)
    for about in ("payment 1", "payment 2"):
        queue.put("https://host.example/secret-path", b"{}", about=about)
    queue.deliver(host.post)

    assert [record.getMessage() for record in caplog.records] == [
        "the host answered 404 to the callback about payment 1",
        "the host answered nothing to the callback about payment 2",
    ]
    assert "secret-path" not in caplog.text
