"""How near several replies to one context come to what was said: precision, recall and F1 by sentence BLEU.

Zhao, Zhao and Eskenazi 2017, "Learning Discourse-level Diversity for Neural Dialog Models using Conditional
Variational Autoencoders", section 5.2, for N sampled replies h_i and M references r_j of one context:

    precision = 1/N sum_i max_j d(r_j, h_i)        recall = 1/M sum_j max_i d(r_j, h_i)

Both are averaged over contexts, F1 is 2PR / (P + R) of the averages. With one reference, as in Gu et al.
2019, "DialogWAE: Multimodal Response Generation with Conditional Wasserstein Auto-Encoder", precision is the
mean over samples and recall the best of them; a model that says the same each time has P = R.

d is sentence BLEU with NLTK's smoothing 7 (Chen and Cherry 2014, "A Systematic Comparison of Smoothing
Techniques for Sentence-Level BLEU": 4, then 5). What NLTK calls 7 is not one equation. With p_n the clipped
precision of order n and l the length of the reply, an order that shares nothing gets by smoothing 4

| `smoothing` | in NLTK | p_n becomes |
|---|---|---|
| `nltk-3.6` | 3.6 and later | ln(l) / (5 · 2^k) over the number of its n-grams, k = 1, 2, … such orders |
| `nltk-3.4` | up to 3.4.5, of 2019 | 1 / (n − 1 + 5 / ln(l)), which is much more |

so that figures of 2017 to 2019, DialogWAE's among them, compare with the second alone. Smoothing 5 follows,
p'_n = (p'_{n-1} + p_n + p_{n+1}) / 3 with p'_0 = p_1 + 1; behind the last order NLTK reads p_5, whatever that
order is. For a reply of one word ln(l) is 0: NLTK 3.6 leaves its missing orders at 0 before smoothing 5, under
3.4 the division failed and DialogWAE, which catches the error, scored 0.

An empty reply scores 0 everywhere, and so does one that shares no word. Texts are lists of words.
"""

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dialog.errors import UsageError
from dialog.evaluation.sums import Figure, Sums, f1, ratio

__all__ = [
    "SAMPLE_FIGURES",
    "SampleOverlap",
    "Smoothing",
    "measure_samples",
    "sample_overlap",
    "sentence_bleu",
]

Smoothing = Literal["nltk-3.6", "nltk-3.4"]
Words = Sequence[str]

UP_TO_3 = (1 / 3, 1 / 3, 1 / 3)
"""Weights of DialogWAE's BLEU."""
UP_TO_4 = (0.25, 0.25, 0.25, 0.25)
"""Weights of BLEU-4."""


def sentence_bleu(
    references: Sequence[Words],
    reply: Words,
    weights: Sequence[float] = UP_TO_3,
    smoothing: Smoothing = "nltk-3.6",
) -> float:
    """Returns sentence BLEU, 0 to 1 but for smoothing, which may lift a whole match above 1.

    Args:
        references: at least one.
        reply: words.
        weights: of the orders 1, 2, …, at most 4; of them one may stand alone, as in (0, 1, 0, 0).
        smoothing: which NLTK's smoothing 7.

    Raises:
        UsageError: there is no reference, or there are more than 4 weights.
    """
    if not references or not 1 <= len(weights) <= 4:
        raise UsageError("sentence BLEU needs a reference and 1 to 4 weights; give one of each order")
    most = [Counter[tuple[str, ...]]() for _ in range(_HIGHEST)]
    for reference in references:
        for order, grams in enumerate(_grams(reference)):
            most[order] |= grams
    nearest = min((abs(len(each) - len(reply)), len(each)) for each in references)[1]
    return _score(_shared(most, reply), len(reply), nearest, weights, smoothing)


_HIGHEST = 5  # order that smoothing 5 looks at


def _grams(words: Words) -> list[Counter[tuple[str, ...]]]:
    """Returns the n-grams of each order."""
    return [
        Counter(zip(*(words[start:] for start in range(order)), strict=False))
        for order in range(1, _HIGHEST + 1)
    ]


def _shared(most: Sequence[Counter[tuple[str, ...]]], reply: Words) -> list[tuple[int, int]]:
    """Returns for each order how many n-grams of a reply stand in a reference, and how many it has, at least 1."""
    return [
        (
            sum(min(count, known[gram]) for gram, count in grams.items() if gram in known),
            max(1, len(reply) - order),
        )
        for order, (known, grams) in enumerate(zip(most, _grams(reply), strict=True))
    ]


def _score(
    counts: Sequence[tuple[int, int]],
    length: int,
    reference_length: int,
    weights: Sequence[float],
    smoothing: Smoothing,
) -> float:
    """Returns sentence BLEU from what `_shared` counted."""
    if counts[0][0] == 0:
        return 0.0
    precisions = _smooth_zeros(counts[: len(weights)], length, smoothing)
    if precisions is None:
        return 0.0
    shared, grams = counts[-1]
    precisions = _smooth_neighbours([*precisions, shared / grams])
    mean = math.fsum(weight * math.log(p) for weight, p in zip(weights, precisions, strict=True) if p > 0)
    return math.exp(min(0.0, 1 - reference_length / length) + mean)


def _smooth_zeros(counts: Sequence[tuple[int, int]], length: int, smoothing: Smoothing) -> list[float] | None:
    """Smoothing 4: returns precisions, or None for a reply that cannot be smoothed and scores 0."""
    found, zeros = [], 0
    for before, (shared, grams) in enumerate(counts):
        if shared:
            found.append(shared / grams)
        elif smoothing == "nltk-3.4":
            if length == 1:
                return None
            found.append(1 / (before + 5 / math.log(length)))
        else:
            zeros += 1
            found.append(math.log(length) / (5 * 2**zeros) / grams)  # 0 for one word
    return found


def _smooth_neighbours(precisions: Sequence[float]) -> list[float]:
    """Smoothing 5: returns one precision fewer."""
    smoothed = [precisions[0] + 1]
    for own, following in itertools.pairwise(precisions):
        smoothed.append((smoothed[-1] + own + following) / 3)
    return smoothed[1:]


@dataclass(frozen=True, slots=True)
class SampleOverlap:
    """Precision and recall of the samples of one context."""

    precision: float
    recall: float


def sample_overlap(
    references: Sequence[Words],
    samples: Sequence[Words],
    weights: Sequence[float] = UP_TO_3,
    smoothing: Smoothing = "nltk-3.6",
) -> SampleOverlap:
    """Compares the samples of one context with its references, each pair by `sentence_bleu`.

    Raises:
        UsageError: there is no sample or no reference.
    """
    (found,) = _samples(references, samples, weights, (smoothing,))
    return found


def _samples(
    references: Sequence[Words],
    samples: Sequence[Words],
    weights: Sequence[float],
    smoothings: Sequence[Smoothing],
) -> list[SampleOverlap]:
    """Compares under several smoothings, counting once."""
    if not samples or not references:
        raise UsageError("a context without a sample or without a reference has no precision; give both")
    most = [_grams(reference) for reference in references]
    known: dict[tuple[str, ...], list[list[float]]] = {}  # most models repeat themselves
    for sample in set(map(tuple, samples)):
        counts = [_shared(each, sample) for each in most]
        known[sample] = [
            [
                _score(each, len(sample), len(reference), weights, smoothing)
                for each, reference in zip(counts, references, strict=True)
            ]
            for smoothing in smoothings
        ]
    scores = np.array([known[tuple(sample)] for sample in samples])  # (sample, smoothing, reference)
    precisions, recalls = scores.max(2).mean(0).tolist(), scores.max(0).mean(1).tolist()
    return [SampleOverlap(*each) for each in zip(precisions, recalls, strict=True)]


def measure_samples(
    samples: Sequence[Sequence[Words]],
    references: Sequence[Words],
    conversations: NDArray[np.int64],
    ids: Sequence[str],
    weights: Sequence[float] = UP_TO_3,
) -> Sums:
    """Adds up precision and recall of every context, under both smoothings.

    Args:
        samples: of each context.
        references: the one reference of each context.
        conversations: (context,) the place in `ids` of each context's conversation.
        ids: the conversations.
        weights: of the orders of BLEU.

    Returns:
        Sums for `SAMPLE_FIGURES`.
    """
    columns: dict[str, list[float]] = {"sample_contexts": [1.0] * len(samples)}
    found = [
        _samples([reference], some, weights, _SMOOTHINGS)
        for some, reference in zip(samples, references, strict=True)
    ]
    for place, smoothing in enumerate(_SMOOTHINGS):
        columns[_column("precision", smoothing)] = [each[place].precision for each in found]
        columns[_column("recall", smoothing)] = [each[place].recall for each in found]
    return Sums.over(ids, conversations, columns)


_SMOOTHINGS: tuple[Smoothing, ...] = ("nltk-3.6", "nltk-3.4")


def _column(what: str, smoothing: Smoothing) -> str:
    return f"sample_bleu_{what}_{smoothing.replace('-', '_').replace('.', '_')}"


def _figures(smoothing: Smoothing) -> tuple[Figure, ...]:
    precision, recall = (_column(what, smoothing) for what in ("precision", "recall"))
    return (
        ratio(precision, precision, "sample_contexts"),
        ratio(recall, recall, "sample_contexts"),
        f1(_column("f1", smoothing), precision, recall, "sample_contexts"),
    )


SAMPLE_FIGURES = tuple(figure for smoothing in _SMOOTHINGS for figure in _figures(smoothing))
"""Precision, recall and F1 of samples, under each smoothing."""
