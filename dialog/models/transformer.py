"""The Transformer, encoder and decoder, on the last turns as one sequence: what most would pick today.

Vaswani et al. 2017, "Attention Is All You Need"; the layers, and why their norms stand where they do, are in
`layers.transformer`. The yardstick of the other models: its state is the words themselves, the last turns and of
these the last tokens, and what came before is unknown to it.

    x_i = sqrt(d) E w_i + PE(place of i in its turn) + T(turns after that of i),   s = encoder(x)
    y_t = sqrt(d) E y_{t-1} + PE(t),   p(y_t) = softmax(E decoder(y_1 ... y_t, s))

Places are sinusoids, so that a reply may be longer than any in training; turns are told apart by a learnt
vector for each distance from the reply.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from dialog.errors import ConfigError, UsageError
from dialog.layers.packing import Packing
from dialog.layers.transformer import sinusoids
from dialog.models.base import ContextState, DecoderState, LossParts, ReplyModel
from dialog.models.config import Settings, setting
from dialog.models.decoder import Replies
from dialog.models.parts import TokenTable
from dialog.models.recent import RecentUtterances, last_tokens
from dialog.models.stacks import DecoderStack, EncoderStack, SourceMemory
from dialog.text.batches import Batch, Utterances

__all__ = ["Transformer", "TransformerConfig", "TransformerDecoderState"]


@dataclass(frozen=True)
class TransformerConfig(Settings):
    """Sizes of a Transformer; each field says its unit."""

    vocab_size: int = setting(8000, "tokens that the tokenizer knows; taken from the corpus", minimum=5)
    embedding_size: int = setting(
        256, "numbers for a token, in all layers; a multiple of heads", minimum=1, below=16_385
    )
    encoder_layers: int = setting(2, "layers of the encoder", minimum=1, below=25)
    decoder_layers: int = setting(2, "layers of the decoder", minimum=1, below=25)
    heads: int = setting(4, "heads of each attention", minimum=1, below=129)
    feedforward_size: int = setting(
        1024, "numbers for a token inside the feed-forward parts", minimum=1, below=16_385
    )
    context_turns: int = setting(
        8, "turns that are read, as one sequence; the last ones", minimum=1, below=1025
    )
    max_utterance_tokens: int = setting(64, "tokens of an utterance that are read, the first ones", minimum=2)
    max_context_tokens: int = setting(
        150, "tokens that are read of all these turns; the last ones", minimum=1
    )
    dropout: float = setting(0.1, "share of values dropped in training", minimum=0.0, below=1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.embedding_size % self.heads:
            raise ConfigError(
                f"{type(self).__name__}.embedding_size is {self.embedding_size}, but must be a multiple of heads "
                f"({self.heads})"
            )


@dataclass(frozen=True, slots=True)
class TransformerDecoderState(DecoderState):
    """What a Transformer goes on from.

    Attributes:
        lengths: (row,) int64, tokens that were read of each reply.
        own_key: (row, layer, time, size), the keys of these tokens, zeros behind a row's length.
        own_value: (row, layer, time, size), their values.
        source_key: (row, layer, source_time, size), the keys of the encoded context.
        source_value: (row, layer, source_time, size), its values.
        mask: (row, source_time), True is real.
        latents: None.
        attention: (row, source_time), the last layer's weights over the context, the mean of its heads, or None
            before the first step.
    """

    lengths: Tensor
    own_key: Tensor
    own_value: Tensor
    source_key: Tensor
    source_value: Tensor
    mask: Tensor
    latents: Tensor | None = None
    attention: Tensor | None = None


class Transformer(ReplyModel):
    """See the module's docstring.

    Args:
        config: sizes.
    """

    config_class = TransformerConfig
    config: TransformerConfig

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.config = config
        sizes = (config.embedding_size, config.heads, config.feedforward_size, config.dropout)
        self.table = TokenTable(config.vocab_size, config.embedding_size, config.dropout)
        self.turns = nn.Parameter(torch.empty(config.context_turns, config.embedding_size).normal_(std=0.5))
        self.encoder = EncoderStack(config.encoder_layers, *sizes)
        self.decoder = DecoderStack(config.decoder_layers, *sizes)

    def loss(self, batch: Batch, generator: torch.Generator, state: ContextState | None = None) -> LossParts:
        """See `ReplyModel.loss`."""
        recent = state or self.start(batch.num_conversations)
        assert isinstance(recent, RecentUtterances)
        turns = recent.before_targets(batch, self.config.max_utterance_tokens)
        memory, packing = self._encode(*turns, generator)
        replies = Replies.of(batch.replies())
        nll, uniform = self._losses(replies, memory, packing.table(), generator)
        auxiliary = {"uniform": replies.packing.sum_rows(uniform)} if self.training else {}
        return LossParts(replies.packing.sum_rows(nll), replies.num_tokens, auxiliary=auxiliary)

    def start(self, num_conversations: int) -> RecentUtterances:
        """See `ReplyModel.start`."""
        return RecentUtterances.empty(num_conversations, self.config.context_turns, self.table.weight.device)

    def observe(self, state: ContextState, utterances: Utterances) -> RecentUtterances:
        """See `ReplyModel.observe`; nothing is computed yet."""
        assert isinstance(state, RecentUtterances)
        return state.observe(utterances, self.config.max_utterance_tokens)

    def plan(
        self,
        state: ContextState,
        generators: Sequence[torch.Generator],
        latents: Tensor | None = None,
    ) -> DecoderState:
        """See `ReplyModel.plan`; nothing is drawn, and several replies to one context encode it once."""
        assert isinstance(state, RecentUtterances)
        if latents is not None:
            raise UsageError("transformer has no latent variable, so no latents can be given; leave them out")
        contexts, replies = state.distinct()
        memory, packing = self._encode(contexts.tokens, contexts.lengths)
        mask = packing.table() >= 0
        rows = mask.shape[0]
        empty = self.table.weight.new_zeros(rows, self.config.decoder_layers, 0, self.config.embedding_size)
        planned = TransformerDecoderState(
            torch.zeros(rows, dtype=torch.int64, device=mask.device),
            empty,
            empty,
            torch.stack([packing.pad(key) for key, _ in memory], dim=1),
            torch.stack([packing.pad(value) for _, value in memory], dim=1),
            mask,
        )
        return planned if rows == state.num_rows else planned.select(replies)

    def step(self, tokens: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """See `ReplyModel.step`; costs as much as there are tokens, said and read."""
        assert isinstance(state, TransformerDecoderState)
        embedded = self._embed(tokens, state.lengths)
        said = torch.arange(state.own_key.shape[2], device=tokens.device) < state.lengths[:, None]
        features, key, value, weights = self.decoder.step(
            embedded,
            (state.own_key, state.own_value, said),
            (state.source_key, state.source_value, state.mask),
        )
        after = TransformerDecoderState(
            state.lengths + 1,
            _append(state.own_key, key, state.lengths),
            _append(state.own_value, value, state.lengths),
            state.source_key,
            state.source_value,
            state.mask,
            None,
            weights,
        )
        return self.table.logits(features), after

    def score(self, state: DecoderState, replies: Utterances) -> Tensor:
        """See `ReplyModel.score`."""
        assert isinstance(state, TransformerDecoderState)
        laid_out = Replies.of(replies)
        places = torch.arange(state.mask.numel(), device=state.mask.device).view(state.mask.shape)
        memory = [
            (state.source_key[:, layer].flatten(0, 1), state.source_value[:, layer].flatten(0, 1))
            for layer in range(self.config.decoder_layers)
        ]
        nll, _ = self._losses(laid_out, memory, torch.where(state.mask, places, -1), None)
        return laid_out.packing.pad(-nll, replies.tokens.shape[1])

    def _embed(self, tokens: Tensor, places: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Returns (token, size) for tokens and their places, each (token,)."""
        embedded = self.table.embed(tokens, generator) * math.sqrt(self.config.embedding_size)
        return embedded + sinusoids(places, embedded)

    def _encode(
        self, tokens: Tensor, lengths: Tensor, generator: torch.Generator | None = None
    ) -> tuple[SourceMemory, Packing]:
        """Encodes the turns (row, turn, time) of each row; returns what the decoder looks at, and its packing."""
        source = last_tokens(tokens, lengths, self.config.max_context_tokens)
        packing = Packing.of(source.lengths, tokens.device)
        embedded = self._embed(packing.pack(source.tokens), packing.pack(source.places), generator)
        embedded = embedded + functional.embedding(packing.pack(source.turns), self.turns)
        encoded = self.encoder(embedded, packing.table(), generator)
        return self.decoder.look_at(encoded), packing

    def _losses(
        self, replies: Replies, memory: SourceMemory, positions: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        """Returns the cross-entropy of each target token, and against the uniform distribution, in nats."""
        embedded = self._embed(replies.inputs, replies.packing.times, generator)
        features = self.decoder(embedded, replies.packing.table(), memory, positions, generator)
        return self.table.losses(features, replies.targets)


def _append(cache: Tensor, latest: Tensor, lengths: Tensor) -> Tensor:
    """Returns the cache (row, layer, time, size) with `latest` (row, layer, size) behind each row's length.

    It is as long as the longest row wants it, however long rows were that have left.
    """
    longest = int(lengths.max()) if len(lengths) else 0
    place = lengths[:, None, None, None].expand(-1, latest.shape[1], 1, latest.shape[2])
    return functional.pad(cache[:, :, :longest], (0, 0, 0, 1)).scatter_(2, place, latest[:, :, None])
