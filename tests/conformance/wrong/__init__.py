"""Providers that each break one rule, to prove that the rule would see it."""
