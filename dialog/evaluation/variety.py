"""How varied replies are, as sums of each conversation, so that every figure has an interval.

| figure | what | whose |
|---|---|---|
| `distinct_n` | distinct n-grams over all n-grams of all replies | Li et al. 2016 |
| `entropy_n` | nats of an n-gram drawn from all replies, -sum p log p | Zhang et al. 2018 |
| `within_n` | `distinct_n` of one reply, averaged over replies that have an n-gram | Gu et al. 2019 |
| `across_n` | `distinct_n` of all samples of one context, averaged over contexts | Gu et al. 2019 |
| `length` | words a reply, the end not counted | |
| `top_share` | share of the most frequent reply, case ignored | |
| `repeating` | share of replies with the same three neighbouring words twice | |
| `recited` | share of replies that stand word for word in the training data | |
| `empty` | share of replies without a word | |

Li et al. 2016, "A Diversity-Promoting Objective Function for Neural Conversation Models", section 4.2; Zhang et
al. 2018, "Generating Informative and Diverse Conversational Responses via Adversarial Information
Maximization", Ent-n; Gu et al. 2019, "DialogWAE", which calls the two averages intra-dist and inter-dist.

`distinct_n`, `entropy_n` and `top_share` are no functions of sums. Their columns hold one value a conversation,
f + (N - 1) (mean of f_{-j} - f_{-i}), with f of all N conversations and f_{-i} of all but one: the mean is f, and
the spread that of the jackknife (Efron and Stein 1981, "The Jackknife Estimate of Variance", which is rather too
wide than too narrow). They hold for the conversations that they were measured on: the sums of a part of a split
are measured anew, not selected.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from dialog.errors import UsageError
from dialog.evaluation.sums import Figure, Floats, Sums, ratio

__all__ = [
    "SAMPLE_VARIETY_FIGURES",
    "VARIETY_FIGURES",
    "measure_sample_variety",
    "measure_variety",
    "training_replies",
]

Words = Sequence[str]
_SIZES = (1, 2)  # of the n-grams
_REPEATED = 3


def training_replies(replies: Iterable[Words]) -> set[str]:
    """Returns what `measure_variety` knows recited replies by: each reply's words, joined."""
    return {" ".join(reply) for reply in replies}


def measure_variety(
    replies: Sequence[Words],
    conversations: NDArray[np.int64],
    ids: Sequence[str],
    training: Collection[str] | None = None,
) -> Sums:
    """Measures one reply to each of many contexts.

    Args:
        replies: words, by one rule for all (`dialog.evaluation.words`).
        conversations: (reply,) the place in `ids` of each reply's conversation.
        ids: the conversations.
        training: from `training_replies`, by the same rule; None leaves `recited` out. An empty reply is
            never recited.

    Returns:
        Sums for `VARIETY_FIGURES`.

    Raises:
        UsageError: there are not as many conversation numbers as replies.
    """
    _check(replies, conversations)
    lengths = np.array([len(reply) for reply in replies], np.float64)
    columns: dict[str, Sequence[float] | Floats] = {
        "replies": np.ones(len(replies)),
        "reply_words": lengths,
        "empty_replies": lengths == 0,
        "repeating_replies": [_repeats(reply) for reply in replies],
    }
    if training is not None:
        columns["recited_replies"] = [bool(reply) and " ".join(reply) in training for reply in replies]
    for size in _SIZES:
        columns |= _within([_grams(reply, size) for reply in replies], size)
    by_conversation = _whole_figures(replies, conversations, len(ids))
    return Sums.over(ids, conversations, columns).join(Sums.of(ids, by_conversation))


def measure_sample_variety(
    samples: Sequence[Sequence[Words]], conversations: NDArray[np.int64], ids: Sequence[str]
) -> Sums:
    """Measures the samples of each context beside one another.

    Args:
        samples: of each context.
        conversations: (context,) the place in `ids` of each context's conversation.
        ids: the conversations.

    Returns:
        Sums for `SAMPLE_VARIETY_FIGURES`; contexts whose samples have no n-gram are left out of that size.
    """
    _check(samples, conversations)
    columns: dict[str, Sequence[float] | Floats] = {
        "varied_contexts": np.ones(len(samples)),
        "different_samples": [len(set(map(tuple, some))) / len(some) if some else 0.0 for some in samples],
    }
    for size in _SIZES:
        grams = [_joined(_grams(reply, size) for reply in some) for some in samples]
        columns |= {
            f"across_{size}": _shares(grams),
            f"across_{size}_contexts": [bool(each) for each in grams],
        }
    return Sums.over(ids, conversations, columns)


def _check(replies: Sequence[object], conversations: NDArray[np.int64]) -> None:
    if len(replies) != len(conversations):
        raise UsageError(f"there are {len(replies)} replies and {len(conversations)} conversation numbers")


def _grams(reply: Words, size: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(reply[start : start + size]) for start in range(len(reply) - size + 1))


def _joined(counters: Iterable[Counter[tuple[str, ...]]]) -> Counter[tuple[str, ...]]:
    whole = Counter[tuple[str, ...]]()
    for each in counters:
        whole.update(each)
    return whole


def _repeats(reply: Words) -> bool:
    return len(reply) > _REPEATED and max(_grams(reply, _REPEATED).values()) > 1


def _shares(grams: Sequence[Counter[tuple[str, ...]]]) -> list[float]:
    return [len(each) / each.total() if each else 0.0 for each in grams]


def _within(grams: Sequence[Counter[tuple[str, ...]]], size: int) -> dict[str, list[float]]:
    return {f"within_{size}": _shares(grams), f"within_{size}_replies": [float(bool(each)) for each in grams]}


def _whole_figures(
    replies: Sequence[Words], conversations: NDArray[np.int64], count: int
) -> dict[str, Floats]:
    """Returns the columns of the figures that are no functions of sums."""
    columns = {"conversations": np.ones(count)}
    for size in _SIZES:
        grams = [Counter[tuple[str, ...]]() for _ in range(count)]
        for reply, conversation in zip(replies, conversations.tolist(), strict=True):
            grams[conversation].update(_grams(reply, size))
        columns[f"distinct_{size}"] = _spread(*_distinct(grams))
        columns[f"entropy_{size}"] = _spread(*_entropy(grams))
    said = [Counter[tuple[str, ...]]() for _ in range(count)]
    for reply, conversation in zip(replies, conversations.tolist(), strict=True):
        said[conversation][tuple(word.casefold() for word in reply)] += 1
    columns["top_share"] = _spread(*_top_share(said))
    return columns


def _spread(whole: float, without: Floats) -> Floats:
    """Returns (conversation,) values with the mean `whole` and the jackknife's spread.

    Args:
        whole: the figure of all conversations.
        without: (conversation,) the figure of all others; where it is not defined, `whole` stands for it.
    """
    known = np.where(np.isfinite(without), without, whole)
    return whole + (len(known) - 1) * (known.mean() - known) if len(known) else known


def _distinct(grams: Sequence[Counter[tuple[str, ...]]]) -> tuple[float, Floats]:
    owners = Counter[tuple[str, ...]]()
    for each in grams:
        owners.update(each.keys())
    alone = np.array([sum(owners[gram] == 1 for gram in each) for each in grams], np.float64)
    totals = np.array([each.total() for each in grams], np.float64)
    return _share(len(owners), totals.sum()), _shares_of(len(owners) - alone, totals.sum() - totals)


def _entropy(grams: Sequence[Counter[tuple[str, ...]]]) -> tuple[float, Floats]:
    """Uses that H = log T - 1/T sum c log c, of which a conversation changes its own n-grams' terms alone."""
    whole = _joined(grams)
    total, term = whole.total(), _count_log(whole.values())
    totals, terms = np.zeros(len(grams)), np.zeros(len(grams))
    for place, each in enumerate(grams):
        before = _count_log(whole[gram] for gram in each)
        totals[place] = total - each.total()
        terms[place] = term - before + _count_log(whole[gram] - count for gram, count in each.items())
    with np.errstate(divide="ignore", invalid="ignore"):
        return (math.log(total) - term / total if total else math.nan), np.log(totals) - terms / totals


def _count_log(counts: Iterable[int]) -> float:
    return sum(count * math.log(count) for count in counts if count > 1)


def _top_share(said: Sequence[Counter[tuple[str, ...]]]) -> tuple[float, Floats]:
    whole = _joined(said).most_common()
    total = sum(count for _, count in whole)
    tops, totals = np.zeros(len(said)), np.zeros(len(said))
    for place, own in enumerate(said):
        totals[place] = total - own.total()
        for reply, count in whole:  # from the most frequent on, until no further one can be above
            if count <= tops[place]:
                break
            tops[place] = max(tops[place], count - own[reply])
    return _share(whole[0][1] if whole else 0, total), _shares_of(tops, totals)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _shares_of(parts: Floats, wholes: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return parts / wholes


VARIETY_FIGURES: tuple[Figure, ...] = (
    *(ratio(f"distinct_{size}", f"distinct_{size}", "conversations") for size in _SIZES),
    *(ratio(f"entropy_{size}", f"entropy_{size}", "conversations") for size in _SIZES),
    *(ratio(f"within_{size}", f"within_{size}", f"within_{size}_replies") for size in _SIZES),
    ratio("length", "reply_words", "replies", lower_is_better=None),
    ratio("top_share", "top_share", "conversations", lower_is_better=True),
    ratio("repeating", "repeating_replies", "replies", lower_is_better=True),
    ratio("recited", "recited_replies", "replies", lower_is_better=True),
    ratio("empty", "empty_replies", "replies", lower_is_better=True),
)
"""What the sums of `measure_variety` give."""

SAMPLE_VARIETY_FIGURES: tuple[Figure, ...] = (
    *(ratio(f"across_{size}", f"across_{size}", f"across_{size}_contexts") for size in _SIZES),
    ratio("different_samples", "different_samples", "varied_contexts"),
)
"""What the sums of `measure_sample_variety` give; `different_samples` is the share of different replies."""
