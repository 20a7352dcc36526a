"""Shares of courses: cases worked by hand, and the ideal model's distance counted out."""

import math
from itertools import product

import pytest

from dialog.evaluation.probes.shares import agreement, expected_total_variation, num_taken, total_variation

SHARES = {"a": 0.5, "b": 0.3, "c": 0.2}


@pytest.mark.parametrize(
    ("found", "distance"),
    [
        (["a"] * 5 + ["b"] * 3 + ["c"] * 2, 0.0),
        (["a"], 0.5),
        (["c"], 0.8),
        (["a", "b"], 0.2),
        ([None], 1.0),
        (["d", None], 1.0),
        (["a", "a", None, "d"], 0.5),
    ],
)
def test_total_variation_by_hand(found, distance) -> None:
    assert total_variation(found, SHARES) == pytest.approx(distance, abs=1e-12)


@pytest.mark.parametrize("count", [1, 2, 5, 6])
def test_an_ideal_model_is_as_far_as_counted_over_all_that_it_can_draw(count) -> None:
    mean = sum(
        math.prod(SHARES[name] for name in found) * total_variation(found, SHARES)
        for found in product(SHARES, repeat=count)
    )
    assert expected_total_variation(count, SHARES) == pytest.approx(mean, abs=1e-12)


@pytest.mark.parametrize("count", [1, 4])
def test_replies_drawn_by_other_shares_are_as_far_as_counted(count) -> None:
    drawn = {"a": 0.1, "b": 0.0, "c": 0.9}
    mean = sum(
        math.prod(drawn[name] for name in found) * total_variation(found, SHARES)
        for found in product(SHARES, repeat=count)
    )
    assert expected_total_variation(count, SHARES, drawn) == pytest.approx(mean, abs=1e-12)


def test_an_ideal_model_of_one_course_is_at_the_truth() -> None:
    assert expected_total_variation(10, {"a": 1.0, "b": 0.0}) == 0.0
    assert expected_total_variation(100, SHARES) > expected_total_variation(400, SHARES) > 0


def test_courses_are_taken_from_a_least_share_on() -> None:
    found = ["a"] * 90 + ["b"] * 5 + ["c"] * 4 + [None]
    assert num_taken(found, SHARES) == 2
    assert num_taken(found, SHARES, least=0.04) == 3
    assert num_taken(["d"] * 3, SHARES) == 0


@pytest.mark.parametrize(
    ("groups", "share"),
    [
        ([["a", "a"]], 1.0),
        ([["a", "b"]], 0.0),
        ([["a", "a", "b"]], 1 / 3),
        ([["a", "a", "b", "b"]], 1 / 3),
        ([["a", "a"], ["a", "b"]], 0.5),
        ([["a", "a", "a"], ["b", "b", "b"]], 1.0),
        ([[None, None]], 0.0),
        ([["a", "a", None]], 1 / 3),
    ],
)
def test_agreement_by_hand(groups, share) -> None:
    assert agreement(groups) == pytest.approx(share)
