"""VHCR: VHRED with a further latent variable that all replies of a conversation share.

Park, Cho and Kim 2018, "A Hierarchical Latent Structure for Variational Conversation Modeling":

    prior      p(z_conv) = N(0, I),                  p(z_t | h_t, z_conv)
    posterior  q(z_conv | x_1 … x_n),                q(z_t | h_t, x_t, z_conv)
    log p(x_2 … x_n | x_1)  >=  E_q sum_t [ log p(x_t | h_t, z_t, z_conv) - KL_t ] - KL(q(z_conv | x) || N(0, I))

h_t is the context RNN's state before x_t (see `models.conversational`); the decoder gets [h_t; z_t; z_conv] at every
step. In training each utterance that the context RNN hears is unknown with the probability `utterance_dropout`, so that
z_conv has something to tell; both posteriors hear all.

*What a conversation is.* One z_conv holds for a window of a batch: a conversation that is cut into windows is so many
conversations here, each with a z_conv and a bound of its own. Utterances that were observed before a window are its
beginning: q(z_conv) reads as many of them as are kept, and none of them is scored. Replies of a window are not
independent given the words, so `log_weights` has a row a window, and bounds are a conversation's.

*In a chat* nobody knows the rest of the conversation. For each reply z_conv is drawn from q(z_conv | the kept
utterances), from N(0, I) before the first one, and z_t from its prior then. That is how the paper's authors generate,
and it is another distribution than p(reply | context) under the model, which the bounds are of.

*What is equal.* Given z_conv and z_t, `step`, `score` and `loss` agree on each reply, whether the utterances before it
stand in the window or were observed, however windows are cut. Without given latents they do not: `loss` draws z_conv
from a posterior that has read the targets, and once a window.

Latents are named in one row, [z_conv; z_t]: `plan` takes them so, and a DecoderState has them so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.distributions import Independent, Normal, kl_divergence

from dialog.errors import UsageError
from dialog.layers.latent import DiagonalGaussian, draw, log_ratio, repeated, standard_gaussian
from dialog.models.base import (
    ContextState,
    DecoderState,
    LatentGaussians,
    LossParts,
    PosteriorKL,
    ReplyModel,
)
from dialog.models.conversational import ConversationContext, ConversationReading, ConversationState
from dialog.models.decoder import RecurrentDecoderState, Replies, ReplyDecoder
from dialog.models.latent_options import ConversationSettings
from dialog.models.parts import TokenTable, generators_noise
from dialog.models.sampled import chunks, sampled_replies
from dialog.models.scoring import reply_losses, score_replies
from dialog.models.windows import Windows
from dialog.models.words import BagOfWords
from dialog.text.batches import Batch, Utterances

__all__ = ["VHCR", "VHCRConfig"]

_SAMPLES = 16
"""Samples of z_conv whose context RNN runs together."""


@dataclass(frozen=True)
class VHCRConfig(ConversationSettings):
    """Sizes of a VHCR; each field says its unit."""


@dataclass(frozen=True, slots=True)
class _Inference:
    """The latents of a batch's windows and replies.

    Attributes:
        reading: what was read.
        conversation: q(z_conv | x), (window, latent).
        shared: (window, latent), the z_conv that the following are given.
        contexts: (reply, context).
        prior: p(z_t | h_t, z_conv), (reply, latent).
        posterior: q(z_t | h_t, x_t, z_conv), (reply, latent).
    """

    reading: ConversationReading
    conversation: "Independent[Normal]"
    shared: Tensor
    contexts: Tensor
    prior: "Independent[Normal]"
    posterior: "Independent[Normal]"

    def kl(self) -> PosteriorKL:
        """Returns the KL of both latents, in closed form."""
        own = kl_divergence(self.posterior.base_dist, self.prior.base_dist)
        return PosteriorKL(
            own, kl_divergence(self.conversation.base_dist, standard_gaussian(self.shared).base_dist)
        )


class VHCR(ReplyModel):
    """See the module's docstring.

    Args:
        config: sizes.
    """

    config_class = VHCRConfig
    config: VHCRConfig
    is_latent = True
    bound_unit = "conversation"

    def __init__(self, config: VHCRConfig):
        super().__init__()
        self.config = config
        self.table = TokenTable(
            config.vocab_size, config.embedding_size, config.dropout, config.embedding_deviation
        )
        self.hierarchy = ConversationContext(config)
        utterance_size = self.hierarchy.encoder.output_size
        # z_conv's columns stand behind those that HRED and VHRED have, whose weights can then be taken over.
        condition_size = config.context_size + config.latent_size + config.conversation_latent_size
        self.decoder = ReplyDecoder(
            config,
            condition_size=condition_size,
            memory_size=utterance_size,
            at_every_step=True,
            over_turns=config.attention_over == "tokens_then_turns",
        )
        known = config.context_size + config.conversation_latent_size
        sizes = config.latent_hidden_size, config.latent_size, config.variance_scale
        self.prior = DiagonalGaussian(known, *sizes)
        self.posterior = DiagonalGaussian(known + utterance_size, *sizes)
        if config.bag_of_words:
            self.words = BagOfWords(condition_size, config.embedding_size)

    def loss(self, batch: Batch, generator: torch.Generator, state: ContextState | None = None) -> LossParts:
        """See `ReplyModel.loss`."""
        found = self._infer(batch, generator, state, generator)
        latents = draw(found.posterior, generator)
        shared = found.shared[found.reading.target_windows.to(batch.device)]
        condition = torch.cat([found.contexts, latents.to(found.contexts), shared.to(found.contexts)], dim=1)
        replies = Replies.of(batch.replies())
        inputs = replies.drop_words(self.config.word_dropout, generator) if self.training else replies
        parts = reply_losses(self.table, self.decoder, inputs, condition, found.reading.memory, generator)
        kl, auxiliary = found.kl(), dict(parts.auxiliary)
        if self.config.bag_of_words and self.training:
            auxiliary["bag_of_words"] = self.words.losses(self.table, condition, replies)
        return replace(parts, kl=kl.reply, conversation_kl=kl.conversation, auxiliary=auxiliary)

    def start(self, num_conversations: int) -> ConversationState:
        """See `ReplyModel.start`."""
        return self.hierarchy.start(num_conversations)

    def observe(self, state: ContextState, utterances: Utterances) -> ConversationState:
        """See `ReplyModel.observe`; the context RNN does not run yet."""
        assert isinstance(state, ConversationState)
        return self.hierarchy.observe(self.table, state, utterances)

    def plan(
        self,
        state: ContextState,
        generators: Sequence[torch.Generator],
        latents: Tensor | None = None,
    ) -> DecoderState:
        """See `ReplyModel.plan`; [z_conv; z_t] is drawn as in a chat unless given, both from one draw of noise."""
        assert isinstance(state, ConversationState)
        sizes = [self.config.conversation_latent_size, self.config.latent_size]
        if latents is not None and latents.shape[1] != sum(sizes):
            raise UsageError(
                f"{latents.shape[1]} latents a reply were given, but VHCR has {sum(sizes)}: {sizes[0]} of the "
                f"conversation, then {sizes[1]} of the reply"
            )
        windows = self.hierarchy.windows_of(state)
        if latents is None:
            noise = generators_noise(generators, self.noise_size, state.vectors)
            latents, context = self._of_noise(windows, noise)
        else:
            context = self.hierarchy.context_of(windows, latents[:, : sizes[0]].to(state.vectors))
        shared = latents[:, : sizes[0]].to(state.vectors)
        condition = torch.cat([context, latents[:, sizes[0] :].to(context), shared.to(context)], dim=1)
        return self.decoder.begin(condition, self.hierarchy.memory_of(state), latents)

    @property
    def noise_size(self) -> int:
        """See `ReplyModel.noise_size`."""
        return self.config.conversation_latent_size + self.config.latent_size

    def latents_from(self, state: ContextState, noise: Tensor) -> Tensor:
        """See `ReplyModel.latents_from`; z_conv is of its posterior given the kept utterances, as in a chat."""
        assert isinstance(state, ConversationState)
        return self._of_noise(self.hierarchy.windows_of(state), noise.to(state.vectors))[0]

    def _of_noise(self, windows: Windows, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Returns [z_conv; z_t] of noise (row, latent), and the context under that z_conv (row, context)."""
        sizes = [self.config.conversation_latent_size, self.config.latent_size]
        of_conversation, of_reply = noise.split(sizes, dim=1)
        given = self.hierarchy.infer(windows).base_dist
        shared = given.loc + given.scale * of_conversation
        context = self.hierarchy.context_of(windows, shared)
        prior = self.prior(torch.cat([context, shared.to(context)], dim=1)).base_dist
        return torch.cat([shared, prior.loc + prior.scale * of_reply], dim=1), context

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
        """See `ReplyModel.log_weights`; float64, a row a window.

        log p(x_2 … x_n | z) + log p(z_conv) + sum_t log p(z_t | …) - log q(z_conv | x) - sum_t log q(z_t | …)
        """
        assert state is None or isinstance(state, ConversationState)
        reading = self.hierarchy.read(self.table, batch, generator, state)
        conversation = self.hierarchy.infer(reading.windows, generator)
        utterances = batch.replies()
        nothing = reading.targets[:, :0]  # of the decoder's condition all depends on the sample
        replies = sampled_replies(self.table, self.decoder, utterances, nothing, reading.memory)
        owners = reading.target_windows.to(batch.device)
        columns = []
        for first in range(0, num_samples, _SAMPLES):
            samples = min(_SAMPLES, num_samples - first)
            drawn_from = repeated(
                standard_gaussian(conversation.mean) if from_prior else conversation, samples
            )
            shared = draw(drawn_from, generator)  # (window, sample, latent)
            weights = log_ratio(standard_gaussian(shared), drawn_from, shared)
            contexts = self.hierarchy.contexts(reading.heard, reading.runs, shared, generator)
            prior, posterior = self._of_replies(contexts, shared[owners], reading.targets)
            drawn_from = prior if from_prior else posterior
            latents = draw(drawn_from, generator)  # (reply, sample, latent)
            ratio = log_ratio(prior, drawn_from, latents)
            condition = torch.cat([contexts, latents.to(contexts), shared[owners].to(contexts)], dim=2)
            for part, width in chunks(utterances.lengths, samples, batch.device):
                assert width == samples
                rows = part.to(batch.device)
                ratio[rows] -= replies.nll(part, condition[rows])
            columns.append(weights.index_add(0, owners, ratio))
        return torch.cat(columns, dim=1)

    def posterior_kl(self, batch: Batch, generator: torch.Generator) -> PosteriorKL:
        """See `ReplyModel.posterior_kl`."""
        return self._infer(batch, generator, None, generator).kl()

    @torch.no_grad()
    def describe_latents(
        self, batch: Batch, state: ContextState | None = None, generator: torch.Generator | None = None
    ) -> LatentGaussians:
        """See `ReplyModel.describe_latents`; prior and posterior of z_t are those given z_conv."""
        found = self._infer(batch, torch.Generator(batch.device), state, generator)
        shared = LatentGaussians.of(standard_gaussian(found.shared), found.conversation)
        return replace(LatentGaussians.of(found.prior, found.posterior), conversation=shared)

    def _infer(
        self,
        batch: Batch,
        generator: torch.Generator,
        state: ContextState | None,
        of_conversations: torch.Generator | None,
    ) -> _Inference:
        """Reads a batch and infers its latents; z_conv is drawn by `of_conversations`, or its mean is taken."""
        assert state is None or isinstance(state, ConversationState)
        reading = self.hierarchy.read(self.table, batch, generator, state)
        conversation = self.hierarchy.infer(reading.windows, generator)
        shared = conversation.mean if of_conversations is None else draw(conversation, of_conversations)
        contexts = self.hierarchy.contexts(reading.heard, reading.runs, shared[:, None], generator)[:, 0]
        of_replies = shared[reading.target_windows.to(batch.device)]
        prior, posterior = self._of_replies(contexts, of_replies, reading.targets)
        return _Inference(reading, conversation, shared, contexts, prior, posterior)

    def _of_replies(
        self, contexts: Tensor, shared: Tensor, targets: Tensor
    ) -> tuple["Independent[Normal]", "Independent[Normal]"]:
        """Returns prior and posterior of z_t, (reply, latent) or (reply, sample, latent).

        Args:
            contexts: (reply, context) or (reply, sample, context).
            shared: z_conv, of the same rows.
            targets: (reply, size), the replies' own vectors.
        """
        own = targets if contexts.dim() == 2 else targets[:, None].expand(-1, contexts.shape[1], -1)
        shared = shared.to(contexts)
        prior = self.prior(torch.cat([contexts, shared], dim=-1))
        return prior, self.posterior(torch.cat([contexts, own.to(contexts), shared], dim=-1))
