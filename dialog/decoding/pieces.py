"""The text of a reply while its tokens come: pieces that join to the text that the reply will have.

No piece ends inside a character, holds the beginning of what may become a stop sequence, or is taken back.
"""

from collections.abc import Sequence

from dialog.decoding.draft import Draft
from dialog.decoding.stopping import without_nul
from dialog.text.batches import EOS
from dialog.text.normalise import NormalisedStream, normalise
from dialog.text.tokenizer import StreamDecoder, Tokenizer

__all__ = ["ReplyPieces", "text_of"]


def text_of(draft: Draft, tokenizer: Tokenizer, before: Sequence[int] = ()) -> str:
    """Returns the text of a reply that has ended, up to its stop sequence.

    Args:
        draft: the reply.
        tokenizer: the model's own.
        before: tokens that its text begins with and that are none of its own.
    """
    text = tokenizer.decode([*before, *draft.tokens])
    if draft.stops is not None and draft.stops.cut is not None:
        behind = len(tokenizer.decode(draft.tokens)) - draft.stops.cut
        text = text[: len(text) - behind]
    return normalise(without_nul(text))


class ReplyPieces:
    """Takes the text of a draft as far as it has come; another thread may be decoding it.

    Args:
        draft: the reply.
        tokenizer: the model's own.

    Attributes:
        num_tokens: tokens whose text was given out, or begins in what was; the end token is none of them.
    """

    def __init__(self, draft: Draft, tokenizer: Tokenizer) -> None:
        self.num_tokens = 0
        self._draft = draft
        self._decoder = StreamDecoder(tokenizer)
        self._normalised = NormalisedStream()
        self._num_read = 0
        self._starts: list[int] = []  # where the text of each token begins
        self._held = ""  # decoded, not given out
        self._num_given = 0

    def take(self) -> str:
        """Returns the text that is new and final; may be empty."""
        self._read()
        stops = self._draft.stops
        return self._give(None if stops is None else stops.settled)

    def finish(self) -> str:
        """Returns the rest, once the reply has ended."""
        self._read()
        self._held += without_nul(self._decoder.finish())
        stops = self._draft.stops
        return self._give(None if stops is None else stops.cut) + self._normalised.finish()

    def _read(self) -> None:
        tokens = self._draft.tokens[self._num_read :]
        self._num_read += len(tokens)
        for token in tokens:
            if token != EOS:
                self._starts.append(self._num_given + len(self._held))
                self._held += without_nul(self._decoder.push(token))

    def _give(self, limit: int | None) -> str:
        """Gives out the decoded text before the character `limit`, all of it when None."""
        count = len(self._held) if limit is None else max(0, limit - self._num_given)
        text, self._held = self._held[:count], self._held[count:]
        self._num_given += len(text)
        if limit is None:
            self.num_tokens = len(self._starts)
        while self.num_tokens < len(self._starts) and self._starts[self.num_tokens] < self._num_given:
            self.num_tokens += 1
        return self._normalised.push(text)
