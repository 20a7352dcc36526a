"""Votes on two replies, counted by pair of models and outcome; their order is forgotten.

A model is a name *and* the hash of its weights: one that was trained again under its old name is another model
and starts without votes.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from dialog.errors import UsageError

__all__ = ["OUTCOMES", "Floats", "Outcome", "Player", "Tally", "Vote"]

Outcome = Literal["left", "right", "tie", "both_bad"]
"""The left reply is better, the right one, both are as good, both are bad."""

OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, order=True)
class Player:
    """A model that takes part.

    Attributes:
        name: what it is called.
        model_hash: SHA-256 of its weights, in hexadecimal digits.
    """

    name: str
    model_hash: str

    def __str__(self) -> str:
        return f"{self.name} ({self.model_hash[:8]})"


@dataclass(frozen=True, slots=True)
class Vote:
    """What was said of two models, once or several times.

    Attributes:
        left: the model whose reply stood on the left.
        right: the model whose reply stood on the right.
        outcome: what was voted.
        count: how often.

    Raises:
        UsageError: the outcome is unknown, a model meets itself, or the count is no positive number.
    """

    left: Player
    right: Player
    outcome: Outcome
    count: int = 1

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            raise UsageError(f"the vote is {self.outcome!r}, but must be one of {', '.join(OUTCOMES)}")
        if self.left == self.right:
            raise UsageError(f"{self.left} was voted against itself; a battle needs two models")
        if self.count < 1:
            raise UsageError(f"a vote was counted {self.count} times; leave out what nobody voted")


@dataclass(frozen=True, slots=True)
class Tally:
    """All votes, counted.

    Attributes:
        players: in the order of their names.
        wins: (player, player) how often the one of the row was better than the one of the column.
        ties: (player, player) how often both were as good; symmetric.
        both_bad: (player, player) how often both were bad; symmetric.
        left: how often the left reply was better, whoever wrote it.
        right: how often the right one was.
    """

    players: tuple[Player, ...]
    wins: NDArray[np.int64]
    ties: NDArray[np.int64]
    both_bad: NDArray[np.int64]
    left: int
    right: int

    @classmethod
    def of(cls, votes: Iterable[Vote], players: Iterable[Player] = ()) -> Self:
        """Counts votes.

        Args:
            votes: in any order.
            players: models that are listed even if nobody has voted on them.
        """
        counted: Counter[tuple[Player, Player, Outcome]] = Counter()
        for vote in votes:
            counted[vote.left, vote.right, vote.outcome] += vote.count
        everyone = sorted({*players, *(p for left, right, _ in counted for p in (left, right))})
        place = {player: index for index, player in enumerate(everyone)}
        wins, ties, both_bad = (np.zeros((len(everyone),) * 2, dtype=np.int64) for _ in range(3))
        sides: Counter[str] = Counter()
        for (left, right, outcome), count in counted.items():
            one, other = place[left], place[right]
            sides[outcome] += count
            if outcome == "left":
                wins[one, other] += count
            elif outcome == "right":
                wins[other, one] += count
            else:
                equal = ties if outcome == "tie" else both_bad
                equal[one, other] += count
                equal[other, one] += count
        return cls(tuple(everyone), wins, ties, both_bad, sides["left"], sides["right"])

    @property
    def battles(self) -> NDArray[np.int64]:
        """(player, player) how many votes there are on each pair; symmetric."""
        return self.wins + self.wins.T + self.ties + self.both_bad

    @property
    def num_votes(self) -> int:
        """How many votes there are."""
        return int(self.battles.sum()) // 2

    def pairs(self) -> NDArray[np.int64]:
        """Returns all pairs of players, (pair, 2), the lower index first."""
        found = list(combinations(range(len(self.players)), 2))
        return np.array(found, dtype=np.int64).reshape(-1, 2)

    def counts(self) -> Floats:
        """Returns how often the first of each pair won, the second won, neither did: (pair, 3).

        Both bad counts as neither: it says that the two are equally good, not how good they are.
        """
        first, second = self.pairs().T
        equal = self.ties + self.both_bad
        return np.stack(
            [self.wins[first, second], self.wins[second, first], equal[first, second]], axis=-1
        ).astype(np.float64)

    def groups(self) -> tuple[tuple[Player, ...], ...]:
        """Returns the players in groups between which there is no vote; one group if they are connected."""
        met = self.battles > 0
        left, found = set(range(len(self.players))), []
        while left:
            group, edge = set(), {min(left)}
            while edge:
                group |= edge
                edge = {int(other) for one in edge for other in np.flatnonzero(met[one])} - group
            left -= group
            found.append(tuple(self.players[index] for index in sorted(group)))
        return tuple(found)
