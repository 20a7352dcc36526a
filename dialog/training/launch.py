"""Which of the processes of a training this one is, as torchrun and Accelerate's launcher tell it."""

import os

__all__ = ["num_processes", "rank"]


def rank() -> int:
    """Returns this process's number among all, from 0; 0 writes the files and the terminal."""
    return _number("RANK", 0)


def num_processes() -> int:
    """Returns how many processes train together, on all machines; 1 without a launcher."""
    return _number("WORLD_SIZE", 1)


def _number(name: str, default: int) -> int:
    value = os.environ.get(name, "")
    return int(value) if value.isdigit() else default
