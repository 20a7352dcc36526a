"""Sums of each conversation, and the figures that are functions of sums: what intervals are made from.

A metric gives a column or several of numbers a conversation, such as nats and tokens. Their totals over some
conversations give the figure, here nats a token. So a figure of a part of a split, of another draw of its
conversations (`dialog.evaluation.bootstrap`) or of a file of sums without any text is the same few additions.

Some figures are no functions of sums: distinct-n, entropy, the share of the most frequent reply. Their modules
give columns that add up to the figure for the conversations they were made from, and to first order for others;
for a part of a split they are made anew.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dialog.errors import UsageError

__all__ = ["Figure", "Sums", "f1", "perplexity", "ratio"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sums:
    """Numbers of each conversation, by column.

    Attributes:
        ids: the conversations, each once.
        columns: names, each once.
        values: (conversation, column); a number that could not be computed is NaN and stays one in every total.
    """

    ids: tuple[str, ...]
    columns: tuple[str, ...]
    values: Floats

    @staticmethod
    def of(ids: Iterable[str], columns: Mapping[str, ArrayLike]) -> "Sums":
        """Makes sums from columns (conversation,).

        Raises:
            UsageError: an id stands twice, or a column is not as long as there are ids.
        """
        names = tuple(ids)
        if len(set(names)) < len(names):
            twice = next(name for place, name in enumerate(names) if name in names[:place])
            raise UsageError(f"the conversation {twice!r} stands twice: give each a name of its own")
        arrays = [np.asarray(column, np.float64) for column in columns.values()]
        for name, array in zip(columns, arrays, strict=True):
            if array.shape != (len(names),):
                raise UsageError(f"{name} has the shape {array.shape}; expected {len(names)} conversations")
        values = np.stack(arrays, axis=1) if arrays else np.zeros((len(names), 0))
        return Sums(names, tuple(columns), values)

    @staticmethod
    def over(
        ids: Sequence[str], conversations: NDArray[np.int64], columns: Mapping[str, ArrayLike]
    ) -> "Sums":
        """Adds up columns of replies.

        Args:
            ids: the conversations.
            conversations: (reply,) the place in `ids` of each reply's conversation.
            columns: each (reply,).
        """
        return Sums.of(
            ids,
            {
                name: np.bincount(conversations, np.asarray(column, np.float64), len(ids))
                for name, column in columns.items()
            },
        )

    def column(self, name: str) -> Floats:
        """Returns a column, (conversation,)."""
        return self.matrix([name])[:, 0]

    def matrix(self, names: Sequence[str]) -> Floats:
        """Returns some columns, (conversation, len(names)), in that order.

        Raises:
            UsageError: there is no such column.
        """
        missing = [name for name in names if name not in self.columns]
        if missing:
            raise UsageError(
                f"there are no sums of {', '.join(missing)}; there are {', '.join(self.columns)}"
            )
        return self.values[:, [self.columns.index(name) for name in names]]

    def has(self, figure: "Figure") -> bool:
        """Tells whether a figure can be computed from these columns."""
        return set(figure.columns) <= set(self.columns)

    def select(self, ids: Iterable[str]) -> "Sums":
        """Returns the sums of some conversations, in that order.

        Raises:
            UsageError: one is not there.
        """
        names, places = tuple(ids), {name: place for place, name in enumerate(self.ids)}
        missing = [name for name in names if name not in places]
        if missing:
            raise UsageError(f"there are no sums of {len(missing)} conversations, such as {missing[0]!r}")
        return Sums(names, self.columns, self.values[[places[name] for name in names]])

    def without(self, names: Iterable[str]) -> "Sums":
        """Returns the sums without some columns; those that are not there are not missed."""
        dropped = set(names)
        kept = tuple(name for name in self.columns if name not in dropped)
        return Sums(self.ids, kept, self.matrix(kept))

    def join(self, other: "Sums") -> "Sums":
        """Returns the columns of both; `other` has the same conversations in the same order.

        Raises:
            UsageError: it has not, or a column stands in both.
        """
        if self.ids != other.ids:
            raise UsageError(
                "sums of different conversations cannot stand side by side: score the same split"
            )
        both = set(self.columns) & set(other.columns)
        if both:
            raise UsageError(f"{', '.join(sorted(both))} stands in both of the sums to join")
        return Sums(self.ids, self.columns + other.columns, np.hstack([self.values, other.values]))

    @staticmethod
    def stack(parts: "Sequence[Sums]") -> "Sums":
        """Returns the conversations of all parts, one after another.

        Raises:
            UsageError: they have other columns, or a conversation stands in two of them.
        """
        columns = {part.columns for part in parts}
        if len(columns) != 1:
            raise UsageError("sums with different columns cannot stand below one another")
        values = np.concatenate([part.values for part in parts])
        ids = [name for part in parts for name in part.ids]
        return Sums.of(ids, dict(zip(columns.pop(), values.T, strict=True)))

    def to_json(self) -> dict[str, Any]:
        """Returns plain JSON values, a list a column; whole numbers as such, NaN and infinity as null."""
        columns = zip(self.columns, self.values.T.tolist(), strict=True)
        return {"ids": list(self.ids), "columns": {name: list(map(_plain, each)) for name, each in columns}}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Sums":
        """Is the inverse of `to_json`, but that infinity comes back as NaN."""
        columns = {
            name: [math.nan if each is None else each for each in column]
            for name, column in data["columns"].items()
        }
        return Sums.of(data["ids"], columns)


def _plain(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() else value


@dataclass(frozen=True, slots=True)
class Figure:
    """A function of sums.

    Attributes:
        name: of the figure.
        columns: that it is computed from.
        formula: (…, column) totals -> (…,); NaN where the figure is not defined.
        lower_is_better: None where neither is.
    """

    name: str
    columns: tuple[str, ...]
    formula: Callable[[Floats], Floats]
    lower_is_better: bool | None = False

    def of(self, sums: Sums) -> float:
        """Returns the figure of all conversations together; NaN if it is not defined."""
        return float(self.of_totals(sums.matrix(self.columns).sum(0)))

    def of_totals(self, totals: Floats) -> Floats:
        """Returns the figures (…,) of totals (…, column)."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            found = self.formula(totals)
        return np.where(np.isfinite(found), found, np.nan)


def ratio(
    name: str, numerator: str, denominator: str, lower_is_better: bool | None = False, scale: float = 1.0
) -> Figure:
    """Returns the figure `scale` × numerator ÷ denominator."""
    return Figure(name, (numerator, denominator), lambda t: scale * t[..., 0] / t[..., 1], lower_is_better)


def perplexity(name: str, nats: str, units: str) -> Figure:
    """Returns the figure exp(nats ÷ units)."""
    return Figure(name, (nats, units), lambda t: np.exp(t[..., 0] / t[..., 1]), True)


def f1(name: str, precision: str, recall: str, count: str) -> Figure:
    """Returns 2PR ÷ (P + R) for the means P and R of two columns; 0 where both are 0."""

    def formula(totals: Floats) -> Floats:
        summed = totals[..., 0] + totals[..., 1]
        product = 2 * totals[..., 0] * totals[..., 1] / np.where(summed == 0, 1.0, summed)
        return product / totals[..., 2]

    return Figure(name, (precision, recall, count), formula)
