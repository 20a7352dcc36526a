"""Which packed tokens look at which: rows of like length are padded together, for attention alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Looking"]

_GROUPS_ON_CPU = 8


@dataclass(frozen=True, slots=True)
class Looking:
    """Rows of tokens that look at rows of sources, in groups; made once a batch, used by every layer.

    Attributes:
        masks: for each group (row, source_time), True where there is a source.
        times: for each group the tokens of its longest row.
        tokens: (padded_token,) int64, the packed places of all groups' tokens, one group behind another.
        sources: (padded_source,) int64, the packed places of what they look at.
        back: (token,) int64, where each packed token stands in `tokens`.
    """

    masks: Sequence[Tensor]
    times: Sequence[int]
    tokens: Tensor
    sources: Tensor
    back: Tensor

    @staticmethod
    def of(tokens: Tensor, sources: Tensor) -> "Looking":
        """Groups rows by length: on the CPU in eight, for padding costs time there, elsewhere in one.

        Args:
            tokens: (row, time) int64, the packed places of each row's tokens, -1 behind its end.
            sources: (row, source_time) int64, the packed places of what they look at, -1 where there is none.
        """
        lengths = (sources >= 0).sum(1) * (tokens.shape[1] + 1) + (tokens >= 0).sum(1)
        order = torch.argsort(lengths, descending=True, stable=True)
        order = order[(tokens[order] >= 0).any(1)]
        size = max(8, -(-len(order) // _GROUPS_ON_CPU)) if tokens.device.type == "cpu" else max(1, len(order))
        groups = [(_trim(tokens[rows]), _trim(sources[rows])) for rows in order.split(size)]
        looking = torch.cat([of_tokens.flatten() for of_tokens, _ in groups])
        looked_at = torch.cat([of_sources.flatten() for _, of_sources in groups])
        places = (looking >= 0).nonzero()[:, 0]
        return Looking(
            [of_sources >= 0 for _, of_sources in groups],
            [of_tokens.shape[1] for of_tokens, _ in groups],
            looking.clamp(min=0),  # padding takes the first token's place: what it sees is thrown away
            looked_at.clamp(min=0),
            places[torch.argsort(looking[places])],
        )

    def groups(
        self, query: Tensor, key: Tensor, value: Tensor
    ) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Lays packed tokens (token, size) and sources (source, size) out.

        Yields:
            For each group query (row, time, size), key and value (row, source_time, size), and its mask.
        """
        token_sizes = [len(mask) * time for mask, time in zip(self.masks, self.times, strict=True)]
        queries = functional.embedding(self.tokens, query).split(token_sizes)
        sizes = [mask.numel() for mask in self.masks]
        keys = functional.embedding(self.sources, key).split(sizes)
        values = functional.embedding(self.sources, value).split(sizes)
        for part, of_keys, of_values, mask, time in zip(
            queries, keys, values, self.masks, self.times, strict=True
        ):
            yield (
                part.unflatten(0, (len(mask), time)),
                of_keys.unflatten(0, mask.shape),
                of_values.unflatten(0, mask.shape),
                mask,
            )

    def pack(self, groups: Sequence[Tensor]) -> Tensor:
        """Returns (token, size) for what was made of each group's tokens (row, time, size)."""
        return functional.embedding(self.back, torch.cat([group.flatten(0, 1) for group in groups]))


def _trim(table: Tensor) -> Tensor:
    return table[:, (table >= 0).any(0)]
