"""What is told of a reply; plain data, no torch."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dialog.conversation import Turn

__all__ = ["MOST_TOKENS", "MOST_TURNS", "Explanation", "Places", "Step", "Token", "TurnCount"]

MOST_TOKENS = 100
"""Tokens of a reply that are looked at, the first ones."""
MOST_TURNS = 12
"""Turns of a context that are left out, the last ones."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token at one place of a reply.

    Attributes:
        name: its letters.
        drawn: its probability in what the token was drawn from; 0 for one that a filter left out.
        own: its probability under the model, temperature 1, nothing left out.
    """

    name: str
    drawn: float
    own: float


@dataclass(frozen=True, slots=True)
class Step:
    """One place of a reply.

    Attributes:
        taken: the token that stands there.
        rank: 1 for the most probable one.
        others: the most probable other tokens, the first the most.
    """

    taken: Token
    rank: int
    others: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class TurnCount:
    """What a turn of the context counts.

    Attributes:
        turn: who said what.
        is_seen: whether the model reads it at all.
        falls: nats that each token's log-probability falls by without the turn; None for a turn that was not left
            out, because there are too many.
    """

    turn: Turn
    is_seen: bool
    falls: tuple[float, ...] | None

    @property
    def fall(self) -> float | None:
        """Of the whole reply, in nats."""
        return None if self.falls is None else sum(self.falls)


@dataclass(frozen=True, slots=True)
class Places:
    """What is looked at.

    Attributes:
        names: of tokens or of turns, the earliest first.
        starts: the places that a turn begins at.
    """

    names: tuple[str, ...]
    starts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why this reply.

    Attributes:
        steps: its tokens, as far as they were looked at.
        num_tokens: that the reply has.
        log_probability: nats of these steps under the model.
        drawn_log_probability: nats under what they were drawn from.
        turns: the context, the earliest turn first.
        turns_seen: how many of the last ones the model reads; None for all.
        places: that the reply may look at; None for a model without attention.
        weights: (step, place), each step's sum is 1; None with `places`.
        latent: which z was taken: the one that was `given`, the prior's `mean`, or `none` for a model without.
    """

    steps: tuple[Step, ...]
    num_tokens: int
    log_probability: float
    drawn_log_probability: float
    turns: tuple[TurnCount, ...]
    turns_seen: int | None
    places: Places | None
    weights: NDArray[np.float64] | None
    latent: Literal["none", "given", "mean"]
