"""Trainings that the page starts: `hred learn` in a process of its own, one at a time, in folders below one folder.

    RUNS/.learning             locked while a training runs; says which
    RUNS/NAME/                 a run folder, as `hred train` and `hred learn` write it
    RUNS/NAME/learning/        what it was made of, and
        asked.json             what was asked for, on which machine
        log.txt                what the process says

The process inherits the lock, so that the system lets go of it when, and however, the process ends. It belongs to no
terminal and no server: a server that starts again, or another one on this machine, finds it by the lock. A
training belongs to the machine that it runs on: only there can it be stopped.
"""

import json
import os
import platform
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from app.learning import LEARNING, end_of
from app.locks import take_lock
from dialog.errors import DialogError, TrainingError, UsageError

__all__ = ["LONGEST_MINUTES", "MOST_UPDATES", "Plan", "State", "Training", "Trainings"]

LONGEST_MINUTES = 24 * 60
MOST_UPDATES = 1_000_000
_LOG_LINES = 12
_LOG_BYTES = 16_384
_NICE = 10
_LOCK, _ASKED, _LOG = ".learning", "asked.json", "log.txt"

State = Literal["running", "done", "stopped", "failed", "broken off"]
_ENDS: Mapping[str, State] = {"done": "done", "stopped": "stopped", "failed": "failed"}
"""By what a training writes at its end; one that writes nothing was broken off."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a training is asked to do.

    Attributes:
        start: the run folder that it goes on from.
        minutes: about how long it may take.
        updates: how many updates, instead of what goes into the minutes.
        learning_rate: the highest step size.
        machine: where it was started.

    Raises:
        UsageError: a number is missing or out of range.
    """

    start: str
    minutes: float
    updates: int | None
    learning_rate: float
    machine: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.minutes <= LONGEST_MINUTES:
            raise UsageError(
                f"the time is {self.minutes:g} minutes, but must be above 0 and at most {LONGEST_MINUTES:,}"
            )
        if self.updates is not None and not 1 <= self.updates <= MOST_UPDATES:
            raise UsageError(
                f"the number of updates is {self.updates:,}, but must be from 1 to {MOST_UPDATES:,}, or empty"
            )
        if not 1e-8 <= self.learning_rate <= 1:
            raise UsageError(
                f"the learning rate is {self.learning_rate:g}, but must be above 0 and at most 1"
            )


@dataclass(frozen=True, slots=True)
class Training:
    """A training as it stands.

    Attributes:
        name: of its folder.
        folder: its run folder.
        state: whether it runs, and how it ended if not; one that was killed was `broken off`.
        reason: why it failed, a sentence; "" if it did not.
        plan: what was asked for.
        log: the last lines that it said.
    """

    name: str
    folder: Path
    state: State
    reason: str
    plan: Plan
    log: str


class Trainings:
    """The trainings below a folder.

    Args:
        folder: is made when the first one starts.
        database_url: of the store whose reviewed chats are learned; may hold a password.
    """

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder, self._database_url = folder, database_url
        self._changing = threading.Lock()

    @property
    def machine(self) -> str:
        """The name of the machine that trainings run on."""
        return platform.node()

    def running(self) -> str | None:
        """Returns the name of the training that runs below the folder, on whatever machine; None if none does."""
        try:
            if not (self.folder / _LOCK).is_file():
                return None
            lock = take_lock(self.folder / _LOCK)
        except (OSError, TrainingError):  # where none can be locked, none was started
            return None
        if lock is not None:
            os.close(lock)
            return None
        return str(self._told_by_lock().get("name", "")) or None

    def of(self, folder: Path, running: str | None) -> Training | None:
        """Returns the training of a run folder; None if the page did not start it.

        Args:
            folder: below this folder.
            running: what `running` returned.
        """
        try:
            plan = Plan(**json.loads((folder / LEARNING / _ASKED).read_bytes()))
        except (OSError, ValueError, TypeError, DialogError):
            return None
        ended, reason = end_of(folder) or ("", "")
        state = _ENDS.get(ended, "broken off")
        if running == folder.name:
            state, reason = "running", ""
        return Training(folder.name, folder, state, reason, plan, _last_lines(folder / LEARNING / _LOG))

    def start(self, start: Path, plan: Plan, base: str) -> str:
        """Starts a training in a new folder and returns its name.

        Args:
            start: the run folder to go on from.
            plan: what is asked for; its `start` and `machine` are filled in here.
            base: what the name begins with; a number is added.

        Raises:
            TrainingError: one runs already, or the folder cannot be written to.
        """
        asked = Plan(str(start.resolve()), plan.minutes, plan.updates, plan.learning_rate, self.machine)
        with self._changing:
            try:
                lock = self._lock()
                try:
                    folder = self._new_folder(base)
                    (folder / LEARNING).mkdir(mode=0o700)
                    (folder / LEARNING / _ASKED).write_text(json.dumps(asdict(asked)), encoding="utf-8")
                    self._run(folder, _command(folder, asked), lock)
                finally:
                    os.close(lock)
            except OSError as error:
                raise self._unwritable(error) from error
        return folder.name

    def go_on(self, name: str, minutes: float, updates: int | None) -> None:
        """Goes on with a training that was stopped, or adds to one that is done.

        Args:
            name: of its folder.
            minutes: about how long it may take where its plan is fulfilled already.
            updates: how many further updates, instead.

        Raises:
            TrainingError: there is no such training, or one runs already.
        """
        found = self._named(name)
        plan = Plan(found.plan.start, minutes, updates, found.plan.learning_rate, self.machine)
        has_begun = (found.folder / "state" / "latest.json").exists()
        with self._changing:
            try:
                lock = self._lock()
                try:
                    self._run(found.folder, _command(found.folder, plan, resume=has_begun), lock)
                finally:
                    os.close(lock)
            except OSError as error:
                raise self._unwritable(error) from error

    def stop(self, name: str) -> None:
        """Asks a training to stop; it writes a checkpoint and ends, within an update or a validation.

        Raises:
            TrainingError: it does not run, or runs on another machine.
        """
        told = self._told_by_lock() if self.running() == name else {}
        if not told:
            raise TrainingError(f"the training {name[:100]} does not run; look at the list again")
        if told.get("machine") != self.machine or not isinstance(told.get("pid"), int):
            raise TrainingError(
                f"the training {name} runs on the machine {told.get('machine')}; stop it there: kill "
                f"{told.get('pid')}"
            )
        with suppress(ProcessLookupError):
            os.kill(told["pid"], signal.SIGTERM)

    def _named(self, name: str) -> Training:
        running = self.running()
        known = {each.name for each in self.folder.iterdir()} if self.folder.is_dir() else set()
        found = self.of(self.folder / name, running) if name in known else None
        if found is None:
            raise TrainingError(f"there is no training {name[:100]!r} of this page; choose one of the list")
        return found

    def _new_folder(self, base: str) -> Path:
        base = re.sub(r"-v\d+$", "", re.sub(r"[^\w.-]+", "_", base)).strip("._") or "model"
        number = 2
        while True:
            with suppress(FileExistsError):
                folder = self.folder / f"{base[:60]}-v{number}"
                folder.mkdir()
                return folder
            number += 1

    def _lock(self) -> int:
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = take_lock(self.folder / _LOCK)
        if lock is None:
            running = str(self._told_by_lock().get("name", ""))
            raise TrainingError(
                f"the training {running} runs already, and one runs at a time; wait for it, or stop it"
            )
        return lock

    def _told_by_lock(self) -> Mapping[str, Any]:
        try:
            values = json.loads((self.folder / _LOCK).read_bytes())
        except (OSError, ValueError):
            return {}
        return values if isinstance(values, dict) else {}

    def _run(self, folder: Path, command: list[str], lock: int) -> None:
        """Starts the process, which keeps `lock` for as long as it lives."""
        environment = {**os.environ, "HRED_DATABASE_URL": self._database_url}
        (folder / LEARNING / "end.json").unlink(missing_ok=True)
        with (folder / LEARNING / _LOG).open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                pass_fds=(lock,),
                start_new_session=True,
            )
        told = {"name": folder.name, "pid": process.pid, "machine": self.machine}
        os.ftruncate(lock, 0)
        os.pwrite(lock, json.dumps(told).encode(), 0)
        threading.Thread(target=process.wait, name="training", daemon=True).start()  # leaves no zombie

    def _unwritable(self, error: OSError) -> TrainingError:
        return TrainingError(
            f"the folder of trainings, {self.folder}, cannot be written to ({error.strerror or error}); see to that, "
            "or start the server with another one: hred serve --runs FOLDER"
        )


def _command(folder: Path, plan: Plan, resume: bool = False) -> list[str]:
    command = [sys.executable, "-m", "dialog", "learn", "--out", str(folder), "--nice", str(_NICE)]
    command += ["--minutes", repr(plan.minutes)]
    if plan.updates is not None:
        command += ["--updates", str(plan.updates)]
    if resume:
        return [*command, "--resume"]
    return [*command, "--learning-rate", repr(plan.learning_rate), "--", plan.start]


def _last_lines(log: Path) -> str:
    try:
        with log.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - _LOG_BYTES))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-_LOG_LINES:])
