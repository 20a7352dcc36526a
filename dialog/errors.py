"""Every error that this project raises on purpose.

    DialogError
    ├── UsageError              an argument that cannot be, or arguments that exclude each other
    ├── ConfigError             an unknown field, a value out of range, an option the model does not use
    ├── LogError                conversation logs that cannot be read
    │   ├── LogFormatError      no known format, or not the one that was named
    │   ├── TooManyBadRecords   more bad records than `--max-bad` allows
    │   └── ProcessKilledError  a process that prepares logs was killed; what is done is kept
    ├── CorpusError             a prepared corpus that is missing, damaged or does not fit
    ├── RunFolderError          a run folder that is missing, damaged or does not fit
    ├── TrainingError           training cannot start or go on
    │   └── WorkerLostError     another of the processes that train together has ended
    ├── StoreError              the session store cannot be opened or used
    └── BusyError               more requests wait than the server takes; try again

A message is one sentence: what was found, what was expected, what to do next.
The command prints it and exits with 1, or with 2 for a `UsageError`.
"""

__all__ = [
    "BusyError",
    "ConfigError",
    "CorpusError",
    "DialogError",
    "LogError",
    "LogFormatError",
    "ProcessKilledError",
    "RunFolderError",
    "StoreError",
    "TooManyBadRecords",
    "TrainingError",
    "UsageError",
    "WorkerLostError",
]


class DialogError(Exception):
    """The base of all errors here; raised itself by nothing."""


class UsageError(DialogError):
    """An argument that cannot be, or arguments that exclude each other."""


class ConfigError(DialogError):
    """An unknown field, a value out of range, or an option that the model does not use."""


class LogError(DialogError):
    """Conversation logs that cannot be read."""


class LogFormatError(LogError):
    """A file in no known format, or not in the format that was named."""


class TooManyBadRecords(LogError):
    """More bad records than allowed."""


class ProcessKilledError(LogError):
    """A process that prepares logs was killed, most likely for want of memory; what is done is kept."""


class CorpusError(DialogError):
    """A prepared corpus that is missing, damaged or does not fit."""


class RunFolderError(DialogError):
    """A run folder that is missing, damaged or does not fit."""


class TrainingError(DialogError):
    """Training cannot start or go on."""


class WorkerLostError(TrainingError):
    """Another of the processes that train together has ended.

    Args:
        sentence: which one, and why.
        speaks: whether this process is the one of those left that tells it.
        writes: whether it is the one that may write a checkpoint.
    """

    def __init__(self, sentence: str, speaks: bool, writes: bool = False) -> None:
        super().__init__(sentence)
        self.speaks, self.writes = speaks, writes


class StoreError(DialogError):
    """The session store cannot be opened or used."""


class BusyError(DialogError):
    """More requests wait than the server takes, or it is stopping; the same request may be sent again."""
