"""Batches: every real utterance of some conversations in one row each, never a row for a missing turn.

A batch holds *windows*. A window is a run of turns of one conversation: its leading turns are there to
be read, and its targets, each scored exactly once over all windows, are there to be predicted.

An utterance's row holds its tokens and, unless it was cut at a limit, the end token. The same row
serves the encoder as it stands, the decoder as targets, and, shifted by one behind the start token, the
decoder as inputs.

| name | what |
|---|---|
| `utterances` | the rows, conversation by conversation, turn by turn |
| `rows` | (conversation, turn) -> row, -1 where a conversation has ended |
| `targets` | (reply) -> row, in ascending order |
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["BOS", "EOS", "PAD", "UNK", "Batch", "Utterances", "Window", "collate", "utterances_of"]

PAD, UNK, BOS, EOS = 0, 1, 2, 3
"""Ids of the control tokens, the same in every tokenizer of this project."""


@dataclass(frozen=True, slots=True)
class Utterances:
    """Rows of token ids.

    Attributes:
        tokens: (utterance, time) int64, `PAD` behind each row's end.
        lengths: (utterance,) int64 on the CPU, each 1 or more, the end token counted.
    """

    tokens: Tensor
    lengths: Tensor

    def __len__(self) -> int:
        return len(self.lengths)

    def select(self, rows: Tensor) -> "Utterances":
        """Returns the rows `rows` (row,), trimmed to the longest of them."""
        lengths = self.lengths[rows.cpu()]
        longest = int(lengths.max()) if len(lengths) else 0
        return Utterances(self.tokens[rows.to(self.tokens.device), :longest], lengths)

    def cut(self, limit: int) -> "Utterances":
        """Returns the first `limit` tokens of each row; a row that is cut has lost its end token."""
        return Utterances(self.tokens[:, :limit], self.lengths.clamp(max=limit))

    def to(self, device: torch.device | str) -> "Utterances":
        """Returns the same rows with their tokens on `device`; the lengths stay on the CPU."""
        return Utterances(self.tokens.to(device), self.lengths)


@dataclass(frozen=True, slots=True)
class Window:
    """A run of turns of one conversation.

    Attributes:
        utterances: token ids of each turn, without control tokens.
        targets: whether each turn is scored.
    """

    utterances: Sequence[NDArray[np.int32]]
    targets: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows laid out flat; see the table in the module's docstring.

    Attributes:
        utterances: all rows.
        rows: (conversation, turn) int64 on the CPU, -1 where there is no turn.
        targets: (reply,) int64 on the CPU, rows that are scored.
        target_conversations: (reply,) int64 on the CPU, the conversation of each target.
        target_turns: (reply,) int64 on the CPU, the turn of each target within its window.
    """

    utterances: Utterances
    rows: Tensor
    targets: Tensor
    target_conversations: Tensor
    target_turns: Tensor

    @property
    def num_conversations(self) -> int:
        """How many windows the batch holds."""
        return len(self.rows)

    @property
    def num_target_tokens(self) -> int:
        """Tokens that are scored, the end tokens counted."""
        return int(self.utterances.lengths[self.targets].sum())

    @property
    def device(self) -> torch.device:
        """Where the tokens are."""
        return self.utterances.tokens.device

    def replies(self) -> Utterances:
        """Returns the rows of the targets."""
        return self.utterances.select(self.targets)

    def source_rows(self, turns_back: int) -> Tensor:
        """Returns for each target the row `turns_back` turns before it, -1 before the window's start.

        Args:
            turns_back: 1 for the turn right before the target.

        Returns:
            (reply,) int64.
        """
        turns = self.target_turns - turns_back
        rows = self.rows[self.target_conversations, turns.clamp(min=0)]
        return torch.where(turns >= 0, rows, torch.full_like(rows, -1))

    def to(self, device: torch.device | str) -> "Batch":
        """Returns the same batch with its tokens on `device`; indices stay on the CPU."""
        return Batch(
            self.utterances.to(device), self.rows, self.targets, self.target_conversations, self.target_turns
        )


def utterances_of(rows: Sequence[Sequence[int] | NDArray[np.int32]], limit: int | None = None) -> Utterances:
    """Lays token ids out as rows, each ended by `EOS` unless it is cut.

    Args:
        rows: token ids of each utterance, without control tokens.
        limit: the longest row in tokens, the end token counted; None cuts nothing.
    """
    full = np.array([len(row) + 1 for row in rows], dtype=np.int64)
    lengths = full if limit is None else np.minimum(full, limit)
    tokens = np.full((len(rows), int(lengths.max(initial=0))), PAD, dtype=np.int64)
    for row, (ids, length) in enumerate(zip(rows, lengths, strict=True)):
        kept = min(len(ids), int(length))
        tokens[row, :kept] = ids[:kept]
        tokens[row, kept:length] = EOS
    return Utterances(torch.from_numpy(tokens), torch.from_numpy(lengths))


def collate(windows: Sequence[Window], limit: int | None = None) -> Batch:
    """Makes a batch of some windows.

    Args:
        windows: at least one, with at least one target in all.
        limit: the longest utterance in tokens, the end token counted; None cuts nothing, as in evaluation.
    """
    num_turns = np.array([len(window.utterances) for window in windows])
    present = np.arange(num_turns.max())[None, :] < num_turns[:, None]  # (conversation, turn)
    rows = np.where(present, np.cumsum(present).reshape(present.shape) - 1, -1)
    is_target = np.concatenate([np.asarray(window.targets, dtype=bool) for window in windows])
    conversations, turns = np.nonzero(present)
    targets = np.flatnonzero(is_target)
    return Batch(
        utterances_of([ids for window in windows for ids in window.utterances], limit),
        torch.from_numpy(rows.astype(np.int64)),
        torch.from_numpy(targets),
        torch.from_numpy(conversations[targets]),
        torch.from_numpy(turns[targets]),
    )
