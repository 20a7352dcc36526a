"""`hred demo`: from the shipped conversations to a page with three models of one's own, in about five minutes.

    OUT/en/corpus                  the conversations, prepared
    OUT/en/seq2seq, hred, vhred    run folders, as `hred train` writes them

Whatever stops it, the same command goes on: what is prepared and trained stays. How long a model is trained is settled
in updates before it begins, by timing some, so that its learning rate has come down when the time is over.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from dialog.corpus.tokenized import TokenizedCorpus

__all__ = ["demo", "train_demo"]


class Language(StrEnum):
    """The languages of the shipped conversations."""

    en = "en"
    ja = "ja"


@dataclass(frozen=True, slots=True)
class _Model:
    """How a model is trained here.

    Attributes:
        share: of the time.
        settings: beyond those that all have.
        init_from: the run that its weights start from.
    """

    share: float
    settings: tuple[str, ...]
    init_from: str | None = None


_SETTINGS = (
    "embedding_size=128",
    "hidden_size=192",
    "dropout=0.1",
    "batch_tokens=1024",
    "learning_rate=0.004",
    "patience=0",
    "keep=last",
    "measure_replies=0",
    "sample_replies=2",
)
"""Beside them stand those of the time there is (`_schedule`).

Both speakers' turns are trained on, not the bot's alone: twice as much to learn from the same conversations. 42,000
words are too few to learn a language from: at some 600 updates the bound of the validation split is at its best, and
what the model says makes little sense. It is trained on beyond that, and its last weights are kept, for then it knows
parts of the sentences by heart. Each model goes on from the one before, so that all but the first have learned longer.
"""
_HIERARCHY = ("context_size=192",)
_LATENT = (
    "latent_size=32",
    "latent_hidden_size=96",
    "word_dropout=0.25",
    "bag_of_words=true",
    "bag_of_words_weight=0.5",
    "free_bits=0.04",
)
_MODELS: Mapping[str, _Model] = {
    "seq2seq": _Model(0.4, ()),
    "hred": _Model(0.3, _HIERARCHY, init_from="seq2seq"),
    "vhred": _Model(0.3, (*_HIERARCHY, *_LATENT), init_from="hred"),
}
_VOCABULARY = {"en": 4_000, "ja": 4_000}
"""So many that most words are one token: none is misspelt then."""
_VALIDATIONS = 6
_FEWEST = 12
_MOST_EPOCHS = 60
"""More would not help: they are known by heart by then."""


def demo(
    language: Annotated[Language, typer.Option(help="Of the conversations.")] = Language.en,
    minutes: Annotated[
        float, typer.Option(min=0.01, max=600.0, help="About how long the three trainings take together.")
    ] = 5.0,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder for corpus and models.")] = Path(
        "hred-demo"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page; 0 takes a free one.")] = 7860,
) -> None:
    """Train the three models on the conversations that come with this project, then open the page to chat with them.

    Ctrl-C stops it at any time; the same command goes on where it was. The commands that it stands for are printed.
    """
    from dialog.decoding.threads import let_waiting_threads_sleep

    let_waiting_threads_sleep()
    _check_port(port)
    runs = train_demo(language.value, minutes, out)

    from app.bots import Bots
    from app.server import run_server
    from app.settings import Settings

    print(f"\nhred serve {' '.join(map(str, runs))} --port {port}", flush=True)
    run_server(Bots.of([str(run) for run in runs]), Settings.from_environment(), "127.0.0.1", port)


def train_demo(language: str, minutes: float, out: Path) -> list[Path]:
    """Prepares and trains, or goes on with it.

    Args:
        language: `en` or `ja`.
        minutes: about how long the trainings take together.
        out: the folder.

    Returns:
        The run folders.

    Raises:
        KeyboardInterrupt: it was stopped; what is done is kept.
    """
    from dialog.training.reproducibility import set_variables

    set_variables()  # before anything imports torch

    from app.cli.training_display import stop_on_interrupt

    folder = out / language
    prepared = _prepared(language, folder / "corpus")
    runs = [folder / name for name in _MODELS]
    with stop_on_interrupt() as should_stop:
        for name, run in zip(_MODELS, runs, strict=True):
            _train(prepared, name, run, minutes)
            if should_stop():
                print("Stopped; the same command goes on from here.", flush=True)
                raise KeyboardInterrupt
    return runs


def _check_port(port: int) -> None:
    """Raises UsageError now, and not after five minutes, if the page could not be opened."""
    from dialog.errors import UsageError

    try:
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(("127.0.0.1", port))
    except OSError as error:
        raise UsageError(
            f"the port {port} for the page cannot be had ({error.strerror}); give another one, or --port 0 for any"
        ) from error


def _prepared(language: str, corpus: Path) -> "TokenizedCorpus":
    from app.cli.prepare_report import show_progress
    from app.shipped import shipped_conversations
    from dialog.corpus.prepare import prepare_corpus
    from dialog.corpus.settings import Settings
    from dialog.corpus.tokenized import CORPUS_FILE, TokenizedCorpus
    from dialog.errors import CorpusError

    if (corpus / CORPUS_FILE).is_file():
        try:
            return TokenizedCorpus.open(corpus)
        except CorpusError as error:
            print(f"{error}: that is done now")
    logs, size = shipped_conversations(language), _VOCABULARY[language]
    print(f"hred prepare {logs} --vocabulary-size {size} --out {corpus}", flush=True)
    corpus.parent.mkdir(parents=True, exist_ok=True)
    with show_progress() as progress:
        prepared = prepare_corpus(
            Settings(out=corpus, logs=[logs], vocabulary_size=size, overwrite=True), progress
        )
    splits = prepared.report["splits"]
    print(
        f"{splits['train']['conversations']:,} conversations to train on, {splits['valid']['conversations']:,} to "
        f"watch it by, {splits['test']['conversations']:,} kept for a test"
    )
    return prepared


def _train(prepared: "TokenizedCorpus", name: str, run: Path, minutes: float) -> None:
    """Trains a model, or goes on with it."""
    from app.cli.train import train
    from app.cli.training_budget import updates_in
    from dialog.training.checkpoints import has_checkpoint, load_job_settings, load_progress

    resume = has_checkpoint(run)
    begin: dict[str, Any] = {}
    if resume:
        updates = int(load_job_settings(run)["training"]["decay_updates"])
        if load_progress(run).update >= updates and (run / "manifest.json").is_file():
            print(f"{run} is trained already")
            return
        print(f"\nhred train {prepared.folder} --out {run} --resume --max-updates {updates}", flush=True)
    else:
        model = _MODELS[name]
        settings = (*_SETTINGS, *model.settings)
        updates = updates_in(minutes * model.share, prepared, name, settings, _FEWEST, _MOST_EPOCHS)
        updates -= updates % _VALIDATIONS
        settings = (*settings, *_schedule(name, updates))
        start = str(run.parent / model.init_from) if model.init_from else None
        begin = {"model": name, "settings": list(settings), "init_from": start}
        words = f" --init-from {start}" if start else ""
        chosen = " ".join(f"--set {setting}" for setting in settings)
        print(
            f"\nhred train {prepared.folder} --out {run} --model {name}{words} --max-updates {updates} {chosen}",
            flush=True,
        )
    train(prepared.folder, run, resume=resume, max_updates=updates, log_every=max(1, updates // 20), **begin)


def _schedule(name: str, updates: int) -> tuple[str, ...]:
    """The settings that go with so many updates."""
    schedule = (
        f"warmup_updates={max(1, updates // 12)}",
        f"decay_updates={updates}",
        f"validate_every={updates // _VALIDATIONS}",
    )
    return (*schedule, f"kl_annealing_updates={updates // 3}") if name == "vhred" else schedule
