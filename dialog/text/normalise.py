"""The one normalisation of text, the same for logs, for training and for a message in the chat."""

import unicodedata

__all__ = ["normalise"]


def normalise(text: str) -> str:
    """Returns `text` in Unicode NFKC, each run of white space as one space, none at the ends."""
    return " ".join(unicodedata.normalize("NFKC", text).split())
