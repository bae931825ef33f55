"""Payouts: money that the merchant sends to someone."""
