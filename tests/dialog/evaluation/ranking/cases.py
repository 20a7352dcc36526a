"""Votes of known laws."""

import numpy as np

from dialog.evaluation.ranking.davidson import probabilities
from dialog.evaluation.ranking.votes import Player, Tally, Vote

A, B, C, D = (Player(name, name.lower() * 64) for name in "ABCD")


def drawn_votes(strengths, tie, votes_a_pair, seed):
    """Votes among players of known strengths, as many on each pair, the sides drawn."""
    random, players, votes = np.random.default_rng(seed), (A, B, C, D)[: len(strengths)], []
    for one in range(len(players)):
        for other in range(one + 1, len(players)):
            shares = probabilities(np.array(strengths[one] - strengths[other]), np.array(tie))
            for outcome in random.choice(3, votes_a_pair, p=shares):
                swapped = bool(random.integers(2))
                left, right = (other, one) if swapped else (one, other)
                said = "tie" if outcome == 2 else ("left", "right")[outcome ^ swapped]
                votes.append(Vote(players[left], players[right], said))
    return votes


def tally(*votes):
    return Tally.of([Vote(*vote) for vote in votes])
