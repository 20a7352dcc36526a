"""Reading contexts: the turns of conversations that are not known yet, an utterance of each at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from dialog.conversation import Conversation
from dialog.decoding.context_cache import ContextCache, prefix_hashes
from dialog.errors import UsageError
from dialog.models.base import ContextState, ReplyModel
from dialog.text.batches import utterances_of
from dialog.text.normalise import normalise
from dialog.text.tokenizer import Tokenizer

__all__ = ["ContextReader", "Reading", "joined_texts"]


@dataclass(slots=True)
class Reading:
    """A conversation that is being read.

    Attributes:
        context_hash: of all its turns.
        state: after the turns that were read.
        unread: tokens of the further turns.
    """

    context_hash: str
    state: ContextState
    unread: list[Sequence[int]]


class ContextReader:
    """Reads conversations with one model, and keeps the states that chats go on from.

    Args:
        model: in evaluation mode.
        tokenizer: the model's own.
        cache_bytes: for the states that are kept.
    """

    def __init__(self, model: ReplyModel, tokenizer: Tokenizer, cache_bytes: int) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._cache = ContextCache(cache_bytes)

    @torch.inference_mode()
    def open(self, conversation: Conversation) -> Reading:
        """Begins where the longest known beginning of a conversation ends.

        Raises:
            UsageError: there is no turn to answer.
        """
        texts = joined_texts(conversation)
        if not texts:
            raise UsageError("the conversation has no text to answer; give at least one turn with words")
        hashes = prefix_hashes(texts)
        known, state = self._cache.longest(hashes)
        unread = self._tokenizer.encode_all(texts[known:])
        return Reading(hashes[-1], self._model.start(1) if state is None else state, list(unread))

    @torch.inference_mode()
    def advance(self, readings: Sequence[Reading]) -> None:
        """Reads one more utterance of each conversation that has one, all together."""
        going_on = [reading for reading in readings if reading.unread]
        if not going_on:
            return
        device = next(self._model.parameters()).device
        utterances = utterances_of([reading.unread.pop(0) for reading in going_on]).to(device)
        states = [reading.state for reading in going_on]
        before = states[0] if len(states) == 1 else type(states[0]).concat(states)
        after = self._model.observe(before, utterances)
        for row, reading in enumerate(going_on):
            reading.state = after if len(states) == 1 else after.select([row])
            if not reading.unread:
                self._cache.keep(reading.context_hash, reading.state)

    def read_all(self, readings: Sequence[Reading]) -> None:
        """Reads all turns of all conversations."""
        while any(reading.unread for reading in readings):
            self.advance(readings)


def joined_texts(conversation: Conversation) -> list[str]:
    """Returns the texts of `join_neighbours` over the normalised turns that have words.

    It passes over the whole chat at every turn, so it makes no objects on its way.
    """
    texts: list[str] = []
    speaker = None
    for turn in conversation.turns:
        text = normalise(turn.text)
        if text and texts and turn.speaker == speaker:
            texts[-1] = f"{texts[-1]} {text}"
        elif text:
            texts.append(text)
            speaker = turn.speaker
    return texts
