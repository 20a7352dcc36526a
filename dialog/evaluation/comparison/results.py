"""Every figure with its interval, and for each pair whether the difference stands, from the statistics alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dialog.evaluation.bootstrap import Difference, Estimate, compare, estimate_all
from dialog.evaluation.comparison.anchor_rows import RANDOM
from dialog.evaluation.comparison.reply_tables import reply_tables
from dialog.evaluation.comparison.run_tables import run_tables
from dialog.evaluation.comparison.statistics import Row, Statistics
from dialog.evaluation.comparison.table import Table
from dialog.evaluation.sums import Sums

__all__ = ["Part", "Results"]


@dataclass(frozen=True, slots=True)
class Part:
    """A table for all conversations, or for the clean part.

    Attributes:
        table: what it is.
        part: `all` or `clean`.
        rows: figures by the row's name and theirs; one that a row lacks is not there.
        differences: by the figure's name, within each group of rows that compare.
    """

    table: Table
    part: str
    rows: Mapping[str, Mapping[str, Estimate]]
    differences: Mapping[str, Sequence[Difference]]

    def shown(self) -> list[str]:
        """Returns the names of the figures that a row has."""
        names = [column.figure.name for column in self.table.columns]
        return [name for name in names if any(name in figures for figures in self.rows.values())]


class Results:
    """What statistics say.

    Args:
        statistics: of a comparison.
    """

    def __init__(self, statistics: Statistics) -> None:
        self.statistics = statistics
        settings = statistics.about["settings"]
        self._seed, self._draws = int(settings["seed"]), int(settings["bootstrap_draws"])
        rules: Sequence[str] = settings["word_rules"]
        self.tables: list[Table] = run_tables(
            bool(statistics.about["same_tokenizer"]), rules[0], settings["samples"], settings["prior_samples"]
        )
        """All tables that there can be."""
        for rule in rules:
            suffix = f", words by {rule}" if len(rules) > 1 else ""
            self.tables += reply_tables(rule, suffix, settings["replies_a_context"])

    @cached_property
    def parts(self) -> list[Part]:
        """Each table for each part; those without rows are left out."""
        found = [self._part(table, part) for table in self.tables for part in self.statistics.parts]
        return [part for part in found if part.rows]

    def part(self, key: str, part: str = "all", rule: str | None = None) -> Part | None:
        """Returns one table; of several word rules the first, unless one is named."""
        for each in self.parts:
            if (each.table.key, each.part) == (key, part) and rule in (None, each.table.rule):
                return each
        return None

    def to_json(self) -> dict[str, Any]:
        """Returns everything as plain JSON values."""
        return {
            "format": "hred-scores",
            "version": 1,
            **self.statistics.about,
            "rows": [
                {"name": row.name, "kind": row.kind, "run": row.run, "decoder": row.decoder, **row.facts}
                for row in self.statistics.rows
            ],
            "tables": [
                {
                    "table": part.table.key,
                    "part": part.part,
                    "word_rule": part.table.rule or None,
                    "rows": {
                        row: {name: figure.to_json() for name, figure in figures.items()}
                        for row, figures in part.rows.items()
                    },
                    "differences": {
                        name: [each.to_json() for each in pairs]
                        for name, pairs in part.differences.items()
                        if pairs
                    },
                }
                for part in self.parts
            ],
        }

    def _part(self, table: Table, part: str) -> Part:
        """The first column decides which rows there are."""
        figures = [column.figure for column in table.columns]
        sums: dict[str, Sums] = {}
        for row in self.statistics.rows:
            of_row = self.statistics.sums_of(row, table.rule, part) if row.kind in table.kinds else None
            if of_row is not None and of_row.has(figures[0]):
                needed = dict.fromkeys(name for each in figures if of_row.has(each) for name in each.columns)
                sums[row.name] = Sums(of_row.ids, tuple(needed), of_row.matrix(tuple(needed)))
        rows = estimate_all(sums, figures, self._seed, self._draws)
        differences: dict[str, list[Difference]] = {figure.name: [] for figure in figures}
        for group in self._groups(sums):
            for name, pairs in compare(group, figures, self._seed, self._draws).items():
                differences[name] += pairs
        return Part(table, part, rows, differences)

    def _groups(self, sums: Mapping[str, Sums]) -> list[dict[str, Sums]]:
        """Returns what is compared pair by pair: all runs, or for each decoder all runs and a random reply."""
        by_name: dict[str, Row] = {row.name: row for row in self.statistics.rows}
        decoders = list(
            dict.fromkeys(by_name[name].decoder for name in sums if by_name[name].run is not None)
        )
        anchors = [name for name in sums if name == RANDOM]
        return [
            {
                name: sums[name]
                for name in sums
                if by_name[name].decoder == decoder and by_name[name].run is not None
            }
            | {name: sums[name] for name in anchors}
            for decoder in decoders
        ]
