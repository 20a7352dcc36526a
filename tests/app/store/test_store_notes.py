"""Feedback, battles, votes, choices and settings: kept, each its owner's alone, and gone with their chat."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select

from app.store import OwnerSettings, Store, StoredBattle
from app.store.tables import BattleRow, FeedbackRow, SearchRow, VoteRow
from dialog.decoding.replies import Reply
from dialog.errors import StoreError
from tests.app.store.conftest import BOTH

pytestmark = BOTH

Chat = tuple[str, str, str, str]


@pytest.fixture
def chat(store: Store, owner: str, make_reply: Callable[..., Reply]) -> Chat:
    """A session with a message and two replies; returns their ids."""
    session = store.create_session(owner, kind="battle").id
    said = store.add_user_message(owner, session, None, "hello", "u").id
    replies = [store.add_reply(owner, session, said, make_reply(), "hred", name).id for name in "ab"]
    return session, said, *replies


def battle_in(store: Store, owner: str, chat: Chat) -> StoredBattle:
    session, said, left, right = chat
    battle = store.create_battle(owner, session, said, "hred", "a" * 64, "vhred", "b" * 64).id
    store.set_battle_reply(owner, battle, "a", left)
    return store.set_battle_reply(owner, battle, "b", right)


def count(store: Store, table: Any) -> int:
    with store._reads() as transaction:
        return transaction.scalar(select(func.count()).select_from(table)) or 0


def test_feedback_is_kept_changed_and_taken_back(store: Store, owner: str, chat: Chat) -> None:
    session, said, reply, other = chat
    store.set_feedback(owner, session, reply, -1, " better\n words ")
    store.set_feedback(owner, session, other, 1)
    kept = store.feedback(owner, session)
    assert (kept[reply].value, kept[reply].correction) == (-1, "better\n words")
    assert (kept[other].value, kept[other].correction) == (1, None)
    store.set_feedback(owner, session, reply, None, "better still")
    store.set_feedback(owner, session, other)
    (only,) = store.feedback(owner, session).values()
    assert (only.value, only.correction) == (None, "better still")
    with pytest.raises(StoreError, match="user's own"):
        store.set_feedback(owner, session, said, 1)
    with pytest.raises(StoreError, match="send one of them"):
        store.set_feedback(owner, session, reply, 2)
    with pytest.raises(StoreError, match="NUL"):
        store.set_feedback(owner, session, reply, 1, "a\0b")


def test_a_session_is_marked_as_reviewed(store: Store, owner: str, chat: Chat) -> None:
    assert store.session(owner, chat[0]).reviewed_at is None
    marked = store.set_reviewed(owner, chat[0])
    assert marked.reviewed_at is not None and store.session(owner, chat[0]) == marked
    assert store.set_reviewed(owner, chat[0], False).reviewed_at is None


def test_a_battle_takes_one_vote_of_its_owner(store: Store, owner: str, chat: Chat) -> None:
    battle = battle_in(store, owner, chat)
    assert (battle.state, battle.choice, battle.reply_a_id, battle.reply_b_id) == ("open", None, *chat[2:])
    with pytest.raises(StoreError, match="no vote"):
        store.vote(owner, battle.id, "left")
    voted = store.vote(owner, battle.id, "tie")
    assert (voted.state, voted.choice) == ("voted", "tie")
    assert store.vote(owner, battle.id, "tie") == voted == store.battle(owner, battle.id)
    with pytest.raises(StoreError, match="a vote stands"):
        store.vote(owner, battle.id, "a")
    (vote,) = store.votes()
    assert (vote.battle_id, vote.model_a, vote.model_b_hash) == (battle.id, "hred", "b" * 64)
    assert (vote.voter, vote.choice) == (owner, "tie")


def test_sessions_are_listed_by_kind(store: Store, owner: str, chat: Chat) -> None:
    plain = store.create_session(owner).id
    assert [one.id for one in store.sessions(owner, kind="chat")] == [plain]
    assert [one.id for one in store.sessions(owner, kind="battle")] == [chat[0]]
    assert len(store.sessions(owner)) == 2


def test_what_belongs_to_a_chat_goes_with_it(store: Store, owner: str, chat: Chat) -> None:
    battle = battle_in(store, owner, chat)
    store.vote(owner, battle.id, "a")
    store.set_feedback(owner, chat[0], chat[2], 1)
    tables = (FeedbackRow, BattleRow, VoteRow, SearchRow)
    assert all(count(store, table) for table in tables)
    store.delete_session(owner, chat[0])
    assert [count(store, table) for table in tables] == [0, 0, 0, 0]
    assert list(store.votes()) == []


def test_nobody_touches_what_belongs_to_another_ones_chat(store: Store, owner: str, chat: Chat) -> None:
    battle = battle_in(store, owner, chat)
    other = store.owner_for("another cookie")
    own = store.create_session(other).id
    session, said, reply, _ = chat
    for call in (
        lambda: store.set_feedback(other, session, reply, 1),
        lambda: store.set_feedback(other, own, reply, 1),
        lambda: store.feedback(other, session),
        lambda: store.set_reviewed(other, session),
        lambda: store.create_battle(other, session, said, "a", "a", "b", "b"),
        lambda: store.create_battle(other, own, said, "a", "a", "b", "b"),
        lambda: store.battle(other, battle.id),
        lambda: store.vote(other, battle.id, "a"),
        lambda: store.set_battle_reply(other, battle.id, "a", reply),
    ):
        with pytest.raises(StoreError, match="there is no"):
            call()
    assert store.feedback(owner, session) == {}
    assert store.battle(owner, battle.id) == battle


def test_choices_are_kept_for_each_owner(store: Store, owner: str) -> None:
    other = store.owner_for("another cookie")
    assert store.owner_settings(owner) == OwnerSettings(language=None, store=True, learn=False, page={})
    chosen = OwnerSettings("ja", store=False, learn=True, page={"preset": "calm", "dark": True})
    store.set_owner_settings(owner, chosen)
    assert store.owner_settings(owner) == chosen
    assert store.owner_settings(other) == OwnerSettings()


def test_settings_of_the_installation(store: Store) -> None:
    assert store.setting("champion", "none") == "none"
    for key in ("b", "B", "a-b", "ab"):
        store.set_setting(key, {"key": key})
    store.set_setting("b", [1, 2.5, None, "x"])
    assert list(store.settings()) == ["B", "a-b", "ab", "b"]
    assert store.setting("b") == [1, 2.5, None, "x"]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: store.set_setting("new", number), range(8)))
    assert store.setting("new") in range(8)
    store.set_setting("nothing", None)
    assert store.setting("nothing", "default") is None
    for key, value in (("", 1), ("k" * 101, 1), ("k", float("nan")), ("k", {1, 2}), ("k", "a\ud800")):
        with pytest.raises(StoreError):
            store.set_setting(key, value)
