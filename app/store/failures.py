"""What a database reports, in one sentence for the person who waits; no text of a chat gets into it."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError, StatementError, TimeoutError

from dialog.errors import StoreError

__all__ = ["as_store_errors", "num_failures"]

_lock = threading.Lock()
_failures = 0

FULL = "the disk of {place} is full, nothing was stored; free some space and send it again"
AWAY = (
    "{place} cannot be reached; see that its server runs, that the database is there, "
    "and that user and password in HRED_DATABASE_URL are right"
)

OF_SQLITE = {
    "SQLITE_NOTADB": "{place} is not a SQLite database; move that file away or name another store "
    "in HRED_DATABASE_URL",
    "SQLITE_CORRUPT": "{place} is damaged; restore it from a backup, or move it away to start a new store",
    "SQLITE_FULL": FULL,
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
"""By the beginning of SQLite's own name of an error."""
OF_SQLITE["SQLITE_LOCKED"] = OF_SQLITE["SQLITE_BUSY"]

OF_POSTGRESQL = {
    "53100": FULL,
    "53": "{place} has run out of what it needs ({name}), nothing was stored; see to its server and send it again",
    "57": AWAY,
    "08": AWAY,
    "42501": "{place} does not let its user make or change tables; grant it, or name another user "
    "in HRED_DATABASE_URL",
    "25006": "{place} is read-only; name the server that is written to in HRED_DATABASE_URL",
    "22001": "a name is longer than {place} can keep, nothing was stored; shorten it",
    "40": "{place} was busy with the same chat, nothing was stored; send it again",
    "55P03": "{place} was busy with the same chat, nothing was stored; send it again",
}
"""By the beginning of the SQLSTATE; the longest that fits counts."""


@contextmanager
def as_store_errors(place: str) -> Iterator[None]:
    """Turns what the database raises within into a StoreError.

    Args:
        place: the store, as it may be shown: no password in it.
    """
    try:
        yield
    except TimeoutError as error:  # of the pool
        raise StoreError(f"{place} has too much to do at once, nothing was stored; try again") from error
    except SQLAlchemyError as error:
        _count()
        cause = error.orig if isinstance(error, StatementError) and error.orig is not None else error
        raise StoreError(_sentence(cause, place)) from error
    except sqlite3.Error as error:
        _count()
        raise StoreError(_sentence(error, place)) from error


def num_failures() -> int:
    """Returns how often a database could not do what it was asked, in this process since its start."""
    return _failures


def _count() -> None:
    global _failures
    with _lock:
        _failures += 1


def _sentence(error: BaseException, place: str) -> str:
    if (name := getattr(error, "sqlite_errorname", None)) is not None:
        sentences = OF_SQLITE
    elif (name := getattr(error, "sqlstate", None)) is not None:
        sentences = OF_POSTGRESQL
    else:
        # Psycopg has no SQLSTATE for a connection that was refused, or that broke.
        name, sentences = type(error).__name__, {"OperationalError": AWAY}
    for family in sorted(sentences, key=len, reverse=True):
        if name.startswith(family):
            return sentences[family].format(place=place, name=name)
    return f"{place} could not be used ({name}); see that the database runs and try again"
