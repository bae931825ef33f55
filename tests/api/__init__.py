"""The shape of the public interface, and of what is shipped."""
