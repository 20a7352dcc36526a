"""Turn and Conversation: the one record that readers, models and the app speak."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Conversation", "Turn", "join_neighbours"]


@dataclass(frozen=True, slots=True)
class Turn:
    """What one speaker said before another spoke.

    Attributes:
        speaker: any name; equal names within a conversation are the same speaker.
        text: what was said, as text; never interpreted as markup or as control symbols.
    """

    speaker: str
    text: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns in the order in which they were said.

    Attributes:
        id: a name that is unique within its corpus.
        turns: any number of turns by any number of speakers; neighbours may share a speaker.
    """

    id: str
    turns: tuple[Turn, ...]


def join_neighbours(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """Joins neighbouring turns by one speaker into one turn, their texts separated by a space."""
    return tuple(
        Turn(speaker, " ".join(turn.text for turn in group))
        for speaker, group in itertools.groupby(turns, key=lambda turn: turn.speaker)
    )
