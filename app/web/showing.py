"""Which reply each open page is being sent, so that one that is left behind never writes over the next.

Gradio's own `cancels` does not do for this: it cancels by page and handler, so that a message that is sent
right after it can be lost together with the reply that was to be cancelled.
"""

import threading
from dataclasses import dataclass, field

__all__ = ["Pages", "Showing"]

_PATIENCE = 10.0
"""Seconds that a page waits for the reply that it leaves to end at its next token."""


@dataclass(frozen=True, slots=True, eq=False)
class Showing:
    """A reply that is streamed to an open page.

    Attributes:
        client_id: of the message that it answers, or "" for one more reply to an old one.
        is_left: set when the page turns to something else: nothing more may be written to it.
        has_ended: set when all that was written has been taken, so that nothing of it comes later.
    """

    client_id: str
    is_left: threading.Event = field(default_factory=threading.Event)
    has_ended: threading.Event = field(default_factory=threading.Event)


class Pages:
    """The open pages, each with at most one reply that is streamed to it."""

    def __init__(self) -> None:
        self._showing: dict[str, Showing] = {}
        self._lock = threading.Lock()

    def is_answering(self, page: str, client_id: str) -> bool:
        """Returns whether the page is being sent the reply to just this message."""
        with self._lock:
            showing = self._showing.get(page)
        return showing is not None and bool(client_id) and showing.client_id == client_id

    def enter(self, page: str, client_id: str) -> Showing:
        """Begins a reply on a page, after ending the one before; `end` must follow."""
        showing = Showing(client_id)
        with self._lock:
            before = self._showing.get(page)
            self._showing[page] = showing
        _end(before)
        return showing

    def leave(self, page: str) -> None:
        """Ends the reply on a page, if there is one, and waits until nothing more comes of it."""
        with self._lock:
            before = self._showing.pop(page, None)
        _end(before)

    def end(self, page: str, showing: Showing) -> None:
        """Notes that a reply writes no more."""
        showing.has_ended.set()
        with self._lock:
            if self._showing.get(page) is showing:
                del self._showing[page]


def _end(showing: Showing | None) -> None:
    if showing is not None:
        showing.is_left.set()
        showing.has_ended.wait(_PATIENCE)
