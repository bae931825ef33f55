"""The payer's phone, as HTML pages."""
