"""Where the app keeps its data and where it listens: the defaults, and the environment over them.

HRED_DATA_FOLDER    the folder for the user's own data, instead of the system's usual place
HRED_DATABASE_URL   the session store, instead of `sessions.db` in that folder
HRED_RUNS_FOLDER    the folder of trainings, instead of `runs` in that folder
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import platformdirs

__all__ = ["Serving", "Settings"]

APP_NAME = "hred"
STORE_NAME = "sessions.db"
RUNS_NAME = "runs"


@dataclass(frozen=True, slots=True)
class Serving:
    """How each model is served.

    Attributes:
        max_rows: replies that are decoded at once; further ones wait.
        max_waiting: requests that may wait; further ones are told to try again.
        context_bytes: for the states of conversations that are kept, so that a further turn costs one
            utterance; the least recently used go first, and are made again when they are needed.
        int8: whether replies are decoded in int8 instead of float32 (`dialog.models.int8`).
    """

    max_rows: int = 256
    max_waiting: int = 1024
    context_bytes: int = 16 * 2**20
    int8: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """What the app is started with.

    Attributes:
        data_folder: the user's own data, absolute; made by what first writes there.
        database_url: the session store, as a SQLAlchemy URL; may hold a password, so never print it.
        host: the address that the server listens on; by default only this machine reaches it.
        port: the TCP port that the server listens on.
        named_runs_folder: where trainings are, if that is named; see `runs_folder`.
    """

    data_folder: Path
    database_url: str
    host: str = "127.0.0.1"
    port: int = 7860
    named_runs_folder: Path | None = None

    @property
    def runs_folder(self) -> Path:
        """The folder whose run folders the page lists, and into which it trains."""
        return self.named_runs_folder or self.data_folder / RUNS_NAME

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Reads the environment; a variable that is empty counts as unset.

        Args:
            environment: names and values; the process's own when None.

        Returns:
            The settings. Nothing is made on disk.
        """
        variables = os.environ if environment is None else environment
        named_folder = variables.get("HRED_DATA_FOLDER")
        if named_folder:
            data_folder = Path(named_folder).expanduser().absolute()
        else:
            data_folder = platformdirs.user_data_path(APP_NAME, appauthor=False)
        named_runs = variables.get("HRED_RUNS_FOLDER")
        return cls(
            data_folder,
            variables.get("HRED_DATABASE_URL") or _file_url(data_folder / STORE_NAME),
            named_runs_folder=Path(named_runs).expanduser().absolute() if named_runs else None,
        )


def _file_url(path: Path) -> str:
    """Returns the SQLite URL of a file; a URL gives '%' and '?' a meaning of their own."""
    return "sqlite:///" + str(path).replace("%", "%25").replace("?", "%3F")
