"""Moves a whole store to another database: SQLite to PostgreSQL or back, or to another file or server.

The source is read in one transaction, as it stood when that began; the target is written in one transaction, and
what was written is read back and compared before it is committed. So the target holds all or nothing, and the
source is never changed.
"""

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, Engine, Select, Table, func, insert, select

from app.store.database import name_of, open_database, parse_url, writing
from app.store.failures import as_store_errors
from app.store.rows import Fingerprint, to_json
from app.store.tables import Base, SchemaRow
from dialog.errors import StoreError

__all__ = ["move_store"]

_ROWS_AT_ONCE = 1_000


def move_store(
    source_url: str, target_url: str, tell: Callable[[str, int], None] = lambda table, rows: None
) -> dict[str, int]:
    """Copies all rows of one store to another, which must be empty.

    Args:
        source_url: the store to read; it is not changed.
        target_url: the store to fill; its tables are made where there are none.
        tell: is told of each table that was copied: its name and how many rows it has.

    Returns:
        How many rows each table has.

    Raises:
        StoreError: one of them cannot be opened, the target is not empty, or it did not keep what it was given.
    """
    source_place, target_place = name_of(parse_url(source_url)), name_of(parse_url(target_url))
    source = open_database(parse_url(source_url), may_change=False)
    try:
        target = open_database(parse_url(target_url))
        try:
            with (
                as_store_errors(source_place),
                _snapshot(source) as reading,
                as_store_errors(target_place),
                writing(target).begin() as filling,
            ):
                _check_empty(filling, target_place)
                counts = {
                    table.name: _copy(reading, filling, table, target_place, tell) for table in _tables()
                }
            return counts
        finally:
            target.dispose()
    finally:
        source.dispose()


def _tables() -> list[Table]:
    """Returns all tables that hold somebody's rows, each after those that it points to."""
    return [table for table in Base.metadata.sorted_tables if table.name != SchemaRow.__tablename__]


def _snapshot(engine: Engine) -> Any:
    """Returns a connection whose transaction sees one state of the database, and may not write."""
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return engine.begin()


def _check_empty(connection: Connection, place: str) -> None:
    for table in _tables():
        count = connection.scalar(select(func.count()).select_from(table))
        if count:
            raise StoreError(
                f"{place} holds {count:,} rows in {table.name} already, and a store moves only to an empty one; "
                "name another database"
            )


def _copy(
    reading: Connection, filling: Connection, table: Table, place: str, tell: Callable[[str, int], None]
) -> int:
    given, kept = Fingerprint(), Fingerprint()
    chunk: list[dict[str, Any]] = []
    for row in _rows(reading, table):
        given.add(to_json(table, row))
        chunk.append(row)
        if len(chunk) == _ROWS_AT_ONCE:
            filling.execute(insert(table), chunk)
            chunk = []
    if chunk:
        filling.execute(insert(table), chunk)
    for row in _rows(filling, table):
        kept.add(to_json(table, row))
    if (given.count, given.digest) != (kept.count, kept.digest):
        raise StoreError(
            f"{place} did not keep the table {table.name} as it was given ({given.count:,} rows went in, "
            f"{kept.count:,} are there); nothing was moved, see that nobody else uses it and try again"
        )
    tell(table.name, given.count)
    return given.count


def _rows(connection: Connection, table: Table) -> Iterator[dict[str, Any]]:
    options = {"stream_results": True, "yield_per": _ROWS_AT_ONCE}
    for row in connection.execute(_in_order(table), execution_options=options).mappings():
        yield dict(row)


def _in_order(table: Table) -> Select[Any]:
    """Returns the rows so that each stands after those of the same table that it points to."""
    statement = select(table)
    if table.name == "messages":  # a parent's position is below its child's
        return statement.order_by(table.c.session_id, table.c.position)
    return statement
