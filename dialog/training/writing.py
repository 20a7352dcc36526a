"""A run folder that cannot be written to: what was found, what still stands, what to do."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from dialog.errors import RunFolderError
from dialog.training.checkpoints import has_checkpoint, load_progress

__all__ = ["writing_to"]

_REMEDIES = {
    errno.ENOSPC: "free some space there",
    errno.EDQUOT: "free some space there, or ask for a larger quota",
    errno.EFBIG: "raise the limit on a file's size (ulimit -f)",
    errno.EROFS: "make it writable, or copy it to a place that is",
    errno.EACCES: "make it writable, or copy it to a place that is",
    errno.EPERM: "make it writable, or copy it to a place that is",
    errno.EEXIST: "name a folder that is none yet, or one of a run",
    errno.ENOTDIR: "name a folder that is none yet, or one of a run",
}


@contextlib.contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Makes one sentence of a file of the run folder that cannot be written.

    Raises:
        RunFolderError: in place of an OSError; it says which checkpoint still loads.
    """
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "see to that")
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise RunFolderError(
            f"{folder} cannot be written to ({reason}); {_what_stands(folder, remedy)}"
        ) from error


def _what_stands(folder: Path, remedy: str) -> str:
    if not has_checkpoint(folder):
        return f"{remedy}, then start again"
    try:
        update = load_progress(folder).update
    except RunFolderError as error:
        return str(error)
    return f"its checkpoint of update {update} is whole: {remedy}, then go on with --resume"
