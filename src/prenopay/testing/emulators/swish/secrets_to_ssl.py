"""Hands certificates and keys that are in memory to ``ssl``, which reads files only."""

from __future__ import annotations

import os
import ssl
import tempfile
from pathlib import Path

__all__ = ["load_pair"]


def load_pair(context: ssl.SSLContext, certificates_pem: bytes, key_pem: bytes) -> None:
    """Have ``context`` present the certificates; the file is readable by its owner only, and gone at once."""
    descriptor, name = tempfile.mkstemp(suffix=".pem")  # made with mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key_pem + certificates_pem)
        context.load_cert_chain(name)
    finally:
        Path(name).unlink()
