"""What prenopay promises, shown through its public interface: each test in both colours and on both databases."""
