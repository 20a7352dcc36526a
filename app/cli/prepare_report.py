"""What `hred prepare` shows: a progress bar while it works, then what it counted."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from dialog.corpus.cleaning import RULES
from dialog.corpus.prepare import Progress as ProgressCall
from dialog.corpus.tokenized import SPLITS, TokenizedCorpus

__all__ = ["print_table", "show_part", "show_progress", "show_report"]

_MOST_SHOWN = 10


@contextmanager
def show_progress() -> Iterator[ProgressCall]:
    """A progress bar on a terminal, else a line a step; on the error output either way."""
    console = Console(stderr=True)
    if not console.is_terminal:
        said: set[str] = set()

        def say(step: str, done: int, total: int) -> None:
            if step not in said:
                said.add(step)
                print(f"{step} ...", file=sys.stderr, flush=True)

        yield say
        return
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def show(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step)
            bar.update(tasks[step], completed=done, total=max(total, 1))

        yield show


def show_report(corpus: TokenizedCorpus) -> None:
    """Prints the report to the standard output: tables on a terminal, plain lines of text elsewhere."""
    console = Console()
    for title, header, rows in _tables(corpus):
        print_table(console, title, header, rows)
    for line in _notes(corpus):
        print(line)  # not by rich, which would wrap and colour it


def show_part(out: Path, part: dict[str, int]) -> None:
    """Prints what a part holds; the report is that of the merged corpus."""
    print(
        f"{part['records']:,} records read, {part['bad']:,} bad; {part['rows']:,} conversations before duplicates "
        f"are dropped. Written to {out}: join all parts with `hred prepare --merge PARTS... --out CORPUS`."
    )


def print_table(console: Console, title: str, header: list[str], rows: list[list[str]]) -> None:
    """A table on a terminal, plain lines with tabs elsewhere."""
    if not console.is_terminal:
        print(title)
        for row in ([header] if any(header) else []) + rows:
            print("  " + "\t".join(row))
        return
    table = Table(title=title, title_justify="left")
    for place, name in enumerate(header):
        table.add_column(name, justify="right" if place else "left")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def _tables(corpus: TokenizedCorpus) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    report = corpus.report
    conversations, turns = report["conversations"], report["turns"]
    yield (
        "Cleaning",
        ["", "conversations"],
        [
            ["read", f"{conversations['read']:,}"],
            *(
                [f"dropped: {RULES[rule]}", f"{number:,}"]
                for rule, number in conversations["dropped"].items()
            ),
            ["kept", f"{conversations['kept']:,}"],
        ],
    )
    said = {
        "read": "read",
        "system": "left out: system messages",
        "empty": "left out: no text",
        "joined": "joined to the turn before, of the same speaker",
        "of_dropped": "in dropped conversations",
        "kept": "kept",
    }
    yield "Turns", ["", "turns"], [[name, f"{turns[key]:,}"] for key, name in said.items()]
    messages = report.get("messages", {"read": 0})
    if messages["read"]:
        rows = [["read", f"{messages['read']:,}"]]
        rows += [[f"left out: {reason}", f"{number:,}"] for reason, number in messages["left_out"].items()]
        yield (
            "Messages of chats",
            ["", "messages"],
            [*rows, ["turns read of them", f"{messages['as_turns']:,}"]],
        )
    masked = report.get("masked", {})
    if masked:
        rows = [[f"<{kind}>", f"{number:,}"] for kind, number in masked.items()]
        yield "Masked", ["placeholder", "times"], rows
    header = ["split", "conversations", "turns", "trained or scored on", "tokens"]
    keys = ("conversations", "turns", "targets", "tokens")
    splits = report["splits"]
    by = {"files": "as given", "names": "by the names of files", "hash": "drawn by hash"}[splits["by"]]
    yield f"Splits, {by}", header, [[name, *(f"{splits[name][key]:,}" for key in keys)] for name in SPLITS]


def _notes(corpus: TokenizedCorpus) -> Iterator[str]:
    report = corpus.report
    records = report["records"]
    if records["bad"]:
        yield f"{records['bad']:,} of {records['read']:,} records are bad and were skipped:"
        yield from (f"  {line}" for line in records["first_bad"][:_MOST_SHOWN])
        if records["bad"] > _MOST_SHOWN:
            yield f"  … and {records['bad'] - _MOST_SHOWN:,} more, see {corpus.folder / 'corpus.json'}"
    for where, found in report["in_two_splits"].items():
        if found["conversations"]:
            one, other = where.split("_in_")
            yield (
                f"{found['conversations']:,} conversations of {one} stand in {other} too, but for case and "
                f"punctuation (their ids are in {corpus.folder / 'corpus.json'})"
            )
    for what, number in report.get("messages", {}).get("met", {}).items():
        yield f"{number:,} times: {what}"
    told = [each for each in report["files"] if each.get("details")]
    yield from (
        f"{each['path']}: {each['format']}; {'; '.join(each['details'])}" for each in told[:_MOST_SHOWN]
    )
    if len(told) > _MOST_SHOWN:
        yield f"… and {len(told) - _MOST_SHOWN:,} more files, see {corpus.folder / 'corpus.json'}"
    if report["left_out"]:
        yield "Files left out:"
        yield from (f"  {line}" for line in report["left_out"])
    empty = [each["path"] for each in report["files"] if each["format"] == "empty"]
    if empty:
        yield f"Empty files: {', '.join(empty)}"
    for name in ("valid", "test"):
        if not report["splits"][name]["conversations"]:
            yield f"The split {name} is empty."
    yield f"Tokenizer: {corpus.tokenizer.num_tokens:,} tokens. Written to {corpus.folder}."
