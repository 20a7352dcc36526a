"""Likelihood of the replies of a split: nats a token, perplexity, and KL for a latent model.

Every target of every conversation is scored, none is cut, and its end token counts. For a latent model
the figure is the negative evidence lower bound, one posterior sample a reply, the KL at weight 1: an upper
bound of the NLL, and its perplexity an upper bound of the perplexity. A latent variable of the whole conversation
is sampled once a window, and its KL counts once.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from dialog.evaluation.passes import WINDOW_TURNS, evaluating, parts_of
from dialog.models.base import ReplyModel
from dialog.text.loader import EncodedSplit

__all__ = ["Likelihood", "evaluate_likelihood"]


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Sums over a split.

    Attributes:
        num_conversations: that were read.
        num_replies: that were scored.
        num_tokens: of these, the end tokens counted.
        nll: nats of all tokens; for a latent model given posterior samples.
        kl: nats of all replies' KL(posterior || prior); None for a model without a latent.
        conversation_kl: nats of the KL of the latents that the replies of a conversation share; None for a model
            without them.
    """

    num_conversations: int
    num_replies: int
    num_tokens: int
    nll: float
    kl: float | None
    conversation_kl: float | None = None

    @property
    def nats_per_token(self) -> float:
        """The bound, KL included, for each token."""
        return (self.nll + (self.kl or 0.0) + (self.conversation_kl or 0.0)) / self.num_tokens

    @property
    def perplexity(self) -> float:
        """exp(nats per token); for a latent model an upper bound."""
        return math.exp(min(self.nats_per_token, 700.0))

    @property
    def kl_per_reply(self) -> float | None:
        """Nats of KL a reply."""
        return None if self.kl is None else self.kl / self.num_replies

    @property
    def conversation_kl_per_conversation(self) -> float | None:
        """Nats of the KL of a conversation's own latent, those of its windows added up."""
        return None if self.conversation_kl is None else self.conversation_kl / self.num_conversations

    def to_json(self) -> dict[str, float | int | None]:
        """Returns the figures as plain JSON values."""
        return {
            "num_conversations": self.num_conversations,
            "num_replies": self.num_replies,
            "num_tokens": self.num_tokens,
            "nats_per_token": self.nats_per_token,
            "perplexity": self.perplexity,
            "reconstruction_nats_per_token": self.nll / self.num_tokens,
            "kl_per_reply": self.kl_per_reply,
            "conversation_kl_per_conversation": self.conversation_kl_per_conversation,
        }


def evaluate_likelihood(
    model: ReplyModel,
    split: EncodedSplit,
    seed: int = 0,
    max_conversations: int | None = None,
    progress: Callable[[int], None] | None = None,
    window_turns: int = WINDOW_TURNS,
    max_replies: int | None = None,
) -> Likelihood:
    """Scores every reply of a split.

    Args:
        model: is put into evaluation mode for the time, then back.
        split: the conversations.
        seed: of the posterior samples.
        max_conversations: the first so many only; None for all.
        progress: is told how many conversations were scored since it was last called.
        window_turns: longer conversations are scored in windows of so many turns.
        max_replies: the first so many only; None for all.

    Raises:
        CorpusError: the split has no target.
    """
    replies = tokens = 0
    nll, kl = 0.0, 0.0
    shared: float | None = None
    conversations: set[int] = set()
    with evaluating(model) as device:
        generator = torch.Generator(device=device).manual_seed(seed)
        for part in parts_of(model, split, max_conversations, max_replies, progress, window_turns):
            losses = model.loss(part.batch, generator, part.state)
            conversations.update(part.conversations.tolist())
            replies += len(losses.nll)
            tokens += int(losses.num_tokens.sum())
            nll += float(losses.nll.double().sum())
            if losses.kl is not None:
                kl += float(losses.kl.double().sum())
            if losses.conversation_kl is not None:
                shared = (shared or 0.0) + float(losses.conversation_kl.double().sum())
    return Likelihood(len(conversations), replies, tokens, nll, kl if model.is_latent else None, shared)
