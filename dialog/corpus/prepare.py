"""`hred prepare`: conversation logs in, a tokenizer and a tokenised corpus out.

    1. read, parse, clean, drop duplicates, split   logs → texts (one Arrow file a split)
    2. train the tokenizer on a sample of the training texts
    3. tokenise                                     texts → tokens (one Arrow file a split)
    4. look for conversations that stand in two splits, write the manifest, move the folder into place

Workers do the costly part of 1 and 3. What is written is the same for any number of them. Memory does not
grow with the logs but for the 16-byte digest of each conversation that tells duplicates.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from dialog.corpus.cleaning import Counts
from dialog.corpus.leaks import find_leaks
from dialog.corpus.output import check_folder, new_folder
from dialog.corpus.pool import OrderedPool, open_pool
from dialog.corpus.records import RawRecord
from dialog.corpus.report import BadRecords, build_report
from dialog.corpus.settings import Settings
from dialog.corpus.sources import Source, Sources, find_sources
from dialog.corpus.splits import Shares, split_of
from dialog.corpus.texts import (
    TEXT_SCHEMA,
    Chunk,
    SplitWriter,
    TokenTask,
    clean_chunk,
    read_texts,
    tokenise_batch,
)
from dialog.corpus.tokenized import (
    CORPUS_FILE,
    FORMAT,
    FORMAT_VERSION,
    SCHEMA,
    SPLITS,
    TOKENIZER_FILE,
    TokenizedCorpus,
    TokenizedSplit,
    file_hash,
)
from dialog.errors import CorpusError
from dialog.text.tokenizer import Tokenizer, train_tokenizer

__all__ = ["Progress", "Settings", "prepare_corpus"]

Progress = Callable[[str, int, int], None]
"""Is told: what is being done, how much of it, of how much."""

_CHUNK_BYTES = 1 << 20
_CHUNK_RECORDS = 2_000
_SMALL_LOGS = 4 << 20  # bytes on disk below which starting processes costs more than it saves


def prepare_corpus(settings: Settings, progress: Progress = lambda *_: None) -> TokenizedCorpus:
    """Prepares a corpus; an error or an interruption leaves nothing behind.

    Returns:
        The corpus, opened.

    Raises:
        UsageError: arguments that cannot be.
        LogError: logs that cannot be read, or with too many bad records.
        CorpusError: nothing is left to train on, or the folder cannot be written.
    """
    try:
        check_folder(settings.out, settings.overwrite)
        sources = find_sources(
            settings.logs, settings.given, settings.options, settings.split_by, settings.max_line_bytes
        )
        with new_folder(settings.out) as folder, open_pool(_num_workers(settings, sources)) as pool:
            Preparation(settings, sources, folder, pool, progress).run()
    except OSError as error:  # a full disk, a folder that may not be read
        raise CorpusError(f"{error.filename or settings.out}: {error.strerror or error}") from error
    return TokenizedCorpus.open(settings.out)


class Preparation:
    """One run of `prepare_corpus` in a temporary folder."""

    def __init__(
        self, settings: Settings, sources: Sources, folder: Path, pool: OrderedPool, progress: Progress
    ) -> None:
        self.settings = settings
        self.sources = sources
        self.folder = folder
        self.pool = pool
        self.progress = progress
        self.counts = Counts()
        self.speakers = Counts()
        self.bad = BadRecords(settings.max_bad)
        self.seen: dict[str, set[bytes]] = {name: set() for name in SPLITS}
        self.writers: dict[str, SplitWriter] = {}
        given = {source.split for source in sources.files}
        self.train_shares = Shares(
            0.0 if "valid" in given else settings.shares.valid,
            0.0 if "test" in given else settings.shares.test,
        )

    def run(self) -> None:
        """All steps."""
        self.clean_logs()
        self.seen.clear()
        self.check_anything_left()
        self.progress("Training the tokenizer", 0, 1)
        tokenizer = self.train_tokenizer()
        self.progress("Training the tokenizer", 1, 1)
        self.tokenise()
        leaks = find_leaks({name: self.texts_path(name) for name in SPLITS}, self.sources.split_by)
        for name in SPLITS:
            self.texts_path(name).unlink()
        self.write_manifest(tokenizer, leaks)

    def texts_path(self, split: str) -> Path:
        """The file of a split's clean texts."""
        return self.folder / f"{split}.texts"

    def clean_logs(self) -> None:
        """Step 1."""
        with ExitStack() as stack:
            for name in SPLITS:
                self.writers[name] = stack.enter_context(SplitWriter(self.texts_path(name), TEXT_SCHEMA))
            owners: list[Source] = []  # of the chunks on their way: the pool keeps their order
            chunks = self._chunks(owners)
            for cleaned in self.pool.map(clean_chunk, chunks):
                source = owners.pop(0)
                self.counts.update(cleaned.counts)
                self.speakers.update(cleaned.speakers)
                self.bad.add(source.file.shown, cleaned.bad, cleaned.counts["conversations_read"])
                self._keep(pa.ipc.read_record_batch(cleaned.batch, TEXT_SCHEMA), source.split)
        self.bad.check()

    def _chunks(self, owners: list[Source]) -> Iterator[Chunk]:
        total = sum(source.file.path.stat().st_size for source in self.sources.files)
        before = 0
        for source in self.sources.files:
            if source.log_format is not None:
                lines = source.file.lines(partial(self._read, before, total))
                for records in _cut(source.log_format.records(source.file, lines)):
                    owners.append(source)
                    name = Path(source.file.shown).name.removesuffix(".gz")
                    yield Chunk(source.log_format, name, records, self.settings.reply_as)
            before += source.file.path.stat().st_size
        self._read(0, total, total)

    def _read(self, before: int, total: int, done: int) -> None:
        self.progress("Reading the logs", before + done, total)

    def _keep(self, batch: pa.RecordBatch, split: str | None) -> None:
        """Sorts the rows of a batch into the splits, without duplicates."""
        rows: dict[str, list[int]] = {name: [] for name in SPLITS}
        exact = batch.column("exact").to_pylist()
        for row, loose in enumerate(batch.column("loose").to_pylist()):
            name = self._split(loose, split)
            if exact[row] in self.seen[name]:
                self.counts["conversations_dropped_duplicate"] += 1
                self.counts["turns_of_dropped"] += len(batch.column("texts")[row])
            else:
                self.seen[name].add(exact[row])
                rows[name].append(row)
        for name, kept in rows.items():
            if kept:
                self.writers[name].write(batch.take(pa.array(kept, pa.int64())))

    def _split(self, loose: bytes, given: str | None) -> str:
        """The split that was given; what is given for training also feeds the splits that were not."""
        if given in ("valid", "test"):
            return str(given)
        shares = self.settings.shares if given is None else self.train_shares
        return split_of(loose, shares, self.settings.seed)

    def check_anything_left(self) -> None:
        """Raises a sentence that says why nothing is left to train on."""
        if self.writers["train"].num_rows:
            return
        if self.counts["conversations_dropped_no_target"] and self.settings.reply_as is not None:
            names = ", ".join(repr(name) for name, _ in self.speakers.most_common(8))
            raise CorpusError(
                f"no conversation has a reply by {self.settings.reply_as!r}; the speakers are {names}: "
                "choose one of them with --reply-as"
            )
        raise CorpusError(
            f"no conversation is left to train on ({self.counts['conversations_read']:,} read, "
            f"{self.bad.num_bad:,} bad records): look at the rules of cleaning and the shares of the splits"
        )

    def train_tokenizer(self) -> Tokenizer:
        """Step 2; a tokenizer that is given is taken as it is."""
        settings = self.settings
        if settings.tokenizer_from is not None:
            tokenizer = Tokenizer.load(settings.tokenizer_from)
        else:
            model = train_tokenizer(
                read_texts(self.texts_path("train")),
                settings.vocabulary_size,
                settings.tokenizer_kind,
                settings.seed,
                settings.tokenizer_sample,
            )
            tokenizer = Tokenizer.from_bytes(model)
        (self.folder / TOKENIZER_FILE).write_bytes(tokenizer.model_bytes)
        return tokenizer

    def tokenise(self) -> None:
        """Step 3."""
        total = sum(writer.num_batches for writer in self.writers.values())
        done = 0
        for name in SPLITS:
            tasks = [
                TokenTask(self.texts_path(name), number, self.folder / TOKENIZER_FILE)
                for number in range(self.writers[name].num_batches)
            ]
            with SplitWriter(self.folder / f"{name}.arrow", SCHEMA) as writer:
                for serialised in self.pool.map(tokenise_batch, tasks):
                    writer.write(pa.ipc.read_record_batch(serialised, SCHEMA))
                    done += 1
                    self.progress("Tokenising", done, total)

    def write_manifest(self, tokenizer: Tokenizer, leaks: dict[str, Any]) -> None:
        """Step 4."""
        splits = {name: _sizes(TokenizedSplit(self.folder / f"{name}.arrow")) for name in SPLITS}
        files = [TOKENIZER_FILE, *(f"{name}.arrow" for name in SPLITS)]
        manifest = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "tokenizer": {"hash": tokenizer.hash, "num_tokens": tokenizer.num_tokens},
            "seed": self.settings.seed,
            "reply_as": self.settings.reply_as,
            "settings": self.settings.to_json(),
            "splits": splits,
            "report": build_report(self.counts, self.bad, self.sources, splits, leaks),
            "files": {name: _file_entry(self.folder / name) for name in files},
        }
        with (self.folder / CORPUS_FILE).open("w", encoding="utf-8", newline="\n") as stream:
            json.dump(manifest, stream, indent=1)
            stream.flush()
            os.fsync(stream.fileno())


def _cut(records: Iterator[RawRecord]) -> Iterator[list[RawRecord]]:
    """Chunks of about a megabyte."""
    chunk: list[RawRecord] = []
    num_bytes = 0
    for record in records:
        chunk.append(record)
        num_bytes += record.num_bytes
        if num_bytes >= _CHUNK_BYTES or len(chunk) >= _CHUNK_RECORDS:
            yield chunk
            chunk, num_bytes = [], 0
    if chunk:
        yield chunk


def _sizes(split: TokenizedSplit) -> dict[str, int]:
    return {
        "conversations": len(split),
        "turns": len(split.lengths),
        "tokens": int(split.lengths.sum()),
        "targets": int(split.targets.sum()),
        "target_tokens": int(split.lengths[split.targets].sum()),
        "longest_utterance_tokens": int(split.lengths.max(initial=0)),
        "longest_conversation_turns": int(split.num_turns.max(initial=0)),
    }


def _file_entry(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
    return {"bytes": path.stat().st_size, "sha256": file_hash(path)}


def _num_workers(settings: Settings, sources: Sources) -> int:
    if settings.workers:
        return settings.workers
    num_bytes = sum(source.file.path.stat().st_size for source in sources.files)
    if num_bytes < _SMALL_LOGS:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
