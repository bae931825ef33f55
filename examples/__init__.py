"""Examples that run: begin with ``python -m examples.publisher_shop``."""
