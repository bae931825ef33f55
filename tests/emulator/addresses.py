"""Addresses that no gateway can call from the internet."""

from __future__ import annotations

from typing import Final

PRIVATE: Final = (
    "https://localhost/cb",
    "https://shop.localhost/cb",
    "https://127.0.0.1/cb",
    "https://[::1]/cb",
    "https://10.1.2.3/cb",
    "https://192.168.1.7:8443/cb",
    "https://169.254.0.1/cb",
    "https://shop/cb",
    "https://shop.local./cb",
    "https://SHOP.INTERNAL/cb",
)
