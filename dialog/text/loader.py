"""From the conversations of a split to batches: windows, buckets of like length, a seeded order.

A conversation longer than `window_turns` is cut into windows. Each window but the first begins with
`lead_turns` that stood in the window before; they are read again and never scored, so every target is
trained exactly once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dialog.errors import CorpusError
from dialog.text.batches import Batch, Window, collate

__all__ = ["BatchLoader", "EncodedConversation", "EncodedSplit", "Span"]

_POOL = 64
"""Batches that are sorted by length together; their order and what is in them stay random."""


class EncodedConversation(Protocol):
    """A conversation as token ids."""

    @property
    def utterances(self) -> Sequence[NDArray[np.int32]]:
        """Token ids of each turn, without control tokens."""

    @property
    def targets(self) -> NDArray[np.bool_]:
        """Whether each turn is scored."""


class EncodedSplit(Protocol):
    """The conversations of a split; `lengths`, `targets` count all turns, one conversation after another."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> EncodedConversation: ...

    @property
    def lengths(self) -> NDArray[np.int32]:
        """(turn,) tokens of every utterance."""

    @property
    def offsets(self) -> NDArray[np.int64]:
        """(conversation + 1,) where each conversation begins in `lengths`."""

    @property
    def targets(self) -> NDArray[np.bool_]:
        """(turn,) whether each turn is scored."""


@dataclass(frozen=True, slots=True)
class Span:
    """A window of a conversation: turns `start` to `end`, scored from `scored_from` on."""

    conversation: int
    start: int
    scored_from: int
    end: int


class BatchLoader:
    """Batches of a split, the same for the same arguments.

    Args:
        split: the conversations.
        batch_tokens: tokens of a batch at most, unless one window alone has more.
        window_turns: turns of a window at most; None cuts no conversation.
        lead_turns: turns that a further window begins with, unscored; fewer than `window_turns`.
        max_tokens: the longest utterance, the end token counted; None cuts no utterance.
        seed: of the order.

    Raises:
        CorpusError: the split has no target.
    """

    def __init__(
        self,
        split: EncodedSplit,
        batch_tokens: int,
        window_turns: int | None = None,
        lead_turns: int = 0,
        max_tokens: int | None = None,
        seed: int = 0,
    ) -> None:
        self._split, self._seed = split, seed
        self._batch_tokens, self._max_tokens = batch_tokens, max_tokens
        rows = split.lengths.astype(np.int64) + 1  # the end token
        self._rows = rows if max_tokens is None else np.minimum(rows, max_tokens)
        self.num_cut = int((rows > self._rows).sum())
        """Utterances of the split that are cut at `max_tokens`."""
        self.spans = list(self._cut(window_turns, lead_turns))
        """All windows that have a target."""
        if not self.spans:
            raise CorpusError(
                "there is no reply to train or score on here; give logs with more conversations"
            )
        counts = np.bincount([span.conversation for span in self.spans])
        self.num_windowed = int((counts > 1).sum())
        """Conversations that are cut into several windows."""

    @cached_property
    def num_target_tokens(self) -> int:
        """Tokens that are scored in one pass, the end tokens counted."""
        return int(self._rows[self._split.targets].sum())

    def epoch(self, number: int) -> list[list[int]]:
        """Returns the batches of an epoch as indices into `spans`, in a random order of its own."""
        random = np.random.default_rng((self._seed, number))
        order = random.permutation(len(self.spans))
        pool = max(1, _POOL * self._batch_tokens // max(1, int(self._sizes.mean())))
        batches: list[list[int]] = []
        for start in range(0, len(order), pool):
            some = order[start : start + pool]
            batches += self._fill(some[np.lexsort((self._sizes[some], self._longest[some]))])
        random.shuffle(batches)
        return batches

    def in_order(self) -> list[list[int]]:
        """Returns batches as indices into `spans`, every window once, by length."""
        return self._fill(np.lexsort((self._sizes, self._longest)))

    def num_tokens(self, indices: Sequence[int]) -> int:
        """Returns the tokens of the windows `indices`, the end tokens counted."""
        return int(self._sizes[list(indices)].sum())

    def num_scored(self, indices: Sequence[int]) -> int:
        """Returns the target tokens of the windows `indices`, the end tokens counted."""
        return int(self._scored[list(indices)].sum())

    def batch(self, indices: Sequence[int]) -> Batch:
        """Returns the batch of the windows `indices`."""
        return collate([self.window(index) for index in indices], self._max_tokens)

    def window(self, index: int) -> Window:
        """Returns the window `spans[index]`."""
        span = self.spans[index]
        conversation = self._split[span.conversation]
        targets = conversation.targets[span.start : span.end].copy()
        targets[: span.scored_from - span.start] = False
        return Window(conversation.utterances[span.start : span.end], targets)

    def _cut(self, window_turns: int | None, lead_turns: int) -> Iterator[Span]:
        offsets = self._split.offsets
        for number in range(len(self._split)):
            first, last = int(offsets[number]), int(offsets[number + 1])
            targets = self._split.targets[first:last]
            size = last - first if window_turns is None else window_turns
            start = scored_from = 0
            while scored_from < last - first:
                end = min(start + size, last - first)
                if targets[scored_from:end].any():
                    yield Span(number, start, scored_from, end)
                start, scored_from = max(end - lead_turns, 0), end

    @cached_property
    def _sizes(self) -> NDArray[np.int64]:
        return self._sums(self._rows, [span.start for span in self.spans])

    @cached_property
    def _scored(self) -> NDArray[np.int64]:
        return self._sums(self._rows * self._split.targets, [span.scored_from for span in self.spans])

    def _sums(self, counts: NDArray[np.int64], starts: Sequence[int]) -> NDArray[np.int64]:
        """Returns for each window the sum of the turns' counts from `starts` to its end."""
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        offsets = np.array([self._split.offsets[span.conversation] for span in self.spans])
        sums: NDArray[np.int64] = (
            ends[offsets + [span.end for span in self.spans]] - ends[offsets + np.asarray(starts)]
        )
        return sums

    @cached_property
    def _longest(self) -> NDArray[np.int64]:
        offsets = self._split.offsets
        return np.array(
            [
                self._rows[offsets[s.conversation] + s.start : offsets[s.conversation] + s.end].max()
                for s in self.spans
            ]
        )

    def _fill(self, order: NDArray[np.int64]) -> list[list[int]]:
        batches: list[list[int]] = []
        room = 0
        for index in order.tolist():
            size = int(self._sizes[index])
            if size > room or not batches:
                batches.append([])
                room = self._batch_tokens
            batches[-1].append(index)
            room -= size
        return batches
