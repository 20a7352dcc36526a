"""The tab to compare in: one message, replies by all models side by side, and a choice of which goes on."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from app.store import StoredMessage
from app.web import show
from app.web.chats import Chats
from app.web.controls import build_sampling, new_id, read_sampling, read_seed
from dialog.errors import DialogError

__all__ = ["build_compare_tab"]

_KNOWS = {
    "seq2seq": "seq2seq · reads your last message only",
    "hred": "hred · reads the whole conversation",
    "vhred": "vhred · reads it all, and draws z for each reply",
}

_UNCHANGED: tuple[Any, ...] = (gr.skip(),) * 5
"""Of conversation, box, session id, choice and the next message's id."""


class _Handlers:
    def __init__(self, chats: Chats) -> None:
        self._chats = chats

    def send(
        self,
        text: str,
        session_id: str,
        chosen: str | None,
        num_replies: float,
        request: gr.Request,
        *rest: Any,
    ) -> Iterator[tuple[Any, ...]]:
        """Gives one message to all models and shows each model's replies as they are there."""
        *values, client_id = rest
        columns: list[Any] = [gr.skip() for _ in self._chats.bots.names]
        if not (text or "").strip():
            yield *_UNCHANGED, *columns
            return
        try:
            owner = self._chats.owner(request)
            sampling, seed = read_sampling(tuple(values)), read_seed(tuple(values))
            if session_id and chosen:
                self._chats.choose(owner, session_id, chosen)
            said = self._chats.say(owner, session_id or "", text.strip(), client_id, "compare")
            columns = [[show.bubble(said)] for _ in columns]
            path = show.conversation(self._chats.path(owner, said.session_id))
            yield path, "", said.session_id, gr.Radio(choices=[], value=None), new_id(), *columns
            replies: list[StoredMessage] = []
            count = max(1, min(int(num_replies or 1), 5))
            answers = self._chats.candidates(owner, said.session_id, said.id, sampling, count, seed)
            for place, (_, result) in enumerate(answers):
                columns[place] = [show.bubble(said), *_entries(result)]
                replies += [] if isinstance(result, str) else result
                yield *_UNCHANGED, *columns
            if replies:
                self._chats.choose(owner, said.session_id, replies[-1].id)
            choice = gr.Radio(choices=_choices(replies), value=replies[-1].id if replies else None)
            yield *_UNCHANGED[:3], choice, gr.skip(), *columns
        except DialogError as error:
            gr.Warning(show.as_text(str(error)))
            yield *_UNCHANGED, *(gr.skip() for _ in columns)

    def new(self) -> tuple[Any, ...]:
        """Shows an empty comparison; it is stored with its first message."""
        return [], "", "", gr.Radio(choices=[], value=None), new_id(), *([] for _ in self._chats.bots.names)


def _entries(result: list[StoredMessage] | str) -> list[dict[str, Any]]:
    if isinstance(result, str):
        return [{"role": "assistant", "content": show.as_text(f"No reply: {result}")}]
    return [show.bubble(message) for message in result]


def _choices(replies: list[StoredMessage]) -> list[tuple[str, str]]:
    return [(f"{m.model_name} {m.reply.index + 1 if m.reply else ''}: {m.text[:60]}", m.id) for m in replies]


def build_compare_tab(chats: Chats) -> None:
    """Builds the tab inside the open Blocks."""
    handlers = _Handlers(chats)
    session_id = gr.Textbox(visible=False, elem_id="compare-session-id")
    client_id = gr.Textbox(new_id, visible=False, elem_id="compare-client-id")  # made anew at each page load
    with gr.Row():
        columns = [
            gr.Chatbot(
                label=_KNOWS.get(name, name),
                elem_id=f"compare-{place}",
                height=330,
                buttons=[],
                render_markdown=False,
                min_width=240,
                scale=1,
            )
            for place, name in enumerate(chats.bots.names)
        ]
    with gr.Row():
        box = gr.Textbox(
            label="One message to all models",
            elem_id="compare-message",
            placeholder="Type a message, press Enter",
            scale=6,
        )
        send = gr.Button("Compare", elem_id="compare-send", variant="primary", scale=1, min_width=90)
        new = gr.Button("New comparison", elem_id="compare-new", scale=1, min_width=90)
    with gr.Row():
        with gr.Column(scale=2, min_width=320):
            chosen = gr.Radio(
                [],
                label="The conversation goes on with",
                elem_id="compare-choice",
            )
            with gr.Accordion("The conversation so far", open=False):
                shown = gr.Chatbot(
                    label="Conversation",
                    elem_id="compare-conversation",
                    height=300,
                    buttons=[],
                    render_markdown=False,
                )
        with gr.Column(scale=1, min_width=280):
            count = gr.Slider(1, 5, 2, step=1, label="Replies by each model", elem_id="compare-count")
            with gr.Accordion("Sampling", open=False):
                sampling = build_sampling("compare")
    outputs = [shown, box, session_id, chosen, client_id, *columns]
    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    for event in (box.submit, send.click):
        event(
            handlers.send,
            [box, session_id, chosen, count, *sampling, client_id],
            outputs,
            concurrency_id="replies",
            concurrency_limit=16,
            **private,
        )
    new.click(handlers.new, None, outputs, **private)
