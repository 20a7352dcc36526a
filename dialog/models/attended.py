"""What of the last turns a reply may attend over, kept from turn to turn and found in the windows of a batch.

Over tokens it is their encodings, over turns the utterances' vectors, one time each; without attention nothing. Kept
turns and turns of a window are found alike, so that a reply attends over the same whether the turns before it
stand in the window or were observed before.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from dialog.layers.packing import rows_or_zero
from dialog.models.decoder import Memory
from dialog.models.options import HierarchicalSettings
from dialog.models.parts import Encoded
from dialog.text.batches import Batch

__all__ = ["AttendedTurns"]


@dataclass(frozen=True, slots=True)
class AttendedTurns:
    """Which turns are attended over, and what of them.

    What is kept is `memory` (conversation, turn, time, size), the latest turn last, and `mask` (conversation, turn,
    time), True is real.

    Attributes:
        turns: how many of the last ones, 1 or more.
        over: `tokens`, `turns`, `tokens_then_turns` or `nothing`.
    """

    turns: int
    over: str

    @staticmethod
    def of(settings: HierarchicalSettings) -> "AttendedTurns":
        """Reads it from a model's settings."""
        over = "nothing" if settings.attention == "none" else settings.attention_over
        return AttendedTurns(settings.attention_turns, over)

    def start(self, num_conversations: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the memory and mask of conversations without any turn, of vectors `like` (…, size)."""
        memory = like.new_zeros(num_conversations, self.turns, 0, like.shape[-1])
        return memory, torch.zeros(memory.shape[:3], dtype=torch.bool, device=like.device)

    def observe(self, memory: Tensor, mask: Tensor, encoded: Encoded) -> tuple[Tensor, Tensor]:
        """Returns memory and mask with one more utterance for each conversation; the earliest turn is let go."""
        values, positions = self._places(encoded)
        time = max(memory.shape[2], positions.shape[1])
        latest = _longer(rows_or_zero(values, positions)[:, None], time, 2)
        is_real = _longer(positions[:, None] >= 0, time, 2)
        memory = torch.cat([_longer(memory[:, 1:], time, 2), latest], dim=1)
        mask = torch.cat([_longer(mask[:, 1:], time, 2), is_real], dim=1)
        longest = int(mask.sum(2).max()) if mask.numel() else 0
        return memory[:, :, :longest], mask[:, :, :longest]

    def of_kept(self, memory: Tensor, mask: Tensor) -> Memory:
        """Returns what a reply to each conversation may attend over."""
        places = torch.arange(mask.numel(), device=mask.device).view(mask.shape)
        return Memory(memory.flatten(0, 2), self._laid_out(torch.where(mask, places, -1)))

    def of_batch(
        self, batch: Batch, encoded: Encoded, place: Tensor, kept: Tensor, kept_mask: Tensor
    ) -> Memory:
        """Returns what each target of a batch may attend over.

        Args:
            batch: windows of conversations.
            encoded: those utterances of the batch that some target looks back at, and maybe more.
            place: (utterance + 1,) int64 on the CPU, the row of each utterance of the batch in `encoded`; -1 for
                one that is not there, and at the end.
            kept: memory of what was read before the windows.
            kept_mask: its mask.
        """
        values, positions = self._places(encoded)
        own = len(values)  # utterances before the windows stand behind the windows' own
        # A row of nothing stands last: row -1 finds it, also where no turn of the windows is read.
        positions = torch.cat([positions, positions.new_full((1, positions.shape[1]), -1)])
        numbers = torch.arange(kept_mask.numel(), device=kept_mask.device).view(kept_mask.shape)
        places = torch.where(kept_mask, own + numbers, -1)
        columns = []
        for back in range(self.turns, 0, -1):
            rows = place[batch.source_rows(back)].to(batch.device)
            inside = positions[rows]
            if kept_mask.shape[2] == 0:
                columns.append(inside)
                continue
            earlier = self.turns - back + batch.target_turns  # its turn in the kept memory
            outside = (batch.target_turns < back) & (earlier < self.turns)
            old = places[batch.target_conversations, earlier.clamp(max=self.turns - 1)]
            columns.append(torch.cat([inside, old.masked_fill(~outside[:, None].to(old.device), -1)], dim=1))
        joined = torch.cat([values, kept.flatten(0, 2).to(values.dtype)])
        return Memory(joined, self._laid_out(torch.stack(columns, dim=1)))

    def _places(self, encoded: Encoded) -> tuple[Tensor, Tensor]:
        """Returns what can be attended over (place, size), and where each utterance has it, (utterance, time)."""
        if self.over == "turns":
            each = torch.arange(len(encoded.vectors), device=encoded.vectors.device)
            return encoded.vectors, each[:, None]
        if self.over == "nothing":
            return encoded.outputs[:0], encoded.positions[:, :0]
        return encoded.outputs, encoded.positions

    def _laid_out(self, positions: Tensor) -> Tensor:
        """Returns positions (reply, turn, time) as attention takes them: flat, unless turns are told apart."""
        return positions if self.over == "tokens_then_turns" else positions.flatten(1)


def _longer(values: Tensor, size: int, dimension: int) -> Tensor:
    """Returns `values` with zeros behind, `size` along a dimension."""
    behind = [0, 0] * (values.dim() - dimension - 1)
    return functional.pad(values, (*behind, 0, size - values.shape[dimension]))
