"""What `hred probe` trains: the rows of its tables, and what can be asked for instead."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from dialog.errors import UsageError

__all__ = ["CONVERSATIONS", "ROWS", "Asked", "Row"]

_SIZES = (
    "embedding_size=64",
    "embedding_deviation=1",  # with 0.1 no model has learnt to tell the memory probe's words apart
    "hidden_size=96",
    "dropout=0",
    "warmup_updates=100",
    "learning_rate=0.003",
    "patience=0",
    "sample_replies=0",
    "measure_replies=0",
)
_CONTEXT = ("context_size=128",)
_LATENT = ("latent_size=16", "latent_hidden_size=64")


@dataclass(frozen=True, slots=True)
class Row:
    """A training of a probe.

    Attributes:
        title: what tables call it.
        model: its name in the registry.
        settings: as `hred train --set` takes them.
        updates: how many.
        annealing: share of them until the KL weight stays at 1, for a latent variable; None without.
    """

    title: str
    model: str
    settings: tuple[str, ...]
    updates: int
    annealing: float | None = None


_MEMORY_SIZES = (*_SIZES, "batch_tokens=1024")
_COURSE_SIZES = (*_SIZES, "batch_tokens=2048")
ROWS: Mapping[str, Mapping[str, Row]] = {
    "memory": {
        "seq2seq": Row("seq2seq, last utterance", "seq2seq", _MEMORY_SIZES, 3_000),
        "seq2seq-flat": Row(
            "seq2seq, whole context in one sequence",
            "seq2seq",
            (*_MEMORY_SIZES, "context_turns=12", "max_utterance_tokens=24"),
            3_000,
        ),
        "hred": Row("HRED", "hred", (*_MEMORY_SIZES, *_CONTEXT), 3_000),
        "vhred": Row(
            "VHRED",
            "vhred",
            (*_MEMORY_SIZES, *_CONTEXT, *_LATENT, "word_dropout=0"),
            3_000,
            annealing=0.5,
        ),
    },
    "course": {
        "hred": Row("HRED", "hred", (*_COURSE_SIZES, *_CONTEXT), 2_400),
        "vhred": Row(
            "VHRED",
            "vhred",
            (*_COURSE_SIZES, *_CONTEXT, *_LATENT, "bag_of_words=true", "bag_of_words_weight=0.2"),
            2_400,
            annealing=0.5,
        ),
    },
}
"""By probe and by the name that `--rows` and folders use."""
CONVERSATIONS: Mapping[str, int] = {"memory": 12_000, "course": 48_000}
"""To train on."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What `hred probe` is asked for.

    Attributes:
        seeds: trainings of each row: seeds 1 to this.
        rows: names of rows; None for all.
        updates: of each training instead of the row's own; None for these.
        conversations: to train on instead of the probe's own number; None for that.
        groups: questions of the memory probe for each distance, kind and value.
        replies: to each context of the course probe.
        settings: further ones, for all rows.
    """

    seeds: int
    rows: tuple[str, ...] | None = None
    updates: int | None = None
    conversations: int | None = None
    groups: int = 4
    replies: int = 200
    settings: tuple[str, ...] = ()

    def of(self, name: str) -> dict[str, Row]:
        """Returns the rows of a probe that are asked for, as they are to be trained.

        Raises:
            UsageError: a name that no probe has a row for.
        """
        known = {row for rows in ROWS.values() for row in rows}
        for wanted in self.rows or ():
            if wanted not in known:
                raise UsageError(f"there is no row {wanted!r}; choose from {', '.join(sorted(known))}")
        chosen = ROWS[name] if self.rows is None else {k: r for k, r in ROWS[name].items() if k in self.rows}
        return {key: self._trained(row) for key, row in chosen.items()}

    def _trained(self, row: Row) -> Row:
        updates = row.updates if self.updates is None else self.updates
        fixed = [f"decay_updates={updates}", f"validate_every={max(1, updates // 4)}"]
        if row.annealing is not None:
            fixed.append(f"kl_annealing_updates={round(row.annealing * updates)}")
        return replace(row, settings=(*row.settings, *fixed, *self.settings), updates=updates)

    def kept(self, name: str) -> dict[str, Any]:
        """Returns what the figures in a folder depend on; further seeds and rows can be added to it."""
        every_row = replace(self, rows=None)
        return {
            "rows": {key: asdict(row) for key, row in every_row.of(name).items()},
            "conversations": self.conversations or CONVERSATIONS[name],
            "groups": self.groups,
            "replies": self.replies,
        }
