"""Which of the processes of a training this one is, as torchrun and Accelerate's launcher tell it."""

import os

from dialog.errors import ConfigError, DialogError, TrainingError, UsageError, WorkerLostError

__all__ = ["num_processes", "rank", "speaks"]


def rank() -> int:
    """Returns this process's number among all, from 0; 0 writes the files and the terminal."""
    return _number("RANK", 0)


def num_processes() -> int:
    """Returns how many processes train together, on all machines; 1 without a launcher."""
    return _number("WORLD_SIZE", 1)


def speaks(error: DialogError) -> bool:
    """Returns whether this process is the one that tells of an error.

    What comes of the command or of the training as a whole ends all processes alike; the first one tells it. What
    comes of a file may be so on one machine only: each tells it.
    """
    if isinstance(error, WorkerLostError):
        return error.speaks
    return rank() == 0 or not isinstance(error, UsageError | ConfigError | TrainingError)


def _number(name: str, default: int) -> int:
    value = os.environ.get(name, "")
    return int(value) if value.isdigit() else default
