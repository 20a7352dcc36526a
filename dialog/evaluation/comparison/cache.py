"""What was computed, on disk, by a hash of all that it depends on: a comparison goes on where it was stopped.

A file is moved to its place when it is whole. Nothing is ever looked up by a name or a time.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dialog import __version__
from dialog.evaluation.comparison.plan import digest
from dialog.evaluation.sums import Sums
from dialog.run_folder import write_atomically

__all__ = ["Cache"]

_FORMAT = 1
"""Raised when a change of the code changes what the same settings give."""


class Cache:
    """A folder of results.

    Args:
        folder: made when something is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, kind: str, key: Mapping[str, Any], suffix: str = ".json") -> Path:
        """Returns where a result is kept.

        Args:
            kind: of result.
            key: all that it depends on, as plain JSON values.
            suffix: of the file.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        whole = {"format": _FORMAT, "version": __version__, "kind": kind, **key}
        return self._folder / f"{kind}-{digest(whole)}{suffix}"

    def has(self, kind: str, key: Mapping[str, Any]) -> bool:
        """Whether a result is kept."""
        return self.path(kind, key).exists()

    def json(self, kind: str, key: Mapping[str, Any], make: Callable[[], Any]) -> Any:
        """Returns a result as plain JSON values, made if it is not kept."""
        path = self.path(kind, key)
        if path.exists():
            try:
                return json.loads(path.read_bytes())
            except ValueError:
                path.unlink()  # a disk that lost it: it is made again
        made = make()
        write_atomically(path, json.dumps(made, ensure_ascii=False).encode())
        return made

    def sums(self, kind: str, key: Mapping[str, Any], make: Callable[[], Sums]) -> Sums:
        """Returns sums, made if they are not kept; from the file in any case, so that both ways agree."""
        self.json(kind, key, lambda: make().to_json())
        return Sums.from_json(json.loads(self.path(kind, key).read_bytes()))
