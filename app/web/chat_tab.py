"""The tab to chat in: one model at a time, streamed, stopped, told again, kept."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import gradio as gr

from app.store import StoredMessage
from app.web import show
from app.web.chats import Chats, Partial
from app.web.controls import build_sampling, new_id, read_sampling, read_seed
from app.web.showing import Pages, Showing
from dialog.errors import DialogError

__all__ = ["build_chat_tab"]

_OUTPUTS = 6
_UNCHANGED: tuple[Any, ...] = (gr.skip(),) * _OUTPUTS


class _Handlers:
    """What the tab's buttons do; each reads and writes by the ids that the browser sends."""

    def __init__(self, chats: Chats) -> None:
        self._chats = chats
        self._pages = Pages()

    def send(
        self, text: str, session_id: str, model: str, request: gr.Request, *rest: Any
    ) -> Iterator[tuple[Any, ...]]:
        """Stores the message, streams the reply; the box is emptied only once the message is stored."""
        *values, client_id = rest
        if not (text or "").strip():
            yield _UNCHANGED
            return
        try:
            owner = self._owner(request)
            sampling, seed = read_sampling(tuple(values)), read_seed(tuple(values))
            if self._pages.is_answering(_page(request), client_id):
                yield _UNCHANGED  # Enter was pressed twice
                return
            showing = self._pages.enter(_page(request), client_id)
            try:
                said = self._chats.say(owner, session_id or "", text.strip(), client_id, model)
                yield self._state(owner, said.session_id, box="")
                yield from self._stream(showing, owner, said, model, sampling, seed)
            finally:
                self._pages.end(_page(request), showing)
        except DialogError as error:
            gr.Warning(show.as_text(str(error)))
            yield _UNCHANGED

    def regenerate(
        self, session_id: str, model: str, request: gr.Request, *values: Any
    ) -> Iterator[tuple[Any, ...]]:
        """Streams one more reply to the last message; the earlier ones stay beside it."""
        try:
            owner = self._owner(request)
            said = self._chats.to_answer(owner, session_id) if session_id else None
            if said is None:
                gr.Info("There is nothing to answer yet: write a message first.")
                yield _UNCHANGED
                return
            sampling, seed = read_sampling(values), read_seed(values)
            showing = self._pages.enter(_page(request), "")
            try:
                yield from self._stream(showing, owner, said, model, sampling, seed)
            finally:
                self._pages.end(_page(request), showing)
        except DialogError as error:
            gr.Warning(show.as_text(str(error)))
            yield _UNCHANGED

    def _stream(
        self, showing: Showing, owner: str, said: StoredMessage, model: str, sampling: Any, seed: int
    ) -> Iterator[tuple[Any, ...]]:
        path = list(self._chats.path(owner, said.session_id))
        while path and path[-1].id != said.id:
            path.pop()
        before = show.conversation(path)
        with closing(self._chats.answer(owner, said.session_id, said.id, model, sampling, seed)) as pieces:
            for piece in pieces:
                if showing.is_left.is_set():
                    return  # the page shows another chat by now; what there is of the reply is kept
                if isinstance(piece, Partial):
                    entry = {"role": "assistant", "content": show.as_text(piece.text)}
                    yield [*before, entry], *_UNCHANGED[1:]
        if not showing.is_left.is_set():
            yield self._state(owner, said.session_id)

    def stop(self, session_id: str, request: gr.Request) -> None:
        """Ends the running reply at its next token."""
        if session_id:
            self._chats.stop(self._owner(request), session_id)

    def open(self, session_id: str, request: gr.Request) -> tuple[Any, ...]:
        """Shows a chat."""
        self._pages.leave(_page(request))
        return self._guarded(request, lambda owner: self._state(owner, session_id or ""))

    def load(self, request: gr.Request) -> tuple[Any, ...]:
        """Shows the owner's latest chat, as the page is opened."""

        def latest(owner: str) -> tuple[Any, ...]:
            sessions = self._chats.sessions(owner)
            return self._state(owner, sessions[0].id if sessions else "")

        return self._guarded(request, latest)

    def new(self, request: gr.Request) -> tuple[Any, ...]:
        """Shows an empty chat; it is stored with its first message."""
        self._pages.leave(_page(request))
        return self._guarded(request, lambda owner: self._state(owner, ""))

    def delete(self, session_id: str, request: gr.Request) -> tuple[Any, ...]:
        """Deletes a chat and shows an empty one."""
        self._pages.leave(_page(request))

        def gone(owner: str) -> tuple[Any, ...]:
            if session_id:
                self._chats.delete(owner, session_id)
            return self._state(owner, "")

        return self._guarded(request, gone)

    def next_version(self, session_id: str, request: gr.Request) -> tuple[Any, ...]:
        """Shows the next of several replies to the same message."""

        def turned(owner: str) -> tuple[Any, ...]:
            if session_id:
                self._chats.next_version(owner, session_id)
            return self._state(owner, session_id or "")

        return self._guarded(request, turned)

    def _owner(self, request: gr.Request) -> str:
        return self._chats.owner(request)

    def _guarded(self, request: gr.Request, action: Any) -> tuple[Any, ...]:
        try:
            result: tuple[Any, ...] = action(self._owner(request))
        except DialogError as error:
            gr.Warning(show.as_text(str(error)))
            return _UNCHANGED
        return result

    def _state(self, owner: str, session_id: str, box: str | None = None) -> tuple[Any, ...]:
        """Returns what is shown: messages, box, session id, list of chats, which version, the next id."""
        path = self._chats.path(owner, session_id) if session_id else []
        place, count = self._chats.version(owner, session_id) if session_id else (0, 0)
        label = f"Version {place} of {count}: show next" if count > 1 else "Only one version"
        return (
            show.conversation(path),
            gr.skip() if box is None else box,
            session_id,
            gr.Radio(choices=show.choices(self._chats.sessions(owner)), value=session_id or None),
            gr.Button(label, interactive=count > 1),
            new_id(),
        )


def _page(request: gr.Request) -> str:
    return request.session_hash or ""


def build_chat_tab(page: gr.Blocks, chats: Chats) -> None:
    """Builds the tab inside the open Blocks.

    Args:
        page: its load event shows the latest chat.
        chats: what the buttons call.
    """
    handlers = _Handlers(chats)
    session_id = gr.Textbox(visible=False, elem_id="session-id")
    client_id = gr.Textbox(visible=False, elem_id="client-id")
    with gr.Row():
        with gr.Column(scale=1, min_width=260):
            new = gr.Button("New chat", elem_id="new-chat", variant="secondary")
            sessions = gr.Radio([], label="Your chats", elem_id="sessions")
            delete = gr.Button("Delete this chat", elem_id="delete-chat", size="sm")
            with gr.Row(visible=False) as sure:
                gone = gr.Button("Delete for good", elem_id="delete-sure", size="sm", variant="stop")
                keep = gr.Button("Keep", elem_id="delete-keep", size="sm")
        with gr.Column(scale=3, min_width=320):
            shown = gr.Chatbot(
                label="Conversation",
                elem_id="conversation",
                height=430,
                buttons=[],
                render_markdown=False,
                placeholder="Say hello: nothing has been said yet.",
            )
            with gr.Row():
                box = gr.Textbox(
                    label="Your message",
                    elem_id="message",
                    placeholder="Type a message, press Enter",
                    scale=6,
                    lines=1,
                    max_lines=6,
                    autofocus=True,
                )
                send = gr.Button("Send", elem_id="send", variant="primary", scale=1, min_width=80)
                stop = gr.Button("Stop", elem_id="stop", scale=1, min_width=80)
            with gr.Row():
                again = gr.Button("Another reply", elem_id="regenerate", size="sm")
                version = gr.Button("…", elem_id="version", size="sm", interactive=False)
        with gr.Column(scale=1, min_width=260):
            names = chats.bots.names
            model = gr.Radio(
                names, value="hred" if "hred" in names else names[0], label="Model", elem_id="model"
            )
            with gr.Accordion("Sampling", open=True):
                sampling = build_sampling("chat")
    outputs = [shown, box, session_id, sessions, version, client_id]
    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    streaming: dict[str, Any] = {"concurrency_id": "replies", "concurrency_limit": 16, **private}
    for event in (box.submit, send.click):
        # Each press counts, also while an earlier reply still streams: it is ended first.
        sent = [box, session_id, model, *sampling, client_id]
        event(handlers.send, sent, outputs, trigger_mode="multiple", **streaming)
    again.click(handlers.regenerate, [session_id, model, *sampling], outputs, **streaming)
    stop.click(handlers.stop, [session_id], None, queue=False, **private)
    new.click(handlers.new, None, outputs, **private)
    sessions.input(handlers.open, [sessions], outputs, **private)
    delete.click(lambda: gr.Row(visible=True), None, sure, **private)
    keep.click(lambda: gr.Row(visible=False), None, sure, **private)
    gone.click(handlers.delete, [session_id], outputs, **private).then(
        lambda: gr.Row(visible=False), None, sure, **private
    )
    version.click(handlers.next_version, [session_id], outputs, **private)
    page.load(handlers.load, None, outputs, **private)
