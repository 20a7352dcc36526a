"""The ranking: strengths with intervals, places, and what speaks against believing it yet.

*Strength* is in nats around the average model: exp(strength) are the odds of a model against one of average
strength among votes that are decided (`dialog.evaluation.ranking.davidson`). *Both bad* counts as a tie for
the strength, for it says that neither reply is the better one; how often it was voted is told apart.

*One vote more.* A model that won all its votes would be infinitely strong by maximum likelihood, and so would
it be in every draw of a bootstrap, with an interval of no width. So each pair that has met counts one vote
more, a third of it for each outcome: with 20 votes on a pair it moves a share of 0.80 to 0.78, with 200 it is
not seen. A model that has never lost or never won is named, and the ranking is preliminary.

*Intervals* come from drawing the votes again (Efron and Tibshirani 1993, chapters 6 and 13), seeded: of each
pair as many as there are, from its three outcomes, with the one vote more among what is drawn from. They hold
the middle 95 % of the draws. A vote counts as independent of the others, so they are too narrow where few
people voted often.

*Places* go by the intervals of differences: a model's best place is one below those that are surely stronger,
its worst one above those that are surely weaker.

*Preliminary*: the odds at the ends of an interval are more than a factor of 2.25 apart (from two thirds to
one and a half times), or a model never lost or never won. *Refused*: models between which no vote leads,
directly or over others, have no common scale.

*Sides*: which model stands left is drawn, so left should win half of the decided votes. The exact binomial
test says how probable so uneven a count would be.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dialog.evaluation.ranking.davidson import fit
from dialog.evaluation.ranking.votes import Floats, Player, Tally

__all__ = ["NUM_DRAWS", "WIDE", "Entry", "Ranking", "Sides", "rank", "smoothed"]

NUM_DRAWS = 1_000
WIDE = 2 * math.log(1.5)
"""Nats: an interval wider than this is no basis for a decision yet."""

_UNEVEN = 0.01
_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Entry:
    """A model in the ranking.

    Attributes:
        player: the model.
        strength: nats around the average model.
        low: where its interval begins.
        high: where it ends.
        best_place: the best place that its votes allow, from 1.
        worst_place: the worst one.
        num_votes: on battles that it was in.
        num_wins: how many of them it won.
        num_losses: how many it lost.
        num_ties: how many were called even.
        num_both_bad: how many were called bad on both sides.
    """

    player: Player
    strength: float
    low: float
    high: float
    best_place: int
    worst_place: int
    num_votes: int
    num_wins: int
    num_losses: int
    num_ties: int
    num_both_bad: int

    @property
    def is_wide(self) -> bool:
        """Whether the interval is wider than `WIDE`."""
        return self.high - self.low > WIDE


@dataclass(frozen=True, slots=True)
class Sides:
    """Whether people prefer a side.

    Attributes:
        left: decided votes that the left reply won.
        right: those that the right one won.
        p_value: of the exact two-sided binomial test against one half; 1 without a decided vote.
    """

    left: int
    right: int
    p_value: float

    @property
    def is_uneven(self) -> bool:
        """Whether so uneven a count comes about by chance less than once in a hundred times."""
        return self.p_value < _UNEVEN


@dataclass(frozen=True, slots=True)
class Ranking:
    """All that the votes say.

    Attributes:
        tally: the votes, counted.
        sides: whether people prefer a side.
        groups: of models that are connected by votes.
        entries: the strongest first; None when the ranking is refused, for want of votes or of a connection.
        tie: log of the tie parameter, nats; None when it is refused.
        seed: of the draws.
        num_draws: for the intervals.
    """

    tally: Tally
    sides: Sides
    groups: tuple[tuple[Player, ...], ...]
    entries: tuple[Entry, ...] | None
    tie: float | None
    seed: int
    num_draws: int

    @property
    def never_lost(self) -> tuple[Player, ...]:
        """Models that won votes and lost none."""
        return self._with_none(self.tally.wins.sum(axis=0), self.tally.wins.sum(axis=1))

    @property
    def never_won(self) -> tuple[Player, ...]:
        """Models that lost votes and won none."""
        return self._with_none(self.tally.wins.sum(axis=1), self.tally.wins.sum(axis=0))

    @property
    def is_preliminary(self) -> bool:
        """Whether more votes are needed before a decision may hang on it."""
        if self.entries is None:
            return True
        return bool(self.never_lost or self.never_won or any(entry.is_wide for entry in self.entries))

    def to_json(self) -> dict[str, Any]:
        """Returns plain JSON values; models stand by their places in `models`."""
        place = {player: index for index, player in enumerate(self.tally.players)}
        return {
            "models": [{"name": p.name, "model_hash": p.model_hash} for p in self.tally.players],
            "votes": self.tally.num_votes,
            "refused": self.entries is None,
            "preliminary": self.is_preliminary,
            "ranking": None
            if self.entries is None
            else [{"model": place[e.player], **_figures(e)} for e in self.entries],
            "tie": self.tie,
            "groups": [[place[player] for player in group] for group in self.groups],
            "never_lost": [place[player] for player in self.never_lost],
            "never_won": [place[player] for player in self.never_won],
            "wins": self.tally.wins.tolist(),
            "ties": self.tally.ties.tolist(),
            "both_bad": self.tally.both_bad.tolist(),
            "sides": {"left": self.sides.left, "right": self.sides.right, "p_value": self.sides.p_value},
            "seed": self.seed,
            "draws": self.num_draws,
        }

    def _with_none(self, none: NDArray[np.int64], some: NDArray[np.int64]) -> tuple[Player, ...]:
        return tuple(
            player
            for player, lacks, has in zip(self.tally.players, none, some, strict=True)
            if not lacks and has
        )


def _figures(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in Entry.__slots__ if name != "player"} | {
        "wide": entry.is_wide
    }


def smoothed(counts: Floats) -> Floats:
    """Returns counts (..., pair, 3) with one vote more, a third for each outcome, on each pair that has any."""
    more: Floats = counts + (counts.sum(axis=-1, keepdims=True) > 0) / 3
    return more


def rank(tally: Tally, seed: int = 0, num_draws: int = NUM_DRAWS) -> Ranking:
    """Returns the ranking; the same votes in any order and the same seed give the same one.

    Args:
        tally: the votes.
        seed: of the draws for the intervals.
        num_draws: how many.
    """
    groups, sides = tally.groups(), _sides(tally)
    if len(groups) != 1 or len(tally.players) < 2:
        return Ranking(tally, sides, groups, None, None, seed, num_draws)
    num_players, pairs, counts = len(tally.players), tally.pairs(), tally.counts()
    found = fit(smoothed(counts), pairs, num_players)
    drawn = fit(_drawn(counts, seed, num_draws), pairs, num_players).strengths
    edges = [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2]
    low, high = np.quantile(drawn, edges, axis=0)
    lead_low, lead_high = np.quantile(drawn[:, :, None] - drawn[:, None, :], edges, axis=0)
    best = 1 + (lead_high < 0).sum(axis=1)
    worst = num_players - (lead_low > 0).sum(axis=1)
    order = sorted(range(num_players), key=lambda index: (-found.strengths[index], index))
    entries = tuple(
        Entry(
            player=tally.players[index],
            strength=float(found.strengths[index]),
            low=float(low[index]),
            high=float(high[index]),
            best_place=int(best[index]),
            worst_place=int(worst[index]),
            num_votes=int(tally.battles[index].sum()),
            num_wins=int(tally.wins[index].sum()),
            num_losses=int(tally.wins[:, index].sum()),
            num_ties=int(tally.ties[index].sum()),
            num_both_bad=int(tally.both_bad[index].sum()),
        )
        for index in order
    )
    return Ranking(tally, sides, groups, entries, float(found.tie), seed, num_draws)


def _drawn(counts: Floats, seed: int, num_draws: int) -> Floats:
    """Returns votes drawn again, (draw, pair, 3): of each pair as many as there are, and the one vote more."""
    votes = counts.sum(axis=-1)
    among = smoothed(counts) + (votes == 0)[:, None]  # of a pair that never met none is drawn, from whatever
    shares = among / among.sum(axis=-1, keepdims=True)
    random = np.random.default_rng(seed)
    drawn = random.multinomial(votes.astype(np.int64), shares, size=(num_draws, len(votes)))
    return smoothed(drawn.astype(np.float64))


def _sides(tally: Tally) -> Sides:
    from scipy.special import bdtr  # a third of a second: only who ranks waits for it

    fewer, decided = min(tally.left, tally.right), tally.left + tally.right
    # One half is symmetric: the other tail is as probable.
    p_value = min(1.0, 2 * float(bdtr(fewer, decided, 0.5))) if decided else 1.0
    return Sides(tally.left, tally.right, p_value)
