"""A context read whole, and read again without each of its last turns, all side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from dialog.conversation import Conversation, Turn, join_neighbours
from dialog.models.base import ContextState, ReplyModel
from dialog.text.batches import utterances_of
from dialog.text.normalise import normalise
from dialog.text.tokenizer import Tokenizer

__all__ = ["Contexts", "joined_turns", "read_contexts", "turns_seen"]


@dataclass(frozen=True, slots=True)
class Contexts:
    """A context, and what is left of it without a turn.

    Attributes:
        state: its first row has read all turns; row i + 1 all but turn `left_out[i]`.
        left_out: which turns, counted from 0.
    """

    state: ContextState
    left_out: tuple[int, ...]


def joined_turns(conversation: Conversation) -> tuple[Turn, ...]:
    """Returns the turns as models read them: normalised, none without words, neighbours of one speaker joined."""
    said = (Turn(turn.speaker, normalise(turn.text)) for turn in conversation.turns)
    return join_neighbours(turn for turn in said if turn.text)


def turns_seen(model: ReplyModel) -> int | None:
    """Returns how many of the last turns a model reads; None for all of them."""
    count = model.config.to_json().get("context_turns")
    return None if count is None else int(count)


@torch.inference_mode()
def read_contexts(
    model: ReplyModel, tokenizer: Tokenizer, texts: Sequence[str], most_left_out: int
) -> Contexts:
    """Reads a context.

    The turns around one that is left out stay two turns, also where one speaker then says both.

    Args:
        model: in evaluation mode.
        tokenizer: the model's own.
        texts: the turns, 1 or more.
        most_left_out: so many of the last turns are left out, one at a time.
    """
    device = next(model.parameters()).device
    first = max(0, len(texts) - most_left_out)
    state = model.start(1)
    for turn, tokens in enumerate(tokenizer.encode_all(texts)):
        before = state
        heard = utterances_of([tokens] * before.num_rows).to(device)
        state = model.observe(before, heard)
        if turn >= first:  # a further row, which has not heard this turn
            state = type(state).concat([state, before.select([0])])
    return Contexts(state, tuple(range(first, len(texts))))
