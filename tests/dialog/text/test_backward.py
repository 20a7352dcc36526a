"""Told backwards, a conversation has the same pairs of turns, each the other way round."""

from collections import Counter

import numpy as np
from hypothesis import given

from dialog.text.backward import directed
from dialog.text.loader import EncodedSplit
from tests.dialog.text.test_loader import loader_of, splits, talks


def pairs(split: EncodedSplit, backward: bool) -> Counter[tuple[int, int]]:
    """Counts (turn, the scored turn next to it) by the turns' numbers, in the order of the conversation."""
    found: Counter[tuple[int, int]] = Counter()
    for talk in split:
        for first, second, is_target in zip(
            talk.utterances, talk.utterances[1:], talk.targets[1:], strict=False
        ):
            if is_target:
                pair = int(first[0]), int(second[0])
                found[pair[::-1] if backward else pair] += 1
    return found


@given(splits)
def test_the_same_pairs_are_scored_the_other_way_round(split) -> None:
    assert directed(split, "forward") is split
    backward = directed(split, "backward")
    assert pairs(backward, True) == pairs(split, False)
    assert not any(talk.targets[0] for talk in backward)


@given(splits)
def test_lengths_and_targets_are_those_of_its_conversations(split) -> None:
    backward = directed(split, "backward")
    assert len(backward) == len(split)
    assert backward.lengths.tolist() == [len(turn) for talk in backward for turn in talk.utterances]
    assert backward.targets.tolist() == [target for talk in backward for target in talk.targets]


@given(splits)
def test_told_backwards_twice_it_is_as_it_was_but_for_first_targets(split) -> None:
    again = directed(directed(split, "backward"), "backward")
    first = np.isin(np.arange(len(split.lengths)), split.offsets[:-1])
    assert again.lengths.tolist() == split.lengths.tolist()
    assert again.targets.tolist() == (split.targets & ~first).tolist()


def test_it_is_windowed_like_any_split() -> None:
    loader = loader_of(directed(talks([9, 4]), "backward"), (4, 2))
    windows = [loader.window(index) for batch in loader.epoch(0) for index in batch]
    scored = [int(window.utterances[at][0]) for window in windows for at in np.flatnonzero(window.targets)]
    assert sorted(scored) == [10 + turn for turn in [*range(8), *range(9, 12)]]
