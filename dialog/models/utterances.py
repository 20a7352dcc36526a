"""What autoencoders of utterances share: an utterance in, one vector between, the same utterance out.

    u = encoder(x),  code c of u,  h_0 = tanh(W c),  h_t = RNN([y_{t-1}; c], h_{t-1}),  p(y_t) = softmax(E f_t)

All that the decoder knows of x is c, which it is given at every step; it looks at nothing, so there is no attention
to choose. x is any target of a batch. Nothing that was said before it is read.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

import torch
from torch import Tensor

from dialog.errors import UsageError
from dialog.models.base import ContextState, DecoderState, ReplyModel
from dialog.models.decoder import Memory, RecurrentDecoderState, ReplyDecoder
from dialog.models.options import EncoderSettings, HierarchicalSettings
from dialog.models.parts import TokenTable, UtteranceEncoder
from dialog.models.recent import RecentUtterances, join_turns
from dialog.models.scoring import score_replies
from dialog.text.batches import Utterances

__all__ = ["UtteranceAutoencoder", "UtteranceSettings", "nothing_to_look_at"]

_OF_OTHERS = {field.name for field in fields(HierarchicalSettings)} - {
    f.name for f in fields(EncoderSettings)
}


def _why_not(name: str) -> str:
    if "attention" in name or name.startswith("hard_"):
        return "it must say the utterance again from its code alone, and attention would look past the code"
    return "it reads one utterance, and no context before it"


@dataclass(frozen=True)
class UtteranceSettings(EncoderSettings):
    """Sizes and kind of an encoder and a decoder with one vector between; each field says its unit."""

    refused: ClassVar = {**EncoderSettings.refused, **{name: _why_not(name) for name in sorted(_OF_OTHERS)}}


class UtteranceAutoencoder(ReplyModel):
    """The promises that autoencoders keep alike, and two more: `codes` and `between`.

    Args:
        config: sizes.
        code_size: numbers of a code.
    """

    config: UtteranceSettings

    def __init__(self, config: UtteranceSettings, code_size: int):
        super().__init__()
        self.config, self.code_size = config, code_size
        self.table = TokenTable(
            config.vocab_size, config.embedding_size, config.dropout, config.embedding_deviation
        )
        self.encoder = UtteranceEncoder(config, config.max_utterance_tokens)
        self.decoder = ReplyDecoder(config, condition_size=code_size, memory_size=0, at_every_step=True)

    @abstractmethod
    def codes(self, state: ContextState, generators: Sequence[torch.Generator]) -> Tensor:
        """Returns the codes that `plan` decodes from, (row, code).

        Args:
            state: from `observe`.
            generators: one on the CPU for each row; draws the code, if it is drawn.
        """

    @abstractmethod
    def between(self, first: Tensor, last: Tensor, shares: Tensor) -> Tensor:
        """Returns codes on the way from one to another, (row, code).

        Args:
            first: (row, code).
            last: (row, code).
            shares: (row,) of the way, 0 is the first and 1 the last.
        """

    def start(self, num_conversations: int) -> RecentUtterances:
        """See `ReplyModel.start`."""
        return RecentUtterances.empty(num_conversations, 1, self.table.weight.device)

    def observe(self, state: ContextState, utterances: Utterances) -> RecentUtterances:
        """See `ReplyModel.observe`; only the last utterance is kept."""
        assert isinstance(state, RecentUtterances)
        return state.observe(utterances, self.config.max_utterance_tokens)

    def plan(
        self,
        state: ContextState,
        generators: Sequence[torch.Generator],
        latents: Tensor | None = None,
    ) -> DecoderState:
        """See `ReplyModel.plan`: starts to say the last utterance again.

        Args:
            state: a row for each text to say.
            generators: for `codes`.
            latents: (row, code) to decode from instead of the utterances' own `codes`.

        Raises:
            UsageError: latents are of another size.
        """
        if latents is not None and latents.shape[1] != self.code_size:
            raise UsageError(
                f"codes of {latents.shape[1]} numbers were given, but those of this model have {self.code_size}"
            )
        codes = self.codes(state, generators) if latents is None else latents
        condition = codes.to(self.table.weight)
        return self.decoder.begin(condition, nothing_to_look_at(condition), codes if self.is_latent else None)

    def step(self, tokens: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """See `ReplyModel.step`."""
        assert isinstance(state, RecurrentDecoderState)
        features, after = self.decoder.step(self.table.embed(tokens), state)
        return self.table.logits(features), after

    def score(self, state: DecoderState, replies: Utterances) -> Tensor:
        """See `ReplyModel.score`."""
        assert isinstance(state, RecurrentDecoderState)
        return score_replies(self.table, self.decoder, state, replies)

    def last(self, state: ContextState) -> Utterances:
        """Returns the last utterance of each conversation, a row without tokens where there is none."""
        assert isinstance(state, RecentUtterances)
        return join_turns(state.tokens, state.lengths)


def nothing_to_look_at(codes: Tensor) -> Memory:
    """Returns the memory of a decoder that knows codes (row, code) alone."""
    positions = torch.empty(len(codes), 0, dtype=torch.int64, device=codes.device)
    return Memory(codes[:0, :0], positions)
