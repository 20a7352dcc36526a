"""The HTTP API beside the page: `/api/models`, `/api/reply`, `/api/stream`, `/api/health`; see `docs/serving.md`."""

from app.api.routes import make_router

__all__ = ["make_router"]
