"""The handshake: leaf and both issuers are shown, only trusted servers are spoken to, and no key stays on disk."""

from __future__ import annotations

import functools
import ssl
import sys
import tempfile
from pathlib import Path

import pytest

from prenopay.errors import ConfigurationError
from prenopay.providers.swish import Swish, certificates

from .authority import certificate, issued, key_pem, pem, rsa_key
from .samples import config

_HOST = "swish.example"


@functools.cache
def server_root() -> bytes:
    return pem(certificate("Public Root", rsa_key("public root"), by=("Public Root", rsa_key("public root"))))


def server(folder: Path, *, least: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2) -> ssl.SSLContext:
    """Return a gateway's context: it wants a client certificate that leads to Swish's root."""
    leaf = certificate(
        _HOST, rsa_key("server"), by=("Public Root", rsa_key("public root")), is_authority=False, host=_HOST
    )
    file = folder / "server.pem"
    file.write_bytes(pem(leaf) + key_pem(rsa_key("server")))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    context.load_verify_locations(cadata=pem(issued().root).decode())
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = max(least, ssl.TLSVersion.TLSv1_2)
    return context


def shake(ours: ssl.SSLContext, theirs: ssl.SSLContext) -> str | None:
    """Shake hands in memory; return the TLS version, or raise what either side objects to."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ours.wrap_bio(to_client, to_server, server_hostname=_HOST)
    gateway = theirs.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(10):
        for side in (client, gateway):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert gateway.getpeercert(binary_form=True) is not None
    return client.version()


def account(**fields: object) -> Swish:
    return config(base_url="https://swish.example", trust=server_root(), **fields)


def test_leaf_and_both_issuers_are_shown(tmp_path: Path) -> None:
    assert shake(account().tls(), server(tmp_path)) == "TLSv1.2"


def test_tls_1_3_is_spoken_where_the_gateway_does(tmp_path: Path) -> None:
    assert shake(account().tls(), server(tmp_path, least=ssl.TLSVersion.TLSv1_3)) == "TLSv1.3"


def test_a_leaf_alone_is_refused(tmp_path: Path) -> None:
    alone = account(certificate=issued().leaf_pem + issued().key_pem)
    with pytest.raises(ssl.SSLError):
        shake(alone.tls(), server(tmp_path))


def test_a_server_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(config().tls(), server(tmp_path))


def test_nothing_older_than_tls_1_2_is_spoken() -> None:
    context = config().tls()
    expected = (ssl.TLSVersion.TLSv1_2, ssl.CERT_REQUIRED, True)
    assert expected == (context.minimum_version, context.verify_mode, context.check_hostname)


@pytest.mark.parametrize("trust", [b"no PEM", b"\xff", pem(issued().root)[:100]], ids=["no PEM", "no text", "cut off"])
def test_trust_that_cannot_be_read_says_so(trust: bytes) -> None:
    with pytest.raises(ConfigurationError, match="trust: must hold root certificates as PEM"):
        config(base_url="https://swish.example", trust=trust).tls()


def test_no_key_stays_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    config().tls()
    assert not list(tmp_path.iterdir())


def test_where_there_are_no_files_in_memory_one_is_gone_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(certificates, "_MEMORY_FILES", tmp_path / "nowhere")
    modes: list[int] = []
    load = ssl.SSLContext.load_cert_chain

    def watched(self: ssl.SSLContext, file: str) -> None:
        modes.append(Path(file).stat().st_mode & 0o777)
        load(self, file)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", watched)
    config().tls()
    assert modes == [0o600]
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="files in memory are Linux's")
def test_the_file_in_memory_is_closed() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        config().tls()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
