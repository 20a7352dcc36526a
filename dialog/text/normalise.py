"""The one normalisation of text, the same for logs, for training and for a message in the chat."""

import unicodedata

__all__ = ["NormalisedStream", "normalise"]

_HANGUL_JAMO = range(0x1100, 0x1200)
_JOINING_LETTERS = frozenset("\U00016d63\U00016d67")
"""Letters, not marks, that Unicode 16 composes with the letter before them (Kirat Rai)."""


def normalise(text: str) -> str:
    """Returns `text` in Unicode NFKC, each run of white space as one space, none at the ends."""
    if text.isascii():  # ASCII is in NFKC; most of it has nothing to change, which is seen fast
        if text.isprintable() and "  " not in text and text[:1] != " " != text[-1:]:
            return text
        return " ".join(text.split())
    return " ".join(unicodedata.normalize("NFKC", text).split())


class NormalisedStream:
    """Normalises a text that comes in pieces: what is given out joins to `normalise` of the whole.

    The last character is held back, with the marks that stand on it, for a further mark may change it (か and ゛
    make が); so is white space, for none stands at the end.
    """

    def __init__(self) -> None:
        self._held = ""
        self._has_gap = self._has_begun = False

    def push(self, text: str) -> str:
        """Returns what is final with this piece."""
        held = self._held + text
        place = len(held) - 1
        while place > 0 and not stands_alone(held[place]):
            place -= 1
        place = max(place, 0)
        self._held = held[place:]
        return self._final(held[:place])

    def finish(self) -> str:
        """Returns what was held back."""
        held, self._held = self._held, ""
        return self._final(held)

    def _final(self, text: str) -> str:
        if not text:
            return ""
        if not text.isascii():
            text = unicodedata.normalize("NFKC", text)
        words = text.split()
        if not words:
            self._has_gap = True
            return ""
        gap = " " if self._has_begun and (self._has_gap or text[0].isspace()) else ""
        self._has_begun, self._has_gap = True, text[-1].isspace()
        return gap + " ".join(words)


def stands_alone(character: str) -> bool:
    """Returns whether normalising joins a character with nothing that stands before it; some that do get False."""
    if character.isascii():
        return True
    first = unicodedata.normalize("NFKD", character)[0]
    is_mark = unicodedata.category(first)[0] == "M"
    return not is_mark and ord(first) not in _HANGUL_JAMO and first not in _JOINING_LETTERS
