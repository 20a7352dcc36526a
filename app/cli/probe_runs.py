"""The trainings of `hred probe`: a corpus made, prepared, trained on and answered, each by the command's own code.

    OUT/memory/asked.json                what was asked for; another probe needs another folder
    OUT/memory/seed-1/log/train.jsonl    the conversations, as logs; also valid, test
    OUT/memory/seed-1/corpus/            what `hred prepare` made of them
    OUT/memory/seed-1/hred/              a run folder
    OUT/memory/seed-1/hred.json          its figures; what has them is done

What a row trains is fixed in updates, so that a figure does not depend on how busy the machine is.
"""

import contextlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.cli.prepare_report import show_progress
from app.cli.probe_rows import CONVERSATIONS, Asked, Row
from app.cli.train import train
from dialog.conversation import Conversation
from dialog.corpus.prepare import Progress, Settings, prepare_corpus
from dialog.decoding.replier import Replier
from dialog.errors import UsageError
from dialog.evaluation.probes.course import BOT, CourseProbe
from dialog.evaluation.probes.measures import ideal_course_figures, measure_course, measure_memory
from dialog.evaluation.probes.memory import MemoryProbe
from dialog.run_folder import load_run, write_atomically
from dialog.training.checkpoints import has_checkpoint, load_progress

__all__ = ["run_probe"]

_VOCABULARY = 2_000  # tokens; room for every word of a probe
_LATENTS = 20  # z of each context whose words are redrawn


def run_probe(name: str, folder: Path, asked: Asked, should_stop: Callable[[], bool]) -> dict[str, Any]:
    """Runs a probe, or what is missing of it in the folder.

    Args:
        name: `memory` or `course`.
        folder: keeps corpora, runs and figures.
        asked: its size.
        should_stop: whether somebody wishes it to stop; asked between the steps of everything.

    Returns:
        `rows`: by name its title, updates, minutes of training and figures, a list with an entry a seed; for
        the memory probe `chance`, for the course probe `ideal`.

    Raises:
        UsageError: the folder holds another probe, or a row is unknown.
        KeyboardInterrupt: it was stopped; what is done is kept.
    """
    rows = asked.of(name)
    _check_folder(folder, asked.kept(name))
    making = _MAKERS[name](asked)
    found: dict[str, Any] = {"seeds": asked.seeds, **making.known(), "rows": {}}
    for key, row in rows.items():
        found["rows"][key] = {"title": row.title, "updates": row.updates, "minutes": [], "figures": []}
    for seed in range(1, asked.seeds + 1):
        for key, row in rows.items():
            done = _row(making, folder / f"seed-{seed}", key, row, seed, should_stop)
            for part in ("minutes", "figures"):
                found["rows"][key][part].append(done[part])
    return found


def _check_folder(folder: Path, kept: dict[str, Any]) -> None:
    file = folder / "asked.json"
    kept = json.loads(json.dumps(kept))
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(file, json.dumps(kept, indent=1).encode())
    elif json.loads(file.read_bytes()) != kept:
        raise UsageError(
            f"{folder} holds a probe with other sizes, updates or settings; give another --out, or the same options"
        )


def _row(
    making: "_Memory | _Course",
    folder: Path,
    key: str,
    row: Row,
    seed: int,
    should_stop: Callable[[], bool],
) -> dict[str, Any]:
    """Trains and measures one row with one seed, or reads what is done."""
    file = folder / f"{key}.json"
    if file.exists():
        done: dict[str, Any] = json.loads(file.read_bytes())
        return done
    corpus, run = folder / "corpus", folder / key
    with contextlib.redirect_stdout(sys.stderr):  # the standard output is the table's
        if not (corpus / "corpus.json").exists():
            _prepare(folder, making.splits(seed), should_stop)
        _train(corpus, run, row, seed)
    _heed(should_stop)  # it may have come after the last update
    replier = Replier.from_run(load_run(run))
    with _progress(should_stop) as progress:
        figures = making.measure(replier, seed, lambda at, of: progress(f"measuring {key}", at, of))
    done = {"minutes": load_progress(run).minutes, "figures": figures}
    write_atomically(file, json.dumps(done, indent=1).encode())
    return done


def _heed(should_stop: Callable[[], bool]) -> None:
    if should_stop():
        raise KeyboardInterrupt


@contextlib.contextmanager
def _progress(should_stop: Callable[[], bool]) -> Iterator[Progress]:
    """As `show_progress`; a step after a wish to stop raises KeyboardInterrupt."""
    with show_progress() as progress:

        def step(text: str, done: int, total: int) -> None:
            _heed(should_stop)
            progress(text, done, total)

        yield step


def _prepare(
    folder: Path, splits: Mapping[str, Iterable[Conversation]], should_stop: Callable[[], bool]
) -> None:
    logs = folder / "log"
    logs.mkdir(parents=True, exist_ok=True)
    for name, conversations in splits.items():
        lines = (json.dumps(asdict(conversation)) + "\n" for conversation in conversations)
        write_atomically(logs / f"{name}.jsonl", "".join(lines).encode())
    print(f"hred prepare {logs} --reply-as {BOT} --tokenizer bpe --out {folder / 'corpus'}")
    with _progress(should_stop) as progress:
        prepare_corpus(
            Settings(
                out=folder / "corpus",
                given={name: [logs / f"{name}.jsonl"] for name in splits},
                reply_as=BOT,
                vocabulary_size=_VOCABULARY,
                tokenizer_kind="bpe",  # whole words: the smallest vocabulary would take them apart
                workers=1,
                overwrite=True,
            ),
            progress,
        )


def _train(corpus: Path, run: Path, row: Row, seed: int) -> None:
    """Trains a row, or goes on with it.

    Raises:
        KeyboardInterrupt: it was stopped; a checkpoint is written.
    """
    resume = has_checkpoint(run)
    if not resume or load_progress(run).update < row.updates:
        assignments = " ".join(f"--set {setting}" for setting in row.settings)
        fixed = f"--model {row.model} --seed {seed} --max-updates {row.updates}"
        print(f"hred train {corpus} --out {run} {fixed} {assignments}")
        begin: dict[str, Any] = {"model": row.model, "seed": seed, "settings": list(row.settings)}
        train(
            corpus,
            run,
            resume=resume,
            max_updates=row.updates,
            log_every=max(1, row.updates // 10),
            **({} if resume else begin),
        )
    if load_progress(run).update < row.updates:
        raise KeyboardInterrupt


class _Memory:
    """How the memory probe is made and measured.

    Args:
        asked: its size.
    """

    def __init__(self, asked: Asked) -> None:
        self._conversations, self._groups = asked.conversations or CONVERSATIONS["memory"], asked.groups

    def known(self) -> dict[str, Any]:
        """Returns what stands beside the figures."""
        made = MemoryProbe(1)
        return {"chance": made.chance, "questions": made.num_questions(self._groups)}

    def splits(self, seed: int) -> dict[str, Iterator[Conversation]]:
        """Returns the conversations of each split."""
        made = MemoryProbe(seed)
        questions = {
            "train": made.drawn("train", self._conversations),
            "valid": made.drawn("valid", 480),
            "test": made.test(self._groups),
        }
        return {name: (question.answered for question in some) for name, some in questions.items()}

    def measure(self, replier: Replier, seed: int, step: Callable[[int, int], None]) -> dict[str, Any]:
        """Returns the figures of a model."""
        return {"right": measure_memory(replier, MemoryProbe(seed), self._groups, step)}


class _Course:
    """How the course probe is made and measured.

    Args:
        asked: its size.
    """

    def __init__(self, asked: Asked) -> None:
        self._conversations = asked.conversations or CONVERSATIONS["course"]
        self._replies = asked.replies

    def known(self) -> dict[str, Any]:
        """Returns what stands beside the figures."""
        return {"replies": self._replies, "ideal": ideal_course_figures(self._replies)}

    def splits(self, seed: int) -> dict[str, Iterator[Conversation]]:
        """Returns the conversations of each split."""
        made = CourseProbe(seed)
        return {
            "train": made.drawn("train", self._conversations),
            "valid": made.drawn("valid", 480),
            "test": (made.answered(*each) for each in made.test(20)),
        }

    def measure(self, replier: Replier, seed: int, step: Callable[[int, int], None]) -> dict[str, Any]:
        """Returns the figures of a model."""
        return measure_course(replier, CourseProbe(seed), self._replies, _LATENTS, seed, step)


_MAKERS: Mapping[str, type[_Memory] | type[_Course]] = {"memory": _Memory, "course": _Course}
