"""Clean conversations as texts, between reading and tokenising: Arrow files that the parent and workers share.

A worker cleans a chunk of raw records into one Arrow record batch (`clean_chunk`) or tokenises a batch
(`tokenise_batch`); the parent only sorts rows into splits and writes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Self

import pyarrow as pa

from dialog.corpus.cleaning import Clean, Counts, clean
from dialog.corpus.encoding import BatchEncoder
from dialog.corpus.records import BadRecord, LogFormat, RawRecord
from dialog.corpus.tokenized import SCHEMA

__all__ = [
    "TEXT_SCHEMA",
    "Chunk",
    "Cleaned",
    "SplitWriter",
    "TokenTask",
    "clean_chunk",
    "read_texts",
    "tokenise_batch",
]

TEXT_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("speakers", pa.list_(pa.uint16())),
        ("texts", pa.list_(pa.string())),
        ("targets", pa.list_(pa.bool_())),
        ("exact", pa.binary(16)),
        ("loose", pa.binary(16)),
    ]
)
_MOST_SPEAKER_NAMES = 1_000


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some records of one file.

    Attributes:
        log_format: what parses them.
        name: the file's name, from which conversations without an id get theirs.
        records: in the file's order.
        reply_as: see `clean`.
    """

    log_format: LogFormat
    name: str
    records: list[RawRecord]
    reply_as: str | None


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What became of a chunk.

    Attributes:
        batch: one record batch of TEXT_SCHEMA, serialised; rows in the file's order.
        counts: see `clean`.
        bad: line and reason of each bad record.
        speakers: how often each speaker's name stands in the chunk, the most frequent ones.
    """

    batch: bytes
    counts: Counts
    bad: list[tuple[int, str]]
    speakers: dict[str, int]


def clean_chunk(chunk: Chunk) -> Cleaned:
    """Parses and cleans the records of a chunk."""
    counts, speakers = Counts(), Counts()
    bad: list[tuple[int, str]] = []
    rows: list[Clean] = []
    for record in chunk.records:
        try:
            if record.error is not None:
                raise BadRecord(record.error)
            parsed = chunk.log_format.parse(record, f"{chunk.name}:{record.line}")
        except BadRecord as error:
            bad.append((record.line, str(error)))
            continue
        speakers.update(turn.speaker for turn in parsed.conversation.turns)
        row = clean(parsed, chunk.reply_as, counts)
        if row is not None:
            rows.append(row)
    columns = [pa.array([getattr(row, field.name) for row in rows], type=field.type) for field in TEXT_SCHEMA]
    batch = pa.record_batch(columns, schema=TEXT_SCHEMA)
    return Cleaned(_serialised(batch), counts, bad, dict(speakers.most_common(_MOST_SPEAKER_NAMES)))


@dataclass(frozen=True, slots=True)
class TokenTask:
    """One record batch to tokenise: the file it stands in, its number, and the tokenizer's file."""

    texts: Path
    number: int
    tokenizer: Path


def tokenise_batch(task: TokenTask) -> bytes:
    """Returns the record batch of SCHEMA for one of TEXT_SCHEMA, serialised."""
    batch = pa.ipc.open_file(pa.memory_map(str(task.texts))).get_batch(task.number)
    texts = batch.column("texts")
    utterances = pa.ListArray.from_arrays(texts.offsets, _encoder(task.tokenizer).encode(texts.values))
    columns = [batch.column("id"), batch.column("speakers"), utterances, batch.column("targets")]
    return _serialised(pa.record_batch(columns, schema=SCHEMA))


@lru_cache(maxsize=1)
def _encoder(path: Path) -> BatchEncoder:
    return BatchEncoder.load(path)


def read_texts(path: Path) -> Iterator[str]:
    """Yields every text of a file of TEXT_SCHEMA; one record batch is held at a time."""
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    for number in range(reader.num_record_batches):
        yield from reader.get_batch(number).column("texts").values.to_pylist()


class SplitWriter:
    """Writes an Arrow file, small batches gathered into larger ones; a context manager."""

    def __init__(self, path: Path, schema: pa.Schema, flush_bytes: int = 4 << 20) -> None:
        self.path = path
        self.num_rows = 0
        self.num_batches = 0
        self._schema = schema
        self._flush_bytes = flush_bytes
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = 0
        self._writer = pa.ipc.new_file(str(path), schema)

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds the rows of a batch."""
        if batch.num_rows:
            self.num_rows += batch.num_rows
            self._waiting.append(batch)
            self._waiting_bytes += batch.nbytes
            if self._waiting_bytes >= self._flush_bytes:
                self._flush()

    def _flush(self) -> None:
        if self._waiting:
            table = pa.Table.from_batches(self._waiting, schema=self._schema)
            for batch in table.combine_chunks().to_batches():
                self._writer.write_batch(batch)
                self.num_batches += 1
        self._waiting, self._waiting_bytes = [], 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._writer.close()


def _serialised(batch: pa.RecordBatch) -> bytes:
    return bytes(batch.serialize())
