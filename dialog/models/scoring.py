"""How a decoder and a token table score whole replies: in training from a batch, and from a DecoderState."""

import torch
from torch import Tensor

from dialog.layers.attention import reinforce_term
from dialog.models.base import LossParts
from dialog.models.decoder import Memory, RecurrentDecoderState, Replies, ReplyDecoder
from dialog.models.parts import TokenTable
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
    """Returns NLL and, in training, the uniform cross-entropy of each reply and what trains hard attention.

    Args:
        table: the token table.
        decoder: the decoder.
        replies: the targets.
        condition: (reply, condition), what the decoder starts from.
        memory: what each reply may attend over.
        generator: draws dropout, in training.
    """
    embedded, packing = table.embed(replies.inputs, generator), replies.packing
    decoded = decoder.run(embedded, packing, condition, decoder.source(memory), generator)
    nll, uniform = table.losses(decoded.features, replies.targets)
    auxiliary = {"uniform": packing.sum_rows(uniform)} if table.training else {}
    if decoded.choice_log_probability is not None:
        auxiliary["hard_attention"] = packing.sum_rows(reinforce_term(decoded.choice_log_probability, -nll))
    return LossParts(packing.sum_rows(nll), replies.num_tokens, auxiliary=auxiliary)


def score_replies(
    table: TokenTable, decoder: ReplyDecoder, state: RecurrentDecoderState, utterances: Utterances
) -> Tensor:
    """Returns the log-probability of each token, (reply, time), 0 behind each row's end; see `ReplyModel.score`."""
    replies = Replies.of(utterances)
    condition = state.hidden.flatten(1) if state.constant is None else state.constant
    embedded = table.embed(replies.inputs)
    decoded = decoder.run(embedded, replies.packing, condition, state.source(), hidden=state.hidden)
    nll, _ = table.losses(decoded.features, replies.targets)
    return replies.packing.pad(-nll, utterances.tokens.shape[1])
