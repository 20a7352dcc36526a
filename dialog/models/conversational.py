"""The context of VHCR: the last utterances' vectors, and over them a context RNN that a shared latent steers.

Park, Cho and Kim 2018, "A Hierarchical Latent Structure for Variational Conversation Modeling":

    h_0 = tanh(W z_conv + b),   h_t = f(h_{t-1}, u_t, z_conv)
    q(z_conv | x_1 … x_n) = N(loc(b), scale(b)^2),   b = both ends of a bidirectional RNN over u_1 … u_n

z_conv is drawn when a reply is begun, and every h_t depends on it, so no h_t can be carried along. What is kept are
utterance vectors, `context_turns` of them, and the context RNN runs over these from h_0, in training as in a chat:
given z_conv, a reply knows the last `context_turns` utterances, wherever they were read, and what it attends over.

| paper | here |
|---|---|
| h^enc, h^cxt | `vectors`, contexts |
| the unknown vector of utterance dropout | `unknown` |
| q(z^conv \\| x) | `reader`, then `posterior` |
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from dialog.layers.dropout import keep_mask
from dialog.layers.latent import TO_UNIT_VARIANCE, DiagonalGaussian, diagonal_gaussian
from dialog.layers.packing import Packing
from dialog.layers.stack import Stack
from dialog.models.attended import AttendedTurns
from dialog.models.base import ContextState
from dialog.models.decoder import Memory
from dialog.models.latent_options import ConversationSettings
from dialog.models.parts import TokenTable, UtteranceEncoder
from dialog.models.windows import Runs, Windows
from dialog.text.batches import Batch, Utterances

if TYPE_CHECKING:
    from torch.distributions import Independent, Normal

__all__ = ["ConversationContext", "ConversationReading", "ConversationState"]


@dataclass(frozen=True, slots=True)
class ConversationState(ContextState):
    """The last utterances: their vectors, and of fewer of them what attention looks at.

    Attributes:
        vectors: (conversation, turn, size), the earliest first, zeros behind the latest.
        num_turns: (conversation,) int64, how many there are.
        memory: (conversation, turn, time, size) of the last utterances, the latest last; see `AttendedTurns`.
        memory_mask: (conversation, turn, time), True is real.
    """

    vectors: Tensor
    num_turns: Tensor
    memory: Tensor
    memory_mask: Tensor


@dataclass(frozen=True, slots=True)
class ConversationReading:
    """What is known of the windows of a batch before any latent is drawn.

    Attributes:
        windows: their utterances up to each one's last target, the targets too.
        heard: the same as the context RNN hears them: in training some are unknown.
        runs: of the context RNN, up to each target.
        targets: (reply, size), the targets' own vectors.
        target_windows: (reply,) int64 on the CPU, the window of each.
        memory: what each reply may attend over.
    """

    windows: Windows
    heard: Windows
    runs: Runs
    targets: Tensor
    target_windows: Tensor
    memory: Memory


class ConversationContext(nn.Module):
    """Utterance encoder, the RNN that reads a conversation for its latent, and the context RNN that it steers.

    Args:
        settings: sizes, cells and layers, how many turns are kept, and what a reply attends over.
    """

    def __init__(self, settings: ConversationSettings):
        super().__init__()
        self.encoder = UtteranceEncoder(settings, settings.max_utterance_tokens)
        self.attended = AttendedTurns.of(settings)
        self.context_turns, self.utterance_dropout = settings.context_turns, settings.utterance_dropout
        size, latent_size = self.encoder.output_size, settings.conversation_latent_size
        options = settings.context_stack()
        self.rnn = Stack(options, size, settings.context_size, constant_size=latent_size)
        self.initial = nn.Linear(latent_size, options.num_layers * self.rnn.first().initial_size)
        self.reader = Stack(replace(options, directions="both"), size, settings.conversation_reader_size)
        self.posterior = DiagonalGaussian(
            settings.conversation_reader_size, settings.latent_hidden_size, latent_size, TO_UNIT_VARIANCE
        )
        if settings.utterance_dropout:
            self.unknown = nn.Parameter(torch.empty(size).normal_(std=0.1))

    def start(self, num_conversations: int) -> ConversationState:
        """Returns the empty context."""
        vectors = self.initial.weight.new_zeros(num_conversations, 0, self.encoder.output_size)
        counts = torch.zeros(num_conversations, dtype=torch.int64, device=vectors.device)
        return ConversationState(vectors, counts, *self.attended.start(num_conversations, vectors))

    def observe(
        self, table: TokenTable, state: ConversationState, utterances: Utterances
    ) -> ConversationState:
        """Reads one more utterance for each conversation; the earliest of `context_turns` is let go."""
        encoded = self.encoder(table, utterances)
        memory = self.attended.observe(state.memory, state.memory_mask, encoded)
        counts, rows = state.num_turns, torch.arange(len(utterances), device=encoded.vectors.device)
        wider = functional.pad(state.vectors, (0, 0, 0, 1))
        wider = wider.index_put((rows, counts), encoded.vectors.to(wider.dtype))
        longest = min(int(counts.max()) + 1, self.context_turns)
        first = (counts + 1 - self.context_turns).clamp(min=0)
        turns = torch.arange(longest, device=wider.device) + first[:, None]
        vectors = wider[rows[:, None], turns]
        return ConversationState(vectors, (counts + 1).clamp(max=self.context_turns), *memory)

    def memory_of(self, state: ConversationState) -> Memory:
        """Returns what a reply to each conversation may attend over."""
        return self.attended.of_kept(state.memory, state.memory_mask)

    def windows_of(self, state: ConversationState) -> Windows:
        """Returns the kept utterances of each conversation as a window."""
        count, longest = state.vectors.shape[:2]
        turns = torch.arange(longest, device=state.vectors.device)
        places = turns + longest * torch.arange(count, device=state.vectors.device)[:, None]
        places = torch.where(turns < state.num_turns[:, None], places, -1)
        return Windows(state.vectors.flatten(0, 1), places, state.num_turns.cpu())

    def read(
        self,
        table: TokenTable,
        batch: Batch,
        generator: torch.Generator,
        state: ConversationState | None,
    ) -> ConversationReading:
        """Reads the windows of a batch up to their last targets, each utterance once.

        Args:
            table: the token table.
            batch: windows of conversations.
            generator: draws dropout and unknown utterances, in training.
            state: what was kept from before the windows; the empty context if None.
        """
        turns_read = _turns_read(batch)  # (window,)
        needed = batch.rows[torch.arange(batch.rows.shape[1]) < turns_read[:, None]]
        place = torch.full((len(batch.utterances) + 1,), -1)
        place[needed] = torch.arange(len(needed))  # batch row -> encoded row; the last entry serves row -1
        encoded = self.encoder(table, batch.utterances.select(needed), generator)
        before = state or self.start(batch.num_conversations)
        windows = self._joined(encoded.vectors, place[batch.rows], turns_read, before)
        owners = batch.target_conversations
        return ConversationReading(
            windows,
            self._heard(windows, generator),
            windows.runs(owners, before.num_turns.cpu()[owners] + batch.target_turns, self.context_turns),
            encoded.vectors[place[batch.targets].to(batch.device)],
            owners,
            self.attended.of_batch(batch, encoded, place, before.memory, before.memory_mask),
        )

    def infer(self, windows: Windows, generator: torch.Generator | None = None) -> "Independent[Normal]":
        """Returns q(z_conv | the window's utterances), (window, latent); N(0, 1) where there are none.

        Args:
            windows: all their utterances are heard.
            generator: draws dropout between layers, in training.
        """
        packing = Packing.of(windows.lengths, windows.vectors.device)
        outputs = self.reader(windows.vectors[packing.pack(windows.places)], packing, generator=generator)
        given = self.posterior(self.reader.ends(outputs, packing)).base_dist
        is_empty = (windows.lengths == 0).to(given.loc.device)[:, None]
        return diagonal_gaussian(given.loc.masked_fill(is_empty, 0.0), given.scale.masked_fill(is_empty, 1.0))

    def contexts(
        self, windows: Windows, runs: Runs, latents: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Returns the context RNN's state before each target, (target, sample, context).

        Args:
            windows: the utterances as it hears them.
            runs: up to the targets.
            latents: (window, sample, latent), values of z_conv.
            generator: draws dropout between layers, in training.
        """
        samples = latents.shape[1]
        given = latents[runs.windows].flatten(0, 1)  # (run * sample, latent)
        packing = Packing.of(runs.lengths.repeat_interleave(samples), latents.device)
        heard = windows.vectors[packing.pack(runs.places.repeat_interleave(samples, dim=0))]
        start = self._first_state(given)
        states = packing.pad(self.rnn(heard, packing, start, given, generator))
        first = start[:, -1:, : self.rnn.output_size].to(states.dtype)
        states = torch.cat([first, states], dim=1).unflatten(0, (-1, samples))  # (run, sample, turn, context)
        found: Tensor = states[runs.target_runs, :, runs.target_times]
        return found

    def context_of(self, windows: Windows, latents: Tensor) -> Tensor:
        """Returns the context RNN's state behind each window, (window, context), for z_conv (window, latent)."""
        runs = windows.runs(torch.arange(len(latents)), windows.lengths, self.context_turns)
        return self.contexts(windows, runs, latents[:, None])[:, 0]

    def _first_state(self, latents: Tensor) -> Tensor:
        """Returns h_0 of each layer, (row, layer, state), for z_conv (row, latent)."""
        start = torch.tanh(self.initial(latents)).view(len(latents), self.rnn.num_layers, -1)
        earlier = self.rnn.state_size - start.shape[2]  # of steps before the first: zeros
        return functional.pad(start, (0, earlier)) if earlier else start

    def _joined(self, own: Tensor, rows: Tensor, turns_read: Tensor, before: ConversationState) -> Windows:
        """Puts the kept utterances before those of the windows; a window without a target has none."""
        kept = self.windows_of(before)
        kept_lengths = kept.lengths.masked_fill(turns_read == 0, 0)
        lengths = kept_lengths + turns_read
        turns = torch.arange(int(lengths.max()))  # in the joined window
        inside = turns - kept_lengths[:, None]  # in the window itself
        is_own = (inside >= 0) & (turns < lengths[:, None])
        own_places = rows.gather(1, inside.clamp(0, rows.shape[1] - 1))
        width = kept.places.shape[1]
        old_places = len(own) + torch.arange(len(lengths))[:, None] * width + turns
        places = torch.where(is_own, own_places, torch.where(inside < 0, old_places, -1))
        vectors = torch.cat([own, kept.vectors.to(own.dtype)])
        return Windows(vectors, places.to(own.device), lengths)

    def _heard(self, windows: Windows, generator: torch.Generator) -> Windows:
        """Makes a share of the utterances unknown, each by its own coin, in training."""
        if not self.training or not self.utterance_dropout:
            return windows
        vectors = windows.vectors
        kept = keep_mask(vectors.shape[:1], self.utterance_dropout, generator, vectors.device)
        heard = torch.where(kept[:, None], vectors, self.unknown.to(vectors.dtype))
        return Windows(heard, windows.places, windows.lengths)


def _turns_read(batch: Batch) -> Tensor:
    """Returns for each window how many turns are read: those up to its last target, none without a target."""
    turns = torch.zeros(batch.num_conversations, dtype=torch.int64)
    return turns.scatter_reduce(0, batch.target_conversations, batch.target_turns + 1, "amax")
