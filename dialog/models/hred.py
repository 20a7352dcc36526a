"""HRED: a context RNN over the utterances, so that a reply follows the whole conversation.

Serban et al. 2016, "Building End-To-End Dialogue Systems Using Generative Hierarchical Neural Network
Models"; the reply gets the context at every step, and attends over the last utterances as well.

    u_n = encoder(x_n),  c_n = GRU(u_n, c_{n-1}),  h_0 = tanh(W c),  h_t = GRU([y_{t-1}; c], h_{t-1})
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dialog.errors import UsageError
from dialog.models.base import ContextState, DecoderState, LossParts, ReplyModel
from dialog.models.config import Settings, setting
from dialog.models.hierarchy import HierarchicalContext, HierarchicalState
from dialog.models.parts import RecurrentDecoderState, Replies, ReplyDecoder, TokenTable, UtteranceEncoder
from dialog.models.scoring import reply_losses, score_replies
from dialog.text.batches import Batch, Utterances

__all__ = ["HRED", "HREDConfig"]


@dataclass(frozen=True)
class HREDConfig(Settings):
    """Sizes of an HRED; each field says its unit."""

    vocab_size: int = setting(8000, "tokens that the tokenizer knows; taken from the corpus", minimum=5)
    embedding_size: int = setting(256, "numbers for a token", minimum=1, below=16_385)
    hidden_size: int = setting(
        256,
        "numbers of the decoder's state and of an encoded token; even",
        minimum=2,
        below=16_385,
        multiple_of=2,
    )
    context_size: int = setting(256, "numbers of the context RNN's state", minimum=1, below=16_385)
    encoder_layers: int = setting(1, "layers of the utterance encoder", minimum=1, below=9)
    decoder_layers: int = setting(1, "layers of the decoder", minimum=1, below=9)
    attention_turns: int = setting(1, "last turns whose tokens a reply attends over", minimum=1)
    max_utterance_tokens: int = setting(64, "tokens of an utterance that are read, the first ones", minimum=2)
    dropout: float = setting(0.1, "share of values dropped in training", minimum=0.0, below=1.0)


class HRED(ReplyModel):
    """See the module's docstring.

    Args:
        config: sizes.
    """

    config_class = HREDConfig
    config: HREDConfig

    def __init__(self, config: HREDConfig):
        super().__init__()
        self.config = config
        self.table = TokenTable(config.vocab_size, config.embedding_size, config.dropout)
        encoder = UtteranceEncoder(
            config.embedding_size,
            config.hidden_size,
            config.encoder_layers,
            config.max_utterance_tokens,
            config.dropout,
        )
        self.hierarchy = HierarchicalContext(encoder, config.context_size, config.attention_turns)
        self.decoder = ReplyDecoder(
            config.embedding_size,
            config.hidden_size,
            config.decoder_layers,
            condition_size=config.context_size,
            memory_size=encoder.output_size,
            at_every_step=True,
            dropout_rate=config.dropout,
        )

    def loss(self, batch: Batch, generator: torch.Generator, state: ContextState | None = None) -> LossParts:
        """See `ReplyModel.loss`."""
        assert state is None or isinstance(state, HierarchicalState)
        reading = self.hierarchy.read(self.table, batch, generator, state)
        replies = Replies.of(batch.replies())
        return reply_losses(self.table, self.decoder, replies, reading.contexts, reading.memory, generator)

    def start(self, num_conversations: int) -> HierarchicalState:
        """See `ReplyModel.start`."""
        return self.hierarchy.start(num_conversations)

    def observe(self, state: ContextState, utterances: Utterances) -> HierarchicalState:
        """See `ReplyModel.observe`."""
        assert isinstance(state, HierarchicalState)
        return self.hierarchy.observe(self.table, state, utterances)

    def plan(
        self,
        state: ContextState,
        generators: Sequence[torch.Generator],
        latents: Tensor | None = None,
    ) -> DecoderState:
        """See `ReplyModel.plan`; nothing is drawn."""
        assert isinstance(state, HierarchicalState)
        if latents is not None:
            raise UsageError("HRED has no latent variable, so no latents can be given; leave them out")
        return self.decoder.begin(state.context, self.hierarchy.memory_of(state))

    def step(self, tokens: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """See `ReplyModel.step`."""
        assert isinstance(state, RecurrentDecoderState)
        features, after = self.decoder.step(self.table.embed(tokens), state)
        return self.table.logits(features), after

    def score(self, state: DecoderState, replies: Utterances) -> Tensor:
        """See `ReplyModel.score`."""
        assert isinstance(state, RecurrentDecoderState)
        return score_replies(self.table, self.decoder, state, replies)
