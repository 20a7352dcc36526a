"""The form of `/api/reply` and `/api/stream`: each reply with all that is needed to get it again.

Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import json
from collections.abc import Sequence
from typing import Any

from app.api.pending import Piece
from app.api.problems import Problem
from dialog.decoding.replies import Reply

__all__ = ["OwnForm"]


class OwnForm:
    """This project's own form; see `app.api.replying.Form`."""

    def body(self, replies: Sequence[Reply], pieces: Sequence[Piece] = ()) -> bytes:
        """Returns `{"replies": […]}`."""
        values: list[dict[str, Any]] = [reply.to_json() for reply in replies]
        return json.dumps({"replies": values}, ensure_ascii=False).encode()

    def problem(self, problem: Problem) -> bytes:
        """Returns `{"error": sentence}`."""
        return problem.to_json()

    def begin(self) -> bytes:
        """Returns nothing."""
        return b""

    def events(self, pieces: Sequence[Piece]) -> bytes:
        """Returns a `piece` for each that has text."""
        values = ({"index": piece.index, "text": piece.text} for piece in pieces if piece.text)
        return b"".join(_event("piece", json.dumps(value, ensure_ascii=False).encode()) for value in values)

    def end(self, replies: Sequence[Reply]) -> bytes:
        """Returns `replies`."""
        return _event("replies", self.body(replies))

    def broken(self, problem: Problem) -> bytes:
        """Returns `error`."""
        return _event("error", problem.to_json())


def _event(name: str, data: bytes) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"
