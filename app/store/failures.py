"""What a database reports, in one sentence for the person who waits; no text of a chat gets into it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError, StatementError

from dialog.errors import StoreError

__all__ = ["as_store_errors"]

SENTENCES = {
    "SQLITE_NOTADB": "{place} is not a SQLite database; move that file away or name another store "
    "in HRED_DATABASE_URL",
    "SQLITE_CORRUPT": "{place} is damaged; restore it from a backup, or move it away to start a new store",
    "SQLITE_FULL": "the disk of {place} is full, nothing was stored; free some space and send it again",
    "SQLITE_READONLY": "{place} cannot be written, it is read-only; make the file and its folder writable "
    "or name another folder in HRED_DATA_FOLDER",
    "SQLITE_CANTOPEN": "{place} cannot be opened; see that its folder is there and writable, "
    "or name another folder in HRED_DATA_FOLDER",
    "SQLITE_PERM": "{place} cannot be opened by this user; make it readable and writable, "
    "or name another folder in HRED_DATA_FOLDER",
    "SQLITE_BUSY": "{place} was kept locked by another program for too long, nothing was stored; "
    "close that program and send it again",
    "SQLITE_IOERR": "{place} cannot be read or written, the disk reports an error ({name}); "
    "see that the disk has space and is sound",
}
SENTENCES["SQLITE_LOCKED"] = SENTENCES["SQLITE_BUSY"]


@contextmanager
def as_store_errors(place: str) -> Iterator[None]:
    """Turns what the database raises within into a StoreError.

    Args:
        place: the store, as it may be shown: no password in it.
    """
    try:
        yield
    except SQLAlchemyError as error:
        cause = error.orig if isinstance(error, StatementError) and error.orig is not None else error
        raise StoreError(_sentence(cause, place)) from error
    except sqlite3.Error as error:
        raise StoreError(_sentence(error, place)) from error


def _sentence(error: BaseException, place: str) -> str:
    name = getattr(error, "sqlite_errorname", None)
    for family, sentence in SENTENCES.items():
        if name is not None and name.startswith(family):
            return sentence.format(place=place, name=name)
    what = name or type(error).__name__
    return f"{place} could not be used ({what}); see that the database runs and try again"
