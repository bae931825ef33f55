"""Charging again and again: what the card schemes allow, and (pure functions only) when."""
