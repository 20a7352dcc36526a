"""HRED: a context RNN over the utterances, so that a reply follows the whole conversation.

Serban et al. 2016, "Building End-To-End Dialogue Systems Using Generative Hierarchical Neural Network
Models"; the reply gets the context at every step, and attends over the last utterances as well.

    u_n = encoder(x_n),  c_n = RNN(u_n, c_{n-1}),  h_0 = tanh(W c),  h_t = RNN([y_{t-1}; c], h_{t-1})

The RNNs are GRUs unless the config names other cells. With `attention_over=turns` and several `attention_turns` it
attends as WSeq does (Tian et al. 2017), with `tokens_then_turns` as HRAN (Xing et al. 2018); see `docs/attention.md`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dialog.errors import UsageError
from dialog.models.base import ContextState, DecoderState, LossParts, ReplyModel
from dialog.models.decoder import RecurrentDecoderState, Replies, ReplyDecoder
from dialog.models.hierarchy import HierarchicalContext, HierarchicalState
from dialog.models.options import HierarchicalSettings
from dialog.models.parts import TokenTable
from dialog.models.scoring import reply_losses, score_replies
from dialog.text.batches import Batch, Utterances

__all__ = ["HRED", "HREDConfig"]


@dataclass(frozen=True)
class HREDConfig(HierarchicalSettings):
    """Sizes of an HRED; each field says its unit."""


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
        self.table = TokenTable(
            config.vocab_size, config.embedding_size, config.dropout, config.embedding_deviation
        )
        self.hierarchy = HierarchicalContext(config)
        self.decoder = ReplyDecoder(
            config,
            condition_size=config.context_size,
            memory_size=self.hierarchy.encoder.output_size,
            at_every_step=True,
            over_turns=config.attention_over == "tokens_then_turns",
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
