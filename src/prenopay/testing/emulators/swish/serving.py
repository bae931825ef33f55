"""Serves the emulated Swish as Swish is reached: mutual TLS for merchants, a plain port for the payer's phone.

::

    with serve_swish(emulator) as served:
        print(served.api.url, served.phone.url)  # https://127.0.0.1:49152 http://127.0.0.1:49153
"""

from __future__ import annotations

import json
import os
import shutil
import ssl
import sys
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prenopay.testing.callbacks import Post, posting_without_name
from prenopay.testing.control import CONTROL_PREFIX
from prenopay.testing.emulators.swish.authority import KeyPurpose, SwishAuthority
from prenopay.testing.emulators.swish.calls import PHONE_PATH
from prenopay.testing.server import Served, serve

if TYPE_CHECKING:
    from prenopay.testing.emulators.swish.emulator import SwishEmulator

__all__ = ["ServedSwish", "serve_swish", "serve_swish_forever"]

_WELCOME: Final = """\
An emulated Swish answers until you press Ctrl-C. No money moves.

  merchants (mutual TLS)  {url}
  the payer's phone       {phone}

The merchant's files are in {folder} and go when the emulator ends. For a prenopay.toml:

  [accounts.swish]
  provider = "swish"
  environment = "test"
  number = "{number}"
  base_url = "{url}"
  certificate = "file:{certificate}"
  private_key = "file:{private_key}"
  trust = "file:{trust}"

Control it (payments, faults, clock, callbacks) at {control}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedSwish:
    """Where merchants call, and where the phone's pages, QR codes and the control API are."""

    api: Served
    phone: Served


@contextmanager
def serve_swish(
    emulator: SwishEmulator,
    *,
    port: int = 0,
    phone_port: int = 0,
    host: str = "127.0.0.1",
    deliver_callbacks: bool = True,
    callback_trust: ssl.SSLContext | None = None,
    most: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
) -> Generator[ServedSwish, None, None]:
    """Serve both until the block ends.

    Callbacks go out over https without a server name, as Swish's do, to hosts that ``callback_trust``
    trusts (as given, the well-known authorities).
    """
    tls = emulator.authority.server_tls(hosts=sorted({host, "localhost", "127.0.0.1"}), most=most)
    post: Post = posting_without_name(callback_trust or ssl.create_default_context())
    with (
        serve(emulator, port=port, host=host, tls=tls, deliver_callbacks=deliver_callbacks, post=post) as api,
        serve(emulator.phone, port=phone_port, host=host, deliver_callbacks=False) as phone,
    ):
        yield ServedSwish(api=api, phone=phone)


def serve_swish_forever(emulator: SwishEmulator, *, port: int, as_json: bool) -> None:
    """Serve until Ctrl-C; certificate, key and trust stand in a folder of their own as long."""
    folder = Path(tempfile.mkdtemp(prefix="prenopay-swish-"))  # readable by its owner only
    try:
        files = _write_files(folder, emulator.authority, emulator.merchants[0].number)
        phone_port = port + 1 if port else 0
        with serve_swish(emulator, port=port, phone_port=phone_port) as served, suppress(KeyboardInterrupt):
            members = {
                "url": served.api.url,
                "phone": f"{served.phone.url}{PHONE_PATH}",
                "control": f"{served.phone.url}{CONTROL_PREFIX}",
                "number": emulator.merchants[0].number,
                "folder": str(folder),
                **files,
            }
            sys.stdout.write(f"{json.dumps(members) if as_json else _WELCOME.format(**members)}\n")
            sys.stdout.flush()
            threading.Event().wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write_files(folder: Path, authority: SwishAuthority, number: str) -> dict[str, str]:
    """Write what a merchant has in hand after a visit to the portal; returns where."""
    tls = authority.issue(number)
    signing = authority.issue(number, purpose=KeyPurpose.SIGNING)
    contents = {
        "certificate": ("merchant.pem", tls.chain_pem),
        "private_key": ("merchant.key", tls.key_pem),
        "pkcs12": ("merchant.p12", tls.pkcs12()),
        "trust": ("server-root.pem", authority.server_root_pem),
        "signing_certificate": ("signing.pem", signing.certificate_pem),
        "signing_key": ("signing.key", signing.key_pem),
    }
    return {name: _write(folder / file, content) for name, (file, content) in contents.items()}


def _write(path: Path, content: bytes) -> str:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return str(path)
