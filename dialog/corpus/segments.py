"""Segments: what a run of `hred prepare` has done so far, on disk, so that it can go on, or be done in parts.

A segment is what became of the next 64 MB or so of the logs: an Arrow file with the clean conversations in the
order of the logs (texts, or tokens where the tokenizer is there), and a small record of what was counted. Its
record is written last and in one step, so a segment is there or is not. Which conversations are in which
segment follows from the files alone: `groups_of` puts small files together and leaves large ones to be cut.

    000003-000001.texts     the second segment of the fourth group of files, before tokenising
    000003-000001.tokens    the same, tokenised
    000003-000001.json      its record
    000003.end              how many segments the group has; written once it is read to its end
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from dialog.corpus.cleaning import Counts
from dialog.corpus.sources import Source
from dialog.corpus.texts import TEXT_SCHEMA, TOKEN_SCHEMA, Cleaned
from dialog.errors import CorpusError

__all__ = ["Group", "SegmentStore", "SegmentWriter", "batches_of", "groups_of", "write_whole"]

_MOST_LISTED = 1_000
_UNPACKED = 8  # about how many times a packed file grows


@dataclass(frozen=True, slots=True)
class Group:
    """Files that are read one after the other.

    Attributes:
        number: its place among the groups.
        sources: never none.
        is_cut: one file that is too large for a segment; else the group is one segment.
    """

    number: int
    sources: Sequence[Source]
    is_cut: bool

    def is_of(self, segment: int, shard: tuple[int, int]) -> bool:
        """Whether part I of N, from 1, does this segment of the group."""
        return (self.number + segment) % shard[1] == shard[0] - 1


def groups_of(sources: Sequence[Source], segment_bytes: int) -> list[Group]:
    """Groups the files that are not empty, in their order."""
    groups: list[Group] = []
    small: list[Source] = []
    small_bytes = 0
    for source in sources:
        if source.log_format is None:
            continue
        num_bytes = source.file.num_bytes * (_UNPACKED if source.file.is_packed else 1)
        if small and small_bytes + num_bytes > segment_bytes:
            groups.append(Group(len(groups), small, False))
            small, small_bytes = [], 0
        if num_bytes > segment_bytes:
            groups.append(Group(len(groups), [source], True))
        else:
            small, small_bytes = [*small, source], small_bytes + num_bytes
    return [*groups, Group(len(groups), small, False)] if small else groups


class SegmentStore:
    """The segments in one folder, which is written to, and in others, which are not."""

    def __init__(self, own: Path, others: Sequence[Path] = ()) -> None:
        self.own = own
        self._folders = [own, *others]
        own.mkdir(exist_ok=True)

    def has(self, group: int, number: int) -> bool:
        """Whether a segment is done."""
        return self._find(f"{_name(group, number)}.json") is not None

    def end(self, group: int) -> int | None:
        """How many segments a group has; None where that is not known yet."""
        path = self._find(f"{group:06}.end")
        return None if path is None else int(path.read_text())

    def write_end(self, group: int, num_segments: int) -> None:
        """Says that a group was read to its end."""
        write_whole(self.own / f"{group:06}.end", str(num_segments))

    def names(self, num_groups: int) -> list[str]:
        """The names of all segments in their order.

        Raises:
            CorpusError: one is missing.
        """
        names = []
        for group in range(num_groups):
            for number in range(self.end(group) or 0):
                if not self.has(group, number):
                    raise CorpusError(f"segment {_name(group, number)} is missing: merge all parts at once")
                names.append(_name(group, number))
        return names

    def record(self, name: str) -> dict[str, Any]:
        """What was counted in a segment."""
        path = self._find(f"{name}.json")
        assert path is not None
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return record

    def texts(self, name: str) -> Path | None:
        """The file of its texts, None where there is none any more."""
        return self._find(f"{name}.texts")

    def tokens(self, name: str) -> Path | None:
        """The file of its tokens, None where there is none yet."""
        return self._find(f"{name}.tokens")

    def file(self, name: str) -> Path:
        """The file of its tokens, else of its texts."""
        path = self.tokens(name) or self.texts(name)
        if path is None:
            raise CorpusError(f"the file of segment {name} is missing: prepare its part again")
        return path

    def write_tokens(self, name: str, batches: Iterator[bytes]) -> None:
        """Replaces the texts of a segment by tokens."""
        path = self.own / f"{name}.tokens"
        with pa.ipc.new_file(f"{path}.new", TOKEN_SCHEMA) as writer:
            for batch in batches:
                writer.write_batch(pa.ipc.read_record_batch(batch, TOKEN_SCHEMA))
        os.replace(f"{path}.new", path)
        (self.own / f"{name}.texts").unlink(missing_ok=True)

    def _find(self, name: str) -> Path | None:
        return next((folder / name for folder in self._folders if (folder / name).exists()), None)


class SegmentWriter:
    """Writes one segment."""

    def __init__(self, store: SegmentStore, group: int, number: int, is_tokenised: bool) -> None:
        self._base = store.own / _name(group, number)
        self._path = self._base.with_suffix(".tokens" if is_tokenised else ".texts")
        self._schema = TOKEN_SCHEMA if is_tokenised else TEXT_SCHEMA
        self._writer = pa.ipc.new_file(str(self._path), self._schema)
        self._rows = self._num_records = self._num_bad = 0
        self._counts, self._speakers = Counts(), Counts()
        self._bad: list[str] = []

    def write(self, cleaned: Cleaned, shown: str) -> None:
        """Adds what became of a chunk of the file that is shown as `shown`."""
        batch = pa.ipc.read_record_batch(cleaned.batch, self._schema)
        if batch.num_rows:
            self._writer.write_batch(batch)
        self._rows += batch.num_rows
        self._num_records += cleaned.counts["conversations_read"] + len(cleaned.bad)
        self._num_bad += len(cleaned.bad)
        self._counts.update(cleaned.counts)
        self._speakers.update(cleaned.speakers)
        room = _MOST_LISTED - len(self._bad)
        self._bad += [f"{shown}:{line}: {reason}" for line, reason in cleaned.bad[:room]]

    def close(self) -> None:
        """Ends the segment; only now is it there."""
        self._writer.close()
        with self._path.open("rb") as stream:
            os.fsync(stream.fileno())
        record = {
            "rows": self._rows,
            "records": self._num_records,
            "bad": self._num_bad,
            "first_bad": self._bad,
            "counts": self._counts,
            "speakers": dict(self._speakers.most_common(_MOST_LISTED)),
        }
        write_whole(self._base.with_suffix(".json"), json.dumps(record))


def batches_of(path: Path) -> Iterator[pa.RecordBatch]:
    """Yields the record batches of a segment; one is held at a time."""
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    for number in range(reader.num_record_batches):
        yield reader.get_batch(number)


def write_whole(path: Path, text: str) -> None:
    """Writes a file in one step: it is there whole, or as it was."""
    new = path.with_name(f"{path.name}.new")
    with new.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(new, path)


def _name(group: int, number: int) -> str:
    return f"{group:06}-{number:06}"
