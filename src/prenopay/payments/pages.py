"""Says whether a page or a link may be offered to a payer (pure).

A page must be encrypted and at one of the gateway's own hosts; a link into an app has the scheme of an app.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from prenopay.provider.values import Created
from prenopay.provider.verbs import PaymentProvider
from prenopay.values.links import is_app_link

__all__ = ["strange_page"]

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def strange_page(gateway: PaymentProvider, created: Created) -> str:
    """Return what is wrong with the page, the script or the link that a gateway gave; empty if nothing is."""
    script = None if created.seamless_view is None else created.seamless_view.script_url
    for what, url in (("page", created.redirect_url), ("script", script)):
        if url is not None and not _is_gateways(gateway, url):
            return f"the {what} of the gateway's answer is not at one of the gateway's hosts: {_shown(url)}"
    link = None if created.app_switch is None else created.app_switch.app_url
    if link is not None and not (is_app_link(link) or _is_gateways(gateway, link)):
        return f"the link of the gateway's answer opens no app: {_shown(link)}"
    return ""


def _is_gateways(gateway: PaymentProvider, url: str) -> bool:
    try:
        parts = urlsplit(url)
        name, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return False
    if not (url.isascii() and url.isprintable()) or " " in url or "\\" in url or parts.username is not None:
        return False
    if parts.netloc.lower() in gateway.hosts:
        return parts.scheme == "https" or (parts.scheme == "http" and name in _LOOPBACK)
    known = any(name.endswith(host) if host.startswith(".") else name == host for host in gateway.page_hosts)
    return known and parts.scheme == "https" and port in {None, 443}


def _shown(url: str) -> str:
    """Return scheme and host: what follows may be secret."""
    try:
        parts = urlsplit(url)
        return repr(f"{parts.scheme[:20]}://{(parts.hostname or '')[:80]}")
    except ValueError:
        return "no readable address"
