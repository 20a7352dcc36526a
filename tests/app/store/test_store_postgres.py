"""What PostgreSQL alone can do: refuse, go away, run out of room, hold letters that are no UTF-8."""

import socket
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import make_url

from app.store import Store
from dialog.errors import StoreError
from tests.app.store.databases import new_database

TRIGGER = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'no room for %', NEW.text USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION full_disk();
"""
"""The server reports a full disk as it does when there is one: by this SQLSTATE."""


@pytest.fixture
def database(server: str) -> Iterator[str]:
    with new_database(server) as url:
        yield url


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_the_url_may_be_written_as_hosts_write_it(database: str, scheme: str) -> None:
    with Store.open(database.replace("postgresql", scheme, 1)) as store:
        store.owner_for("token")
        assert store._engine.dialect.name == "postgresql"


def test_a_password_is_in_no_sentence(server: str) -> None:
    missing = make_url(server).set(drivername="postgres", password="hush", database="nosuch")
    with pytest.raises(StoreError, match="that the database is there") as error:
        Store.open(missing.render_as_string(hide_password=False))
    assert "hush" not in str(error.value)


def test_a_server_that_is_not_there_is_a_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens on it
        with pytest.raises(StoreError, match="cannot be reached"):
            Store.open(f"postgres://user:hush@127.0.0.1:{taken.getsockname()[1]}/database")


def test_a_full_disk_is_a_sentence_and_loses_nothing(database: str) -> None:
    with Store.open(database) as store:
        owner = store.owner_for("token")
        session = store.create_session(owner).id
        kept = store.add_user_message(owner, session, None, "kept", "u1")
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(TRIGGER)
        with pytest.raises(StoreError, match="is full") as error:
            store.add_user_message(owner, session, kept.id, "secret", "u2")
        assert "secret" not in str(error.value)
        assert store.messages(owner, session) == (kept,)


def test_connections_that_the_server_closed_are_opened_anew(database: str) -> None:
    with Store.open(database) as store:
        owner = store.owner_for("token")
        with psycopg.connect(database, autocommit=True) as connection:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            connection.execute(f"{others} AND datname = current_database()")
        assert store.owner_for("token") == owner


def test_a_server_that_allows_no_writing_is_a_sentence(database: str) -> None:
    Store.open(database).close()
    with psycopg.connect(database, autocommit=True) as connection:
        name = make_url(database).database
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with Store.open(database) as store, pytest.raises(StoreError, match="read-only"):
        store.owner_for("token")


def test_a_database_that_has_no_room_for_all_letters_is_refused(server: str) -> None:
    with new_database(server, encoding="LATIN1") as url:
        for _ in range(2):  # nothing was made the first time
            with pytest.raises(StoreError, match="LATIN1"):
                Store.open(url)


def test_two_servers_of_one_database_see_one_another(database: str) -> None:
    with Store.open(database) as here, Store.open(database) as there:
        owner = here.owner_for("token")
        assert there.owner_for("token") == owner
        session = here.create_session(owner).id
        said = there.add_user_message(owner, session, None, "hello", "u")
        assert here.add_user_message(owner, session, None, "hello", "u") == said
        assert here.messages(owner, session) == (said,)
        assert len(there.search(owner, "hello")) == 1
        there.delete_session(owner, session)
        assert here.sessions(owner) == ()
