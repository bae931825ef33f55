"""The authority and the merchant's files of a served Swish, kept in a folder from one start to the next."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from prenopay.testing.emulators.swish.authority import KeyPurpose, SwishAuthority

__all__ = ["KEPT_IN", "kept_authority"]

KEPT_IN: Final = Path(".prenopay", "emulated-swish")
"""Where a served Swish keeps its files, in the folder in which it starts. Nothing in it is valid anywhere else."""
_AUTHORITY: Final = "authority.pem"
_FILES: Final = {
    "certificate": "merchant.pem",
    "private_key": "merchant.key",
    "pkcs12": "merchant.p12",
    "trust": "server-root.pem",
    "signing_certificate": "signing.pem",
    "signing_key": "signing.key",
}
"""What a merchant gets from the portal."""
_STILL_GOOD: Final = timedelta(days=1)


def kept_authority(folder: Path, number: str) -> tuple[SwishAuthority, dict[str, str]]:
    """Return the authority that ``folder`` keeps, and the paths of the merchant's files; makes what is not there.

    Files that are incomplete, of another number or about to expire are replaced. Raises ``OSError`` where nothing can
    be written.
    """
    authority = _again(folder, number)
    if authority is None:
        authority = SwishAuthority()
        _write(folder, authority, number)
    return authority, {key: str((folder / name).absolute()) for key, name in _FILES.items()}


def _again(folder: Path, number: str) -> SwishAuthority | None:
    """Return the authority of an earlier start, which knows what it issued; ``None`` if it is of no use."""
    try:
        kept = {name: (folder / name).read_bytes() for name in (_AUTHORITY, *_FILES.values())}
        authority = SwishAuthority(kept=kept[_AUTHORITY])
        tls = authority.adopt(kept["merchant.pem"], kept["merchant.key"], KeyPurpose.TLS)
        signing = authority.adopt(kept["signing.pem"], kept["signing.key"], KeyPurpose.SIGNING)
    except (FileNotFoundError, ValueError):
        return None
    until = datetime.now(UTC) + _STILL_GOOD
    fits = all(each.number == number and each.leaf.not_valid_after_utc > until for each in (tls, signing))
    return authority if fits and authority.server_root_pem == kept["server-root.pem"] else None


def _write(folder: Path, authority: SwishAuthority, number: str) -> None:
    """Write everything, readable by its owner only; the authority last, because without it the rest is of no use."""
    tls, signing = authority.issue(number), authority.issue(number, purpose=KeyPurpose.SIGNING)
    contents = {
        "merchant.pem": tls.chain_pem,
        "merchant.key": tls.key_pem,
        "merchant.p12": tls.pkcs12(),
        "server-root.pem": authority.server_root_pem,
        "signing.pem": signing.certificate_pem,
        "signing.key": signing.key_pem,
        ".gitignore": b"*\n",
        _AUTHORITY: authority.pem,
    }
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in (_AUTHORITY, *contents):
        (folder / name).unlink(missing_ok=True)
    for name, content in contents.items():
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
