"""What every reply model promises; training, decoding, evaluation and the app build on this alone.

A conversation is read turn by turn into a `ContextState` of bounded size. From it a reply is planned (a
`DecoderState`: for a latent model with its z) and decoded token by token, or scored all at once.

Shapes: `conversation`, `reply` and `row` count rows of a batch, `time` tokens, `latent` dimensions of z.
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal

from dialog.errors import UsageError
from dialog.models.config import Settings
from dialog.text.batches import Batch, Utterances

__all__ = [
    "ContextState",
    "DecoderState",
    "LatentGaussians",
    "LossParts",
    "PosteriorKL",
    "ReplyModel",
    "State",
]


@dataclass(frozen=True, slots=True)
class LossParts:
    """What a batch costs, summed over the tokens of each reply, nothing weighted or smoothed.

    Attributes:
        nll: (reply,) nats; for a latent model at a z drawn from the posterior.
        num_tokens: (reply,) int64, the end tokens counted.
        kl: (reply, latent) nats of KL(posterior || prior), or None for a model without a latent.
        auxiliary: further terms (reply,) in nats by name: `uniform` (the cross-entropy against the
            uniform distribution, for label smoothing), `bag_of_words`, `hard_attention` (REINFORCE's term).
        conversation_kl: (conversation, latent) nats of the KL of the latent that the replies of a window share,
            or None for a model without one.
    """

    nll: Tensor
    num_tokens: Tensor
    kl: Tensor | None = None
    auxiliary: Mapping[str, Tensor] = field(default_factory=dict)
    conversation_kl: Tensor | None = None


@dataclass(frozen=True, slots=True)
class PosteriorKL:
    """KL(posterior || prior) of the latents of a batch, raw, in nats.

    Attributes:
        reply: (reply, latent).
        conversation: (conversation, latent) of the latent that a window's replies share, or None without one.
    """

    reply: Tensor
    conversation: Tensor | None = None


@dataclass(frozen=True, slots=True)
class LatentGaussians:
    """Prior p(z|c) and posterior q(z|c,x), diagonal Gaussians by mean and standard deviation.

    A row is a reply; in `conversation` it is a window.

    Attributes:
        prior_loc: (reply, latent).
        prior_scale: (reply, latent).
        posterior_loc: (reply, latent).
        posterior_scale: (reply, latent).
        conversation: of the latent that the replies of a window share, or None without one.
    """

    prior_loc: Tensor
    prior_scale: Tensor
    posterior_loc: Tensor
    posterior_scale: Tensor
    conversation: "LatentGaussians | None" = None

    @staticmethod
    def of(prior: "Independent[Normal]", posterior: "Independent[Normal]") -> "LatentGaussians":
        """Takes them from distributions of the same rows."""
        p, q = prior.base_dist, posterior.base_dist
        return LatentGaussians(p.loc, p.scale, q.loc, q.scale)


class State:
    """Tensors whose first dimension counts rows; subclasses are frozen dataclasses of such fields."""

    def select(self, rows: Tensor | Sequence[int]) -> Self:
        """Returns the state of the rows `rows` (row,), in that order; a row may be taken many times."""
        return self._map(lambda value: value[torch.as_tensor(rows, dtype=torch.int64, device=value.device)])

    @classmethod
    def concat(cls, states: Sequence[Self]) -> Self:
        """Returns one state with the rows of all `states`, their further dimensions padded by zeros.

        What one of them lacks, such as the attention of a reply that has not begun, the whole lacks.
        """
        columns = ([getattr(s, f.name) for s in states] for f in dataclasses.fields(states[0]))  # type: ignore[arg-type]
        return cls(*(None if any(v is None for v in column) else _concat(column) for column in columns))

    @property
    def num_rows(self) -> int:
        """How many rows the state has."""
        return len(self._tensors()[0])

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self._tensors()[0].device

    @property
    def num_bytes(self) -> int:
        """Bytes that the tensors take."""
        return sum(value.numel() * value.element_size() for value in self._tensors())

    def _tensors(self) -> list[Tensor]:
        values = (getattr(self, f.name) for f in dataclasses.fields(self))  # type: ignore[arg-type]
        return [value for value in values if value is not None]

    def _map(self, change: Any) -> Self:
        values = (getattr(self, f.name) for f in dataclasses.fields(self))  # type: ignore[arg-type]
        return type(self)(*(None if value is None else change(value) for value in values))


def _concat(tensors: Sequence[Tensor]) -> Tensor:
    shape = [max(sizes) for sizes in zip(*(t.shape[1:] for t in tensors), strict=True)]
    if all(list(tensor.shape[1:]) == shape for tensor in tensors):
        return torch.cat(list(tensors))
    whole = tensors[0].new_zeros(sum(map(len, tensors)), *shape)
    start = 0
    for tensor in tensors:
        whole[(slice(start, start + len(tensor)), *map(slice, tensor.shape[1:]))] = tensor
        start += len(tensor)
    return whole


class ContextState(State):
    """What a model keeps of the turns so far, a row for each conversation; its size is bounded."""


class DecoderState(State):
    """Replies being decoded, a row each; a model's own holds what its `step` goes on from."""

    latents: Tensor | None
    """(row, latent), the z of each reply, or None."""
    attention: Tensor | None
    """(row, source_time), the weights of the last step over what the reply looks at; None before the first."""


class ReplyModel(nn.Module, ABC):
    """The promises. Modules keep nothing between calls; all randomness comes from given generators."""

    config_class: ClassVar[type[Settings]]
    config: Settings
    is_latent: ClassVar[bool] = False
    """Whether the model has a latent variable z."""
    bound_unit: ClassVar[Literal["reply", "conversation"]] = "reply"
    """What a row of `log_weights` is: replies whose latent is shared have one weight, that of their window."""

    @abstractmethod
    def loss(self, batch: Batch, generator: torch.Generator, state: ContextState | None = None) -> LossParts:
        """Scores every target of a batch in one pass.

        Args:
            batch: windows of conversations, on the model's device.
            generator: on the model's device; draws dropout (in training) and posterior samples.
            state: what was read before the windows' first turns; the empty context if None.
        """

    def forward(
        self, batch: Batch, generator: torch.Generator, state: ContextState | None = None
    ) -> LossParts:
        """Is `loss`, under the name that wrappers for several devices call."""
        return self.loss(batch, generator, state)

    @abstractmethod
    def start(self, num_conversations: int) -> ContextState:
        """Returns the empty context of some conversations."""

    @abstractmethod
    def observe(self, state: ContextState, utterances: Utterances) -> ContextState:
        """Reads one more utterance for each conversation; costs the same at any turn."""

    @abstractmethod
    def plan(
        self,
        state: ContextState,
        generators: Sequence[torch.Generator],
        latents: Tensor | None = None,
    ) -> DecoderState:
        """Starts one reply for each row of `state`.

        Args:
            state: a row a reply (`select` repeats a conversation for several replies).
            generators: one on the CPU for each reply; draws z from the prior.
            latents: (reply, latent) to use instead of a draw; only for a model that has a latent.

        Raises:
            UsageError: latents are given to a model without a latent variable.
        """

    @abstractmethod
    def step(self, tokens: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """Reads one token for each row.

        Args:
            tokens: (row,) int64; the start token first.
            state: of the same rows.

        Returns:
            The next token's logits (row, vocabulary), and the state after the token.
        """

    @abstractmethod
    def score(self, state: DecoderState, replies: Utterances) -> Tensor:
        """Returns log p(token | earlier tokens), teacher-forced, (reply, time), 0 behind each row's end.

        Args:
            state: from `plan`, before any step.
            replies: a row for each row of the state.
        """

    def log_weights(
        self,
        batch: Batch,
        num_samples: int,
        generator: torch.Generator,
        state: ContextState | None = None,
        from_prior: bool = False,
    ) -> Tensor:
        """Returns log p(x|z) + log p(z|c) - log q(z|c,x), (unit, sample), z drawn from the posterior.

        From the prior, q is p(z|c), and log p(x|z) is left. A unit is a reply, or for a model whose `bound_unit`
        says so a window, x then all its targets.

        The context and the reply are read once for all samples; memory does not grow with their number,
        but for the result. No gradient flows, and the decoder drops nothing.

        Args:
            batch: windows of conversations, on the model's device.
            num_samples: z of each unit.
            generator: on the model's device; draws z.
            state: what was read before the windows' first turns; the empty context if None.
            from_prior: draws z from the prior instead, which has not seen the replies.

        Raises:
            UsageError: the model has no latent variable.
        """
        raise self._without_latent()

    @property
    def noise_size(self) -> int:
        """How many numbers of noise `plan` draws for a reply, to make its z of.

        Raises:
            UsageError: the model has no latent variable.
        """
        raise self._without_latent()

    def latents_from(self, state: ContextState, noise: Tensor) -> Tensor:
        """Returns the z that `plan` makes of noise: a draw from the prior where the noise is one from N(0, I).

        Args:
            state: a row a reply.
            noise: (reply, `noise_size`).

        Returns:
            (reply, latent), as `plan` takes them.

        Raises:
            UsageError: the model has no latent variable.
        """
        raise self._without_latent()

    def posterior_kl(self, batch: Batch, generator: torch.Generator) -> PosteriorKL:
        """Returns `loss`'s KL(posterior || prior) for the same draws; nothing is decoded.

        Raises:
            UsageError: the model has no latent variable.
        """
        raise self._without_latent()

    def describe_latents(
        self, batch: Batch, state: ContextState | None = None, generator: torch.Generator | None = None
    ) -> LatentGaussians:
        """Returns prior and posterior of each target's z, without gradients.

        Args:
            batch: windows of conversations, on the model's device.
            state: what was read before the windows' first turns; the empty context if None.
            generator: on the model's device; draws the latent that a window's replies share, if there is one,
                since their own depends on it. None takes its posterior mean.

        Raises:
            UsageError: the model has no latent variable.
        """
        raise self._without_latent()

    def prior_mean(self, state: ContextState) -> Tensor:
        """Returns the mean of the z that `plan` draws, (reply, latent); of z that depend on others, at these' means.

        Args:
            state: a row a reply.

        Raises:
            UsageError: the model has no latent variable.
        """
        return self.latents_from(state, torch.zeros(state.num_rows, self.noise_size))

    def _without_latent(self) -> UsageError:
        return UsageError(
            f"{type(self).__name__} has no latent variable to draw; its likelihood is exact, ask `loss`"
        )

    def initialise_from(self, weights: Mapping[str, Tensor]) -> list[str]:
        """Takes over the weights of another model where names and sizes allow.

        A weight that here has further columns behind the other's keeps its own in these.

        Returns:
            The names that were taken over, whole or in part.

        Raises:
            ConfigError: no name is shared, or a shared weight has another size.
        """
        from dialog.models.transfer import take_over

        return take_over(self, weights)

    @property
    def num_parameters(self) -> int:
        """How many numbers are trained."""
        return sum(p.numel() for p in self.parameters())
