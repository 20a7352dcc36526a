"""How varied some replies are: distinct-n, the share of the most frequent reply, and their length.

Li et al. 2016, "A Diversity-Promoting Objective Function for Neural Conversation Models", section 4.2:
distinct-n is the number of distinct n-grams over the number of all n-grams, counted over all replies
together. It falls with the number of replies and with their length, so that only equally many replies to
the same contexts, cut at the same length, compare.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Diversity", "distinct", "measure_diversity"]


@dataclass(frozen=True, slots=True)
class Diversity:
    """Figures of some replies.

    Attributes:
        num_replies: how many there were.
        top_share: share of the most frequent reply, upper and lower case alike.
        top_reply: that reply; of several, the one that came first.
        distinct_1: distinct tokens over all tokens.
        distinct_2: distinct pairs of neighbouring tokens over all such pairs; 0 where there is none.
        mean_length: tokens a reply, the end token not counted.
    """

    num_replies: int
    top_share: float
    top_reply: str
    distinct_1: float
    distinct_2: float
    mean_length: float

    def to_json(self) -> dict[str, Any]:
        """Returns the figures as plain JSON values."""
        return asdict(self)


def distinct(replies: Sequence[Sequence[int]], size: int) -> float:
    """Returns the share of distinct n-grams of `size` tokens among all of `replies`; 0 if there is none."""
    grams = Counter(
        tuple(reply[start : start + size]) for reply in replies for start in range(len(reply) - size + 1)
    )
    return len(grams) / grams.total() if grams else 0.0


def measure_diversity(replies: Sequence[Sequence[int]], texts: Sequence[str]) -> Diversity:
    """Measures some replies.

    Args:
        replies: at least one; the tokens of each, without control tokens.
        texts: what each of them reads as.
    """
    folded = [text.casefold() for text in texts]
    top, count = Counter(folded).most_common(1)[0]
    return Diversity(
        num_replies=len(replies),
        top_share=count / len(replies),
        top_reply=texts[folded.index(top)],
        distinct_1=distinct(replies, 1),
        distinct_2=distinct(replies, 2),
        mean_length=sum(map(len, replies)) / len(replies),
    )
