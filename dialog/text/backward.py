"""Conversations told backwards: a model that reads a reply and guesses the turn before it.

Li et al. 2016, "A Diversity-Promoting Objective Function for Neural Conversation Models", section 4.3.2: what
makes p(S|T) is the same model, trained with sources and targets interchanged.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dialog.text.loader import EncodedSplit

__all__ = ["DIRECTIONS", "directed"]

DIRECTIONS = ("forward", "backward")


def directed(split: EncodedSplit, direction: str) -> EncodedSplit:
    """Returns a split as a model of that direction reads it.

    Args:
        split: the conversations.
        direction: `forward`, as they are; `backward`, the last turn first. There, a turn is scored if the
            one that follows it in the conversation is scored forwards, so the pairs are the same.
    """
    return split if direction == "forward" else _Backward(split)


@dataclass(frozen=True, slots=True)
class _Conversation:
    utterances: Sequence[NDArray[np.int32]]
    targets: NDArray[np.bool_]


class _Backward:
    """Is an `EncodedSplit`."""

    def __init__(self, split: EncodedSplit) -> None:
        self._split = split
        self.offsets = split.offsets
        starts, ends = (
            np.repeat(side, np.diff(split.offsets)) for side in (split.offsets[:-1], split.offsets[1:])
        )
        turns = starts + ends - 1 - np.arange(len(split.lengths))  # which turn stands where, told backwards
        self.lengths = split.lengths[turns]
        after = np.append(split.targets, False)[turns + 1]
        self.targets: NDArray[np.bool_] = after & (turns + 1 < ends)

    def __len__(self) -> int:
        return len(self._split)

    def __getitem__(self, index: int) -> _Conversation:
        targets = self.targets[self.offsets[index] : self.offsets[index + 1]]
        return _Conversation(list(self._split[index].utterances)[::-1], targets)
