"""Shares of courses among replies: how many are taken, how far they are from the truth, how steady they are.

Total variation of two distributions is half the sum of their absolute differences: 0 where they are equal, 1 where
they have nothing in common. Even replies drawn by the true shares are some way from them, as they are finitely many;
`expected_total_variation` says how far on average.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

__all__ = ["agreement", "expected_total_variation", "num_taken", "total_variation"]


def total_variation(found: Sequence[str | None], shares: Mapping[str, float]) -> float:
    """Returns the total variation of the shares found from the true ones.

    Args:
        found: the course of each reply, at least one, None for none; what is not in `shares` has a true share of 0.
        shares: the true share of each course; they add up to 1.
    """
    counts = Counter(found)
    inside = sum(abs(counts[name] / len(found) - share) for name, share in shares.items())
    outside = sum(count for name, count in counts.items() if name not in shares) / len(found)
    return (inside + outside) / 2


def expected_total_variation(
    num_replies: int, shares: Mapping[str, float], drawn: Mapping[str, float] | None = None
) -> float:
    """Returns the mean total variation from `shares` that finitely many replies have.

    Args:
        num_replies: how many.
        shares: the true share of each course.
        drawn: by which the replies are drawn, of the same courses; `shares` if None.
    """
    rates = shares if drawn is None else drawn
    return sum(_mean_distance(num_replies, rates[name], share) for name, share in shares.items()) / 2


def num_taken(found: Sequence[str | None], shares: Mapping[str, float], least: float = 0.05) -> int:
    """Returns how many of the true courses at least the share `least` of the replies take."""
    counts = Counter(found)
    return sum(counts[name] >= least * len(found) for name in shares)


def agreement(groups: Sequence[Sequence[str | None]]) -> float:
    """Returns the share of pairs of replies within a group that are of the same course; those of none are not.

    Args:
        groups: the courses of replies with the same z (or, for a model without one, of replies to the same
            context), at least two each; the mean is over groups.
    """
    return sum(map(_same_pairs, groups)) / len(groups)


def _same_pairs(group: Sequence[str | None]) -> float:
    same = sum(count * (count - 1) for name, count in Counter(group).items() if name is not None)
    return same / (len(group) * (len(group) - 1))


def _mean_distance(count: int, rate: float, share: float) -> float:
    """Returns the mean of |X / count - share| for a binomial X of `count` draws at `rate`."""
    if not 0.0 < rate < 1.0:
        return abs(rate - share)
    log_rates = math.log(rate), math.log1p(-rate)
    total = 0.0
    for hits in range(count + 1):
        log_ways = math.lgamma(count + 1) - math.lgamma(hits + 1) - math.lgamma(count - hits + 1)
        probability = math.exp(log_ways + hits * log_rates[0] + (count - hits) * log_rates[1])
        total += probability * abs(hits / count - share)
    return total
