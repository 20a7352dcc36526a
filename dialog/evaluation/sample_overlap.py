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
    counts = [_clipped(references, reply, order) for order in range(1, len(weights) + 1)]
    if not reply or counts[0][0] == 0:
        return 0.0
    precisions = _smooth_zeros(counts, len(reply), smoothing)
    if precisions is None:
        return 0.0
    shared, grams = _clipped(references, reply, 5)
    precisions = _smooth_neighbours([*precisions, shared / grams])
    mean = math.fsum(weight * math.log(p) for weight, p in zip(weights, precisions, strict=True) if p > 0)
    nearest = min((abs(len(each) - len(reply)), len(each)) for each in references)[1]
    return math.exp(min(0.0, 1 - nearest / len(reply)) + mean)


def _grams(words: Words, order: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[start : start + order]) for start in range(len(words) - order + 1))


def _clipped(references: Sequence[Words], reply: Words, order: int) -> tuple[int, int]:
    """Returns how many n-grams of a reply stand in a reference, and how many it has, at least 1."""
    grams = _grams(reply, order)
    most: Counter[tuple[str, ...]] = Counter()
    for reference in references:
        most |= _grams(reference, order)
    return (grams & most).total(), max(1, grams.total())


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
    if not samples or not references:
        raise UsageError("a context without a sample or without a reference has no precision; give both")
    known: dict[tuple[str, ...], list[float]] = {}
    for sample in map(tuple, samples):  # most models repeat themselves
        if sample not in known:
            known[sample] = [sentence_bleu([each], sample, weights, smoothing) for each in references]
    scores = np.array([known[tuple(sample)] for sample in samples])  # (sample, reference)
    return SampleOverlap(float(scores.max(1).mean()), float(scores.max(0).mean()))


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
    for smoothing in _SMOOTHINGS:
        found = [
            sample_overlap([reference], some, weights, smoothing)
            for some, reference in zip(samples, references, strict=True)
        ]
        columns[_column("precision", smoothing)] = [each.precision for each in found]
        columns[_column("recall", smoothing)] = [each.recall for each in found]
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
