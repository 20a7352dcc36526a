"""How near a reply's words are to those of what was said, by word vectors.

Liu et al. 2016, "How NOT To Evaluate Your Dialogue System", section 3.2, for words w of the reference r and v of
the reply h with the vectors e; each is a cosine, -1 to 1:

| figure | what is compared |
|---|---|
| `embedding_average` | the sums of the vectors |
| `embedding_extrema` | of each dimension the value farthest from 0 (of two as far the positive one) |
| `embedding_greedy_reference` | each w with the nearest v, averaged over w |
| `embedding_greedy_reply` | each v with the nearest w, averaged over v |
| `embedding_greedy` | the mean of these two |

*Unknown words* are left out of both sides, as in Liu et al. and Serban et al. 2017, and counted. A reply without
a known word, an empty one too, scores 0 in all; a reference without one has nothing to compare with, so that the
pair is left out and counted. Of several samples of one context the best counts, for each figure by itself, as
in DialogWAE.

A random reply does well here: frequent words are near one another. Look at the anchors beside a figure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dialog.errors import UsageError
from dialog.evaluation.sums import Figure, Sums, ratio
from dialog.evaluation.vectors import WordVectors

__all__ = ["EMBEDDING_FIGURES", "Nearness", "best_nearness", "measure_nearness", "nearness"]

Words = Sequence[str]
_NAMES = ("average", "extrema", "greedy_reference", "greedy_reply", "greedy")


@dataclass(frozen=True, slots=True)
class Nearness:
    """Cosines of one reply and its reference; see the module's docstring."""

    average: float
    extrema: float
    greedy_reference: float
    greedy_reply: float

    @property
    def greedy(self) -> float:
        """The mean of both directions."""
        return (self.greedy_reference + self.greedy_reply) / 2


def nearness(reference: Words, reply: Words, vectors: WordVectors) -> Nearness | None:
    """Compares a reply with what was said; None where the reference has no known word."""
    said, replied = vectors.of(reference), vectors.of(reply)
    if not len(said):
        return None
    if not len(replied):
        return Nearness(0.0, 0.0, 0.0, 0.0)
    cosines = _unit(said) @ _unit(replied).T  # (reference word, reply word)
    return Nearness(
        average=_cosine(said.sum(0), replied.sum(0)),
        extrema=_cosine(_extrema(said), _extrema(replied)),
        greedy_reference=float(cosines.max(1).mean()),
        greedy_reply=float(cosines.max(0).mean()),
    )


def best_nearness(
    reference: Words, samples: Sequence[Words], vectors: WordVectors
) -> tuple[float, ...] | None:
    """Returns average, extrema, greedy by reference, by reply and greedy, each of the sample that is best in it."""
    different = [nearness(reference, sample, vectors) for sample in set(map(tuple, samples))]
    found = [each for each in different if each is not None]
    if not found:
        return None
    return tuple(max(getattr(each, name) for each in found) for name in _NAMES)


def measure_nearness(
    samples: Sequence[Sequence[Words]],
    references: Sequence[Words],
    vectors: WordVectors,
    conversations: NDArray[np.int64],
    ids: Sequence[str],
) -> Sums:
    """Adds up the cosines of every context, and counts words that the vectors lack.

    Args:
        samples: the replies to each context, one or several; of several the best counts.
        references: what was said, in words by the same rule as the samples and the vectors.
        vectors: of words.
        conversations: (context,) the place in `ids` of each context's conversation.
        ids: the conversations.

    Returns:
        Sums for `EMBEDDING_FIGURES`.

    Raises:
        UsageError: the numbers differ, or a context has no sample.
    """
    if not len(samples) == len(references) == len(conversations):
        raise UsageError(
            f"there are samples of {len(samples)} contexts, {len(references)} references and "
            f"{len(conversations)} conversation numbers; give one of each a context"
        )
    if not all(samples):
        raise UsageError("a context has no reply to compare with what was said; give one or several to each")
    pairs = zip(references, samples, strict=True)
    found = [best_nearness(reference, some, vectors) for reference, some in pairs]
    values = np.array([each or (0.0,) * len(_NAMES) for each in found]).reshape(-1, len(_NAMES))
    columns: dict[str, Sequence[float] | NDArray[np.float64]] = {
        "embedding_contexts": np.ones(len(found)),
        "embedding_pairs": [each is not None for each in found],
        "embedding_reference_words": [len(reference) for reference in references],
        "embedding_reference_unknown": [_unknown(reference, vectors) for reference in references],
        "embedding_reply_words": [sum(map(len, some)) for some in samples],
        "embedding_reply_unknown": [sum(_unknown(one, vectors) for one in some) for some in samples],
    }
    columns |= {f"embedding_{name}": values[:, place] for place, name in enumerate(_NAMES)}
    return Sums.over(ids, conversations, columns)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns vectors of length 1; one of length 0 stays so, and has the cosine 0 with all."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(lengths == 0, 1.0, lengths)


def _cosine(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(_unit(one) @ _unit(other))


def _extrema(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    most, least = vectors.max(0), vectors.min(0)
    farthest: NDArray[np.float64] = np.where(most >= -least, most, least)
    return farthest


def _unknown(words: Words, vectors: WordVectors) -> int:
    return sum(word not in vectors.rows for word in words)


EMBEDDING_FIGURES: tuple[Figure, ...] = (
    *(ratio(f"embedding_{name}", f"embedding_{name}", "embedding_pairs") for name in _NAMES),
    ratio("embedding_pairs", "embedding_pairs", "embedding_contexts", lower_is_better=None),
    *(
        ratio(f"embedding_{side}_unknown", f"embedding_{side}_unknown", f"embedding_{side}_words", None)
        for side in ("reference", "reply")
    ),
)
"""What the sums of `measure_nearness` give; the last three are shares of pairs and of unknown words."""
