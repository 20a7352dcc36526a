"""The end of `hred prepare`: segments, in their order, become the files of the splits, without duplicates.

It depends on the segments and their order alone, so it does not matter who made them, when and where.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dialog.corpus.cleaning import Counts
from dialog.corpus.duplicates import first_of_each
from dialog.corpus.segments import SegmentStore, batches_of
from dialog.corpus.texts import SplitWriter
from dialog.corpus.tokenized import SCHEMA, SPLITS, split_file

__all__ = ["KeptRows", "write_splits"]


class KeptRows:
    """Which rows of the segments are kept: all but exact duplicates of an earlier one of their split."""

    def __init__(self, store: SegmentStore, names: list[str]) -> None:
        self._store = store
        self._rows = {name: store.record(name)["rows"] for name in names}
        total = sum(self._rows.values())
        digests = np.empty((total, 2), np.uint64)
        splits = np.empty(total, np.uint8)
        at = 0
        for name in names:
            for batch in batches_of(store.file(name)):
                rows = slice(at, at + batch.num_rows)
                digests[rows] = _digests(batch.column("exact"))
                splits[rows] = batch.column("split").to_numpy()
                at += batch.num_rows
        self._is_kept = first_of_each(digests, splits)
        kept = splits[self._is_kept]
        self.num_rows = {name: int((kept == number).sum()) for number, name in enumerate(SPLITS)}

    def batches(self, columns: list[str]) -> Iterator[tuple[pa.RecordBatch, NDArray[np.bool_]]]:
        """Yields every record batch, with these columns, and which of its rows are kept."""
        at = 0
        for name in self._rows:
            for batch in batches_of(self._store.file(name)):
                yield batch.select(columns), self._is_kept[at : at + batch.num_rows]
                at += batch.num_rows

    def of_split(self, split: str, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Yields the kept rows of a split."""
        for batch, is_kept in self.batches([*columns, "split"]):
            rows = np.flatnonzero(is_kept & (batch.column("split").to_numpy() == SPLITS.index(split)))
            if len(rows):
                yield batch.select(columns).take(pa.array(rows))

    def texts(self) -> Iterator[str]:
        """Yields every text of the training split."""
        for batch in self.of_split("train", ["texts"]):
            yield from batch.column("texts").flatten().to_pylist()

    def loose(self, split: str) -> Iterator[tuple[bytes, str]]:
        """Yields the loose digest and the id of each conversation of a split."""
        for batch in self.of_split(split, ["loose", "id"]):
            yield from zip(batch.column("loose").to_pylist(), batch.column("id").to_pylist(), strict=True)


def _digests(column: pa.FixedSizeBinaryArray) -> NDArray[np.uint64]:
    values = np.frombuffer(column.buffers()[1], np.uint64).reshape(-1, 2)
    return values[column.offset : column.offset + len(column)]


def write_splits(
    kept: KeptRows, folder: Path, file_bytes: int, counts: Counts, progress: Callable[[int], None]
) -> tuple[dict[str, dict[str, int]], list[str]]:
    """Writes the files of all splits, and counts the duplicates.

    Args:
        kept: of segments that are tokenised.
        folder: where to.
        file_bytes: about the size at which a split goes on in a new file.
        counts: is added to.
        progress: is told how many conversations are done.

    Returns:
        The sizes of each split, and the names of the files.
    """
    done = 0
    with ExitStack() as stack:
        writers = [stack.enter_context(_SplitFiles(folder, name, file_bytes)) for name in SPLITS]
        for batch, is_kept in kept.batches([*SCHEMA.names, "split"]):
            splits = batch.column("split").to_numpy()
            turns = np.diff(batch.column("targets").offsets.to_numpy())
            counts["conversations_dropped_duplicate"] += int((~is_kept).sum())
            counts["turns_of_dropped"] += int(turns[~is_kept].sum())
            for number, writer in enumerate(writers):
                rows = np.flatnonzero(is_kept & (splits == number))
                if len(rows):
                    writer.write(batch.select(SCHEMA.names).take(pa.array(rows)))
            done += batch.num_rows
            progress(done)
    return {writer.split: writer.sizes for writer in writers}, [
        name for each in writers for name in each.names
    ]


class _SplitFiles:
    """Writes a split into as many files as it needs; a context manager.

    Attributes:
        sizes: what stands in the manifest.
        names: of the files.
    """

    def __init__(self, folder: Path, split: str, file_bytes: int) -> None:
        self.split = split
        self.sizes = dict.fromkeys(_SIZES, 0)
        self.names: list[str] = []
        self._folder = folder
        self._file_bytes = file_bytes
        self._writer = self._next()

    def _next(self) -> SplitWriter:
        self.names.append(split_file(self.split, len(self.names)))
        return SplitWriter(self._folder / self.names[-1], SCHEMA)

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds the rows of a batch."""
        if self._writer.num_bytes >= self._file_bytes:
            self._writer.__exit__()
            self._writer = self._next()
        self._writer.write(batch)
        self._count(batch)

    def _count(self, batch: pa.RecordBatch) -> None:
        utterances = batch.column("utterances")
        lengths = np.diff(utterances.values.offsets.to_numpy())
        is_target = batch.column("targets").values.to_numpy(zero_copy_only=False)
        sums = {
            "conversations": batch.num_rows,
            "turns": len(lengths),
            "tokens": int(lengths.sum(dtype=np.int64)),
            "targets": int(is_target.sum()),
            "target_tokens": int(lengths[is_target].sum(dtype=np.int64)),
        }
        for name, number in sums.items():
            self.sizes[name] += number
        longest = (int(lengths.max(initial=0)), int(np.diff(utterances.offsets.to_numpy()).max(initial=0)))
        for name, number in zip(_LONGEST, longest, strict=True):
            self.sizes[name] = max(self.sizes[name], number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._writer.__exit__(*error)


_LONGEST = ("longest_utterance_tokens", "longest_conversation_turns")
_SIZES = ("conversations", "turns", "tokens", "targets", "target_tokens", *_LONGEST)
