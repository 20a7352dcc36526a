"""What the tabs of a page share."""

from dataclasses import dataclass, field

import gradio as gr

from app.bots import Bots
from app.store import Store
from app.trainings import Trainings
from app.web.chats import Chats

__all__ = ["House"]


@dataclass(frozen=True, slots=True)
class House:
    """What the tabs of a page share.

    Attributes:
        bots: who replies.
        store: where chats are kept.
        chats: sends messages and keeps replies, for all tabs.
        trainings: those below the folder of runs.
        menus: of models; each tab that has one adds it, so that it follows what is loaded and unloaded.
    """

    bots: Bots
    store: Store
    chats: Chats
    trainings: Trainings
    menus: list[gr.Dropdown] = field(default_factory=list)
