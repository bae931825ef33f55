"""The rules of the suite, by subject; each is a test whose first line says the rule."""
