"""How many events of the page one person may have waiting and running at once: Gradio's queue knows no owners.

An event begins with the answer to `queue/join`, which names it, and ends with `process_completed` in the stream of its
page, or with that stream: when a page is closed, Gradio takes its events out of the queue. One whose page never opens
a stream counts for a while and no longer.
"""

import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from app.access.asgi import Message, Send

__all__ = ["MAX_EVENTS", "OpenEvents"]

MAX_EVENTS = 150
"""Of one owner. A page sends about eight when it is opened, and one for each thing that is done on it."""
_LONGEST_SECONDS = 900.0
"""No event takes longer; a reply is stopped before."""
_COMPLETED = re.compile(rb'"msg":"process_completed","event_id":"(\w+)"')
"""As Gradio writes it. A user's text cannot hold it: in JSON its quotation marks are escaped."""


@dataclass(frozen=True, slots=True)
class _Begun:
    page: str
    at: float


class OpenEvents:
    """The events that have begun and not ended, by owner.

    Args:
        most: of one owner.
        clock: seconds, never going back.
    """

    def __init__(self, most: int = MAX_EVENTS, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._events: dict[str, dict[str, _Begun]] = {}
        self._lock = threading.Lock()

    def has_room(self, owner: str) -> bool:
        """Returns whether an owner may begin one more."""
        before = self._clock() - _LONGEST_SECONDS
        with self._lock:
            mine = self._events.get(owner, {})
            if len(mine) < self._most:
                return True
            self._keep(owner, {event: begun for event, begun in mine.items() if begun.at > before})
            return len(self._events.get(owner, {})) < self._most

    def begin(self, owner: str, page: str, event: str) -> None:
        """Counts an event."""
        with self._lock:
            self._events.setdefault(owner, {})[event] = _Begun(page, self._clock())

    def end(self, owner: str, event: str) -> None:
        """Counts an event no longer."""
        with self._lock:
            mine = self._events.get(owner, {})
            self._keep(owner, {name: begun for name, begun in mine.items() if name != event})

    def end_page(self, owner: str, page: str) -> None:
        """Counts the events of a page no longer."""
        with self._lock:
            mine = self._events.get(owner, {})
            self._keep(owner, {event: begun for event, begun in mine.items() if begun.page != page})

    def _keep(self, owner: str, left: dict[str, _Begun]) -> None:
        if left:
            self._events[owner] = left
        else:
            self._events.pop(owner, None)

    def joining(self, owner: str, page: str, send: Send) -> Send:
        """Returns a `send` for the answer to `queue/join`, by which the event that it names is counted."""
        parts: list[bytes] = []

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.body":
                parts.append(message.get("body", b""))
                event = None if message.get("more_body", False) else _event_of(b"".join(parts))
                if event is not None:
                    self.begin(owner, page, event)
            await send(message)

        return sent

    def streaming(self, owner: str, send: Send) -> Send:
        """Returns a `send` for a page's stream, by which the events that end in it are counted no longer."""

        async def sent(message: Message) -> None:
            for event in _COMPLETED.findall(message.get("body", b"")):
                self.end(owner, event.decode())
            await send(message)

        return sent


def _event_of(answer: bytes) -> str | None:
    try:
        event = json.loads(answer)["event_id"]
    except (ValueError, RecursionError, TypeError, KeyError):
        return None
    return event if isinstance(event, str) else None
