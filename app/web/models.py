"""What the tab of models and trainings shows and does, without its components and without asking who may."""

from pathlib import Path

from app.learning import lessons_of
from app.runs import facts_of, run_folders
from app.trainings import Plan, Training
from app.web.house import House
from app.web.models_drawing import Shown, draw_lessons, draw_list, draw_running
from app.web.words import say
from dialog.errors import UsageError

__all__ = ["Models"]

_MOST_RUNS = 40


class Models:
    """What the tab shows and does, without its components.

    Args:
        house: what the tabs share.
    """

    def __init__(self, house: House) -> None:
        self._bots, self._store, self._trainings = house.bots, house.store, house.trainings

    def listed(self, language: str, admin: bool) -> str:
        """Returns all models and trainings but the one that runs, as HTML."""
        running = self._trainings.running()
        loaded = [self._bot(name) for name in self._bots.names]
        known = {each.folder.resolve() for each in loaded}
        folders = [
            folder
            for folder in run_folders(self._trainings.folder)
            if folder.name != running and folder.resolve() not in known
        ]
        others = [self._other(folder, running) for folder in folders[:_MOST_RUNS]]
        return draw_list(loaded, others, max(0, len(folders) - _MOST_RUNS), language, admin)

    def running(self, language: str, admin: bool) -> str:
        """Returns the training that runs as HTML; "" if none does."""
        name = self._trainings.running()
        folder = self._trainings.folder / (name or "")
        training = self._trainings.of(folder, name) if name else None
        if name is None or training is None:
            return ""
        actions = ("load", "stop") if self._can_be_loaded(folder) else ("stop",)
        return draw_running(
            Shown(name, folder, "running", actions=actions, training=training), language, admin
        )

    def lessons(self, language: str) -> str:
        """Returns how much there is to learn as HTML."""
        trainings = self._trainings
        return draw_lessons(lessons_of(self._store), trainings.machine, trainings.folder, language)

    def start(self, model: str, plan: Plan) -> str:
        """Starts a training that goes on from a bot's run, and returns its name."""
        folder = self._bots.folder(model)
        lessons_of(self._store).check()
        return self._trainings.start(folder, plan, model)

    def act(self, action: str, name: str, minutes: float, updates: int | None, language: str) -> str:
        """Does what a button says, and returns what was done as a sentence."""
        folder = self._trainings.folder / name
        is_ours = any(folder == each for each in run_folders(self._trainings.folder))
        if action == "unload":
            self._bots.remove(name)
            return say("models.told_unloaded", language, name=name)
        if action == "stop":
            self._trainings.stop(name)
            return say("models.told_stopping", language, name=name)
        if action == "go_on":
            self._trainings.go_on(name, minutes, updates)
            return say("models.told_going_on", language, name=name)
        if action == "reload":
            path = self._bots.folder(name)
            self._bots.remove(name)
            return self.load(str(path), language)
        if action == "load" and is_ours:
            return self.load(str(folder), language)
        raise UsageError(f"there is no run {name[:100]!r} in the folder of trainings; look at the list again")

    def load(self, path: str, language: str) -> str:
        """Loads a run folder, by its path or by its name in the folder of trainings; returns what was done."""
        below = self._trainings.folder / path.strip()
        if path.strip() and any(below == each for each in run_folders(self._trainings.folder)):
            path = str(below)
        name = self._bots.add(path)
        return say("models.told_loaded", language, name=name, folder=self._bots.folder(name))

    def _bot(self, name: str) -> Shown:
        folder = self._bots.folder(name)
        failure, loaded = self._bots.failure(name), self._bots.weights_hash(name)
        actions: tuple[str, ...] = ("unload",) if len(self._bots.names) > 1 else ()
        state = "broken" if failure is not None else "loaded" if loaded is not None else "loading"
        if state == "loaded" and facts_of(folder).model_hash not in (loaded, None):
            state, actions = "changed", ("reload", *actions)
        precision = ("int8",) if self._bots.in_int8 else ("float32",)
        running = self._trainings.running()
        is_ours = folder.resolve().parent == self._trainings.folder.resolve() and folder.name != running
        training = self._trainings.of(folder, running) if is_ours else None
        if training is not None and running is None:
            actions = (*actions, "go_on")
        reason = str(failure) if failure is not None else ""
        return Shown(name, folder, state, precision, actions, reason, training)

    def _other(self, folder: Path, running: str | None) -> Shown:
        training = self._trainings.of(folder, running)
        actions: tuple[str, ...] = ("load",) if self._can_be_loaded(folder) else ()
        if training is not None and running is None:
            actions = (*actions, "go_on")
        return Shown(
            folder.name,
            folder,
            _state_of(training, bool(actions)),
            (),
            actions,
            _reason_of(training),
            training,
        )

    def _can_be_loaded(self, folder: Path) -> bool:
        is_loaded = any(self._bots.folder(name).resolve() == folder.resolve() for name in self._bots.names)
        return (folder / "manifest.json").is_file() and not is_loaded


def _state_of(training: Training | None, has_weights: bool) -> str:
    if training is None:
        return "done" if has_weights else "unfinished"
    return training.state.replace(" ", "_")


def _reason_of(training: Training | None) -> str:
    return "" if training is None else training.reason
