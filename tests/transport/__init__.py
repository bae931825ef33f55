"""Real sockets on loopback: what the sender does when the wire works, and when it does not."""
