"""What doctor finds and says, when the sweep looks, and how a QR code is drawn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from prenopay import PaymentState
from prenopay._blocking import run_blocking
from prenopay.errors import (
    ConfigurationError,
    InvalidOrder,
    NotSent,
    OutcomeUnknown,
    PrenopayError,
    ProviderUnavailable,
    Rejected,
    TransportError,
    UnexpectedAnswer,
)
from prenopay.ports import HttpResponse
from prenopay.provider import Probe
from prenopay.providers.swish import certificates, qr, qr_png, qr_svg

from .authority import NUMBER, issued
from .samples import (
    API,
    MISSING,
    MISSING_WITH_BODY,
    TOKEN,
    Script,
    answer,
    body_of,
    errors,
    payment,
    provider,
)

# Doctor


def probe(step: HttpResponse | Exception, **fields: Any) -> dict[str, Probe]:
    script = Script(step)
    found = {each.name: each for each in run_blocking(provider(**fields).probe(script))}
    (sent,) = script.sent
    assert (sent.method, sent.retry_safe) == ("GET", True)
    assert sent.url.startswith(f"{API}/v1/paymentrequests/")
    assert len(sent.url.rsplit("/", 1)[-1]) == 32
    return found


@pytest.mark.parametrize("missing", [MISSING, MISSING_WITH_BODY])
def test_nobodys_payment_proves_certificate_and_enrolment(
    missing: HttpResponse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "_BITS", 2048)
    found = probe(missing)
    assert all(each.ok for each in found.values())
    assert {"certificate", "certificate: number", "certificate: key", "certificate: chain", "credentials", "clock"} == (
        set(found)
    )


_LEAF_ONLY = issued().leaf_pem + issued().key_pem


@pytest.mark.parametrize(
    ("certificate", "name", "ok", "found", "fix"),
    [
        (issued().whole_pem, "certificate", True, "Testbanken Customer CA1 v2 for Swish", "prenopay swish csr"),
        (issued().whole_pem, "certificate: key", False, "RSA with", "4096"),
        (_LEAF_ONLY, "certificate: chain", False, "none", "append the two certificates"),
        (issued("1231181189").whole_pem, "certificate: number", False, NUMBER, "set number to 1231181189"),
        (issued("9871065216").whole_pem, "certificate: number", True, NUMBER, ""),  # a technical supplier
    ],
)
def test_a_certificate_is_examined(certificate: bytes, name: str, ok: bool, found: str, fix: str) -> None:  # noqa: FBT001 - a table
    probes = probe(MISSING, certificate=certificate)
    assert ok == probes[name].ok
    assert found in probes[name].found
    assert fix in probes[name].fix
    assert probes["certificate"].expires_at == issued().leaf.not_valid_after_utc


def test_a_signing_certificate_is_looked_through_too() -> None:
    signing = issued(key="signing")
    found = probe(MISSING, signing_certificate=signing.leaf_pem, signing_key=signing.key_pem)
    assert found["signing certificate"].expires_at is not None
    assert found["signing certificate: number"].ok
    assert "signing certificate: chain" not in found


@pytest.mark.parametrize(
    ("given", "fix"),
    [
        (answer(b"", 401), "portal.swish.nu"),
        (errors("PA01", status=403), "number is the one in the certificate"),
        (errors("UNKW"), "supplier"),
        (answer(b"", 500), ""),
        (answer(payment()), "base_url"),
    ],
)
def test_any_other_answer_names_the_fix(given: HttpResponse, fix: str) -> None:
    found = probe(given)["credentials"]
    assert not found.ok
    assert fix in found.fix


_REFUSED, _OTHER = ("refused the certificate", "both issuing certificates"), "certificate of the other environment"


@pytest.mark.parametrize(
    ("kind", "trouble", "found", "fix"),
    [
        (NotSent, "ConnectError: [SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] sslv3 alert handshake failure", *_REFUSED),
        (OutcomeUnknown, "ReadError: [SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] certificate required", *_REFUSED),
        (
            NotSent,
            "ConnectError: [SSL: CERTIFICATE_VERIFY_FAILED] unable to get",
            "does not trust",
            "root certificates",
        ),
        (NotSent, "ConnectError: [SSL: SSLV3_ALERT_CERTIFICATE_EXPIRED] certificate expired", "has expired", "renew"),
        (OutcomeUnknown, "ReadError: [SSL: SSLV3_ALERT_BAD_RECORD_MAC] bad record mac", _OTHER, "environment"),
        (OutcomeUnknown, "ReadError: [Errno 104] Connection reset by peer", _OTHER, "chain"),
        (NotSent, "ConnectError: [Errno -2] Name or service not known", "name is not found", "DNS"),
        (NotSent, "ConnectTimeout: timed out", "timed out", "port 443"),
    ],
)
def test_a_connection_that_fails_is_explained(kind: type[TransportError], trouble: str, found: str, fix: str) -> None:
    seen = probe(kind(f"probe: ({trouble})"))["connection"]
    assert not seen.ok
    assert found in seen.found
    assert fix in seen.fix


@pytest.mark.parametrize(
    ("stated", "read"),
    [
        ("Wed, 28 Oct 2026 12:00:00 GMT", datetime(2026, 10, 28, 12, tzinfo=UTC)),
        ("Wed, 28 Oct 2026 12:00:00 -0000", datetime(2026, 10, 28, 12, tzinfo=UTC)),
        ("noon", None),
        ("", None),
    ],
)
def test_the_gateways_clock_is_told(stated: str, read: datetime | None) -> None:
    assert read == probe(answer(b"", 404, date=stated))["clock"].gateway_time


# The sweep


@pytest.mark.parametrize(
    ("state", "age", "pause"),
    [
        (PaymentState.PENDING, timedelta(0), timedelta(seconds=15)),
        (PaymentState.PENDING, timedelta(minutes=11), timedelta(minutes=5)),
        (PaymentState.UNKNOWN, timedelta(hours=2), timedelta(hours=1)),
        (PaymentState.UNKNOWN, timedelta(days=2), timedelta(days=1)),
        (PaymentState.UNKNOWN, timedelta(days=31), timedelta(days=1)),
        (PaymentState.CAPTURED, timedelta(0), None),
        (PaymentState.DECLINED, timedelta(0), None),
    ],
)
def test_the_sweep_looks_while_there_is_something_to_see(
    state: PaymentState, age: timedelta, pause: timedelta | None
) -> None:
    assert pause == provider().next_check(state, age)


# QR codes


@pytest.mark.parametrize(
    ("image", "asked"),
    [("svg", {"token": TOKEN, "format": "svg"}), ("png", {"token": TOKEN, "format": "png", "size": 300})],
)
@pytest.mark.parametrize("status", [200, 201])
def test_the_service_draws(image: str, asked: dict[str, object], status: int) -> None:
    script = Script(answer(b"<svg/>", status))
    assert run_blocking(provider().draw_qr(script, TOKEN, image=image)) == b"<svg/>"
    (sent,) = script.sent
    assert (sent.method, sent.url) == ("POST", "https://mpc.getswish.net/qrg-swish/api/v1/commerce")
    assert asked == body_of(sent)


@pytest.mark.parametrize(
    ("step", "image", "kind"),
    [
        (answer(b""), "jpg", InvalidOrder),
        (answer(b"", 400), "svg", Rejected),
        (answer(b"", 500), "svg", ProviderUnavailable),
        (answer(b""), "svg", UnexpectedAnswer),
    ],
)
def test_what_cannot_be_drawn_says_why(step: HttpResponse, image: str, kind: type[PrenopayError]) -> None:
    with pytest.raises(kind):
        run_blocking(provider().draw_qr(Script(step), TOKEN, image=image))


def test_a_code_can_be_drawn_here() -> None:
    assert qr_svg(qr.qr_content(TOKEN)).startswith("<svg")
    assert qr_svg(qr.qr_content(TOKEN)).endswith("</svg>")
    assert qr_png(qr.qr_content(TOKEN)).startswith(b"\x89PNG")
    assert TOKEN not in qr_svg(qr.qr_content(TOKEN))


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "segno", None)
    with pytest.raises(ConfigurationError, match=r"prenopay\[qr\]"):
        qr_svg("x")


@pytest.mark.parametrize(
    ("token", "return_url", "url"),
    [
        ("abc", "", "swish://paymentrequest?token=abc"),
        ("-P3/R+v=", "", "swish://paymentrequest?token=-P3%2FR%2Bv%3D"),
        (
            "abc",
            "https://a.example/r?o=1&x=å",
            "swish://paymentrequest?token=abc&callbackurl=https%3A%2F%2Fa.example%2Fr%3Fo%3D1%26x%3D%C3%A5",
        ),
    ],
)
def test_a_link_is_encoded_once(token: str, return_url: str, url: str) -> None:
    assert url == qr.app_url(token, return_url)
