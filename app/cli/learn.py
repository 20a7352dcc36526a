"""`hred learn`: what people liked, corrected and preferred on the page, learned by a model that goes on from another.

It stands for three commands: `hred sessions export --reviewed`, `hred prepare --tokenizer-from RUN`, and
`hred train --init-from RUN`; see `app.learning`. Whatever stops it, `--resume` goes on.
"""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from app.learning import Lessons
    from dialog.corpus.tokenized import TokenizedCorpus

__all__ = ["learn"]

_MOST_EPOCHS = 20
_FEWEST_UPDATES = 10


def learn(
    out: Annotated[Path, typer.Option(help="Run folder to write.")],
    run: Annotated[
        str | None, typer.Argument(help="The run folder or shipped model to go on from.", show_default=False)
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.01, help="About how long it may take.")] = 10.0,
    updates: Annotated[
        int | None, typer.Option(min=1, help="How many updates, instead of what goes into --minutes.")
    ] = None,
    learning_rate: Annotated[
        float, typer.Option(min=1e-8, max=1.0, help="The highest step size; a trained model needs little.")
    ] = 5e-4,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint in --out, on the same chats.")
    ] = False,
    nice: Annotated[
        int, typer.Option(min=0, max=19, help="How far other programs go first; 19 is the farthest.")
    ] = 0,
) -> None:
    """Train a model further on replies that were liked, corrected, or won a battle.

    Only chats of people who agreed that models learn from them are taken: the switch stands on the page. They are
    written below --out, and stay there, so that --resume goes on with the same.
    """
    from dialog.training.reproducibility import set_variables

    set_variables()  # before anything imports torch

    from app.cli.training_display import stop_on_interrupt
    from app.learning import LEARNING, note_end
    from dialog.errors import DialogError, UsageError

    if nice:
        os.nice(nice)
    if resume == (run is not None):
        raise UsageError("name the run to go on from, or give --resume for what was begun in --out")
    (out / LEARNING / "end.json").unlink(missing_ok=True)
    try:
        with stop_on_interrupt() as should_stop:
            if resume:
                _go_on(out, minutes, updates)
            else:
                assert run is not None
                _begin(run, out, minutes, updates, learning_rate, should_stop)
            note_end(out, "stopped" if should_stop() else "done")
    except DialogError as error:
        note_end(out, "failed", str(error))
        raise


def _begin(
    run: str, out: Path, minutes: float, updates: int | None, learning_rate: float, should_stop: Any
) -> None:
    from app.cli.train import train
    from app.learning import settings_of
    from app.shipped import run_path
    from dialog.errors import UsageError
    from dialog.training.checkpoints import has_checkpoint

    start = run_path(run)
    if has_checkpoint(out) or (out / "manifest.json").exists():
        raise UsageError(f"{out} holds a run already; go on with --resume, or give another --out")
    config = _config_of(start)
    lessons = _lessons()
    prepared = _prepared(start, out, lessons)
    settings = settings_of(config, learning_rate, updates or 1)
    if updates is None:
        updates = _updates(minutes, prepared, config["model"], settings)
        settings = settings_of(config, learning_rate, updates)
    if should_stop():
        return
    words = " ".join(f"--set {setting}" for setting in settings)
    print(
        f"hred train {prepared.folder} --model {config['model']} --init-from {start} --out {out} "
        f"--max-updates {updates} {words}",
        flush=True,
    )
    train(
        prepared.folder,
        out,
        model=config["model"],
        settings=settings,
        init_from=str(start),
        max_updates=updates,
        log_every=_log_every(updates),
    )


def _go_on(out: Path, minutes: float, updates: int | None) -> None:
    """Trains to the end of what was planned, or, where that is reached, for so much more."""
    from app.cli.train import train
    from app.learning import LEARNING
    from dialog.corpus.tokenized import TokenizedCorpus
    from dialog.errors import CorpusError
    from dialog.training.checkpoints import load_job_settings, load_progress

    plan, done = load_job_settings(out), load_progress(out).update
    found = sorted((out / LEARNING).glob("corpus-*"))
    if len(found) != 1:
        raise CorpusError(
            f"{out / LEARNING} holds no corpus to go on with; begin another training, from {out}: hred learn {out} "
            "--out FOLDER"
        )
    planned = int(plan["training"]["decay_updates"])
    settings = []
    if done >= planned:
        prepared = TokenizedCorpus.open(found[0])
        assignments = [
            f"{name}={str(value).lower() if isinstance(value, bool) else value}"
            for name, value in {**plan["settings"], **plan["training"]}.items()
        ]
        planned = done + (updates or _updates(minutes, prepared, plan["model"], assignments))
        settings = [f"decay_updates={planned}"]
    print(f"hred train {found[0]} --out {out} --resume --max-updates {planned}", flush=True)
    train(
        found[0],
        out,
        settings=settings,
        resume=True,
        max_updates=planned,
        log_every=_log_every(planned),
    )


def _log_every(updates: int) -> int:
    return max(1, min(50, updates // 50))


def _config_of(start: Path) -> dict[str, Any]:
    """Returns a run's `config.json`, once all its files are found whole and it is of a kind that answers."""
    from dialog.models.registry import check_answers
    from dialog.run_folder import load_weights

    _, config = load_weights(start)
    check_answers(config["model"], config.get("training", {}).get("direction", "forward"), start)
    return config


def _lessons() -> "Lessons":
    from app.learning import lessons_of
    from app.store import Store

    with Store.open() as store:
        lessons = lessons_of(store)
    lessons.check()
    reasons = ", ".join(f"{count:,} {why}" for why, count in lessons.whys.items())
    print(
        f"{lessons.replies:,} replies to learn ({reasons}) in {lessons.conversations:,} conversations of "
        f"{lessons.chats:,} chats; version {lessons.version}",
        flush=True,
    )
    return lessons


def _prepared(start: Path, out: Path, lessons: "Lessons") -> "TokenizedCorpus":
    from app.learning import LEARNING, write_lessons
    from dialog.corpus.prepare import Settings, prepare_corpus
    from dialog.corpus.splits import Shares

    files = write_lessons(out, lessons)
    corpus = out / LEARNING / f"corpus-{lessons.version}"
    for other in (out / LEARNING).glob("corpus-*"):  # of a start that never came to a checkpoint
        if other != corpus:
            shutil.rmtree(other)
    settings = Settings(
        out=corpus,
        given={split: [path] for split, path in files.items()},
        shares=Shares(0.0, 0.0),
        tokenizer_from=start / "tokenizer.model",
        workers=1,
        overwrite=True,
    )
    print(f"hred prepare --train {files['train']} --valid {files['valid']} --out {corpus}", flush=True)
    return prepare_corpus(settings)


def _updates(minutes: float, prepared: "TokenizedCorpus", name: str, settings: list[str]) -> int:
    from app.cli.train import check_splits
    from app.cli.training_budget import updates_in

    check_splits(prepared)
    return updates_in(minutes, prepared, name, settings, _FEWEST_UPDATES, _MOST_EPOCHS)
