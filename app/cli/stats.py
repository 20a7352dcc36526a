"""`hred stats`: what a corpus is like, as tables in the terminal, as JSON, as a page with pictures."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["stats", "tables_of"]

Table = tuple[str, list[str], list[list[str]]]
"""Title, header, rows."""

_NO_CONTROLS = dict.fromkeys((*range(32), *range(127, 160)), "\ufffd")
"""A log may hold characters that steer a terminal."""
_LONGEST_TEXT = 80


def stats(
    corpus: Annotated[
        list[str], typer.Argument(help="A folder that `hred prepare` wrote, or logs as it reads them.")
    ],
    html: Annotated[
        Path | None,
        typer.Option(help="Also write a page with pictures there; it needs nothing from the network."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of tables.")] = False,
    mask: Annotated[
        bool,
        typer.Option(
            "--mask", help="Of logs: replace what is private by placeholders, as `hred prepare --mask`."
        ),
    ] = False,
    top: Annotated[int, typer.Option(min=1, help="How many frequent replies and words are listed.")] = 20,
) -> None:
    """Tell what a corpus is like: lengths, speakers, words, repetition, leaks, languages, frequent replies.

    Of a prepared corpus, its texts are what the tokenizer gives back. Logs are cleaned and split as `hred prepare`
    would by itself, but duplicates are kept and counted.
    """
    from app.cli.prepare_report import show_progress
    from dialog.corpus.statistics import CorpusStatistics
    from dialog.text.tokenizer import without_surrogates

    if html is not None:
        _check_page(html)
    counted = CorpusStatistics()
    with show_progress() as progress:
        rows, about = _rows(corpus, mask, progress)
        for row in rows:
            counted.add(row)
    figures = {"corpus": without_surrogates(", ".join(corpus)), **counted.to_json(top), **about}
    _check_not_empty(figures)
    if as_json:
        print(json.dumps(figures, indent=1, ensure_ascii=False))
    else:
        _show(figures)
    if html is not None:
        from app.cli.stats_page import page
        from dialog.run_folder import write_atomically

        write_atomically(html, page(figures, list(tables_of(figures))).encode())
        if not as_json:
            print(f"The page is in {html}.")


def _check_page(html: Path) -> None:
    from dialog.errors import UsageError

    if not html.parent.is_dir() or html.is_dir():
        raise UsageError(f"{html} is no place for a page: name a file in a folder that is there")


def _rows(names: list[str], mask: bool, progress: Any) -> tuple[Any, dict[str, Any]]:
    """The conversations, and what else there is to tell, which is filled in while they are read."""
    from dialog.corpus.formats import FormatOptions
    from dialog.corpus.statistics_rows import LogCounts, is_prepared, rows_of_corpus, rows_of_logs
    from dialog.corpus.tokenized import TokenizedCorpus
    from dialog.errors import UsageError

    if any(map(is_prepared, names)):
        if len(names) > 1:
            raise UsageError("name one prepared corpus, or logs: corpora are told one by one")
        if mask:
            raise UsageError(f"{names[0]} is prepared already: --mask is for logs; prepare them with it")
        prepared = TokenizedCorpus.open(names[0])
        return rows_of_corpus(prepared, progress), {"tokenizer_tokens": prepared.tokenizer.num_tokens}
    counts = LogCounts()
    return rows_of_logs(names, FormatOptions(mask=mask), counts, progress), {"logs": counts.figures}


def _check_not_empty(figures: dict[str, Any]) -> None:
    from dialog.errors import LogError

    if not any(sizes["conversations"] for sizes in figures["splits"].values()):
        raise LogError(f"{figures['corpus']} holds no conversation of two turns: there is nothing to tell")


def _show(figures: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console()
    for title, header, rows in tables_of(figures):
        if not console.is_terminal:
            print(title)
            for row in ([header] if any(header) else []) + rows:
                print("  " + "\t".join(_plain(cell) for cell in row))
            continue
        table = RichTable(title=title, title_justify="left")
        for place, name in enumerate(header):
            table.add_column(name, justify="right" if place else "left")
        for row in rows:
            table.add_row(*(Text(_plain(cell)) for cell in row))
        console.print(table)
    for line in _notes(figures):
        print(_plain(line))


def _plain(text: str) -> str:
    from dialog.text.tokenizer import without_surrogates

    short = text if len(text) <= _LONGEST_TEXT * 3 else f"{text[: _LONGEST_TEXT * 3]}…"
    return without_surrogates(short).translate(_NO_CONTROLS)


def tables_of(figures: dict[str, Any]) -> Iterator[Table]:
    """Yields the tables of what `CorpusStatistics.to_json` tells."""
    splits = {name: sizes for name, sizes in figures["splits"].items() if sizes["conversations"]}
    keys = ("conversations", "turns", "replies", "words", "distinct_words", "tokens")
    yield (
        "Sizes",
        ["split", *(key.replace("_", " ") for key in keys)],
        [[name, *(_number(sizes[key]) for key in keys)] for name, sizes in splits.items()],
    )
    lengths = ("turns_a_conversation", "speakers_a_conversation", "words_a_turn", "tokens_a_turn")
    yield (
        "Lengths",
        ["split", "of", "mean", "median", "95 %", "largest"],
        [
            [
                name,
                key.replace("_", " "),
                f"{each['mean']:.2f}",
                *(_number(each[part]) for part in ("median", "percentile_95", "largest")),
            ]
            for name, sizes in splits.items()
            for key in lengths
            if (each := sizes[key]) is not None
        ],
    )
    words = figures["vocabulary"]
    rows = [
        ["running words", _number(words["words"]), ""],
        ["distinct words", _number(words["distinct"]), ""],
    ]
    rows.append(
        ["of these said once", _number(words["said_once"]), _share(words["said_once"], words["distinct"])]
    )
    rows += [[f"the {rank:,} most frequent", "", f"{share:.1%}"] for rank, share in words["coverage"][:-1]]
    for name, lacking in figures["words_that_train_lacks"].items():
        if lacking["share"] is not None:
            rows.append(
                [
                    f"running words of {name} that train lacks",
                    _number(lacking["words"]),
                    f"{lacking['share']:.1%}",
                ]
            )
    yield "Words", ["", "number", "share"], rows
    yield (
        "Said again within a split, but for case and punctuation",
        ["split", "conversations", "turns", "pairs of turn and reply"],
        [
            [
                name,
                *(_number(figures["duplicates"][name][key]) for key in ("conversations", "turns", "pairs")),
            ]
            for name in splits
        ],
    )
    yield (
        "In two splits, but for case and punctuation",
        ["", "conversations", "pairs of turn and reply", "of its pairs"],
        [
            [
                name.replace("_", " "),
                _number(each["conversations"]),
                _number(each["pairs"]),
                _share(each["pairs"], each["of_pairs"]),
            ]
            for name, each in figures["leaks"].items()
        ],
    )
    turns = sum(figures["languages"].values())
    yield (
        "Languages, guessed turn by turn",
        ["", "turns", "share"],
        [[name, _number(times), _share(times, turns)] for name, times in figures["languages"].items()],
    )
    yield (
        "Most frequent replies",
        ["reply", "times", "share"],
        [
            [each["text"], _number(each["times"]), f"{each['share']:.2%}"]
            for each in figures["frequent_replies"]
        ],
    )
    yield (
        "Most frequent words",
        ["word", "times"],
        [[word, _number(times)] for word, times in words["most_frequent"]],
    )


def _notes(figures: dict[str, Any]) -> Iterator[str]:
    if not figures["frequent_replies_are_exact"]:
        yield "There are more than a million different replies: rare ones were forgotten while they were counted."
    logs = figures.get("logs", {})
    if logs.get("bad"):
        yield f"{logs['bad']:,} records are bad and were skipped, such as {logs['first_bad']}"
    for rule, number in logs.get("dropped", {}).items():
        yield f"{number:,} conversations are not counted: {rule}"
    for each in logs.get("left_out", []):
        yield f"left out: {each}"


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else ""
