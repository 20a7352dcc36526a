"""The folder that is written: whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dialog.corpus.tokenized import CORPUS_FILE
from dialog.errors import CorpusError

__all__ = ["check_folder", "new_folder"]


def check_folder(out: Path, overwrite: bool) -> None:
    """Raises CorpusError where `out` may not be written: only a prepared corpus is ever replaced."""
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir():
        raise CorpusError(f"{out} is there and is no folder: choose another --out")
    if not any(out.iterdir()):
        return
    if not overwrite:
        raise CorpusError(
            f"the folder {out} is not empty: choose another --out, or replace it with --overwrite"
        )
    if not (out / CORPUS_FILE).exists():
        raise CorpusError(
            f"the folder {out} holds something else than a prepared corpus: choose another --out"
        )


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A temporary sibling of `out`, moved into its place at the end, removed on any error.

    Raises:
        CorpusError: it cannot be made or moved.
    """
    out = out.resolve()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.preparing-", dir=out.parent))
    except OSError as error:
        raise CorpusError(f"{out} cannot be written: {error.strerror}") from error
    try:
        yield folder
        _move_into_place(folder, out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move_into_place(folder: Path, out: Path) -> None:
    old = folder.with_name(folder.name.replace(".preparing-", ".old-"))
    try:
        os.chmod(folder, 0o777 & ~_umask())  # mkdtemp gives it to its owner alone
        if out.exists():
            out.rename(old)
        folder.rename(out)
    except OSError as error:
        raise CorpusError(f"{out} cannot be written: {error.strerror}") from error
    shutil.rmtree(old, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
