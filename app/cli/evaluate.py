"""`hred evaluate`: how likely a model finds the replies of a split."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

    from dialog.models.base import ReplyModel
    from dialog.text.loader import EncodedSplit

__all__ = ["evaluate"]


def evaluate(
    run: Annotated[str, typer.Argument(help="Run folder, or the name of a shipped model.")],
    corpus: Annotated[
        Path, typer.Argument(help="Folder that `hred prepare` wrote, with the run's tokenizer.")
    ],
    split: Annotated[str, typer.Option(help="train, valid or test.")] = "test",
    samples: Annotated[
        int | None,
        typer.Option(min=1, help="Also the importance-weighted bound of each reply, by so many samples."),
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Also what decoding in int8 costs, as `hred serve --int8` does.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the posterior samples of a latent model.")] = 0,
    max_conversations: Annotated[
        int | None, typer.Option(min=1, help="The first so many only, for a quick look.")
    ] = None,
    max_replies: Annotated[
        int | None, typer.Option(min=1, help="The first so many only, for a quick look.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Score every reply of a split: nats per token and perplexity, end tokens counted.

    For a latent model the figure is its bound with the KL at weight 1, one posterior sample a reply;
    --samples gives the tighter bound of Burda et al. 2016, a reply at a time, with standard errors over
    conversations. What z does is shown as well: KL a dimension, active units, mutual information
    (docs/latent.md). Without a latent variable the likelihood is exact. A model that was trained backwards is
    scored on the turns before replies, as it was trained.
    """
    from rich.console import Console
    from rich.progress import Progress

    from app.shipped import run_path
    from dialog.corpus.tokenized import TokenizedCorpus
    from dialog.errors import CorpusError
    from dialog.evaluation.bound import evaluate_bound
    from dialog.evaluation.latent import evaluate_latent
    from dialog.evaluation.likelihood import evaluate_likelihood
    from dialog.run_folder import load_run
    from dialog.text.backward import directed

    loaded = load_run(run_path(run))
    prepared = TokenizedCorpus.open(corpus)
    if prepared.tokenizer.hash != loaded.tokenizer.hash:
        raise CorpusError(
            f"{corpus} has another tokenizer than {run}, so their tokens cannot be compared; prepare the "
            f"logs again with --tokenizer-from {run}"
        )
    console = Console(stderr=True)
    conversations = directed(prepared.split(split), loaded.direction)
    if not conversations.targets.any():
        raise CorpusError(f"the split {split} of {corpus} has no reply to score; choose another --split")
    limits: dict[str, Any] = {"max_conversations": max_conversations, "max_replies": max_replies}
    figures: dict[str, Any] = {"model": loaded.name, "split": split}
    with Progress(console=console, disable=not console.is_terminal) as bar:

        def progress(what: str) -> Callable[[int], None]:
            task = bar.add_task(what, total=min(len(conversations), max_conversations or len(conversations)))
            return lambda done: bar.advance(task, done)

        likelihood = evaluate_likelihood(
            loaded.model, conversations, seed, progress=progress(f"scoring {split}"), **limits
        )
        figures |= likelihood.to_json()
        if samples is not None:
            bound = evaluate_bound(
                loaded.model, conversations, samples, seed, progress=progress("bound"), **limits
            )
            figures["bound"] = bound.to_json()
        if loaded.model.is_latent:
            use = evaluate_latent(
                loaded.model, conversations, seed, progress=progress("latent variable"), **limits
            )
            figures["latent"] = use.to_json()
        if int8:
            figures["int8"] = _int8_cost(loaded.model, conversations, max_replies, seed, bar)
    if as_json:
        print(json.dumps(figures))
    else:
        _print_table(figures)


def _int8_cost(
    model: "ReplyModel", conversations: "EncodedSplit", max_replies: int | None, seed: int, bar: "Progress"
) -> dict[str, Any]:
    """Turns the model to int8 and returns what that costs."""
    from dialog.evaluation.precision import precision_cost
    from dialog.models.int8 import decode_in_int8

    decode_in_int8(model)
    most = max_replies or int(conversations.targets.sum())
    task = bar.add_task("int8", total=most)
    return precision_cost(model, conversations, most, seed, lambda done: bar.advance(task, done)).to_json()


def _print_table(figures: Mapping[str, Any], indent: str = "") -> None:
    """Prints a line a figure; what is not there is left out."""
    for name, value in figures.items():
        if isinstance(value, Mapping):
            print(f"{indent}{name}")
            _print_table(value, indent + "  ")
        elif isinstance(value, list):
            numbers = " ".join(f"{number:.3f}" for number in value)
            print(fill(numbers, 100, initial_indent=f"{indent + name:32} ", subsequent_indent=" " * 33))
        elif value is not None:
            print(
                f"{indent + name:32} {value:.4f}"
                if isinstance(value, float)
                else f"{indent + name:32} {value}"
            )
