"""Intervals by drawing conversations again, and whether the difference of two models stands.

Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapters 13 and 16; paired for two systems as in
Koehn 2004, "Statistical Significance Tests for Machine Translation Evaluation". Replies of one conversation
resemble one another, so conversations are drawn, with replacement, as many as there are. A draw is a row of
counts; counts times the sums of each conversation are the totals of the draw, and a figure is a function of
totals (`dialog.evaluation.sums`). An interval reaches from the 2.5th to the 97.5th percentile of the figures.

*Paired*: equal seed, number of draws and number of conversations give equal draws, so that two models are
always compared on the same conversations. A difference *stands* where its interval does not hold 0.

*Not defined*: one conversation alone, or a figure that is not defined for the split or for one of the draws,
has no interval, and no difference of it stands. A NaN in a sum gives a NaN figure, which JSON shows as null.

Figures that are no functions of sums, such as distinct-n, come as one value a conversation whose mean is the
figure and whose spread is the jackknife's (`dialog.evaluation.variety`). To count anew what is distinct in a
draw would not do: conversations that are drawn twice bring nothing new, every draw has less than the split, and
the interval lies below the truth altogether. A test shows both for corpora of a known law.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dialog.errors import UsageError
from dialog.evaluation.sums import Figure, Floats, Sums

__all__ = ["NUM_DRAWS", "Difference", "Estimate", "compare", "draws", "estimate", "estimate_all"]

NUM_DRAWS = 2_000
_AT_ONCE = 2_000_000  # counts in memory, 16 MB


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval.

    Attributes:
        value: of the split; NaN if it is not defined.
        low: where the interval begins; None without one.
        high: where it ends.
    """

    value: float
    low: float | None
    high: float | None

    def to_json(self) -> dict[str, float | None]:
        """Returns plain JSON values."""
        return {"value": _plain(self.value), "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Difference:
    """What the figure of one model is above that of another.

    Attributes:
        one: the model that is subtracted from.
        other: the model that is subtracted.
        value: of the split; NaN if one of the figures is not defined.
        low: where its interval begins; None without one.
        high: where it ends.
    """

    one: str
    other: str
    value: float
    low: float | None
    high: float | None

    @property
    def stands(self) -> bool:
        """Whether 0 lies outside the interval."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    def to_json(self) -> dict[str, Any]:
        """Returns plain JSON values."""
        return {
            "one": self.one,
            "other": self.other,
            "value": _plain(self.value),
            "low": self.low,
            "high": self.high,
            "stands": self.stands,
        }


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


def estimate(
    sums: Sums,
    figures: Sequence[Figure],
    seed: int = 0,
    num_draws: int = NUM_DRAWS,
    level: float = 0.95,
) -> dict[str, Estimate]:
    """Returns each figure with its interval.

    Args:
        sums: of the conversations, with the columns of all figures.
        figures: to compute; each a name of its own.
        seed: of the draws.
        num_draws: how many.
        level: the share of draws that the interval holds.
    """
    return estimate_all({"": sums}, figures, seed, num_draws, level)[""]


def estimate_all(
    models: Mapping[str, Sums],
    figures: Sequence[Figure],
    seed: int = 0,
    num_draws: int = NUM_DRAWS,
    level: float = 0.95,
) -> dict[str, dict[str, Estimate]]:
    """Returns for each model what `estimate` returns, but for figures whose columns it lacks; draws are made once."""
    drawn = _drawn(models, figures, seed, num_draws)
    return {
        name: {
            figure.name: Estimate(figure.of(sums), *_interval(drawn[name, figure.name], len(sums.ids), level))
            for figure in figures
            if sums.has(figure)
        }
        for name, sums in models.items()
    }


def compare(
    models: Mapping[str, Sums],
    figures: Sequence[Figure],
    seed: int = 0,
    num_draws: int = NUM_DRAWS,
    level: float = 0.95,
) -> dict[str, list[Difference]]:
    """Returns for each figure the difference of each pair of models, in the order of `models`.

    Args:
        models: the sums of each by name, of the same conversations in the same order; a pair of which one
            lacks a figure's columns is left out for that figure.
        figures: to compute; each a name of its own.
        seed: of the draws.
        num_draws: how many.
        level: the share of draws that the interval holds.

    Raises:
        UsageError: the models were measured on different conversations.
    """
    ids = {sums.ids for sums in models.values()}
    if len(ids) > 1:
        raise UsageError(
            "models that were measured on different conversations cannot be compared: score the same split"
        )
    drawn = _drawn(models, figures, seed, num_draws)
    result: dict[str, list[Difference]] = {}
    for figure in figures:
        result[figure.name] = pairs = []
        having = [name for name, sums in models.items() if sums.has(figure)]
        for one, other in combinations(having, 2):
            value = figure.of(models[one]) - figure.of(models[other])
            differences = drawn[one, figure.name] - drawn[other, figure.name]
            pairs.append(Difference(one, other, value, *_interval(differences, len(models[one].ids), level)))
    return result


def draws(num_conversations: int, num_draws: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Yields how often each conversation is drawn, (draw, conversation), some draws at a time.

    Equal arguments give equal draws; each row adds up to `num_conversations`.
    """
    random = np.random.default_rng(seed)
    at_once = max(1, _AT_ONCE // max(1, num_conversations))
    for start in range(0, num_draws, at_once):
        rows = min(at_once, num_draws - start)
        chosen = random.integers(0, num_conversations, (rows, num_conversations))
        chosen += np.arange(rows)[:, None] * num_conversations
        counts = np.bincount(chosen.ravel(), minlength=rows * num_conversations)
        yield counts.reshape(rows, num_conversations).astype(np.float64)


def _drawn(
    models: Mapping[str, Sums], figures: Sequence[Figure], seed: int, num_draws: int
) -> dict[tuple[str, str], Floats]:
    """Returns the figures (draw,) of each model, by model and figure; none of a figure that it lacks."""
    found: dict[tuple[str, str], list[Floats]] = {
        (name, figure.name): [] for name, sums in models.items() for figure in figures if sums.has(figure)
    }
    count = len(next(iter(models.values())).ids) if models else 0
    for counts in draws(count, num_draws, seed) if count > 1 else ():
        for name, sums in models.items():
            # NaN times a count of 0 is NaN, too: a sum that is not known leaves no draw defined.
            with np.errstate(invalid="ignore"):
                totals = counts @ sums.values
            for figure in figures:
                if sums.has(figure):
                    places = [sums.columns.index(column) for column in figure.columns]
                    found[name, figure.name].append(figure.of_totals(totals[:, places]))
    return {key: np.concatenate(parts) if parts else np.zeros(0) for key, parts in found.items()}


def _interval(values: Floats, num_conversations: int, level: float) -> tuple[float | None, float | None]:
    if num_conversations < 2 or not len(values) or not np.isfinite(values).all():
        return None, None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
