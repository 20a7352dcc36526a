"""The routes of the API. A request that cannot be answered gets a status and {"error": one sentence}."""

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from app.api.own_form import OwnForm
from app.api.pending import Pending
from app.api.problems import Problem, problem_of
from app.api.replying import PlainReplies, StreamedReplies, engine_of, submit
from app.api.requests import Asked, read_body, read_request
from app.bots import Bots
from dialog.errors import DialogError

if TYPE_CHECKING:
    from dialog.decoding.engine import Engine

__all__ = ["make_router"]

_LONG_BODY = 16_384
"""Bytes; a body so long is parsed on another thread, for it would hold up the others' sending."""


def make_router(bots: Bots) -> APIRouter:
    """Returns the routes under `/api`, which speak this project's own form.

    Args:
        bots: who replies; the page's own, so that each model is in memory once.
    """
    router = APIRouter(prefix="/api", include_in_schema=False)

    @router.get("/models")
    async def models(request: Request) -> Response:
        return JSONResponse({"models": await asyncio.to_thread(_describe, bots)})

    @router.get("/health")
    async def health(request: Request) -> Response:
        loaded = bots.loaded()
        return JSONResponse({"models": {name: _load(loaded.get(name)) for name in bots.names}})

    @router.post("/reply")
    async def reply(request: Request) -> Response:
        return await _told(_plain(bots, request))

    @router.post("/stream")
    async def stream(request: Request) -> Response:
        return await _told(_streamed(bots, request))

    @router.api_route("/{rest:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    async def nothing(request: Request, rest: str) -> Response:
        methods = {"models": "GET", "health": "GET", "reply": "POST", "stream": "POST"}
        if rest in methods:
            problem = Problem(405, f"/api/{rest} takes {methods[rest]}, not {request.method}")
        else:
            problem = Problem(404, f"there is no /api/{rest[:60]}; there are /api/{', /api/'.join(methods)}")
        return _answer(problem)

    return router


async def _plain(bots: Bots, request: Request) -> Response:
    return PlainReplies(await _pending(bots, await _asked(request)), OwnForm())


async def _streamed(bots: Bots, request: Request) -> Response:
    asked = await _asked(request)
    return StreamedReplies(await _pending(bots, asked), OwnForm(), asked.piece_seconds)


async def _pending(bots: Bots, asked: Asked) -> Pending:
    engine = await engine_of(bots, asked.model)
    ticket = await submit(engine, asked.conversation, asked.sampling, asked.num_replies, asked.seed)
    return Pending.of(engine, ticket)


async def _asked(request: Request) -> Asked:
    body = await read_body(request)
    return await asyncio.to_thread(read_request, body) if len(body) > _LONG_BODY else read_request(body)


async def _told(answering: Awaitable[Response]) -> Response:
    try:
        return await answering
    except Exception as error:
        return _answer(problem_of(error))


def _answer(problem: Problem) -> Response:
    return Response(problem.to_json(), problem.status, problem.headers, "application/json")


def _describe(bots: Bots) -> list[dict[str, Any]]:
    described: list[dict[str, Any]] = []
    for name in bots.names:
        try:
            described.append(bots.describe(name))
        except DialogError as error:
            described.append({"name": name, "error": str(error)})
    return described


def _load(engine: "Engine | None") -> dict[str, Any]:
    if engine is None:
        return {"is_loaded": False}
    return {
        "is_loaded": True,
        "waiting": engine.num_waiting,
        "running": engine.num_running,
        "tokens": engine.num_tokens,
    }
