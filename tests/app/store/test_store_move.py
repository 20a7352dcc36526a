"""Moving a store to another database: all of it or nothing, compared, and the source is left as it was."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from app.store import Store
from app.store.move import move_store
from dialog.decoding.replies import Reply
from dialog.errors import StoreError
from tests.app.store.databases import new_database
from tests.app.store.filled import fill, rows_of

MakeReply = Callable[..., Reply]


@pytest.fixture
def postgres(server: str) -> Iterator[str]:
    with new_database(server) as url:
        yield url


def filled(url: str, make_reply: MakeReply) -> dict[str, list[str]]:
    """Puts something into every table, and returns all rows."""
    with Store.open(url) as store:
        for browser in ("one", "two"):
            fill(store, store.owner_for(browser), make_reply, word=f"word of {browser}", times=3)
        with store._writes() as connection:
            at = {"at": "2026-11-26 06:00:00.123456+00:00"}
            for statement in (
                "INSERT INTO users VALUES ('%036d', 'Ada', 'ada', 'hash', true, :at)",
                "INSERT INTO owners VALUES ('%036d1', NULL, :at, '%036d', '{\"learn\": true}')",
                "INSERT INTO logins VALUES ('token', '%036d', :at, :at)",
                "INSERT INTO failed_logins VALUES ('subject', 3, :at)",
                "INSERT INTO api_keys VALUES ('%036d', '%036d1', 'key', 'hred-', 'mine', :at, NULL, NULL)",
                "INSERT INTO settings VALUES ('learning', '{\"is_on\": [1.5, null]}')",
            ):
                words = statement.replace("%036d1", "1".zfill(36)).replace("%036d", "0" * 36)
                connection.execute(text(words.replace(":", r"\:").replace(r"\:at", ":at")), at)
        rows = rows_of(store)
    assert all(rows.values()), rows
    return rows


def test_sqlite_moves_to_postgresql_and_back(
    url: str, path: Path, postgres: str, make_reply: MakeReply, tmp_path: Path
) -> None:
    rows = filled(url, make_reply)
    before = hashlib.sha256(path.read_bytes()).digest()
    told: dict[str, int] = {}
    counts = move_store(url, postgres, told.__setitem__)
    assert told == counts == {name: len(found) for name, found in rows.items() if name != "store_schema"}
    assert hashlib.sha256(path.read_bytes()).digest() == before
    with Store.open(postgres) as store:
        assert rows_of(store) == rows
        owner = store.owner_for("two")
        (session,) = store.sessions(owner)
        assert store.search(owner, "WORD OF TWO")
        assert store.add_user_message(owner, session.id, None, "it goes on here", "new")

    back = f"sqlite:///{tmp_path / 'back.db'}"
    move_store(postgres, back)
    with Store.open(postgres) as store, Store.open(back) as returned:
        assert rows_of(returned) == rows_of(store) != rows
        assert list(returned.export_lines(None)) == list(store.export_lines(None))


def test_a_target_that_is_not_empty_is_refused_and_left_alone(
    url: str, tmp_path: Path, make_reply: MakeReply
) -> None:
    filled(url, make_reply)
    target = f"sqlite:///{tmp_path / 'target.db'}"
    with Store.open(target) as store:
        store.owner_for("somebody")
        rows = rows_of(store)
        with pytest.raises(StoreError, match="holds 1 rows in owners already"):
            move_store(url, target)
        assert rows_of(store) == rows
    with pytest.raises(StoreError, match="already"):
        move_store(url, url)


def test_what_the_target_does_not_keep_as_it_was_is_not_moved(
    url: str, postgres: str, make_reply: MakeReply
) -> None:
    filled(url, make_reply)
    Store.open(postgres).close()
    with closing(psycopg.connect(postgres, autocommit=True)) as connection:
        connection.execute(
            "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ "
            "BEGIN NEW.text = upper(NEW.text); RETURN NEW; END $$"
        )
        connection.execute(
            "CREATE TRIGGER shouts BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION shout()"
        )
        with pytest.raises(StoreError, match="did not keep the table messages"):
            move_store(url, postgres)
        connection.execute("DROP TRIGGER shouts ON messages")
    with Store.open(postgres) as store:
        assert [name for name, found in rows_of(store).items() if found] == ["store_schema"]
    move_store(url, postgres)  # and so it can be tried again


def test_a_source_that_is_none_is_a_sentence_and_nothing_is_made(
    url: str, path: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target.db"
    with pytest.raises(StoreError, match="is not there"):
        move_store(url, f"sqlite:///{target}")
    assert not path.exists() and not target.exists()
    path.parent.mkdir()
    path.touch()
    with pytest.raises(StoreError, match="holds no tables"):
        move_store(url, f"sqlite:///{target}")
    assert path.read_bytes() == b"" and not target.exists()
    with pytest.raises(StoreError, match="cannot be read as one"):
        move_store(url, "nonsense")
