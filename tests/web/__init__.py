"""The callback apps: called raw, mounted in a framework, and served on real sockets."""
