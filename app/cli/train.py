"""`hred train`: a prepared corpus in, a run folder out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialog.models.registry import MODELS

if TYPE_CHECKING:
    from app.cli.training_display import TrainingDisplay
    from dialog.corpus.tokenized import TokenizedCorpus
    from dialog.models.base import ReplyModel
    from dialog.training.estimate import Estimate
    from dialog.training.listeners import Listeners
    from dialog.training.trainer import TrainingJob

__all__ = ["check_splits", "train"]


def train(
    corpus: Annotated[Path, typer.Argument(help="Folder that `hred prepare` wrote.")],
    out: Annotated[Path, typer.Option(help="Run folder to write.")],
    model: Annotated[
        str | None,
        typer.Option(help=f"{', '.join(MODELS)}; `hred models` says what each is.  [default: hred]"),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A size or a training setting; may be repeated."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    init_from: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Run, or shipped model, whose weights to start from, such as HRED's for VHRED.",
        ),
    ] = None,
    embedding_from: Annotated[
        Path | None, typer.Option(help="Vectors of tokens, by `hred embed`, that the embedding starts from.")
    ] = None,
    max_updates: Annotated[int | None, typer.Option(min=1, help="Stop after so many updates in all.")] = None,
    max_minutes: Annotated[
        float | None, typer.Option(min=0.0, help="Stop after so many minutes of this start.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=2**32 - 1, help="Of weights, order and dropout.  [default: 1]"),
    ] = None,
    log_every: Annotated[int, typer.Option(min=1, help="Updates between lines of metrics.jsonl.")] = 50,
    checkpoint_every: Annotated[
        int | None, typer.Option(min=1, help="Updates between checkpoints, beside those by time.")
    ] = None,
    tracker: Annotated[
        str | None, typer.Option(help="Also write all figures for a viewer of curves: tensorboard.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what an epoch takes on this machine, and stop there.")
    ] = False,
) -> None:
    """Train a reply model on a prepared corpus.

    Ctrl-C writes a checkpoint and stops; --resume goes on from it. The weights that did best on the
    validation split are what `hred reply`, `hred chat` and `hred serve` load from the run folder.
    On several GPUs or machines, a launcher starts it: torchrun --nproc-per-node N -m dialog train …
    """
    from dialog.training.reproducibility import conditions, exact_arithmetic, set_variables

    set_variables()  # before anything imports torch

    from app.cli.training_display import TrainingDisplay, say_conditions, say_estimate, stop_on_interrupt
    from app.shipped import run_path
    from dialog.corpus.tokenized import TokenizedCorpus
    from dialog.errors import UsageError
    from dialog.training.checkpoints import has_checkpoint
    from dialog.training.launch import num_processes, rank
    from dialog.training.tensorboard import require_tensorboard
    from dialog.training.trainer import Trainer
    from dialog.training.writing import writing_to

    if resume and any(given is not None for given in (model, init_from, embedding_from, seed)):
        raise UsageError("--resume goes on with the run's own model, start and seed; leave these options out")
    if init_from is not None and embedding_from is not None:
        raise UsageError("--init-from brings the run's own embedding along; leave it or --embedding-from out")
    if not resume and (has_checkpoint(out) or (out / "manifest.json").exists()):
        raise UsageError(f"{out} holds a run already; go on with --resume, or give another --out")
    if tracker not in (None, "tensorboard"):
        raise UsageError(f"there is no tracker {tracker!r}; choose tensorboard, or leave --tracker out")
    if tracker is not None:
        require_tensorboard()
    prepared = TokenizedCorpus.open(corpus)
    check_splits(prepared)
    if resume:
        plan = _resumed(out, settings or [])
    else:
        plan = _planned(prepared, model, settings or [], 1 if seed is None else seed)
    if plan["tokenizer_hash"] != prepared.tokenizer.hash:
        raise UsageError(
            f"{corpus} has another tokenizer than the run in {out}; give the corpus it began with"
        )
    with exact_arithmetic(), stop_on_interrupt() as should_stop:
        known = conditions(processes=num_processes(), corpus=prepared.hash)
        start = None if init_from is None else run_path(init_from)
        built = _model(plan, prepared, start, embedding_from)
        if rank() == 0:
            say_estimate(_estimate(built, prepared, plan))
            if resume:
                say_conditions(out, known)
        if dry_run:
            return
        further = {"max_updates": max_updates, "max_minutes": max_minutes, "conditions": known}
        with writing_to(out):
            job = _job(out, prepared, plan, built, resume, further, log_every, checkpoint_every, should_stop)
            with TrainingDisplay(job) as display, _listeners(job, display, tracker) as listeners:
                Trainer(job, listeners).run()


@contextmanager
def _listeners(job: "TrainingJob", display: "TrainingDisplay", tracker: str | None) -> "Iterator[Listeners]":
    """Gives what follows a training in process 0, and closes it at the end, however that comes."""
    from dialog.training.curves import Curves
    from dialog.training.launch import rank
    from dialog.training.listeners import Listeners
    from dialog.training.tensorboard import TensorBoard

    if rank() > 0:
        yield Listeners([display])
        return
    further: list[Curves | TensorBoard] = [Curves(job.folder, display.say)]
    if tracker is not None:
        further.append(TensorBoard(job.folder))
    try:
        yield Listeners([display, *further])
    finally:
        for listener in further:
            listener.close()


def check_splits(prepared: "TokenizedCorpus") -> None:
    """Checks that there is something to train on and to validate with.

    Raises:
        CorpusError: one of the two splits has no reply.
    """
    from dialog.errors import CorpusError

    for name in ("train", "valid"):
        if not prepared.split(name).targets.any():
            raise CorpusError(
                f"the split {name} of {prepared.folder} has no reply; prepare the logs again with more "
                "conversations, or with another --valid-share"
            )


def _planned(
    prepared: "TokenizedCorpus", name: str | None, assignments: list[str], seed: int
) -> dict[str, Any]:
    """Sorts the settings of a new run; they are what a resume goes on with."""
    from dialog.errors import ConfigError
    from dialog.models.config import parse_assignments
    from dialog.models.registry import model_class
    from dialog.training.config import training_config_class

    cls = model_class(name or "hred")
    training_class = training_config_class(cls.is_latent)
    sizes, training = parse_assignments(assignments, cls.config_class, training_class)
    num_tokens = prepared.tokenizer.num_tokens
    if sizes.setdefault("vocab_size", num_tokens) != num_tokens:
        raise ConfigError(
            f"vocab_size is {sizes['vocab_size']}, but the corpus's tokenizer has {num_tokens} tokens; leave "
            "it out, or prepare the logs with another --vocabulary-size"
        )
    config = training_class.from_json(training)
    _check_direction(name or "hred", config.direction)
    return {
        "model": name or "hred",
        "settings": cls.config_class.from_json(sizes).to_json(),
        "training": config.to_json(),
        "seed": seed,
        "tokenizer_hash": prepared.tokenizer.hash,
    }


def _check_direction(name: str, direction: str) -> None:
    from dialog.errors import ConfigError

    if direction != "forward" and "reply" not in MODELS[name].abilities:
        raise ConfigError(
            f"direction is {direction!r}, but {name} reads no turn before the one that it says; leave direction out"
        )


def _resumed(folder: Path, assignments: list[str]) -> dict[str, Any]:
    """Returns the settings of the run that goes on; how it is trained may be changed, its sizes not."""
    from dialog.errors import UsageError
    from dialog.models.config import parse_assignments
    from dialog.models.registry import model_class
    from dialog.training.checkpoints import load_job_settings
    from dialog.training.config import training_config_class

    plan = load_job_settings(folder)
    training_class = training_config_class(model_class(plan["model"]).is_latent)
    (changes,) = parse_assignments(assignments, training_class)
    before = plan["training"].get("direction", "forward")
    if changes.get("direction", before) != before:
        raise UsageError(f"{folder} was trained {before}; a model of the other direction is another run")
    plan["training"] = training_class.from_json({**plan["training"], **changes}).to_json()
    return plan


def _model(
    plan: dict[str, Any], prepared: "TokenizedCorpus", init_from: Path | None, embedding_from: Path | None
) -> "ReplyModel":
    """Builds the model that the plan names, and notes in the plan where its weights start from."""
    import torch

    from dialog.evaluation.vectors import read_vectors
    from dialog.models.registry import build_model
    from dialog.models.transfer import check_same_kinds
    from dialog.run_folder import load_weights
    from dialog.training.launch import rank
    from dialog.training.word_vectors import start_embedding

    torch.manual_seed(plan["seed"])
    model = build_model(plan["model"], plan["settings"])
    if init_from is not None:
        weights, source = load_weights(init_from)
        check_same_kinds(model, plan["settings"], weights, source["settings"])
        model.initialise_from(weights)
        plan["initialised_from"] = {"run": init_from.name, "model": source["model"]}
    if embedding_from is not None:
        vectors = read_vectors(embedding_from, prepared.tokenizer.pieces)
        found = start_embedding(model, prepared.tokenizer, vectors)
        plan["embedding_from"] = {"file": embedding_from.name, "tokens": found}
        if rank() == 0:
            known = prepared.tokenizer.num_tokens
            print(
                f"{found:,} of {known:,} tokens start from {embedding_from}, the others at random", flush=True
            )
    return model


def _estimate(model: "ReplyModel", prepared: "TokenizedCorpus", plan: dict[str, Any]) -> "Estimate":
    from dialog.text.backward import directed
    from dialog.training.config import training_config_class
    from dialog.training.estimate import estimate_training
    from dialog.training.trainer import make_loader

    config = training_config_class(model.is_latent).from_json(plan["training"])
    split = directed(prepared.split("train"), config.direction)
    return estimate_training(model, make_loader(split, config, plan["seed"]), config)


def _job(
    folder: Path,
    prepared: "TokenizedCorpus",
    plan: dict[str, Any],
    model: "ReplyModel",
    resume: bool,
    further: dict[str, Any],
    log_every: int,
    checkpoint_every: int | None,
    should_stop: Any,
) -> "TrainingJob":
    from dialog.training.checkpoints import save_job_settings
    from dialog.training.config import training_config_class
    from dialog.training.launch import rank
    from dialog.training.trainer import TrainingJob

    if rank() == 0:
        save_job_settings(folder, plan)
    train_split, valid_split = prepared.split("train"), prepared.split("valid")
    corpus = {
        "name": prepared.folder.resolve().name,
        "train_conversations": len(train_split),
        "valid_conversations": len(valid_split),
        "tokens_known": prepared.tokenizer.num_tokens,
        "tokenizer_sha256": prepared.tokenizer.hash,
        **({"started_from": plan["initialised_from"]["run"]} if "initialised_from" in plan else {}),
        **({"embedding_from": plan["embedding_from"]["file"]} if "embedding_from" in plan else {}),
    }
    return TrainingJob(
        folder,
        model,
        prepared.tokenizer,
        train_split,
        valid_split,
        training_config_class(model.is_latent).from_json(plan["training"]),
        corpus,
        seed=plan["seed"],
        log_every=log_every,
        checkpoint_every=checkpoint_every,
        resume=resume,
        should_stop=should_stop,
        **further,
    )
