"""The hierarchical context of HRED and VHRED: an utterance encoder under a context RNN.

Sordoni et al. 2015, "A Hierarchical Recurrent Encoder-Decoder for Generative Context-Aware Query
Suggestion"; Serban et al. 2016, "Building End-To-End Dialogue Systems Using Generative Hierarchical
Neural Network Models", section 3.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from dialog.layers.packing import Packing, rows_or_zero
from dialog.layers.stack import Stack
from dialog.models.base import ContextState
from dialog.models.decoder import Memory
from dialog.models.options import HierarchicalSettings
from dialog.models.parts import Encoded, TokenTable, UtteranceEncoder
from dialog.text.batches import Batch, Utterances

__all__ = ["HierarchicalContext", "HierarchicalState", "Reading"]


@dataclass(frozen=True, slots=True)
class HierarchicalState(ContextState):
    """The context RNN's state, and of the last turns what a reply attends over.

    Attributes:
        context: (conversation, context), what the context RNN gave last.
        hidden: (conversation, layer, state) of the context RNN.
        memory: (conversation, turn, time, size), encoded tokens of the last turns, the latest last; over turns
            their vectors, one time each; without attention nothing.
        memory_mask: (conversation, turn, time), True is real.
    """

    context: Tensor
    hidden: Tensor
    memory: Tensor
    memory_mask: Tensor


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known of the context of each target of a batch.

    Attributes:
        contexts: (reply, context), the context RNN's state before the target.
        memory: what each reply may attend over.
        targets: (reply, size), the targets' own vectors, if they were asked for.
    """

    contexts: Tensor
    memory: Memory
    targets: Tensor | None


class HierarchicalContext(nn.Module):
    """Utterance encoder and context RNN.

    Args:
        settings: sizes, cells and layers, and what a reply attends over.
    """

    def __init__(self, settings: HierarchicalSettings):
        super().__init__()
        self.encoder = UtteranceEncoder(settings, settings.max_utterance_tokens)
        self.attention_turns = settings.attention_turns
        self.attention_over = "nothing" if settings.attention == "none" else settings.attention_over
        self.rnn = Stack(settings.context_stack(), self.encoder.output_size, settings.context_size)

    def start(self, num_conversations: int) -> HierarchicalState:
        """Returns the empty context."""
        weight = self.rnn.first().weight_input
        memory = weight.new_zeros(num_conversations, self.attention_turns, 0, self.encoder.output_size)
        return HierarchicalState(
            weight.new_zeros(num_conversations, self.rnn.output_size),
            weight.new_zeros(num_conversations, self.rnn.num_layers, self.rnn.state_size),
            memory,
            torch.zeros(memory.shape[:3], dtype=torch.bool, device=weight.device),
        )

    def observe(
        self, table: TokenTable, state: HierarchicalState, utterances: Utterances
    ) -> HierarchicalState:
        """Reads one more utterance for each conversation."""
        encoded = self.encoder(table, utterances)
        context, hidden = self.rnn.step(encoded.vectors, state.hidden)
        values, positions = self._attended(encoded)
        time = max(state.memory.shape[2], positions.shape[1])
        latest = _longer(rows_or_zero(values, positions)[:, None], time, 2)
        is_real = _longer(positions[:, None] >= 0, time, 2)
        memory = torch.cat([_longer(state.memory[:, 1:], time, 2), latest], dim=1)
        mask = torch.cat([_longer(state.memory_mask[:, 1:], time, 2), is_real], dim=1)
        longest = int(mask.sum(2).max()) if mask.numel() else 0
        return HierarchicalState(context, hidden, memory[:, :, :longest], mask[:, :, :longest])

    def memory_of(self, state: HierarchicalState) -> Memory:
        """Returns what a reply to each conversation may attend over."""
        mask = state.memory_mask
        places = torch.arange(mask.numel(), device=mask.device).view(mask.shape)
        return Memory(state.memory.flatten(0, 2), self._laid_out(torch.where(mask, places, -1)))

    def read(
        self,
        table: TokenTable,
        batch: Batch,
        generator: torch.Generator,
        state: HierarchicalState | None,
        with_targets: bool = False,
    ) -> Reading:
        """Reads all that the targets of a batch look back at, each utterance once.

        Args:
            table: the token table.
            batch: windows of conversations.
            generator: draws dropout, in training.
            state: what was read before the windows; the empty context if None.
            with_targets: whether the targets are encoded as well.
        """
        turns_read = _turns_read(batch)  # (conversation,)
        turn = torch.arange(batch.rows.shape[1])
        needed = batch.rows[turn < turns_read[:, None]]
        if with_targets:
            needed = torch.cat([needed, batch.targets]).unique()
        place = torch.full((len(batch.utterances) + 1,), -1)
        place[needed] = torch.arange(len(needed))  # batch row -> encoded row; the last entry serves row -1
        encoded = self.encoder(table, batch.utterances.select(needed), generator)
        before = state or self.start(batch.num_conversations)
        contexts = self._contexts(batch, encoded, place, turns_read, before)
        targets = encoded.vectors[place[batch.targets].to(batch.device)] if with_targets else None
        return Reading(contexts, self._memory(batch, encoded, place, before), targets)

    def _contexts(
        self, batch: Batch, encoded: Encoded, place: Tensor, turns_read: Tensor, before: HierarchicalState
    ) -> Tensor:
        packing = Packing.of(turns_read, batch.device)
        rows = packing.pack(place[batch.rows].to(batch.device)[:, : len(packing.batch_sizes)])
        states = self.rnn(encoded.vectors[rows], packing, before.hidden)
        after = torch.cat([before.context[:, None].to(states.dtype), packing.pad(states)], dim=1)
        return after[batch.target_conversations.to(batch.device), batch.target_turns.to(batch.device)]

    def _memory(self, batch: Batch, encoded: Encoded, place: Tensor, before: HierarchicalState) -> Memory:
        values, positions = self._attended(encoded)
        kept = before.memory.flatten(0, 2)  # utterances before the windows stand behind the windows' own
        own = len(values)
        # A row of nothing stands last: row -1 finds it, also where no turn of the windows is read.
        positions = torch.cat([positions, positions.new_full((1, positions.shape[1]), -1)])
        mask = before.memory_mask
        places = torch.where(mask, own + torch.arange(mask.numel(), device=mask.device).view(mask.shape), -1)
        columns = []
        for back in range(self.attention_turns, 0, -1):
            rows = place[batch.source_rows(back)].to(batch.device)
            inside = positions[rows]
            if mask.shape[2] == 0:
                columns.append(inside)
                continue
            earlier = self.attention_turns - back + batch.target_turns  # its turn in the kept memory
            outside = (batch.target_turns < back) & (earlier < self.attention_turns)
            old = places[batch.target_conversations, earlier.clamp(max=self.attention_turns - 1)]
            columns.append(torch.cat([inside, old.masked_fill(~outside[:, None].to(old.device), -1)], dim=1))
        return Memory(torch.cat([values, kept.to(values.dtype)]), self._laid_out(torch.stack(columns, dim=1)))

    def _attended(self, encoded: Encoded) -> tuple[Tensor, Tensor]:
        """Returns what can be attended over (place, size), and where each utterance has it, (utterance, time)."""
        if self.attention_over == "turns":
            each = torch.arange(len(encoded.vectors), device=encoded.vectors.device)
            return encoded.vectors, each[:, None]
        if self.attention_over == "nothing":
            return encoded.outputs[:0], encoded.positions[:, :0]
        return encoded.outputs, encoded.positions

    def _laid_out(self, positions: Tensor) -> Tensor:
        """Returns positions (reply, turn, time) as attention takes them: flat, unless turns are told apart."""
        return positions if self.attention_over == "tokens_then_turns" else positions.flatten(1)


def _longer(values: Tensor, size: int, dimension: int) -> Tensor:
    """Returns `values` with zeros behind, `size` along a dimension."""
    behind = [0, 0] * (values.dim() - dimension - 1)
    return functional.pad(values, (*behind, 0, size - values.shape[dimension]))


def _turns_read(batch: Batch) -> Tensor:
    """Returns for each conversation how many turns some target looks back at: those before its last target."""
    turns = torch.zeros(batch.num_conversations, dtype=torch.int64)
    return turns.scatter_reduce(0, batch.target_conversations, batch.target_turns, "amax")
