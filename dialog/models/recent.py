"""The last utterances of a conversation as they are: the context of models that read tokens anew for each reply.

An utterance is kept by its first tokens, up to a limit, with its end token unless it was cut; a model joins
the turns to one sequence. Kept turns and turns of a window are found alike, so that a reply's context is the same
whether the turns before it stand in the window or were observed before.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from dialog.models.base import ContextState
from dialog.text.batches import PAD, Batch, Utterances

__all__ = ["LastTokens", "RecentUtterances", "join_turns", "last_of", "last_tokens"]


@dataclass(frozen=True, slots=True)
class RecentUtterances(ContextState):
    """The last utterances, the latest one last.

    Attributes:
        tokens: (conversation, turn, time) int64.
        lengths: (conversation, turn) int64, 0 where there was no turn yet.
    """

    tokens: Tensor
    lengths: Tensor

    @staticmethod
    def empty(num_conversations: int, turns: int, device: torch.device) -> "RecentUtterances":
        """Returns the context of conversations without any turn, with places for `turns` of them."""
        return RecentUtterances(
            torch.zeros(num_conversations, turns, 0, dtype=torch.int64, device=device),
            torch.zeros(num_conversations, turns, dtype=torch.int64, device=device),
        )

    def observe(self, utterances: Utterances, limit: int) -> "RecentUtterances":
        """Returns the context with one more utterance each, of at most `limit` tokens; the first turn is let go."""
        read = utterances.cut(limit)
        latest = RecentUtterances(read.tokens[:, None], read.lengths.to(read.tokens.device)[:, None])
        if self.tokens.shape[1] == 1:
            return latest
        time = max(self.tokens.shape[2], read.tokens.shape[1])
        tokens = torch.cat([_widen(self.tokens[:, 1:], time), _widen(latest.tokens, time)], dim=1)
        lengths = torch.cat([self.lengths[:, 1:], latest.lengths], dim=1)
        return RecentUtterances(tokens[:, :, : int(lengths.max())], lengths)

    def distinct(self) -> tuple["RecentUtterances", Tensor]:
        """Returns every different context once, and for each row (conversation,) int64 which of them it is."""
        everything = torch.cat([self.tokens.flatten(1), self.lengths], dim=1)
        rows = torch.arange(len(everything), device=everything.device)
        different, which = everything.unique(dim=0, return_inverse=True)
        if len(different) == len(rows):
            return self, rows
        first = rows.new_full((len(different),), len(rows)).scatter_reduce(0, which, rows, "amin")
        return self.select(first), which

    def before_targets(self, batch: Batch, limit: int) -> tuple[Tensor, Tensor]:
        """Finds the last turns before each target of a batch whose windows go on from this context.

        Args:
            batch: windows of the same conversations.
            limit: tokens that are read of a turn.

        Returns:
            Tokens (reply, turn, time) and lengths (reply, turn) on the batch's device, 0 where there is no turn.
        """
        turns = self.tokens.shape[1]
        rows = torch.stack([batch.source_rows(back) for back in range(turns, 0, -1)], dim=1)
        used, places = rows.clamp(min=0).unique(return_inverse=True)
        read = batch.utterances.select(used).cut(limit)
        time = max(self.tokens.shape[2], read.tokens.shape[1])
        tokens = _widen(read.tokens, time)[places.to(batch.device)]
        lengths = read.lengths[places].masked_fill(rows < 0, 0).to(batch.device)
        if self.tokens.shape[2] == 0:
            return tokens, lengths
        # A turn before the window stands in the state, `turns` of them, the latest last.
        earlier = torch.arange(turns)[None, :] + batch.target_turns[:, None]  # (reply, turn)
        column = earlier.clamp(max=turns - 1).to(batch.device)
        conversation = batch.target_conversations.to(batch.device)[:, None]
        outside = (rows < 0).to(batch.device)
        old = _widen(self.tokens, time)[conversation, column]
        return (
            torch.where(outside[:, :, None], old, tokens),
            torch.where(outside, self.lengths[conversation, column], lengths),
        )


def join_turns(tokens: Tensor, lengths: Tensor) -> Utterances:
    """Joins the turns of each row into one sequence.

    Args:
        tokens: (row, turn, time) int64.
        lengths: (row, turn) int64.
    """
    real = torch.arange(tokens.shape[2], device=tokens.device) < lengths[:, :, None]
    totals = lengths.sum(1)
    longest = int(totals.max()) if len(totals) else 0
    joined = tokens.new_full((len(tokens), longest), PAD)
    joined[torch.arange(longest, device=tokens.device) < totals[:, None]] = tokens[real]
    return Utterances(joined, totals.cpu())


def last_of(utterances: Utterances, limit: int) -> Utterances:
    """Returns the last `limit` tokens of each row."""
    lengths = utterances.lengths.clamp(max=limit)
    longest = int(lengths.max()) if len(lengths) else 0
    places = torch.arange(longest)[None, :]
    columns = ((utterances.lengths - lengths)[:, None] + places).to(utterances.tokens.device)
    real = (places < lengths[:, None]).to(utterances.tokens.device)
    kept = utterances.tokens.gather(1, columns.clamp(max=max(utterances.tokens.shape[1] - 1, 0)))
    return Utterances(kept.masked_fill(~real, PAD), lengths)


@dataclass(frozen=True, slots=True)
class LastTokens:
    """The last tokens of joined turns, and where each stands.

    Attributes:
        tokens: (row, time) int64.
        turns: (row, time) int64, how many turns came after the token's own.
        places: (row, time) int64, its place in its turn.
        lengths: (row,) int64 on the CPU; 0 where nothing was said.
    """

    tokens: Tensor
    turns: Tensor
    places: Tensor
    lengths: Tensor


def last_tokens(tokens: Tensor, lengths: Tensor, limit: int) -> LastTokens:
    """Joins the turns of each row and keeps the last `limit` tokens.

    Args:
        tokens: (row, turn, time) int64.
        lengths: (row, turn) int64.
        limit: 1 or more.
    """
    turns, time = tokens.shape[1:]
    real = (torch.arange(time, device=tokens.device) < lengths[:, :, None]).flatten(1)
    kept = real & (real.flip(1).cumsum(1).flip(1) <= limit)
    totals = kept.sum(1)
    longest = int(totals.max()) if len(totals) else 0
    places = torch.arange(turns * time, device=tokens.device).expand(len(tokens), -1)
    joined = places.new_zeros(len(tokens), longest)
    joined[torch.arange(longest, device=tokens.device) < totals[:, None]] = places[kept]
    after = turns - 1 - joined // max(time, 1)
    return LastTokens(tokens.flatten(1).gather(1, joined), after, joined % max(time, 1), totals.cpu())


def _widen(tokens: Tensor, time: int) -> Tensor:
    return functional.pad(tokens, (0, time - tokens.shape[-1]), value=PAD)
