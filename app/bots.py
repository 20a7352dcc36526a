"""Named Repliers, each loaded once, when it is first asked for."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.shipped import run_path, shipped_models
from dialog.errors import DialogError, RunFolderError

if TYPE_CHECKING:
    from dialog.decoding.replier import Replier

__all__ = ["Bots"]


class Bots:
    """Repliers by name; safe to use from several threads.

    Args:
        folders: run folders by name, in the order in which they are shown.
    """

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = dict(folders)
        self._locks = {name: threading.Lock() for name in folders}
        self._loaded: dict[str, Replier] = {}
        self._failed: dict[str, DialogError] = {}

    @staticmethod
    def of(runs: Sequence[str]) -> "Bots":
        """Makes the bots of some run folders or shipped models; of all shipped models when none is named.

        Raises:
            RunFolderError: one of them is not there, or none is named and none is shipped.
        """
        folders: dict[str, Path] = {}
        for run in runs:
            folder = run_path(run)
            name = folder.resolve().name
            while name in folders:
                name += "'"
            folders[name] = folder
        folders = folders or shipped_models()
        if not folders:
            raise RunFolderError(
                "there is no shipped model; name the folder of a trained run: hred serve RUN"
            )
        return Bots(folders)

    @property
    def names(self) -> list[str]:
        """The bots' names, in order."""
        return list(self._folders)

    def replier(self, name: str) -> "Replier":
        """Returns a Replier, loaded now if it was not yet.

        Raises:
            RunFolderError: there is no such bot, or its folder cannot be loaded (the others still can).
        """
        if name not in self._folders:
            raise RunFolderError(f"there is no model {name!r} here; choose one of {', '.join(self.names)}")
        with self._locks[name]:
            if name in self._failed:
                raise self._failed[name]
            if name not in self._loaded:
                self._load(name)
            return self._loaded[name]

    def load_all(self) -> None:
        """Loads every bot; what fails is told when it is asked for."""
        for name in self.names:
            try:
                self.replier(name)
            except DialogError:
                continue

    def _load(self, name: str) -> None:
        from dialog.decoding.replier import Replier
        from dialog.run_folder import load_run

        try:
            self._loaded[name] = Replier.from_run(load_run(self._folders[name]))
        except DialogError as error:
            self._failed[name] = error
            raise
