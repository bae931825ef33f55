"""Payments: created, observed, captured, cancelled and refunded, and charged on mandates."""
