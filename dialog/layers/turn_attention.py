"""Tokens, then turns: attention inside each utterance, then over what it found in each.

Xing et al. 2018, "Hierarchical Recurrent Attention Network for Response Generation" (HRAN), simplified. For
each target token:

    r_i = attention of the query over the tokens h_i1 … h_in of turn i
    c   = attention of the query over r_1 … r_m

| paper | here |
|---|---|
| s_{t-1} | `query` |
| h_ij | `values` |
| alpha_ij, r_i | weights and summary of `words` |
| beta_i, c_t | weights and summary of `turns` |

What differs: in the paper a GRU runs over r_m … r_1 for each target token, its states l_i are what the second
attention sums, and l_{i+1} stands beside the query in the first. Here the turns meet in the second attention
alone, so that all target steps are computed at once, and in HRED the context RNN knows their order anyway. Any kind of
attention can stand at either place; the paper's is additive, with a token's score also given l_{i+1}.
"""

import torch
from torch import Tensor

from dialog.layers.soft_attention import Attended, Attention

__all__ = ["HierarchicalAttention"]


class HierarchicalAttention(Attention):
    """Attends over the tokens of each turn, then over the turns.

    Key and value are (row, turn, time, size) here, and the mask (row, turn, time); a turn without real
    tokens gets no weight.

    Args:
        words: attends inside a turn.
        turns: attends over the summaries that `words` makes.
    """

    def __init__(self, words: Attention, turns: Attention):
        super().__init__()
        self.words, self.turns = words, turns
        self.summary_size = turns.summary_size

    def project(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Returns key and value of tokens; those of turns depend on the query."""
        return self.words.project(values)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor,
        generator: torch.Generator | None = None,
    ) -> Attended:
        """Attends; see `Attention`.

        Args:
            query: (row, target_time, query_size).
            key: (row, turn, time, key_size).
            value: (row, turn, time, size).
            mask: (row, turn, time), True is real.
            generator: draws, in training, for the kinds that draw.

        Returns:
            Weights (row, target_time, turn, time), the products of both; the log-probability of a choice is that
            of the turn and of the places in *all* turns, since the turn is chosen by what was found there.
        """
        rows, times, turns = len(query), query.shape[1], mask.shape[1]
        repeated = query[:, None].expand(-1, turns, -1, -1)
        inside = self.words(
            repeated.flatten(0, 1), key.flatten(0, 1), value.flatten(0, 1), mask.flatten(0, 1), generator
        )
        found = inside.summary.unflatten(0, (rows, turns)).transpose(1, 2)  # (row, target_time, turn, size)
        turn_key, turn_value = self.turns.project(found)
        real = mask.any(2)[:, None].expand(-1, times, -1)
        across = self.turns(
            query.flatten(0, 1)[:, None],
            turn_key.flatten(0, 1),
            turn_value.flatten(0, 1),
            real.flatten(0, 1),
            generator,
        )
        of_turns = across.weights.view(rows, times, turns, 1)
        weights = inside.weights.unflatten(0, (rows, turns)).transpose(1, 2) * of_turns
        choice = None
        if inside.choice_log_probability is not None and across.choice_log_probability is not None:
            choice = across.choice_log_probability.view(rows, times)
            choice = choice + inside.choice_log_probability.view(rows, turns, times).sum(1)
        return Attended(across.summary.view(rows, times, self.summary_size), weights, choice)
