"""The routes under `/v1`: OpenAI's API, as far as small models that only talk can serve it, and the caller's chats."""

import asyncio
import secrets
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from app.api.chat_form import ChatForm, error_body
from app.api.chat_requests import ChatAsked, read_chat_request
from app.api.chat_schema import MAX_ID
from app.api.owners import owner_of
from app.api.pending import Pending
from app.api.problems import Problem, problem_of
from app.api.replying import PlainReplies, StreamedReplies, engine_of, submit
from app.api.requests import read_body
from app.api.session_calls import SessionCalls
from app.api.session_chats import SessionChat
from app.bots import Bots
from app.store import Store
from dialog.conversation import Conversation
from dialog.decoding.replies import Reply

if TYPE_CHECKING:
    from dialog.decoding.engine import Engine, Ticket

__all__ = ["CHAT_ROUTES", "make_chat_router"]

CHAT_ROUTES = {
    "/v1/models": ("GET",),
    "/v1/models/{model}": ("GET",),
    "/v1/chat/completions": ("POST",),
    "/v1/sessions": ("GET", "POST"),
    "/v1/sessions/{session_id}": ("GET", "POST", "DELETE"),
}
"""Paths and their methods."""

_PIECE_SECONDS = 0.1
_LONG_BODY = 16_384
"""Bytes; a body so long is parsed on another thread, for it would hold up the others' sending."""


def make_chat_router(bots: Bots, store: Store) -> APIRouter:
    """Returns the routes under `/v1`.

    Args:
        bots: who replies; the page's own, so that each model is in memory once.
        store: where chats are kept; the page's own.
    """
    router = APIRouter(prefix="/v1", include_in_schema=False)
    chats, stored = _Chats(bots, store), SessionCalls(bots, store)

    @router.get("/models")
    async def models(request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [_model(bots, name) for name in bots.names]})

    @router.get("/models/{model:path}")
    async def model(request: Request, model: str) -> Response:
        if model in bots.names:
            return JSONResponse(_model(bots, model))
        sentence = f"there is no model {model[:60]!r} here; choose one of {', '.join(bots.names)}"
        return _answer(Problem(404, sentence, "model", "model_not_found"))

    @router.post("/chat/completions")
    async def completions(request: Request) -> Response:
        return await _told(chats.answer(request))

    @router.get("/sessions")
    async def sessions(request: Request) -> Response:
        return await _told(stored.list_some(request))

    @router.post("/sessions")
    async def new_session(request: Request) -> Response:
        return await _told(stored.make(request))

    @router.get("/sessions/{session_id}")
    async def session(request: Request, session_id: str) -> Response:
        return await _told(stored.tell(request, session_id))

    @router.post("/sessions/{session_id}")
    async def change_session(request: Request, session_id: str) -> Response:
        return await _told(stored.rename(request, session_id))

    @router.delete("/sessions/{session_id}")
    async def delete_session(request: Request, session_id: str) -> Response:
        return await _told(stored.delete(request, session_id))

    @router.api_route("/{rest:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    async def nothing(request: Request, rest: str) -> Response:
        for path, methods in CHAT_ROUTES.items():
            if path == f"/v1/{rest}" or ("{" in path and f"/v1/{rest}".startswith(path.partition("{")[0])):
                sentence = f"/v1/{rest[:60]} takes {' or '.join(methods)}, not {request.method}"
                return _answer(Problem(405, sentence, code="method_not_allowed"))
        paths = ", ".join(CHAT_ROUTES)
        return _answer(Problem(404, f"there is no /v1/{rest[:60]}; there are {paths}", code="not_found"))

    return router


class _Chats:
    """What the routes do.

    Args:
        bots: who replies.
        store: where chats are kept.
    """

    def __init__(self, bots: Bots, store: Store) -> None:
        self._bots, self._store = bots, store
        self._kept: set[asyncio.Task[list[Reply]]] = set()  # asyncio holds its tasks loosely

    async def answer(self, request: Request) -> Response:
        """Answers a request for chat completions."""
        body, key = await read_body(request), request.headers.get("idempotency-key")
        if key is not None and len(key) > MAX_ID:
            raise Problem(400, f"the header Idempotency-Key is longer than {MAX_ID} characters", "client_id")
        is_long = len(body) > _LONG_BODY
        asked = (
            await asyncio.to_thread(read_chat_request, body, key) if is_long else read_chat_request(body, key)
        )
        engine = await engine_of(self._bots, asked.model)
        answer = self._in_session if asked.session_id is not None else self._alone
        pending, form = await answer(request, engine, asked)
        if asked.is_streamed:
            return StreamedReplies(pending, form, _PIECE_SECONDS)
        return PlainReplies(pending, form)

    async def _alone(self, request: Request, engine: "Engine", asked: ChatAsked) -> tuple[Pending, ChatForm]:
        seed = secrets.randbits(53) if asked.seed is None else asked.seed
        form = await self._form(engine, asked, asked.conversation)
        ticket = await self._submit(engine, asked, asked.conversation, seed)
        return Pending.of(engine, ticket), form

    async def _in_session(
        self, request: Request, engine: "Engine", asked: ChatAsked
    ) -> tuple[Pending, ChatForm]:
        def open_chat() -> tuple[SessionChat, list[Reply] | None]:
            chat = SessionChat(self._store, owner_of(request, self._store), asked)
            return chat, chat.open()

        chat, stored = await asyncio.to_thread(open_chat)
        form = await self._form(engine, asked, chat.conversation)
        form.session = chat.told()
        if stored is not None:
            return Pending(_already(stored), engine), form
        ticket = await self._submit(engine, asked, chat.conversation, chat.seed)
        task = asyncio.create_task(_keep(chat, ticket))
        self._kept.add(task)
        task.add_done_callback(self._let_go)
        return Pending(task, engine, ticket, is_kept=True), form

    def _let_go(self, task: asyncio.Task[list[Reply]]) -> None:
        self._kept.discard(task)
        if not task.cancelled():
            task.exception()  # is told by who waits, if somebody does

    async def _submit(
        self, engine: "Engine", asked: ChatAsked, conversation: Conversation, seed: int
    ) -> "Ticket":
        return await submit(engine, conversation, asked.sampling, asked.num_replies, seed, asked.num_top)

    async def _form(self, engine: "Engine", asked: ChatAsked, conversation: Conversation) -> ChatForm:
        replier = engine.replier
        is_long = sum(len(turn.text) for turn in conversation.turns) > _LONG_BODY
        count = replier.count_tokens
        return ChatForm(
            model=asked.model,
            model_hash=replier.model_hash,
            tokenizer=replier.tokenizer,
            num_prompt_tokens=await asyncio.to_thread(count, conversation)
            if is_long
            else count(conversation),
            num_replies=asked.num_replies,
            has_logprobs=asked.num_top is not None,
            includes_usage=asked.includes_usage,
        )


async def _keep(chat: SessionChat, ticket: "Ticket") -> list[Reply]:
    """Stores replies when they are whole, whoever still waits for them."""
    return await asyncio.to_thread(chat.keep, await asyncio.wrap_future(ticket.future))


async def _already(replies: list[Reply]) -> list[Reply]:
    return replies


async def _told(answering: Awaitable[Response]) -> Response:
    try:
        return await answering
    except Exception as error:
        return _answer(problem_of(error))


def _answer(problem: Problem) -> Response:
    status = 400 if problem.status == 422 else problem.status  # OpenAI's clients know no 422
    return Response(error_body(problem), status, problem.headers, "application/json")


def _model(bots: Bots, name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": bots.made_at(name), "owned_by": "hred"}
