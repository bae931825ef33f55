"""Real sockets on loopback: what the sender does when the wire behaves, and when it does not."""
