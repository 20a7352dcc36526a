"""The importance-weighted bound of the log-likelihood of each reply, or of each conversation.

Burda, Grosse and Salakhutdinov 2016, "Importance Weighted Autoencoders", equation 8, for one reply x after
the context c, z_1 ... z_K from the posterior q(z | c, x):

    L_K(x) = E log 1/K sum_k w_k,   w_k = p(x | z_k, c) p(z_k | c) / q(z_k | c, x)

L_1 is the evidence lower bound (ELBO), L_K does not fall with K in expectation, and it comes to log p(x | c).
It is one bound a reply: weights of several replies are never multiplied, for the bound of a product of
replies is looser by more and more the longer the product is.

Where the replies of a conversation share a latent, they are not independent given the words, and have no bound one
by one. Then x is all of a conversation's replies together, z all its latents, and it is one bound a conversation
(a window, if it is longer); it says so, and is looser than a bound a reply of as many samples.

Standard errors are over conversations, whose replies resemble one another (a ratio of two sums, by the delta
method); they hold the noise of the samples as well.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dialog.evaluation.passes import WINDOW_TURNS, Part, evaluating, parts_of
from dialog.models.base import ReplyModel
from dialog.text.loader import EncodedSplit

__all__ = ["Bound", "evaluate_bound", "importance_bound"]


def importance_bound(log_weights: Tensor) -> Tensor:
    """Returns log 1/K sum_k exp(log w_k) of each unit, (unit,), for `log_weights` (unit, sample)."""
    return torch.logsumexp(log_weights, dim=1) - math.log(log_weights.shape[1])


@dataclass(frozen=True, slots=True)
class Bound:
    """How improbable the replies of a split are, at most; exactly for a model without a latent variable.

    Attributes:
        num_samples: K; None where the likelihood is exact.
        num_conversations: that replies were scored of.
        num_replies: that were scored.
        num_tokens: of these, the end tokens counted.
        nats: of all replies, -sum L_K or -sum log p.
        elbo_nats: of all replies, minus the mean of all log weights, which expects -L_1; None if exact.
        nats_per_token_error: standard error; None for fewer than two conversations.
        nats_per_reply_error: standard error; None for fewer than two conversations.
        unit: what has one bound, `reply` or `conversation`.
    """

    num_samples: int | None
    num_conversations: int
    num_replies: int
    num_tokens: int
    nats: float
    elbo_nats: float | None
    nats_per_token_error: float | None
    nats_per_reply_error: float | None
    unit: str = "reply"

    @property
    def nats_per_token(self) -> float:
        """The bound for each token."""
        return self.nats / self.num_tokens

    @property
    def nats_per_reply(self) -> float:
        """The bound for each reply."""
        return self.nats / self.num_replies

    @property
    def perplexity(self) -> float:
        """exp(nats per token); for a latent model an upper bound."""
        return math.exp(min(self.nats_per_token, 700.0))

    @property
    def perplexity_error(self) -> float | None:
        """Standard error, by the delta method."""
        error = self.nats_per_token_error
        return None if error is None else self.perplexity * error

    def to_json(self) -> dict[str, float | int | str | None]:
        """Returns the figures as plain JSON values."""
        kind = "exact, for the model has no latent variable"
        if self.num_samples is not None:
            kind = f"upper bound by {self.num_samples} samples a {self.unit}"
        return {
            "kind": kind,
            "num_replies": self.num_replies,
            "num_tokens": self.num_tokens,
            "nats_per_token": self.nats_per_token,
            "nats_per_token_error": self.nats_per_token_error,
            "nats_per_reply": self.nats_per_reply,
            "nats_per_reply_error": self.nats_per_reply_error,
            "perplexity": self.perplexity,
            "perplexity_error": self.perplexity_error,
            "elbo_nats_per_token": None if self.elbo_nats is None else self.elbo_nats / self.num_tokens,
        }


def evaluate_bound(
    model: ReplyModel,
    split: EncodedSplit,
    num_samples: int,
    seed: int = 0,
    max_conversations: int | None = None,
    max_replies: int | None = None,
    progress: Callable[[int], None] | None = None,
    window_turns: int = WINDOW_TURNS,
) -> Bound:
    """Scores every reply of a split; each context is read once, whatever the number of samples.

    Args:
        model: is put into evaluation mode for the time, then back.
        split: the conversations.
        num_samples: K, of each unit; a model without a latent variable is scored exactly instead.
        seed: of the samples.
        max_conversations: the first so many only; None for all.
        max_replies: the first so many only; None for all.
        progress: is told how many conversations were scored since it was last called.
        window_turns: longer conversations are scored in windows of so many turns.

    Raises:
        CorpusError: the split has no target.
    """
    costs, means, units = [], [], []
    with evaluating(model) as device:
        generator = torch.Generator(device=device).manual_seed(seed)
        for part in parts_of(model, split, max_conversations, max_replies, progress, window_turns):
            if model.is_latent:
                weights = model.log_weights(part.batch, num_samples, generator, part.state)
                costs.append(-importance_bound(weights).cpu())
                means.append(-weights.mean(1).cpu())
            else:
                costs.append(model.loss(part.batch, generator, part.state).nll.double().cpu())
            units.append(_units(part, model.bound_unit))
    nats, (tokens, replies, conversations) = torch.cat(costs), torch.cat(units, dim=1)
    return Bound(
        num_samples=num_samples if model.is_latent else None,
        num_conversations=len(conversations.unique()),
        num_replies=int(replies.sum()),
        num_tokens=int(tokens.sum()),
        nats=float(nats.sum()),
        elbo_nats=float(torch.cat(means).sum()) if means else None,
        nats_per_token_error=_ratio_error(nats, tokens.double(), conversations),
        nats_per_reply_error=_ratio_error(nats, replies.double(), conversations),
        unit=model.bound_unit,
    )


def _units(part: Part, unit: str) -> Tensor:
    """Returns for each unit of a part its tokens, its replies and the conversation that it is of, (3, unit)."""
    batch = part.batch
    tokens = batch.utterances.lengths[batch.targets]
    of_replies = torch.stack([tokens, torch.ones_like(tokens), part.conversations])
    if unit == "reply":
        return of_replies
    windows = batch.target_conversations
    sums = torch.zeros(2, batch.num_conversations, dtype=torch.int64).index_add(1, windows, of_replies[:2])
    numbers = torch.zeros(batch.num_conversations, dtype=torch.int64)
    return torch.cat([sums, numbers.index_copy(0, windows, part.conversations)[None]])


def _ratio_error(numerator: Tensor, denominator: Tensor, conversations: Tensor) -> float | None:
    """Returns the standard error of a ratio of sums over units, drawn a conversation at a time."""
    _, place = conversations.unique(return_inverse=True)
    count = int(place.max()) + 1
    if count < 2:
        return None
    ratio = numerator.sum() / denominator.sum()
    residuals = numerator.new_zeros(count).index_add(0, place, numerator - ratio * denominator)
    error = (residuals.square().sum() * count / (count - 1)).sqrt() / denominator.sum()
    return float(error)
