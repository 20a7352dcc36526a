"""`hred prepare`: conversation logs in, a tokenizer and a tokenised corpus out."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["prepare"]


class Format(StrEnum):
    """The log formats."""

    jsonl = "jsonl"
    csv = "csv"
    tsv = "tsv"
    plain = "plain"
    dailydialog = "dailydialog"
    whatsapp = "whatsapp"
    telegram = "telegram"
    discord = "discord"
    slack = "slack"
    line = "line"
    irc = "irc"
    mbox = "mbox"
    chatgpt = "chatgpt"


class Dates(StrEnum):
    """The orders of the numbers of dates."""

    auto = "auto"
    dmy = "dmy"
    mdy = "mdy"
    ymd = "ymd"


class SplitBy(StrEnum):
    """Where splits come from."""

    auto = "auto"
    names = "names"
    hash = "hash"


class TokenizerKind(StrEnum):
    """The kinds of tokenizers."""

    unigram = "unigram"
    bpe = "bpe"


class Engine(StrEnum):
    """What carries the work to other processes."""

    processes = "processes"
    dask = "dask"


class Names(StrEnum):
    """Whether the lines of plain text begin with a speaker's name."""

    auto = "auto"
    yes = "yes"
    no = "no"


_OF_MERGE = ("logs", "out", "workers", "overwrite", "merge")


def prepare(
    context: typer.Context,
    logs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files of conversations (.jsonl, .csv, .tsv, .txt, each also .gz, .bz2, .xz, .zst) and exports of "
            "chat programs (see --format, also as .zip), folders and globs of them, on this machine or at an address "
            "that fsspec knows (s3://...)."
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write the corpus to.")] = Path(
        "corpus"
    ),
    train: Annotated[
        list[str] | None,
        typer.Option(help="Files or folders to train on, instead of LOGS; can be repeated."),
    ] = None,
    valid: Annotated[
        list[str] | None, typer.Option(help="Files or folders for validation; without, a share of --train.")
    ] = None,
    test: Annotated[
        list[str] | None, typer.Option(help="Files or folders for the test; without, a share of --train.")
    ] = None,
    format_: Annotated[
        Format | None, typer.Option("--format", help="The format of all files; without, it is found out.")
    ] = None,
    reply_as: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Train on this speaker's turns alone, with all turns as context. "
            "Without: all turns but the first, or the assistant's in role/content logs.",
        ),
    ] = None,
    vocabulary_size: Annotated[
        int, typer.Option(help="Tokens at most; a small corpus gets fewer.", min=261, max=1_000_000)
    ] = 8_000,
    tokenizer_kind: Annotated[TokenizerKind, typer.Option("--tokenizer", help="The kind of tokenizer.")] = (
        TokenizerKind.unigram
    ),
    tokenizer_sample: Annotated[
        int, typer.Option(help="Utterances that the tokenizer is trained on, drawn by --seed.", min=1)
    ] = 200_000,
    tokenizer_from: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Take the tokenizer of a run folder, of a shipped model or a tokenizer.model, and train none: "
            "to evaluate that model on these logs, or to go on training it with them.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the splits and of the tokenizer's sample.")] = 1,
    valid_share: Annotated[float, typer.Option(help="Share for validation, where it is drawn.")] = 0.05,
    test_share: Annotated[float, typer.Option(help="Share for the test, where it is drawn.")] = 0.05,
    split_by: Annotated[
        SplitBy,
        typer.Option(
            help="'names': train, valid or test in the names of files or folders; 'hash': drawn from the "
            "conversations' content; 'auto': names where every file has one."
        ),
    ] = SplitBy.auto,
    max_bad: Annotated[float, typer.Option(help="The largest share of bad records before it stops.")] = 0.01,
    max_line_mib: Annotated[
        float, typer.Option(help="The longest line, or conversation of several lines, in MiB.", min=0.001)
    ] = 16.0,
    column_conversation: Annotated[
        str | None, typer.Option(help="CSV/TSV: the column with the conversation's name.")
    ] = None,
    column_speaker: Annotated[str | None, typer.Option(help="CSV/TSV: the column with the speaker.")] = None,
    column_text: Annotated[str | None, typer.Option(help="CSV/TSV: the column with the text.")] = None,
    column_time: Annotated[
        str | None, typer.Option(help="CSV/TSV: the column to sort a conversation's turns by.")
    ] = None,
    names: Annotated[
        Names, typer.Option(help="Plain text: whether lines begin with 'Name: '; found out by 'auto'.")
    ] = Names.auto,
    silence: Annotated[
        float,
        typer.Option(
            metavar="MINUTES",
            help="Exports of chat programs: so long without a message ends a conversation; see --gaps.",
        ),
    ] = 60.0,
    gaps: Annotated[
        bool,
        typer.Option(
            "--gaps",
            help="Show how long it is quiet between the messages of LOGS, and what conversations each --silence would "
            "make; prepare nothing.",
        ),
    ] = False,
    dates: Annotated[
        Dates,
        typer.Option(
            help="WhatsApp and LINE: the order of day, month and year; 'auto' finds it out from the file."
        ),
    ] = Dates.auto,
    mask: Annotated[
        bool,
        typer.Option(
            "--mask",
            help="Replace links, mail addresses, phone numbers and the names of people that the log knows by "
            "placeholders, and pictures and files in exports of chat programs.",
        ),
    ] = False,
    workers: Annotated[int, typer.Option(help="Processes; 0 for one a core.", min=0)] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a prepared corpus in --out.")
    ] = False,
    file_mib: Annotated[
        float, typer.Option(help="The size in MiB at which a split goes on in a new file.", min=0.001)
    ] = 1024.0,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Prepare part I of N alone, from 1, into --out: all parts, on any machines, see the same LOGS.",
        ),
    ] = None,
    merge: Annotated[
        bool,
        typer.Option("--merge", help="LOGS are the folders of all parts: join them into the corpus --out."),
    ] = False,
    engine: Annotated[
        Engine, typer.Option(help="What does the work: processes here, or the workers of a Dask cluster.")
    ] = Engine.processes,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="--engine dask: the cluster's scheduler; without, --workers are started here.",
        ),
    ] = None,
) -> None:
    """Prepare conversation logs for training: clean them, split them, make a tokenizer.

    A run that was stopped, even by a power cut, goes on where it was when the same command is given again.
    """
    from app.cli.prepare_report import show_part, show_progress, show_report
    from dialog.corpus.formats import FormatOptions
    from dialog.corpus.prepare import Settings, merge_parts, prepare_corpus, prepare_part
    from dialog.corpus.splits import Shares
    from dialog.errors import UsageError

    settings = Settings(
        logs=logs or (),
        given={"train": train or (), "valid": valid or (), "test": test or ()},
        out=out,
        options=FormatOptions(
            name=format_.value if format_ else None,
            column_conversation=column_conversation,
            column_speaker=column_speaker,
            column_text=column_text,
            column_time=column_time,
            names=names.value,
            silence=silence,
            dates=dates.value,
            mask=mask,
        ),
        split_by=split_by.value,
        shares=Shares(valid_share, test_share),
        reply_as=reply_as,
        vocabulary_size=vocabulary_size,
        tokenizer_kind=tokenizer_kind.value,
        tokenizer_sample=tokenizer_sample,
        tokenizer_from=_tokenizer_file(tokenizer_from),
        seed=seed,
        max_bad=max_bad,
        max_line_bytes=int(max_line_mib * 2**20),
        workers=workers,
        overwrite=overwrite,
        file_bytes=int(file_mib * 2**20),
        shard=_shard(shard),
    )
    if gaps:
        from app.cli.prepare_gaps import show_gaps

        show_gaps(settings)
        return
    if merge:
        _check_merge(context)
    if engine is Engine.dask and (merge or shard is not None):
        raise UsageError("--engine dask makes the parts and merges them: leave out --shard and --merge")
    if scheduler is not None and engine is not Engine.dask:
        raise UsageError("--scheduler is for --engine dask: add that, or leave it out")
    with show_progress() as progress:
        if engine is Engine.dask:
            from dialog.corpus.cluster import prepare_on_dask

            corpus = prepare_on_dask(settings, scheduler, progress)
        elif shard is not None:
            part = prepare_part(settings, progress)
        else:
            corpus = (merge_parts if merge else prepare_corpus)(settings, progress)
    if shard is not None:
        show_part(settings.out, part)
    else:
        show_report(corpus)


def _shard(words: str | None) -> tuple[int, int]:
    from dialog.errors import UsageError

    number, _, of = (words or "1/1").partition("/")
    if not (number.isdecimal() and of.isdecimal()):
        raise UsageError(f"--shard is {words!r}, but must be I/N: 2/3 is the second of three parts")
    return int(number), int(of)


def _check_merge(context: typer.Context) -> None:
    """Raises UsageError for an option that the parts have settled already."""
    from dialog.errors import UsageError

    for name in context.params:
        source = context.get_parameter_source(name)
        if name not in _OF_MERGE and source is not None and source.name == "COMMANDLINE":
            raise UsageError(
                f"--{name.strip('_').replace('_', '-')} does not go with --merge: the parts were prepared with it "
                "or without it"
            )


def _tokenizer_file(run: str | None) -> Path | None:
    if run is None or Path(run).is_file():
        return None if run is None else Path(run)
    from app.shipped import run_path

    return run_path(run) / "tokenizer.model"
