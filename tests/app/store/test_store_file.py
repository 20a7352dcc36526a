"""The store's file: where it is, who may read it, what is no store, and what a deletion leaves of it."""

import os
import random
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import platformdirs
import pytest
from sqlalchemy import Engine, event

from app.settings import Settings
from app.store import Store, files
from dialog.errors import StoreError


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def files_of(path: Path) -> list[Path]:
    return sorted(path.parent.glob(path.name + "*"))


def bytes_of(path: Path) -> bytes:
    """Reads the files in another process: a file closed in this one would lose SQLite's locks on it."""
    program = (
        "import pathlib, sys; [sys.stdout.buffer.write(pathlib.Path(p).read_bytes()) for p in sys.argv[1:]]"
    )
    command = [sys.executable, "-c", program, *map(str, files_of(path))]
    return subprocess.run(command, check=True, capture_output=True).stdout


@contextmanager
def every_connection(statement: str) -> Iterator[None]:
    """Runs a statement on every connection that is made within."""

    def run(connection: sqlite3.Connection, _entry: object) -> None:
        connection.execute(statement)

    event.listen(Engine, "connect", run)
    try:
        yield
    finally:
        event.remove(Engine, "connect", run)


def test_no_test_touches_the_users_own_store() -> None:
    folder = Settings.from_environment().data_folder
    assert folder != platformdirs.user_data_path("hred", appauthor=False)
    assert folder.name.startswith("hred-tests-")
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    with Store.open() as store:
        store.owner_for("token")
        assert (folder / "sessions.db").is_file()


def test_folder_and_files_are_private_whatever_the_umask(path: Path, url: str) -> None:
    before = os.umask(0)
    try:
        with Store.open(url) as store:
            store.owner_for("token")
            assert {file.suffix for file in files_of(path)} == {".db", ".db-wal", ".db-shm"}
            assert [mode_of(file) for file in files_of(path)] == [0o600] * 3
            assert mode_of(path.parent) == 0o700
    finally:
        os.umask(before)


def test_a_file_that_others_could_read_is_made_private(path: Path, url: str) -> None:
    Store.open(url).close()
    path.chmod(0o644)
    with Store.open(url) as store:
        store.owner_for("token")
        assert {mode_of(file) for file in files_of(path)} == {0o600}


def test_a_commit_is_flushed_and_logged_ahead(store: Store, url: str) -> None:
    with store._engine.connect() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "busy_timeout")
        }
    assert settings == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "secure_delete": 1,
        "busy_timeout": 30_000,
    }


def test_a_deleted_chat_is_gone_from_the_bytes_of_the_files(store: Store, owner: str, path: Path) -> None:
    session = store.create_session(owner).id
    parent = None
    for number in range(30):
        text = f"SECRET{number} " * (300 if number % 7 == 0 else 3)  # some fill overflow pages
        parent = store.add_user_message(owner, session, parent, text, f"u{number}").id
    kept = store.create_session(owner, "KEPT").id
    assert b"SECRET" in bytes_of(path)
    store.delete_session(owner, session)
    assert b"SECRET" not in bytes_of(path)
    assert store.session(owner, kept).title == "KEPT"


def test_no_copy_of_a_deleted_chat_stays_in_a_page_that_rows_moved_through(
    store: Store, owner: str, path: Path
) -> None:
    chance = random.Random(4)  # with these sizes secure_delete alone left copies behind (SQLite 3.40)
    chats = [store.create_session(owner, f"CHAT{number:03}").id for number in range(12)]
    for number in range(120):
        chat = chance.randrange(len(chats))
        text = f"CHAT{chat:03}" + "x" * chance.randint(0, 900)
        store.add_user_message(owner, chats[chat], None, text, str(number))
    left = list(range(len(chats)))
    chance.shuffle(left)
    while left:
        store.delete_session(owner, chats[left.pop(0)])
        content = bytes_of(path)
        assert {chat for chat in range(len(chats)) if b"CHAT%03d" % chat in content} == set(left)


def test_what_an_index_alone_holds_is_no_trace(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x.db")) as connection, connection:
        connection.execute("CREATE TABLE said (text TEXT)")
        connection.execute("CREATE INDEX capitals ON said (upper(text))")
        connection.executemany("INSERT INTO said VALUES (?)", [(f"secret {n}" * 50,) for n in range(10_000)])
        connection.commit()
        for path in (tmp_path / "x.db", None):  # the file, and what SQLite sees
            assert files._holds(connection, path, [b"elsewhere", b"secret 9999"])
            assert not files._holds(connection, path, [b"SECRET 9999", b"elsewhere"])


def test_a_newer_a_foreign_and_a_broken_file_are_refused_and_left_alone(path: Path, url: str) -> None:
    Store.open(url).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE store_schema SET version = 99")
    with pytest.raises(StoreError, match="newer hred"):
        Store.open(url)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE store_schema SET version = 3")
        connection.execute("DROP TABLE messages")
    with pytest.raises(StoreError, match="does not hold the tables"):
        Store.open(url)

    foreign = path.with_name("foreign.db")
    with closing(sqlite3.connect(foreign)) as connection, connection:
        connection.execute("CREATE TABLE bookmarks (address TEXT)")
    content = foreign.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        Store.open(f"sqlite:///{foreign}")
    assert foreign.read_bytes() == content

    noise = path.with_name("noise.db")
    noise.write_bytes(b"this is no database " * 400)
    with pytest.raises(StoreError, match="not a SQLite database"):
        Store.open(f"sqlite:///{noise}")
    assert noise.read_bytes() == b"this is no database " * 400


def test_a_store_of_the_first_version_opens_and_takes_scores(path: Path, url: str, make_reply) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript((Path(__file__).parent / "version_1.sql").read_text())
    with ThreadPoolExecutor(4) as pool:  # several processes may find it at once
        for store in pool.map(Store.open, [url] * 4):
            store.close()
    with Store.open(url) as store:
        owner = store.owner_for("the cookie of one browser")
        session = store.sessions(owner)[0].id
        said, old = store.messages(owner, session)
        assert (old.text, old.reply.log_probability, dict(old.reply.scores)) == ("hi", -1.5, {})
        reply = make_reply(scores={"beam": -1.5, "total": float("-inf")})
        assert store.add_reply(owner, session, said.id, reply, "hred", "b1").reply == reply


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("sqlite:///file:x?mode=memory&uri=true", "takes no options"),
        ("nonsense", "cannot be read as one"),
        ("nosuch://user:hush@host/database", "no driver"),
        ("sqlite:////dev/null/folder/sessions.db", "cannot be made"),
        ("sqlite:////dev", "is no file"),
    ],
)
def test_a_url_that_is_no_store_is_a_sentence_without_its_password(url: str, reason: str) -> None:
    with pytest.raises(StoreError, match=reason) as error:
        Store.open(url)
    assert "hush" not in str(error.value)


def test_a_full_disk_is_a_sentence_and_loses_nothing(url: str) -> None:
    with Store.open(url) as store:
        owner = store.owner_for("token")
        session = store.create_session(owner).id
        kept = store.add_user_message(owner, session, None, "kept", "u1")
    with every_connection("PRAGMA max_page_count = 1"), Store.open(url) as store:
        with pytest.raises(StoreError, match="is full"):
            store.add_user_message(owner, session, kept.id, "x" * 100_000, "u2")
        assert store.messages(owner, session) == (kept,)


def test_a_store_that_cannot_be_written_is_a_sentence(url: str) -> None:
    with Store.open(url) as store:
        owner = store.owner_for("token")
        session = store.create_session(owner)
    with every_connection("PRAGMA query_only = ON"), Store.open(url) as store:
        with pytest.raises(StoreError, match="read-only"):
            store.create_session(owner)
        assert store.sessions(owner) == (session,)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_a_sentence(path: Path, url: str) -> None:
    path.parent.mkdir(mode=0o500)
    with pytest.raises(StoreError, match="cannot be made"):
        Store.open(url)
