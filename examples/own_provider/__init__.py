"""A provider of one's own, for an invented gateway called Nordpay: provider, gateway, conformance."""
