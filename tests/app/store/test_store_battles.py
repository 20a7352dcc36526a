"""Battles as they go, on both databases: rounds whole or not at all, retries, one vote, votes counted."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest

from app.store import Store, StoredBattle
from dialog.decoding.replies import Reply
from dialog.errors import StoreError
from dialog.evaluation.ranking.votes import Player
from tests.app.store.conftest import BOTH

LEFT, RIGHT, THIRD = Player("hred", "a" * 64), Player("vhred", "b" * 64), Player("hred", "c" * 64)


def answered(
    store: Store, owner: str, battle: StoredBattle, make_reply: Callable[..., Reply]
) -> StoredBattle:
    left, right = store.battle_branches(owner, battle.id)
    replies = {"a": (left[-1].id, make_reply(text="from A")), "b": (right[-1].id, make_reply(text="from B"))}
    return store.answer_battle(owner, battle.id, replies)


def texts(store: Store, owner: str, battle: StoredBattle) -> list[list[str]]:
    return [[message.text for message in branch] for branch in store.battle_branches(owner, battle.id)]


@BOTH
def test_a_battle_of_two_rounds(store: Store, owner: str, make_reply: Callable[..., Reply]) -> None:
    battle = store.begin_battle(owner, "hello", "one", LEFT, RIGHT)
    assert store.begin_battle(owner, "hello", "one", RIGHT, LEFT) == battle  # sent twice
    assert texts(store, owner, battle) == [["hello"], ["hello"]]
    with pytest.raises(StoreError, match="not been answered yet"):
        store.say_in_battle(owner, battle.id, "and?", "two")
    battle = answered(store, owner, battle, make_reply)
    first = (battle.reply_a_id, battle.reply_b_id)
    for _ in range(2):  # sent twice
        store.say_in_battle(owner, battle.id, "and?", "two")
    assert texts(store, owner, battle) == [["hello", "from A", "and?"], ["hello", "from B", "and?"]]
    late = {
        side: (parent.id, make_reply(text="too late"))
        for side, parent in zip(
            "ab", (branch[0] for branch in store.battle_branches(owner, battle.id)), strict=True
        )
    }
    assert store.answer_battle(owner, battle.id, late).reply_a_id == first[0]  # of the round before: stays
    battle = answered(store, owner, battle, make_reply)
    assert texts(store, owner, battle)[1] == ["hello", "from B", "and?", "from B"]
    assert first != (battle.reply_a_id, battle.reply_b_id)
    assert store.latest_battle(owner) == battle
    assert {m.model_name for m in store.battle_branches(owner, battle.id)[0] if m.role == "bot"} == {"hred"}
    voted = store.vote(owner, battle.id, "b")
    assert (voted.state, voted.choice) == ("voted", "b")
    assert store.session(owner, battle.session_id).active_leaf_id == battle.reply_b_id
    with pytest.raises(StoreError, match="has ended"):
        store.say_in_battle(owner, battle.id, "more", "three")
    assert [session.kind for session in store.sessions(owner)] == ["battle"]


@BOTH
def test_votes_at_once_are_one_vote(store: Store, owner: str, make_reply: Callable[..., Reply]) -> None:
    battle = answered(store, owner, store.begin_battle(owner, "hi", "1", LEFT, RIGHT), make_reply)
    start, refused = Barrier(4), []

    def vote(choice: str) -> None:
        start.wait(60)
        try:
            store.vote(owner, battle.id, choice)
        except StoreError as error:
            refused.append(str(error))

    threads = [Thread(target=vote, args=(choice,)) for choice in ("a", "b", "tie", "both_bad")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 3 and all("voted in this battle before" in sentence for sentence in refused)
    assert store.tally().num_votes == 1


@BOTH
def test_votes_are_counted_by_weights_and_time(
    store: Store, owner: str, make_reply: Callable[..., Reply]
) -> None:
    for number, (left, right, choice) in enumerate(
        [(LEFT, RIGHT, "a"), (RIGHT, LEFT, "a"), (LEFT, RIGHT, "tie"), (THIRD, LEFT, "both_bad")]
    ):
        battle = store.begin_battle(owner, "hi", str(number), left, right)
        answered(store, owner, battle, make_reply)
        store.vote(owner, battle.id, choice)
    tally = store.tally()
    assert tally.players == (LEFT, THIRD, RIGHT)
    assert tally.wins.tolist() == [[0, 0, 1], [0, 0, 0], [1, 0, 0]]
    assert tally.ties.tolist() == [[0, 0, 1], [0, 0, 0], [1, 0, 0]]
    assert tally.both_bad.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    assert (tally.left, tally.right) == (2, 0)
    assert store.tally(datetime.now(UTC) - timedelta(hours=1)).num_votes == 4
    assert store.tally(datetime.now(UTC) + timedelta(hours=1)).num_votes == 0
    first = min(vote.created_at for vote in store.votes())
    assert store.tally(first + timedelta(microseconds=1)).num_votes == 3


@BOTH
def test_battles_are_their_owners_and_can_be_left(store: Store, owner: str) -> None:
    other = store.owner_for("another browser")
    battle = store.begin_battle(owner, "hello", "one", LEFT, RIGHT)
    assert store.latest_battle(other) is None
    for call in (
        lambda: store.battle_branches(other, battle.id),
        lambda: store.say_in_battle(other, battle.id, "x", "y"),
        lambda: store.abandon_battle(other, battle.id),
        lambda: store.answer_battle(other, battle.id, {}),
    ):
        with pytest.raises(StoreError, match="no battle"):
            call()
    store.abandon_battle(owner, battle.id)
    assert store.latest_battle(owner) is None
    with pytest.raises(StoreError, match="NUL"):
        store.begin_battle(owner, "a\0b", "two", LEFT, RIGHT)
    with pytest.raises(StoreError, match="without an id"):
        store.begin_battle(owner, "a", "", LEFT, RIGHT)
