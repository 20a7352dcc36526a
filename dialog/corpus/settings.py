"""What `hred prepare` is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dialog.corpus.formats import FormatOptions
from dialog.corpus.splits import Shares
from dialog.errors import UsageError
from dialog.text.tokenizer import Kind

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """What to prepare, and how.

    Attributes:
        logs: files, folders, globs of files and addresses that fsspec knows, split by name or by hash.
        given: the same for each split, instead of `logs`.
        out: the folder to write.
        options: of the log formats.
        split_by: `auto`, `names` or `hash`.
        shares: of the drawn splits; also of a split that the given files lack.
        reply_as: the speaker whose turns are trained on.
        vocabulary_size: tokens at most.
        tokenizer_kind: `unigram` or `bpe`.
        tokenizer_sample: utterances that the tokenizer is trained on.
        tokenizer_from: a `tokenizer.model` to take instead of training one.
        seed: of the splits and the tokenizer's sample.
        max_bad: the largest share of bad records, of 1.
        max_line_bytes: the longest line, and the longest conversation of several lines.
        workers: processes; 0 for as many as there are cores.
        overwrite: whether a prepared corpus in `out` is replaced.
        file_bytes: about the size at which a split goes on in a new file.
        segment_bytes: of logs, what is lost at most when a run is stopped.
        shard: part I of N that is prepared, from (1, N) to (N, N); (1, 1) is all.
    """

    out: Path
    logs: Sequence[Path | str] = ()
    given: Mapping[str, Sequence[Path | str]] = field(default_factory=dict)
    options: FormatOptions = field(default_factory=FormatOptions)
    split_by: str = "auto"
    shares: Shares = field(default_factory=Shares)
    reply_as: str | None = None
    vocabulary_size: int = 8_000
    tokenizer_kind: Kind = "unigram"
    tokenizer_sample: int = 200_000
    tokenizer_from: Path | None = None
    seed: int = 1
    max_bad: float = 0.01
    max_line_bytes: int = 16 << 20
    workers: int = 0
    overwrite: bool = False
    file_bytes: int = 1 << 30
    segment_bytes: int = 64 << 20
    shard: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        if not 0.0 <= self.max_bad <= 1.0:
            raise UsageError(f"--max-bad is {self.max_bad}, but must be a share between 0 and 1")
        if self.split_by not in ("auto", "names", "hash"):
            raise UsageError(f"--split-by is {self.split_by!r}, but must be auto, names or hash")
        if not 1 <= self.shard[0] <= self.shard[1]:
            raise UsageError(
                f"--shard is {self.shard[0]}/{self.shard[1]}, but must be I/N with I from 1 to N: "
                "2/3 is the second of three"
            )
        if self.workers < 0:
            raise UsageError(f"--workers is {self.workers}, but must be 0 (all cores) or more")
        if not -(2**63) <= self.seed < 2**63:
            raise UsageError(f"--seed is {self.seed}, but must be a whole number of at most 64 bits")

    def to_json(self) -> dict[str, Any]:
        """Returns what the corpus depends on, beside the logs, as plain JSON values."""
        return {
            "vocabulary_size": self.vocabulary_size,
            "tokenizer_kind": self.tokenizer_kind,
            "tokenizer_sample": self.tokenizer_sample,
            "valid_share": self.shares.valid,
            "test_share": self.shares.test,
            "max_bad": self.max_bad,
            "max_line_bytes": self.max_line_bytes,
            "file_bytes": self.file_bytes,
        }
