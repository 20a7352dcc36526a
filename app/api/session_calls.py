"""What the routes under `/v1/sessions` do: the caller's stored chats are made, listed, told, named and deleted."""

import asyncio
from typing import Any

from fastapi import Request, Response
from starlette.responses import JSONResponse

from app.api.chat_requests import read_object
from app.api.chat_schema import MAX_LISTED, SESSION_CHANGE, SESSION_REQUEST
from app.api.owners import owner_of
from app.api.problems import Problem
from app.api.requests import read_body
from app.api.schemas import check
from app.api.session_chats import check_storable, find_session
from app.bots import Bots
from app.store import Store, StoredMessage, StoredSession

__all__ = ["SessionCalls"]


class SessionCalls:
    """What the routes do.

    Args:
        bots: they forget what is deleted.
        store: where chats are kept.
    """

    def __init__(self, bots: Bots, store: Store) -> None:
        self._bots, self._store = bots, store

    async def list_some(self, request: Request) -> Response:
        """Lists the caller's chats, the one changed last first: `limit` of them, those that come after `after`."""
        limit, after = _limit(request), request.query_params.get("after")

        def find() -> tuple[StoredSession, ...]:
            owner = owner_of(request, self._store)
            before = None if after is None else find_session(self._store, owner, after)
            return self._store.sessions(owner, limit=limit + 1, before=before)

        found = await asyncio.to_thread(find)
        listed = [_session(one) for one in found[:limit]]
        return JSONResponse({"object": "list", "data": listed, "has_more": len(found) > limit})

    async def make(self, request: Request) -> Response:
        """Makes an empty chat."""
        values = await _values(request, SESSION_REQUEST)

        def make() -> StoredSession:
            owner = owner_of(request, self._store)
            return self._store.create_session(owner, values.get("title", ""), values.get("model", ""))

        return JSONResponse(_session(await asyncio.to_thread(make)))

    async def tell(self, request: Request, session_id: str) -> Response:
        """Tells a chat, with the messages of the branch that it goes on from."""

        def find() -> dict[str, Any]:
            owner = owner_of(request, self._store)
            found = find_session(self._store, owner, session_id)
            messages = self._store.messages(owner, session_id)
            return {**_session(found), "messages": [_message(message) for message in messages]}

        return JSONResponse(await asyncio.to_thread(find))

    async def rename(self, request: Request, session_id: str) -> Response:
        """Gives a chat another title."""
        values = await _values(request, SESSION_CHANGE)

        def rename() -> StoredSession:
            owner = owner_of(request, self._store)
            find_session(self._store, owner, session_id)
            return self._store.rename(owner, session_id, values["title"])

        return JSONResponse(_session(await asyncio.to_thread(rename)))

    async def delete(self, request: Request, session_id: str) -> Response:
        """Deletes a chat for good, and what the bots of this server keep of it."""

        def delete() -> None:
            owner = owner_of(request, self._store)
            find_session(self._store, owner, session_id)
            said = tuple(self._store.conversations(owner, session_id))
            self._store.delete_session(owner, session_id)
            self._bots.forget(said)

        await asyncio.to_thread(delete)
        return JSONResponse({"id": session_id, "object": "session.deleted", "deleted": True})


def _limit(request: Request) -> int:
    given = request.query_params.get("limit", str(MAX_LISTED))
    if not (given.isascii() and given.isdecimal() and 1 <= int(given[:9]) <= MAX_LISTED):
        raise Problem(
            400,
            f"limit is {given[:20]!r}, but must be a whole number from 1 to {MAX_LISTED}",
            "limit",
            "invalid_value",
        )
    return int(given)


async def _values(request: Request, schema: dict[str, Any]) -> dict[str, Any]:
    values = read_object(await read_body(request))
    check(values, schema, "")
    for name, text in values.items():
        check_storable(text, name)
    return values


def _session(session: StoredSession) -> dict[str, Any]:
    return {
        "id": session.id,
        "object": "session",
        "title": session.title,
        "model": session.model_name,
        "created": int(session.created_at.timestamp()),
        "updated": int(session.updated_at.timestamp()),
    }


def _message(message: StoredMessage) -> dict[str, Any]:
    return {
        "id": message.id,
        "role": "user" if message.role == "user" else "assistant",
        "content": message.text,
        "created": int(message.created_at.timestamp()),
        "model": message.model_name,
    }
