"""A payout's signature: over exactly the bytes of the payload as sent, hashed, and then signed as if it were a text."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

__all__ = ["is_payout_signature", "payload_bytes", "sign_payout"]

_SPACE: Final = " \t\r\n"


def is_payout_signature(key: rsa.RSAPublicKey, payload: bytes, signature: str) -> bool:
    """Say whether ``signature`` (base64) is Swish's double hash of ``payload``.

    That is RSASSA-PKCS1-v1_5 with SHA-512 over the 64 bytes of SHA-512 over the payload: the digest is
    hashed again. The guide is short on it (MSS user guide 2.0, §11.2); four clients that the simulator
    accepts do it so. A signature over the payload itself, or over a bare digest, is refused.
    """
    try:
        signed = base64.b64decode(signature, validate=True)
        key.verify(signed, hashlib.sha512(payload).digest(), padding.PKCS1v15(), hashes.SHA512())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def sign_payout(key: rsa.RSAPrivateKey, payload: bytes) -> str:
    """Return the signature that ``is_payout_signature`` accepts."""
    signed = key.sign(hashlib.sha512(payload).digest(), padding.PKCS1v15(), hashes.SHA512())
    return base64.b64encode(signed).decode()


def payload_bytes(body: bytes) -> bytes:
    """Return the bytes of the member ``payload`` as they stand in ``body``; raises ``ValueError`` if there is none.

    Nothing is re-encoded: key order, spacing and escapes are the sender's.
    """
    text, decoder = body.decode(), json.JSONDecoder()
    place = _past(text, 0, "{")
    found = b""
    while True:
        name, place = decoder.raw_decode(text, _skip(text, place))
        start = _skip(text, _past(text, place, ":"))
        _, place = decoder.raw_decode(text, start)
        if name == "payload":
            if found:
                message = "payload stands twice"
                raise ValueError(message)
            found = text[start:place].encode()
        place = _skip(text, place)
        if text[place : place + 1] != ",":
            break
        place += 1
    if not found:
        message = "there is no payload"
        raise ValueError(message)
    return found


def _skip(text: str, place: int) -> int:
    while place < len(text) and text[place] in _SPACE:
        place += 1
    return place


def _past(text: str, place: int, sign: str) -> int:
    place = _skip(text, place)
    if text[place : place + 1] != sign:
        message = f"{sign} is missing"
        raise ValueError(message)
    return place + 1
