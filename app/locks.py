"""A file's lock, which the system lets go of when the last process that has it ends, however it ends."""

import os
from pathlib import Path

from dialog.errors import TrainingError

__all__ = ["take_lock"]


def take_lock(path: Path) -> int | None:
    """Returns the locked file's number, to be closed or handed on; None while somebody else holds it.

    Raises:
        TrainingError: this system has no such locks.
        OSError: the file cannot be opened or made.
    """
    try:
        import fcntl
    except ImportError as error:
        raise TrainingError(
            "this system has no locks of the kind that the page's trainings need; train by `hred learn` instead"
        ) from error
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    except BaseException:
        os.close(lock)
        raise
    return lock
