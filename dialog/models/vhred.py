"""VHRED: HRED with a latent variable for each reply, so that the course of the reply varies.

Serban et al. 2017, "A Hierarchical Latent Variable Encoder-Decoder Model for Generating Dialogues":

    prior      p(z | c)    = N(loc_p(c), scale_p(c)^2)
    posterior  q(z | c, x) = N(loc_q([c; u(x)]), scale_q([c; u(x)])^2)
    log p(x | c)  >=  E_q log p(x | z, c)  -  KL(q || p)

The decoder gets [c; z] at every step. The optional bag-of-words loss asks z and c to tell which words the reply
has; see `models.words`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.distributions import Independent, Normal, kl_divergence

from dialog.layers.latent import DiagonalGaussian, draw
from dialog.models.base import (
    ContextState,
    DecoderState,
    LatentGaussians,
    LossParts,
    PosteriorKL,
    ReplyModel,
)
from dialog.models.decoder import RecurrentDecoderState, Replies, ReplyDecoder
from dialog.models.hierarchy import HierarchicalContext, HierarchicalState, Reading
from dialog.models.latent_options import LatentSettings
from dialog.models.parts import TokenTable, generators_noise
from dialog.models.sampled import sampled_replies
from dialog.models.scoring import reply_losses, score_replies
from dialog.models.weights import reply_log_weights
from dialog.models.words import BagOfWords
from dialog.text.batches import Batch, Utterances

__all__ = ["VHRED", "VHREDConfig"]


@dataclass(frozen=True)
class VHREDConfig(LatentSettings):
    """Sizes of a VHRED; each field says its unit."""


class VHRED(ReplyModel):
    """See the module's docstring.

    Args:
        config: sizes.
    """

    config_class = VHREDConfig
    config: VHREDConfig
    is_latent = True

    def __init__(self, config: VHREDConfig):
        super().__init__()
        self.config = config
        self.table = TokenTable(
            config.vocab_size, config.embedding_size, config.dropout, config.embedding_deviation
        )
        self.hierarchy = HierarchicalContext(config)
        utterance_size = self.hierarchy.encoder.output_size
        self.decoder = ReplyDecoder(
            config,
            condition_size=config.context_size + config.latent_size,
            memory_size=utterance_size,
            at_every_step=True,
            over_turns=config.attention_over == "tokens_then_turns",
        )
        sizes = config.latent_hidden_size, config.latent_size, config.variance_scale
        self.prior = DiagonalGaussian(config.context_size, *sizes)
        self.posterior = DiagonalGaussian(config.context_size + utterance_size, *sizes)
        if config.bag_of_words:
            self.words = BagOfWords(config.context_size + config.latent_size, config.embedding_size)

    def loss(self, batch: Batch, generator: torch.Generator, state: ContextState | None = None) -> LossParts:
        """See `ReplyModel.loss`."""
        reading, prior, posterior = self._infer(batch, generator, state)
        latents = draw(posterior, generator)
        condition = torch.cat([reading.contexts, latents.to(reading.contexts.dtype)], dim=1)
        replies = Replies.of(batch.replies())
        inputs = replies.drop_words(self.config.word_dropout, generator) if self.training else replies
        parts = reply_losses(self.table, self.decoder, inputs, condition, reading.memory, generator)
        kl = kl_divergence(posterior.base_dist, prior.base_dist)
        auxiliary = dict(parts.auxiliary)
        if self.config.bag_of_words and self.training:
            auxiliary["bag_of_words"] = self.words.losses(self.table, condition, replies)
        return replace(parts, kl=kl, auxiliary=auxiliary)

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
        """See `ReplyModel.plan`; z is drawn from the prior unless given."""
        assert isinstance(state, HierarchicalState)
        if latents is None:
            latents = self.latents_from(state, generators_noise(generators, self.noise_size, state.context))
        condition = torch.cat([state.context, latents.to(state.context)], dim=1)
        return self.decoder.begin(condition, self.hierarchy.memory_of(state), latents)

    @property
    def noise_size(self) -> int:
        """See `ReplyModel.noise_size`."""
        return self.config.latent_size

    def latents_from(self, state: ContextState, noise: Tensor) -> Tensor:
        """See `ReplyModel.latents_from`."""
        assert isinstance(state, HierarchicalState)
        prior = self.prior(state.context).base_dist
        latents: Tensor = prior.loc + prior.scale * noise.to(prior.loc)
        return latents

    def step(self, tokens: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """See `ReplyModel.step`."""
        assert isinstance(state, RecurrentDecoderState)
        features, after = self.decoder.step(self.table.embed(tokens), state)
        return self.table.logits(features), after

    def score(self, state: DecoderState, replies: Utterances) -> Tensor:
        """See `ReplyModel.score`."""
        assert isinstance(state, RecurrentDecoderState)
        return score_replies(self.table, self.decoder, state, replies)

    @torch.no_grad()
    def log_weights(
        self,
        batch: Batch,
        num_samples: int,
        generator: torch.Generator,
        state: ContextState | None = None,
        from_prior: bool = False,
    ) -> Tensor:
        """See `ReplyModel.log_weights`; float64."""
        reading, prior, posterior = self._infer(batch, generator, state)
        utterances = batch.replies()
        replies = sampled_replies(self.table, self.decoder, utterances, reading.contexts, reading.memory)
        return reply_log_weights(replies, prior, posterior, num_samples, generator, from_prior)

    def posterior_kl(self, batch: Batch, generator: torch.Generator) -> PosteriorKL:
        """See `ReplyModel.posterior_kl`."""
        _, prior, posterior = self._infer(batch, generator, None)
        return PosteriorKL(kl_divergence(posterior.base_dist, prior.base_dist))

    @torch.no_grad()
    def describe_latents(
        self, batch: Batch, state: ContextState | None = None, generator: torch.Generator | None = None
    ) -> LatentGaussians:
        """See `ReplyModel.describe_latents`; nothing is drawn."""
        _, prior, posterior = self._infer(batch, torch.Generator(batch.device), state)
        return LatentGaussians.of(prior, posterior)

    def _infer(
        self, batch: Batch, generator: torch.Generator, state: ContextState | None
    ) -> tuple[Reading, "Independent[Normal]", "Independent[Normal]"]:
        assert state is None or isinstance(state, HierarchicalState)
        reading = self.hierarchy.read(self.table, batch, generator, state, with_targets=True)
        assert reading.targets is not None
        prior = self.prior(reading.contexts)
        posterior = self.posterior(torch.cat([reading.contexts, reading.targets], dim=1))
        return reading, prior, posterior
