"""A recurrent language model: how probable a reply is whatever was said before it.

Mikolov et al. 2010, "Recurrent Neural Network Based Language Model"; here with an output layer that is tied to
the embedding, as in the other models. It is trained on the targets alone. What it finds probable is dull
before it is anything else, which is what reranking by it is for (Li et al. 2016, "A Diversity-Promoting
Objective Function for Neural Conversation Models", U(T)).

    h_t = RNN(y_{t-1}, h_{t-1}),  h_0 = 0,  p(y_t) = softmax(E tanh(W h_t + b))

It keeps every promise of a reply model; its context is empty, however much is observed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dialog.errors import UsageError
from dialog.layers.dropout import dropout
from dialog.layers.stack import Stack
from dialog.models.base import ContextState, DecoderState, LossParts, ReplyModel
from dialog.models.decoder import RecurrentDecoderState, Replies
from dialog.models.options import RecurrentSettings
from dialog.models.parts import TokenTable
from dialog.text.batches import Batch, Utterances

__all__ = ["LanguageModel", "LanguageModelConfig"]


@dataclass(frozen=True)
class LanguageModelConfig(RecurrentSettings):
    """Sizes of a language model; each field says its unit."""


@dataclass(frozen=True, slots=True)
class NoContext(ContextState):
    """Counts conversations, and keeps nothing of them.

    Attributes:
        nothing: (conversation, 0).
    """

    nothing: Tensor


class LanguageModel(ReplyModel):
    """See the module's docstring.

    Args:
        config: sizes.
    """

    config_class = LanguageModelConfig
    config: LanguageModelConfig

    def __init__(self, config: LanguageModelConfig):
        super().__init__()
        self.config = config
        self.table = TokenTable(
            config.vocab_size, config.embedding_size, config.dropout, config.embedding_deviation
        )
        self.rnn = Stack(config.decoder_stack(), config.embedding_size, config.hidden_size)
        self.combine = nn.Linear(config.hidden_size, config.embedding_size)

    def loss(self, batch: Batch, generator: torch.Generator, state: ContextState | None = None) -> LossParts:
        """See `ReplyModel.loss`; the state is ignored."""
        replies = Replies.of(batch.replies())
        nll, uniform = self._losses(replies, None, generator)
        auxiliary = {"uniform": replies.packing.sum_rows(uniform)} if self.training else {}
        return LossParts(replies.packing.sum_rows(nll), replies.num_tokens, auxiliary=auxiliary)

    def start(self, num_conversations: int) -> NoContext:
        """See `ReplyModel.start`."""
        return NoContext(self.table.weight.new_zeros(num_conversations, 0))

    def observe(self, state: ContextState, utterances: Utterances) -> NoContext:
        """See `ReplyModel.observe`; nothing is read."""
        assert isinstance(state, NoContext)
        return state

    def plan(
        self,
        state: ContextState,
        generators: Sequence[torch.Generator],
        latents: Tensor | None = None,
    ) -> DecoderState:
        """See `ReplyModel.plan`; nothing is drawn, and there is nothing to attend over."""
        if latents is not None:
            raise UsageError("lm has no latent variable, so no latents can be given; leave them out")
        hidden = self.table.weight.new_zeros(state.num_rows, self.rnn.num_layers, self.rnn.state_size)
        nothing = hidden.new_zeros(state.num_rows, 0, self.config.hidden_size)
        return RecurrentDecoderState(
            hidden, None, None, nothing, nothing, nothing.new_zeros(nothing.shape[:2]).bool()
        )

    def step(self, tokens: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """See `ReplyModel.step`."""
        assert isinstance(state, RecurrentDecoderState)
        output, hidden = self.rnn.step(self.table.embed(tokens), state.hidden)
        after = RecurrentDecoderState(hidden, None, None, state.key, state.value, state.mask)
        return self.table.logits(torch.tanh(self.combine(output))), after

    def score(self, state: DecoderState, replies: Utterances) -> Tensor:
        """See `ReplyModel.score`."""
        assert isinstance(state, RecurrentDecoderState)
        laid_out = Replies.of(replies)
        nll, _ = self._losses(laid_out, state.hidden, None)
        return laid_out.packing.pad(-nll, replies.tokens.shape[1])

    def _losses(
        self, replies: Replies, hidden: Tensor | None, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        """Returns the cross-entropy of each target token, and against the uniform distribution, in nats."""
        embedded = self.table.embed(replies.inputs, generator)
        outputs = self.rnn(embedded, replies.packing, hidden, generator=generator)
        features = dropout(torch.tanh(self.combine(outputs)), self.config.dropout, generator, self.training)
        return self.table.losses(features, replies.targets)
