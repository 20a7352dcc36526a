"""A figure of sums is that of their totals; parts, joins and JSON change none."""

import json
import math

import numpy as np
import pytest

from dialog.errors import UsageError
from dialog.evaluation.sums import Figure, Sums, f1, perplexity, ratio

SUMS = Sums.of(["a", "b", "c"], {"nats": [2.0, 4.5, 1.0], "tokens": [1, 3, 1]})
PER_TOKEN = ratio("nats_per_token", "nats", "tokens", lower_is_better=True)


def test_replies_are_added_up_for_their_conversation() -> None:
    found = Sums.over(["a", "b", "c"], np.array([2, 0, 2]), {"nats": [1.0, 2.0, 0.5], "replies": np.ones(3)})
    assert found.column("nats").tolist() == [2.0, 0.0, 1.5]
    assert found.column("replies").tolist() == [1, 0, 2]
    empty = Sums.over(["a"], np.zeros(0, np.int64), {"nats": []})
    assert empty.column("nats").tolist() == [0.0]


def test_figures_are_of_totals() -> None:
    assert PER_TOKEN.of(SUMS) == 1.5
    assert perplexity("perplexity", "nats", "tokens").of(SUMS) == pytest.approx(math.exp(1.5))
    assert ratio("bits", "nats", "tokens", scale=1 / math.log(2)).of(SUMS) == pytest.approx(1.5 / math.log(2))
    assert PER_TOKEN.of(SUMS.select(["c", "a"])) == 1.5
    assert PER_TOKEN.of(SUMS.select(["b"])) == 1.5
    both = Sums.of("ab", {"p": [0.5, 0.1], "r": [0.5, 0.7], "n": [1, 1]})
    assert f1("f1", "p", "r", "n").of(both) == pytest.approx(2 * 0.3 * 0.6 / 0.9)
    assert f1("f1", "p", "r", "n").of(Sums.of("a", {"p": [0], "r": [0], "n": [4]})) == 0
    table = SUMS.matrix(["nats", "tokens"])
    np.testing.assert_allclose(
        PER_TOKEN.of_totals(np.stack([table, 2 * table])), [table[:, 0] / table[:, 1]] * 2
    )


def test_what_is_not_defined_is_nan_and_never_a_crash() -> None:
    assert math.isnan(PER_TOKEN.of(SUMS.select([])))
    broken = Sums.of("ab", {"nats": [math.nan, 1.0], "tokens": [1, 1]})
    assert math.isnan(PER_TOKEN.of(broken))
    assert PER_TOKEN.of(broken.select(["b"])) == 1.0
    assert math.isnan(perplexity("p", "nats", "tokens").of(Sums.of("a", {"nats": [1e4], "tokens": [1]})))


def test_sums_come_back_from_json_without_loss() -> None:
    sums = Sums.of(["x", "y"], {"nats": [1 / 3, math.nan], "tokens": [3, 2**53]})
    data = json.loads(json.dumps(sums.to_json(), allow_nan=False))
    assert data["columns"]["tokens"] == [3, 2**53]
    back = Sums.from_json(data)
    assert (back.ids, back.columns) == (sums.ids, sums.columns)
    np.testing.assert_array_equal(back.values, sums.values)


def test_columns_stand_side_by_side_for_the_same_conversations() -> None:
    joined = SUMS.join(Sums.of("abc", {"words": [1, 2, 2]}))
    assert joined.columns == ("nats", "tokens", "words")
    assert ratio("nats_per_word", "nats", "words").of(joined) == 1.5
    assert joined.has(PER_TOKEN) and not SUMS.has(ratio("w", "nats", "words"))
    for other, sentence in (
        (Sums.of("acb", {"words": [1, 2, 2]}), "different conversations"),
        (Sums.of("abc", {"nats": [1, 2, 2]}), "nats stands in both"),
    ):
        with pytest.raises(UsageError, match=sentence):
            SUMS.join(other)


def test_bad_input_is_told_in_a_sentence() -> None:
    with pytest.raises(UsageError, match="'a' stands twice"):
        Sums.of("aba", {})
    with pytest.raises(UsageError, match=r"nats has the shape \(1,\); expected 2"):
        Sums.of("ab", {"nats": [1]})
    with pytest.raises(UsageError, match="no sums of 1 conversations, such as 'd'"):
        SUMS.select(["a", "d"])
    with pytest.raises(UsageError, match="no sums of words; there are nats, tokens"):
        Figure("f", ("words",), lambda totals: totals[..., 0]).of(SUMS)


def test_parts_stand_below_one_another_and_columns_are_left_out() -> None:
    whole = Sums.of(["a", "b", "c"], {"nats": [1, 2, math.nan], "tokens": [3, 4, 5]})
    stacked = Sums.stack([whole.select(["a"]), whole.select(["b", "c"])])
    assert stacked.ids == whole.ids and stacked.columns == whole.columns
    assert np.array_equal(stacked.values, whole.values, equal_nan=True)
    assert whole.without(["nats", "nothing"]).columns == ("tokens",)
    with pytest.raises(UsageError, match="different columns"):
        Sums.stack([whole, whole.without(["nats"])])
    with pytest.raises(UsageError, match="stands twice"):
        Sums.stack([whole, whole])
