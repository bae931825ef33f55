"""Examples that run: start with ``python -m examples.publisher_shop``."""
