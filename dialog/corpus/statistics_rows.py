"""Conversations to count, of a prepared corpus or of logs as they are."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from dialog.corpus.cleaning import RULES, Counts, clean
from dialog.corpus.formats import FormatOptions
from dialog.corpus.records import BadRecord
from dialog.corpus.sources import Source, find_sources
from dialog.corpus.splits import Shares, split_of
from dialog.corpus.statistics import Row
from dialog.corpus.tokenized import CORPUS_FILE, SPLITS, TokenizedCorpus

__all__ = ["LogCounts", "is_prepared", "rows_of_corpus", "rows_of_logs"]

_LONGEST_LINE = 16 << 20

Progress = Callable[[str, int, int], None]
"""Is told: what is being done, how much of it, of how much."""


class LogCounts:
    """What of logs is not counted as a conversation.

    Attributes:
        figures: plain JSON values, filled in while the logs are read: `bad` records that cannot be read, the
            `first_bad` with its reason, conversations that cleaning has `dropped`, by the rule's words, and the
            files that are `left_out`.
    """

    def __init__(self) -> None:
        self.figures: dict[str, Any] = {"bad": 0, "first_bad": None, "dropped": {}, "left_out": []}

    def add_bad(self, where: str, reason: str) -> None:
        """Counts a bad record."""
        self.figures["bad"] += 1
        self.figures["first_bad"] = self.figures["first_bad"] or f"{where}: {reason}"


def is_prepared(path: str | Path) -> bool:
    """Whether this is a folder that `hred prepare` wrote."""
    return (Path(path) / CORPUS_FILE).is_file()


def rows_of_corpus(corpus: TokenizedCorpus, progress: Progress = lambda *_: None) -> Iterator[Row]:
    """Yields the conversations of a prepared corpus."""
    for name in SPLITS:
        split = corpus.split(name)
        for index in range(len(split)):
            if index % 100 == 0:
                progress(f"Counting {name}", index, len(split))
            row = split[index]
            yield Row(
                name,
                row.speakers.tolist(),
                [corpus.tokenizer.decode(tokens.tolist()) for tokens in row.utterances],
                row.targets.tolist(),
                [len(tokens) for tokens in row.utterances],
            )


def rows_of_logs(
    logs: Sequence[Path | str],
    options: FormatOptions,
    counts: LogCounts,
    progress: Progress = lambda *_: None,
) -> Iterator[Row]:
    """Yields the conversations of logs, cleaned and split as `hred prepare` does by itself, duplicates kept.

    Raises:
        LogError: they cannot be read.
    """
    sources = find_sources(logs, {}, options, "auto", _LONGEST_LINE)
    counts.figures["left_out"] = sources.left_out
    for source in sources.files:
        if source.log_format is not None:
            yield from _rows_of(source, counts, progress)


def _rows_of(source: Source, counts: LogCounts, progress: Progress) -> Iterator[Row]:
    assert source.log_format is not None
    file, cleaned = source.file, Counts()
    lines = file.lines(lambda done: progress(f"Counting {file.shown}", done, file.num_bytes))
    for record in source.log_format.records(file, lines):
        try:
            if record.error is not None:
                raise BadRecord(record.error)
            parsed = source.log_format.parse(record, f"{file.name}:{record.line}")
        except BadRecord as error:
            counts.add_bad(f"{file.shown}:{record.line}", str(error))
            continue
        row = clean(parsed, None, cleaned)
        if row is not None:
            split = source.split or split_of(row.loose, Shares(), 1)
            yield Row(split, row.speakers, row.texts, row.targets)
    for rule, words in RULES.items():
        if number := cleaned[f"conversations_dropped_{rule}"]:
            dropped = counts.figures["dropped"]
            dropped[words] = dropped.get(words, 0) + number
