"""What type checkers make of a host's code: right uses pass, wrong ones do not."""
