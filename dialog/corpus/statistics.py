"""What a corpus is like, counted conversation by conversation: sizes, lengths, words, repetition, leaks, languages.

Memory grows with the vocabulary, and by some 24 bytes a turn, by which repetition is told. A word is letters and digits
in a row, with inner apostrophes; Japanese and Chinese have no spaces, so there a word is a run of one script (kanji,
hiragana, katakana). Lengths in words compare only within a language.
"""

import hashlib
import re
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dialog.corpus.languages import guess_language
from dialog.corpus.tokenized import SPLITS
from dialog.text.loose import loose_letters

__all__ = ["CorpusStatistics", "Row", "words_of"]

_WORD = re.compile(
    r"[\u3400-\u9fff\U00020000-\U0002fa1f々〆]+|[\u3041-\u3096]+|[\u30a1-\u30faー]+"
    r"|(?:(?![\u3041-\u3096\u30a1-\u30faー\u3400-\u9fff々〆])[^\W_])+(?:['’][^\W_]+)*"
)
_MOST_TEXTS = 1_000_000
_PAIRS = (("valid", "train"), ("test", "train"), ("test", "valid"))


class Row(NamedTuple):
    """A conversation to count.

    Attributes:
        split: `train`, `valid` or `test`.
        speakers: the number of each turn's speaker.
        texts: the turns' texts.
        targets: whether each turn is trained or scored on.
        num_tokens: of each turn; None where there is no tokenizer yet.
    """

    split: str
    speakers: Sequence[int]
    texts: Sequence[str]
    targets: Sequence[bool]
    num_tokens: Sequence[int] | None = None


def words_of(text: str) -> list[str]:
    """Returns the words of a text, without case."""
    return _WORD.findall(text.casefold())


class _Split:
    """What is counted of one split."""

    def __init__(self) -> None:
        self.num_turns: Counter[int] = Counter()
        self.num_speakers: Counter[int] = Counter()
        self.num_words: Counter[int] = Counter()
        self.num_tokens: Counter[int] = Counter()
        self.words: Counter[str] = Counter()
        self.replies = 0
        self.conversations, self.pairs, self.turns = array("Q"), array("Q"), array("Q")


class CorpusStatistics:
    """Counts conversations; `to_json` tells what they came to."""

    def __init__(self) -> None:
        self._splits = {split: _Split() for split in SPLITS}
        self._languages: Counter[str] = Counter()
        self._replies: Counter[str] = Counter()
        self._pruned = False

    def add(self, row: Row) -> None:
        """Counts a conversation."""
        counts = self._splits[row.split]
        counts.num_turns[len(row.texts)] += 1
        counts.num_speakers[len(set(row.speakers))] += 1
        loose = [loose_letters(text) or text.encode("utf-8", "surrogatepass") for text in row.texts]
        counts.conversations.append(_digest(b"\n".join(loose)))
        for place, (text, letters) in enumerate(zip(row.texts, loose, strict=True)):
            words = words_of(text)
            counts.words.update(words)
            counts.num_words[len(words)] += 1
            counts.turns.append(_digest(letters))
            self._languages[guess_language(text)] += 1
            if row.targets[place]:
                counts.replies += 1
                self._replies[text] += 1
                counts.pairs.append(_digest(loose[place - 1] + b"\n" + letters))
        if row.num_tokens is not None:
            counts.num_tokens.update(row.num_tokens)
        if len(self._replies) > _MOST_TEXTS:
            self._replies = Counter({text: times for text, times in self._replies.items() if times > 1})
            self._pruned = True

    def to_json(self, most: int = 20) -> dict[str, Any]:
        """Returns all figures as plain JSON values.

        Args:
            most: how many of the most frequent replies and words are listed.
        """
        words = sum((each.words for each in self._splits.values()), Counter[str]())
        replies = sum(each.replies for each in self._splits.values())
        return {
            "splits": {split: _sizes(each) for split, each in self._splits.items()},
            "vocabulary": _vocabulary(words, most),
            "words_that_train_lacks": {
                split: _lacking(self._splits[split].words, self._splits["train"].words)
                for split in ("valid", "test")
            },
            "duplicates": {split: _duplicates(each) for split, each in self._splits.items()},
            "leaks": {
                f"{one}_in_{other}": _leaks(self._splits[one], self._splits[other]) for one, other in _PAIRS
            },
            "languages": dict(self._languages.most_common()),
            "frequent_replies": [
                {"text": text, "times": times, "share": times / replies}
                for text, times in self._replies.most_common(most)
            ],
            "frequent_replies_are_exact": not self._pruned,
        }


def _digest(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def _sizes(counts: _Split) -> dict[str, Any]:
    return {
        "conversations": sum(counts.num_turns.values()),
        "turns": sum(turns * times for turns, times in counts.num_turns.items()),
        "replies": counts.replies,
        "words": counts.words.total(),
        "distinct_words": len(counts.words),
        "tokens": sum(tokens * times for tokens, times in counts.num_tokens.items())
        if counts.num_tokens
        else None,
        "turns_a_conversation": _lengths(counts.num_turns),
        "speakers_a_conversation": _lengths(counts.num_speakers),
        "words_a_turn": _lengths(counts.num_words),
        "tokens_a_turn": _lengths(counts.num_tokens),
    }


def _lengths(counts: Mapping[int, int]) -> dict[str, Any] | None:
    """Mean, quantiles and the histogram itself; None of nothing."""
    if not counts:
        return None
    values = np.array(sorted(counts), np.int64)
    times = np.array([counts[int(value)] for value in values], np.int64)
    ends = times.cumsum()

    def quantile(share: float) -> int:
        return int(values[np.searchsorted(ends, share * ends[-1])])

    return {
        "mean": float((values * times).sum() / ends[-1]),
        "median": quantile(0.5),
        "percentile_95": quantile(0.95),
        "largest": int(values[-1]),
        "histogram": [[int(value), int(number)] for value, number in zip(values, times, strict=True)],
    }


def _vocabulary(words: Counter[str], most: int) -> dict[str, Any]:
    """Sizes, how much of the text the most frequent words make, and these."""
    times = np.sort(np.fromiter(words.values(), np.int64, len(words)))[::-1]
    total = int(times.sum())
    covered = times.cumsum()
    ranks = [
        rank for power in range(8) for rank in (10**power, 2 * 10**power, 5 * 10**power) if rank < len(times)
    ]
    return {
        "words": total,
        "distinct": len(times),
        "said_once": int((times == 1).sum()),
        "coverage": [[rank, float(covered[rank - 1] / total)] for rank in [*ranks, len(times)] if total],
        "most_frequent": [[word, number] for word, number in words.most_common(most)],
    }


def _lacking(words: Mapping[str, int], known: Mapping[str, int]) -> dict[str, Any]:
    lacking = sum(times for word, times in words.items() if word not in known)
    total = sum(words.values())
    return {"words": lacking, "share": lacking / total if total else None}


def _duplicates(counts: _Split) -> dict[str, int]:
    """Conversations, and turns, that stand in the split before, but for case, space and punctuation."""
    return {
        "conversations": len(counts.conversations) - len(np.unique(counts.conversations)),
        "turns": len(counts.turns) - len(np.unique(counts.turns)),
        "pairs": len(counts.pairs) - len(np.unique(counts.pairs)),
    }


def _leaks(one: _Split, other: _Split) -> dict[str, int]:
    """Conversations of `one`, and pairs of a turn and its reply, that stand in `other` too."""
    return {
        "conversations": int(np.isin(one.conversations, other.conversations).sum()),
        "pairs": int(np.isin(one.pairs, other.pairs).sum()),
        "of_pairs": len(one.pairs),
    }
