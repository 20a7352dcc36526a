"""All sums of a comparison in one file, from which every table and interval is printed again: no text, no weights.

    {"format": "hred-comparison", "version": 1, "about": {…}, "ids": […], "counts": {…}, "leaks": {…}, "rows": […]}

Numbers that are not whole are rounded to six digits when the file is written, and a comparison makes its own report
from the file as written: printed again from it, a report is the same to the last byte.
"""

import gzip
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dialog.errors import UsageError
from dialog.evaluation.sums import Sums
from dialog.run_folder import write_atomically

__all__ = ["STATISTICS_FILE", "Row", "Statistics", "load_statistics", "save_statistics"]

STATISTICS_FILE = "statistics.json.gz"
_FORMAT, _VERSION = "hred-comparison", 1
_DAMAGE = gzip.BadGzipFile, zlib.error, EOFError, ValueError, KeyError, TypeError, AttributeError


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the tables: a run, a run by a decoder, or an anchor.

    Attributes:
        name: of the row, each once.
        kind: `run` (its likelihood), `replies` (of a run by a decoder), `frequencies` or `anchor`.
        sums: of each conversation, by word rule; of a run's likelihood under the rule "".
        clean: by word rule, columns that are measured anew for the clean part.
        run: whose row it is, or None.
        decoder: by its name, or None.
        facts: what is known of it beside, as plain JSON values.
    """

    name: str
    kind: str
    sums: Mapping[str, Sums]
    clean: Mapping[str, Sums] = field(default_factory=dict)
    run: str | None = None
    decoder: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a comparison found.

    Attributes:
        about: data, settings, versions, runs, as plain JSON values.
        counts: replies, characters and words of each conversation.
        leaks: of each conversation, from `measure_leaks`.
        rows: all rows, in the order of the tables.
    """

    about: Mapping[str, Any]
    counts: Sums
    leaks: Sums
    rows: Sequence[Row]

    @property
    def clean(self) -> tuple[str, ...]:
        """Conversations that do not stand in the training data."""
        kept = np.flatnonzero(self.leaks.column("leaked") == 0)
        return tuple(self.leaks.ids[place] for place in kept.tolist())

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that tables are made for: `all`, and `clean` if that is another part and not empty."""
        return ("all",) if len(self.clean) in (0, len(self.leaks.ids)) else ("all", "clean")

    def sums_of(self, row: Row, rule: str, part: str) -> Sums | None:
        """Returns the sums of a row under a rule for a part; of a run's likelihood with the counts of the texts.

        None if the row has none.
        """
        if rule not in row.sums:
            return None
        whole = row.sums[rule] if rule else row.sums[rule].join(self.counts)
        if part == "all":
            return whole
        kept = whole.select(self.clean)
        again = row.clean.get(rule)
        return kept if again is None else kept.without(again.columns).join(again)


def save_statistics(path: Path, statistics: Statistics) -> None:
    """Writes statistics; equal ones give equal bytes."""
    rows = [
        {
            "name": row.name,
            "kind": row.kind,
            "run": row.run,
            "decoder": row.decoder,
            "facts": dict(row.facts),
            "sums": {rule: _columns(sums) for rule, sums in row.sums.items()},
            "clean": {rule: _columns(sums) for rule, sums in row.clean.items()},
        }
        for row in statistics.rows
    ]
    whole = {
        "format": _FORMAT,
        "version": _VERSION,
        "about": dict(statistics.about),
        "ids": list(statistics.counts.ids),
        "counts": _columns(statistics.counts),
        "leaks": _columns(statistics.leaks),
        "rows": rows,
    }
    text = json.dumps(whole, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    write_atomically(path, gzip.compress(text.encode(), mtime=0))


def load_statistics(path: Path) -> Statistics:
    """Reads statistics.

    Args:
        path: the file, or the folder of a report that it lies in.

    Raises:
        UsageError: it cannot be read, or holds none.
    """
    path = path / STATISTICS_FILE if path.is_dir() else path
    try:
        whole = json.loads(gzip.decompress(path.read_bytes()))
        if whole["format"] != _FORMAT or whole["version"] != _VERSION:
            raise ValueError("another format")
        ids = whole["ids"]
        counts, leaks = _sums(ids, whole["counts"]), _sums(ids, whole["leaks"])
        clean = [name for name, leaked in zip(ids, leaks.column("leaked"), strict=True) if not leaked]
        rows = [
            Row(
                row["name"],
                row["kind"],
                {rule: _sums(ids, columns) for rule, columns in row["sums"].items()},
                {rule: _sums(clean, columns) for rule, columns in row["clean"].items()},
                row["run"],
                row["decoder"],
                row["facts"],
            )
            for row in whole["rows"]
        ]
    except _DAMAGE as error:
        raise UsageError(
            f"{path} holds no statistics of a comparison that this version reads; give the {STATISTICS_FILE} that "
            "`hred compare` wrote"
        ) from error
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror or error}); give the {STATISTICS_FILE} that `hred compare` wrote"
        ) from error
    return Statistics(whole["about"], counts, leaks, rows)


def _columns(sums: Sums) -> dict[str, list[float | int | None]]:
    return {name: list(map(_plain, sums.column(name).tolist())) for name in sums.columns}


def _plain(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() else float(f"{value:.6g}")


def _sums(ids: Sequence[str], columns: Mapping[str, Sequence[float | None]]) -> Sums:
    return Sums.from_json({"ids": ids, "columns": columns})
