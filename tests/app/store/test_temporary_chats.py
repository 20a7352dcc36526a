"""Temporary chats: a store like the other, in memory alone, bounded, and each chat ends."""

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.store import Store, Stores, TemporaryStore
from app.store import temporary as module
from dialog.conversation import Conversation
from dialog.decoding.replies import Reply
from dialog.errors import BusyError, StoreError
from tests.app.store.filled import fill, rows_of
from tests.app.store.test_store_file import bytes_of

MakeReply = Callable[..., Reply]


class Clock:
    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ended() -> list[Conversation]:
    return []


@pytest.fixture
def temporary(clock: Clock, ended: list[Conversation]) -> Iterator[TemporaryStore]:
    with TemporaryStore(ended.extend, clock=clock) as made:
        yield made


def test_every_call_works_as_on_the_store_that_is_kept(
    store: Store, owner: str, temporary: TemporaryStore, make_reply: MakeReply
) -> None:
    session = fill(temporary, owner, make_reply, times=2)
    (line,) = temporary.export_lines(owner)
    assert temporary.search(owner, "secret OF") and len(list(temporary.votes())) == 1
    done = store.import_lines(lambda: [line], owner)
    kept = [message.text for message in store.messages(owner, done.added[0])]
    assert kept == [message.text for message in temporary.messages(owner, session)]
    other = store.owner_for("another browser")
    for call in (temporary.session, temporary.messages, temporary.delete_session):
        with pytest.raises(StoreError, match="no chat"):
            call(other, session)


def test_a_chat_ends_an_hour_after_its_last_message(
    owner: str, temporary: TemporaryStore, clock: Clock, ended: list[Conversation], make_reply: MakeReply
) -> None:
    first = fill(temporary, owner, make_reply, word="passing")
    clock.ahead = timedelta(minutes=59)
    assert temporary.holds(first) and not ended
    clock.ahead = timedelta(minutes=61)
    assert not temporary.holds(first)
    assert {turn.text for said in ended for turn in said.turns} >= {
        "passing? 0",
        "passing! 0",
        "otherwise open passing",
    }
    assert not any(rows for name, rows in rows_of(temporary).items() if name != "store_schema")
    with pytest.raises(StoreError, match="no chat"):
        temporary.messages(owner, first)
    assert b"passing" not in memory_of(temporary)
    clock.ahead = timedelta()
    second = fill(temporary, owner, make_reply, word="second")
    assert b"second" in memory_of(temporary)
    temporary.delete_session(owner, second)
    assert b"second" not in memory_of(temporary) and len(ended) == 12


def memory_of(temporary: TemporaryStore) -> bytes:
    pooled = temporary._engine.raw_connection()
    try:
        return pooled.driver_connection.serialize()  # type: ignore[union-attr]
    finally:
        pooled.close()


def test_chats_end_by_themselves_while_nobody_asks(
    owner: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.01)
    has_ended = threading.Event()
    with TemporaryStore(lambda said: has_ended.set(), clock=clock) as temporary:
        session = temporary.create_session(owner).id
        temporary.add_user_message(owner, session, None, "soon gone", "u1")
        clock.ahead = timedelta(hours=2)
        assert has_ended.wait(60)


def test_it_is_in_no_file_and_in_no_log(
    store: Store,
    owner: str,
    path: Path,
    temporary: TemporaryStore,
    make_reply: MakeReply,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    session = fill(temporary, owner, make_reply, word="WHISPERED")
    stores = Stores(store, temporary)
    stores.of(session).rename(owner, session, "WHISPERED title")
    with pytest.raises(StoreError):
        stores.of(session).message(owner, session, "WHISPERED")
    assert b"WHISPERED" not in bytes_of(path)
    assert "WHISPERED" not in caplog.text
    files = [file for file in path.parent.rglob("*") if file.is_file()]
    assert {file.name for file in files} <= {"sessions.db", "sessions.db-wal", "sessions.db-shm"}


def test_a_session_is_found_in_the_store_that_holds_it(
    store: Store, owner: str, temporary: TemporaryStore
) -> None:
    stores = Stores(store, temporary)
    kept, passing = store.create_session(owner).id, temporary.create_session(owner).id
    assert stores.of(kept) is store and stores.of(passing) is temporary
    assert stores.of("") is stores.of("x" * 36) is stores.of("nonsense\0") is store


def test_an_owner_has_so_many_and_no_more(owner: str, temporary: TemporaryStore, clock: Clock) -> None:
    made = [temporary.create_session(owner).id for _ in range(module.MAX_SESSIONS)]
    with pytest.raises(BusyError, match="no more are kept"):
        temporary.create_session(owner)
    temporary.create_session("0" * 36)
    temporary.delete_session(owner, made[0])
    temporary.create_session(owner)
    clock.ahead = timedelta(hours=2)
    temporary.create_session(owner)
    assert len(temporary.sessions(owner)) == 1


def test_its_memory_is_bounded_and_what_is_there_stays(owner: str) -> None:
    with TemporaryStore(max_bytes=2**20) as temporary:
        session = temporary.create_session(owner).id
        kept = temporary.add_user_message(owner, session, None, "kept", "u0")

        def fill_up() -> None:
            for number in range(1_000):
                temporary.add_user_message(owner, session, kept.id, "x" * 20_000, f"u{number + 1}")

        with pytest.raises(BusyError, match="no more memory"):
            fill_up()
        assert len(memory_of(temporary)) <= 2**20
        assert temporary.message(owner, session, kept.id) == kept
        temporary.delete_session(owner, session)
        session = temporary.create_session(owner).id
        temporary.add_user_message(owner, session, None, "x" * 20_000, "u1")


def test_many_write_at_once(owner: str, temporary: TemporaryStore) -> None:
    sessions = [temporary.create_session(owner).id for _ in range(8)]

    def write(session: str) -> int:
        last = None
        for number in range(4):
            last = temporary.add_user_message(owner, session, last, f"{number}", f"u{number}").id
        return len(temporary.messages(owner, session))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(write, sessions)) == [4] * 8
