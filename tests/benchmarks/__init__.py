"""The benchmarks count right, and the goals that do not depend on the machine are kept."""
