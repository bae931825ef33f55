"""What keeps the code readable, and the repository fit to be shown."""
