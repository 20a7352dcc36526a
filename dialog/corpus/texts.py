"""What workers do: a chunk of raw records becomes one Arrow record batch of clean texts, or of their tokens.

The parent cuts files into chunks and writes what comes back (`segments.py`); a batch of texts is tokenised later
(`tokenise_batch`) where the tokenizer is still to be trained.
"""

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from dialog.corpus.cleaning import Clean, Counts, clean
from dialog.corpus.columns import read_plain
from dialog.corpus.encoding import BatchEncoder
from dialog.corpus.jsonl import JsonLines
from dialog.corpus.records import BadRecord, LogFormat, RawRecord
from dialog.corpus.splits import SplitRule
from dialog.corpus.tokenized import SCHEMA, SPLITS

__all__ = [
    "TEXT_SCHEMA",
    "TOKEN_SCHEMA",
    "Chunk",
    "Cleaned",
    "SplitWriter",
    "TokenTask",
    "clean_chunk",
    "tokenise_batch",
]

_ID, _SPEAKERS, _UTTERANCES, _TARGETS = SCHEMA
_FOR_JOINING = [
    pa.field("exact", pa.binary(16)),  # tells duplicates, see `cleaning.exact_digest`
    pa.field("loose", pa.binary(16)),  # see `loose_digest`
    pa.field("split", pa.uint8()),  # number in SPLITS
]
TEXT_SCHEMA = pa.schema([_ID, _SPEAKERS, pa.field("texts", pa.list_(pa.string())), _TARGETS, *_FOR_JOINING])
TOKEN_SCHEMA = pa.schema([_ID, _SPEAKERS, _UTTERANCES, _TARGETS, *_FOR_JOINING])
_CLEAN_COLUMNS = ("id", "speakers", "texts", "targets", "exact", "loose")
_MOST_SPEAKER_NAMES = 1_000


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some records of one file.

    Attributes:
        log_format: what parses them.
        name: the file's name, from which conversations without an id get theirs.
        records: in the file's order.
        reply_as: see `clean`.
        split: which split a conversation goes into.
        tokenizer: the tokenizer's file; None where it is still to be trained.
    """

    log_format: LogFormat
    name: str
    records: list[RawRecord]
    reply_as: str | None
    split: SplitRule
    tokenizer: Path | None

    def __reduce__(self) -> tuple[Any, ...]:
        # Thousands of small objects take longer to send to a worker than their values.
        values = [(each.line, each.payload, each.num_bytes, each.error) for each in self.records]
        return _received, (self.log_format, self.name, values, self.reply_as, self.split, self.tokenizer)


def _received(
    log_format: LogFormat, name: str, records: list[tuple[int, object, int, str | None]], *others: Any
) -> Chunk:
    return Chunk(log_format, name, [RawRecord(*values) for values in records], *others)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What became of a chunk.

    Attributes:
        batch: one record batch of TEXT_SCHEMA, or of TOKEN_SCHEMA, serialised; rows in the file's order.
        counts: see `clean`.
        bad: line and reason of each bad record.
        speakers: how often each speaker's name stands in the chunk, the most frequent ones.
    """

    batch: bytes
    counts: Counts
    bad: list[tuple[int, str]]
    speakers: Counts


def clean_chunk(chunk: Chunk) -> Cleaned:
    """Parses, cleans and, with a tokenizer, tokenises the records of a chunk."""
    counts, speakers = Counts(), Counts()
    bad: list[tuple[int, str]] = []
    with _without_collecting():
        plain = None
        if isinstance(chunk.log_format, JsonLines):
            plain = read_plain(chunk.records, chunk.name, chunk.reply_as, counts, speakers)
        others = range(len(chunk.records)) if plain is None else plain.others
        rows = dict(_clean_rows(chunk, others, counts, bad, speakers))
        columns = [
            pa.array([getattr(row, name) for row in rows.values()], type=TEXT_SCHEMA.field(name).type)
            for name in _CLEAN_COLUMNS
        ]
        if plain is not None:
            columns = [pa.concat_arrays(pair) for pair in zip(plain.columns, columns, strict=True)]
            order = np.argsort(np.concatenate([plain.places, np.array(list(rows), np.int64)]))
            if rows:
                columns = [column.take(pa.array(order)) for column in columns]
        splits = [SPLITS.index(chunk.split.of(loose)) for loose in columns[-1].to_pylist()]
        batch = pa.record_batch([*columns, pa.array(splits, pa.uint8())], schema=TEXT_SCHEMA)
    if chunk.tokenizer is not None:
        batch = _tokenised(batch, chunk.tokenizer)
    most = Counts(dict(speakers.most_common(_MOST_SPEAKER_NAMES)))
    return Cleaned(_serialised(batch), counts, bad, most)


def _clean_rows(
    chunk: Chunk, places: Iterable[int], counts: Counts, bad: list[tuple[int, str]], speakers: Counts
) -> Iterator[tuple[int, Clean]]:
    """Yields what is kept of the records at these places, and where it stands."""
    for place in places:
        record = chunk.records[place]
        try:
            if record.error is not None:
                raise BadRecord(record.error)
            parsed = chunk.log_format.parse(record, f"{chunk.name}:{record.line}")
        except BadRecord as error:
            bad.append((record.line, str(error)))
            continue
        counts.update(parsed.counts)
        if parsed.counts and not parsed.conversation.turns:
            continue  # what an export holds after its last conversation, or one of media alone
        for turn in parsed.conversation.turns:
            speakers[turn.speaker] += 1
        row = clean(parsed, chunk.reply_as, counts)
        if row is not None:
            yield place, row


@contextmanager
def _without_collecting() -> Iterator[None]:
    """A chunk makes many objects and no cycles: looking for some again and again takes a tenth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@dataclass(frozen=True, slots=True)
class TokenTask:
    """One record batch to tokenise: the file it stands in, its number, and the tokenizer's file."""

    texts: Path
    number: int
    tokenizer: Path


def tokenise_batch(task: TokenTask) -> bytes:
    """Returns the record batch of TOKEN_SCHEMA for one of TEXT_SCHEMA, serialised."""
    batch = pa.ipc.open_file(pa.memory_map(str(task.texts))).get_batch(task.number)
    return _serialised(_tokenised(batch, task.tokenizer))


def _tokenised(batch: pa.RecordBatch, tokenizer: Path) -> pa.RecordBatch:
    texts = batch.column("texts")
    utterances = pa.ListArray.from_arrays(
        texts.offsets, _encoder(tokenizer, tokenizer.stat().st_mtime_ns).encode(texts.values)
    )
    columns = [utterances if name == "texts" else batch.column(name) for name in batch.schema.names]
    return pa.record_batch(columns, schema=TOKEN_SCHEMA)


@lru_cache(maxsize=1)
def _encoder(path: Path, version: int) -> BatchEncoder:
    """The encoder of a file; a later run in this process may have written another one under the same name."""
    return BatchEncoder.load(path)


class SplitWriter:
    """Writes an Arrow file, small batches gathered into larger ones; a context manager.

    Attributes:
        num_bytes: about what was written.
    """

    def __init__(self, path: Path, schema: pa.Schema, flush_bytes: int = 4 << 20) -> None:
        self.path = path
        self.num_bytes = 0
        self._schema = schema
        self._flush_bytes = flush_bytes
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = 0
        self._writer = pa.ipc.new_file(str(path), schema)

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds the rows of a batch."""
        if batch.num_rows:
            self.num_bytes += batch.nbytes
            self._waiting.append(batch)
            self._waiting_bytes += batch.nbytes
            if self._waiting_bytes >= self._flush_bytes:
                self._flush()

    def _flush(self) -> None:
        if self._waiting:
            table = pa.Table.from_batches(self._waiting, schema=self._schema)
            for batch in table.combine_chunks().to_batches():
                self._writer.write_batch(batch)
        self._waiting, self._waiting_bytes = [], 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._writer.close()


def _serialised(batch: pa.RecordBatch) -> bytes:
    return bytes(batch.serialize())
