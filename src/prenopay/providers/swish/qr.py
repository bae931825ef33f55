"""Ways into the app: the link for a phone, and for a desktop the QR code, as content or drawn."""

from __future__ import annotations

import io
from types import ModuleType
from typing import Final
from urllib.parse import quote

from prenopay._arguments import check_arguments, refuse_argument
from prenopay._hidden import raise_alone
from prenopay.errors import ConfigurationError
from prenopay.values.payments import AppSwitch

__all__ = ["app_switch", "app_url", "qr_content", "qr_png", "qr_svg"]

_COMMERCE: Final = "D"
"""The content of a code with a payment request's token begins with it (two integrators)."""
_BORDER: Final = 4
"""The quiet zone of ISO/IEC 18004, in modules."""


def app_switch(token: str, return_url: str) -> AppSwitch:
    """Return every way into the app for the payment of ``token``."""
    return AppSwitch(token=token, app_url=app_url(token, return_url), qr_content=qr_content(token))


def app_url(token: str, return_url: str = "") -> str:
    """Return the link that opens the app, which then returns to ``return_url``.

    The URL is encoded once, as integrators do; one example in an older guide encodes it twice.
    """
    link = f"swish://paymentrequest?token={quote(token, safe='')}"
    return f"{link}&callbackurl={quote(return_url, safe='')}" if return_url else link


def qr_content(token: str) -> str:
    """Return what the QR code holds."""
    return _COMMERCE + token


@check_arguments(refuse_argument)
def qr_svg(content: str, *, scale: int = 8) -> str:
    """Draw ``AppSwitch.qr_content`` as an SVG for a page; needs the extra ``qr``."""
    drawn = io.BytesIO()
    code = _segno().make(content, error="h", micro=False)
    code.save(drawn, kind="svg", scale=scale, border=_BORDER, xmldecl=False, title="Swish")
    return drawn.getvalue().decode().strip()


@check_arguments(refuse_argument)
def qr_png(content: str, *, scale: int = 8) -> bytes:
    """Draw ``AppSwitch.qr_content`` as a PNG; needs the extra ``qr``."""
    drawn = io.BytesIO()
    _segno().make(content, error="h", micro=False).save(drawn, kind="png", scale=scale, border=_BORDER)
    return drawn.getvalue()


def _segno() -> ModuleType:
    """Return the library, which only hosts that draw codes themselves need."""
    try:
        import segno  # noqa: PLC0415 - optional
    except ImportError:
        message = "drawing QR codes needs segno: pip install 'prenopay[qr]', or let Swish draw with draw_qr"
        raise_alone(ConfigurationError(message))
    return segno
