"""Replies with given latents: the same z, and words drawn anew."""

import torch
from torch import Tensor

from dialog.conversation import Conversation
from dialog.decoding.draft import Draft
from dialog.decoding.replier import Replier
from dialog.decoding.replies import Reply, Sampling
from dialog.decoding.sampling import History, reply_generator

__all__ = ["redraw"]


@torch.inference_mode()
def redraw(
    replier: Replier,
    conversation: Conversation,
    sampling: Sampling,
    latents: Tensor | None,
    num_replies: int,
    seed: int,
) -> list[list[Reply]]:
    """Returns for each z replies of which only the words are drawn.

    Args:
        replier: of any model.
        conversation: whose last turn is answered.
        sampling: how tokens are chosen.
        latents: (group, latent), or None for a model without a latent variable, which makes one group.
        num_replies: of each group.
        seed: of the words; without latents these are the replies that `Replier.reply` gives.
    """
    reading = replier.open(conversation)
    replier.reader.read_all([reading])
    num_groups = 1 if latents is None else len(latents)
    rows = num_groups * num_replies
    generators = [reply_generator(seed, index) for index in range(rows)]
    repeated = None if latents is None else latents.repeat_interleave(num_replies, dim=0)
    state = replier.model.plan(reading.state.select([0] * rows), generators, repeated)
    drafts = [
        Draft(History.of(sampling, generator), seed, index, reading.context_hash)
        for index, generator in enumerate(generators)
    ]
    batch = replier.new_batch()
    batch.join(drafts, state)
    for _ in batch.run():
        pass
    replies = [replier.finish(draft) for draft in drafts]
    return [replies[i : i + num_replies] for i in range(0, rows, num_replies)]
