"""The one normalisation of text, the same for logs, for training and for a message in the chat."""

import unicodedata

__all__ = ["normalise"]


def normalise(text: str) -> str:
    """Returns `text` in Unicode NFKC, each run of white space as one space, none at the ends."""
    if text.isascii():  # ASCII is in NFKC; most of it has nothing to change, which is seen fast
        if text.isprintable() and "  " not in text and text[:1] != " " != text[-1:]:
            return text
        return " ".join(text.split())
    return " ".join(unicodedata.normalize("NFKC", text).split())
