"""The routes for who runs the server or writes programs against it: health, figures, the document and its page."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from app.access import is_admin
from app.api.document import make_document
from app.api.document_page import PAGE_STYLE, document_page
from app.api.metrics import CONTENT_TYPE, Metrics
from app.bots import Bots
from app.store import Store
from dialog.errors import DialogError

__all__ = ["SERVICE_ROUTES", "make_service_router"]

SERVICE_ROUTES = {
    "/healthz": ("GET",),
    "/metrics": ("GET",),
    "/openapi.json": ("GET",),
    "/docs": ("GET",),
    "/docs/style.css": ("GET",),
}
"""Paths and their methods."""

_NOBODY = "00000000-0000-0000-0000-000000000000"
"""No owner has this id, but the database has to look."""
_STORE_SECONDS = 5.0
"""A store that does not answer within them counts as one that does not answer."""


def make_service_router(bots: Bots, store: Store) -> APIRouter:
    """Returns the routes `/healthz`, `/metrics`, `/openapi.json` and `/docs`.

    Args:
        bots: who replies.
        store: where chats are kept.
    """
    router = APIRouter(include_in_schema=False)
    metrics, health = Metrics(bots), _Health(bots, store)
    document = make_document()
    page = document_page(document)

    @router.get("/healthz")
    async def healthz(request: Request) -> Response:
        values, is_well = await health.look()
        return JSONResponse(values, 200 if is_well else 503, {"cache-control": "no-store"})

    @router.get("/metrics")
    async def figures(request: Request) -> Response:
        if not is_admin(request):
            sentence = "the figures are for administrators; send an administrator's key"
            return JSONResponse({"error": sentence}, 403)
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    @router.get("/openapi.json")
    async def openapi(request: Request) -> Response:
        return JSONResponse(document)

    @router.get("/docs")
    async def docs(request: Request) -> Response:
        return Response(page, media_type="text/html")

    @router.get("/docs/style.css")
    async def style(request: Request) -> Response:
        return Response(PAGE_STYLE, media_type="text/css")

    return router


class _Health:
    """Whether requests can be served.

    Args:
        bots: who replies.
        store: where chats are kept.
    """

    def __init__(self, bots: Bots, store: Store) -> None:
        self._bots, self._store = bots, store
        self._asking: asyncio.Future[bool] | None = None

    async def look(self) -> tuple[dict[str, Any], bool]:
        """Returns what is told, and whether all is well."""
        num_loaded = len(self._bots.loaded())
        answers = await self._store_answers()
        is_well = answers and num_loaded > 0
        values = {
            "status": "ok" if is_well else "unavailable",
            "store": "ok" if answers else "unavailable",
            "models": {"loaded": num_loaded, "of": len(self._bots.names)},
        }
        return values, is_well

    async def _store_answers(self) -> bool:
        """Asks the store; one question at a time, so that a store that hangs takes one thread and no more."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(asyncio.to_thread(self._ask_store))
        done, _ = await asyncio.wait((self._asking,), timeout=_STORE_SECONDS)
        return bool(done) and self._asking.result()

    def _ask_store(self) -> bool:
        try:
            self._store.sessions(_NOBODY, limit=1)
        except DialogError:
            return False
        return True
