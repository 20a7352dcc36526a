"""Steps 2 and 3 of `hred prepare`: from segments to the corpus."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dialog.corpus.cleaning import Counts
from dialog.corpus.joining import KeptRows, write_splits
from dialog.corpus.leaks import find_leaks
from dialog.corpus.masking import PLACEHOLDERS
from dialog.corpus.output import WorkFolder
from dialog.corpus.plan import Plan
from dialog.corpus.pool import OrderedPool
from dialog.corpus.report import BadRecords, build_report
from dialog.corpus.segments import batches_of
from dialog.corpus.settings import Settings
from dialog.corpus.texts import TokenTask, tokenise_batch
from dialog.corpus.tokenized import CORPUS_FILE, FORMAT, FORMAT_VERSION, TOKENIZER_FILE, file_hash
from dialog.errors import CorpusError
from dialog.text.tokenizer import Tokenizer, train_tokenizer

__all__ = ["Finish"]


class Finish:
    """Makes the corpus of all segments."""

    def __init__(
        self,
        settings: Settings,
        plan: Plan,
        work: WorkFolder,
        pool: OrderedPool,
        progress: Callable[[str, int, int], None],
    ) -> None:
        self._settings = settings
        self._plan = plan
        self._work = work
        self._store = work.store
        self._pool = pool
        self._progress = progress
        self._names = work.store.names(plan.num_groups)
        self._counts, self._speakers = Counts(), Counts()
        self._bad = BadRecords(settings.max_bad)

    def run(self) -> None:
        """All steps."""
        num_rows = self._add_up()
        kept = KeptRows(self._store, self._names)
        self._check_anything_left(kept)
        tokenizer = self._tokenizer(kept)
        self._tokenise()
        splits, names = write_splits(
            kept,
            self._work.result,
            self._settings.file_bytes,
            self._counts,
            lambda done: self._progress("Writing the splits", done, num_rows),
        )
        leaks = find_leaks(kept.loose, self._plan.split_by)
        self._write_manifest(tokenizer, splits, names, leaks)

    def _add_up(self) -> int:
        """Adds up what was counted; returns the number of rows."""
        num_rows = 0
        for name in self._names:
            record = self._store.record(name)
            num_rows += record["rows"]
            self._counts.update(record["counts"])
            self._speakers.update(record["speakers"])
            self._bad.add_segment(record)
        self._bad.check()
        return num_rows

    def _check_anything_left(self, kept: KeptRows) -> None:
        """Raises a sentence that says why nothing is left to train on."""
        if kept.num_rows["train"]:
            return
        reply_as = self._settings.reply_as
        if self._counts["conversations_dropped_no_target"] and reply_as is not None:
            names = ", ".join(repr(name) for name, _ in self._speakers.most_common(8))
            raise CorpusError(
                f"no conversation has a reply by {reply_as!r}; the speakers are {names}: "
                "choose one of them with --reply-as"
            )
        raise CorpusError(
            f"no conversation is left to train on ({self._counts['conversations_read']:,} read, "
            f"{self._bad.num_bad:,} bad records): look at the rules of cleaning and the shares of the splits"
        )

    def _tokenizer(self, kept: KeptRows) -> Tokenizer:
        """The tokenizer that is given, that an earlier run trained, or one that is trained now."""
        settings = self._settings
        path = self._work.folder / TOKENIZER_FILE
        if settings.tokenizer_from is not None:
            model = Tokenizer.load(settings.tokenizer_from).model_bytes
        elif path.exists():
            model = path.read_bytes()
        else:
            self._progress("Training the tokenizer", 0, 1)
            model = train_tokenizer(
                kept.texts(),
                settings.vocabulary_size,
                settings.tokenizer_kind,
                settings.seed,
                settings.tokenizer_sample,
                PLACEHOLDERS if settings.options.mask else (),
            )
            self._progress("Training the tokenizer", 1, 1)
        new = path.with_name(f"{path.name}.new")
        new.write_bytes(model)
        os.replace(new, path)
        (self._work.result / TOKENIZER_FILE).write_bytes(model)
        return Tokenizer.from_bytes(model)

    def _tokenise(self) -> None:
        for done, name in enumerate(self._names):
            texts = self._store.texts(name)
            if texts is not None and self._store.tokens(name) is None:
                self._progress("Tokenising", done, len(self._names))
                num_batches = sum(1 for _ in batches_of(texts))
                tokenizer = self._work.folder / TOKENIZER_FILE
                tasks = [TokenTask(texts, number, tokenizer) for number in range(num_batches)]
                self._store.write_tokens(name, self._pool.map(tokenise_batch, tasks))

    def _write_manifest(
        self, tokenizer: Tokenizer, splits: dict[str, dict[str, int]], names: list[str], leaks: dict[str, Any]
    ) -> None:
        folder = self._work.result
        manifest = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "tokenizer": {"hash": tokenizer.hash, "num_tokens": tokenizer.num_tokens},
            "seed": self._settings.seed,
            "reply_as": self._settings.reply_as,
            "settings": self._settings.to_json(),
            "splits": splits,
            "report": build_report(self._counts, self._bad, self._plan, splits, leaks),
            "files": {name: _file_entry(folder / name) for name in [TOKENIZER_FILE, *names]},
        }
        with (folder / CORPUS_FILE).open("w", encoding="utf-8", newline="\n") as stream:
            json.dump(manifest, stream, indent=1)
            stream.flush()
            os.fsync(stream.fileno())


def _file_entry(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
    return {"bytes": path.stat().st_size, "sha256": file_hash(path)}
