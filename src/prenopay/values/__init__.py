"""Frozen, checked values: what hosts, providers and the books hand one another."""
