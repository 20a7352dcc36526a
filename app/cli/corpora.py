"""`hred corpora`: which published corpora there are, and one of them as logs that `hred prepare` reads."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from dialog.corpus.catalogue import PublishedCorpus
    from dialog.corpus.catalogue_get import Progress as ProgressCall

__all__ = ["corpora"]

corpora = typer.Typer(
    help="List published corpora, and make logs of one that `hred prepare` reads.", no_args_is_help=True
)


@corpora.command("list")
def list_corpora(
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of text.")] = False,
) -> None:
    """List the published corpora: name, language, size, licence, paper, and where each lives."""
    from dialog.corpus.catalogue import CATALOGUE

    if as_json:
        print(json.dumps([each.to_json() for each in CATALOGUE.values()], indent=2, ensure_ascii=False))
        return
    print("\n\n".join(_facts(each) for each in CATALOGUE.values()))


@corpora.command("get")
def get_corpus(
    name: Annotated[str, typer.Argument(help="One of `hred corpora list`.")],
    given: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FILE|DIR|URL",
            help="The archive, the file or the folder as published, or another address; without, it is downloaded.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The folder to write.  [default: corpora/NAME]")
    ] = None,
    any_version: Annotated[
        bool,
        typer.Option("--any-version", help="Take a file though its SHA-256 is not the one that is known."),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a corpus that this command made.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="What it did, as JSON.")] = False,
) -> None:
    """Download a published corpus, or take it in, as JSON Lines with a datasheet.

    A download that breaks off goes on when the same command is given again.
    """
    from dialog.corpus.catalogue import find_corpus
    from dialog.corpus.catalogue_get import get_corpus as get

    corpus = find_corpus(name)
    folder = out or Path("corpora") / corpus.name
    if not as_json:
        print(f"{corpus.title}. Licence: {corpus.licence}; {corpus.obligations}.", flush=True)
    with _show_progress() as progress:
        sheet = get(corpus, folder, given, any_version, overwrite, progress)
    print(json.dumps(sheet, indent=2, ensure_ascii=False) if as_json else _report(sheet, folder))


def _facts(corpus: "PublishedCorpus") -> str:
    lines = [
        f"{corpus.name}: {corpus.title}",
        f"  language  {corpus.language}",
        f"  size      {corpus.size}",
        f"  licence   {corpus.licence}; {corpus.obligations}",
        f"  paper     {corpus.paper}",
        f"  lives at  {corpus.home}",
        *(f"  file      {url}" for url in corpus.urls),
    ]
    return "\n".join([*lines, f"  to know   {corpus.remarks}"] if corpus.remarks else lines)


def _report(sheet: dict[str, Any], folder: Path) -> str:
    from dialog.corpus.catalogue_sheet import DATASHEET, hash_sentence
    from dialog.text.tokenizer import without_surrogates

    turns = sheet["turns"]
    lines = [f"{file['name']}: {hash_sentence(file)}" for file in sheet["files"]]
    lines += [
        f"{split}: {sizes['conversations']:,} conversations, {sizes['turns']:,} turns"
        for split, sizes in sheet["splits"].items()
    ]
    lines.append(
        f"turns found {turns['found']:,} = written {turns['written']:,} + lost {sum(turns['lost'].values()):,}"
    )
    for title, counted in (("lost", turns["lost"]), ("met", sheet["notes"])):
        for what, number in counted.items():
            lines.append(f"  {title}: {number:,} × {what}, such as {sheet['examples'][what][0]}")
    left_out = sheet["left_out_of_archive"]
    if left_out:
        lines.append(f"  left out of the archive, no plain files: {len(left_out):,}, such as {left_out[0]}")
    lines.append(
        f"Written to {folder}, with {DATASHEET}. Next: hred prepare {folder} --out {folder.name}-corpus"
    )
    return without_surrogates("\n".join(lines))


@contextmanager
def _show_progress() -> "Iterator[ProgressCall]":
    """A progress bar on a terminal, else a line a step; on the error output either way."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        said: set[str] = set()

        def say(step: str, done: int, total: int | None) -> None:
            if step not in said:
                said.add(step)
                print(f"{step} ...", file=sys.stderr, flush=True)

        yield say
        return
    amount = TextColumn("{task.fields[amount]}")
    columns = TextColumn("{task.description}", markup=False), BarColumn(), amount, TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        tasks: dict[str, TaskID] = {}
        size = DownloadColumn()

        def show(step: str, done: int, total: int | None) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=None, amount="")
            bar.update(tasks[step], completed=done, total=total)
            task = next(each for each in bar.tasks if each.id == tasks[step])
            is_download = step.startswith("Downloading")
            bar.update(task.id, amount=str(size.render(task)) if is_download else f"{done:,}" if done else "")

        yield show
