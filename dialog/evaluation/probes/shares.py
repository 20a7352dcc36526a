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


def expected_total_variation(num_replies: int, shares: Mapping[str, float]) -> float:
    """Returns the mean total variation of `num_replies` drawn by the true shares.

    The mean of |X / n - p| for a binomial X is 2 (1 - p) p P(Y = m) with Y binomial of n - 1 and m the whole part
    of n p (De Moivre, see Diaconis and Zabell 1991, "Closed Form Summation for Classical Distributions").
    """
    return sum(_mean_deviation(num_replies, share) for share in shares.values()) / 2


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


def _mean_deviation(count: int, share: float) -> float:
    if not 0.0 < share < 1.0:
        return 0.0
    place = math.floor(count * share)
    log_probability = (
        math.lgamma(count)
        - math.lgamma(place + 1)
        - math.lgamma(count - place)
        + place * math.log(share)
        + (count - 1 - place) * math.log1p(-share)
    )
    return 2 * share * (1 - share) * math.exp(log_probability)
