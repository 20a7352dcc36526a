"""An older store is upgraded whole or not at all, and is then what a new one is, on both databases."""

import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from app.store import Store
from app.store.database import _engine, parse_url, writing
from app.store.files import switch_to_log
from app.store.owners import hash_of
from app.store.search_text import search_form
from app.store.tables import SCHEMA_VERSION
from app.store.upgrading import copy_of_version, upgrade
from dialog.decoding.replies import Reply
from dialog.errors import StoreError
from tests.app.store.conftest import BOTH

START = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)


@contextmanager
def engine_of(url: str) -> Iterator[Engine]:
    engine = _engine(parse_url(url))
    try:
        yield engine
    finally:
        engine.dispose()


def make_old(url: str, path: Path, version: int) -> dict[str, list[dict[str, Any]]]:
    """Makes a filled store of an older version; returns its rows."""
    if url.startswith("sqlite"):
        path.parent.mkdir(mode=0o700)
        path.touch(0o600)
        switch_to_log(path)
    with engine_of(url) as engine:
        upgrade(writing(engine), "the store", target=version)
        old = sa.MetaData()
        old.reflect(engine)
        with engine.begin() as connection:
            for owner in range(3):
                row = {"id": f"owner-{owner}".ljust(36, "x"), "token_hash": hash_of(f"cookie {owner}")}
                connection.execute(old.tables["owners"].insert().values(**row, created_at=START))
                for session in range(2):
                    add_session(connection, old, row["id"], owner * 2 + session)
        return rows_of(engine)


def add_session(connection: sa.Connection, old: sa.MetaData, owner: str, number: int) -> None:
    session = f"session-{number}".ljust(36, "x")
    ids = [f"message-{number}-{place}".ljust(36, "x") for place in range(60)]
    row = {"id": session, "owner_id": owner, "title": f"Chat {number}", "model_name": "hred"}
    times = {"created_at": START, "updated_at": START + timedelta(days=number)}
    leaf = ids[-1] if number % 2 else None
    connection.execute(old.tables["sessions"].insert().values(**row, **times, active_leaf_id=leaf))
    messages = [
        {
            "id": identity,
            "session_id": session,
            "parent_id": ids[(place - 1) // 2] if place else None,
            "position": place,
            "role": "user",
            "text": f"ＷＩＤＥ {number} {place} 東京 " + "long " * (place * 7),
            "created_at": START + timedelta(seconds=place),
            "client_id": f"c{place}",
        }
        for place, identity in enumerate(ids)
    ]
    connection.execute(old.tables["messages"].insert(), messages)


def rows_of(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """Returns every row of every table, as the database itself holds it."""
    tables = sa.MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        return {
            name: [
                dict(row)
                for row in connection.execute(table.select().order_by(*table.primary_key)).mappings()
            ]
            for name, table in tables.tables.items()
        }


def shape_of(engine: Engine) -> dict[str, Any]:
    """Returns what the database knows of its tables, whatever the order of columns and of constraints."""
    inspector = sa.inspect(engine)

    def plain(rows: list[Any]) -> list[str]:
        return sorted(str(sorted((key, str(value)) for key, value in row.items())) for row in rows)

    return {
        table: {
            "columns": plain(inspector.get_columns(table)),
            "key": sorted(inspector.get_pk_constraint(table)["constrained_columns"]),
            "unique": plain(inspector.get_unique_constraints(table)),
            "foreign": plain(inspector.get_foreign_keys(table)),
            "indexes": plain(inspector.get_indexes(table)),
            "checks": plain(inspector.get_check_constraints(table)),
        }
        for table in inspector.get_table_names()
    }


@BOTH
@pytest.mark.parametrize("version", [1, 2])
def test_a_filled_store_keeps_every_row(url: str, path: Path, version: int) -> None:
    before = make_old(url, path, version)
    assert {table: len(rows) for table, rows in before.items()} == {
        "store_schema": 1,
        "owners": 3,
        "sessions": 6,
        "messages": 360,
    }
    Store.open(url).close()
    with engine_of(url) as engine:
        after = rows_of(engine)
    assert after["store_schema"] == [{"id": 1, "version": SCHEMA_VERSION}]
    for table in ("owners", "sessions", "messages"):
        assert [
            {name: new[name] for name in old} for old, new in zip(before[table], after[table], strict=True)
        ] == before[table]
    assert {row["kind"] for row in after["sessions"]} == {"chat"}


@BOTH
def test_an_upgraded_store_is_what_a_new_one_is(
    url: str, path: Path, make_reply: Callable[..., Reply]
) -> None:
    Store.open(url).close()
    with engine_of(url) as engine:
        new = shape_of(engine)
        if url.startswith("sqlite"):
            for file in path.parent.iterdir():
                file.unlink()
            path.parent.rmdir()
        else:
            with engine.begin() as connection:
                connection.exec_driver_sql("DROP SCHEMA public CASCADE")
                connection.exec_driver_sql("CREATE SCHEMA public")
    make_old(url, path, 1)
    with Store.open(url) as store:
        assert shape_of(store._engine) == new
        owner = store.owner_for("cookie 2")
        session = store.sessions(owner)[0].id
        last = store.messages(owner, session)[-1]
        reply = store.add_reply(owner, session, last.id, make_reply(text="what 東京 is"), "hred", "b")
        store.set_feedback(owner, session, reply.id, 1)
        found = store.search(owner, "東京", 1000)
        assert found[0].message_id == reply.id
        assert len(found) == 2 * 60 + 1
        assert len(store.search(owner, "wide 5 59", 1000)) == 1
        assert search_form("ＷＩＤＥ") == "wide"


def test_messages_added_one_by_one_and_by_the_upgrade_lie_in_the_same_pieces(
    url: str, path: Path, tmp_path: Path
) -> None:
    make_old(url, path, 2)
    with Store.open(url) as store, Store.open(f"sqlite:///{tmp_path / 'other.db'}") as other:
        owner = store.owner_for("cookie 0")
        session = store.sessions(owner)[0].id
        with store._engine.connect() as connection:
            statement = "SELECT text FROM messages WHERE session_id = ? ORDER BY position"
            texts = connection.exec_driver_sql(statement, (session,)).scalars().all()
        guest = other.owner_for("x")
        copy = other.create_session(guest).id
        for place, text in enumerate(texts):
            other.add_user_message(guest, copy, None, text, str(place))
        pieces = []
        for one, which in ((store, session), (other, copy)):
            with one._engine.connect() as connection:
                statement = "SELECT first_position, text FROM search_texts WHERE session_id = ? ORDER BY 1"
                pieces.append([tuple(row) for row in connection.exec_driver_sql(statement, (which,))])
        assert pieces[0] == pieces[1]
        assert len(pieces[0]) > 5


@BOTH
def test_servers_that_start_at_once_upgrade_once(url: str, path: Path) -> None:
    before = make_old(url, path, 1)
    with ThreadPoolExecutor(3) as pool:
        for store in pool.map(Store.open, [url] * 3):
            assert len(store.sessions(store.owner_for("cookie 1"))) == 2
            store.close()
    with engine_of(url) as engine:
        assert len(rows_of(engine)["messages"]) == len(before["messages"])


KILLED_HALF_WAY = """
import os, signal, sys
from sqlalchemy import Engine, event
from app.store import Store

def look(connection, cursor, statement, *rest):
    if sys.argv[2] in statement:
        os.kill(os.getpid(), signal.SIGKILL)

event.listen(Engine, "before_cursor_execute", look)
Store.open(sys.argv[1])
"""


@BOTH
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX search_texts_of_owner",  # the owners are remade, nothing is filled
        "UPDATE store_schema SET version",  # all is done but the last statement
    ],
)
def test_an_upgrade_that_is_killed_half_way_has_not_happened(url: str, path: Path, statement: str) -> None:
    before = make_old(url, path, 2)
    command = [sys.executable, "-c", KILLED_HALF_WAY, url, statement]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == -signal.SIGKILL, done.stderr
    with engine_of(url) as engine:
        assert rows_of(engine) == before
    with Store.open(url) as store:
        owner = store.owner_for("cookie 1")
        assert len(store.search(owner, "東京", 1000)) == 2 * 60


def test_sqlite_is_copied_before_it_is_upgraded(url: str, path: Path) -> None:
    before = make_old(url, path, 2)
    Store.open(url).close()
    copy = copy_of_version(path, 2)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert not list(path.parent.glob("*.unfinished"))
    with engine_of(f"sqlite:///{copy}") as engine:
        assert rows_of(engine) == before


def test_what_belongs_to_nothing_stops_the_upgrade(url: str, path: Path) -> None:
    before = make_old(url, path, 2)
    with closing(sqlite3.connect(path)) as connection, connection:  # foreign keys are off in it
        connection.execute("DELETE FROM owners WHERE id LIKE 'owner-1%'")
    with pytest.raises(StoreError, match="without the row of 'owners'"):
        Store.open(url)
    with engine_of(url) as engine:
        after = rows_of(engine)
    assert after["messages"] == before["messages"]
    assert set(after) == set(before)


@BOTH
def test_a_newer_an_incomplete_and_a_foreign_database_are_refused(url: str, path: Path) -> None:
    Store.open(url).close()
    for change, reason in (
        ("UPDATE store_schema SET version = 99", "newer hred"),
        ("UPDATE store_schema SET version = 0", "does not hold the tables"),
        (f"UPDATE store_schema SET version = {SCHEMA_VERSION}", None),
        ("DROP TABLE votes", "does not hold the tables"),
        ("DROP TABLE store_schema", "another program"),
    ):
        with engine_of(url) as engine, engine.begin() as connection:
            connection.exec_driver_sql(change)
        if reason is not None:
            with pytest.raises(StoreError, match=reason):
                Store.open(url)
