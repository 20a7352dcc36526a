"""Makes the tables of a new store, and brings those of an older version to this one.

The version is the one number in `store_schema`; the steps are Alembic revisions inside the package
(`app/store/migrations/versions`), whose names are the numbers that they lead to. Alembic writes the statements,
and is loaded only when there is something to upgrade.

- A step is one transaction: killed half way, the store is what it was before it, and the next start goes on.
- SQLite rebuilds a table that it cannot alter, and while foreign keys are on, dropping the old one deletes what
  hangs on it. So they are off on that connection before its transaction begins, and are checked before it ends.
  SQLite is copied first, by its own backup, while the upgrade already keeps writers away.
- PostgreSQL: of several servers that start at once one upgrades, the others wait (an advisory lock).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, insert, inspect, select, text, update

from app.store.files import copy_file, file_of, switch_to_log
from app.store.tables import SCHEMA_VERSION, Base, SchemaRow
from dialog.errors import StoreError

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

__all__ = ["check_version", "copy_of_version", "make_or_upgrade", "upgrade"]

MIGRATIONS = Path(__file__).parent / "migrations"
UPGRADE_LOCK = 7_165_011_020_250_817_933
"""PostgreSQL's advisory lock of this program; any number will do that no other program takes."""

FIRST_TABLES = {"store_schema", "owners", "sessions", "messages"}
"""Of versions 1 and 2."""


def make_or_upgrade(engine: Engine, writing_engine: Engine, place: str) -> None:
    """Leaves a database with the tables of this version.

    Raises:
        StoreError: it is another program's, of a newer version, or incomplete.
    """
    with engine.connect() as connection:
        version = _version_in(connection, place)
    if version is None:
        _make_tables(engine, writing_engine, place)
    elif version < SCHEMA_VERSION:
        upgrade(writing_engine, place)


def check_version(engine: Engine, place: str) -> None:
    """Checks that a database has the tables of this version, and changes nothing.

    Raises:
        StoreError: it has not.
    """
    with engine.connect() as connection:
        version = _version_in(connection, place)
    if version != SCHEMA_VERSION:
        found = "holds no tables" if version is None else f"holds the tables of version {version}"
        raise StoreError(
            f"{place} {found}, but those of version {SCHEMA_VERSION} are needed; "
            "run `hred sessions list` on it once, which makes or upgrades them"
        )


def copy_of_version(path: Path, version: int) -> Path:
    """Returns where a SQLite store is copied before it is upgraded from a version."""
    return path.with_name(f"{path.name}.version-{version}.copy")


def upgrade(writing_engine: Engine, place: str, target: int = SCHEMA_VERSION) -> None:
    """Brings older tables to version `target`, step by step; each step is a transaction of its own."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    path, is_copied = file_of(writing_engine.url), False
    with _connection_for_steps(writing_engine) as connection:
        while True:
            with connection.begin():
                _wait_for_others(connection)
                version = _version_in(connection, place) or 0
                if version >= target:
                    return
                if path is not None and version and not is_copied:
                    _copy(path, version, place)
                    is_copied = True
                _step(connection, scripts, version + 1)


@contextmanager
def _connection_for_steps(engine: Engine) -> Iterator[Connection]:
    """Opens a connection that checks foreign keys only when a step ends; it is not used for anything else."""
    with engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        if engine.dialect.name == "sqlite":
            raw.execute("PRAGMA foreign_keys = OFF")  # in a transaction it would do nothing
        try:
            yield connection
        finally:
            if engine.dialect.name == "sqlite":
                connection.invalidate()


def _step(connection: Connection, scripts: ScriptDirectory, version: int) -> None:
    """Brings the tables from the version before to this one, in the transaction of the connection."""
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext

    script = scripts.get_revision(f"{version:04}")
    context = MigrationContext.configure(connection, opts={"target_metadata": Base.metadata})
    with Operations.context(context):
        script.module.upgrade()
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if broken is not None:
            raise StoreError(
                f"the upgrade to version {version} would leave a row of {broken[0]!r} without the row of "
                f"{broken[2]!r} that it belongs to, so nothing was changed; restore the store from a backup"
            )
    connection.execute(update(SchemaRow).values(version=version))


def _copy(path: Path, version: int, place: str) -> None:
    try:
        copy_file(path, copy_of_version(path, version))
    except OSError as error:
        raise StoreError(
            f"{place} could not be copied before it is upgraded ({error.strerror}), so nothing was changed; "
            "make its folder writable and free as much space as it takes"
        ) from error


def _wait_for_others(connection: Connection) -> None:
    """Waits on PostgreSQL until nobody else makes or upgrades tables; SQLite has seen to it at BEGIN IMMEDIATE."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": UPGRADE_LOCK})


def _make_tables(engine: Engine, writing_engine: Engine, place: str) -> None:
    path = file_of(engine.url)
    if path is not None:
        switch_to_log(path)
    with writing_engine.begin() as connection:
        _wait_for_others(connection)
        if _version_in(connection, place) is not None:  # another process was first
            return
        if connection.dialect.name == "postgresql":
            encoding = connection.scalar(text("SHOW server_encoding"))
            if encoding != "UTF8":
                raise StoreError(
                    f"{place} keeps letters as {encoding}, which has no room for those of all languages; "
                    "make a database with ENCODING 'UTF8'"
                )
        Base.metadata.create_all(connection, checkfirst=False)
        connection.execute(insert(SchemaRow).values(id=1, version=SCHEMA_VERSION))


def _version_in(connection: Connection, place: str) -> int | None:
    """Returns the version of the tables; None only for a database without any table."""
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return None
    if SchemaRow.__tablename__ not in tables:
        raise StoreError(f"{place} is a database of another program; name another file in HRED_DATABASE_URL")
    version: int | None = connection.scalar(select(SchemaRow.version))
    if version is not None and version > SCHEMA_VERSION:
        raise StoreError(
            f"{place} was written by a newer hred (version {version} of its tables, "
            f"this one knows {SCHEMA_VERSION}); update hred"
        )
    ours = set(Base.metadata.tables) if version == SCHEMA_VERSION else FIRST_TABLES
    if version is None or version < 1 or not ours <= tables:
        raise StoreError(
            f"{place} does not hold the tables of version {SCHEMA_VERSION}; restore it from a backup, "
            "or move it away to start a new store"
        )
    return version
