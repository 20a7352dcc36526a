"""The store: chats, users, feedback, battles, each its owner's alone; the only SQL of the project."""

from app.store.access import ApiKey, User
from app.store.administration import ListedSession
from app.store.battles import Choice, StoredBattle, Vote
from app.store.export import line_of
from app.store.feedback import Feedback
from app.store.imports import Imported
from app.store.owners import OwnerSettings
from app.store.records import Kind, Role, StoredMessage, StoredSession
from app.store.search import FoundMessage
from app.store.store import Store
from app.store.temporary import Stores, TemporaryStore

__all__ = [
    "ApiKey",
    "Choice",
    "Feedback",
    "FoundMessage",
    "Imported",
    "Kind",
    "ListedSession",
    "OwnerSettings",
    "Role",
    "Store",
    "StoredBattle",
    "StoredMessage",
    "StoredSession",
    "Stores",
    "TemporaryStore",
    "User",
    "Vote",
    "line_of",
]
