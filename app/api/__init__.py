"""The HTTP API beside the page: `/v1` as OpenAI's clients call it, `/api`, and what servers are watched by.

See `docs/serving.md`.
"""

from typing import Any

from app.api.chat_routes import make_chat_router
from app.api.routes import make_router
from app.api.service_routes import make_service_router
from app.bots import Bots
from app.store import Store

__all__ = ["add_api", "make_router"]


def add_api(server: Any, bots: Bots, store: Store) -> None:
    """Puts every route of the API into a FastAPI application.

    Args:
        server: the application; its own document and pages should be off.
        bots: who replies; the page's own.
        store: where chats are kept; the page's own.
    """
    for router in (make_router(bots), make_chat_router(bots, store), make_service_router(bots, store)):
        server.include_router(router)
