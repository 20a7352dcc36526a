"""Stop sequences: a reply ends before the first of them that its text would hold.

The text is that of the tokens as they are decoded, compared after NFKC, as in `dialog.text.normalise`, and
with each run of spaces as one; a line break in a sequence is met by a line break alone, which models hardly ever write.
"""

import re
import unicodedata
from collections.abc import Sequence

from dialog.text.tokenizer import StreamDecoder, Tokenizer

__all__ = ["StopWatch", "without_nul"]


def without_nul(text: str) -> str:
    """No text of people holds NUL, and no database takes it; as a byte it could still be drawn."""
    return text.replace("\0", "\ufffd")


class StopWatch:
    """Reads a reply's tokens as they are chosen, and finds where it is to stop.

    Args:
        tokenizer: the model's own.
        stop: the sequences, none empty.

    Attributes:
        settled: characters of the decoded text that no stop sequence can take back; never falls.
        cut: characters that stand before the stop sequence; None while there is none.
    """

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str]) -> None:
        self.settled = 0
        self.cut: int | None = None
        self._decoder = StreamDecoder(tokenizer)
        self._stop = [re.sub(" +", " ", unicodedata.normalize("NFKC", sequence)) for sequence in stop]
        self._longest = max(map(len, self._stop))
        self._end = ""  # of the text, as it is compared …
        self._places: list[int] = []  # … and where each character of that stands in the text
        self._length = 0

    def push(self, token: int) -> bool:
        """Takes the next token; returns whether the reply ends with it."""
        for character in without_nul(self._decoder.push(token)):
            self._take(character)
            if self.cut is not None:
                self.settled = self.cut
                return True
        self.settled = self._first_open()
        return False

    def _take(self, character: str) -> None:
        for part in unicodedata.normalize("NFKC", character):
            if part == " " and self._end.endswith(" "):
                continue
            self._end = (self._end + part)[-self._longest :]
            self._places = [*self._places, self._length][-self._longest :]
            found = [len(sequence) for sequence in self._stop if self._end.endswith(sequence)]
            if found:
                self.cut = self._places[-max(found)]
                return
        self._length += 1

    def _first_open(self) -> int:
        """Returns where the longest beginning of a stop sequence stands that the text ends in."""
        for count in range(min(len(self._end), self._longest - 1), 0, -1):
            end = self._end[-count:]
            if any(len(sequence) > count and sequence.startswith(end) for sequence in self._stop):
                return self._places[-count]
        return self._length
