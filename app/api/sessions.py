"""The page's own routes by which chats leave and enter as files: Gradio's files know no owners.

    GET  /chats/export              all chats of whoever asks
    GET  /chats/{id}/export         one of them
    POST /chats/import              lines of an export; the answer says what was added

They belong to the page: whose chats are meant is found out as for the page, by login or cookie.
"""

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, StreamingResponse

from app.api.problems import Problem, problem_of
from app.store import Stores
from dialog.errors import StoreError

__all__ = ["MAX_IMPORT_BYTES", "make_sessions_router"]

MAX_IMPORT_BYTES = 64 * 2**20
IMPORT_SECONDS = 120.0
"""How long a sender may take."""
LINES = "application/x-ndjson"
_COOKIE = "hred_owner"
_HEADERS = {"x-content-type-options": "nosniff", "cache-control": "no-store"}


def make_sessions_router(stores: Stores) -> APIRouter:
    """Returns the routes under `/chats`.

    Args:
        stores: where chats are; what is imported is kept.
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
            body = await _body(request)
            return await asyncio.to_thread(_imported, stores, request, body)
        except Exception as error:
            return _told(problem_of(error))
        finally:
            imports.release()

    return router


def _exported(stores: Stores, request: Request, session_id: str | None) -> Response:
    try:
        owner = _owner(stores, request)
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

    owner = _owner(stores, request)
    try:
        done = stores.kept.import_lines(lines, owner, with_battles=False)
    except StoreError as error:
        raise Problem(422, str(error)) from None
    values = {"added": len(done.added), "known": done.known, "sessions": list(done.added)}
    return JSONResponse(values, headers=_HEADERS)


def _owner(stores: Stores, request: Request) -> str:
    owner = getattr(request.state, "owner", None)
    if isinstance(owner, str):
        return owner
    token = request.cookies.get(_COOKIE, "")
    if not token:
        raise Problem(401, "the browser sent no cookie, by which chats are told apart; open the page first")
    return stores.kept.owner_for(token)


async def _body(request: Request) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != LINES:  # a page of somebody else cannot send this type unasked
        raise Problem(
            415, f"the file came as {kind or 'no named type'}; send it with 'Content-Type: {LINES}'"
        )
    parts, size = [], 0
    try:
        async with asyncio.timeout(IMPORT_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > MAX_IMPORT_BYTES:
                    raise Problem(
                        413,
                        f"the file is longer than {MAX_IMPORT_BYTES:,} bytes; cut it between lines, "
                        "or use `hred sessions import` on the server",
                    )
                parts.append(part)
    except TimeoutError:
        raise Problem(
            408, f"the file did not come within {IMPORT_SECONDS:g} seconds; send it again"
        ) from None
    except ClientDisconnect:
        raise Problem(400, "the sender has gone") from None  # nobody reads it
    return b"".join(parts)


def _told(problem: Problem) -> Response:
    return Response(problem.to_json(), problem.status, {**problem.headers, **_HEADERS}, "application/json")
