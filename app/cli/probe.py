"""`hred probe`: corpora made by a program, on which the claims about the models are tried."""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.probe_rows import Asked
from app.cli.sampling_options import takes_sampling

if TYPE_CHECKING:
    from dialog.decoding.replies import Sampling

__all__ = ["probe"]

probe = typer.Typer(
    help="Try the claims: seq2seq forgets the context, HRED keeps it, VHRED keeps it and varies (docs/probes.md).",
    no_args_is_help=True,
)

Seeds = Annotated[int, typer.Option(min=1, max=1000, help="Trainings of each model: seeds 1 to this.")]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Folder that keeps corpora, runs and figures; the same command goes on there.  "
        "[default: none, nothing is kept]",
        show_default=False,
    ),
]
Rows = Annotated[str | None, typer.Option(help="Only these models, by name, with commas between.")]
Updates = Annotated[
    int | None, typer.Option(min=1, help="Updates of each training, instead of each model's own number.")
]
Conversations = Annotated[
    int | None, typer.Option(min=1, help="Conversations to train on, instead of the probe's own number.")
]
Groups = Annotated[
    int, typer.Option(min=1, help="Memory probe: questions for each distance, kind and value.")
]
Replies = Annotated[int, typer.Option(min=2, help="Course probe: replies to each context in each manner.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="As in `hred train`, for all models; may be repeated."),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")]


@probe.command("memory")
def memory(
    seeds: Seeds = 3,
    out: Out = None,
    rows: Rows = None,
    updates: Updates = None,
    conversations: Conversations = None,
    groups: Groups = 4,
    settings: Set = None,
    as_json: AsJson = False,
) -> None:
    """Ask for a word that was said 1, 2, 4 or 8 turns before the reply."""
    asked = _asked(seeds, rows, updates, conversations, settings, groups=groups)
    _run(["memory"], asked, out, as_json)


@probe.command("course")
def course(
    seeds: Seeds = 3,
    out: Out = None,
    rows: Rows = None,
    updates: Updates = None,
    conversations: Conversations = None,
    replies: Replies = 200,
    settings: Set = None,
    as_json: AsJson = False,
) -> None:
    """Draw replies where several courses are right, each with a known share."""
    asked = _asked(seeds, rows, updates, conversations, settings, replies=replies)
    _run(["course"], asked, out, as_json)


@probe.command("all")
def both(
    seeds: Seeds = 3,
    out: Out = None,
    rows: Rows = None,
    updates: Updates = None,
    conversations: Conversations = None,
    groups: Groups = 4,
    replies: Replies = 200,
    settings: Set = None,
    as_json: AsJson = False,
) -> None:
    """Run both probes on made-up corpora."""
    asked = _asked(seeds, rows, updates, conversations, settings, groups, replies)
    _run(["memory", "course"], asked, out, as_json)


@probe.command("corpus")
@takes_sampling
def corpus(
    folders: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN... CORPUS",
            help="Run folders or shipped models, and last the folder that `hred prepare` wrote.",
        ),
    ],
    sampling: "Sampling",
    split: Annotated[str, typer.Option(help="train, valid or test.")] = "test",
    num_replies: Annotated[
        int, typer.Option("-n", "--num-replies", min=2, help="Replies of each model, to so many contexts.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the contexts and of the replies.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Measure how long and how varied replies to a corpus are, beside people's own.

    Every row has one reply to each of the same contexts: distinct-2 compares between equally many replies only.
    The brackets hold 95 % of draws of the conversations.
    """
    from app.cli.probe_corpus import probe_corpus
    from app.cli.probe_tables import corpus_table

    found = probe_corpus(folders, sampling, split, num_replies, seed)
    print(json.dumps(found) if as_json else corpus_table(found))


def _asked(
    seeds: int,
    rows: str | None,
    updates: int | None,
    conversations: int | None,
    settings: list[str] | None,
    groups: int = 4,
    replies: int = 200,
) -> Asked:
    names = None if rows is None else tuple(rows.split(","))
    return Asked(seeds, names, updates, conversations, groups, replies, tuple(settings or ()))


def _run(names: list[str], asked: Asked, out: Path | None, as_json: bool) -> None:
    """Runs probes one after the other, and prints their tables at the end."""
    from dialog.training.reproducibility import set_variables

    set_variables()  # before anything imports torch

    from app.cli.probe_runs import run_probe
    from app.cli.probe_tables import course_tables, memory_table
    from app.cli.training_display import stop_on_interrupt

    with _folder(out) as folder, stop_on_interrupt() as should_stop:
        found = {name: run_probe(name, folder / name, asked, should_stop) for name in names}
    if as_json:
        print(json.dumps(found))
        return
    tables = {"memory": memory_table, "course": course_tables}
    print("\n\n".join(tables[name](found[name]) for name in names))


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    """Gives the folder to work in: the one that was named, or one that is gone at the end."""
    if out is not None:
        yield out
        return
    print("nothing is kept; give --out to keep and resume", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="hred-probe-") as folder:
        yield Path(folder)
