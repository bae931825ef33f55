"""The pytest plugin: its fixtures, what they cost, and host projects that use them in a pytest of their own."""
