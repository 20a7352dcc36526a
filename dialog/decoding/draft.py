"""Draft: a reply while it is decoded, and what is noted of its tokens for those who want to know."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from dialog.decoding.replies import Ended, Sampling
from dialog.decoding.sampling import History
from dialog.decoding.stopping import StopWatch
from dialog.text.batches import EOS

__all__ = ["Draft", "Probable", "Trace", "most_probable"]

Probable = tuple[tuple[int, float], ...]
"""The most probable tokens at one place, the first the most: id, and nats under the model."""


@dataclass(slots=True, eq=False)
class Trace:
    """What is noted of each token of a reply.

    Attributes:
        num_top: how many of the most probable tokens at its place.
        log_probabilities: nats of the tokens that were chosen, under the model.
        top: the most probable ones at each place.
    """

    num_top: int = 0
    log_probabilities: list[float] = field(default_factory=list)
    top: list[Probable] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Draft:
    """A reply that is being decoded.

    Attributes:
        history: its settings, its draws, and the tokens so far.
        seed: with `index`, what its generator was made from.
        index: its place among the replies of its seed.
        context_hash: of what it answers.
        latent: the z it is decoded from, or None.
        ended: why it ended; None while it is under way.
        log_probability: nats of its tokens under the model.
        filtered_log_probability: nats under what they were drawn from.
        scores: further figures by name.
        stops: looks for its stop sequences; None where it has none.
        trace: what is noted of its tokens; None where nobody asked.
    """

    history: History
    seed: int
    index: int
    context_hash: str
    latent: tuple[float, ...] | None = None
    ended: Ended | None = None
    log_probability: float = 0.0
    filtered_log_probability: float = 0.0
    scores: dict[str, float] = field(default_factory=dict)
    stops: StopWatch | None = None
    trace: Trace | None = None

    @property
    def sampling(self) -> Sampling:
        """How its tokens are chosen."""
        return self.history.sampling

    @property
    def tokens(self) -> list[int]:
        """Its tokens so far, the end token included."""
        return self.history.tokens

    def add(self, token: int, log_probability: float, filtered: float, top: Probable = ()) -> None:
        """Takes a further token, and ends by it where it is the end, completes a stop sequence, or is the last one.

        Args:
            token: its id.
            log_probability: nats under the model.
            filtered: nats under what it was drawn from.
            top: the most probable tokens at its place; read where there is a trace.
        """
        if self.trace is not None:  # before the token: who sees that finds this, too
            self.trace.log_probabilities.append(log_probability)
            self.trace.top.append(top[: self.trace.num_top])
        self.history.tokens.append(token)
        self.log_probability += log_probability
        self.filtered_log_probability += filtered
        if token == EOS:
            self.ended = "end"
        elif self.stops is not None and self.stops.push(token):
            self.ended = "stop"
        elif len(self.tokens) == self.sampling.max_tokens:
            self.ended = "length"


def most_probable(logits: Tensor, count: int) -> list[Probable]:
    """Returns the `count` most probable tokens of each row.

    Args:
        logits: (row, vocabulary), of the model.
        count: fewer where the vocabulary is smaller.
    """
    best = torch.log_softmax(logits.double(), dim=1).topk(min(count, logits.shape[1]), dim=1)
    return [
        tuple(zip(tokens, nats, strict=True))
        for tokens, nats in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]
