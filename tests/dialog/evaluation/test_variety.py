"""Figures of variety are what their definitions count, whole and without any one conversation."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.util import ngrams
from scipy import stats

from dialog.errors import UsageError
from dialog.evaluation.diversity import distinct
from dialog.evaluation.sums import Sums
from dialog.evaluation.variety import (
    SAMPLE_VARIETY_FIGURES,
    VARIETY_FIGURES,
    measure_sample_variety,
    measure_variety,
    training_replies,
)

REPLY = st.lists(st.sampled_from("abcde"), max_size=6)
TALKS = st.lists(st.lists(REPLY, max_size=3), min_size=1, max_size=5)
NOT_SUMS = ["distinct_1", "distinct_2", "entropy_1", "entropy_2", "top_share"]


def measured(talks, training=None) -> tuple[Sums, dict[str, float]]:
    replies = [reply for talk in talks for reply in talk]
    conversations = np.repeat(np.arange(len(talks)), list(map(len, talks)))
    sums = measure_variety(replies, conversations, list(map(str, range(len(talks)))), training)
    return sums, {figure.name: figure.of(sums) for figure in VARIETY_FIGURES if sums.has(figure)}


def by_definition(talks) -> dict[str, float]:
    replies = [reply for talk in talks for reply in talk]
    found = {}
    for size in (1, 2):
        counts = Counter(gram for reply in replies for gram in ngrams(reply, size))
        if counts:
            found[f"distinct_{size}"] = distinct(replies, size)
            found[f"entropy_{size}"] = float(stats.entropy(list(counts.values())))
    if replies:
        found["top_share"] = max(Counter(map(tuple, replies)).values()) / len(replies)
    return {name: found.get(name, math.nan) for name in NOT_SUMS}


@given(TALKS)
def test_whole_figures_are_their_definitions(talks) -> None:
    _, found = measured(talks)
    wanted = by_definition(talks)
    assert {name: found[name] for name in NOT_SUMS} == pytest.approx(wanted, nan_ok=True, abs=1e-12)


@given(TALKS)
def test_values_spread_as_the_figures_without_one_conversation_do(talks) -> None:
    sums, found = measured(talks)
    without = [by_definition(talks[:place] + talks[place + 1 :]) for place in range(len(talks))]
    for name in NOT_SUMS:
        others = np.array([each[name] for each in without])
        others = np.where(np.isnan(others), found[name], others)
        wanted = found[name] + (len(talks) - 1) * (others.mean() - others)
        np.testing.assert_allclose(sums.column(name), wanted, atol=1e-9)


@given(TALKS)
def test_sums_of_replies_are_their_definitions(talks) -> None:
    _, found = measured(talks, training=training_replies([["a", "b"], ["c"], []]))
    replies = [reply for talk in talks for reply in talk]
    if not replies:
        assert all(math.isnan(value) for value in found.values())
        return
    assert found["length"] == pytest.approx(np.mean(list(map(len, replies))))
    assert found["recited"] == pytest.approx(np.mean([reply in (["a", "b"], ["c"]) for reply in replies]))
    assert found["empty"] == pytest.approx(np.mean([not reply for reply in replies]))
    repeating = [len(set(ngrams(reply, 3))) < len(list(ngrams(reply, 3))) for reply in replies]
    assert found["repeating"] == pytest.approx(np.mean(repeating))
    for size in (1, 2):
        within = [distinct([reply], size) for reply in replies if len(reply) >= size]
        assert found[f"within_{size}"] == pytest.approx(np.mean(within) if within else math.nan, nan_ok=True)


def test_a_case_by_hand() -> None:
    talks = [[["yoga", ",", "yoga", ",", "yoga", ","], ["No", "."]], [["no", "."]]]
    _, found = measured(talks, training_replies([["no", "."]]))
    assert found == pytest.approx(
        {
            "distinct_1": 5 / 10,  # yoga , No . no
            "distinct_2": 4 / 7,
            "entropy_1": 2 * 0.3 * math.log(10 / 3) + 0.2 * math.log(5) + 2 * 0.1 * math.log(10),
            "entropy_2": 3 / 7 * math.log(7 / 3) + 2 / 7 * math.log(7 / 2) + 2 / 7 * math.log(7),
            "within_1": (2 / 6 + 1 + 1) / 3,
            "within_2": (2 / 5 + 1 + 1) / 3,
            "length": 10 / 3,
            "top_share": 2 / 3,  # whatever its capitals
            "repeating": 1 / 3,
            "recited": 1 / 3,
            "empty": 0,
        }
    )


@given(st.lists(st.lists(REPLY, max_size=4), min_size=1, max_size=4))
def test_samples_of_a_context_are_counted_beside_one_another(samples) -> None:
    sums = measure_sample_variety(samples, np.zeros(len(samples), np.int64), ["x"])
    found = {figure.name: figure.of(sums) for figure in SAMPLE_VARIETY_FIGURES}
    for size in (1, 2):
        each = [distinct(some, size) for some in samples if any(len(reply) >= size for reply in some)]
        assert found[f"across_{size}"] == pytest.approx(np.mean(each) if each else math.nan, nan_ok=True)
    different = [len(set(map(tuple, some))) / len(some) if some else 0 for some in samples]
    assert found["different_samples"] == pytest.approx(np.mean(different))


def test_a_model_that_repeats_itself_is_seen_across_samples_only() -> None:
    reply = ["I", "see", "."]
    sums = measure_sample_variety([[reply] * 10], np.zeros(1, np.int64), ["x"])
    assert [figure.of(sums) for figure in SAMPLE_VARIETY_FIGURES] == pytest.approx([0.1, 0.1, 0.1])


def test_bad_input_is_told_in_a_sentence() -> None:
    with pytest.raises(UsageError, match="2 replies and 1 conversation numbers"):
        measure_variety([["a"], ["b"]], np.zeros(1, np.int64), ["x"])


def test_thousands_of_replies_are_counted_as_few_are() -> None:
    random = np.random.default_rng(0)
    words = [str(word) for word in random.zipf(1.5, 70_000) % 5000]
    replies = [words[start : start + 10] for start in range(0, 70_000, 10)]
    conversations = np.arange(7000) // 7
    sums = measure_variety(replies, conversations, list(map(str, range(1000))))
    found = {figure.name: figure.of(sums) for figure in VARIETY_FIGURES if sums.has(figure)}
    assert found["distinct_2"] == pytest.approx(distinct(replies, 2))
