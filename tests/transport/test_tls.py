"""TLS: requests go only to a certificate that the caller trusts; nothing is sent to any other."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import timedelta

import pytest

from prenopay.errors import NotSent, TransportError
from tests.transport.caller import Caller, get, post
from tests.transport.certificates import Authority
from tests.transport.gateway import Gateway, Line, answer, answering


def test_a_gateway_is_called_when_its_authority_is_trusted(
    call: Callable[..., Caller],
    serve: Callable[..., Gateway],
    server_tls: ssl.SSLContext,
    trusting: ssl.SSLContext,
) -> None:
    gateway = serve(answering(answer(b"secret")), tls=server_tls)
    caller = call(tls=trusting)
    assert [caller.send(get(gateway.url)).body for _ in range(3)] == [b"secret"] * 3
    assert gateway.accepted == 1


def refused(caller: Caller, gateway: Gateway, why: str) -> None:
    with pytest.raises(NotSent, match=why) as caught:
        caller.send(post(gateway.url, headers=(("authorization", "Bearer hunter2"),)))
    assert "hunter2" not in str(caught.value)
    assert gateway.requests == []


def test_an_authority_that_nobody_trusts_is_named_as_the_reason(
    caller: Caller,
    serve: Callable[..., Gateway],
    server_tls: ssl.SSLContext,
) -> None:
    refused(caller, serve(answering(answer()), tls=server_tls), "certificate verify failed: unable to get local issuer")


def test_another_authority_of_the_same_name_is_not_trusted(
    call: Callable[..., Caller],
    serve: Callable[..., Gateway],
    server_tls: ssl.SSLContext,
) -> None:
    gateway = serve(answering(answer()), tls=server_tls)
    refused(call(tls=Authority().trusting()), gateway, "certificate verify failed")


def test_a_certificate_for_another_name_is_refused(
    call: Callable[..., Caller],
    serve: Callable[..., Gateway],
    authority: Authority,
    trusting: ssl.SSLContext,
) -> None:
    gateway = serve(answering(answer()), tls=authority.server(name="gateway.example"))
    refused(call(tls=trusting), gateway, "IP address mismatch")


def test_a_certificate_that_has_run_out_is_refused(
    call: Callable[..., Caller],
    serve: Callable[..., Gateway],
    authority: Authority,
    trusting: ssl.SSLContext,
) -> None:
    gateway = serve(answering(answer()), tls=authority.server(ends=timedelta(hours=-1)))
    refused(call(tls=trusting), gateway, "certificate has expired")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_an_old_version_of_tls_is_refused(
    caller: Caller,
    serve: Callable[..., Gateway],
    authority: Authority,
) -> None:
    old = authority.server()
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    refused(caller, serve(answering(answer()), tls=old), "(?i)protocol.version")


def test_a_server_that_does_not_speak_tls_gets_nothing(caller: Caller, serve: Callable[..., Gateway]) -> None:
    def talk(line: Line) -> None:
        line.say(answer(b"hello", status=400))
        line.wait_for_the_end()

    gateway = serve(talk)
    with pytest.raises(NotSent):
        caller.send(post(gateway.url.replace("http:", "https:")))


def test_a_gateway_that_wants_to_know_its_callers_knows_ours(
    call: Callable[..., Caller],
    serve: Callable[..., Gateway],
    authority: Authority,
) -> None:
    callers = Authority("Callers")
    gateway = serve(answering(answer(b"known")), tls=authority.server(wants_callers_of=callers))
    known = authority.trusting()
    callers.introduce(known, "shop.example")
    assert call(tls=known).send(get(gateway.url)).body == b"known"


@pytest.mark.parametrize("known_elsewhere", [False, True])
def test_a_gateway_that_does_not_know_its_caller_reads_nothing(
    call: Callable[..., Caller],
    serve: Callable[..., Gateway],
    authority: Authority,
    *,
    known_elsewhere: bool,
) -> None:
    gateway = serve(answering(answer()), tls=authority.server(wants_callers_of=Authority("Callers")))
    stranger = authority.trusting()
    if known_elsewhere:
        authority.introduce(stranger, "shop.example")
    with pytest.raises(TransportError):
        call(tls=stranger).send(get(gateway.url))
    assert gateway.requests == []
