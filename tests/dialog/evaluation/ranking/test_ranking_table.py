"""The ranking: order, intervals, places, refusals, sides; and which two meet next."""

import json
import math
import random

import numpy as np
import pytest
from scipy.stats import binomtest

from dialog.errors import UsageError
from dialog.evaluation.ranking.pairing import draw_pair, pair_widths
from dialog.evaluation.ranking.table import rank
from dialog.evaluation.ranking.votes import Player, Tally, Vote
from tests.dialog.evaluation.ranking.cases import A, B, C, D, drawn_votes, tally


def test_the_order_of_votes_and_sides_change_nothing() -> None:
    votes = drawn_votes([0.8, 0.0, -0.8], -0.5, 40, seed=1)
    once = rank(Tally.of(votes), seed=5)
    shuffled = votes.copy()
    random.Random(2).shuffle(shuffled)
    swapped = {"left": "right", "right": "left"}
    mirrored = [Vote(v.right, v.left, swapped.get(v.outcome, v.outcome)) for v in votes]
    assert rank(Tally.of(shuffled), seed=5).to_json() == once.to_json()
    assert rank(Tally.of(mirrored), seed=5).entries == once.entries
    assert rank(Tally.of(votes), seed=6).entries != once.entries
    assert [entry.player for entry in once.entries] == [A, B, C]


def test_counts_and_matrix() -> None:
    found = rank(
        tally((A, B, "left", 4), (B, A, "left"), (A, B, "tie", 2), (B, A, "both_bad", 3), (A, C, "right"))
    )
    assert found.tally.wins.tolist() == [[0, 4, 0], [1, 0, 0], [1, 0, 0]]
    assert found.tally.ties.tolist() == [[0, 2, 0], [2, 0, 0], [0, 0, 0]]
    assert found.tally.both_bad.tolist() == [[0, 3, 0], [3, 0, 0], [0, 0, 0]]
    first = next(entry for entry in found.entries if entry.player == A)
    assert (first.num_votes, first.num_wins, first.num_losses, first.num_ties, first.num_both_bad) == (
        11,
        4,
        2,
        2,
        3,
    )
    assert found.tally.num_votes == 11
    assert (found.sides.left, found.sides.right) == (5, 1)
    assert json.loads(json.dumps(found.to_json()))["votes"] == 11


def test_both_bad_counts_as_a_tie_for_the_strength() -> None:
    tied = rank(tally((A, B, "left", 9), (A, B, "right", 3), (A, B, "tie", 6)))
    bad = rank(tally((A, B, "left", 9), (A, B, "right", 3), (A, B, "both_bad", 4), (A, B, "tie", 2)))
    assert [e.strength for e in bad.entries] == [e.strength for e in tied.entries]
    assert bad.entries[0].num_both_bad == 4
    # Hand-worked: one vote more, a third of it for each.
    assert tied.entries[0].strength == pytest.approx(math.log((9 + 1 / 3) / (3 + 1 / 3)) / 2)


def test_a_model_trained_again_under_its_name_is_another() -> None:
    again = Player("A", "f" * 64)
    found = rank(tally((A, B, "left", 3), (again, B, "right", 3)))
    assert {entry.player for entry in found.entries} == {A, B, again}
    assert (found.entries[0].player, found.entries[-1].player) == (A, again)


def test_models_without_a_path_of_votes_have_no_common_scale() -> None:
    found = rank(tally((A, B, "left", 50), (C, D, "tie", 50)))
    assert found.entries is None and found.is_preliminary
    assert found.groups == ((A, B), (C, D))
    assert found.to_json()["groups"] == [[0, 1], [2, 3]]
    assert rank(tally((A, B, "left", 50), (C, D, "tie", 50), (A, D, "tie"))).entries is not None


def test_without_votes_there_is_nothing() -> None:
    found = rank(Tally.of([]))
    assert (found.entries, found.groups, found.sides.p_value) == (None, (), 1.0)


def test_who_never_lost_is_named_and_has_a_finite_strength() -> None:
    found = rank(tally((A, B, "left", 500)))
    assert (found.never_lost, found.never_won) == ((A,), (B,))
    assert found.is_preliminary and math.isfinite(found.entries[0].strength)
    assert found.entries[0].low > 0
    found = rank(tally((A, B, "tie", 500)))
    assert (found.never_lost, found.never_won) == ((), ())
    assert found.entries[0].strength == pytest.approx(0, abs=1e-12)


def test_it_is_preliminary_until_the_intervals_are_narrow() -> None:
    few = rank(Tally.of(drawn_votes([0.5, -0.5], -0.5, 12, seed=1)))
    many = rank(Tally.of(drawn_votes([0.5, -0.5], -0.5, 300, seed=1)))
    assert few.is_preliminary and few.entries[0].is_wide
    assert not many.is_preliminary
    assert many.entries[0].low <= many.entries[0].strength <= many.entries[0].high


def test_places_overlap_where_the_votes_do_not_decide() -> None:
    found = rank(Tally.of(drawn_votes([1.0, 0.0, 0.0], -0.5, 150, seed=3)))
    assert [(e.best_place, e.worst_place) for e in found.entries] == [(1, 1), (2, 3), (2, 3)]


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    truth, hits = np.array([0.9, 0.0, -0.9]), []
    for repetition in range(100):
        found = rank(Tally.of(drawn_votes(truth, -0.6, 25, seed=repetition)), repetition, num_draws=200)
        hits += [e.low <= truth[(A, B, C).index(e.player)] <= e.high for e in found.entries]
    assert 0.91 <= np.mean(hits) <= 0.99


@pytest.mark.parametrize(("left", "right"), [(0, 0), (3, 3), (7, 2), (40, 80), (1, 30)])
def test_sides_are_tested_as_scipy_tests_them(left, right) -> None:
    votes = [(A, B, "left", left), (B, A, "right", right), (A, B, "tie", 9)]
    sides = rank(tally(*(vote for vote in votes if vote[3]))).sides
    expected = binomtest(left, left + right).pvalue if left + right else 1.0
    assert sides.p_value == pytest.approx(expected)
    assert sides.is_uneven == (expected < 0.01)


@pytest.mark.parametrize("vote", [(A, A, "left"), (A, B, "neither"), (A, B, "left", 0)])
def test_what_is_no_vote_is_refused(vote) -> None:
    with pytest.raises(UsageError):
        Vote(*vote)


def test_the_pair_that_is_known_least_meets_most() -> None:
    counted = Tally.of(
        [Vote(A, B, "left", 100), Vote(A, B, "right", 100), Vote(A, C, "tie", 5)], [A, B, C, D]
    )
    pairs, widths = pair_widths(counted)
    by_pair = {tuple(pair): width for pair, width in zip(pairs.tolist(), widths, strict=True)}
    assert by_pair[0, 1] < by_pair[0, 2] < by_pair[0, 3] + 1e-9
    generator = np.random.default_rng(0)
    drawn = [draw_pair(counted, generator) for _ in range(150)]
    shares = {
        pair: np.mean([{a, b} == {counted.players[i] for i in pair} for a, b in drawn]) for pair in by_pair
    }
    for pair, width in by_pair.items():
        assert shares[pair] == pytest.approx(width / widths.sum(), abs=0.15)
    assert np.mean([left < right for left, right in drawn]) == pytest.approx(0.5, abs=0.15)


def test_a_battle_needs_two() -> None:
    with pytest.raises(UsageError, match="needs two models, but there is 1"):
        draw_pair(Tally.of([], [A]), np.random.default_rng(0))
