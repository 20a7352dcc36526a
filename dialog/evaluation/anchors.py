"""Replies of no model, for every table: what a metric gives to these says what it is worth.

| row | reply |
|---|---|
| the true reply | what was said; the best there is, and 1 or 100 under any overlap |
| a random training reply | drawn anew for each context, often said ones more often |
| the most frequent training reply | one for all contexts, case ignored |
| TF-IDF retrieval | the reply of the training context nearest to the context |

Retrieval is that of Lowe et al. 2015, "The Ubuntu Dialogue Corpus", section 4.1, over contexts: a context is the
vector of the counts of its words times log(N / df), and the nearest has the highest cosine, of several the first.
Words that stand in more than 5,000 contexts weigh next to nothing and cost most; they are left out. A context
without any other known word gets the most frequent reply. Contexts are compared in blocks, so that memory does
not grow with their number.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from dialog.errors import UsageError
from dialog.evaluation.talks import Pair
from dialog.evaluation.words import WordRule

__all__ = ["Retrieval", "most_frequent_reply", "random_replies", "retrieval_words"]

_MOST_CONTEXTS = 5_000
_BLOCK = 128  # contexts that are compared together


def random_replies(pairs: Sequence[Pair], count: int, seed: int = 0) -> list[str]:
    """Draws `count` replies, each from all.

    Raises:
        UsageError: there is none.
    """
    _check(pairs)
    places = np.random.default_rng(seed).integers(0, len(pairs), count)
    return [pairs[place].reply for place in places.tolist()]


def most_frequent_reply(pairs: Sequence[Pair]) -> str:
    """Returns the reply that was given most often, case ignored, as it was first written; of several the first.

    Raises:
        UsageError: there is none.
    """
    _check(pairs)
    folded = [pair.reply.casefold() for pair in pairs]
    top = Counter(folded).most_common(1)[0][0]
    return pairs[folded.index(top)].reply


def retrieval_words(rule: WordRule) -> Callable[[str], list[str]]:
    """Returns what `Retrieval` cuts texts with: the rule's words, of single characters each two neighbours."""
    if rule.name != "characters":
        return rule.cut

    def cut(text: str) -> list[str]:
        characters = rule.cut(text)
        return [one + other for one, other in pairwise(characters)] if len(characters) > 1 else characters

    return cut


def _check(pairs: Sequence[Pair]) -> None:
    if not pairs:
        raise UsageError(
            "there is no training reply to answer with; give a corpus whose train split has some"
        )


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Training contexts by word, to find the nearest of.

    Attributes:
        replies: of each training context.
        frequent: what is said where no context is near.
        cut: gives the words of a text.
        columns: the column of each word that is weighed.
        weights: (column,) log(N / df).
        index: (column, context) float32, each context's column of length 1.
    """

    replies: Sequence[str]
    frequent: str
    cut: Callable[[str], list[str]]
    columns: dict[str, int]
    weights: NDArray[np.float32]
    index: sparse.csr_array

    @staticmethod
    def of(pairs: Sequence[Pair], cut: Callable[[str], list[str]]) -> "Retrieval":
        """Weighs the words of training contexts.

        Args:
            pairs: from `training_pairs`.
            cut: gives the words of a text, from `retrieval_words`.

        Raises:
            UsageError: there is no pair.
        """
        _check(pairs)
        columns: dict[str, int] = {}
        counts = _counts([pair.context for pair in pairs], cut, columns, grow=True)
        contexts = np.bincount(counts.indices, minlength=len(columns))
        weights = np.log(len(pairs) / np.maximum(contexts, 1)).astype(np.float32)
        weights[contexts > _MOST_CONTEXTS] = 0
        return Retrieval(
            [pair.reply for pair in pairs],
            most_frequent_reply(pairs),
            cut,
            columns,
            weights,
            sparse.csr_array(_unit(counts, weights).T),
        )

    def answer(self, contexts: Sequence[Sequence[str]]) -> list[str]:
        """Returns the reply of the training context nearest to each of `contexts`, texts of turns."""
        answers = []
        for start in range(0, len(contexts), _BLOCK):
            counts = _counts(contexts[start : start + _BLOCK], self.cut, self.columns, grow=False)
            cosines = _unit(counts, self.weights) @ self.index
            for first, last in zip(cosines.indptr[:-1], cosines.indptr[1:], strict=True):
                answers.append(self._nearest(cosines.indices[first:last], cosines.data[first:last]))
        return answers

    def _nearest(self, contexts: NDArray[np.int32], cosines: NDArray[np.float32]) -> str:
        if not len(cosines) or cosines.max() <= 0:
            return self.frequent
        return self.replies[int(contexts[cosines == cosines.max()].min())]


def _counts(
    contexts: Sequence[Sequence[str]], cut: Callable[[str], list[str]], columns: dict[str, int], grow: bool
) -> sparse.csr_array:
    """Returns (context, column), how often each known word stands in each context; `grow` makes all known."""
    turns: dict[str, NDArray[np.int32]] = {}  # contexts share turns
    rows = []
    for context in contexts:
        for text in context:
            if text not in turns:
                words = cut(text)
                if grow:
                    for word in words:
                        columns.setdefault(word, len(columns))
                turns[text] = np.array([columns[word] for word in words if word in columns], np.int32)
        rows.append(np.concatenate([np.zeros(0, np.int32), *(turns[text] for text in context)]))
    indices = np.concatenate(rows) if rows else np.zeros(0, np.int32)
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)])
    table = sparse.csr_array(
        (np.ones(len(indices), np.float32), indices, starts), shape=(len(rows), len(columns))
    )
    table.sum_duplicates()
    return table


def _unit(counts: sparse.csr_array, weights: NDArray[np.float32]) -> sparse.csr_array:
    """Returns counts times weights, each row of length 1 or 0, without zeros."""
    table = counts.copy()
    table.data *= weights[table.indices]
    table.eliminate_zeros()
    lengths = np.sqrt(np.asarray(table.multiply(table).sum(1)).ravel())
    table.data /= np.repeat(np.where(lengths == 0, 1, lengths), np.diff(table.indptr)).astype(np.float32)
    return table
