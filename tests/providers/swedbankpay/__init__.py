"""What Swedbank Pay is sent, and how its answers are read."""
