"""The store's search: a few letters, found in any message of an owner, the newest first.

Every piece of the owner's texts is asked whether it holds the letters (`app.store.search_text`), the newest
piece first. No index of words stands behind it: words of Japanese have no spaces between them, and an index of
three letters finds nothing that has two. SQLite's `instr` and PostgreSQL's `strpos` compare letter by letter, so
that `%`, `_` and `\\` are letters as well, and both give the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Row, and_, func, or_, select, tuple_
from sqlalchemy.orm import Session as Transaction

from app.store import queries
from app.store.base import StoreBase
from app.store.records import Role, checked_text
from app.store.search_text import matches, search_form
from app.store.tables import MessageRow, SearchRow, SessionRow
from dialog.errors import StoreError

__all__ = ["FoundMessage", "SearchCalls"]

LONGEST_QUERY = 200  # characters
PIECES_AT_ONCE = 50  # are asked for
PIECES_READ = 5  # are read message by message before it is seen whether they were enough
PIECE = SearchRow.__table__.c

Piece = Row[Any, Any, Any, Any]
"""`newest_at`, `session_id`, `first_position`, `text`."""


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """A message that a search has found.

    Attributes:
        message_id: its id.
        session_id: the session that it stands in.
        title: that session's title.
        role: who said it.
        text: what was said, raw.
        created_at: when it was stored, UTC.
    """

    message_id: str
    session_id: str
    title: str
    role: Role
    text: str
    created_at: datetime


class SearchCalls(StoreBase):
    """Finding messages by their words."""

    def search(self, owner: str, text: str, limit: int = 50) -> tuple[FoundMessage, ...]:
        """Returns the owner's messages that hold a text, the newest first, on whatever branch they stand.

        Letters are compared as `search_form` writes them: capitals, width and kinds of white space make no
        difference. The text is found as a whole, also inside a word.

        Args:
            owner: whose messages are searched.
            text: what to look for; nothing, or white space alone, finds nothing.
            limit: at most so many, 1 or more.

        Raises:
            StoreError: the text is no text or too long, or the limit is below 1.
        """
        if limit < 1:
            raise StoreError(f"the search was asked for {limit} messages, but a list has 1 or more")
        if len(text) > LONGEST_QUERY:
            raise StoreError(
                f"the search has {len(text)} letters, but at most {LONGEST_QUERY} are looked for; shorten it"
            )
        wanted = search_form(checked_text(text, "search"))
        if not wanted or not queries.is_id(owner):
            return ()
        with self._reads() as transaction:
            found: list[FoundMessage] = []
            for pieces in _pieces(transaction, owner, wanted):
                # What is still to come is no newer than the newest message of the next piece.
                if len(found) >= limit and found[limit - 1].created_at > pieces[0].newest_at:
                    break
                found += _messages(transaction, pieces, wanted)
                found.sort(key=lambda hit: (hit.created_at, hit.message_id), reverse=True)
        return tuple(found[:limit])


def _pieces(transaction: Transaction, owner: str, wanted: str) -> Iterator[list[Piece]]:
    """Yields the pieces that hold what is wanted, some at once, in the order of their newest message."""
    dialect = transaction.get_bind().dialect.name
    place = func.instr if dialect == "sqlite" else func.strpos
    key = (PIECE.newest_at, PIECE.session_id, PIECE.first_position)
    statement = select(*key, PIECE.text).where(PIECE.owner_id == owner, place(PIECE.text, wanted) > 0)
    statement = statement.order_by(*(column.desc() for column in key)).limit(PIECES_AT_ONCE)
    last: Piece | None = None
    while True:
        older = statement if last is None else statement.where(tuple_(*key) < tuple_(*last[:3]))
        pieces = list(transaction.execute(older))
        for first in range(0, len(pieces), PIECES_READ):
            yield pieces[first : first + PIECES_READ]
        if len(pieces) < PIECES_AT_ONCE:
            return
        last = pieces[-1]


def _messages(transaction: Transaction, pieces: list[Piece], wanted: str) -> list[FoundMessage]:
    """Returns the messages of some pieces that hold what is wanted."""
    columns = (
        MessageRow.id,
        MessageRow.session_id,
        SessionRow.title,
        MessageRow.role,
        MessageRow.text,
        MessageRow.created_at,
    )
    statement = select(*columns).join(SessionRow, SessionRow.id == MessageRow.session_id)
    places = (
        and_(
            MessageRow.session_id == piece.session_id,
            MessageRow.position.in_(piece.first_position + place for place in matches(piece.text, wanted)),
        )
        for piece in pieces
    )
    rows = transaction.execute(statement.where(or_(*places)))
    return [FoundMessage(*row[:3], cast(Role, row[3]), *row[4:]) for row in rows]
