"""The hierarchical context of HRED and VHRED: an utterance encoder under a context RNN.

Sordoni et al. 2015, "A Hierarchical Recurrent Encoder-Decoder for Generative Context-Aware Query
Suggestion"; Serban et al. 2016, "Building End-To-End Dialogue Systems Using Generative Hierarchical
Neural Network Models", section 3.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dialog.layers.packing import Packing
from dialog.layers.stack import Stack
from dialog.models.attended import AttendedTurns
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
        self.attended = AttendedTurns.of(settings)
        self.rnn = Stack(settings.context_stack(), self.encoder.output_size, settings.context_size)

    def start(self, num_conversations: int) -> HierarchicalState:
        """Returns the empty context."""
        weight = self.rnn.first().weight_input
        return HierarchicalState(
            weight.new_zeros(num_conversations, self.rnn.output_size),
            weight.new_zeros(num_conversations, self.rnn.num_layers, self.rnn.state_size),
            *self.attended.start(num_conversations, weight.new_empty(self.encoder.output_size)),
        )

    def observe(
        self, table: TokenTable, state: HierarchicalState, utterances: Utterances
    ) -> HierarchicalState:
        """Reads one more utterance for each conversation."""
        encoded = self.encoder(table, utterances)
        context, hidden = self.rnn.step(encoded.vectors, state.hidden)
        kept = self.attended.observe(state.memory, state.memory_mask, encoded)
        return HierarchicalState(context, hidden, *kept)

    def memory_of(self, state: HierarchicalState) -> Memory:
        """Returns what a reply to each conversation may attend over."""
        return self.attended.of_kept(state.memory, state.memory_mask)

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
        contexts = self._contexts(batch, encoded, place, turns_read, before, generator)
        targets = encoded.vectors[place[batch.targets].to(batch.device)] if with_targets else None
        memory = self.attended.of_batch(batch, encoded, place, before.memory, before.memory_mask)
        return Reading(contexts, memory, targets)

    def _contexts(
        self,
        batch: Batch,
        encoded: Encoded,
        place: Tensor,
        turns_read: Tensor,
        before: HierarchicalState,
        generator: torch.Generator,
    ) -> Tensor:
        packing = Packing.of(turns_read, batch.device)
        rows = packing.pack(place[batch.rows].to(batch.device)[:, : len(packing.batch_sizes)])
        states = self.rnn(encoded.vectors[rows], packing, before.hidden, generator=generator)
        after = torch.cat([before.context[:, None].to(states.dtype), packing.pad(states)], dim=1)
        return after[batch.target_conversations.to(batch.device), batch.target_turns.to(batch.device)]


def _turns_read(batch: Batch) -> Tensor:
    """Returns for each conversation how many turns some target looks back at: those before its last target."""
    turns = torch.zeros(batch.num_conversations, dtype=torch.int64)
    return turns.scatter_reduce(0, batch.target_conversations, batch.target_turns, "amax")
