"""Payments: created, observed, captured, cancelled, refunded; and drawn on mandates."""
