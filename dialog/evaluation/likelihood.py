"""Likelihood of the replies of a split: nats a token, perplexity, and KL for a latent model.

Every target of every conversation is scored, none is cut, and its end token counts. For a latent model
the figure is the negative evidence lower bound, one posterior sample a reply, the KL at weight 1: an upper
bound of the NLL, and its perplexity an upper bound of the perplexity.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from dialog.models.base import ContextState, ReplyModel
from dialog.text.batches import Window, collate, utterances_of
from dialog.text.loader import BatchLoader, EncodedConversation, EncodedSplit

__all__ = ["Likelihood", "evaluate_likelihood"]

_BATCH_TOKENS = 8192
_WINDOW_TURNS = 128
"""Longer conversations are scored in windows, the context state carried over, so that memory is bounded."""


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Sums over a split.

    Attributes:
        num_conversations: that were read.
        num_replies: that were scored.
        num_tokens: of these, the end tokens counted.
        nll: nats of all tokens; for a latent model given posterior samples.
        kl: nats of all replies' KL(posterior || prior); None for a model without a latent.
    """

    num_conversations: int
    num_replies: int
    num_tokens: int
    nll: float
    kl: float | None

    @property
    def nats_per_token(self) -> float:
        """The bound, KL included, for each token."""
        return (self.nll + (self.kl or 0.0)) / self.num_tokens

    @property
    def perplexity(self) -> float:
        """exp(nats per token); for a latent model an upper bound."""
        return math.exp(min(self.nats_per_token, 700.0))

    @property
    def kl_per_reply(self) -> float | None:
        """Nats of KL a reply."""
        return None if self.kl is None else self.kl / self.num_replies

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
        }


class _Sums:
    def __init__(self) -> None:
        self.replies = self.tokens = 0
        self.nll = self.kl = 0.0
        self.has_kl = False

    def add(
        self,
        model: ReplyModel,
        windows: list[Window],
        generator: torch.Generator,
        state: ContextState | None,
    ) -> None:
        batch = collate(windows).to(next(model.parameters()).device)
        parts = model.loss(batch, generator, state)
        self.replies += len(parts.nll)
        self.tokens += int(parts.num_tokens.sum())
        self.nll += float(parts.nll.double().sum())
        if parts.kl is not None:
            self.has_kl = True
            self.kl += float(parts.kl.double().sum())


@torch.no_grad()
def evaluate_likelihood(
    model: ReplyModel,
    split: EncodedSplit,
    seed: int = 0,
    max_conversations: int | None = None,
    progress: Callable[[int], None] | None = None,
    window_turns: int = _WINDOW_TURNS,
) -> Likelihood:
    """Scores every reply of a split.

    Args:
        model: is put into evaluation mode for the time, then back.
        split: the conversations.
        seed: of the posterior samples.
        max_conversations: the first so many only; None for all.
        progress: is told how many conversations were scored since it was last called.
        window_turns: longer conversations are scored in windows of so many turns.

    Raises:
        CorpusError: the split has no target.
    """
    was_training = model.training
    model.eval()
    generator = torch.Generator(device=next(model.parameters()).device).manual_seed(seed)
    sums = _Sums()
    loader = BatchLoader(split, _BATCH_TOKENS)
    spans = [s for s in loader.spans if max_conversations is None or s.conversation < max_conversations]
    short = {i for i, span in enumerate(loader.spans) if span.end <= window_turns}
    chosen = {span.conversation for span in spans}
    for indices in loader.in_order():
        wanted = [i for i in indices if i in short and loader.spans[i].conversation in chosen]
        if wanted:
            sums.add(model, [loader.window(i) for i in wanted], generator, None)
        for index in indices:
            if index not in short and loader.spans[index].conversation in chosen:
                _score_long(model, split[loader.spans[index].conversation], window_turns, sums, generator)
        if progress:
            progress(sum(loader.spans[i].conversation in chosen for i in indices))
    model.train(was_training)
    kl = sums.kl if sums.has_kl else None
    return Likelihood(len(chosen), sums.replies, sums.tokens, sums.nll, kl)


def _score_long(
    model: ReplyModel,
    conversation: EncodedConversation,
    window_turns: int,
    sums: _Sums,
    generator: torch.Generator,
) -> None:
    """Scores one conversation window by window, the context state carried over by `observe`."""
    device = next(model.parameters()).device
    state = model.start(1)
    for start in range(0, len(conversation.utterances), window_turns):
        utterances = conversation.utterances[start : start + window_turns]
        targets = conversation.targets[start : start + window_turns]
        if targets.any():
            sums.add(model, [Window(utterances, targets)], generator, state)
        for tokens in utterances:
            state = model.observe(state, utterances_of([tokens]).to(device))
