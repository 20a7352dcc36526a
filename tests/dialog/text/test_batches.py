"""A batch has a row for every real utterance and for nothing else, each target once, each end where it is."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from dialog.text.batches import BOS, EOS, PAD, UNK, Batch, Utterances, Window, collate, utterances_of

words = st.lists(st.integers(4, 40), max_size=7)
conversations = st.lists(
    st.lists(st.tuples(words, st.booleans()), min_size=1, max_size=5), min_size=1, max_size=5
)


def windows_of(turns: list[list[tuple[list[int], bool]]]) -> list[Window]:
    return [
        Window([np.array(ids, dtype=np.int32) for ids, _ in turn], np.array([target for _, target in turn]))
        for turn in turns
    ]


def test_control_tokens_have_the_ids_that_every_tokenizer_here_gives_them() -> None:
    assert (PAD, UNK, BOS, EOS) == (0, 1, 2, 3)


@given(st.lists(words, max_size=6), st.integers(1, 9) | st.none())
def test_a_row_holds_its_tokens_and_the_end_unless_it_is_cut(rows, limit) -> None:
    utterances = utterances_of(rows, limit)
    assert len(utterances) == len(rows)
    assert utterances.tokens.dtype == utterances.lengths.dtype == torch.int64
    for row, length, ids in zip(utterances.tokens, utterances.lengths, rows, strict=True):
        whole = [*ids, EOS]
        kept = whole if limit is None else whole[:limit]
        assert row[:length].tolist() == kept
        assert (row[length:] == PAD).all()
        assert (kept[-1] == EOS) == (limit is None or len(whole) <= limit)
    assert utterances.tokens.shape[1] == max(utterances.lengths.tolist(), default=0)


@given(st.lists(words, max_size=6), st.integers(1, 9))
def test_cut_is_what_a_limit_gives(rows, limit) -> None:
    cut, wanted = utterances_of(rows).cut(limit), utterances_of(rows, limit)
    assert torch.equal(cut.tokens, wanted.tokens) and torch.equal(cut.lengths, wanted.lengths)


@given(st.lists(words, min_size=1, max_size=6), st.data())
def test_select_takes_rows_in_order_and_trims_them(rows, data) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=6))
    some = utterances_of(rows).select(torch.tensor(chosen, dtype=torch.int64))
    wanted = utterances_of([rows[i] for i in chosen])
    assert torch.equal(some.tokens, wanted.tokens) and torch.equal(some.lengths, wanted.lengths)


@given(conversations, st.integers(1, 6) | st.none())
def test_every_utterance_has_one_row_and_every_target_one_place(turns, limit) -> None:
    batch = collate(windows_of(turns), limit)
    flat = [(c, t, *turn) for c, conversation in enumerate(turns) for t, turn in enumerate(conversation)]
    wanted = utterances_of([ids for *_, ids, _ in flat], limit)
    assert torch.equal(batch.utterances.tokens, wanted.tokens)
    assert torch.equal(batch.utterances.lengths, wanted.lengths)
    assert batch.rows.shape == (len(turns), max(map(len, turns))) and batch.num_conversations == len(turns)
    for row, (conversation, turn, *_) in enumerate(flat):
        assert batch.rows[conversation, turn] == row
    assert int((batch.rows >= 0).sum()) == len(flat) and (batch.rows >= -1).all()
    targets = [(row, c, t) for row, (c, t, _, target) in enumerate(flat) if target]
    columns = (batch.targets, batch.target_conversations, batch.target_turns)
    assert [tuple(map(int, place)) for place in zip(*columns, strict=True)] == targets
    replies = batch.replies()
    assert replies.lengths.tolist() == [int(wanted.lengths[row]) for row, *_ in targets]
    assert batch.num_target_tokens == int(replies.lengths.sum())


@given(conversations, st.integers(1, 6))
def test_source_rows_are_the_turns_before_a_target_in_its_own_conversation(turns, back) -> None:
    batch = collate(windows_of(turns))
    rows = batch.source_rows(back)
    places = zip(batch.target_conversations.tolist(), batch.target_turns.tolist(), strict=True)
    wanted = [int(batch.rows[c, t - back]) if t >= back else -1 for c, t in places]
    assert rows.tolist() == wanted
    for row, target in zip(rows.tolist(), batch.targets.tolist(), strict=True):
        assert row == -1 or row == target - back


def test_evaluation_cuts_nothing_and_training_leaves_the_end_token_off_what_it_cuts() -> None:
    long = np.arange(4, 104, dtype=np.int32)
    window = Window([long, long[:3]], np.array([False, True]))
    assert collate([window]).utterances.lengths.tolist() == [101, 4]
    cut = collate([window], 10).utterances
    assert cut.lengths.tolist() == [10, 4]
    assert cut.tokens[0].tolist() == long[:10].tolist() and EOS not in cut.tokens[0]
    assert cut.tokens[1, 3] == EOS
    just = collate([Window([long[:9], long[:10]], np.array([False, True]))], 10).utterances
    assert just.tokens[:, 9].tolist() == [EOS, long[9]]


def test_moving_a_batch_moves_its_tokens_alone() -> None:
    batch = collate([Window([np.array([5, 6]), np.array([7])], np.array([False, True]))])
    moved = batch.to("meta")
    assert isinstance(moved, Batch) and isinstance(moved.utterances, Utterances)
    assert moved.device.type == "meta"
    for tensor in (moved.rows, moved.targets, moved.target_turns, moved.utterances.lengths):
        assert tensor.device.type == "cpu"
