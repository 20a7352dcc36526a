"""Distinct-n by its definition, and what must hold of the figures of any replies."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialog.evaluation.diversity import Diversity, distinct, measure_diversity

REPLIES = st.lists(st.lists(st.integers(4, 9), max_size=6), min_size=1, max_size=8)


def texts(replies: list[list[int]]) -> list[str]:
    return [" ".join(map(str, reply)) for reply in replies]


@given(REPLIES, st.integers(1, 3))
def test_distinct_is_the_distinct_n_grams_over_all_of_them(replies, size) -> None:
    grams = [window for reply in replies for window in zip(*(reply[k:] for k in range(size)), strict=False)]
    wanted = len(set(grams)) / len(grams) if grams else 0.0
    assert distinct(replies, size) == wanted


@given(REPLIES)
def test_figures_are_shares_and_do_not_know_the_order_of_replies(replies) -> None:
    found = measure_diversity(replies, texts(replies))
    for share in (found.top_share, found.distinct_1, found.distinct_2):
        assert 0 <= share <= 1
    assert found.num_replies == len(replies)
    assert found.mean_length == pytest.approx(sum(map(len, replies)) / len(replies))
    assert found.top_share == max(replies.count(reply) for reply in replies) / len(replies)
    other = measure_diversity(replies[::-1], texts(replies[::-1]))
    assert {**other.to_json(), "top_reply": ""} == {**found.to_json(), "top_reply": ""}


@given(REPLIES)
def test_saying_all_of_it_twice_halves_distinct_n_and_changes_nothing_else(replies) -> None:
    once, twice = (measure_diversity(some, texts(some)) for some in (replies, replies * 2))
    assert (twice.distinct_1, twice.distinct_2) == (once.distinct_1 / 2, once.distinct_2 / 2)
    assert (twice.top_share, twice.top_reply) == (once.top_share, once.top_reply)


def test_n_grams_do_not_reach_over_replies() -> None:
    assert distinct([[4, 5], [6, 7], [5, 6]], 2) == 1.0
    assert distinct([[4], [5]], 2) == 0.0


def test_the_most_frequent_reply_is_one_whatever_its_capitals() -> None:
    found = measure_diversity([[4], [5], [6], [4]], ["No.", "I see.", "i SEE.", "Yes."])
    assert (found.top_share, found.top_reply) == (0.5, "I see.")


def test_figures_come_back_from_json() -> None:
    for replies in itertools.product([[4, 5], [4]], repeat=2):
        found = measure_diversity(list(replies), texts(list(replies)))
        assert Diversity(**found.to_json()) == found
