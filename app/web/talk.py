"""What the buttons of the chat and of the comparison do: both are one conversation, with one model or several.

Every handler reads and writes by ids that the browser sends. A reply that is under way is only watched here, by
an asynchronous generator that holds no thread: it may be left and taken up again at any time.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable
from typing import Any

import gradio as gr

from app.store import Kind, StoredMessage
from app.web.chats import Chats, View, new_request
from app.web.controls import read_sampling, read_seed
from app.web.drawing import SHOWN_AT_ONCE, draw_answer, draw_sessions, draw_view, escape
from app.web.language import language_of
from app.web.running import Answer
from app.web.showing import Pages, Showing
from app.web.words import say
from app.web.words.sentences import tell
from dialog.errors import DialogError, UsageError

__all__ = ["Shown", "Talk"]

_PIECE_SECONDS = 0.1
"""Pieces of a streamed reply are shown at this pace, for each costs the server an update of the page."""
_MAX_COUNT = 5
_REQUEST = re.compile(r"[0-9a-f]{8,64}")

Shown = tuple[Any, ...]
"""What a handler changes: conversation, reply under way, box, chat's id, leaf's id, list of chats, next request."""

_UNCHANGED: Shown = (gr.skip(),) * 7


class Talk:
    """The handlers of one tab.

    Args:
        chats: what they call.
        kind: of the chats that the tab shows.
    """

    def __init__(self, chats: Chats, kind: Kind) -> None:
        self._chats, self._kind = chats, kind
        self._pages = Pages()

    async def load(self, request: gr.Request) -> AsyncGenerator[Shown, None]:
        """Shows the chat that the page's address names, or the latest one, and the reply under way in it."""
        wanted = str(request.query_params.get(self._kind) or "")

        def first(owner: str) -> str:
            sessions = self._chats.sessions(owner, self._kind)
            if any(session.id == wanted for session in sessions):
                return wanted
            return sessions[0].id if sessions else ""

        async for shown in self._open(first, request):
            yield shown

    async def new(self, request: gr.Request) -> AsyncGenerator[Shown, None]:
        """Shows an empty chat; it is stored with its first message."""
        async for shown in self._open(lambda _: "", request):
            yield shown

    async def send(
        self,
        text: str,
        session_id: str,
        leaf: str,
        client_id: str,
        models: Any,
        count: float,
        request: gr.Request,
        *values: Any,
    ) -> AsyncGenerator[Shown, None]:
        """Stores the message and shows the replies; the box is emptied only once the message is stored."""
        if not (text or "").strip():
            yield _UNCHANGED
            return

        def said(owner: str) -> StoredMessage:
            parent = self._chats.after_stop(owner, session_id, leaf) if session_id else ""
            self._check_chosen(owner, session_id, parent)
            _check(models, count, values)
            return self._chats.say(owner, session_id or "", parent, text.strip(), request_id, self._kind)

        request_id = _request_id(client_id)
        async for shown in self._answer(said, request_id, models, count, values, request, box=""):
            yield shown

    def _check_chosen(self, owner: str, session_id: str, parent: str) -> None:
        if self._kind == "compare" and session_id and parent:
            view = self._chats.view(owner, session_id, parent)
            if view.candidates and view.path[-1].role == "user":
                raise UsageError("no reply is chosen; choose the one that the conversation goes on with")

    async def act(
        self, action: str, models: Any, count: float, request: gr.Request, *values: Any
    ) -> AsyncGenerator[Shown, None]:
        """Does what a button inside the conversation or the list of chats says."""
        try:
            asked = json.loads(action or "{}")
            name = str(asked.get("do"))
            session_id, leaf, id_, text = (
                str(asked.get(key) or "") for key in ("session", "leaf", "id", "text")
            )
            request_id = _request_id(asked.get("request"))
        except (ValueError, AttributeError):
            yield _UNCHANGED
            return
        chats = self._chats
        if name == "open":
            watched = self._open(lambda owner: id_, request)
        elif name in ("edit", "again"):

            def said(owner: str) -> StoredMessage:
                _check(models, count, values)
                chats.after_stop(owner, session_id, leaf)
                if name == "edit":
                    return chats.edit(owner, session_id, id_, text.strip(), request_id)
                return chats.to_answer(owner, session_id, id_)

            watched = self._answer(said, request_id, models, count, values, request)
        else:
            watched = self._change(name, asked, request)
        async for shown in watched:
            yield shown

    async def _change(
        self, name: str, asked: dict[str, Any], request: gr.Request
    ) -> AsyncGenerator[Shown, None]:
        """Does what needs no reply, and shows the chat as it then is."""
        session_id, leaf, id_, text = (str(asked.get(key) or "") for key in ("session", "leaf", "id", "text"))
        chats = self._chats

        def changed(owner: str) -> tuple[str, str | None]:
            """Returns which chat is shown, and its leaf."""
            if name == "walk":
                return session_id, chats.walk(owner, session_id, id_)
            if name == "choose":
                return session_id, chats.choose(owner, session_id, id_)
            if name in ("like", "dislike"):
                value = 1 if name == "like" else -1
                chats.rate(owner, session_id, id_, None if asked.get("pressed") else value)
            elif name == "correct":
                chats.correct(owner, session_id, id_, text)
            elif name == "rename":
                chats.rename(owner, id_, text)
            elif name == "delete":
                chats.delete(owner, id_)
                return ("", None) if id_ == session_id else (session_id, leaf or None)
            return session_id, leaf or None

        shown = asked.get("shown")
        count = shown if isinstance(shown, int) and 0 < shown <= 100_000 else SHOWN_AT_ONCE
        language = language_of(request)
        try:
            owner = await asyncio.to_thread(chats.owner, request)
            if name in ("walk", "delete"):
                await asyncio.to_thread(self._pages.leave, _page(request))
            session, leaf_ = await asyncio.to_thread(changed, owner)
            yield await asyncio.to_thread(self._shown, owner, session, leaf_, language, count)
        except DialogError as error:
            _warn(error, language)
            yield _UNCHANGED

    def stop(self, session_id: str, request: gr.Request) -> None:
        """Ends the replies under way in a chat at their next token; what came of them is kept."""
        if session_id:
            self._chats.replies.stop(self._chats.owner(request), session_id)

    async def _open(self, which: Callable[[str], str], request: gr.Request) -> AsyncGenerator[Shown, None]:
        """Shows a chat, and the reply under way in it until it is whole."""
        language = language_of(request)
        showing = None
        try:
            owner = await asyncio.to_thread(self._chats.owner, request)
            session_id = await asyncio.to_thread(which, owner)
            showing = await asyncio.to_thread(self._pages.enter, _page(request), "")
            answer = self._chats.replies.of(owner, session_id) if session_id else None
            leaf = answer.parent if answer else None
            shown = await asyncio.to_thread(self._shown, owner, session_id, leaf, language)
            yield (*shown[:2], gr.skip(), *shown[3:])
            if answer is not None:
                async for shown in self._watch(showing, answer, language):
                    yield shown
        except DialogError as error:
            _warn(error, language)
            yield _UNCHANGED
        finally:
            if showing is not None:
                self._pages.end(_page(request), showing)

    async def _answer(
        self,
        said: Callable[[str], StoredMessage],
        request_id: str,
        models: Any,
        count: float,
        values: tuple[Any, ...],
        request: gr.Request,
        box: str | None = None,
    ) -> AsyncGenerator[Shown, None]:
        """Begins the replies to what `said` returns, and shows them until they are whole."""
        language, page = language_of(request), _page(request)
        if self._pages.is_answering(page, request_id):
            yield _UNCHANGED  # Enter was pressed twice
            return
        showing = None
        try:
            owner = await asyncio.to_thread(self._chats.owner, request)
            showing = await asyncio.to_thread(self._pages.enter, page, request_id)
            message = await asyncio.to_thread(said, owner)
            sampling, seed = read_sampling(values), read_seed(values)
            names, number = _names(models), _number(count)
            answer = await asyncio.to_thread(
                self._chats.answer, owner, message, names, number, sampling, seed, request_id
            )
            session_id, leaf = message.session_id, message.id if answer else None
            shown = await asyncio.to_thread(self._shown, owner, session_id, leaf, language)
            yield (
                shown[0],
                draw_answer(answer, language) if answer else "",
                gr.skip() if box is None else box,
                *shown[3:],
            )
            if answer is not None:
                async for shown in self._watch(showing, answer, language):
                    yield shown
        except DialogError as error:
            _warn(error, language)
            yield _UNCHANGED
        finally:
            if showing is not None:
                self._pages.end(page, showing)

    async def _watch(self, showing: Showing, answer: Answer, language: str) -> AsyncGenerator[Shown, None]:
        drawn = ""
        while not answer.ended.is_set():
            if showing.is_left.is_set():
                return  # the page shows something else by now; the reply goes on without it
            now = draw_answer(answer, language)
            if now != drawn:
                drawn = now
                yield (gr.skip(), drawn, *_UNCHANGED[2:])
            await asyncio.sleep(_PIECE_SECONDS)
        if showing.is_left.is_set():
            return
        stored = answer.stored
        for reply in answer.replies:
            if reply.error is not None:
                _warn(reply.error, language)
        has_failed = any(reply.error is not None for reply in answer.replies)
        if not (stored or has_failed or answer.stopping.is_set()):
            gr.Info(say("chat.nothing_came", language), title=say("page.look_out", language))
        is_one_model = len({reply.model for reply in answer.replies}) == 1
        leaf = stored[0].id if stored and is_one_model else answer.parent
        shown = await asyncio.to_thread(self._shown, answer.owner, answer.session_id, leaf, language)
        yield (*shown[:2], gr.skip(), *shown[3:6], gr.skip())

    def _shown(
        self, owner: str, session_id: str, leaf: str | None, language: str, count: int = SHOWN_AT_ONCE
    ) -> Shown:
        view: View = self._chats.view(owner, session_id, leaf)
        chats = self._list(owner, session_id, language)
        return (
            draw_view(view, language, count),
            "",
            gr.skip(),
            view.session_id,
            view.leaf,
            chats,
            new_request(),
        )

    def _list(self, owner: str, session_id: str, language: str) -> str:
        listed, temporary = self._chats.sessions(owner, self._kind), self._chats.temporary(owner)
        return draw_sessions(listed, session_id, language, temporary=temporary)


def _check(models: Any, count: float, values: tuple[Any, ...]) -> None:
    """Refuses settings before anything is stored."""
    if not _names(models):
        raise UsageError("no model is chosen; choose one or more")
    _number(count)
    read_sampling(values)
    read_seed(values)


def _names(models: Any) -> list[str]:
    given = [models] if isinstance(models, str) else models or []
    return [str(name) for name in given]


def _number(count: float) -> int:
    return max(1, min(int(count or 1), _MAX_COUNT))


def _request_id(given: Any) -> str:
    return given if isinstance(given, str) and _REQUEST.fullmatch(given) else new_request()


def _page(request: gr.Request) -> str:
    return request.session_hash or ""


def _warn(error: DialogError, language: str) -> None:
    gr.Warning(escape(tell(error, language)), title=say("page.look_out", language))
