"""Mandates: a payer's standing consents, their tokens, and what time and declines do to them."""
