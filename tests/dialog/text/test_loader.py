"""Every target is trained on once an epoch, whatever is windowed, cut, bucketed and shuffled."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialog.errors import CorpusError
from dialog.text.batches import EOS
from dialog.text.loader import BatchLoader


@dataclass
class Talk:
    utterances: list[np.ndarray]
    targets: np.ndarray


class Talks:
    """A split in memory; a token's id is its turn's number in the split, so that it tells where it is from."""

    def __init__(self, lengths: list[list[int]], targets: list[list[bool]]) -> None:
        self.lengths = np.array([n for talk in lengths for n in talk], dtype=np.int32)
        self.offsets = np.cumsum([0, *map(len, lengths)]).astype(np.int64)
        self.targets = np.array([t for talk in targets for t in talk], dtype=bool)
        self._rows = [np.full(n, 10 + turn, dtype=np.int32) for turn, n in enumerate(self.lengths)]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> Talk:
        turns = slice(self.offsets[index], self.offsets[index + 1])
        return Talk(self._rows[turns], self.targets[turns])


def talks(turns: list[int], seed: int = 1, longest: int = 12) -> Talks:
    """Conversations of so many turns; all turns but the first are targets."""
    draw = np.random.default_rng(seed)
    lengths = [draw.integers(1, longest + 1, count).tolist() for count in turns]
    return Talks(lengths, [[turn > 0 for turn in range(count)] for count in turns])


splits = st.lists(
    st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=14), min_size=1, max_size=6
).map(lambda some: Talks([[n for n, _ in talk] for talk in some], [[t for _, t in talk] for talk in some]))
windows = st.none() | st.integers(1, 6).flatmap(
    lambda size: st.tuples(st.just(size), st.integers(0, size - 1))
)


def loader_of(
    split: Talks, window: tuple[int, int] | None, batch_tokens: int = 30, **more: int
) -> BatchLoader:
    size, lead = window or (None, 0)
    return BatchLoader(split, batch_tokens, window_turns=size, lead_turns=lead, **more)


def scored_turns(loader: BatchLoader, batches: list[list[int]]) -> list[int]:
    """Returns for each reply of some batches the number of its turn in the split."""
    return [
        int(row[0]) - 10
        for indices in batches
        for row in loader.batch(indices).replies().tokens
        if row[0] != EOS
    ]


@given(splits.filter(lambda split: split.targets.any()), windows, st.integers(1, 60), st.integers(0, 3))
def test_each_target_is_scored_exactly_once(split, window, batch_tokens, epoch) -> None:
    loader = loader_of(split, window, batch_tokens)
    for batches in (loader.epoch(epoch), loader.in_order()):
        assert sorted(scored_turns(loader, batches)) == np.flatnonzero(split.targets).tolist()
        assert sorted(i for indices in batches for i in indices) == list(range(len(loader.spans)))
        tokens = sum(loader.batch(indices).num_target_tokens for indices in batches)
        assert tokens == loader.num_target_tokens


@given(splits.filter(lambda split: split.targets.any()), windows, st.integers(2, 9))
def test_what_a_batch_scores_is_counted_without_reading_it(split, window, max_tokens) -> None:
    loader = loader_of(split, window, max_tokens=max_tokens)
    for indices in loader.epoch(0):
        assert loader.num_scored(indices) == loader.batch(indices).num_target_tokens


@given(splits.filter(lambda split: split.targets.any()), windows)
def test_a_window_is_a_run_of_turns_led_by_turns_that_are_read_and_not_scored(split, window) -> None:
    loader = loader_of(split, window)
    size, lead = window or (10**9, 0)
    for index, span in enumerate(loader.spans):
        first, last = split.offsets[span.conversation], split.offsets[span.conversation + 1]
        found = loader.window(index)
        turns = range(first + span.start, first + span.end)
        assert [int(words[0]) - 10 for words in found.utterances] == list(turns)
        assert 0 < len(turns) <= size and turns[-1] < last
        # A further window is led by as many turns as were asked for, none of them scored.
        assert span.scored_from == (span.start + lead if span.start else 0)
        assert not found.targets[: span.scored_from - span.start].any() and found.targets.any()
        wanted = split.targets[first + span.scored_from : first + span.end]
        assert (found.targets[span.scored_from - span.start :] == wanted).all()


@pytest.mark.parametrize(
    ("turns", "size", "lead", "spans"),
    [
        (4, 4, 2, [(0, 0, 4)]),
        (5, 4, 2, [(0, 0, 4), (2, 4, 5)]),
        (10, 4, 1, [(0, 0, 4), (3, 4, 7), (6, 7, 10)]),
        (5, 2, 0, [(0, 0, 2), (2, 2, 4), (4, 4, 5)]),
        (7, None, 0, [(0, 0, 7)]),
    ],
)
def test_where_windows_are_cut(turns, size, lead, spans) -> None:
    loader = BatchLoader(talks([turns]), 100, window_turns=size, lead_turns=lead)
    assert [(span.start, span.scored_from, span.end) for span in loader.spans] == spans
    assert loader.num_windowed == (len(spans) > 1)


def test_a_window_without_a_target_is_left_out_and_a_lead_target_is_not_scored_again() -> None:
    targets = [False, True, False, False, False, False, True, True]
    loader = BatchLoader(Talks([[3] * 8], [targets]), 100, window_turns=3, lead_turns=1)
    assert [(s.start, s.scored_from, s.end) for s in loader.spans] == [(0, 0, 3), (4, 5, 7), (6, 7, 8)]
    assert [loader.window(i).targets.tolist() for i in range(3)] == [
        [False, True, False],
        [False, False, True],
        [False, True],
    ]


@given(splits.filter(lambda split: split.targets.any()), windows, st.integers(1, 60), st.integers(2, 8))
def test_a_batch_holds_no_more_than_it_may_unless_one_window_alone_does(
    split, window, batch_tokens, max_tokens
) -> None:
    loader = loader_of(split, window, batch_tokens, max_tokens=max_tokens)
    for batches in (loader.epoch(0), loader.in_order()):
        for indices in batches:
            lengths = loader.batch(indices).utterances.lengths
            assert 0 < int(lengths.max()) <= max_tokens
            assert int(lengths.sum()) <= batch_tokens or len(indices) == 1


def test_batches_are_filled_and_hold_what_is_alike() -> None:
    split = talks([2, 3, 4, 5] * 500)
    loader = BatchLoader(split, 400)
    whole = int(split.lengths.sum() + len(split.lengths))
    longest = np.array([max(map(len, split[i].utterances)) for i in range(len(split))])
    for batches in (loader.epoch(0), loader.in_order()):
        assert len(batches) <= 1.1 * whole / 400 + 2
        spread = np.mean([np.ptp(longest[[loader.spans[i].conversation for i in some]]) for some in batches])
        assert spread < 0.25 * np.ptp(longest)


def test_the_order_is_that_of_seed_and_epoch_and_of_nothing_else() -> None:
    split = talks([2, 3, 4, 5] * 50)
    np.random.seed(1)
    one = BatchLoader(split, 200, seed=7)
    first, later = one.epoch(0), one.epoch(3)
    np.random.seed(2)
    other = BatchLoader(split, 200, seed=7)
    assert other.epoch(3) == later and other.epoch(0) == first and one.epoch(0) == first
    for different in (one.epoch(1), later, BatchLoader(split, 200, seed=8).epoch(0)):
        assert different != first
        assert sorted(map(sorted, different)) != sorted(
            map(sorted, first)
        )  # other batches, not only their order
    assert one.in_order() == BatchLoader(split, 200, seed=8).in_order()


def test_an_epoch_does_not_go_from_short_to_long() -> None:
    loader = BatchLoader(talks([2, 3, 4, 5] * 200), 200)
    longest = [float(loader.batch(indices).utterances.lengths.max()) for indices in loader.epoch(0)]
    assert abs(np.corrcoef(longest, np.arange(len(longest)))[0, 1]) < 0.35
    in_order = [float(loader.batch(indices).utterances.lengths.max()) for indices in loader.in_order()]
    assert in_order == sorted(in_order)


def test_what_is_cut_and_what_is_windowed_is_counted() -> None:
    split = Talks(
        [[3, 4, 5, 6], [5, 9], [1, 1, 1, 4, 4]], [[False, True, True, True], [False, True], [True] * 5]
    )
    plain = BatchLoader(split, 100)
    assert (plain.num_cut, plain.num_windowed, plain.num_target_tokens) == (0, 0, 18 + 10 + 16)
    cut = BatchLoader(split, 100, window_turns=3, lead_turns=1, max_tokens=5)
    assert (cut.num_cut, cut.num_windowed) == (4, 2)  # 5, 6, 5 and 9 tokens have no room for the end token
    assert cut.num_target_tokens == 5 + 5 + 5 + 5 + 2 + 2 + 2 + 5 + 5
    conversation_turns = Counter(span.conversation for span in cut.spans)
    assert conversation_turns == {0: 2, 1: 1, 2: 2}
    lengths = cut.batch(range(len(cut.spans))).utterances
    assert int(lengths.lengths.max()) == 5
    for row, length in zip(lengths.tokens, lengths.lengths, strict=True):
        original = int(split.lengths[int(row[0]) - 10])
        assert (row[length - 1] == EOS) == (original + 1 <= 5)


@pytest.mark.parametrize("lengths", [[], [[3, 2]]])
def test_nothing_to_score_is_a_sentence(lengths) -> None:
    with pytest.raises(CorpusError, match="no reply to train or score") as caught:
        BatchLoader(Talks(lengths, [[False] * len(talk) for talk in lengths]), 100)
    assert "\n" not in str(caught.value)


def test_reading_a_window_changes_nothing_of_the_split() -> None:
    split = talks([9])
    before = split.targets.copy()
    loader = BatchLoader(split, 100, window_turns=3, lead_turns=2)
    for _ in range(2):
        for index in range(len(loader.spans)):
            loader.window(index)
    assert (split.targets == before).all()
