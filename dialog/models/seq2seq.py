"""Seq2seq with attention: answers the last utterance and knows nothing of what was said before it.

Sutskever et al. 2014, "Sequence to Sequence Learning with Neural Networks"; Vinyals and Le 2015, "A Neural
Conversational Model"; attention by Luong et al. 2015.

    s = encoder(x),  h_0 = tanh(W s),  h_t = GRU(y_{t-1}, h_{t-1}),  p(y_t) = softmax(E h~_t)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dialog.errors import UsageError
from dialog.models.base import ContextState, DecoderState, LossParts, ReplyModel
from dialog.models.config import Settings, setting
from dialog.models.parts import (
    Encoded,
    Memory,
    RecurrentDecoderState,
    Replies,
    ReplyDecoder,
    TokenTable,
    UtteranceEncoder,
)
from dialog.models.scoring import reply_losses, score_replies
from dialog.text.batches import PAD, Batch, Utterances

__all__ = ["Seq2Seq", "Seq2SeqConfig"]


@dataclass(frozen=True)
class Seq2SeqConfig(Settings):
    """Sizes of a seq2seq model; each field says its unit."""

    vocab_size: int = setting(8000, "tokens that the tokenizer knows; taken from the corpus", minimum=5)
    embedding_size: int = setting(256, "numbers for a token", minimum=1, below=16_385)
    hidden_size: int = setting(
        256,
        "numbers of the decoder's state and of an encoded token; even",
        minimum=2,
        below=16_385,
        multiple_of=2,
    )
    encoder_layers: int = setting(1, "layers of the utterance encoder", minimum=1, below=9)
    decoder_layers: int = setting(1, "layers of the decoder", minimum=1, below=9)
    context_turns: int = setting(1, "turns that are read, as one sequence; the last ones", minimum=1)
    max_utterance_tokens: int = setting(64, "tokens of an utterance that are read, the first ones", minimum=2)
    dropout: float = setting(0.1, "share of values dropped in training", minimum=0.0, below=1.0)


@dataclass(frozen=True, slots=True)
class RecentUtterances(ContextState):
    """The last utterances as they are.

    Attributes:
        tokens: (conversation, turn, time) int64, the latest turn last.
        lengths: (conversation, turn) int64, 0 where there was no turn yet.
    """

    tokens: Tensor
    lengths: Tensor


class Seq2Seq(ReplyModel):
    """See the module's docstring.

    Args:
        config: sizes.
    """

    config_class = Seq2SeqConfig
    config: Seq2SeqConfig

    def __init__(self, config: Seq2SeqConfig):
        super().__init__()
        self.config = config
        self.table = TokenTable(config.vocab_size, config.embedding_size, config.dropout)
        self.encoder = UtteranceEncoder(
            config.embedding_size,
            config.hidden_size,
            config.encoder_layers,
            config.context_turns * config.max_utterance_tokens,
            config.dropout,
        )
        self.decoder = ReplyDecoder(
            config.embedding_size,
            config.hidden_size,
            config.decoder_layers,
            condition_size=self.encoder.output_size,
            memory_size=self.encoder.output_size,
            at_every_step=False,
            dropout_rate=config.dropout,
        )

    def loss(self, batch: Batch, generator: torch.Generator, state: ContextState | None = None) -> LossParts:
        """See `ReplyModel.loss`."""
        recent = state or self.start(batch.num_conversations)
        assert isinstance(recent, RecentUtterances)
        sources = _flatten(*self._sources(batch, recent))
        encoded = self.encoder(self.table, sources, generator)
        replies = Replies.of(batch.replies())
        memory = Memory(encoded.outputs, encoded.positions)
        return reply_losses(self.table, self.decoder, replies, encoded.vectors, memory, generator)

    def start(self, num_conversations: int) -> RecentUtterances:
        """See `ReplyModel.start`."""
        turns, device = self.config.context_turns, self.table.weight.device
        return RecentUtterances(
            torch.zeros(num_conversations, turns, 0, dtype=torch.int64, device=device),
            torch.zeros(num_conversations, turns, dtype=torch.int64, device=device),
        )

    def observe(self, state: ContextState, utterances: Utterances) -> RecentUtterances:
        """See `ReplyModel.observe`."""
        assert isinstance(state, RecentUtterances)
        read = utterances.cut(self.config.max_utterance_tokens)
        latest = RecentUtterances(read.tokens[:, None], read.lengths.to(read.tokens.device)[:, None])
        if self.config.context_turns == 1:
            return latest
        time = max(state.tokens.shape[2], read.tokens.shape[1])
        tokens = torch.cat([_widen(state.tokens[:, 1:], time), _widen(latest.tokens, time)], dim=1)
        lengths = torch.cat([state.lengths[:, 1:], latest.lengths], dim=1)
        return RecentUtterances(tokens[:, :, : int(lengths.max())], lengths)

    def plan(
        self,
        state: ContextState,
        generators: Sequence[torch.Generator],
        latents: Tensor | None = None,
    ) -> DecoderState:
        """See `ReplyModel.plan`; nothing is drawn."""
        assert isinstance(state, RecentUtterances)
        if latents is not None:
            raise UsageError("seq2seq has no latent variable, so no latents can be given; leave them out")
        encoded: Encoded = self.encoder(self.table, _flatten(state.tokens, state.lengths))
        return self.decoder.begin(encoded.vectors, Memory(encoded.outputs, encoded.positions))

    def step(self, tokens: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """See `ReplyModel.step`."""
        assert isinstance(state, RecurrentDecoderState)
        features, after = self.decoder.step(self.table.embed(tokens), state)
        return self.table.logits(features), after

    def score(self, state: DecoderState, replies: Utterances) -> Tensor:
        """See `ReplyModel.score`."""
        assert isinstance(state, RecurrentDecoderState)
        return score_replies(self.table, self.decoder, state, replies)

    def _sources(self, batch: Batch, recent: RecentUtterances) -> tuple[Tensor, Tensor]:
        """Returns for each target its last turns: tokens (reply, turn, time) and lengths (reply, turn)."""
        turns = self.config.context_turns
        rows = torch.stack([batch.source_rows(back) for back in range(turns, 0, -1)], dim=1)
        used, places = rows.clamp(min=0).unique(return_inverse=True)
        read = batch.utterances.select(used).cut(self.config.max_utterance_tokens)
        time = max(recent.tokens.shape[2], read.tokens.shape[1])
        tokens = _widen(read.tokens, time)[places.to(batch.device)]
        lengths = read.lengths[places].masked_fill(rows < 0, 0).to(batch.device)
        if recent.tokens.shape[2] == 0:
            return tokens, lengths
        # A turn before the window stands in the state, `turns` of them, the latest last.
        earlier = torch.arange(turns)[None, :] + batch.target_turns[:, None]  # (reply, turn)
        column = earlier.clamp(max=turns - 1).to(batch.device)
        conversation = batch.target_conversations.to(batch.device)[:, None]
        outside = (rows < 0).to(batch.device)
        old = _widen(recent.tokens, time)[conversation, column]
        return (
            torch.where(outside[:, :, None], old, tokens),
            torch.where(outside, recent.lengths[conversation, column], lengths),
        )


def _widen(tokens: Tensor, time: int) -> Tensor:
    return torch.nn.functional.pad(tokens, (0, time - tokens.shape[-1]), value=PAD)


def _flatten(tokens: Tensor, lengths: Tensor) -> Utterances:
    """Joins the turns (row, turn, time) of each row into one sequence."""
    real = torch.arange(tokens.shape[2], device=tokens.device) < lengths[:, :, None]
    totals = lengths.sum(1)
    longest = int(totals.max()) if len(totals) else 0
    joined = tokens.new_full((len(tokens), longest), PAD)
    joined[torch.arange(longest, device=tokens.device) < totals[:, None]] = tokens[real]
    return Utterances(joined, totals.cpu())
