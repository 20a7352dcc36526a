"""`hred autoencode`: utterances said again from their codes, and what lies between two of them."""

import json
import sys
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.sampling_options import takes_sampling

if TYPE_CHECKING:
    from dialog.decoding.reconstruction import Reconstruction, Reconstructor
    from dialog.decoding.replies import Sampling

__all__ = ["autoencode"]

_TOGETHER = 64
"""Lines that are said again at once, where nobody waits for each."""
_POINTS = 7


@partial(takes_sampling, method="greedy")
def autoencode(
    run: Annotated[str, typer.Argument(help="Run folder of an autoencoder.")],
    sampling: "Sampling",
    text: Annotated[
        list[str] | None,
        typer.Option(
            help="An utterance to say again; may be repeated. Without any, lines of standard input."
        ),
    ] = None,
    between: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="TEXT TEXT", help="Walk from the code of one utterance to that of another."),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(min=2, help=f"Points of the walk, both ends counted.  [default: {_POINTS}]"),
    ] = None,
    num_each: Annotated[
        int, typer.Option("-n", "--num-each", min=1, help="How often each utterance is said again.")
    ] = 1,
    seed: Annotated[int, typer.Option(help="The same seed gives the same texts.")] = 0,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="A JSON object a line, with the code and all that is needed to replay it."
        ),
    ] = False,
) -> None:
    """Say utterances again by an autoencoder, a line each.

    A variational autoencoder draws the code of an utterance anew for each time it is said; -n 5 shows how much its
    codes leave open. `hred generate` draws texts from its prior.
    """
    from dialog.decoding.threads import let_waiting_threads_sleep

    let_waiting_threads_sleep()
    from app.shipped import run_path
    from dialog.decoding.reconstruction import Reconstructor
    from dialog.errors import UsageError
    from dialog.run_folder import load_run

    if between is not None and (text or num_each > 1):
        raise UsageError("--between walks from one text to another, once; leave --text and -n out")
    if steps is not None and between is None:
        raise UsageError("--steps are of a walk; add --between TEXT TEXT, or leave it out")
    model = Reconstructor(load_run(run_path(run)))
    if between is not None:
        points = model.walk(*between, steps or _POINTS, sampling, seed)
        for place, point in enumerate(points):
            _show(point, as_json, between=list(between), share=place / (len(points) - 1))
    elif text:
        for given, said in zip(text, model.reconstruct(text, sampling, num_each, seed), strict=True):
            for one in said:
                _show(one, as_json, given=given)
    else:
        _say_lines_again(model, sampling, num_each, seed, as_json)


def _say_lines_again(
    model: "Reconstructor", sampling: "Sampling", num_each: int, seed: int, as_json: bool
) -> None:
    """Says each line of standard input again, on a terminal at once; a line without words is an empty line."""
    from dialog.text.normalise import normalise

    is_terminal = sys.stdin.isatty()
    if is_terminal:
        print("A text a line is said again; Ctrl-D ends.", file=sys.stderr)
    lines = _lines()
    while chunk := list(islice(lines, 1 if is_terminal else _TOGETHER)):
        with_words = [line for line in chunk if normalise(line)]
        said = iter(model.reconstruct(with_words, sampling, num_each, seed))
        for line in chunk:
            if normalise(line):
                for one in next(said):
                    _show(one, as_json, given=line)
            elif not as_json:
                print("\n" * (num_each - 1))
        sys.stdout.flush()


def _lines() -> Iterator[str]:
    for line in sys.stdin.buffer:
        yield line.decode("utf-8", errors="replace").rstrip(
            "\r\n"
        )  # what is not UTF-8 is read as far as it goes


def _show(one: "Reconstruction", as_json: bool, **of: Any) -> None:
    said = {**of, "code": list(one.code), **one.reply.to_json()}
    print(json.dumps(said, ensure_ascii=False) if as_json else one.reply.text)
