"""What lets a page stand soon after its server was started: nothing is collected meanwhile, and models come later."""

import contextlib
import gc
import threading
import time
from collections.abc import Iterator
from typing import Any

from app.bots import Bots

__all__ = ["Watched", "load_when_quiet", "nothing_collected"]

_QUIET_SECONDS = 1.0
_LONGEST_WAIT = 5.0
"""Seconds after which the models are loaded even if nobody has come, or pages are still being read."""


@contextlib.contextmanager
def nothing_collected() -> Iterator[None]:
    """Collects no garbage, which takes a part of the time of large imports; what is made within stays for good."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class Watched:
    """An ASGI application that knows when it was asked for something.

    Args:
        app: the application.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._asked_at: float | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Notes that somebody asks, and hands it on."""
        if scope["type"] == "http":
            self._asked_at = time.monotonic()
        await self._app(scope, receive, send)

    def quiet_seconds(self) -> float | None:
        """Returns for how long nobody has asked; None if nobody ever did."""
        return None if self._asked_at is None else time.monotonic() - self._asked_at


def load_when_quiet(bots: Bots, app: Watched, has_ended: threading.Event) -> None:
    """Loads the models once the first page stands, for to import torch holds up all else for seconds.

    A model that is asked for before is loaded then.

    Args:
        bots: the models.
        app: what is asked for the page.
        has_ended: set when the server ends.
    """
    end = time.monotonic() + _LONGEST_WAIT
    while time.monotonic() < end:
        quiet = app.quiet_seconds()
        if quiet is not None and quiet >= _QUIET_SECONDS:
            break
        if has_ended.wait(_QUIET_SECONDS / 4):
            return
    bots.load_all()
