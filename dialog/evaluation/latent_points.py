"""Where z goes for single replies: what the posterior makes of each, and what it costs, dimension by dimension.

`evaluation.latent` has the figures of a whole split. Here each reply keeps its own: the mean of q(z | c, x), a place
on a map, and KL(q(z_d | c, x) || p(z_d | c)), how much the words x tell of z_d beside the context c, in nats.

A model whose replies share a further latent, z_conv, has its KL counted apart, once a conversation; q(z | c, x) and its
KL are then those given the mean of q(z_conv | …).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dialog.conversation import Conversation, join_neighbours
from dialog.decoding.latents import read_context
from dialog.decoding.replier import Replier
from dialog.errors import UsageError
from dialog.evaluation.sums import Floats
from dialog.models.base import ContextState, LatentGaussians
from dialog.text.batches import Window, collate
from dialog.text.normalise import normalise

__all__ = ["LatentPoints", "points_of", "points_of_replies"]

_WINDOW_TURNS = 32
"""Of a conversation's end, so many turns are read."""


@dataclass(frozen=True, slots=True)
class LatentPoints:
    """What the posterior makes of some replies.

    Attributes:
        texts: the replies.
        places: (reply, latent), the means of q(z | c, x).
        kl: (reply, latent), nats.
        conversation_kl: (conversation, latent), nats, of the latent that the replies of a conversation share; None
            for a model without one.
    """

    texts: tuple[str, ...]
    places: Floats
    kl: Floats
    conversation_kl: Floats | None = None

    @property
    def kl_per_dimension(self) -> Floats:
        """Returns the mean KL of each dimension over the replies, (latent,) nats."""
        mean: Floats = self.kl.mean(axis=0)
        return mean


@torch.inference_mode()
def points_of_replies(
    replier: Replier, conversation: Conversation, texts: Sequence[str]
) -> LatentPoints | None:
    """Looks at some replies to one conversation; None if none of them has words.

    Args:
        replier: of a model with a latent variable; nothing is kept of what is read.
        conversation: what they answer.
        texts: one or more.

    Raises:
        UsageError: no turn to answer, or the model has no latent variable.
    """
    said = [text for text in texts if normalise(text)]
    if not said:
        return None
    state, _ = read_context(replier, conversation)
    windows = [_window(replier, [text], 0) for text in said]
    return _points(replier, said, windows, state.select([0] * len(said)))


@torch.inference_mode()
def points_of(
    replier: Replier, conversations: Iterable[Conversation], max_replies: int
) -> LatentPoints | None:
    """Looks at all that was answered in some conversations, the first of them first; None if nothing was.

    Args:
        replier: of a model with a latent variable; nothing is kept of what is read.
        conversations: of each the last turns are read, and all but the first of these are replies.
        max_replies: no more are looked at, of a conversation the last ones.

    Raises:
        UsageError: the model has no latent variable.
    """
    windows: list[Window] = []
    said: list[str] = []
    for conversation in conversations:
        turns = [turn for turn in conversation.turns if normalise(turn.text)]
        texts = [turn.text for turn in join_neighbours(turns)][-_WINDOW_TURNS:]
        wanted = min(len(texts) - 1, max_replies - len(said))
        if wanted > 0:
            windows.append(_window(replier, texts, len(texts) - wanted))
            said += texts[-wanted:]
        if len(said) == max_replies:
            break
    return _points(replier, said, windows, None) if windows else None


def _window(replier: Replier, texts: Sequence[str], first_target: int) -> Window:
    tokens = [
        np.asarray(ids, dtype=np.int32)
        for ids in replier.tokenizer.encode_all([normalise(text) for text in texts])
    ]
    return Window(tokens, np.arange(len(texts)) >= first_target)


def _points(
    replier: Replier, texts: Sequence[str], windows: Sequence[Window], state: ContextState | None
) -> LatentPoints:
    model = replier.model
    if not model.is_latent:
        raise UsageError(
            f"{type(model).__name__} has no latent variable to look at; choose a VHRED or a VHCR"
        )
    batch = collate(windows).to(next(model.parameters()).device)
    found = model.describe_latents(batch, state)
    shared = None if found.conversation is None else _kl(found.conversation).numpy()
    return LatentPoints(tuple(texts), found.posterior_loc.double().cpu().numpy(), _kl(found).numpy(), shared)


def _kl(found: LatentGaussians) -> Tensor:
    """Returns KL(q || p), (row, latent) float64."""
    prior_loc, prior_scale, loc, scale = (
        value.double().cpu()
        for value in (found.prior_loc, found.prior_scale, found.posterior_loc, found.posterior_scale)
    )
    distributions = torch.distributions.Normal(loc, scale), torch.distributions.Normal(prior_loc, prior_scale)
    return torch.distributions.kl_divergence(*distributions)
