"""The documentation: its examples run, its pages build, its reference is whole."""
