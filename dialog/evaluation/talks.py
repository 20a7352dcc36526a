"""Conversations as the metrics on texts see them, and their training pairs.

A model reads tokens and a metric words, so both are told the same text: what the tokenizer makes of a split's
tokens, which is the text as `hred prepare` normalised it.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dialog.text.loader import EncodedSplit

__all__ = ["Pair", "Talk", "pairs_of", "talks_of", "training_pairs"]

CONTEXT_TURNS = 4
MAX_PAIRS = 200_000


@dataclass(frozen=True, slots=True)
class Talk:
    """One conversation.

    Attributes:
        id: a name that is unique within its split.
        texts: of each turn.
        targets: (turn,) whether a turn is scored; never the first.
    """

    id: str
    texts: tuple[str, ...]
    targets: NDArray[np.bool_]

    @property
    def replies(self) -> list[str]:
        """The texts that are scored."""
        return [text for text, is_target in zip(self.texts, self.targets, strict=True) if is_target]


@dataclass(frozen=True, slots=True)
class Pair:
    """A reply with what was said before it, the last turns alone."""

    context: tuple[str, ...]
    reply: str


def talks_of(
    split: EncodedSplit, ids: Sequence[str], decode: Callable[[Sequence[int]], str]
) -> Iterator[Talk]:
    """Yields the conversations of a split as texts.

    Args:
        split: as tokens.
        ids: of its conversations.
        decode: gives the text of tokens without control tokens, as `Tokenizer.decode` does.
    """
    for number, name in enumerate(ids):
        conversation = split[number]
        texts = tuple(decode(tokens.tolist()) for tokens in conversation.utterances)
        yield Talk(name, texts, np.asarray(conversation.targets, bool))


def pairs_of(talk: Talk, context_turns: int = CONTEXT_TURNS) -> Iterator[Pair]:
    """Yields each reply of a conversation with the turns right before it, `context_turns` at most."""
    for turn in np.flatnonzero(talk.targets).tolist():
        yield Pair(talk.texts[max(0, turn - context_turns) : turn], talk.texts[turn])


def training_pairs(
    talks: Iterable[Talk], context_turns: int = CONTEXT_TURNS, max_pairs: int = MAX_PAIRS, seed: int = 0
) -> list[Pair]:
    """Returns the pairs of a training split; of more than `max_pairs` so many drawn at random.

    Memory is that of the pairs that are kept, which share their texts.
    """
    kept: list[Pair] = []
    drawing = random.Random(seed)
    seen = 0
    for talk in talks:
        for pair in pairs_of(talk, context_turns):
            seen += 1
            if len(kept) < max_pairs:
                kept.append(pair)
            elif (place := drawing.randrange(seen)) < max_pairs:
                kept[place] = pair
    return kept
