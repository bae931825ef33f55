"""The gateways prenopay speaks to, a folder each; they know nothing of one another."""
