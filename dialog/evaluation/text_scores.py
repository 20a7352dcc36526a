"""How probable a model finds given texts: a language model each text by itself, a reply model after a context.

    nats(x) = -sum_t log p(x_t | x_1 .. x_{t-1}, c),  perplexity = exp(nats / tokens)

The end token counts as a token. With a latent variable p(x | c) is no product over tokens that can be computed:
its nats are bounded from above by samples of z (see `bound`), and no token has nats of its own.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from dialog.conversation import Conversation
from dialog.decoding.reading import ContextReader
from dialog.evaluation.bound import importance_bound
from dialog.evaluation.passes import evaluating
from dialog.models.base import ContextState, ReplyModel
from dialog.text.batches import EOS, UNK, Window, collate, utterances_of
from dialog.text.tokenizer import Tokenizer

__all__ = ["TextScore", "read_context", "score_texts"]


@dataclass(frozen=True, slots=True)
class TextScore:
    """What a text costs.

    Attributes:
        text: as it was given.
        tokens: its ids, the end token last.
        pieces: the tokens' names.
        nats: of the whole; at most, where the model has a latent variable.
        token_nats: of each token; None where the model has a latent variable.
        num_samples: that the bound is of; None where nats are exact.
    """

    text: str
    tokens: tuple[int, ...]
    pieces: tuple[str, ...]
    nats: float
    token_nats: tuple[float, ...] | None
    num_samples: int | None = None

    @property
    def perplexity(self) -> float:
        """exp(nats per token)."""
        return math.exp(min(self.nats / len(self.tokens), 700.0))

    @property
    def num_unknown(self) -> int:
        """Tokens that stand for any unknown text: their nats are of all such text together."""
        return self.tokens.count(UNK)

    def to_json(self) -> dict[str, Any]:
        """Returns the figures as plain JSON values."""
        kind = "exact" if self.num_samples is None else f"upper bound by {self.num_samples} samples"
        return {
            "text": self.text,
            "nats": self.nats,
            "kind": kind,
            "num_tokens": len(self.tokens),
            "nats_per_token": self.nats / len(self.tokens),
            "perplexity": self.perplexity,
            "num_unknown": self.num_unknown,
            "tokens": list(self.tokens),
            "pieces": list(self.pieces),
            "token_nats": None if self.token_nats is None else list(self.token_nats),
        }


def read_context(model: ReplyModel, tokenizer: Tokenizer, conversation: Conversation) -> ContextState:
    """Returns the state of one conversation, read to its end; turns without words are passed over.

    Raises:
        UsageError: no turn has words.
    """
    reader = ContextReader(model, tokenizer, cache_bytes=0)
    reading = reader.open(conversation)
    reader.read_all([reading])
    return reading.state


def score_texts(
    model: ReplyModel,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    state: ContextState | None = None,
    num_samples: int = 100,
    seed: int = 0,
) -> list[TextScore]:
    """Scores texts, each as what is said next.

    Args:
        model: is put into evaluation mode for the time, then back.
        tokenizer: the model's own.
        texts: one without words is the end token alone.
        state: of one conversation, what all of them are said after; the empty context if None.
        num_samples: of z, for a model with a latent variable.
        seed: of these samples, for each text alike.
    """
    if not texts:
        return []
    ids = tokenizer.encode_all(texts)
    with evaluating(model):
        before = model.start(1) if state is None else state
        costs: list[tuple[float, tuple[float, ...] | None]]
        if model.is_latent:
            costs = [(_bound(model, one, before, num_samples, seed), None) for one in ids]
        else:
            costs = [(sum(nats), nats) for nats in _token_nats(model, ids, before)]
    samples = num_samples if model.is_latent else None
    return [
        TextScore(text, (*one, EOS), tuple(tokenizer.pieces[i] for i in (*one, EOS)), *cost, samples)
        for text, one, cost in zip(texts, ids, costs, strict=True)
    ]


def _token_nats(
    model: ReplyModel, ids: Sequence[Sequence[int]], before: ContextState
) -> list[tuple[float, ...]]:
    rows = utterances_of(ids).to(next(model.parameters()).device)
    unread = [torch.Generator()] * len(rows)  # `plan` asks for one a text; without a latent nothing is drawn
    planned = model.plan(before.select([0] * len(rows)), unread)
    scores = (-model.score(planned, rows)).double().tolist()
    return [tuple(row[:length]) for row, length in zip(scores, rows.lengths.tolist(), strict=True)]


def _bound(model: ReplyModel, ids: Sequence[int], before: ContextState, num_samples: int, seed: int) -> float:
    """Scores one text, so that its samples do not depend on the texts beside it."""
    device = next(model.parameters()).device
    batch = collate([Window([np.array(ids, dtype=np.int32)], np.array([True]))]).to(device)
    generator = torch.Generator(device).manual_seed(seed)
    return -float(importance_bound(model.log_weights(batch, num_samples, generator, before)))
