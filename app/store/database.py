"""Opens the database of the store: SQLite or PostgreSQL, its connections, and how a transaction begins.

With SQLite SQLAlchemy begins every transaction here, not Python's sqlite3: what writes says BEGIN IMMEDIATE, so
that it waits its turn instead of failing when it turns from a reader into a writer; what reads says BEGIN and
waits for nobody (WAL). PostgreSQL needs neither: writers of one session wait for each other on its row.
"""

from typing import Any

import orjson
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from app.store.failures import as_store_errors
from app.store.files import BUSY_TIMEOUT, file_of, make_file, make_private, name_of
from app.store.upgrading import check_version, make_or_upgrade
from dialog.errors import StoreError

__all__ = ["begin_as_asked", "name_of", "open_database", "parse_url", "prepare_connection", "writing"]

IDLE_CONNECTIONS = 8
MOST_CONNECTIONS = 20
"""Of one server process to PostgreSQL, which allows 100 to all of them unless it is told otherwise."""

CONNECT_TIMEOUT = 10  # seconds until a PostgreSQL that does not answer is said to be away

POSTGRES = "postgresql+psycopg"
SHORT_NAMES = {"postgres": POSTGRES, "postgresql": POSTGRES}
"""As hosting services write their URLs."""


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
            "write sqlite:////folder/file.db or postgresql://user:password@host/database"
        ) from None
    parsed = parsed.set(drivername=SHORT_NAMES.get(parsed.drivername, parsed.drivername))
    if parsed.get_backend_name() == "sqlite" and (
        not parsed.database or parsed.database == ":memory:" or parsed.query
    ):
        raise StoreError(
            f"the store's URL is {name_of(parsed)}, but a SQLite store needs a file and takes no options; "
            "write sqlite:////folder/file.db"
        )
    return parsed


def open_database(url: URL, *, may_change: bool = True) -> Engine:
    """Opens a database, makes the tables in an empty one and upgrades those of an older version.

    Args:
        url: from `parse_url`.
        may_change: False to open only what is a store of this version already, and to leave it as it is.

    Raises:
        StoreError: it cannot be opened, is not the store's, or of a newer version.
    """
    place = name_of(url)
    path = file_of(url)
    if path is not None and may_change:
        make_file(path, place)
    elif path is not None and not path.is_file():
        raise StoreError(f"{place} is not there; name the one that is meant in HRED_DATABASE_URL")
    engine = _engine(url)
    try:
        with as_store_errors(place):
            if may_change:
                make_or_upgrade(engine, writing(engine), place)
            else:
                check_version(engine, place)
        if path is not None and may_change:
            make_private(path)
    except BaseException:
        engine.dispose()
        raise
    return engine


def writing(engine: Engine) -> Engine:
    """Returns the engine for transactions that write; it shares the connections of `engine`."""
    return engine.execution_options(hred_writes=True)


def _engine(url: URL) -> Engine:
    try:
        if url.get_backend_name() != "sqlite":
            return create_engine(
                url,
                hide_parameters=True,
                json_deserializer=_read_json,
                pool_pre_ping=True,  # the database may have been started anew
                pool_size=IDLE_CONNECTIONS,
                max_overflow=MOST_CONNECTIONS - IDLE_CONNECTIONS,
                connect_args={"connect_timeout": CONNECT_TIMEOUT} if url.drivername == POSTGRES else {},
            )
    except (SQLAlchemyError, ImportError) as error:
        raise StoreError(
            f"no driver for the database {url.drivername!r} is installed; "
            "write sqlite:////folder/file.db, or postgresql:// after `pip install 'dialog[postgres]'`"
        ) from error
    engine = create_engine(
        url,
        hide_parameters=True,
        json_deserializer=_read_json,
        poolclass=QueuePool,
        pool_size=IDLE_CONNECTIONS,
        max_overflow=-1,  # a thread never waits for a connection, only for its turn to write
        connect_args={"timeout": BUSY_TIMEOUT},
    )
    event.listen(engine, "connect", prepare_connection)
    event.listen(engine, "begin", begin_as_asked)
    return engine


def _read_json(value: str | bytes | float) -> Any:
    """Returns what was kept as JSON; SQLite takes the text of a number for a number."""
    return orjson.loads(value) if isinstance(value, str | bytes) else value


def prepare_connection(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    """Sets what the store expects of a new connection to SQLite; for the event `connect`."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.execute("PRAGMA temp_store = MEMORY")
    cursor.close()


def begin_as_asked(connection: Connection) -> None:
    """Begins a transaction of SQLite, one that writes where the engine is one for that; for the event `begin`."""
    writes = connection.get_execution_options().get("hred_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
