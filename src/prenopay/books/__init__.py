"""The books: tables, the pure rules of what may follow what, and transactions over both databases."""
