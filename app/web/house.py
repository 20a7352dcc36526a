"""What the tabs of a page share."""

from dataclasses import dataclass

from app.bots import Bots
from app.store import Store
from app.web.chats import Chats

__all__ = ["House"]


@dataclass(frozen=True, slots=True)
class House:
    """What the tabs of a page share.

    Attributes:
        bots: who replies.
        store: where chats are kept.
        chats: sends messages and keeps replies, for all tabs.
    """

    bots: Bots
    store: Store
    chats: Chats
