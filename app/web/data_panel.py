"""The two switches of everybody: whether new chats are kept, and whether models may learn from them.

They are kept with the owner, so that they hold in every tab and, for users, in every browser.
"""

from dataclasses import replace
from typing import Any

import gradio as gr

from app.web.house import Greeting, House
from app.web.words import label
from dialog.errors import DialogError

__all__ = ["build_data_panel"]


def build_data_panel(house: House) -> None:
    """Builds the panel inside the open Blocks."""
    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    with gr.Accordion(label("data.title"), open=False, elem_id="data"), gr.Row():
        keep = gr.Checkbox(True, label=label("data.keep"), info=label("data.keep_info"), elem_id="data-keep")
        learn = gr.Checkbox(
            False, label=label("data.learn"), info=label("data.learn_info"), elem_id="data-learn"
        )

    def chosen_before(request: gr.Request) -> tuple[bool, bool]:
        try:
            chosen = house.store.owner_settings(house.chats.owner(request))
        except DialogError:  # the browser's first visit, or it keeps no cookie
            return True, False
        return chosen.store, chosen.learn

    def choose(kept: bool, learned: bool, request: gr.Request) -> None:
        owner = house.chats.owner(request)
        chosen = replace(house.store.owner_settings(owner), store=bool(kept), learn=bool(learned))
        house.store.set_owner_settings(owner, chosen)

    house.greetings.append(Greeting(chosen_before, [keep, learn]))
    for box in (keep, learn):
        box.input(choose, [keep, learn], None, **private)
