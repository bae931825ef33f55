"""What is said to Swish and how its answers are read, over a scripted wire."""
