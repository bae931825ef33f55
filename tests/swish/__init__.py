"""Swish through the whole core: both colours, both databases, an emulated gateway, and real mutual TLS."""
