"""The page's own routes: chats leave and enter as files, for Gradio's files know no owners, and are searched.

    GET  /chats/export              all chats of whoever asks
    GET  /chats/{id}/export         one of them
    POST /chats/import              lines of an export; the answer says what was added
    POST /chats/search              {"tab", "text", "shown"}; the answer is the list of what is found, drawn

They belong to the page: whose chats are meant is found out as for the page, by login or cookie.
"""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from starlette.responses import HTMLResponse, JSONResponse, StreamingResponse

from app.api.owners import page_owner_of
from app.api.problems import Problem, problem_of
from app.api.requests import BodyLimits, read_body
from app.store import Stores
from dialog.errors import StoreError

__all__ = ["MAX_IMPORT_BYTES", "Find", "make_sessions_router"]

MAX_IMPORT_BYTES = 64 * 2**20
IMPORT_SECONDS = 120.0
SEARCH_SECONDS = 20.0
"""How long a sender may take, of a file and of a search."""
LINES = "application/x-ndjson"
_MAX_SEARCH_BYTES = 8_192
_HEADERS = {"x-content-type-options": "nosniff", "cache-control": "no-store"}

Find = Callable[[Request, str, str, str, str], str]
"""Draws the chats of an owner that hold a text: of a request, owner, tab, text, and the id of the chat shown."""


def make_sessions_router(stores: Stores, find: Find) -> APIRouter:
    """Returns the routes under `/chats`.

    Args:
        stores: where chats are; what is imported is kept.
        find: draws what a search finds, in the language of the request.
    """
    router = APIRouter(prefix="/chats", include_in_schema=False)
    imports = threading.Lock()  # one at a time: each holds a file in memory, and SQLite's turn to write

    @router.get("/export")
    async def export_all(request: Request) -> Response:
        return await asyncio.to_thread(_exported, stores, request, None)

    @router.get("/{session_id}/export")
    async def export_one(request: Request, session_id: str) -> Response:
        return await asyncio.to_thread(_exported, stores, request, session_id)

    @router.post("/import")
    async def import_(request: Request) -> Response:
        if not imports.acquire(blocking=False):
            return _told(Problem(503, "another file is being imported; try again in a moment"))
        try:
            limits = BodyLimits(
                LINES,
                "the file",
                MAX_IMPORT_BYTES,
                "cut it between lines, or use `hred sessions import` on the server",
                IMPORT_SECONDS,
            )
            body = await read_body(request, limits)
            return await asyncio.to_thread(_imported, stores, request, body)
        except Exception as error:
            return _told(problem_of(error))
        finally:
            imports.release()

    @router.post("/search")
    async def search(request: Request) -> Response:
        try:
            limits = BodyLimits(
                "application/json", "the search", _MAX_SEARCH_BYTES, "search for fewer words", SEARCH_SECONDS
            )
            asked = _searched(await read_body(request, limits))
            owner = await asyncio.to_thread(page_owner_of, request, stores.kept)
            return HTMLResponse(await asyncio.to_thread(find, request, owner, *asked), headers=_HEADERS)
        except Exception as error:
            return _told(problem_of(error))

    return router


def _searched(body: bytes) -> tuple[str, str, str]:
    """Returns the tab, the text and the chat that is shown."""
    try:
        asked = json.loads(body)
        values = asked["tab"], asked["text"], asked["shown"]
    except (ValueError, RecursionError, TypeError, KeyError):
        values = (None,) * 3
    tab, text, shown = values
    if not (isinstance(tab, str) and isinstance(text, str) and isinstance(shown, str)):
        raise Problem(400, "the search cannot be read; reload the page")
    return tab, text, shown


def _exported(stores: Stores, request: Request, session_id: str | None) -> Response:
    try:
        owner = page_owner_of(request, stores.kept)
        store = stores.kept if session_id is None else stores.of(session_id)
        try:
            lines = store.export_lines(owner, None if session_id is None else [session_id], is_blind=True)
        except StoreError as error:
            raise Problem(404, str(error)) from None
    except Exception as error:
        return _told(problem_of(error))
    # The name holds nothing that a user wrote.
    name = f"chats-{datetime.now(UTC):%Y-%m-%d}" if session_id is None else f"chat-{session_id[:8]}"
    headers = {**_HEADERS, "content-disposition": f'attachment; filename="{name}.jsonl"'}
    return StreamingResponse(lines, media_type=f"{LINES}; charset=utf-8", headers=headers)


def _imported(stores: Stores, request: Request, body: bytes) -> Response:
    def lines() -> Iterator[bytes]:
        start = 0
        while start < len(body):
            end = body.find(b"\n", start) + 1 or len(body)
            yield body[start:end]
            start = end

    owner = page_owner_of(request, stores.kept)
    try:
        done = stores.kept.import_lines(lines, owner, with_battles=False)
    except StoreError as error:
        raise Problem(422, str(error)) from None
    values = {"added": len(done.added), "known": done.known, "sessions": list(done.added)}
    return JSONResponse(values, headers=_HEADERS)


def _told(problem: Problem) -> Response:
    return Response(problem.to_json(), problem.status, {**problem.headers, **_HEADERS}, "application/json")
