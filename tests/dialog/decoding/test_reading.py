"""A conversation that grows is read as one that is new, however its turns are cut, joined, empty or odd."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dialog.conversation import Conversation, Turn
from dialog.decoding.reading import ContextReader
from dialog.errors import UsageError
from tests.dialog.decoding.conftest import small_model

turns = st.lists(
    st.builds(
        Turn, st.sampled_from(["A", "B", "A\0"]), st.sampled_from(["hi", "I  have", "", " ", "cats\0", "\0"])
    ),
    min_size=1,
    max_size=9,
)


@pytest.fixture(scope="module")
def parts(tokenizer):
    return small_model("hred", tokenizer), tokenizer


def read(reader, said):
    try:
        reading = reader.open(Conversation("", tuple(said)))
    except UsageError:
        return None
    reader.read_all([reading])
    return reading


@settings(max_examples=150, deadline=None)
@given(said=turns, steps=st.lists(st.integers(1, 4), min_size=1, max_size=4), other=turns)
def test_a_chat_that_goes_on_is_read_as_one_that_comes_whole(parts, said, steps, other) -> None:
    model, tokenizer = parts
    kept, count = ContextReader(model, tokenizer, 2**20), 0
    for step in steps:
        count = min(len(said), count + step)
        for shown in (said[:count], other):  # another chat stands beside it
            found = read(kept, shown)
            wanted = read(ContextReader(model, tokenizer, 0), shown)
            assert (found is None) == (wanted is None)
            if found is not None and wanted is not None:
                assert found.context_hash == wanted.context_hash
                assert torch.allclose(found.state.context, wanted.state.context, atol=1e-5)


def test_a_turn_of_a_long_chat_looks_at_its_last_turns_alone(parts, monkeypatch) -> None:
    model, tokenizer = parts
    reader = ContextReader(model, tokenizer, 2**20)
    said = [Turn("AB"[place % 2], f"I have {place} cats") for place in range(300)]
    read(reader, said[:298])
    looked_at = []
    monkeypatch.setattr("dialog.decoding.reading.normalise", lambda text: looked_at.append(text) or text)
    read(reader, said)
    assert looked_at == [turn.text for turn in said[298:]]


def test_chats_that_differ_in_a_mark_between_speaker_and_text_are_told_apart(parts) -> None:
    model, tokenizer = parts
    reader = ContextReader(model, tokenizer, 2**20)
    one = read(reader, [Turn("A", "B"), Turn("B", "hi")])
    two = read(reader, [Turn("A\0B", "hi"), Turn("B", "hi")])
    assert one.context_hash != two.context_hash


@settings(max_examples=40, deadline=None)
@given(said=turns, steps=st.lists(st.integers(1, 4), min_size=1, max_size=4), other=turns)
def test_nothing_is_kept_of_a_chat_that_is_forgotten(parts, said, steps, other) -> None:
    reader, count = ContextReader(*parts, 2**20), 0
    read(reader, other)
    alone = (set(reader._cache._states), set(reader._seen._seen), reader._cache._num_bytes)
    for step in steps:
        count = min(len(said), count + step)
        read(reader, said[:count])
    reader.forget(Conversation("", tuple(said)))
    left = (set(reader._cache._states), set(reader._seen._seen), reader._cache._num_bytes)
    assert left[0] <= alone[0] and left[1] <= alone[1] and left[2] <= alone[2]
    reader.forget(Conversation("", tuple(other)))
    assert not reader._cache._states and not reader._seen._seen and reader._cache._num_bytes == 0


def test_what_did_not_go_on_for_long_is_dropped_and_what_did_is_kept(parts) -> None:
    now = 0.0
    reader = ContextReader(*parts, 2**20, clock=lambda: now)
    one, two = [Turn("A", "hello"), Turn("B", "hi")], [Turn("A", "how are you?"), Turn("B", "fine")]
    wanted = read(reader, one)
    read(reader, two)
    now = 50.0
    read(reader, two)
    now = 101.0
    reader.forget_unused(100.0)
    assert not reader.open(Conversation("", tuple(two))).unread
    assert len(reader.open(Conversation("", tuple(one))).unread) == 2
    assert torch.equal(read(reader, one).state.context, wanted.state.context)
    now = 300.0
    reader.forget_unused(100.0)
    assert not reader._cache._states and not reader._seen._seen and reader._cache._num_bytes == 0
    assert not reader._cache._used_at
