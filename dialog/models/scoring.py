"""How a decoder and a token table score whole replies: in training from a batch, and from a DecoderState."""

import torch
from torch import Tensor

from dialog.models.base import LossParts
from dialog.models.parts import Memory, RecurrentDecoderState, Replies, ReplyDecoder, TokenTable
from dialog.text.batches import Utterances

__all__ = ["reply_losses", "score_replies"]


def reply_losses(
    table: TokenTable,
    decoder: ReplyDecoder,
    replies: Replies,
    condition: Tensor,
    memory: Memory,
    generator: torch.Generator,
) -> LossParts:
    """Returns NLL and, in training, the uniform cross-entropy of each reply.

    Args:
        table: the token table.
        decoder: the decoder.
        replies: the targets.
        condition: (reply, condition), what the decoder starts from.
        memory: what each reply may attend over.
        generator: draws dropout, in training.
    """
    features = decoder.run(
        table.embed(replies.inputs, generator), replies.packing, condition, memory, generator
    )
    nll, uniform = table.losses(features, replies.targets)
    auxiliary = {"uniform": replies.packing.sum_rows(uniform)} if table.training else {}
    return LossParts(replies.packing.sum_rows(nll), replies.num_tokens, auxiliary=auxiliary)


def score_replies(
    table: TokenTable, decoder: ReplyDecoder, state: RecurrentDecoderState, utterances: Utterances
) -> Tensor:
    """Returns the log-probability of each token, (reply, time), 0 behind each row's end; see `ReplyModel.score`."""
    replies = Replies.of(utterances)
    places = torch.arange(state.mask.numel(), device=state.mask.device).view(state.mask.shape)
    memory = Memory(state.value.flatten(0, 1), torch.where(state.mask, places, -1))
    condition = state.hidden.flatten(1) if state.constant is None else state.constant
    features = decoder.run(
        table.embed(replies.inputs), replies.packing, condition, memory, hidden=state.hidden
    )
    nll, _ = table.losses(features, replies.targets)
    return replies.packing.pad(-nll, utterances.tokens.shape[1])
