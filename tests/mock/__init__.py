"""The mock provider: what a host's unit tests rely on, in both colours."""
