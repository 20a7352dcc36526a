"""`hred compare`: models on the same work, by one scorer, with intervals."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dialog.evaluation.comparison.statistics import Statistics

__all__ = ["compare"]

_DECODERS = "greedy and top-p=0.9"


def compare(
    runs: Annotated[
        list[str] | None,
        typer.Argument(help="Run folders, or names of shipped models; NAME=FOLDER gives one another name."),
    ] = None,
    corpus: Annotated[Path | None, typer.Option(help="Folder that `hred prepare` wrote.")] = None,
    split: Annotated[str, typer.Option(help="train, valid or test.")] = "test",
    out: Annotated[
        Path | None, typer.Option(help="Folder to write the report to.  [default: report]")
    ] = None,
    decoder: Annotated[
        list[str] | None,
        typer.Option(
            help="greedy, sample, top-p=0.9, top-k=40, temperature=0.8, beam=5, mmi=RUN, several with commas; "
            f"repeat it for a grid.  [default: {_DECODERS}]"
        ),
    ] = None,
    words: Annotated[
        list[str] | None,
        typer.Option(
            help="How replies are cut into words: words, wordpunct, characters, mecab, …; repeat it for several.  "
            "[default: words; of texts without spaces characters and mecab]"
        ),
    ] = None,
    vectors: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Word vectors as text (word2vec's or GloVe's), or none.  [default: word2vec of the training split]",
        ),
    ] = None,
    replies: Annotated[
        int, typer.Option(min=1, help="Replies to each context; single ones are judged by the first.")
    ] = 10,
    samples: Annotated[
        int, typer.Option(min=1, help="Of z, for the importance-weighted bound of latent models.")
    ] = 100,
    prior_samples: Annotated[
        int, typer.Option(min=1, help="Of z from the prior, for the perplexity by it.")
    ] = 100,
    bootstrap: Annotated[int, typer.Option(min=1, help="Draws of conversations for the intervals.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn.")] = 0,
    max_conversations: Annotated[
        int | None, typer.Option(min=1, help="The first so many only, for a quick look.")
    ] = None,
    from_: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="The report of a comparison again from its statistics.json.gz, printed, or written to --out; needs "
            "no run and no corpus.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as one JSON object.")] = False,
) -> None:
    """Compare models: likelihood, replies, use of the context; with anchors, intervals and leaks.

    Writes report.md, report.html, scores.json, statistics.json.gz (figures by conversation, no text) and
    replies.jsonl. Stopped at any time, the same command goes on; what was computed is kept in OUT/cache.
    """
    from dialog.errors import UsageError
    from dialog.evaluation.comparison.statistics import STATISTICS_FILE, load_statistics, save_statistics
    from dialog.training.reproducibility import set_variables

    if from_ is not None:
        if runs or corpus is not None:
            raise UsageError("--from prints a comparison that was made; leave the runs and --corpus out")
        statistics = load_statistics(from_)
        if out is None:
            _print_again(statistics, as_json)
        else:
            _write_report(statistics, out, as_json)
        return
    if not runs:
        raise UsageError(
            "there is nothing to compare; name one run or more, such as hred compare seq2seq hred"
        )
    if corpus is None:
        raise UsageError("there is nothing to compare on; add --corpus FOLDER, one that `hred prepare` wrote")
    out = out or Path("report")
    set_variables()  # before anything imports torch

    from app.cli.compare_setup import Options, set_up
    from dialog.training.reproducibility import exact_arithmetic

    options = Options(
        runs,
        corpus,
        split,
        out,
        decoder,
        words,
        vectors,
        replies,
        samples,
        prior_samples,
        bootstrap,
        seed,
        max_conversations,
    )
    with exact_arithmetic(), set_up(options) as comparison:
        statistics = comparison.run(out / "replies.jsonl")
        save_statistics(out / STATISTICS_FILE, statistics)
    # The report is made from the file, so that it can be made again.
    _write_report(load_statistics(out / STATISTICS_FILE), out, as_json)


def _write_report(statistics: "Statistics", out: Path, as_json: bool) -> None:
    from dialog.evaluation.comparison.document import to_html, to_markdown
    from dialog.evaluation.comparison.report import report_blocks, report_title
    from dialog.evaluation.comparison.results import Results
    from dialog.run_folder import write_atomically

    out.mkdir(parents=True, exist_ok=True)
    results = Results(statistics)
    blocks = report_blocks(results)
    figures = json.dumps(results.to_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(out / "scores.json", figures.encode())
    write_atomically(out / "report.md", to_markdown(blocks).encode())
    write_atomically(out / "report.html", to_html(report_title(results), blocks).encode())
    if as_json:
        print(figures, end="")
    else:
        print(f"{out / 'report.html'} and report.md; all figures in scores.json")


def _print_again(statistics: "Statistics", as_json: bool) -> None:
    from dialog.evaluation.comparison.document import to_markdown
    from dialog.evaluation.comparison.report import report_blocks
    from dialog.evaluation.comparison.results import Results

    results = Results(statistics)
    if as_json:
        print(json.dumps(results.to_json(), indent=1, ensure_ascii=False, allow_nan=False))
    else:
        print(to_markdown(report_blocks(results)), end="")
