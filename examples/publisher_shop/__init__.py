"""A small newspaper's shop: everything a publisher builds with prenopay, short enough to read."""
