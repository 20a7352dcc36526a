"""A variational autoencoder of utterances: its codes fill a known distribution, so that it can be drawn from.

Bowman et al. 2016, "Generating Sentences from a Continuous Space":

    prior      p(z)     = N(0, I)
    posterior  q(z | x) = N(loc(u), scale(u)^2),   u = encoder(x)
    log p(x)  >=  E_q log p(x | z)  -  KL(q || p)

z is the code that the decoder is given at every step. Where a decoder that knows the words before does well without
z, training lets it collapse; against that stand word dropout and the annealing of the KL (sections 3.1 and 3.2 there),
and the free bits and the bag-of-words loss of the other latent models; see `docs/latent.md`. Here the posterior has
two tanh layers above the encoder, as that of the others, and the variance of an untrained one is near the prior's.

What a target x costs in `loss` is `score` of x after `start`, `observe` of x itself, and `plan` with the z that was
drawn. `plan` draws z from q(z | last utterance), or from p(z) where nothing was observed: that is how texts are drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.distributions import kl_divergence

from dialog.layers.between import spherical
from dialog.layers.latent import TO_UNIT_VARIANCE, DiagonalGaussian, draw, standard_gaussian
from dialog.models.base import ContextState, LatentGaussians, LossParts, PosteriorKL
from dialog.models.config import setting
from dialog.models.decoder import Replies
from dialog.models.parts import generators_noise
from dialog.models.sampled import sampled_replies
from dialog.models.scoring import reply_losses
from dialog.models.utterances import UtteranceAutoencoder, UtteranceSettings, nothing_to_look_at
from dialog.models.weights import reply_log_weights
from dialog.models.words import BagOfWords
from dialog.text.batches import Batch, Utterances

if TYPE_CHECKING:
    from torch.distributions import Independent, Normal

__all__ = ["VAE", "VAEConfig"]

_LARGEST = 16_385


@dataclass(frozen=True)
class VAEConfig(UtteranceSettings):
    """Sizes of a variational autoencoder; each field says its unit."""

    latent_size: int = setting(64, "dimensions of z, the code of an utterance", minimum=1, below=_LARGEST)
    latent_hidden_size: int = setting(
        200, "numbers of each tanh layer of the posterior", minimum=1, below=_LARGEST
    )
    word_dropout: float = setting(
        0.25, "share of the decoder's input tokens made unknown in training", minimum=0.0, below=1.0
    )
    bag_of_words: bool = setting(False, "whether z must also tell the utterance's words, unordered")


class VAE(UtteranceAutoencoder):
    """See the module's docstring.

    Args:
        config: sizes.
    """

    config_class = VAEConfig
    config: VAEConfig
    is_latent = True

    def __init__(self, config: VAEConfig):
        super().__init__(config, config.latent_size)
        sizes = config.latent_hidden_size, config.latent_size
        self.posterior = DiagonalGaussian(self.encoder.output_size, *sizes, TO_UNIT_VARIANCE)
        if config.bag_of_words:
            self.words = BagOfWords(config.latent_size, config.embedding_size)

    def loss(self, batch: Batch, generator: torch.Generator, state: ContextState | None = None) -> LossParts:
        """See `ReplyModel.loss`; the state is ignored."""
        utterances = batch.replies()
        prior, posterior = self._infer(utterances, generator)
        latents = draw(posterior, generator)
        replies = Replies.of(utterances)
        inputs = replies.drop_words(self.config.word_dropout, generator) if self.training else replies
        memory = nothing_to_look_at(latents)
        parts = reply_losses(self.table, self.decoder, inputs, latents, memory, generator)
        kl = kl_divergence(posterior.base_dist, prior.base_dist)
        auxiliary = dict(parts.auxiliary)
        if self.config.bag_of_words and self.training:
            auxiliary["bag_of_words"] = self.words.losses(self.table, latents, replies)
        return replace(parts, kl=kl, auxiliary=auxiliary)

    def codes(self, state: ContextState, generators: Sequence[torch.Generator]) -> Tensor:
        """See `UtteranceAutoencoder.codes`; z is drawn from the posterior, or from the prior of no utterance."""
        rows = self.table.weight.new_empty(state.num_rows, 0)
        return self.latents_from(state, generators_noise(generators, self.noise_size, rows))

    @property
    def noise_size(self) -> int:
        """See `ReplyModel.noise_size`."""
        return self.code_size

    def latents_from(self, state: ContextState, noise: Tensor) -> Tensor:
        """See `ReplyModel.latents_from`; of the posterior, or of the prior of no utterance, as `codes` draws."""
        read = self.last(state)
        posterior = self.posterior(self.encoder(self.table, read).vectors).base_dist
        is_nothing = (read.lengths == 0).to(posterior.loc.device)[:, None]
        noise = noise.to(posterior.loc)
        latents: Tensor = torch.where(is_nothing, noise, posterior.loc + posterior.scale * noise)
        return latents

    def between(self, first: Tensor, last: Tensor, shares: Tensor) -> Tensor:
        """See `UtteranceAutoencoder.between`; on the arc.

        Draws from N(0, I) of many dimensions are nearly all of one length. The middle of the line between two of them
        is shorter by three tenths, and the decoder has met no such z; that of the arc is as long as they are.
        """
        return spherical(first, last, shares)

    @torch.no_grad()
    def log_weights(
        self,
        batch: Batch,
        num_samples: int,
        generator: torch.Generator,
        state: ContextState | None = None,
        from_prior: bool = False,
    ) -> Tensor:
        """See `ReplyModel.log_weights`; the state is ignored."""
        utterances = batch.replies()
        prior, posterior = self._infer(utterances, generator)
        memory = nothing_to_look_at(prior.mean)
        nothing = prior.mean[:, :0]  # of the decoder's condition all depends on the sample
        replies = sampled_replies(self.table, self.decoder, utterances, nothing, memory)
        return reply_log_weights(replies, prior, posterior, num_samples, generator, from_prior)

    def posterior_kl(self, batch: Batch, generator: torch.Generator) -> PosteriorKL:
        """See `ReplyModel.posterior_kl`."""
        prior, posterior = self._infer(batch.replies(), generator)
        return PosteriorKL(kl_divergence(posterior.base_dist, prior.base_dist))

    @torch.no_grad()
    def describe_latents(
        self, batch: Batch, state: ContextState | None = None, generator: torch.Generator | None = None
    ) -> LatentGaussians:
        """See `ReplyModel.describe_latents`; nothing is drawn."""
        return LatentGaussians.of(*self._infer(batch.replies(), torch.Generator(batch.device)))

    def _infer(
        self, utterances: Utterances, generator: torch.Generator
    ) -> tuple["Independent[Normal]", "Independent[Normal]"]:
        """Returns the prior and the posterior of each utterance's z, (reply, latent)."""
        posterior = self.posterior(self.encoder(self.table, utterances, generator).vectors)
        return standard_gaussian(posterior.mean), posterior
