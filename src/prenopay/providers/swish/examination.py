"""What ``prenopay doctor`` finds: the certificates looked through, and the gateway's first answer explained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from prenopay.errors import TransportError
from prenopay.ports import HttpResponse
from prenopay.provider import Probe
from prenopay.providers.swish.certificates import Credentials, common_name
from prenopay.providers.swish.refusals import read_refusal

__all__ = ["examine", "explain_answer", "explain_trouble"]

_BITS: Final = 4096
_SUPPLIER: Final = "987"
"""Begins the numbers of technical suppliers, who act for merchants that named them at the bank."""
_CHAIN_LEAST: Final = 2

_RENEW: Final = (
    "renew it: make a new key and request with 'prenopay swish csr', order the certificate in portal.swish.nu, "
    "and put both in the settings"
)
_APPEND: Final = (
    "append the two certificates above it (Customer CA, then Root CA of the bank) to the PEM file, in any order: "
    "they stand in the file that portal.swish.nu gives out; without them Swish drops the connection"
)

_TROUBLES: Final[Sequence[tuple[tuple[str, ...], str, str]]] = (
    (
        ("certificate_verify_failed", "certificate verify failed", "self-signed", "unable to get local issuer"),
        "this machine does not trust the gateway's certificate",
        "update the system's root certificates (or certifi), and for an emulator set trust to its root",
    ),
    (
        ("certificate expired", "certificate_expired"),
        "the gateway says that the certificate has expired",
        _RENEW,
    ),
    (
        ("bad record mac", "bad_record_mac", "connection reset", "connectionreset", "errno 104"),
        "the gateway broke the connection off in the handshake: so it does with the other environment's certificate",
        "check that the certificate belongs to this environment; if it does, that its chain is complete",
    ),
    (
        (
            "handshake failure",
            "handshake_failure",
            "certificate required",
            "unknown ca",
            "unknown_ca",
            "bad certificate",
            "bad_certificate",
            "certificate unknown",
            "certificate_unknown",
            "server disconnected",
        ),
        "the gateway refused the certificate in the handshake",
        "send the leaf with both issuing certificates, of this environment, not revoked in portal.swish.nu",
    ),
    (
        ("name or service not known", "nodename nor servname", "temporary failure in name resolution", "getaddrinfo"),
        "the gateway's name is not found",
        "check this machine's name resolution (DNS)",
    ),
)
"""(what stands in the transport's error, what it means, what to do); sources: integrators' reports."""


def examine(credentials: Credentials, number: str, *, what: str, is_shown: bool) -> tuple[Probe, ...]:
    """Look through a certificate; ``what`` begins each finding's name. One that only signs needs no chain."""
    leaf, chain = credentials.leaf, credentials.chain
    issuer = common_name(leaf.issuer)
    stands = Probe(
        name=what,
        ok=True,
        found=f"issued by {issuer}, serial {credentials.serial}, valid to {credentials.expires_at:%Y-%m-%d}",
        fix=_RENEW,
        expires_at=credentials.expires_at,
    )
    bits = credentials.key.key_size
    size = Probe(
        name=f"{what}: key",
        ok=bits >= _BITS,
        found=f"RSA with {bits} bits",
        fix="" if bits >= _BITS else f"Swish wants RSA with {_BITS} bits: make a new key with 'prenopay swish csr'",
    )
    if not is_shown:
        return (stands, _number(credentials, number, what), size)
    names = ", ".join(common_name(each.subject) for each in chain) or "none"
    complete = len(chain) >= _CHAIN_LEAST
    above = Probe(
        name=f"{what}: chain",
        ok=complete,
        found=f"{len(chain)} issuing certificates: {names}",
        fix="" if complete else _APPEND,
    )
    return (stands, _number(credentials, number, what), size, above)


def explain_answer(answer: HttpResponse) -> Probe:
    """Say what the answer to a question about nobody's payment shows: 404 proves certificate and enrolment."""
    name = "credentials"
    if answer.status == 404:  # noqa: PLR2004 - Not Found
        return Probe(name=name, ok=True, found="the gateway knows the certificate and the number")
    found = f"the gateway answered {answer.status}"
    if 200 <= answer.status < 300:  # noqa: PLR2004 - success
        return Probe(name=name, ok=False, found=f"{found} to a question about nobody's payment", fix="check base_url")
    error = read_refusal(answer, "probe").error()
    said = "; ".join(text for _, text in error.problems)
    return Probe(name=name, ok=False, found=f"{found}: {said}" if said else found, fix=error.advice)


def explain_trouble(error: TransportError) -> Probe:
    """Say what a connection that failed most likely means."""
    text = str(error).lower()
    for words, found, fix in _TROUBLES:
        if any(word in text for word in words):
            return Probe(name="connection", ok=False, found=f"{found} ({error})", fix=fix)
    fix = "check that this machine may reach the gateway on port 443; a certificate refused can look like this too"
    return Probe(name="connection", ok=False, found=str(error), fix=fix)


def _number(credentials: Credentials, number: str, what: str) -> Probe:
    theirs = credentials.number
    if theirs == number:
        return Probe(name=f"{what}: number", ok=True, found=f"for {theirs}")
    if theirs.startswith(_SUPPLIER):
        found = f"of the technical supplier {theirs}, who must be named for {number} at its bank"
        return Probe(name=f"{what}: number", ok=True, found=found)
    fix = f"set number to {theirs}, or use the certificate of {number}" if theirs else "use another certificate"
    return Probe(name=f"{what}: number", ok=False, found=f"for {theirs or 'nobody'}, the account is {number}", fix=fix)
