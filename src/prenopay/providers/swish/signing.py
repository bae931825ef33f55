"""A payout's signature, over exactly the bytes of the payload that is sent.

    digest    = SHA-512(payload)                                   64 raw bytes
    signature = base64(RSASSA-PKCS1-v1_5 with SHA-512 over digest)  the digest is hashed again

The guide says "hash with SHA-512, then sign the hash with RSA" (MSS guide, section 11.2), which can mean three
things; four public clients that the simulator accepts do it in this way.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from prenopay._hidden import HiddenBytes

__all__ = ["is_signature", "sealed", "sign"]


def sign(key: rsa.RSAPrivateKey, payload: bytes) -> str:
    """Return the signature of ``payload``, in base 64."""
    digest = hashlib.sha512(payload).digest()
    return base64.b64encode(key.sign(digest, padding.PKCS1v15(), hashes.SHA512())).decode("ascii")


def is_signature(key: rsa.RSAPublicKey, payload: bytes, signature: str) -> bool:
    """Whether ``signature`` is what ``sign`` returns for ``payload``."""
    try:
        signed = base64.b64decode(signature, validate=True)
        key.verify(signed, hashlib.sha512(payload).digest(), padding.PKCS1v15(), hashes.SHA512())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def sealed(payload: bytes, signature: str, **others: str | None) -> HiddenBytes:
    """Return the body: the payload's own bytes, never encoded a second time, and the other members."""
    members = {name: value for name, value in {**others, "signature": signature}.items() if value is not None}
    rest = json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()
    return HiddenBytes(b'{"payload":' + payload + b"," + rest[1:])
