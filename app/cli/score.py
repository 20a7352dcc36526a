"""`hred score`: how probable a model finds given texts."""

import json
import math
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dialog.evaluation.text_scores import TextScore
    from dialog.models.base import ContextState
    from dialog.run_folder import Run

__all__ = ["score"]

_TOGETHER = 64
"""Texts that are scored at once."""
_SAMPLES = 100
_PAD = " " * 8


def score(
    run: Annotated[str, typer.Argument(help="Run folder, or the name of a shipped model.")],
    file: Annotated[
        Path | None, typer.Argument(help="Texts, a line each, in UTF-8; standard input if none is given.")
    ] = None,
    text: Annotated[list[str] | None, typer.Option(help="A text to score; may be repeated.")] = None,
    context: Annotated[
        list[str] | None,
        typer.Option(help="A turn that the texts are said after; repeat it. A language model takes none."),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(min=1, help=f"Of z, for a model with a latent variable.  [default: {_SAMPLES}]"),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of these samples.  [default: 0]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a text, a line each.")] = False,
) -> None:
    """Score texts: nats, perplexity, and the nats of each token, end tokens counted.

    A language model scores each text by itself, a reply model as a reply to --context. Where there is a latent
    variable the nats are an upper bound, by samples, and tokens have none of their own.
    """
    from dialog.decoding.threads import let_waiting_threads_sleep

    let_waiting_threads_sleep()
    from app.shipped import run_path
    from dialog.errors import UsageError
    from dialog.evaluation.text_scores import score_texts
    from dialog.run_folder import load_run

    if text and file is not None:
        raise UsageError(f"both --text and {file} are given; leave one of them out")
    if file is not None and (not file.exists() or file.is_dir()):
        raise UsageError(f"{file} is no file; give one with a text a line, or texts by --text")
    loaded = load_run(run_path(run))
    if not loaded.model.is_latent and not (samples is None and seed is None):
        raise UsageError(
            f"{run} has no latent variable, so nothing is sampled; leave --samples and --seed out"
        )
    before = _before(loaded, context or [])
    total = _Total(samples or _SAMPLES if loaded.model.is_latent else None)
    lines = iter(text or _lines(file))
    while chunk := list(islice(lines, _TOGETHER)):
        for one in score_texts(loaded.model, loaded.tokenizer, chunk, before, samples or _SAMPLES, seed or 0):
            print(json.dumps(one.to_json(), ensure_ascii=False) if as_json else total.shown(one))
    if not as_json and total.num_texts > 1:
        print(total)


def _before(run: "Run", context: list[str]) -> "ContextState | None":
    """Reads the context, and checks that the model knows one just if it is given."""
    from dialog.conversation import Conversation, Turn
    from dialog.errors import UsageError
    from dialog.evaluation.text_scores import read_context
    from dialog.models.registry import MODELS

    entry = MODELS[run.name]
    if entry.abilities == ("reconstruct",):
        raise UsageError(
            f"{run.folder} is a run of {run.name}, which gives a text no probability of its own, but only from its "
            "code; `hred evaluate` says what utterances cost from their codes, and a run of --model lm scores texts"
        )
    if "reply" not in entry.abilities:
        if context:
            raise UsageError(
                f"{run.folder} is a run of {run.name}, which knows no context; leave --context out"
            )
        return None
    if not context:
        raise UsageError(
            f"{run.folder} is a run of {run.name}, which finds replies probable or not after a context; give its "
            "turns by --context, or score by a run of --model lm"
        )
    turns = tuple(Turn("AB"[place % 2], said) for place, said in enumerate(context))
    return read_context(run.model, run.tokenizer, Conversation("", turns))


def _lines(file: Path | None) -> Iterator[str]:
    if file is not None:
        with file.open("rb") as stream:
            yield from _decoded(stream, str(file))
    else:
        if sys.stdin.isatty():
            print("A text a line; Ctrl-D ends.", file=sys.stderr)
        yield from _decoded(sys.stdin.buffer, "standard input")


def _decoded(lines: Iterable[bytes], source: str) -> Iterator[str]:
    from dialog.errors import UsageError

    for number, line in enumerate(lines, 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise UsageError(
                f"line {number} of {source} is not UTF-8; convert it, and score again"
            ) from error


class _Total:
    """Prints texts as they come, and sums them up.

    Args:
        num_samples: of the bound that their nats are; None where they are exact.
    """

    def __init__(self, num_samples: int | None) -> None:
        self.num_texts, self._nats, self._tokens, self._unknown = 0, 0.0, 0, 0
        self._kind = "nats" if num_samples is None else "≤ nats"

    def shown(self, one: "TextScore") -> str:
        """Returns the lines of a text, under a head before the first."""
        head = [] if self.num_texts else [_row(self._kind, "tokens", "a token", "perplexity", "text")]
        self.num_texts += 1
        self._nats += one.nats
        self._tokens += len(one.tokens)
        self._unknown += one.num_unknown
        lines = [*head, _figures(one.nats, len(one.tokens), one.text)]
        if one.token_nats is not None:
            parts = [f"{name}\u00a0{nats:.2f}" for name, nats in zip(one.pieces, one.token_nats, strict=True)]
            lines.append(
                fill(
                    "  ".join(parts), 100, initial_indent=_PAD, subsequent_indent=_PAD, break_on_hyphens=False
                )
            )
        if one.num_unknown:
            lines.append(_PAD + _unknown(one.num_unknown))
        return "\n".join(lines).replace("\u00a0", " ")

    def __str__(self) -> str:
        lines = [_figures(self._nats, self._tokens, f"all {self.num_texts} texts")]
        return "\n".join([*lines, _unknown(self._unknown)] if self._unknown else lines)


def _figures(nats: float, tokens: int, text: str) -> str:
    per_token = nats / tokens
    perplexity = math.exp(min(per_token, 700.0))
    return _row(f"{nats:.3f}", str(tokens), f"{per_token:.3f}", f"{perplexity:.4g}", text)


def _row(nats: str, tokens: str, per_token: str, perplexity: str, text: str) -> str:
    return f"{nats:>10}  {tokens:>6}  {per_token:>7}  {perplexity:>10}  {text}".rstrip()


def _unknown(count: int) -> str:
    return (
        f"{count} of the tokens stand for text that the vocabulary lacks: their nats are of all such text "
        "together, and compare with no other text's"
    )
