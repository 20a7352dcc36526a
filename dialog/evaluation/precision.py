"""What a decoder in lower precision costs: nats of people's replies, a step at a time, beside `score`.

Both read the same contexts and, for a model with a latent variable, plan with the same z from the prior, so that the
difference is that of the decoder's arithmetic alone. For such a model the nats are -log p(x | z, c) for one z;
they are not its bound.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dialog.evaluation.passes import evaluating
from dialog.models.base import ContextState, DecoderState, ReplyModel
from dialog.text.batches import BOS, Utterances, utterances_of
from dialog.text.loader import EncodedConversation, EncodedSplit

__all__ = ["PrecisionCost", "precision_cost", "stepped_nats"]

_AT_ONCE = 64  # conversations


@dataclass(frozen=True, slots=True)
class PrecisionCost:
    """Nats of the same replies by `score` and by `step`.

    Attributes:
        num_replies: that were scored.
        num_tokens: of these, the end tokens counted.
        scored: nats of all replies, by `score`, in float32.
        stepped: nats of all replies, by `step`, as replies are decoded.
        cost_per_token_error: standard error of the difference for each token, over replies.
    """

    num_replies: int
    num_tokens: int
    scored: float
    stepped: float
    cost_per_token_error: float

    @property
    def cost_per_token(self) -> float:
        """What decoding in lower precision costs, nats a token."""
        return (self.stepped - self.scored) / self.num_tokens

    def to_json(self) -> dict[str, float | int]:
        """Returns the figures as plain JSON values."""
        return {
            "num_replies": self.num_replies,
            "num_tokens": self.num_tokens,
            "float32_nats_per_token": self.scored / self.num_tokens,
            "int8_nats_per_token": self.stepped / self.num_tokens,
            "cost_per_token": self.cost_per_token,
            "cost_per_token_error": self.cost_per_token_error,
        }


def precision_cost(
    model: ReplyModel,
    split: EncodedSplit,
    max_replies: int,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> PrecisionCost:
    """Scores people's replies both ways.

    Args:
        model: whose `step` computes in lower precision; put into evaluation mode for the time, then back.
        split: the conversations; they are taken in a drawn order, so that a few stand for all.
        max_replies: so many are enough; the last conversations are still scored to their end.
        seed: of the order, and of z.
        progress: is told how many replies were scored since it was last called.
    """
    order = np.random.default_rng(seed).permutation(len(split)).tolist()
    scored, stepped, tokens = [], [], []
    with evaluating(model), torch.inference_mode():
        for start in range(0, len(order), _AT_ONCE):
            chosen = [split[index] for index in order[start : start + _AT_ONCE]]
            for planned, replies in _turns(model, chosen, seed):
                scored.append(-model.score(planned, replies).double().sum(1))
                stepped.append(stepped_nats(model, planned, replies))
                tokens.append(replies.lengths)
                if progress:
                    progress(len(replies))
            if sum(map(len, scored)) >= max_replies:
                break
    first, second, lengths = torch.cat(scored), torch.cat(stepped), torch.cat(tokens).double()
    total = float(lengths.sum())
    difference = second - first
    residuals = difference - difference.sum() / total * lengths
    error = float(residuals.square().sum().sqrt()) / total
    return PrecisionCost(len(first), int(total), float(first.sum()), float(second.sum()), error)


def stepped_nats(model: ReplyModel, state: DecoderState, replies: Utterances) -> Tensor:
    """Returns -log p of each reply, (reply,) float64, its tokens given to `step` one after the other.

    Args:
        model: in evaluation mode.
        state: from `plan`, a row a reply.
        replies: to score.
    """
    nats = torch.zeros(len(replies), dtype=torch.float64)
    before = torch.full((len(replies),), BOS)
    for time in range(replies.tokens.shape[1]):
        logits, state = model.step(before, state)
        before = replies.tokens[:, time]
        shares = torch.log_softmax(logits, dim=1).gather(1, before[:, None])[:, 0]
        nats -= torch.where(replies.lengths > time, shares.double(), 0.0)
    return nats


def _turns(
    model: ReplyModel, conversations: Sequence[EncodedConversation], seed: int
) -> Iterator[tuple[DecoderState, Utterances]]:
    """Yields, a turn of all conversations at a time, the planned states of the replies to score, and those."""
    going_on = [conversation for conversation in conversations if conversation.targets.any()]
    state: ContextState = model.start(len(going_on))
    for turn in range(max((len(one.utterances) for one in going_on), default=0)):
        kept = [row for row, one in enumerate(going_on) if len(one.utterances) > turn]
        if len(kept) < len(going_on):
            state, going_on = state.select(kept), [going_on[row] for row in kept]
        rows = [row for row, one in enumerate(going_on) if one.targets[turn]]
        if rows:
            generators = [torch.Generator().manual_seed(seed + turn * _AT_ONCE + row) for row in rows]
            replies = utterances_of([going_on[row].utterances[turn] for row in rows])
            yield model.plan(state.select(rows), generators), replies
        state = model.observe(state, utterances_of([one.utterances[turn] for one in going_on]))
