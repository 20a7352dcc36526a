"""The hierarchical context of HRED and VHRED: an utterance encoder under a context RNN.

Sordoni et al. 2015, "A Hierarchical Recurrent Encoder-Decoder for Generative Context-Aware Query
Suggestion"; Serban et al. 2016, "Building End-To-End Dialogue Systems Using Generative Hierarchical
Neural Network Models", section 3.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dialog.layers.gru import GRU
from dialog.layers.packing import Packing
from dialog.models.base import ContextState
from dialog.models.parts import Encoded, Memory, TokenTable, UtteranceEncoder, rows_or_zero
from dialog.text.batches import Batch, Utterances

__all__ = ["HierarchicalContext", "HierarchicalState", "Reading"]


@dataclass(frozen=True, slots=True)
class HierarchicalState(ContextState):
    """The context RNN's state and the last utterances, encoded.

    Attributes:
        context: (conversation, context).
        memory: (conversation, turn, time, size), outputs of the last utterances, the latest last.
        memory_mask: (conversation, turn, time), True is real.
    """

    context: Tensor
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
        encoder: of utterances.
        context_size: size of the context RNN's state.
        attention_turns: how many of the last utterances a reply may look at.
    """

    def __init__(self, encoder: UtteranceEncoder, context_size: int, attention_turns: int):
        super().__init__()
        self.encoder = encoder
        self.attention_turns, self.context_size = attention_turns, context_size
        self.rnn = GRU(encoder.output_size, context_size)

    def start(self, num_conversations: int) -> HierarchicalState:
        """Returns the empty context."""
        weight = self.rnn.first().weight_hidden
        memory = weight.new_zeros(num_conversations, self.attention_turns, 0, self.encoder.output_size)
        return HierarchicalState(
            weight.new_zeros(num_conversations, self.context_size),
            memory,
            torch.zeros(memory.shape[:3], dtype=torch.bool, device=weight.device),
        )

    def observe(
        self, table: TokenTable, state: HierarchicalState, utterances: Utterances
    ) -> HierarchicalState:
        """Reads one more utterance for each conversation."""
        encoded = self.encoder(table, utterances)
        context, _ = self.rnn.step(encoded.vectors, state.context[:, None])
        latest = rows_or_zero(encoded.outputs, encoded.positions)
        real = encoded.positions >= 0
        if self.attention_turns == 1:
            return HierarchicalState(context, latest[:, None], real[:, None])
        joined = HierarchicalState.concat(
            [
                HierarchicalState(context, state.memory, state.memory_mask),
                HierarchicalState(
                    context,
                    latest[:, None].expand(-1, self.attention_turns, -1, -1),
                    real[:, None].expand(-1, self.attention_turns, -1),
                ),
            ]
        )
        count = len(context)
        memory = torch.cat([joined.memory[:count, 1:], joined.memory[count:, :1]], dim=1)
        mask = torch.cat([joined.memory_mask[:count, 1:], joined.memory_mask[count:, :1]], dim=1)
        time = int(mask.sum(2).max())
        return HierarchicalState(context, memory[:, :, :time], mask[:, :, :time])

    def memory_of(self, state: HierarchicalState) -> Memory:
        """Returns what a reply to each conversation may attend over."""
        mask = state.memory_mask.flatten(1)  # (conversation, turn * time)
        places = torch.arange(mask.numel(), device=mask.device).view(mask.shape)
        return Memory(state.memory.flatten(0, 2), torch.where(mask, places, -1))

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
        states = self.rnn(encoded.vectors[rows], packing, before.context[:, None])
        after = torch.cat([before.context[:, None].to(states.dtype), packing.pad(states)], dim=1)
        return after[batch.target_conversations.to(batch.device), batch.target_turns.to(batch.device)]

    def _memory(self, batch: Batch, encoded: Encoded, place: Tensor, before: HierarchicalState) -> Memory:
        kept = before.memory.flatten(0, 2)  # utterances before the windows stand behind the windows' own
        own = len(encoded.outputs)
        # A row of nothing stands last: row -1 finds it, also where no turn of the windows is read.
        nothing = encoded.positions.new_full((1, encoded.positions.shape[1]), -1)
        positions = torch.cat([encoded.positions, nothing])
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
        return Memory(torch.cat([encoded.outputs, kept.to(encoded.outputs.dtype)]), torch.cat(columns, dim=1))


def _turns_read(batch: Batch) -> Tensor:
    """Returns for each conversation how many turns some target looks back at: those before its last target."""
    turns = torch.zeros(batch.num_conversations, dtype=torch.int64)
    return turns.scatter_reduce(0, batch.target_conversations, batch.target_turns, "amax")
