"""What Swish is sent, and how its answers are read."""
