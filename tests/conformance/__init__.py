"""The conformance suite, kept by every provider here, and by none of the wrong ones."""
