"""Davidson's maximum likelihood: hand-worked, and against a general optimiser on the likelihood itself."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp

from dialog.errors import UsageError
from dialog.evaluation.ranking.davidson import fit, log_likelihood, probabilities

PAIRS = np.array([[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]])


def test_two_models_have_the_odds_of_their_wins() -> None:
    found = fit(np.array([[12.0, 3.0, 6.0]]), np.array([[0, 1]]), 2)
    assert found.strengths == pytest.approx([math.log(4) / 2, -math.log(4) / 2])
    assert found.tie == pytest.approx(math.log(6 / math.sqrt(12 * 3)))  # nu = ties / sqrt(wins wins)
    # The log odds of two multinomial shares have variance 1/wins + 1/losses.
    spread = found.covariance[0, 0] + found.covariance[1, 1] - 2 * found.covariance[0, 1]
    assert spread == pytest.approx(1 / 12 + 1 / 3)


def test_a_circle_is_even() -> None:
    """A beats B, B beats C, C beats A, as often: nobody is stronger, and a share of 1/4 is tied."""
    found = fit(np.array([[6.0, 3, 3], [3, 6, 3], [6, 3, 3]]), np.array([[0, 1], [0, 2], [1, 2]]), 3)
    assert found.strengths == pytest.approx([0, 0, 0], abs=1e-12)
    assert found.tie == pytest.approx(math.log(2 / 3))  # nu / (2 + nu) = 1/4


def test_who_beats_the_same_opponent_more_is_stronger_without_having_met() -> None:
    counts = np.array([[8.0, 2.0, 2.0], [0, 0, 0], [4.0, 6.0, 2.0]])
    strengths = fit(counts, np.array([[0, 1], [0, 2], [1, 2]]), 3).strengths
    assert strengths[0] > strengths[2] > strengths[1]
    assert strengths.sum() == pytest.approx(0)


def test_it_is_where_a_general_optimiser_ends() -> None:
    counts = np.random.default_rng(3).integers(1, 30, (3, 6, 3)).astype(float)
    found = fit(counts, PAIRS, 4)
    for place, outcomes in enumerate(counts):

        def loss(values, outcomes=outcomes):
            strengths, total = [*values[:3], -sum(values[:3])], 0.0
            for (one, other), votes in zip(PAIRS, outcomes, strict=True):
                logs = [
                    strengths[one],
                    strengths[other],
                    values[3] + (strengths[one] + strengths[other]) / 2,
                ]
                total -= votes @ (np.array(logs) - logsumexp(logs))
            return total

        best = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-7})
        assert found.strengths[place, :3] == pytest.approx(best.x[:3], abs=1e-5)
        assert found.tie[place] == pytest.approx(best.x[3], abs=1e-5)
        reached = log_likelihood(outcomes, PAIRS, found.strengths[place], found.tie[place])
        assert reached == pytest.approx(-best.fun) and reached >= -best.fun - 1e-8


def test_the_covariance_is_the_inverse_of_the_curvature() -> None:
    counts = np.random.default_rng(4).integers(5, 30, (6, 3)).astype(float)
    found = fit(counts, PAIRS, 4)
    step, curvature = 1e-3, np.zeros((5, 5))

    def value(move):
        return log_likelihood(counts, PAIRS, found.strengths + move[:4], found.tie + move[4])

    for one in range(5):
        for other in range(5):
            moves = np.eye(5)[one] * step, np.eye(5)[other] * step
            corners = [value(a * moves[0] + b * moves[1]) for a in (1, -1) for b in (1, -1)]
            curvature[one, other] = -(corners[0] - corners[1] - corners[2] + corners[3]) / (4 * step**2)
    # pinv: a shift of all strengths changes nothing, and has no variance.
    assert found.covariance == pytest.approx(np.linalg.pinv(curvature, rcond=1e-6)[:4, :4], abs=1e-4)


def test_extreme_strengths_are_found_too() -> None:
    counts = np.array([[1e5, 0.3, 0.3], [1e5, 0.3, 0.3], [1e5, 0.3, 0.3]])
    found = fit(counts, np.array([[0, 1], [0, 2], [1, 2]]), 3)
    assert found.strengths[0] > found.strengths[1] + 10 and found.strengths[1] > found.strengths[2] + 10


@pytest.mark.parametrize(
    "counts",
    [
        [[5.0, 0, 0]],  # one never lost
        [[5.0, 0, 3]],  # nor by a tie, if ties may be as frequent as they like
        [[5.0, 5, 0]],  # no tie at all
        [[0.0, 0, 0]],  # never met
    ],
)
def test_without_a_maximum_it_says_so(counts) -> None:
    with pytest.raises(UsageError, match="cannot be told"):
        fit(np.array(counts), np.array([[0, 1]]), 2)


def test_probabilities_follow_davidsons_equation() -> None:
    strength, other, nu = 3.0, 0.5, 0.8
    total = strength + other + nu * math.sqrt(strength * other)
    shares = probabilities(np.array(math.log(strength / other)), np.array(math.log(nu)))
    assert shares == pytest.approx(np.array([strength, other, nu * math.sqrt(strength * other)]) / total)
