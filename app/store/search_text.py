"""The form of a text in which it is searched, and how the texts of a session are laid together for it.

A search reads everything that one owner ever wrote or got. Rows of a hundred bytes, scattered among those of
others, cost more to find than to compare; so the texts of a session stand beside one another, in pieces of
about `PIECE_SIZE` characters. A piece holds messages that came one after the other, with `SEPARATOR` between
them, so that the n-th text of a piece that begins at position p is the message at position p + n.

A change of `search_form` needs a migration that makes every piece anew.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

__all__ = ["PIECE_SIZE", "SEPARATOR", "matches", "pieces_of", "search_form"]

SEPARATOR = "\x1f"
"""Counts as white space, so no text in its searched form holds one."""

PIECE_SIZE = 1_500  # characters; PostgreSQL keeps a row below 2,000 bytes where it is, uncompressed


def search_form(text: str) -> str:
    """Returns a text as it is searched: NFKC, case-folded, white space as single spaces.

    Wide and narrow letters, half-width and full-width kana, capitals and small letters become one (Unicode
    15, definition D146: NFKC after folding, for folding may leave letters that NFKC joins).
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def matches(piece: str, wanted: str) -> list[int]:
    """Returns which texts of a piece hold what is wanted, both in their searched form."""
    return [place for place, text in enumerate(piece.split(SEPARATOR)) if wanted in text]


def pieces_of(messages: Iterable[tuple[int, datetime, str]]) -> Iterator[dict[str, Any]]:
    """Yields the pieces of a session, as a store writes them one by one.

    Args:
        messages: position, time and text of each, in their order.
    """
    piece: dict[str, Any] | None = None
    for position, created_at, text in messages:
        words = search_form(text)
        if piece is not None and len(piece["text"]) + 1 + len(words) <= PIECE_SIZE:
            newest: datetime = max(piece["newest_at"], created_at)
            piece |= {"text": piece["text"] + SEPARATOR + words, "newest_at": newest}
            continue
        if piece is not None:
            yield piece
        piece = {"first_position": position, "newest_at": created_at, "text": words}
    if piece is not None:
        yield piece
