"""Replies over HTTP: asked of the engine, gathered into pieces, sent; ended when nobody reads them any more.

No request holds a thread: the engine writes tokens down, and a request wakes when its replies are whole, or
after the time of a piece, takes what has come since, and sends it. So a reader that is slow, or never reads,
holds up nobody: it fills its own buffer, and `app.server` lets the system give its connection up.

How an answer looks is a `Form`: this project's own, or OpenAI's.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.pending import Pending, Piece
from app.api.problems import Problem, problem_of
from app.bots import Bots
from dialog.conversation import Conversation
from dialog.decoding.replies import Reply, Sampling
from dialog.errors import RunFolderError

if TYPE_CHECKING:
    from dialog.decoding.engine import Engine, Ticket

__all__ = ["Form", "PlainReplies", "StreamedReplies", "engine_of", "submit"]

_LONG_CHARACTERS = 4_000
"""A conversation so long is taken apart on another thread, for it would hold up the others' sending."""


class Form(Protocol):
    """How replies and problems are written down; made for one request."""

    def body(self, replies: Sequence[Reply], pieces: Sequence[Piece]) -> bytes:
        """Returns the JSON of replies that are whole; `pieces` are theirs, one each, where they were decoded now."""

    def problem(self, problem: Problem) -> bytes:
        """Returns the JSON of a problem."""

    def begin(self) -> bytes:
        """Returns the events that a stream begins with."""

    def events(self, pieces: Sequence[Piece]) -> bytes:
        """Returns the events of further pieces."""

    def end(self, replies: Sequence[Reply]) -> bytes:
        """Returns the events that a stream ends with."""

    def broken(self, problem: Problem) -> bytes:
        """Returns the events that a stream ends with that has failed."""


async def engine_of(bots: Bots, name: str) -> "Engine":
    """Returns a bot's engine; where it is not loaded yet, others are served meanwhile.

    Raises:
        Problem: there is no such bot, or it cannot be loaded.
    """
    engine = bots.loaded().get(name)
    if engine is not None:
        return engine
    try:
        return await asyncio.to_thread(bots.engine, name)
    except RunFolderError as error:
        if name in bots.names:
            raise Problem(500, str(error), "model") from None
        raise Problem(404, str(error), "model", "model_not_found") from None


async def submit(
    engine: "Engine",
    conversation: Conversation,
    sampling: Sampling,
    num_replies: int,
    seed: int,
    num_top: int | None = None,
) -> "Ticket":
    """Puts a request into the engine's queue; the arguments are those of `Engine.submit`.

    Raises:
        UsageError: there is no text to answer.
        BusyError: too many wait.
    """

    def put() -> "Ticket":
        return engine.submit(conversation, sampling, num_replies, seed, num_top=num_top)

    is_long = sum(len(turn.text) for turn in conversation.turns) > _LONG_CHARACTERS
    return await asyncio.to_thread(put) if is_long else put()


class PlainReplies(Response):
    """All replies at once, as JSON.

    Args:
        pending: the replies.
        form: how they are written down.
    """

    def __init__(self, pending: Pending, form: Form) -> None:
        super().__init__(media_type="application/json")
        self._pending, self._form = pending, form

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Waits for the replies, or for the reader to go."""
        async with _Watch(self._pending, receive) as watch:
            await watch.wait(None)
            if watch.is_gone:
                return
            try:
                replies = self._pending.replies
                body = self._form.body(replies, self._pending.finish())
            except Exception as error:
                problem = problem_of(error)
                self.status_code, body = problem.status, self._form.problem(problem)
                self.headers.update(problem.headers)
        self.headers["content-length"] = str(len(body))
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await _send(send, body, is_last=True)


class StreamedReplies(Response):
    """Pieces of the replies as server-sent events, and at last the replies.

    Args:
        pending: the replies.
        form: how they are written down.
        piece_seconds: how long text is gathered.
    """

    def __init__(self, pending: Pending, form: Form, piece_seconds: float) -> None:
        super().__init__(media_type="text/event-stream", headers={"x-accel-buffering": "no"})
        del self.headers["content-length"]
        self.headers["cache-control"] = "no-store"
        self._pending, self._form, self._piece_seconds = pending, form, piece_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends what has come, again and again, until the replies are whole or the reader goes."""
        async with _Watch(self._pending, receive) as watch:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            events = self._form.begin()
            while not watch.is_over:
                await watch.wait(self._piece_seconds)
                events += self._form.events(self._pending.take())
                if events and not watch.is_over:
                    await _send(send, events)
                    events = b""
            if not watch.is_gone:
                await _send(send, events + self._last_events(), is_last=True)

    def _last_events(self) -> bytes:
        try:
            replies = self._pending.replies
            rest = self._form.events(self._pending.finish())
            return rest + self._form.end(replies)
        except Exception as error:
            return self._form.broken(problem_of(error))


class _Watch:
    """Waits for replies and for their reader to go, whichever comes first; leaves the replies when left."""

    def __init__(self, pending: Pending, receive: Receive) -> None:
        self._pending = pending
        self._gone = asyncio.ensure_future(_disconnected(receive))

    async def __aenter__(self) -> "_Watch":
        return self

    async def __aexit__(self, *_: object) -> None:
        self._pending.leave()
        self._gone.cancel()

    @property
    def is_gone(self) -> bool:
        return self._gone.done() and not self._pending.done.done()

    @property
    def is_over(self) -> bool:
        return self._gone.done() or self._pending.done.done()

    async def wait(self, seconds: float | None) -> None:
        waited = (self._pending.done, self._gone)
        await asyncio.wait(waited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(send: Send, body: bytes, is_last: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": not is_last})
