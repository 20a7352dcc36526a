"""What is learned from: replies that their owners found good, each once, of those alone who agreed."""

import dataclasses
from collections.abc import Callable

import pytest

from app.store import Store
from app.store.export import line_of
from dialog.corpus.jsonl import JsonLines
from dialog.corpus.records import RawRecord
from dialog.decoding.replies import Reply
from tests.app.store.conftest import BOTH

MakeReply = Callable[..., Reply]


def agree(store: Store, owner: str, agrees: bool = True) -> None:
    store.set_owner_settings(owner, dataclasses.replace(store.owner_settings(owner), learn=agrees))


class Chat:
    """A session that is written turn by turn; messages are known by their texts."""

    def __init__(self, store: Store, owner: str, make_reply: MakeReply) -> None:
        self.store, self.owner, self._make = store, owner, make_reply
        self.id = store.create_session(owner).id
        self.ids: dict[str, str | None] = {"": None}

    def say(self, text: str, after: str = "") -> None:
        message = self.store.add_user_message(self.owner, self.id, self.ids[after], text, text)
        self.ids[text] = message.id

    def hear(self, text: str, after: str, value: int | None = None, better: str | None = None) -> None:
        reply = self._make(text=text)
        message = self.store.add_reply(self.owner, self.id, self.ids[after], reply, "hred", text)
        self.ids[text] = message.id
        self.store.set_feedback(self.owner, self.id, message.id, value, better)


def said(store: Store, owner: str | None = None) -> list[tuple[str, ...]]:
    """Returns what is to be learned, a conversation a tuple; `*` stands before what is trained on."""
    return [
        tuple(("*" if turn["role"] == "assistant" else "") + turn["content"] for turn in one["messages"])
        for one in store.reviewed(owner)
    ]


@pytest.fixture
def chat(store: Store, owner: str, make_reply: MakeReply) -> Chat:
    agree(store, owner)
    return Chat(store, owner, make_reply)


@BOTH
def test_a_liked_reply_is_learned_once_and_what_was_disliked_never(store: Store, chat: Chat) -> None:
    chat.say("a")
    chat.hear("good", "a", 1)
    chat.hear("bad", "a", -1)
    for number in (1, 2):
        chat.say(f"b{number}", "good")
        chat.hear(f"plain{number}", f"b{number}")
        chat.say(f"c{number}", f"plain{number}")
        chat.hear(f"fine{number}", f"c{number}", 1)
    assert said(store) == [
        ("a", "*good", "b1", "plain1", "c1", "*fine1"),
        ("a", "good", "b2", "plain2", "c2", "*fine2"),
    ]
    assert [[one["why"] for one in found["reviewed"]] for found in store.reviewed()] == [
        ["liked"] * 2,
        ["liked"],
    ]


def test_a_correction_is_learned_in_the_place_of_the_reply(store: Store, chat: Chat) -> None:
    chat.say("a")
    chat.hear("wrong", "a", -1, "right")
    chat.say("b", "wrong")
    chat.hear("good", "b", 1)
    chat.hear("worse", "b", None, "better")
    assert said(store) == [("a", "wrong", "b", "*good"), ("a", "*right"), ("a", "wrong", "b", "*better")]
    assert len({found["id"] for found in store.reviewed()}) == 3


def test_who_wins_a_battle_is_learned_from_with_what_it_said_before(store: Store, chat: Chat) -> None:
    for name, choice in (("x", "a"), ("y", "tie"), ("z", None)):
        chat.say(name)
        for side in "ab":
            chat.hear(f"{name}{side}1", name)
            chat.say(f"{name}{side}2", f"{name}{side}1")
            chat.hear(f"{name}{side}3", f"{name}{side}2")
        models = ("hred", "a" * 64, "vhred", "b" * 64)
        battle = store.create_battle(chat.owner, chat.id, chat.ids[name] or "", *models).id
        for side in "ab":
            store.set_battle_reply(chat.owner, battle, side, chat.ids[f"{name}{side}3"] or "")
        if choice:
            store.vote(chat.owner, battle, choice)
    assert said(store) == [("x", "*xa1", "xa2", "*xa3")]
    assert {one["why"] for found in store.reviewed() for one in found["reviewed"]} == {"won"}


def test_a_session_that_was_read_through_is_learned_whole(store: Store, chat: Chat) -> None:
    chat.say("a")
    chat.hear("one", "a")
    chat.say("b", "one")
    chat.hear("two", "b", -1)
    chat.say("c", "two")
    chat.hear("three", "c")
    assert said(store) == []
    store.set_reviewed(chat.owner, chat.id)
    assert said(store) == [("a", "*one", "b", "two", "c", "*three")]


@BOTH
def test_nothing_is_learned_of_those_who_did_not_agree(
    store: Store, owner: str, make_reply: MakeReply
) -> None:
    other = store.owner_for("another browser")
    for name, whose in (("mine", owner), ("theirs", other)):
        chat = Chat(store, whose, make_reply)
        chat.say(name)
        chat.hear(f"to {name}", name, 1)
    assert said(store) == []
    agree(store, other)
    assert said(store) == [("theirs", "*to theirs")] and said(store, owner) == []
    agree(store, owner)
    assert sorted(said(store)) == [("mine", "*to mine"), ("theirs", "*to theirs")]
    agree(store, other, agrees=False)
    assert said(store) == said(store, owner) == [("mine", "*to mine")]


def test_prepare_takes_the_roles(store: Store, chat: Chat) -> None:
    chat.say("a")
    chat.hear("good", "a", 1)
    (line,) = map(line_of, store.reviewed())
    parsed = JsonLines().parse(RawRecord(1, line, len(line)), "")
    assert parsed.roles and [turn.speaker for turn in parsed.conversation.turns] == ["user", "assistant"]
    assert [line_of(one) for one in store.reviewed()] == [line]  # the same reviews give the same bytes
