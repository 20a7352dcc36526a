"""Opens the database of the store: its file, its private modes, its transactions and its schema version.

SQLAlchemy begins every transaction here, not Python's sqlite3: what writes says BEGIN IMMEDIATE, so that
it waits its turn instead of failing when it turns from a reader into a writer; what reads says BEGIN and
waits for nobody (WAL).
"""

import os
import sqlite3
from pathlib import Path
from typing import cast

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    create_engine,
    event,
    insert,
    inspect,
    make_url,
    select,
    update,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from app.store.failures import as_store_errors
from app.store.tables import MIGRATIONS, SCHEMA_VERSION, Base, SchemaRow
from dialog.errors import StoreError

__all__ = ["forget", "name_of", "open_database", "parse_url", "writing"]

BUSY_TIMEOUT = 30.0  # seconds that a writer waits for the one before it
CHECKPOINT_TIMEOUT = 2_000  # milliseconds that emptying the log waits for readers
IDLE_CONNECTIONS = 8


def parse_url(url: str) -> URL:
    """Reads a database URL.

    Raises:
        StoreError: it is none, or one of SQLite that names no file.
    """
    try:
        parsed = make_url(url)
    except (SQLAlchemyError, ValueError):
        raise StoreError(
            "the store's URL (HRED_DATABASE_URL) cannot be read as one; "
            "write sqlite:////folder/file.db or postgresql+psycopg://user:password@host/database"
        ) from None
    if parsed.get_backend_name() == "sqlite" and (
        not parsed.database or parsed.database == ":memory:" or parsed.query
    ):
        raise StoreError(
            f"the store's URL is {name_of(parsed)}, but a SQLite store needs a file and takes no options; "
            "write sqlite:////folder/file.db"
        )
    return parsed


def name_of(url: URL) -> str:
    """Returns the store as it may be shown: a file's path, or a URL without its password."""
    if url.get_backend_name() == "sqlite" and url.database:
        return f"the session store {url.database}"
    return f"the session store {url.render_as_string(hide_password=True)}"


def open_database(url: URL) -> Engine:
    """Opens a database and makes the tables in an empty one.

    Raises:
        StoreError: it cannot be opened, is not the store's, or of a newer version.
    """
    place = name_of(url)
    path = Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None
    if path is not None:
        _make_file(path, place)
    engine = _engine(url)
    try:
        with as_store_errors(place):
            version = _schema_version(engine, place)
            if version is None:
                _make_schema(engine, path, place)
            elif version < SCHEMA_VERSION:
                _migrate(engine, place)
        if path is not None:
            _make_private(path)
    except BaseException:
        engine.dispose()
        raise
    return engine


def writing(engine: Engine) -> Engine:
    """Returns the engine for transactions that write; it shares the connections of `engine`."""
    return engine.execution_options(hred_writes=True)


def forget(engine: Engine, session_id: str) -> None:
    """Takes the last bytes of a deleted session out of SQLite's file and log; does nothing elsewhere.

    `secure_delete` overwrites a deleted row where it stands, but not the copies that SQLite leaves in the
    unused part of a page when it shares out rows among pages. Each copy of a row begins with its ids, so the
    session's id tells whether there is one; then, and only then, the file is written anew.

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
        if _holds(connection, session_id.encode()):
            connection.execute("VACUUM")
        connection.execute(f"PRAGMA busy_timeout = {CHECKPOINT_TIMEOUT}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        connection.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT * 1000)}")
    except sqlite3.Error as error:
        pooled.invalidate(error)
        raise StoreError(
            f"the chat was deleted, but traces of it may be left in {name_of(engine.url)} "
            f"({error.sqlite_errorname}); free some space on the disk and run VACUUM on it"
        ) from error
    finally:
        pooled.close()


def _holds(connection: sqlite3.Connection, content: bytes) -> bool:
    """Returns whether bytes stand anywhere in the pages of a database, used or not.

    The pages are asked from SQLite: a file that this process opens and closes itself would take SQLite's
    locks on it away, for all connections of the process.
    """
    if not hasattr(connection, "serialize"):  # SQLite was built without it
        return True
    return content in connection.serialize()


def _make_file(path: Path, place: str) -> None:
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


def _make_private(path: Path) -> None:
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


def _engine(url: URL) -> Engine:
    try:
        if url.get_backend_name() != "sqlite":
            return create_engine(url, hide_parameters=True, pool_pre_ping=True)
    except (SQLAlchemyError, ImportError) as error:
        raise StoreError(
            f"no driver for the database {url.drivername!r} is installed; "
            "write sqlite:////folder/file.db, or postgresql+psycopg:// with psycopg installed"
        ) from error
    engine = create_engine(
        url,
        hide_parameters=True,
        poolclass=QueuePool,
        pool_size=IDLE_CONNECTIONS,
        max_overflow=-1,  # a thread never waits for a connection, only for its turn to write
        connect_args={"timeout": BUSY_TIMEOUT},
    )
    event.listen(engine, "connect", _prepare_connection)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare_connection(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.execute("PRAGMA temp_store = MEMORY")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("hred_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _schema_version(engine: Engine, place: str) -> int | None:
    with engine.connect() as connection:
        return _version_in(connection, place)


def _version_in(connection: Connection, place: str) -> int | None:
    """Returns the version of the tables; None only for a database without any table."""
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return None
    ours = {table.name for table in Base.metadata.sorted_tables}
    if SchemaRow.__tablename__ not in tables:
        raise StoreError(f"{place} is a database of another program; name another file in HRED_DATABASE_URL")
    version: int | None = connection.scalar(select(SchemaRow.version))
    if version is not None and version > SCHEMA_VERSION:
        raise StoreError(
            f"{place} was written by a newer hred (version {version} of its tables, "
            f"this one knows {SCHEMA_VERSION}); update hred"
        )
    if version not in (*MIGRATIONS, SCHEMA_VERSION) or not ours <= tables:
        raise StoreError(
            f"{place} does not hold the tables of version {SCHEMA_VERSION}; restore it from a backup, "
            "or move it away to start a new store"
        )
    return version


def _migrate(engine: Engine, place: str) -> None:
    """Brings the tables of an older version to this one, all at once or not at all."""
    with writing(engine).begin() as connection:
        connection.scalar(select(SchemaRow.version).with_for_update())  # another process may be at it
        version = _version_in(connection, place)
        assert version is not None
        for older in range(version, SCHEMA_VERSION):
            connection.exec_driver_sql(MIGRATIONS[older])
        connection.execute(update(SchemaRow).values(version=SCHEMA_VERSION))


def _make_schema(engine: Engine, path: Path | None, place: str) -> None:
    if path is not None:
        _switch_to_log(path)
    with writing(engine).begin() as connection:
        if _version_in(connection, place) is None:  # another process may have been first
            Base.metadata.create_all(connection)
            connection.execute(insert(SchemaRow).values(id=1, version=SCHEMA_VERSION))


def _switch_to_log(path: Path) -> None:
    """Switches the file to write-ahead logging, which it then keeps."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()
