"""Which conversation goes into which split.

Without given files the split is drawn from the conversation's *content*: a keyed hash of its letters and digits
(`loose_digest`) as a number in [0, 1). It does not change when other files are added, renamed or put in
another order, and conversations that differ only in case or punctuation fall into the same split, so none
leaks from training into the test. (An id would not do: logs without ids get theirs from their place.)
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dialog.errors import UsageError

__all__ = ["Shares", "SplitRule", "split_by_name", "split_of", "splits_by_names"]

_NAMES = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "dev": "valid",
    "test": "test",
}


@dataclass(frozen=True, slots=True)
class Shares:
    """How much goes where, as shares of 1; the rest is for training.

    Raises:
        UsageError: a share is out of range.
    """

    valid: float = 0.05
    test: float = 0.05

    def __post_init__(self) -> None:
        for name, share in (("--valid-share", self.valid), ("--test-share", self.test)):
            if not 0.0 <= share < 1.0:
                raise UsageError(f"{name} is {share}, but must be 0 or more and below 1")
        if self.valid + self.test >= 1.0:
            raise UsageError(
                f"--valid-share {self.valid} and --test-share {self.test} leave nothing to train on: "
                "choose shares that add up to less than 1"
            )


@dataclass(frozen=True, slots=True)
class SplitRule:
    """Where the conversations of a file go.

    Attributes:
        given: the split that the file is given for; None where the split is drawn.
        shares: of the splits that are drawn; for a file that is given for training, of those that no file is given for.
        seed: of the drawing.
    """

    given: str | None
    shares: Shares
    seed: int

    def of(self, loose: bytes) -> str:
        """Returns the split of a conversation with this `loose_digest`."""
        if self.given in ("valid", "test"):
            return self.given
        return split_of(loose, self.shares, self.seed)


def split_of(digest: bytes, shares: Shares, seed: int) -> str:
    """Returns the split of a conversation with this `loose_digest`."""
    key = seed.to_bytes(8, "little", signed=True)
    hashed = hashlib.blake2b(digest, digest_size=8, key=key).digest()
    place = int.from_bytes(hashed, "big") / 2**64
    if place < shares.test:
        return "test"
    return "valid" if place < shares.test + shares.valid else "train"


def split_by_name(path: Path, root: Path) -> str | None:
    """Returns the split that a file's name gives, else its nearest folder below `root`, else None.

    A name gives a split when one of its words, between anything but letters, is train, valid, test or one
    of their common forms (`train.jsonl.gz`, `dialogues_validation.txt`), and no word gives another.
    """
    folders = path.parent.relative_to(root).parts if path.parent.is_relative_to(root) else ()
    for name in (path.name, *reversed(folders)):
        found = {_NAMES[word] for word in re.split(r"[^a-z]+", name.lower()) if word in _NAMES}
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def splits_by_names(files: Sequence[tuple[Path, Path]]) -> list[str] | None:
    """Returns the split of each (file, root) where all names give one and some file is for training."""
    splits = [split_by_name(path, root) for path, root in files]
    named = [split for split in splits if split is not None]
    return named if len(named) == len(splits) and "train" in named else None
