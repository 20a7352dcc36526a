"""Tokens and turns as the axes of a picture name them."""

from collections.abc import Sequence

from dialog.text.batches import BOS, EOS
from dialog.text.tokenizer import Tokenizer

__all__ = ["shortened", "token_names"]

_SPACE_MARK = "\u2581"
_CONTROLS = {BOS: "(start)", EOS: "(end)"}


def token_names(tokenizer: Tokenizer, tokens: Sequence[int]) -> list[str]:
    """Returns a name for each token; one that goes on within a word begins with a middle dot."""
    names = []
    for token in tokens:
        piece = tokenizer.pieces[token]
        inside = piece.removeprefix(_SPACE_MARK)
        marked = tokenizer.is_by_words and inside == piece and not piece.startswith("<")
        names.append(_CONTROLS.get(token, f"·{inside}" if marked else inside or "(space)"))
    return names


def shortened(text: str, length: int = 32) -> str:
    """Returns a text of at most so many characters."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
