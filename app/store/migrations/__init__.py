"""The steps from older versions of the store's tables to the newest one, as Alembic revisions."""
