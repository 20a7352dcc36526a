"""The folder that is written, whole or not at all, and the one beside it that a run works in.

`corpus` is made in `.corpus.preparing`. A run that was stopped (killed, interrupted, a full disk) leaves that
folder behind, and the same command goes on from it; a command with other logs or settings begins anew.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from dialog.corpus.plan import PLAN_FILE, Plan
from dialog.corpus.segments import SegmentStore, write_whole
from dialog.corpus.tokenized import CORPUS_FILE
from dialog.errors import CorpusError, DialogError, ProcessKilledError

__all__ = ["WorkFolder", "check_folder", "work_folder"]

_FINISHED = "finished"


def check_folder(out: Path, overwrite: bool) -> None:
    """Raises CorpusError where `out` may not be written: only what this command wrote is ever replaced."""
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir():
        raise CorpusError(f"{out} is there and is no folder: choose another --out")
    if not any(out.iterdir()) or (_beside(out) / _FINISHED).exists():
        return
    if not overwrite:
        raise CorpusError(
            f"the folder {out} is not empty: choose another --out, or replace it with --overwrite"
        )
    if not (out / CORPUS_FILE).exists() and not (out / PLAN_FILE).exists():
        raise CorpusError(
            f"the folder {out} holds something else than a prepared corpus: choose another --out"
        )


class WorkFolder:
    """Where a run works.

    Attributes:
        folder: it holds the plan and, once known, the tokenizer.
        store: the segments.
        result: the folder that is moved to `out` at the end.
        is_resumed: whether an earlier run left something to go on from.
        is_finished: whether an earlier run was stopped after its result was moved into place.
    """

    def __init__(self, folder: Path, out: Path, plan: Plan, parts: list[Path]) -> None:
        text = plan.to_json()
        plan_path = folder / PLAN_FILE
        self.is_resumed = plan_path.exists() and plan_path.read_text(encoding="utf-8") == text
        if not self.is_resumed:
            for each in [folder / _FINISHED, *folder.iterdir()]:
                _remove(each)
            write_whole(plan_path, text)
        self.folder = folder
        self.result = folder / "corpus"
        self.store = SegmentStore(folder / "segments", parts)
        self.is_finished = (folder / _FINISHED).exists() and not self.result.exists()
        if (self.result / "segments").exists():  # a part that was about to be moved into place
            shutil.rmtree(self.store.own)
            (self.result / "segments").rename(self.store.own)
        if not self.is_finished:
            (folder / _FINISHED).unlink(missing_ok=True)
            _remove(self.result)
            self.result.mkdir()
        self._out = out

    def move_into_place(self) -> None:
        """Makes the result the folder `out`; what stood there is removed."""
        write_whole(self.folder / _FINISHED, "")
        if self._out.exists():
            self._out.rename(self.folder / "old")
        self.result.rename(self._out)


@contextmanager
def work_folder(out: Path, plan: Plan, parts: list[Path]) -> Iterator[WorkFolder]:
    """The work folder beside `out`: removed at the end, kept where there is something to go on from.

    Raises:
        CorpusError: it cannot be made, or another process works in it.
    """
    out = out.resolve()
    folder = _beside(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CorpusError(f"{out} cannot be written: {error.strerror}") from error
    with _locked(folder.with_name(f"{folder.name}.lock"), out):
        work = WorkFolder(folder, out, plan, parts)
        try:
            yield work
        except BaseException as error:
            of_the_logs = isinstance(error, DialogError) and not isinstance(error, ProcessKilledError)
            if of_the_logs or not any(work.store.own.glob("*.json")):
                shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(path: Path, out: Path) -> Iterator[None]:
    """Holds a lock that the system lets go of when this process ends, however it ends."""
    with path.open("w") as stream:
        _lock(stream, out)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _lock(stream: IO[str], out: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: an open file cannot be removed there, so a second run stops by itself
        return
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise CorpusError(
            f"another `hred prepare` is writing {out}: wait for it, or choose another --out"
        ) from error


def _beside(out: Path) -> Path:
    out = out.resolve()
    return out.with_name(f".{out.name}.preparing")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
