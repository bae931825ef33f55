"""Alembic's home: run by ``prenopay db upgrade``, never at import. Expand and contract only."""
