"""What prenopay promises, through its public interface: each test in both colours and on both databases."""
