"""The files of a SQLite store: made for their user alone, copied before an upgrade, and rid of deleted chats."""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import cast

from sqlalchemy import URL, Engine

from dialog.errors import StoreError

__all__ = [
    "BUSY_TIMEOUT",
    "copy_file",
    "file_of",
    "forget",
    "make_file",
    "make_private",
    "name_of",
    "pages_of",
    "switch_to_log",
]

BUSY_TIMEOUT = 30.0  # seconds that a writer waits for the one before it
_MOST_SOUGHT = 20
"""Sessions; the file is written anew for more of them without looking for each."""

_BYTES_AT_ONCE = 2**20  # whole pages, whatever their size
_INDEX_PAGES = (2, 10)
"""What the pages of an index begin with (SQLite's file format, section 1.6)."""

_open_files: dict[tuple[int, int], int] = {}
"""Descriptors by the file's device and inode."""

_reading = threading.Lock()

CHECKPOINT_TIMEOUT = 2_000  # milliseconds that emptying the log waits for readers


def name_of(url: URL) -> str:
    """Returns the store as it may be shown: a file's path, or a URL without its password."""
    if url.get_backend_name() == "sqlite" and url.database:
        return f"the session store {url.database}"
    return f"the session store {url.render_as_string(hide_password=True)}"


def file_of(url: URL) -> Path | None:
    """Returns the file of a SQLite store, None for another database."""
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def make_file(path: Path, place: str) -> None:
    """Makes the file, for its user alone, before SQLite would make it for all; the log copies its mode."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        if path.is_file():
            return
        raise StoreError(
            f"{place} is no file; move away what stands there or name another file in HRED_DATABASE_URL"
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise StoreError(
            f"{place} cannot be made ({reason}); make its folder writable, "
            "or name another folder in HRED_DATA_FOLDER"
        ) from error


def make_private(path: Path) -> None:
    """Takes everybody else's rights from the store's files, also from one that was made elsewhere."""
    for file in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        try:
            if file.stat().st_mode & 0o077:
                file.chmod(0o600)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StoreError(
                f"{file} can be read by others and its rights cannot be changed ({error.strerror}); "
                "let its owner run chmod 600 on it"
            ) from error


def switch_to_log(path: Path) -> None:
    """Switches the file to write-ahead logging, which it then keeps."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def copy_file(path: Path, copy: Path) -> None:
    """Copies a database as it stands, by SQLite's backup; its log is in the copy, too.

    The copy is the user's alone, as the file is, and there as a whole or not at all. One that stands there
    already is replaced.

    Raises:
        sqlite3.Error: it cannot be read or written.
        OSError: the copy cannot be made.
    """
    unfinished = copy.with_name(copy.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    reading = closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT))
    with reading as source, closing(sqlite3.connect(unfinished)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
    with unfinished.open("rb") as written:
        os.fsync(written.fileno())
    unfinished.replace(copy)


def forget(engine: Engine, *session_ids: str) -> None:
    """Takes the last bytes of deleted sessions out of SQLite's file and log; does nothing elsewhere.

    `secure_delete` overwrites a deleted row where it stands, but not the copies that SQLite leaves in the
    unused part of a page when it shares out rows among pages. Each copy of a row begins with its ids, so the
    session's id tells whether there is one; then, and only then, the file is written anew. So a deletion
    reads the whole file, once.

    When somebody reads for longer than `CHECKPOINT_TIMEOUT`, the log stays until the next deletion or
    until the store is closed.

    Raises:
        StoreError: the file could not be written anew; the session is deleted all the same.
    """
    if engine.dialect.name != "sqlite":
        return
    pooled = engine.raw_connection()
    try:
        connection = cast(sqlite3.Connection, pooled.driver_connection)
        path = file_of(engine.url) if _empty_log(connection) else None
        ids = [session_id.encode() for session_id in session_ids]
        if len(ids) > _MOST_SOUGHT or (ids and _holds(connection, path, ids)):
            connection.execute("VACUUM")
            _empty_log(connection)
    except (sqlite3.Error, OSError) as error:
        pooled.invalidate(error)
        reason = error.sqlite_errorname if isinstance(error, sqlite3.Error) else error.strerror
        raise StoreError(
            f"the chat was deleted, but traces of it may be left in {name_of(engine.url)} "
            f"({reason}); free some space on the disk and run VACUUM on it"
        ) from error
    finally:
        pooled.close()


def _empty_log(connection: sqlite3.Connection) -> bool:
    """Writes the log into the file and cuts it to nothing; returns False where a reader still needs it."""
    connection.execute(f"PRAGMA busy_timeout = {CHECKPOINT_TIMEOUT}")
    ((is_needed, *_),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT * 1000)}")
    return not is_needed


def _holds(connection: sqlite3.Connection, path: Path | None, contents: Sequence[bytes]) -> bool:
    """Returns whether one of some bytes stands in a page of a table, in the used part of it or not.

    The pages of an index are passed over: they hold ids and times, but nothing that was said.

    Args:
        connection: to the database.
        path: its file when all of it stands there; None for what SQLite itself sees.
        contents: what is looked for.
    """
    if path is None and not hasattr(connection, "serialize"):  # SQLite was built without it
        return True
    (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    for pages in [connection.serialize()] if path is None else pages_of(path):
        for content in contents:
            place = pages.find(content)
            while place >= 0:
                if pages[place - place % page_size] not in _INDEX_PAGES:
                    return True
                place = pages.find(content, place + 1)
    return False


def pages_of(path: Path) -> Iterator[bytes]:
    """Yields a file, some pages at once.

    It stays open for as long as the program runs: a process that closes it takes SQLite's locks on it away, from all
    its connections.
    """
    with _reading:
        status = path.stat()
        key = (status.st_dev, status.st_ino)
        if key not in _open_files:
            _open_files[key] = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        descriptor = _open_files[key]
        os.lseek(descriptor, 0, os.SEEK_SET)
        while pages := os.read(descriptor, _BYTES_AT_ONCE):
            yield pages
