"""Made-up words and small talk, the stuff that probe corpora are made of."""

from collections.abc import Set
from random import Random

__all__ = ["WORDS_OF_TALK", "made_up_words", "small_talk"]

_CONSONANTS = "bdfgklmnprstvz"
_VOWELS = "aeiou"
_SYLLABLES = 3

_WHO = "my aunt|the neighbour|our teacher|a friend|the baker|my brother".split("|")
_WHAT = "talked about|thought about|laughed at|waited for|looked for|wrote about".split("|")
_OF = "the rain|the old bridge|a long train|the market|this song|a blue boat|the holiday|some bread".split(
    "|"
)
_WHEN = "today|last night|this morning|on monday|again|for an hour".split("|")

WORDS_OF_TALK = frozenset(
    word for part in (_WHO, _WHAT, _OF, _WHEN) for each in part for word in each.split()
)
"""All words of `small_talk`."""


def made_up_words(count: int, random: Random, taken: Set[str] = frozenset()) -> list[str]:
    """Returns `count` different words of three syllables, none of them in `taken`."""
    words: dict[str, None] = {}
    while len(words) < count:
        word = "".join(random.choice(_CONSONANTS) + random.choice(_VOWELS) for _ in range(_SYLLABLES))
        if word not in taken:
            words[word] = None
    return list(words)


def small_talk(random: Random) -> str:
    """Returns one of some 1,700 sentences that say nothing of anything else."""
    return " ".join(random.choice(part) for part in (_WHO, _WHAT, _OF, _WHEN))
