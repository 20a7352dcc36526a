"""Named engines, each loaded once, when it is first asked for: the page and the API share them.

Which there are may change while they serve: `add` and `remove`. Nothing of a run folder is ever executed; see
`dialog.run_folder`.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.run_checks import check_run_answers, check_run_int8, has_latent, kind_of
from app.settings import Serving
from app.shipped import run_path, shipped_models
from dialog.errors import DialogError, RunFolderError, UsageError
from dialog.models.registry import MODELS

if TYPE_CHECKING:
    from dialog.conversation import Conversation
    from dialog.decoding.engine import Engine
    from dialog.decoding.replier import Replier
    from dialog.decoding.replies import Reply

__all__ = ["Bots"]

_PATIENCE = 60.0
"""Seconds that an engine which serves no more has for what it was asked before."""

_BEFORE_TORCH = 0.2
"""Seconds in which the message that was asked first is still shown: the import of torch holds up all other threads."""


class Bots:
    """Engines by name; safe to use from several threads.

    Args:
        folders: run folders by name, in the order in which they are shown.
        serving: how each is served.
        silent: models that answer nothing, but have a latent variable to look into, by other names.
    """

    def __init__(
        self,
        folders: Mapping[str, Path],
        serving: Serving | None = None,
        silent: Mapping[str, Path] | None = None,
    ) -> None:
        self._folders, self._silent = dict(folders), dict(silent or {})
        self._silent_repliers: dict[str, Replier] = {}
        self._silent_lock = threading.Lock()
        self._serving = serving or Serving()
        self._locks = {name: threading.Lock() for name in folders}
        self._changing = threading.Lock()
        self._loaded: dict[str, tuple[Engine, dict[str, Any]]] = {}
        self._weights: dict[str, str] = {}
        self._failed: dict[str, DialogError] = {}
        self._listeners: list[Callable[[str, Reply, float], None]] = []
        self._watchers: list[Callable[[], None]] = []

    @staticmethod
    def of(runs: Sequence[str], serving: Serving | None = None) -> "Bots":
        """Makes the bots of some run folders or shipped models; of all shipped models when none is named.

        Raises:
            RunFolderError: one of them is not there, or none is named and none is shipped.
            UsageError: one of them is of a kind that answers nothing, or has no decoder for int8.
        """
        folders: dict[str, Path] = {}
        silent: dict[str, Path] = {}
        for run in runs:
            folder = run_path(run)
            if has_latent(folder) and "reply" not in MODELS[kind_of(folder)].abilities:
                silent[_free_name(folder, {**folders, **silent})] = folder
                continue
            check_run_answers(folder)
            folders[_free_name(folder, {**folders, **silent})] = folder
        if silent and not folders:
            check_run_answers(next(iter(silent.values())))  # a page without anybody who answers is none
        folders = folders or shipped_models()
        if serving is not None and serving.int8:
            for folder in folders.values():
                check_run_int8(folder)
        if not folders:
            raise RunFolderError(
                "there is no shipped model; name the folder of a trained run: hred serve RUN"
            )
        return Bots(folders, serving, silent)

    @property
    def names(self) -> list[str]:
        """The bots' names, in order."""
        return list(self._folders)

    @property
    def latent_names(self) -> list[str]:
        """The names of those with a latent variable, by what their folders say; none is loaded for it."""
        folders = list(self._folders.items())
        return [*(name for name, folder in folders if has_latent(folder)), *self._silent]

    def replier(self, name: str) -> "Replier":
        """Returns what speaks with a bot's model, or with one that answers nothing; loaded now if it was not yet.

        Raises:
            RunFolderError: as `engine`.
        """
        if name not in self._silent:
            return self.engine(name).replier
        from dialog.decoding.replier import Replier
        from dialog.run_folder import load_run

        with self._silent_lock:
            if name not in self._silent_repliers:
                run = load_run(self._silent[name])
                self._silent_repliers[name] = Replier(run.model, run.tokenizer, run.model_hash, cache_bytes=0)
            return self._silent_repliers[name]

    @property
    def in_int8(self) -> bool:
        """Whether replies are decoded in int8."""
        return self._serving.int8

    def folder(self, name: str) -> Path:
        """Returns a bot's run folder.

        Raises:
            RunFolderError: there is no such bot.
        """
        try:
            return self._folders[name]
        except KeyError:
            raise self._nobody(name) from None

    def weights_hash(self, name: str) -> str | None:
        """Returns the SHA-256 of the weights' file as it was loaded; None for a bot that is not loaded yet."""
        return self._weights.get(name)

    def failure(self, name: str) -> DialogError | None:
        """Returns why a bot could not be loaded; None if it could, or was not asked for yet."""
        return self._failed.get(name)

    def add(self, run: str) -> str:
        """Loads a further bot while the others serve, and returns its name.

        Args:
            run: a run folder, or the name of a shipped model.

        Raises:
            RunFolderError: it is none, or cannot be loaded; nothing has changed then.
            UsageError: it is loaded already, or of a kind that answers nothing, or has no decoder for int8.
        """
        if not run.strip():
            raise UsageError("no run folder is named; type its path, such as runs/hred")
        try:
            folder = run_path(run.strip())
        except OSError as error:
            raise RunFolderError(
                f"{run.strip()[:200]} cannot be looked at ({error.strerror}); give the folder of a trained run"
            ) from error
        check_run_answers(folder)
        if self._serving.int8:
            check_run_int8(folder)
        with self._changing:
            for name, other in self._folders.items():
                if other.resolve() == folder.resolve():
                    raise UsageError(f"{folder} is loaded already, as {name}; unload that first")
            name = _free_name(folder, {**self._folders, **self._silent})
            self._locks.setdefault(name, threading.Lock())
            with self._locks[name]:
                self._failed.pop(name, None)
                try:
                    self._load(name, folder)
                finally:
                    self._failed.pop(name, None)
                self._folders[name] = folder
        self._tell_watchers()
        return name

    def remove(self, name: str) -> None:
        """Lets a bot serve no more; what it was asked before is still answered.

        Raises:
            RunFolderError: there is no such bot.
            UsageError: it is the only one.
        """
        with self._changing:
            if name not in self._folders:
                raise self._nobody(name)
            if len(self._folders) == 1:
                raise UsageError(f"{name} is the only model here; load another one before it is unloaded")
            with self._locks[name]:
                del self._folders[name]
                self._failed.pop(name, None)
                self._weights.pop(name, None)
                gone = self._loaded.pop(name, None)
        self._tell_watchers()
        if gone is not None:
            threading.Thread(target=gone[0].close, args=(_PATIENCE,), name="unload", daemon=True).start()

    def watch(self, watcher: Callable[[], None]) -> None:
        """Lets `watcher` know each time that there are other bots than before; it must raise nothing."""
        self._watchers.append(watcher)

    def engine(self, name: str) -> "Engine":
        """Returns an engine, loaded now if it was not yet.

        Raises:
            RunFolderError: there is no such bot, or its folder cannot be loaded (the others still can).
        """
        return self._get(name)[0]

    def loaded(self) -> dict[str, "Engine"]:
        """Returns the engines that are there already, by name."""
        return {name: engine for name, (engine, _) in list(self._loaded.items())}

    def describe(self, name: str) -> dict[str, Any]:
        """Returns a bot's name, kind, precision, number of parameters, bytes of its weights, and model hash.

        Raises:
            RunFolderError: as `engine`.
        """
        return self._get(name)[1]

    def made_at(self, name: str) -> int:
        """Returns when a bot's folder was written, in seconds since 1970; 0 if that cannot be told."""
        try:
            return int((self._folders[name] / "manifest.json").stat().st_mtime)
        except OSError:
            return 0

    def listen(self, listener: "Callable[[str, Reply, float], None]") -> None:
        """Lets `listener` know each reply that ends: the bot's name, the reply, the seconds since it was asked for.

        It is called in the engines' workers: it must be short, and raise nothing.
        """
        self._listeners.append(listener)

    def load_all(self) -> None:
        """Loads every bot; what fails is told when it is asked for."""
        for name in self.names:
            try:
                self.engine(name)
            except DialogError:
                continue

    def forget(self, conversations: Iterable["Conversation"]) -> None:
        """Drops what the loaded engines keep of conversations that were deleted."""
        engines = self.loaded().values()
        for conversation in conversations:
            for engine in engines:
                engine.replier.reader.forget(conversation)

    def forget_unused(self, seconds: float) -> None:
        """Drops what the loaded engines keep of conversations that did not go on for so long."""
        for engine in self.loaded().values():
            engine.replier.reader.forget_unused(seconds)

    def close(self) -> None:
        """Ends the engines; who waits for a reply is told that the server stops."""
        for engine in self.loaded().values():
            engine.close()

    def _get(self, name: str) -> tuple["Engine", dict[str, Any]]:
        if name not in self._folders:
            raise self._nobody(name)
        with self._locks[name]:
            if name in self._failed:
                raise self._failed[name]
            if name not in self._loaded:
                self._load(name, self.folder(name))
            return self._loaded[name]

    def _nobody(self, name: str) -> RunFolderError:
        return RunFolderError(f"there is no model {name!r} here; choose one of {', '.join(self.names)}")

    def _tell_watchers(self) -> None:
        for watcher in self._watchers:
            watcher()

    def _tell(self, name: str, reply: "Reply", seconds: float) -> None:
        for listener in self._listeners:
            listener(name, reply, seconds)

    def _load(self, name: str, folder: Path) -> None:
        if "torch" not in sys.modules:
            time.sleep(_BEFORE_TORCH)
        from dialog.decoding.engine import Engine
        from dialog.decoding.replier import Replier, in_int8
        from dialog.run_folder import load_run

        serving = self._serving
        try:
            run = load_run(folder)
            weights_hash = run.model_hash
            if serving.int8:
                run = in_int8(run)
            replier = Replier.from_run(run, serving.context_bytes)
        except DialogError as error:
            self._failed[name] = error
            raise
        weights = list(run.model.state_dict().values())
        description = {
            "name": name,
            "kind": run.name,
            "precision": "int8" if serving.int8 else "float32",
            "parameters": sum(weight.numel() for weight in weights),
            "bytes": sum(weight.numel() * weight.element_size() for weight in weights),
            "model_hash": run.model_hash,
        }
        engine = Engine(replier, serving.max_rows, serving.max_waiting, partial(self._tell, name))
        self._loaded[name], self._weights[name] = (engine, description), weights_hash


def _free_name(folder: Path, taken: Mapping[str, Path]) -> str:
    name = folder.resolve().name
    while name in taken:
        name += "'"
    return name
