"""The session store: chats that are kept, each its owner's alone; the only SQL of the project."""

from app.store.records import Role, StoredMessage, StoredSession
from app.store.store import Store

__all__ = ["Role", "Store", "StoredMessage", "StoredSession"]
