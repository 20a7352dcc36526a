"""Replies over HTTP: asked of the engine, gathered into pieces, sent; ended when nobody reads them any more.

No request holds a thread: the engine writes tokens down, and a request wakes when its replies are whole, or
after the time of a piece, takes what has come since, and sends it. So a reader that is slow, or never reads,
holds up nobody: it fills its own buffer, and `app.server` lets the system give its connection up.

Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import json
from collections.abc import Iterator, Sequence
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.problems import Problem, problem_of
from app.api.requests import Asked
from app.bots import Bots
from dialog.decoding.engine import Engine, Ticket
from dialog.decoding.replier import without_nul
from dialog.decoding.replies import Reply
from dialog.errors import RunFolderError
from dialog.text.batches import EOS
from dialog.text.tokenizer import StreamDecoder

__all__ = ["PlainReplies", "StreamedReplies", "engine_of", "submit"]

_LONG_CHARACTERS = 4_000
"""A conversation so long is taken apart on another thread, for it would hold up the others' sending."""


async def engine_of(bots: Bots, name: str) -> Engine:
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
        raise Problem(500 if name in bots.names else 404, str(error)) from None


async def submit(engine: Engine, asked: Asked) -> Ticket:
    """Puts a request into the engine's queue.

    Raises:
        UsageError: there is no text to answer.
        BusyError: too many wait.
    """
    given = (asked.conversation, asked.sampling, asked.num_replies, asked.seed)
    if sum(len(turn.text) for turn in asked.conversation.turns) > _LONG_CHARACTERS:
        return await asyncio.to_thread(engine.submit, *given)
    return engine.submit(*given)


class PlainReplies(Response):
    """All replies at once, as JSON.

    Args:
        ticket: of the request.
    """

    def __init__(self, ticket: Ticket) -> None:
        super().__init__(media_type="application/json")
        self._ticket = ticket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Waits for the replies, or for the reader to go."""
        async with _Watch(self._ticket, receive) as watch:
            await watch.wait(None)
            if watch.is_gone:
                return
            try:
                body = _body(self._ticket.future.result())
            except Exception as error:
                problem = problem_of(error)
                self.status_code, body = problem.status, problem.to_json()
                self.headers.update(problem.headers)
        self.headers["content-length"] = str(len(body))
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await _send(send, body, is_last=True)


class StreamedReplies(Response):
    """Pieces of the replies as server-sent events, and at last the replies.

    Args:
        engine: that decodes them.
        ticket: of the request.
        piece_seconds: how long text is gathered.
    """

    def __init__(self, engine: Engine, ticket: Ticket, piece_seconds: float) -> None:
        super().__init__(media_type="text/event-stream", headers={"x-accel-buffering": "no"})
        del self.headers["content-length"]
        self.headers["cache-control"] = "no-store"
        self._ticket, self._piece_seconds = ticket, piece_seconds
        self._pieces = _Pieces(engine, ticket)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends what has come, again and again, until the replies are whole or the reader goes."""
        async with _Watch(self._ticket, receive) as watch:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            events = b""
            while not watch.is_over:
                await watch.wait(self._piece_seconds)
                events = b"".join(_piece_event(index, text) for index, text in self._pieces.take())
                if events and not watch.is_over:
                    await _send(send, events)
            if not watch.is_gone:
                await _send(send, events + self._last_event(), is_last=True)

    def _last_event(self) -> bytes:
        try:
            rest = b"".join(_piece_event(index, text) for index, text in self._pieces.finish())
            return rest + _event("replies", _body(self._ticket.future.result()))
        except Exception as error:
            return _event("error", problem_of(error).to_json())


class _Watch:
    """Waits for a ticket's replies and for its reader to go, whichever comes first; ends the ticket when left."""

    def __init__(self, ticket: Ticket, receive: Receive) -> None:
        self._ticket = ticket
        self._done = asyncio.wrap_future(ticket.future)
        self._gone = asyncio.ensure_future(_disconnected(receive))

    async def __aenter__(self) -> "_Watch":
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ticket.cancel()
        self._gone.cancel()
        if self._done.done():
            self._done.exception()  # is told from the ticket; asyncio need not complain
        else:
            self._done.cancel()

    @property
    def is_gone(self) -> bool:
        return self._gone.done() and not self._done.done()

    @property
    def is_over(self) -> bool:
        return self._gone.done() or self._done.done()

    async def wait(self, seconds: float | None) -> None:
        await asyncio.wait((self._done, self._gone), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class _Pieces:
    """The text of a ticket's replies that no one has taken yet; no piece ends inside a character."""

    def __init__(self, engine: Engine, ticket: Ticket) -> None:
        self._tokenizer, self._ticket = engine.replier.tokenizer, ticket
        self._texts: list[StreamDecoder] = []
        self._places: list[int] = []

    def take(self) -> Iterator[tuple[int, str]]:
        """Yields the index and the new text of each reply that has some."""
        for index, draft in enumerate(self._ticket.drafts):
            if index == len(self._texts):
                self._texts.append(StreamDecoder(self._tokenizer))
                self._places.append(0)
            tokens = draft.tokens[self._places[index] :]
            self._places[index] += len(tokens)
            push = self._texts[index].push
            text = "".join(push(token) for token in tokens if token != EOS)
            if text:
                yield index, without_nul(text)

    def finish(self) -> Iterator[tuple[int, str]]:
        """Yields what was held back, once the replies are whole."""
        yield from self.take()
        for index, decoder in enumerate(self._texts):
            text = decoder.finish()
            if text:
                yield index, without_nul(text)


async def _send(send: Send, body: bytes, is_last: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": not is_last})


def _body(replies: Sequence[Reply]) -> bytes:
    values: list[dict[str, Any]] = [reply.to_json() for reply in replies]
    return json.dumps({"replies": values}, ensure_ascii=False).encode()


def _piece_event(index: int, text: str) -> bytes:
    return _event("piece", json.dumps({"index": index, "text": text}, ensure_ascii=False).encode())


def _event(name: str, data: bytes) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"
