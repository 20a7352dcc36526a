"""Pending: the replies that a request waits for, and their text as it comes."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dialog.decoding.replies import Reply

if TYPE_CHECKING:  # the page is there before torch is
    from dialog.decoding.draft import Draft
    from dialog.decoding.engine import Engine, Ticket
    from dialog.decoding.pieces import ReplyPieces

__all__ = ["Pending", "Piece"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A further piece of a reply.

    Attributes:
        index: the reply's place among those asked for.
        text: may be empty, where there are tokens without a whole character, or none.
        draft: the reply.
        tokens: the places, among its tokens, of those whose text begins here or in an earlier gap.
    """

    index: int
    text: str
    draft: "Draft"
    tokens: range


class Pending:
    """Replies that are decoded, or that were stored long ago.

    Args:
        done: becomes the replies.
        engine: that decodes them.
        ticket: of the engine, or None where nothing is decoded.
        is_kept: whether they are decoded to their end, though their reader goes.

    Attributes:
        done: becomes the replies.
    """

    def __init__(
        self,
        done: Awaitable[list[Reply]],
        engine: "Engine",
        ticket: "Ticket | None" = None,
        is_kept: bool = False,
    ) -> None:
        self.done = asyncio.ensure_future(done)
        self._tokenizer = engine.replier.tokenizer
        self._ticket, self._is_kept = ticket, is_kept
        self._pieces: list[ReplyPieces] = []

    @staticmethod
    def of(engine: "Engine", ticket: "Ticket") -> "Pending":
        """Returns the replies of a ticket, which nobody keeps."""
        return Pending(asyncio.wrap_future(ticket.future), engine, ticket)

    @property
    def replies(self) -> list[Reply]:
        """The replies, once they are done; raises what has failed."""
        return self.done.result()

    def take(self) -> list[Piece]:
        """Returns what is new of each reply that has something new."""
        return self._take(is_whole=False)

    def finish(self) -> list[Piece]:
        """Returns the rest of each reply that was decoded now, also where that is nothing; once they are done."""
        return self._take(is_whole=True)

    def leave(self) -> None:
        """Says that nobody waits any more."""
        if self._ticket is not None and not self._is_kept:
            self._ticket.cancel()
        if self.done.done():
            if not self.done.cancelled():
                self.done.exception()  # is told by who waits; asyncio need not complain
        elif not self._is_kept:
            self.done.cancel()

    def _take(self, is_whole: bool) -> list[Piece]:
        from dialog.decoding.pieces import ReplyPieces

        found = []
        drafts = [] if self._ticket is None else self._ticket.drafts
        for index, draft in enumerate(drafts[:]):
            if index == len(self._pieces):
                self._pieces.append(ReplyPieces(draft, self._tokenizer))
            pieces = self._pieces[index]
            before = pieces.num_tokens
            text = pieces.take()
            if is_whole:
                text += pieces.finish()
            tokens = range(before, pieces.num_tokens)
            if text or tokens or is_whole:
                found.append(Piece(index, text, draft, tokens))
        return found
