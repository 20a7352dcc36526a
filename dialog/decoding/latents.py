"""Replies whose z and whose words are drawn apart: the same z with other words, the same words' draws with another z.

A draw has a name: a seed and an index, as replies have. Reply `index` of a seed draws noise for its z first, then a
number for each word; here the two may be of different draws. Where both are of the same one, the reply is that of
`Replier.reply` by its seed and index.

A walk goes from one z to another through the noise e that z is made of, z = loc(c) + scale(c) e, on the arc between
both (`layers.between`): draws of N(0, I) are nearly all of one length, and so is every point of the way. All points
use the same words' draws, so that nothing but z tells two replies apart.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from dialog.conversation import Conversation
from dialog.decoding.draft import Draft
from dialog.decoding.draws import Draw
from dialog.decoding.reading import ContextReader
from dialog.decoding.replier import Replier
from dialog.decoding.replies import Reply, Sampling
from dialog.decoding.sampling import History, reply_generator
from dialog.errors import UsageError
from dialog.layers.between import spherical
from dialog.models.base import ContextState
from dialog.models.registry import MODELS, model_name
from dialog.text.normalise import normalise

__all__ = ["LatentReplies", "read_context"]


def read_context(replier: Replier, conversation: Conversation) -> tuple[ContextState, str]:
    """Reads a conversation, and keeps nothing of it.

    Args:
        replier: whose model reads.
        conversation: may be empty for a model that makes text without a context.

    Returns:
        The state (a row) after it, and its hash.

    Raises:
        UsageError: there is no turn to answer.
    """
    is_empty = not any(normalise(turn.text) for turn in conversation.turns)
    if is_empty and "generate" in MODELS[model_name(replier.model)].abilities:
        return replier.model.start(1), ""
    reader = ContextReader(replier.model, replier.tokenizer, 0)
    reading = reader.open(conversation)
    reader.read_all([reading])
    return reading.state, reading.context_hash


class LatentReplies:
    """Replies of a model with a latent variable; keeps nothing of what it reads.

    A VAE says the last turn again, or draws a text where there is none: its z is of q(z | turn), or of the prior.

    Args:
        replier: whose model and tokenizer are used; may serve others at the same time.

    Raises:
        UsageError: the model has no latent variable.
    """

    def __init__(self, replier: Replier) -> None:
        if not replier.model.is_latent:
            raise UsageError(
                f"{type(replier.model).__name__} has no latent variable to draw; choose a VHRED or a VHCR"
            )
        self._replier = replier

    @torch.inference_mode()
    def draw(
        self,
        conversation: Conversation,
        sampling: Sampling,
        latents: Sequence[Draw],
        words: Sequence[Draw],
    ) -> list[Reply]:
        """Returns a reply to the last turn for each pair of draws; its seed and index are those of its words.

        Args:
            conversation: its last turn is answered.
            sampling: how tokens are chosen; only the method `sample` reads the words' draws.
            latents: of z.
            words: as many.

        Raises:
            UsageError: no turn to answer, or no draw.
        """
        self._replier.check(sampling, range(len(latents)))
        state, context_hash = read_context(self._replier, conversation)
        rows = state.select([0] * len(latents))
        found = self._replier.model.latents_from(rows, self._noise(latents))
        return self._say(rows, context_hash, found, sampling, words)

    @torch.inference_mode()
    def walk(
        self,
        conversation: Conversation,
        sampling: Sampling,
        first: Draw,
        last: Draw,
        num_points: int,
        words: Draw,
    ) -> list[Reply]:
        """Returns what is replied on the way from one z to another, at equal angles, both ends counted.

        Args:
            conversation: its last turn is answered.
            sampling: how tokens are chosen.
            first: names the z that the walk begins at.
            last: names the z that it ends at.
            num_points: of the way, 2 or more.
            words: of all points.

        Raises:
            UsageError: no turn to answer, or fewer than two points.
        """
        if num_points < 2:
            raise UsageError(
                f"a walk of {num_points} points was asked for, but it has two ends: ask for 2 or more"
            )
        self._replier.check(sampling, range(num_points))
        state, context_hash = read_context(self._replier, conversation)
        rows = state.select([0] * num_points)
        begin, end = self._noise([first, last])
        shares = torch.linspace(0, 1, num_points, dtype=torch.float64)
        way = spherical(begin.expand(num_points, -1), end.expand(num_points, -1), shares)
        way[0], way[-1] = begin, end  # to the last bit
        found = self._replier.model.latents_from(rows, way)
        return self._say(rows, context_hash, found, sampling, [words] * num_points)

    def _noise(self, draws: Sequence[Draw]) -> Tensor:
        """Returns the noise of some z, (draw, `noise_size`) float32, on the model's device."""
        model = self._replier.model
        generators = [reply_generator(one.seed, one.index) for one in draws]
        rows = [torch.randn(model.noise_size, generator=generator) for generator in generators]
        return torch.stack(rows).to(next(model.parameters()).device)

    def _say(
        self,
        state: ContextState,
        context_hash: str,
        latents: Tensor,
        sampling: Sampling,
        words: Sequence[Draw],
    ) -> list[Reply]:
        """Decodes a reply from each z (row, latent)."""
        model = self._replier.model
        generators = [reply_generator(one.seed, one.index) for one in words]
        for generator in generators:
            torch.randn(model.noise_size, generator=generator)  # what a reply's own z takes
        drafts = [
            Draft(History.of(sampling, generator), one.seed, one.index, context_hash, tuple(row))
            for one, generator, row in zip(words, generators, latents.tolist(), strict=True)
        ]
        batch = self._replier.new_batch()
        batch.join(drafts, model.plan(state, generators, latents))
        for _ in batch.run():
            pass
        return [self._replier.finish(draft) for draft in drafts]
