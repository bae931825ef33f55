"""A small newspaper's shop: what a publisher builds with prenopay, whole and short enough to read."""
