"""What a reply's own beginning forbids or makes dearer: repeated n-grams, repeated tokens.

Paulus, Xiong and Socher 2018, "A Deep Reinforced Model for Abstractive Summarization", section 2.5 (n-gram
blocking); Keskar et al. 2019, "CTRL: A Conditional Transformer Language Model", section 4.1 (the penalty).
"""

from collections.abc import Sequence

__all__ = ["blocked_tokens"]


def blocked_tokens(tokens: Sequence[int], size: int) -> list[int]:
    """Returns the tokens that would end an n-gram which stands in the reply already.

    Args:
        tokens: the reply so far.
        size: n, of the n-grams that may stand once only; 0 blocks nothing.
    """
    if not 0 < size <= len(tokens):
        return []
    beginning = list(tokens[len(tokens) - size + 1 :])
    last = size - 1
    return [
        tokens[start + last]
        for start in range(len(tokens) - last)
        if list(tokens[start : start + last]) == beginning
    ]
