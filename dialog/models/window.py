"""The feed-forward window model: the next token from the last few, whoever said them.

Bengio et al. 2003, "A Neural Probabilistic Language Model", without the direct connections from the input to the
output; the output layer is tied to the embedding, as in the other models. What recurrent networks are taught
against: what was said before the window is unknown to it.

    x_t = [C(y_{t-n}); ...; C(y_{t-1})],   p(y_t) = softmax(C (U tanh(H x_t + d) + b))

The tokens of the context stand before the reply's own, the start token between them; a place before the
conversation's begin is a vector of zeros.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dialog.errors import UsageError
from dialog.layers.dropout import dropout
from dialog.layers.window import WindowLayer
from dialog.models.base import ContextState, DecoderState, LossParts, ReplyModel
from dialog.models.config import Settings, setting
from dialog.models.decoder import Replies
from dialog.models.parts import TokenTable
from dialog.text.batches import BOS, PAD, Batch, Utterances

__all__ = ["WindowConfig", "WindowDecoderState", "WindowModel", "WindowState"]


@dataclass(frozen=True)
class WindowConfig(Settings):
    """Sizes of a window model; each field says its unit."""

    vocab_size: int = setting(8000, "tokens that the tokenizer knows; taken from the corpus", minimum=5)
    embedding_size: int = setting(256, "numbers for a token", minimum=1, below=16_385)
    hidden_size: int = setting(512, "numbers of the layer over the window", minimum=1, below=16_385)
    window_tokens: int = setting(24, "last tokens that the next one is told from", minimum=1, below=1025)
    max_utterance_tokens: int = setting(64, "tokens of an utterance that are read, the first ones", minimum=2)
    dropout: float = setting(0.1, "share of values dropped in training", minimum=0.0, below=1.0)


@dataclass(frozen=True, slots=True)
class WindowState(ContextState):
    """The last tokens of a conversation.

    Attributes:
        tokens: (conversation, window - 1) int64, the latest last, `PAD` before the conversation's begin.
    """

    tokens: Tensor


@dataclass(frozen=True, slots=True)
class WindowDecoderState(DecoderState):
    """The last tokens before the one that is read next.

    Attributes:
        tokens: (row, window - 1) int64, the latest last.
        latents: None.
        attention: None, there is nothing to look at.
    """

    tokens: Tensor
    latents: Tensor | None = None
    attention: Tensor | None = None


class WindowModel(ReplyModel):
    """See the module's docstring.

    Args:
        config: sizes.
    """

    config_class = WindowConfig
    config: WindowConfig

    def __init__(self, config: WindowConfig):
        super().__init__()
        self.config = config
        self.table = TokenTable(config.vocab_size, config.embedding_size, dropout_rate=0.0)
        self.layer = WindowLayer(config.embedding_size, config.hidden_size, config.window_tokens)
        self.combine = nn.Linear(config.hidden_size, config.embedding_size)

    def loss(self, batch: Batch, generator: torch.Generator, state: ContextState | None = None) -> LossParts:
        """See `ReplyModel.loss`."""
        before = state or self.start(batch.num_conversations)
        assert isinstance(before, WindowState)
        utterances = batch.replies()
        replies = Replies.of(utterances)
        nll, uniform = self._losses(self._tokens_before(batch, before), utterances, replies, generator)
        auxiliary = {"uniform": replies.packing.sum_rows(uniform)} if self.training else {}
        return LossParts(replies.packing.sum_rows(nll), replies.num_tokens, auxiliary=auxiliary)

    def start(self, num_conversations: int) -> WindowState:
        """See `ReplyModel.start`."""
        shape = num_conversations, self.config.window_tokens - 1
        return WindowState(torch.full(shape, PAD, device=self.table.weight.device))

    def observe(self, state: ContextState, utterances: Utterances) -> WindowState:
        """See `ReplyModel.observe`; nothing is computed yet."""
        assert isinstance(state, WindowState)
        read = utterances.cut(self.config.max_utterance_tokens)
        kept = state.tokens.shape[1]
        # The last ones of [state; utterance] are those that begin as many places on as the utterance is long.
        places = (
            torch.arange(kept, device=state.tokens.device) + read.lengths.to(state.tokens.device)[:, None]
        )
        return WindowState(torch.cat([state.tokens, read.tokens], dim=1).gather(1, places))

    def plan(
        self,
        state: ContextState,
        generators: Sequence[torch.Generator],
        latents: Tensor | None = None,
    ) -> DecoderState:
        """See `ReplyModel.plan`; nothing is drawn, and there is nothing to attend over."""
        assert isinstance(state, WindowState)
        if latents is not None:
            raise UsageError("window has no latent variable, so no latents can be given; leave them out")
        return WindowDecoderState(state.tokens)

    def step(self, tokens: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """See `ReplyModel.step`."""
        assert isinstance(state, WindowDecoderState)
        windows = torch.cat([state.tokens, tokens[:, None]], dim=1)
        return self.table.logits(self._features(windows, None)), WindowDecoderState(windows[:, 1:])

    def score(self, state: DecoderState, replies: Utterances) -> Tensor:
        """See `ReplyModel.score`."""
        assert isinstance(state, WindowDecoderState)
        laid_out = Replies.of(replies)
        nll, _ = self._losses(state.tokens, replies, laid_out, None)
        return laid_out.packing.pad(-nll, replies.tokens.shape[1])

    def _tokens_before(self, batch: Batch, state: WindowState) -> Tensor:
        """Returns the last tokens (reply, window - 1) before each target; the state's stand before the windows'."""
        device, kept = batch.device, state.tokens.shape[1]
        read = batch.utterances.cut(self.config.max_utterance_tokens)
        # Rows stand conversation by conversation, so all that was said is one line of tokens.
        line = read.tokens[
            torch.arange(read.tokens.shape[1], device=device) < read.lengths.to(device)[:, None]
        ]
        begins = read.lengths.cumsum(0) - read.lengths  # (utterance,)
        here = begins[batch.targets][:, None].to(device)
        first = begins[batch.rows[batch.target_conversations, 0]][:, None].to(device)
        places = here - torch.arange(kept, 0, -1, device=device)  # (reply, place)
        columns = (kept + places - first).clamp(0, max(kept - 1, 0))
        earlier = state.tokens[batch.target_conversations.to(device)].gather(1, columns)
        return torch.where(places >= first, line[places.clamp(min=0)], earlier)

    def _losses(
        self, before: Tensor, utterances: Utterances, replies: Replies, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        """Returns the cross-entropy of each target token, and against the uniform distribution, in nats.

        Args:
            before: (reply, window - 1), the tokens before each reply.
            utterances: the replies.
            replies: the same, laid out.
            generator: draws dropout, in training.
        """
        start = torch.full_like(utterances.tokens[:, :1], BOS)
        line = torch.cat([before, start, utterances.tokens[:, :-1]], dim=1)
        windows = replies.packing.pack(line.unfold(1, self.config.window_tokens, 1))  # (token, window)
        return self.table.losses(self._features(windows, generator), replies.targets)

    def _features(self, windows: Tensor, generator: torch.Generator | None) -> Tensor:
        """Returns (row, size) for windows of tokens (row, window)."""
        different, places = windows.unique(return_inverse=True)
        embedded = self.table.embed(different) * (different != PAD)[:, None]
        hidden = dropout(self.layer(embedded, places), self.config.dropout, generator, self.training)
        return self.combine(hidden)  # type: ignore[no-any-return]
