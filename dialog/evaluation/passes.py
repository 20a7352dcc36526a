"""One pass over the replies of a split, every target once, however long the conversations are.

Short conversations come many in a batch. A long one comes in windows, the context state carried over by
`observe`, so that memory is bounded and nothing that was said is forgotten.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dialog.models.base import ContextState, ReplyModel
from dialog.text.batches import Batch, Window, collate, utterances_of
from dialog.text.loader import BatchLoader, EncodedConversation, EncodedSplit

__all__ = ["WINDOW_TURNS", "Part", "evaluating", "parts_of"]

_BATCH_TOKENS = 8192
WINDOW_TURNS = 128
"""Longer conversations are read in windows of so many turns."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some replies of a split.

    Attributes:
        batch: whose targets they are.
        state: what was read before the batch's windows; None for nothing.
        conversations: (reply,) int64 on the CPU, which conversation of the split each is of.
        turns: (reply,) int64 on the CPU, which turn of its conversation each is.
    """

    batch: Batch
    state: ContextState | None
    conversations: Tensor
    turns: Tensor


@contextmanager
def evaluating(model: ReplyModel) -> Iterator[torch.device]:
    """Puts a model into evaluation mode for a while, without gradients; gives its device."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield next(model.parameters()).device
    finally:
        model.train(was_training)


def parts_of(
    model: ReplyModel,
    split: EncodedSplit,
    max_conversations: int | None = None,
    max_replies: int | None = None,
    progress: Callable[[int], None] | None = None,
    window_turns: int = WINDOW_TURNS,
) -> Iterator[Part]:
    """Yields every reply of a split once, those of like length together.

    Args:
        model: carries the context state over windows.
        split: the conversations.
        max_conversations: replies of the first so many only; None for all.
        max_replies: the first so many replies only; None for all.
        progress: is told how many conversations are done since it was last called.
        window_turns: longer conversations are read in windows of so many turns.

    Raises:
        CorpusError: there is no reply.
    """
    device = next(model.parameters()).device
    if max_conversations is not None or max_replies is not None:
        split = _First(split, max_conversations, max_replies)
    loader = BatchLoader(split, _BATCH_TOKENS)
    for indices in loader.in_order():
        numbers = [loader.spans[index].conversation for index in indices]
        short = [i for i in indices if loader.spans[i].end <= window_turns]
        if short:
            batch = loader.batch(short).to(device)
            of_split = torch.tensor([loader.spans[index].conversation for index in short])
            yield Part(batch, None, of_split[batch.target_conversations], batch.target_turns)
        for index in indices:
            if loader.spans[index].end > window_turns:
                number = loader.spans[index].conversation
                for batch, state, start in _windows(model, split[number], window_turns, device):
                    numbers_of_it = torch.full((len(batch.targets),), number)
                    yield Part(batch, state, numbers_of_it, batch.target_turns + start)
        if progress:
            progress(len(numbers))


def _windows(
    model: ReplyModel, conversation: EncodedConversation, window_turns: int, device: torch.device
) -> Iterator[tuple[Batch, ContextState, int]]:
    """Yields the windows of one conversation that have targets, each with what was read before it and its place."""
    state = model.start(1)
    past = int(np.flatnonzero(conversation.targets)[-1]) + 1
    for start in range(0, past, window_turns):
        utterances = conversation.utterances[start : start + window_turns]
        targets = conversation.targets[start : start + window_turns]
        if targets.any():
            yield collate([Window(utterances, targets)]).to(device), state, start
        if start + window_turns < past:
            for tokens in utterances:
                state = model.observe(state, utterances_of([tokens]).to(device))


@dataclass(frozen=True, slots=True)
class _Conversation:
    utterances: Sequence[NDArray[np.int32]]
    targets: NDArray[np.bool_]


class _First:
    """The same conversations, of which only the first replies are scored; an `EncodedSplit`."""

    def __init__(self, split: EncodedSplit, conversations: int | None, replies: int | None) -> None:
        self._split = split
        self.lengths, self.offsets = split.lengths, split.offsets
        self.targets: NDArray[np.bool_] = split.targets.copy()
        if conversations is not None:
            self.targets[int(self.offsets[min(conversations, len(split))]) :] = False
        if replies is not None:
            self.targets &= np.cumsum(self.targets) <= replies

    def __len__(self) -> int:
        return len(self._split)

    def __getitem__(self, index: int) -> _Conversation:
        targets = self.targets[self.offsets[index] : self.offsets[index + 1]]
        return _Conversation(self._split[index].utterances, targets)
