"""An autoencoder of utterances: says an utterance again from a vector of a few numbers, its code.

The sequence autoencoder of Dai and Le 2015, "Semi-supervised Sequence Learning", section 2, with the decoder of Cho et
al. 2014, "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine Translation", section
2.2, which is given the code at every step.

    u = encoder(x),   c = W_c u + b,   log p(x | c) = sum_t log p(x_t | x_1 … x_{t-1}, c)

The code is all that passes from encoder to decoder: where it has too few numbers for all that is said, utterances of
like meaning or like words come to share them. Nothing makes codes that stand between two utterances, or are drawn at
random, stand for any utterance; that is what the variational one is for (`models.vae`).

What a target x costs in `loss` is `score` of x after `start`, `observe` of x itself, and `plan`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dialog.layers.between import linear
from dialog.models.base import ContextState, LossParts
from dialog.models.config import setting
from dialog.models.decoder import Replies
from dialog.models.scoring import reply_losses
from dialog.models.utterances import UtteranceAutoencoder, UtteranceSettings, nothing_to_look_at
from dialog.text.batches import Batch

__all__ = ["Autoencoder", "AutoencoderConfig"]


@dataclass(frozen=True)
class AutoencoderConfig(UtteranceSettings):
    """Sizes of an autoencoder; each field says its unit."""

    code_size: int = setting(100, "numbers of an utterance's code", minimum=1, below=16_385)


class Autoencoder(UtteranceAutoencoder):
    """See the module's docstring.

    Args:
        config: sizes.
    """

    config_class = AutoencoderConfig
    config: AutoencoderConfig

    def __init__(self, config: AutoencoderConfig):
        super().__init__(config, config.code_size)
        self.code = nn.Linear(self.encoder.output_size, config.code_size)

    def loss(self, batch: Batch, generator: torch.Generator, state: ContextState | None = None) -> LossParts:
        """See `ReplyModel.loss`; the state is ignored."""
        utterances = batch.replies()
        codes = self.code(self.encoder(self.table, utterances, generator).vectors)
        memory = nothing_to_look_at(codes)
        return reply_losses(self.table, self.decoder, Replies.of(utterances), codes, memory, generator)

    def codes(self, state: ContextState, generators: Sequence[torch.Generator]) -> Tensor:
        """See `UtteranceAutoencoder.codes`; nothing is drawn."""
        codes: Tensor = self.code(self.encoder(self.table, self.last(state)).vectors)
        return codes

    def between(self, first: Tensor, last: Tensor, shares: Tensor) -> Tensor:
        """See `UtteranceAutoencoder.between`; on the line, for no length of a code is more usual than another."""
        return linear(first, last, shares)
