"""The tab that says why a reply came about: attention, the next most probable tokens, and which turns count."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any

import gradio as gr

from app.web.drawing import escape
from app.web.house import House
from app.web.language import language_of
from app.web.model_menu import model_menu
from app.web.why_drawing import draw_choices, draw_why
from app.web.whys import Choices, Why, Whys
from app.web.words import label, say
from app.web.words.sentences import tell
from dialog.errors import DialogError, StoreError

__all__ = ["build_why_tab"]

_AT_ONCE = 2
"""Replies that are looked at, of all people together; the others wait for their turn."""


class _Handlers:
    """What the tab's lists and buttons do; ids come from the browser, and are checked against their owner."""

    def __init__(self, house: House) -> None:
        self._chats = house.chats
        self._whys = Whys(house.bots, house.chats)

    async def act(self, action: str, request: gr.Request) -> AsyncGenerator[tuple[Any, Any], None]:
        """Shows the lists, the replies of a chat, or a reply; yields the lists, and what is told of the reply."""
        try:
            asked = json.loads(action or "{}")
            do, session_id, message_id = (str(asked.get(key) or "") for key in ("do", "session", "id"))
        except (ValueError, AttributeError):
            yield gr.skip(), gr.skip()
            return
        language = language_of(request)
        try:
            owner = await asyncio.to_thread(self._chats.owner, request)
            given = (message_id, "") if do == "why-chat" else (session_id, message_id)
            choices = await asyncio.to_thread(self._choices, owner, *given, do == "look")
            yield draw_choices(choices, language), gr.skip()
        except DialogError as error:
            yield gr.skip(), _failed(error, language)
            return
        if do == "why-reply" and message_id:
            async for shown in _told(partial(self._whys.of_reply, owner, session_id, message_id), language):
                yield gr.skip(), shown

    def _choices(self, owner: str, session_id: str, message_id: str, may_have_gone: bool) -> Choices:
        """Returns what can be chosen; anew where what was shown may have been deleted meanwhile."""
        try:
            return self._whys.choices(owner, session_id, message_id)
        except StoreError:
            if not may_have_gone:
                raise
            return self._whys.choices(owner)

    async def typed(
        self, model: str, context: str, reply: str, request: gr.Request
    ) -> AsyncGenerator[str, None]:
        """Shows what a model makes of a reply that was typed."""
        found = partial(self._whys.of_typed, model or "", context or "", reply or "")
        async for shown in _told(found, language_of(request)):
            yield shown


async def _told(found: Callable[[], Why], language: str) -> AsyncGenerator[str, None]:
    """Yields that it is being computed, then what came of it."""
    yield f'<p class="working" role="status">{escape(say("why.working", language))}</p>'
    try:
        yield draw_why(await asyncio.to_thread(found), language)
    except DialogError as error:
        yield _failed(error, language)


def _failed(error: DialogError, language: str) -> str:
    return f'<p class="failed" role="alert">{escape(tell(error, language))}</p>'


def build_why_tab(house: House) -> None:
    """Builds the tab inside the open Blocks.

    Args:
        house: bots and chats.
    """
    handlers = _Handlers(house)
    as_html: dict[str, Any] = {"sanitize_html": False, "latex_delimiters": []}
    with gr.Column(elem_id="why-part"):
        action = gr.Textbox(visible="hidden", elem_id="why-action")
        act = gr.Button(visible="hidden", elem_id="why-act")
        gr.Markdown(label("why.about"))
        choices = gr.Markdown("", elem_id="why-choices", elem_classes="html", **as_html)
        with gr.Accordion(label("why.typed"), open=False, elem_id="why-typed"):
            model = model_menu(
                house.bots.names, label=label("why.model"), elem_id="why-model", filterable=False
            )
            house.menus.append(model)
            context = gr.Textbox(
                label=label("why.context"),
                placeholder=label("why.context_example"),
                elem_id="why-context",
                lines=3,
                max_lines=12,
            )
            reply = gr.Textbox(
                label=label("why.typed_reply"),
                placeholder=label("why.reply_example"),
                elem_id="why-typed-reply",
                max_lines=6,
            )
            look = gr.Button(label("why.look"), elem_id="why-look", variant="primary")
        told = gr.Markdown("", elem_id="why-told", elem_classes="html", **as_html)
    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    # Threads compute, so that the server's loop goes on; few at a time, so that chats do.
    few: dict[str, Any] = {"concurrency_id": "why", "concurrency_limit": _AT_ONCE, **private}
    act.click(handlers.act, [action], [choices, told], trigger_mode="multiple", **few)
    for event in (look.click, reply.submit):
        event(handlers.typed, [model, context, reply], [told], **few)
