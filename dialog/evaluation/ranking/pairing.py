"""Which two models meet next: more often those of which least is known.

A pair is drawn with a weight in proportion to the width of the interval of its two strengths' difference, by the
covariance at the maximum of the likelihood. Every pair counts the one vote more here (`table`), so that models that
have never met have a width, too, the greatest.
"""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from dialog.errors import UsageError
from dialog.evaluation.ranking.davidson import fit
from dialog.evaluation.ranking.votes import Floats, Player, Tally

__all__ = ["draw_pair", "pair_widths"]


def pair_widths(tally: Tally) -> tuple[NDArray[np.int64], Floats]:
    """Returns all pairs, (pair, 2), and the width of each one's 95 % interval in nats, (pair,)."""
    pairs = tally.pairs()
    found = fit(tally.counts() + 1 / 3, pairs, len(tally.players))
    first, second = pairs.T
    variance = np.diagonal(found.covariance)
    spread = variance[first] + variance[second] - 2 * found.covariance[first, second]
    return pairs, 2 * 1.96 * np.sqrt(spread)


def draw_pair(tally: Tally, random: Generator) -> tuple[Player, Player]:
    """Draws the next pair, and which of the two stands left.

    Args:
        tally: the votes on those who may be drawn, all of them listed.
        random: what it is drawn with.

    Raises:
        UsageError: there are fewer than two models.
    """
    if len(tally.players) < 2:
        raise UsageError(
            f"a battle needs two models, but there {'is' if tally.players else 'are'} {len(tally.players)}; "
            "serve another: hred serve RUN RUN"
        )
    pairs, widths = pair_widths(tally)
    chosen = pairs[random.choice(len(pairs), p=widths / widths.sum())]
    left, right = random.permutation(chosen)
    return tally.players[left], tally.players[right]
