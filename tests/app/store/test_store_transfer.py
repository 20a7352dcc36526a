"""Export and import: a line is a conversation for `hred prepare`, and the way back loses nothing, takes nothing."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from app.store import Store
from app.store.export import PARTS, names_of_ids
from app.store.tables import Base
from dialog.corpus.jsonl import JsonLines
from dialog.corpus.records import RawRecord
from dialog.decoding.replies import Reply
from dialog.errors import StoreError
from tests.app.store.conftest import BOTH
from tests.app.store.filled import WORDS, fill, rows_of

MakeReply = Callable[..., Reply]


def import_all(store: Store, lines: list[bytes], owner: str | None, **options: bool) -> tuple[int, int]:
    done = store.import_lines(lambda: lines, owner, **options)
    return len(done.added), done.known


def less_ids(line: bytes, session_ids_too: bool = True) -> object:
    """Returns a line with each id replaced by the place at which it first stands."""
    values = json.loads(line)
    values["session"].pop("source")
    ids: dict[str, str] = {}
    text = json.dumps(values)
    pattern = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    return json.loads(re.sub(pattern, lambda found: ids.setdefault(found[0], f"id {len(ids)}"), text))


@BOTH
def test_a_line_is_a_conversation_that_prepare_reads(store: Store, owner: str, make_reply: MakeReply) -> None:
    session = fill(store, owner, make_reply)
    store.create_session(owner, "empty")
    empty, line = sorted(store.export_lines(owner), key=len)
    parsed = JsonLines().parse(RawRecord(1, line, len(line)), "no name")
    assert parsed.conversation == store.conversation(owner, session)
    assert parsed.conversation.turns and not parsed.roles
    assert JsonLines().parse(RawRecord(1, empty, len(empty)), "no name").conversation.turns == ()
    assert owner.encode() not in line


@BOTH
def test_what_is_exported_and_imported_is_the_same_with_new_ids(
    store: Store, owner: str, make_reply: MakeReply
) -> None:
    fill(store, owner, make_reply, times=3)
    fill(store, owner, make_reply, word="あ" * 1400, times=2)
    lines = list(store.export_lines(owner))
    other = store.owner_for("another browser")
    assert import_all(store, lines, other) == (2, 0)
    again = list(store.export_lines(other))
    assert sorted(map(str, map(less_ids, again))) == sorted(map(str, map(less_ids, lines)))
    assert not {message for line in again for message in ids_in(line)} & {
        message for line in lines for message in ids_in(line)
    }
    for mine, theirs in zip(store.sessions(owner), store.sessions(other), strict=True):
        texts = [message.text for message in store.messages(owner, mine.id)]
        assert texts == [message.text for message in store.messages(other, theirs.id)]
        assert (mine.title, mine.updated_at) == (theirs.title, theirs.updated_at)
    found = {owner: store.search(owner, "SECRET of 東京"), other: store.search(other, "SECRET of 東京")}
    assert [hit.text for hit in found[owner]] == [hit.text for hit in found[other]] != []


def ids_in(line: bytes) -> list[str]:
    values = json.loads(line)
    rows = values["rows"]
    return [values["id"], *(row["id"] for name in ("messages", "battles") for row in rows[name])]


@BOTH
def test_the_same_file_twice_adds_nothing_and_touches_nobody(
    store: Store, owner: str, make_reply: MakeReply
) -> None:
    session = fill(store, owner, make_reply)
    lines = list(store.export_lines(owner))
    before = rows_of(store)
    assert import_all(store, lines, owner) == (0, 1)  # it stands here unchanged
    assert rows_of(store) == before
    other = store.owner_for("another browser")
    assert import_all(store, lines, other) == (1, 0)
    (copy,) = store.sessions(other)
    store.add_user_message(other, copy.id, copy.active_leaf_id, "it goes on", "later")
    after = rows_of(store)
    assert import_all(store, lines, other) == (0, 1)  # though it has gone on since
    assert import_all(store, [*lines, *store.export_lines(other)], other) == (0, 2)
    assert rows_of(store) == after
    store.delete_session(other, copy.id)
    assert rows_of(store, PARTS)["messages"] == before["messages"]
    store.add_user_message(owner, session, None, "it goes on, too", "later")
    assert import_all(store, lines, owner) == (1, 0)  # as it was, beside what became of it


@BOTH
def test_restoring_keeps_every_id_and_owner(store: Store, owner: str, make_reply: MakeReply) -> None:
    other = store.owner_for("another browser")
    session = fill(store, owner, make_reply)
    fill(store, other, make_reply, word="theirs")
    store.import_lines(lambda: list(store.export_lines(other)), owner)
    before = rows_of(store)
    lines = list(store.export_lines(None, names_owners=True))
    assert import_all(store, lines, None, is_restoring=True) == (0, 3)
    for line in lines:
        store.delete_sessions([json.loads(line)["id"]])
    assert not rows_of(store)["messages"]
    assert import_all(store, lines, None, is_restoring=True) == (3, 0)
    assert rows_of(store) == before
    store.rename(owner, session, "another title")
    for whose in (None, other):
        with pytest.raises(StoreError, match=r"line \d cannot be imported: .*another content or owner"):
            import_all(store, lines, whose, is_restoring=True)
    store.delete_session(owner, session)
    unknown = [line.replace(owner.encode(), b"0" * 36) for line in lines]
    with pytest.raises(StoreError, match="is not in this store"):
        import_all(store, unknown, None, is_restoring=True)
    with pytest.raises(StoreError, match="does not name its owner"):
        import_all(store, list(store.export_lines(other)), None)


def bad_lines(line: bytes) -> list[tuple[bytes, str]]:
    """Returns the line with one thing wrong each, and a word of the sentence that tells it."""
    values = json.loads(line)

    def changed(*path: str | int, to: object) -> bytes:
        copy = json.loads(line)
        place = copy
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = to
        return json.dumps(copy).encode()

    last = len(values["rows"]["messages"]) - 1
    battle = values["rows"]["battles"][0]
    return [
        (b"no JSON", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"\xff", "is no JSON"),
        (b'{"turns": []}', "no chat of an export"),
        (changed("format", to="hred-session/2"), "no chat of an export"),
        (changed("id", to=7), "lacks the id"),
        (changed("rows", to=[]), "lacks the id or the rows"),
        (changed("rows", "logins", to=[]), "does not know"),
        (changed("rows", "messages", to={}), "are no list"),
        (changed("session", to=None), "session is no JSON object"),
        (changed("session", "colour", to="red"), "does not know"),
        (changed("session", "owner_id", to="0" * 36), "owner_id is given"),
        (changed("session", "created_at", to="yesterday"), "is no time"),
        (changed("session", "created_at", to="2026-01-01T00:00:00"), "is no time"),
        (changed("session", "title", to=None), "title is not given"),
        (changed("session", "title", to="a\0b"), "NUL"),
        (changed("session", "active_leaf_id", to="0" * 36), "active leaf"),
        (changed("rows", "messages", 0, to=[]), r"messages\[0\] is no JSON object"),
        (changed("rows", "messages", 0, "position", to=1), "at the position 1"),
        (changed("rows", "messages", 0, "position", to=True), "no whole number"),
        (changed("rows", "messages", 0, "id", to="short"), "an id that is none"),
        (changed("rows", "messages", 0, "role", to="boss"), "do not fit together"),
        (changed("rows", "messages", 0, "text", to="\ud83d"), "half a character"),
        (changed("rows", "messages", 0, "parent_id", to=values["rows"]["messages"][1]["id"]), "stand before"),
        (changed("rows", "messages", last, "sampling", to={"method": "loudest"}), "cannot read"),
        (changed("rows", "messages", last, "seed", to="many"), "cannot read"),
        (changed("rows", "messages", last, "seed", to="9" * 30), "no text that fits"),
        (changed("rows", "messages", last, "client_id", to="u0"), "do not fit together"),
        (changed("rows", "messages", last, "log_probability", to="low"), "is no number"),
        (changed("rows", "feedback", 0, "value", to=2), "do not fit together"),
        (changed("rows", "feedback", 0, "value", to=10**9), "no whole number"),
        (changed("rows", "feedback", 0, "message_id", to="0" * 36), "names nothing of messages"),
        (changed("rows", "battles", 1, "id", to=battle["id"]), "an id that is none"),
        (changed("rows", "battles", 0, "reply_a_id", to="0" * 36), "names nothing of messages"),
        (changed("rows", "votes", 0, "choice", to="everything"), "do not fit together"),
    ]


@BOTH
def test_a_bad_line_is_a_sentence_with_its_number_and_nothing_is_imported(
    store: Store, owner: str, make_reply: MakeReply
) -> None:
    session = fill(store, owner, make_reply)
    good = store.create_session(owner, "empty").id
    good_line, line = store.export_lines(owner, [good, session])
    other = store.owner_for("another browser")
    before = rows_of(store)
    for bad, reason in [*bad_lines(line), (good_line, "once more")]:
        with pytest.raises(StoreError, match=f"^line 3 cannot be imported: .*{reason}") as error:
            import_all(store, [good_line, b"\n", bad], other)
        assert "\n" not in str(error.value) and len(str(error.value)) < 400, bad
        assert rows_of(store) == before, bad


def test_an_import_may_come_without_battles_and_votes(
    store: Store, owner: str, make_reply: MakeReply
) -> None:
    fill(store, owner, make_reply)
    other = store.owner_for("another browser")
    lines = list(store.export_lines(owner))
    assert import_all(store, lines, other, with_battles=False) == (1, 0)
    (copy,) = map(json.loads, store.export_lines(other))
    assert not copy["rows"]["battles"] and not copy["rows"]["votes"] and copy["rows"]["feedback"]
    assert len(list(store.votes())) == 1
    assert import_all(store, lines, other, with_battles=False) == (0, 1)


def test_a_battle_that_waits_for_its_vote_is_not_in_what_its_owner_takes_out(
    store: Store, owner: str, make_reply: MakeReply
) -> None:
    session = fill(store, owner, make_reply)
    (line,) = store.export_lines(owner, is_blind=True)
    values = json.loads(line)
    assert [battle["state"] for battle in values["rows"]["battles"]] == ["voted"]
    texts = [row["text"] for row in values["rows"]["messages"]]
    assert "voted a" in texts and "voted b" in texts and "open a" not in texts and "open b" not in texts
    assert values["turns"] == [{"speaker": "user", "text": f"otherwise open {WORDS}"}]  # "open a" was shown
    other = store.owner_for("another browser")
    assert import_all(store, [line], other) == (1, 0)
    (copy,) = store.sessions(other)
    store.add_user_message(other, copy.id, copy.active_leaf_id, "it goes on", "later")
    assert [hit.text for hit in store.search(other, "goes on")] == ["it goes on"]
    assert store.session(owner, session).active_leaf_id != copy.active_leaf_id


def test_only_the_owners_own_sessions_come_out(store: Store, owner: str, make_reply: MakeReply) -> None:
    session = fill(store, owner, make_reply)
    other = store.owner_for("another browser")
    assert list(store.export_lines(other)) == []
    for name in (session, "nothing", "0" * 36):
        with pytest.raises(StoreError, match="no chat"):
            store.export_lines(other, [name])
    second = fill(store, owner, make_reply, word="second")
    chosen = store.export_lines(owner, [session, second, session])
    store.delete_session(owner, second)
    assert [json.loads(line)["id"] for line in chosen] == [session]  # what is gone meanwhile is left out


def test_every_table_of_a_session_is_exported_or_made_again() -> None:
    derived = {"search_texts"}
    of_a_session = {
        table.name
        for table in Base.metadata.sorted_tables
        if any(key.column.table.name in ("sessions", "messages", "battles") for key in table.foreign_keys)
    }
    assert of_a_session - derived == set(PARTS)
    assert names_of_ids(PARTS["battles"]) == {
        "id": "battles",
        "prompt_id": "messages",
        "reply_a_id": "messages",
        "reply_b_id": "messages",
    }


def test_a_file_that_was_imported_comes_back_from_a_file(store: Store, owner: str, tmp_path: Path) -> None:
    store.create_session(owner, "empty")
    file = tmp_path / "chats.jsonl"
    file.write_bytes(b"\r\n".join(line.strip() for line in store.export_lines(owner)))
    other = store.owner_for("another browser")
    with file.open("rb") as opened:
        done = store.import_lines(lambda: (opened.seek(0), opened)[1], other)
    assert store.session(other, done.added[0]).title == "empty"
