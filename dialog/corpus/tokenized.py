"""A prepared corpus on disk: a folder that `hred prepare` writes and training maps into memory.

    corpus.json       what it is made of: format version, settings, report, splits, SHA-256 of each file
    tokenizer.model   the SentencePiece model
    train.arrow, valid.arrow, test.arrow; where a split is large it goes on in train-00001.arrow, …

A split is an Arrow IPC file, one row a conversation:

    id          string
    speakers    list<uint16>        (turn) the speaker's number, from 0 in order of appearance
    utterances  list<list<int32>>   (turn, time) token ids, no control tokens
    targets     list<bool>          (turn) is trained and scored on; never the first turn
"""

import hashlib
import itertools
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dialog.errors import CorpusError
from dialog.text.tokenizer import Tokenizer

__all__ = [
    "CORPUS_FILE",
    "FORMAT",
    "FORMAT_VERSION",
    "SCHEMA",
    "SPLITS",
    "TOKENIZER_FILE",
    "TokenizedConversation",
    "TokenizedCorpus",
    "TokenizedSplit",
    "file_hash",
    "split_file",
]

FORMAT = "hred-corpus"
FORMAT_VERSION = 1
CORPUS_FILE = "corpus.json"
TOKENIZER_FILE = "tokenizer.model"
SPLITS = ("train", "valid", "test")
_SPLIT_FILE = re.compile(r"(train|valid|test)(?:-[0-9]{5})?\.arrow")
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("speakers", pa.list_(pa.uint16())),
        ("utterances", pa.list_(pa.list_(pa.int32()))),
        ("targets", pa.list_(pa.bool_())),
    ]
)


@dataclass(frozen=True, slots=True)
class TokenizedConversation:
    """One conversation as token ids.

    Attributes:
        id: its name.
        speakers: uint16 (turn).
        utterances: int32 (time) for each turn; views into the mapped file, not to be written to.
        targets: bool (turn).
    """

    id: str
    speakers: np.ndarray
    utterances: list[np.ndarray]
    targets: np.ndarray


@dataclass(frozen=True, slots=True)
class _Layout:
    """The columns of one record batch, flat and unchanged from the mapped file.

    Attributes:
        turns: (conversation + 1) where each conversation starts in `starts`, `speakers` and `targets`.
        starts: (turn + 1) where each turn starts in `tokens`.
        tokens: int32 (token).
        speakers: uint16 (turn).
        targets: bool (turn), a bit each.
    """

    turns: np.ndarray
    starts: np.ndarray
    tokens: np.ndarray
    speakers: np.ndarray
    targets: pa.BooleanArray

    @classmethod
    def of(cls, batch: pa.RecordBatch) -> "_Layout":
        utterances = batch.column(2)
        return cls(
            turns=utterances.offsets.to_numpy(),
            starts=utterances.values.offsets.to_numpy(),
            tokens=utterances.values.values.to_numpy(),
            speakers=batch.column(1).values.to_numpy(),
            targets=batch.column(3).values,
        )


class TokenizedSplit:
    """The conversations of one split, read from the mapped files when they are asked for."""

    def __init__(self, *paths: Path) -> None:
        self._batches = batches = [batch for path in paths for batch in _batches(path)]
        self._ends = np.cumsum([batch.num_rows for batch in batches], dtype=np.int64)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, index: int) -> TokenizedConversation:
        if not -len(self) <= index < len(self):
            raise IndexError(f"conversation {index} of {len(self)}")
        index %= len(self)
        number = int(np.searchsorted(self._ends, index, side="right"))
        batch = self._batches[number]
        row = index - (int(self._ends[number]) - batch.num_rows)
        layout = self._layout[number]
        first, last = int(layout.turns[row]), int(layout.turns[row + 1])
        starts = layout.starts[first : last + 1].tolist()
        return TokenizedConversation(
            id=batch.column(0)[row].as_py(),
            speakers=layout.speakers[first:last],
            utterances=[layout.tokens[start:end] for start, end in itertools.pairwise(starts)],
            targets=layout.targets.slice(first, last - first).to_numpy(zero_copy_only=False),
        )

    @cached_property
    def _layout(self) -> list["_Layout"]:
        return [_Layout.of(batch) for batch in self._batches]

    @cached_property
    def lengths(self) -> np.ndarray:
        """int32: tokens of every utterance of the split, one conversation after another."""
        parts = [np.diff(layout.starts) for layout in self._layout]
        return np.concatenate(parts).astype(np.int32) if parts else np.zeros(0, np.int32)

    @cached_property
    def offsets(self) -> np.ndarray:
        """int64 (conversation + 1): conversation i has the turns `offsets[i]:offsets[i + 1]` of `lengths`."""
        num_turns = [np.diff(layout.turns) for layout in self._layout]
        return np.concatenate([np.zeros(1, np.int64), *num_turns]).cumsum(dtype=np.int64)

    @cached_property
    def num_turns(self) -> np.ndarray:
        """int64 (conversation): turns of each conversation."""
        return np.diff(self.offsets)

    @cached_property
    def targets(self) -> np.ndarray:
        """bool: whether each turn, as in `lengths`, is trained and scored on."""
        parts = [layout.targets.to_numpy(zero_copy_only=False) for layout in self._layout]
        return np.concatenate(parts) if parts else np.zeros(0, np.bool_)

    def num_utterance_tokens(self) -> list[np.ndarray]:
        """Returns for each conversation its utterances' lengths in tokens, int32 (turn)."""
        return np.split(self.lengths, self.offsets[1:-1]) if len(self) else []


class TokenizedCorpus:
    """A prepared corpus, opened; its splits are mapped into memory when they are asked for."""

    def __init__(self, folder: Path, manifest: dict[str, Any], tokenizer: Tokenizer) -> None:
        self.folder = folder
        self.manifest = manifest
        self.tokenizer = tokenizer
        self._splits: dict[str, TokenizedSplit] = {}

    @classmethod
    def open(cls, folder: str | Path, verify: bool = False) -> "TokenizedCorpus":
        """Opens a folder that `hred prepare` wrote.

        Args:
            folder: the folder.
            verify: also reads every file through and compares its SHA-256.

        Raises:
            CorpusError: something is missing, damaged or of another version; the message says what.
        """
        folder = Path(folder)
        manifest = _read_manifest(folder)
        for name, entry in manifest["files"].items():
            _check_file(folder / name, entry, verify)
        tokenizer = Tokenizer.load(folder / TOKENIZER_FILE)
        if tokenizer.hash != manifest["files"][TOKENIZER_FILE]["sha256"]:
            raise CorpusError(
                f"{folder / TOKENIZER_FILE} is not the one this corpus was made with: prepare again"
            )
        return cls(folder, manifest, tokenizer)

    @cached_property
    def hash(self) -> str:
        """The first digits of a SHA-256 of all files that the corpus has."""
        files = sorted((name, entry["sha256"]) for name, entry in self.manifest["files"].items())
        return hashlib.sha256(json.dumps(files).encode()).hexdigest()[:12]

    @property
    def report(self) -> dict[str, Any]:
        """What `hred prepare` counted."""
        report: dict[str, Any] = self.manifest["report"]
        return report

    def split(self, name: str) -> TokenizedSplit:
        """Returns the split `train`, `valid` or `test`."""
        if name not in SPLITS:
            raise CorpusError(f"there is no split {name!r}: choose train, valid or test")
        if name not in self._splits:
            files = [file for file in self.manifest["files"] if _SPLIT_FILE.sub(r"\1", file) == name]
            split = TokenizedSplit(*(self.folder / split_file(name, number) for number in range(len(files))))
            if len(split) != self.manifest["splits"][name]["conversations"]:
                raise CorpusError(f"{self.folder / name}.arrow is damaged: prepare the corpus again")
            self._splits[name] = split
        return self._splits[name]


def split_file(split: str, number: int) -> str:
    """The name of a split's file number 0, 1, …"""
    return f"{split}-{number:05}.arrow" if number else f"{split}.arrow"


def _batches(path: Path) -> list[pa.RecordBatch]:
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        batches = [reader.get_batch(number) for number in range(reader.num_record_batches)]
    except (OSError, pa.ArrowInvalid) as error:
        raise CorpusError(f"{path} is missing or damaged: prepare the corpus again") from error
    if reader.schema != SCHEMA:
        raise CorpusError(f"{path} has other columns than this version reads: prepare the corpus again")
    return batches


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / CORPUS_FILE
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CorpusError(
            f"{folder} is no prepared corpus ({CORPUS_FILE}: {error.strerror}): "
            f"make one with `hred prepare LOGS --out {folder}`"
        ) from error
    except ValueError as error:
        raise CorpusError(f"{path} is damaged (no JSON): prepare the corpus again") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise CorpusError(f"{path} does not describe a prepared corpus: make one with `hred prepare`")
    if manifest.get("version") != FORMAT_VERSION:
        raise CorpusError(
            f"{folder} has format version {manifest.get('version')}, but this version reads {FORMAT_VERSION}: "
            "prepare the corpus again"
        )
    if not _is_whole(manifest):
        raise CorpusError(f"{path} is damaged (something is missing in it): prepare the corpus again")
    return manifest


def _is_whole(manifest: dict[str, Any]) -> bool:
    """Whether everything that is read from a manifest stands in it."""
    try:
        files = {name: (entry["bytes"], entry["sha256"]) for name, entry in manifest["files"].items()}
        sizes = {name: entry["conversations"] for name, entry in manifest["splits"].items()}
    except (AttributeError, KeyError, TypeError):
        return False
    expected = {TOKENIZER_FILE, *(split_file(name, 0) for name in SPLITS)}
    others = set(files) - expected
    return (
        expected <= set(files)
        and all(map(_SPLIT_FILE.fullmatch, others))
        and set(sizes) == set(SPLITS)
        and isinstance(manifest.get("report"), dict)
    )


def _check_file(path: Path, entry: dict[str, Any], verify: bool) -> None:
    try:
        num_bytes = path.stat().st_size
        damaged = num_bytes != entry["bytes"] or (verify and file_hash(path) != entry["sha256"])
    except OSError as error:
        raise CorpusError(f"{path} cannot be read ({error.strerror}): prepare the corpus again") from error
    if damaged:
        raise CorpusError(f"{path} is damaged (not the bytes that were written): prepare the corpus again")


def file_hash(path: Path) -> str:
    """Returns the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
