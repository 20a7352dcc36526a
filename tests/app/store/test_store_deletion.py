"""Deleted is deleted: no row, nothing that the search finds, and no byte of it in SQLite's files."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from app.store import Store
from app.store.tables import SessionRow
from dialog.conversation import Turn
from dialog.decoding.replies import Reply
from dialog.errors import StoreError
from tests.app.store.conftest import BOTH
from tests.app.store.filled import fill, rows_of
from tests.app.store.test_store_file import bytes_of

MakeReply = Callable[..., Reply]


def make_old(store: Store, session_id: str, days: float) -> None:
    with store._writes() as transaction:
        changed = datetime.now(UTC) - timedelta(days=days)
        transaction.execute(update(SessionRow).where(SessionRow.id == session_id).values(updated_at=changed))


@BOTH
def test_a_deleted_session_leaves_no_row(store: Store, owner: str, make_reply: MakeReply) -> None:
    before = rows_of(store)
    session = fill(store, owner, make_reply, times=3)
    assert rows_of(store) != before and store.search(owner, "SECRET")
    store.delete_session(owner, session)
    assert rows_of(store) == before and not store.search(owner, "SECRET")


def test_nothing_of_a_deleted_chat_is_in_the_bytes_of_the_files(
    store: Store, owner: str, path: Path, make_reply: MakeReply
) -> None:
    chance = random.Random(7)
    words = [f"word{number:03}" for number in range(9)]
    sessions = {}
    for word in words:
        long = " ".join([word] * chance.randint(1, 150))  # some fill overflow pages
        sessions[word] = fill(store, owner, make_reply, word=long, times=chance.randint(1, 2))
    (line,) = store.export_lines(owner, [sessions[words[0]]])
    store.import_lines(lambda: [line.replace(b"word000", b"copied0")], store.owner_for("another browser"))
    left = [*words, "copied0"]
    assert all(word.encode() in bytes_of(path) for word in left)
    chance.shuffle(words)
    for word in words[:3]:
        store.delete_session(owner, sessions[word])
        left.remove(word)
        content = bytes_of(path)
        assert [each for each in left if each.encode() not in content] == []
        assert word.encode() not in content
    for word in words[3:6]:
        make_old(store, sessions[word], 30)
        left.remove(word)
    assert store.purge(datetime.now(UTC) - timedelta(days=29)) == 3
    content = bytes_of(path)
    assert not [word for word in words[:6] if word.encode() in content]
    assert not [each for each in left if each.encode() not in content]


@BOTH
def test_a_purge_takes_what_is_old_of_whom_it_is_told(store: Store) -> None:
    owners = {name: store.owner_for(name) for name in ("one", "two")}
    sessions = {}
    for name, owner in owners.items():
        for days in (1, 10, 100):
            sessions[name, days] = store.create_session(owner).id
            store.add_user_message(owner, sessions[name, days], None, f"said {days} days ago", "u")
            make_old(store, sessions[name, days], days)

    def left() -> set[tuple[str, int]]:
        there = {one.session.id for one in store.listed()}
        return {key for key, session_id in sessions.items() if session_id in there}

    limit = datetime.now(UTC) - timedelta(days=50)
    assert [one.session.id for one in store.listed(before=limit)] == [
        sessions["two", 100],
        sessions["one", 100],
    ]
    assert store.purge(limit, owners["one"]) == 1
    assert left() == {("one", 1), ("one", 10), ("two", 1), ("two", 10), ("two", 100)}
    assert store.purge(datetime.now(UTC) - timedelta(days=5)) == 3
    assert left() == {("one", 1), ("two", 1)}
    assert store.purge(datetime.now(UTC) - timedelta(days=5)) == 0
    assert {json.loads(line)["id"] for line in store.export_lines(None)} == {
        sessions["one", 1],
        sessions["two", 1],
    }


@BOTH
def test_sessions_of_all_are_listed_named_and_found(store: Store, make_reply: MakeReply) -> None:
    one, two = (store.owner_for(name) for name in ("one", "two"))
    first = fill(store, one, make_reply, word="cats and 犬")
    second = fill(store, two, make_reply, word="dogs and 猫")
    assert [(found.session.id, found.owner, found.user) for found in store.listed()] == [
        (second, two, None),
        (first, one, None),
    ]
    assert [found.session.id for found in store.listed(one)] == [first]
    assert len(store.listed(limit=1)) == 1
    named = store.session_named(first[:13])
    assert (named.session.id, named.owner) == (first, one)
    assert named.num_messages == len(store.all_messages(one, first)) == 9
    for name, whose, reason in (
        (first, two, "is no chat"),
        ("", None, "is no chat"),
        ("%", None, "is no chat"),
    ):
        with pytest.raises(StoreError, match=reason):
            store.session_named(name, whose)
    assert {hit.session_id for hit in store.search_all("AND")} == {first, second}
    assert len(store.search_all("AND", limit=2)) == 2
    assert {hit.session_id for hit in store.search_all("犬")} == {first}
    assert store.owner_named(one) == store.owner_named(one[:20]) == one
    with pytest.raises(StoreError, match="no user and no owner"):
        store.owner_named("Ada")
    ada = store.owner_of_user(store.create_user("Ada", None).id)
    fill(store, ada, make_reply, word="birds")
    assert store.owner_named("ＡＤＡ") == ada and store.listed(ada)[0].user == "Ada"
    assert store.session_named(store.listed(ada)[0].session.id[:30]).user == "Ada"
    with pytest.raises(StoreError, match="several owners"):
        store.only_owner()


def test_every_branch_of_a_session_is_told(store: Store, owner: str, make_reply: MakeReply) -> None:
    session = fill(store, owner, make_reply, word="x")
    branches = {conversation.turns for conversation in store.conversations(owner, session)}
    said = Turn("user", "x? 0")
    assert branches == {(said, Turn("bot", "x! 0")), (said, Turn("bot", "fine"))} | {
        (Turn("user", f"otherwise {state} x"), Turn("bot", f"{state} {side}"))
        for state in ("voted", "open")
        for side in "ab"
    }
