"""Pairs are the scored replies with the turns before them; a sample of them is fair and repeatable."""

from collections import Counter

import numpy as np

from dialog.evaluation.talks import Pair, Talk, pairs_of, talks_of, training_pairs
from tests.dialog.evaluation.test_likelihood import Talks

TALK = Talk("x", ("a", "b", "c", "d"), np.array([False, True, False, True]))


def test_a_pair_is_a_scored_reply_with_the_last_turns_before_it() -> None:
    assert list(pairs_of(TALK)) == [Pair(("a",), "b"), Pair(("a", "b", "c"), "d")]
    assert list(pairs_of(TALK, 2)) == [Pair(("a",), "b"), Pair(("b", "c"), "d")]
    assert TALK.replies == ["b", "d"]


def test_a_split_becomes_texts() -> None:
    split = Talks(turns=(2, 3), every_target=False)
    found = list(talks_of(split, ["one", "two"], lambda tokens: " ".join(map(str, tokens))))
    assert [talk.id for talk in found] == ["one", "two"]
    for number, talk in enumerate(found):
        assert [list(map(int, text.split())) for text in talk.texts] == [
            tokens.tolist() for tokens in split[number].utterances
        ]
        assert talk.targets.tolist() == split[number].targets.tolist()


def test_of_many_pairs_each_is_kept_as_often() -> None:
    talks = [Talk(str(n), ("q", str(n)), np.array([False, True])) for n in range(20)]
    assert training_pairs(talks) == [Pair(("q",), str(n)) for n in range(20)]
    counts = Counter(
        pair.reply for seed in range(1000) for pair in training_pairs(talks, max_pairs=5, seed=seed)
    )
    assert all(180 < counts[str(n)] < 320 for n in range(20))
    assert training_pairs(talks, max_pairs=5, seed=3) == training_pairs(talks, max_pairs=5, seed=3)
