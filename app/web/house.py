"""What the tabs of a page share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from app.bots import Bots
from app.store import Store
from app.trainings import Trainings
from app.web.chats import Chats

__all__ = ["Greeting", "House"]


@dataclass(frozen=True, slots=True)
class House:
    """What the tabs of a page share.

    Attributes:
        bots: who replies.
        store: where chats are kept.
        chats: sends messages and keeps replies, for all tabs.
        trainings: those below the folder of runs.
        page: being built; a tab may use its load event.
        menus: of models; each tab that has one adds it, so that it follows what is loaded and unloaded.
        greetings: what is told to a page that opens, in one event, for each costs the browser time.
    """

    bots: Bots
    store: Store
    chats: Chats
    trainings: Trainings
    page: gr.Blocks
    menus: list[gr.Dropdown] = field(default_factory=list)
    greetings: "list[Greeting]" = field(default_factory=list)

    def greet(self) -> None:
        """Makes the event that tells a page which opens what the tabs have to say."""

        def greeted(request: gr.Request) -> list[Any]:
            return [value for greeting in self.greetings for value in greeting.values(request)]

        outputs = [output for greeting in self.greetings for output in greeting.outputs]
        self.page.load(greeted, None, outputs, queue=False, api_visibility="private", show_progress="hidden")


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a tab tells a page that opens; it raises nothing.

    Attributes:
        values: returns one for each output.
        outputs: components.
    """

    values: Callable[[gr.Request], Sequence[Any]]
    outputs: Sequence[Any]
