"""Seq2seq with attention: answers the last utterance and knows nothing of what was said before it.

Sutskever et al. 2014, "Sequence to Sequence Learning with Neural Networks"; Vinyals and Le 2015, "A Neural
Conversational Model"; attention by Luong et al. 2015.

    s = encoder(x),  h_0 = tanh(W s),  h_t = RNN(y_{t-1}, h_{t-1}),  p(y_t) = softmax(E h~_t)

The RNN is a GRU unless the config names another cell.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dialog.errors import UsageError
from dialog.models.base import ContextState, DecoderState, LossParts, ReplyModel
from dialog.models.config import setting
from dialog.models.decoder import Memory, RecurrentDecoderState, Replies, ReplyDecoder
from dialog.models.options import EncoderDecoderSettings
from dialog.models.parts import Encoded, TokenTable, UtteranceEncoder
from dialog.models.recent import RecentUtterances, join_turns, last_of
from dialog.models.scoring import reply_losses, score_replies
from dialog.text.batches import Batch, Utterances

__all__ = ["Seq2Seq", "Seq2SeqConfig"]


@dataclass(frozen=True)
class Seq2SeqConfig(EncoderDecoderSettings):
    """Sizes of a seq2seq model; each field says its unit."""

    context_turns: int = setting(1, "turns that are read, as one sequence; the last ones", minimum=1)
    max_context_tokens: int = setting(
        0, "tokens that are read of all these turns, the last ones; 0 for all", minimum=0
    )


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
        self.table = TokenTable(
            config.vocab_size, config.embedding_size, config.dropout, config.embedding_deviation
        )
        self.encoder = UtteranceEncoder(config, config.context_turns * config.max_utterance_tokens)
        size = self.encoder.output_size
        self.decoder = ReplyDecoder(config, condition_size=size, memory_size=size, at_every_step=False)

    def loss(self, batch: Batch, generator: torch.Generator, state: ContextState | None = None) -> LossParts:
        """See `ReplyModel.loss`."""
        recent = state or self.start(batch.num_conversations)
        assert isinstance(recent, RecentUtterances)
        sources = self._sources(*recent.before_targets(batch, self.config.max_utterance_tokens))
        encoded = self.encoder(self.table, sources, generator)
        replies = Replies.of(batch.replies())
        memory = Memory(encoded.outputs, encoded.positions)
        return reply_losses(self.table, self.decoder, replies, encoded.vectors, memory, generator)

    def start(self, num_conversations: int) -> RecentUtterances:
        """See `ReplyModel.start`."""
        return RecentUtterances.empty(num_conversations, self.config.context_turns, self.table.weight.device)

    def observe(self, state: ContextState, utterances: Utterances) -> RecentUtterances:
        """See `ReplyModel.observe`."""
        assert isinstance(state, RecentUtterances)
        return state.observe(utterances, self.config.max_utterance_tokens)

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
        encoded: Encoded = self.encoder(self.table, self._sources(state.tokens, state.lengths))
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

    def _sources(self, tokens: Tensor, lengths: Tensor) -> Utterances:
        """Returns what is read of turns (row, turn, time) of `lengths` (row, turn), as one sequence a row."""
        joined = join_turns(tokens, lengths)
        limit = self.config.max_context_tokens
        return last_of(joined, limit) if limit else joined
