"""Cosines of replies and references by their definitions, unknown words left out and counted."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cosine

from dialog.errors import UsageError
from dialog.evaluation.embedding import (
    EMBEDDING_FIGURES,
    Nearness,
    best_nearness,
    measure_nearness,
    nearness,
)
from dialog.evaluation.vectors import WordVectors

VALUES = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
VECTORS = WordVectors({word: row for row, word in enumerate("abcdef")}, VALUES)
KNOWN = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=6)
ANY = st.lists(st.sampled_from("abcdefxyz"), max_size=6)


def vector(word: str) -> np.ndarray:
    return VALUES["abcdef".index(word)].astype(np.float64)


@given(KNOWN, KNOWN)
def test_each_is_its_definition(reference, reply) -> None:
    found = nearness(reference, reply, VECTORS)
    said, replied = ([vector(word) for word in words] for words in (reference, reply))
    assert found.average == pytest.approx(1 - cosine(np.mean(said, 0), np.mean(replied, 0)))
    extremes = [
        [max(column, key=lambda value: (abs(value), value)) for column in np.transpose(rows)]
        for rows in (said, replied)
    ]
    assert found.extrema == pytest.approx(1 - cosine(*extremes))
    by_reference = np.mean([max(1 - cosine(one, other) for other in replied) for one in said])
    by_reply = np.mean([max(1 - cosine(one, other) for other in said) for one in replied])
    assert (found.greedy_reference, found.greedy_reply) == pytest.approx((by_reference, by_reply))
    assert found.greedy == pytest.approx((by_reference + by_reply) / 2)


@given(ANY, ANY)
def test_unknown_words_change_nothing(reference, reply) -> None:
    known = [[word for word in words if word in "abcdef"] for words in (reference, reply)]
    assert nearness(reference, reply, VECTORS) == nearness(*known, VECTORS)


@given(KNOWN, KNOWN)
def test_the_same_words_are_nearest_and_sides_change_places(reference, reply) -> None:
    same = nearness(reference, reference[::-1], VECTORS)
    assert (same.average, same.extrema, same.greedy) == pytest.approx((1, 1, 1))
    forth, back = nearness(reference, reply, VECTORS), nearness(reply, reference, VECTORS)
    assert forth.greedy_reference == pytest.approx(back.greedy_reply)
    assert (forth.average, forth.extrema, forth.greedy) == pytest.approx(
        (back.average, back.extrema, back.greedy)
    )


def test_a_case_by_hand() -> None:
    vectors = WordVectors({"x": 0, "y": 1, "z": 2}, np.array([[1, 0], [0, 2], [-3, 0]], np.float32))
    found = nearness(["x", "y"], ["z", "y"], vectors)
    assert found.average == pytest.approx((1 * -3 + 2 * 2) / (math.sqrt(5) * math.sqrt(13)))
    assert found.extrema == pytest.approx((1 * -3 + 2 * 2) / (math.sqrt(5) * math.sqrt(13)))
    assert found.greedy_reference == pytest.approx((0 + 1) / 2)  # x is at -1 from z and at 0 from y
    assert found.greedy_reply == pytest.approx((0 + 1) / 2)
    tie = nearness(
        ["x"], ["x", "far"], WordVectors({"x": 0, "far": 1}, np.array([[3, 0], [-3, 0]], np.float32))
    )
    assert tie.extrema == pytest.approx(1)  # of 3 and -3 the positive one
    assert tie.average == 0  # whose sum is 0


def test_empty_texts_are_defined() -> None:
    assert nearness(["a"], [], VECTORS) == Nearness(0, 0, 0, 0)
    assert nearness(["a"], ["x"], VECTORS) == Nearness(0, 0, 0, 0)
    assert nearness([], ["a"], VECTORS) is None
    assert nearness(["x"], ["a"], VECTORS) is None


def test_of_samples_each_figure_takes_the_best() -> None:
    reference, samples = ["a", "b"], [["c", "d"], ["e"], ["f", "a"], []]
    each = [nearness(reference, sample, VECTORS) for sample in samples]
    names = ["average", "extrema", "greedy_reference", "greedy_reply", "greedy"]
    wanted = [max(getattr(one, name) for one in each) for name in names]
    assert best_nearness(reference, samples, VECTORS) == pytest.approx(wanted)


def test_contexts_are_averaged_and_what_is_left_out_is_counted() -> None:
    samples = [[["c", "x"]], [["a"]], [["y"]], [["b"], ["d"]]]
    references = [["a", "b"], ["x"], ["c"], ["d", "z"]]
    sums = measure_nearness(samples, references, VECTORS, np.array([0, 0, 1, 1]), ["one", "two"])
    found = {figure.name: figure.of(sums) for figure in EMBEDDING_FIGURES}
    first = nearness(["a", "b"], ["c"], VECTORS)
    for name in ("average", "extrema", "greedy_reference", "greedy_reply", "greedy"):
        assert found[f"embedding_{name}"] == pytest.approx((getattr(first, name) + 0 + 1) / 3)
    assert found["embedding_pairs"] == 3 / 4
    assert found["embedding_reference_unknown"] == 2 / 6
    assert found["embedding_reply_unknown"] == 2 / 6
    assert sums.column("embedding_pairs").tolist() == [1, 2]


def test_bad_input_is_told_in_a_sentence() -> None:
    numbers = np.zeros(1, np.int64)
    with pytest.raises(UsageError, match="samples of 1 contexts, 2 references"):
        measure_nearness([[["a"]]], [["a"], ["b"]], VECTORS, numbers, ["x"])
    with pytest.raises(UsageError, match="no reply to compare"):
        measure_nearness([[]], [["a"]], VECTORS, numbers, ["x"])
