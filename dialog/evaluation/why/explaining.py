"""Why this reply: one pass over exactly its tokens, and one behind each context that lacks a turn.

    fall of turn i, in nats  =  log p(reply | context) - log p(reply | context without turn i)

Above 0 the turn made the reply more probable, below 0 less. It is exact for the reply as it stands; what two turns do
only together is in neither's fall. A latent variable stays the same in all of these passes, so that what a turn
tells a reply by way of z is not in its fall.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dialog.conversation import Conversation
from dialog.decoding.distribution import distribution
from dialog.decoding.replies import Sampling
from dialog.decoding.sampling import History
from dialog.errors import UsageError
from dialog.evaluation.pictures.names import token_names
from dialog.evaluation.why.contexts import joined_turns, read_contexts, turns_seen
from dialog.evaluation.why.forced import step_through
from dialog.evaluation.why.places import name_places
from dialog.evaluation.why.records import MOST_TOKENS, MOST_TURNS, Explanation, Step, Token, TurnCount
from dialog.models.base import ContextState, ReplyModel
from dialog.text.tokenizer import Tokenizer

__all__ = ["explain"]


@torch.inference_mode()
def explain(
    model: ReplyModel,
    tokenizer: Tokenizer,
    conversation: Conversation,
    tokens: Sequence[int],
    sampling: Sampling | None = None,
    latent: Sequence[float] | None = None,
    num_others: int = 5,
    most_turns: int = MOST_TURNS,
    most_tokens: int = MOST_TOKENS,
) -> Explanation:
    """Looks at a reply.

    Args:
        model: one that replies, in evaluation mode.
        tokenizer: the model's own.
        conversation: what the reply answers.
        tokens: of the reply, the end token included where it ended by it.
        sampling: what its tokens were chosen with; None for the model's own probabilities.
        latent: the z it was decoded from; where there is none of the model's size, the prior's mean is taken.
        num_others: most probable other tokens of each step.
        most_turns: so many of the last turns are left out, each once.
        most_tokens: so many of the first tokens are looked at.

    Raises:
        UsageError: the context has no words, or the reply no tokens, or such as the model does not have.
    """
    turns = joined_turns(conversation)
    if not turns:
        raise UsageError("the context has no words; write what the reply answers")
    tokens = _checked(tokens, tokenizer)
    said = tokens[:most_tokens]
    texts = [turn.text for turn in turns]
    contexts = read_contexts(model, tokenizer, texts, most_turns)
    rows = contexts.state.num_rows
    z, which = _latent(model, contexts.state, latent)
    unread = [torch.Generator()] * rows  # z is given, and nothing else is drawn
    planned = model.plan(contexts.state, unread, None if z is None else z.expand(rows, -1))
    forced = step_through(model, planned, said)
    steps = _steps(forced.logits, said, sampling, tokenizer, num_others)
    falls = {turn: forced.nats[0] - forced.nats[row] for row, turn in enumerate(contexts.left_out, 1)}
    seen = turns_seen(model)
    counts = tuple(
        TurnCount(
            turn,
            seen is None or place >= len(turns) - seen,
            tuple(falls[place].tolist()) if place in falls else None,
        )
        for place, turn in enumerate(turns)
    )
    places = None
    if forced.weights is not None:
        places = name_places(model, tokenizer, texts, forced.weights.shape[1])
    return Explanation(
        steps,
        len(tokens),
        float(forced.nats[0].sum()),
        sum(math.log(step.taken.drawn) if step.taken.drawn > 0 else -math.inf for step in steps),
        counts,
        seen,
        places,
        forced.weights,
        which,
    )


def _checked(tokens: Sequence[int], tokenizer: Tokenizer) -> list[int]:
    if not tokens:
        raise UsageError("the reply has no words; write one")
    strange = [token for token in tokens if not 0 <= token < tokenizer.num_tokens]
    if strange:
        raise UsageError(
            f"the reply has a token {strange[0]}, but the model has {tokenizer.num_tokens} tokens; "
            "it was not written by this model"
        )
    return list(tokens)


def _latent(
    model: ReplyModel, state: ContextState, given: Sequence[float] | None
) -> tuple[Tensor | None, Literal["none", "given", "mean"]]:
    """Returns z, (1, latent), and which it is."""
    if not model.is_latent:
        return None, "none"
    mean = model.prior_mean(state.select([0]))
    if given is None or len(given) != mean.shape[1] or not all(map(math.isfinite, given)):
        return mean, "mean"
    return torch.tensor([list(given)], dtype=mean.dtype, device=mean.device), "given"


def _steps(
    logits: NDArray[np.float32],
    tokens: Sequence[int],
    sampling: Sampling | None,
    tokenizer: Tokenizer,
    num_others: int,
) -> tuple[Step, ...]:
    steps = []
    for place, token in enumerate(tokens):
        own = _softmax(logits[place])
        drawn = own
        if sampling is not None:
            drawn = distribution(logits[place], History(sampling, np.zeros(0), list(tokens[:place])))
        # Those that a filter left out stand behind all others, in the model's own order.
        is_before = (drawn > drawn[token]) | ((drawn == drawn[token]) & (own > own[token]))
        order = np.lexsort((-own, -drawn))[: num_others + 1].tolist()
        others = [one for one in order if one != token][:num_others]
        names = token_names(tokenizer, [token, *others])
        taken, *rest = (
            Token(name, float(drawn[one]), float(own[one]))
            for name, one in zip(names, [token, *others], strict=True)
        )
        steps.append(Step(taken, 1 + int(is_before.sum()), tuple(rest)))
    return tuple(steps)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    weights = np.exp(logits.astype(np.float64) - float(logits.max()))
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares
