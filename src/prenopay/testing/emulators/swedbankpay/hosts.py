"""The gateway's own host names, and the origins that its links begin with."""

from __future__ import annotations

import dataclasses
from urllib.parse import urlsplit

from prenopay.testing.emulators.swedbankpay.behaviour import Brand
from prenopay.testing.http import EmulatorRequest

__all__ = ["Hosts"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """The gateway's own host names: a caller who uses them gets links with them."""

    api: str
    page: str

    def all(self) -> frozenset[str]:
        """Return both hosts under both brands."""
        return frozenset(self._branded(host, brand) for host in (self.api, self.page) for brand in Brand)

    def origins(self, request: EmulatorRequest, brand: Brand) -> tuple[str, str]:
        """Return the origins of API and page links: on a socket, where the caller reached us."""
        if urlsplit(request.origin).netloc not in self.all():
            return request.origin, request.origin
        return f"https://{self._branded(self.api, brand)}", f"https://{self._branded(self.page, brand)}"

    def _branded(self, host: str, brand: Brand) -> str:
        for other in Brand:
            host = host.removesuffix(other) + brand if host.endswith(f".{other}") else host
        return host
