r"""Bradley-Terry with ties: how strong each model is, by maximum likelihood.

Davidson 1970, "On Extending the Bradley-Terry Model to Accommodate Ties in Paired Comparison Experiments",
JASA 65. With strengths :math:`\pi` and a tie parameter :math:`\nu`,

    P(i wins) = pi_i / S,   P(j wins) = pi_j / S,   P(tie) = nu sqrt(pi_i pi_j) / S,
    S = pi_i + pi_j + nu sqrt(pi_i pi_j)

| paper | here |
|---|---|
| log pi_i | `strengths[i]`, in nats; they add up to 0 |
| log nu | `tie` |

In these two the log-likelihood is that of a multinomial logit and concave: it has one maximum, which Newton's
method finds whatever the order of the votes. Only differences of strengths matter; exp(strengths[i] - strengths[j])
are the odds of i against j among votes that are decided.

The maximum is finite only if the votes do not separate the models: one that won every vote is infinitely strong. What
is counted for it, `dialog.evaluation.ranking.table` says.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dialog.errors import UsageError
from dialog.evaluation.ranking.votes import Floats

__all__ = ["Fit", "fit", "log_likelihood", "probabilities"]

_MAX_STEPS = 60
_TOLERANCE = 1e-8  # of the largest step, nats
_HALVINGS = 30


@dataclass(frozen=True, slots=True)
class Fit:
    """Where the likelihood is greatest; `...` is the shape of what was fitted at once.

    Attributes:
        strengths: (..., player), nats; each row adds up to 0.
        tie: (...,), log of the tie parameter.
        covariance: (..., player, player) of the strengths, from the inverse of the information at the maximum.
    """

    strengths: Floats
    tie: Floats
    covariance: Floats


def probabilities(difference: Floats, tie: Floats) -> Floats:
    """Returns the probabilities that the first wins, that the second wins, and of a tie.

    Args:
        difference: strength of the first less that of the second, any shape.
        tie: log of the tie parameter, of a shape that goes with it.

    Returns:
        That shape with a last axis of 3, adding up to 1.
    """
    difference, tie = np.broadcast_arrays(difference, tie)
    scores = np.stack([difference / 2, -difference / 2, tie], axis=-1)
    scores = scores - scores.max(axis=-1, keepdims=True)
    weights = np.exp(scores)
    shares: Floats = weights / weights.sum(axis=-1, keepdims=True)
    return shares


def log_likelihood(counts: Floats, pairs: NDArray[np.int64], strengths: Floats, tie: Floats) -> Floats:
    """Returns the log-likelihood of outcomes, in nats, (...,).

    Args:
        counts: (..., pair, 3) how often the first won, the second won, neither did.
        pairs: (pair, 2) places of the two players.
        strengths: (..., player).
        tie: (...,).
    """
    difference = strengths[..., pairs[:, 0]] - strengths[..., pairs[:, 1]]
    tie = np.broadcast_to(np.asarray(tie)[..., None], difference.shape)
    scores = np.stack([difference / 2, -difference / 2, tie], axis=-1)
    greatest = scores.max(axis=-1)
    totals = greatest + np.log(np.exp(scores - greatest[..., None]).sum(axis=-1))
    summed: Floats = (counts * (scores - totals[..., None])).sum(axis=(-1, -2))
    return summed


def fit(counts: Floats, pairs: NDArray[np.int64], num_players: int) -> Fit:
    """Returns the strengths under which the outcomes are most likely, of many sets of outcomes at once.

    Args:
        counts: (..., pair, 3) how often the first of the pair won, the second won, neither did; need not be whole.
        pairs: (pair, 2) places of the two players.
        num_players: how many there are, at least 2.

    Raises:
        UsageError: a likelihood has no maximum: players that never met, one that never lost, or no ties.
    """
    shape = counts.shape[:-2]
    counts = counts.reshape(-1, *counts.shape[-2:]).astype(np.float64)
    incidence = np.zeros((len(pairs), num_players))  # +1 for the first, -1 for the second of a pair
    incidence[np.arange(len(pairs)), pairs[:, 0]] = 1
    incidence[np.arange(len(pairs)), pairs[:, 1]] = -1
    values = np.zeros((len(counts), num_players + 1))  # strengths, then tie
    for _ in range(_MAX_STEPS):
        gradient, information = _slopes(counts, incidence, values)
        try:
            step: Floats = np.linalg.solve(information, gradient[..., None])[..., 0].astype(np.float64)
        except np.linalg.LinAlgError:
            break
        values = values + step * _share(counts, pairs, values, step)[:, None]
        if np.abs(step).max(initial=0) < _TOLERANCE:
            _, information = _slopes(counts, incidence, values)
            # The term that fixes the sum of the strengths adds the same number to all their covariances.
            covariance: Floats = np.linalg.inv(information)[:, :num_players, :num_players].astype(np.float64)
            covariance -= 1 / num_players**2
            return Fit(
                values[:, :num_players].reshape(*shape, num_players),
                values[:, num_players].reshape(shape),
                covariance.reshape(*shape, num_players, num_players),
            )
    raise UsageError(
        "the strengths of the models cannot be told: some never met, never lost or never tied; collect more votes"
    )


def _slopes(counts: Floats, incidence: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Returns gradient (set, player + 1) and information, the negative Hessian, (set, player + 1, player + 1)."""
    strengths, tie = values[:, :-1], values[:, -1:]
    first, second, neither = np.moveaxis(probabilities(strengths @ incidence.T, tie), -1, 0)
    votes = counts.sum(axis=-1)  # (set, pair)
    lead = first - second
    gradient = np.empty_like(values)
    gradient[:, :-1] = ((counts[..., 0] - counts[..., 1]) - votes * lead) / 2 @ incidence
    gradient[:, -1] = (counts[..., 2] - votes * neither).sum(axis=-1)
    size = values.shape[1]
    information = np.empty((len(values), size, size))
    weight = votes * ((first + second) - lead**2) / 4
    information[:, :-1, :-1] = (incidence.T * weight[:, None, :]) @ incidence
    information[:, :-1, :-1] += 1  # strengths have no zero of their own; this keeps their sum where it is
    between = (votes * -lead * neither / 2) @ incidence
    information[:, :-1, -1] = information[:, -1, :-1] = between
    information[:, -1, -1] = (votes * neither * (1 - neither)).sum(axis=-1)
    return gradient, information


def _share(counts: Floats, pairs: NDArray[np.int64], values: Floats, step: Floats) -> Floats:
    """Returns the share of each step to take, (set,): halved until the likelihood falls no more."""
    share = np.ones(len(values))
    before = log_likelihood(counts, pairs, values[:, :-1], values[:, -1])
    slack = 1e-12 * (1 + np.abs(before))
    for _ in range(_HALVINGS):
        tried = values + share[:, None] * step
        worse = log_likelihood(counts, pairs, tried[:, :-1], tried[:, -1]) < before - slack
        if not worse.any():
            break
        share[worse] /= 2
    return share
