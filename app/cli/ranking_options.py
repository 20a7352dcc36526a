"""The options by which `hred reply` and `hred chat` choose among several candidates."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.sampling_options import takes_options
from dialog.errors import UsageError

if TYPE_CHECKING:
    from dialog.conversation import Conversation
    from dialog.decoding.replier import Replier
    from dialog.decoding.replies import Reply, Sampling
    from dialog.decoding.rerank import Ranker

__all__ = ["Ranking", "score_table", "takes_ranking"]

_RANKERS = ("anti-lm", "backward", "latent")
_CANDIDATES = 10
_NAMES = {
    "total": "total",
    "log_probability": "log p",
    "per_token": "a token",
    "beam": "beam",
    "anti_lm": "anti-LM",
    "backward": "backward",
    "marginal": "marginal",
    "kl": "KL",
    "z": "z",
    "tokens": "tokens",
}


@dataclass(frozen=True, slots=True)
class Ranking:
    """How the best of several candidates is found; a field that is None was not given.

    Attributes:
        rerank: `anti-lm`, `backward` or `latent`; None leaves the replies in their order.
        language_model: the run that `anti-lm` ranks against.
        backward: the run that `backward` ranks by.
        candidates: how many replies are ranked.
        rerank_weight: lambda.
        anti_tokens: first tokens that `anti-lm` counts.
        length_weight: nats a token.

    Raises:
        UsageError: they do not go together.
    """

    rerank: str | None = None
    language_model: str | None = None
    backward: str | None = None
    candidates: int | None = None
    rerank_weight: float | None = None
    anti_tokens: int | None = None
    length_weight: float | None = None

    def __post_init__(self) -> None:
        if self.rerank not in (None, *_RANKERS):
            raise UsageError(f"--rerank is {self.rerank!r}, but must be one of {', '.join(_RANKERS)}")
        for name, reader in (
            ("language_model", "anti-lm"),
            ("anti_tokens", "anti-lm"),
            ("backward", "backward"),
        ):
            if getattr(self, name) is not None and self.rerank != reader:
                raise UsageError(
                    f"--{name.replace('_', '-')} is read by --rerank {reader} alone; add that or leave it out"
                )
        for name in ("candidates", "rerank_weight", "length_weight"):
            if getattr(self, name) is not None and self.rerank is None:
                raise UsageError(
                    f"--{name.replace('_', '-')} is for reranking; add --rerank {'|'.join(_RANKERS)} or leave it out"
                )
        for name, needed in (("anti-lm", "language_model"), ("backward", "backward")):
            if self.rerank == name and getattr(self, needed) is None:
                raise UsageError(
                    f"--rerank {name} needs a run to rank by; add --{needed.replace('_', '-')} RUN"
                )

    def check(self, replier: "Replier", sampling: "Sampling", num_replies: int) -> None:
        """Checks that candidates can differ, and suffice for the replies that are asked for."""
        if self.rerank is None:
            return
        if sampling.method == "greedy" and not replier.model.is_latent:
            raise UsageError(
                "--method greedy finds one reply, and there is nothing to rerank; take sample or beam"
            )
        if num_replies > self.num_candidates(sampling):
            raise UsageError(
                f"{num_replies} replies are asked for of {self.num_candidates(sampling)} candidates; "
                "raise --candidates"
            )

    def num_candidates(self, sampling: "Sampling") -> int:
        """Returns how many replies are ranked; all that a beam finds, if nothing else is said."""
        if self.candidates is not None:
            return self.candidates
        return sampling.beam_size if sampling.method == "beam" else _CANDIDATES

    def ranker(self, replier: "Replier") -> "Ranker | None":
        """Loads what ranks the replies of `replier`; None if nothing does.

        Raises:
            UsageError, RunFolderError: a run cannot be loaded or cannot rank them.
        """
        from app.shipped import run_path
        from dialog.decoding.rerank import AntiLanguageModel, BackwardModel, LatentDraws
        from dialog.run_folder import load_run

        names = {"rerank_weight": "weight", "anti_tokens": "anti_tokens", "length_weight": "length_weight"}
        given = {to: getattr(self, name) for name, to in names.items() if getattr(self, name) is not None}
        if self.language_model is not None:
            return AntiLanguageModel.from_run(
                load_run(run_path(self.language_model)), replier.tokenizer, **given
            )
        if self.backward is not None:
            return BackwardModel.from_run(load_run(run_path(self.backward)), replier.tokenizer, **given)
        return LatentDraws(replier, **given) if self.rerank == "latent" else None

    def replies(
        self,
        replier: "Replier",
        ranker: "Ranker | None",
        conversation: "Conversation",
        sampling: "Sampling",
        num_replies: int,
        seed: int,
    ) -> "list[Reply]":
        """Returns the candidates, the best first; without a ranker the replies as they come."""
        if ranker is None:
            return replier.reply(conversation, sampling, num_replies, seed)
        found = replier.reply(conversation, sampling, self.num_candidates(sampling), seed)
        return ranker.rerank(conversation, found)


def takes_ranking(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options of reranking; it is called with `ranking`, a `Ranking`."""

    def option(kind: Any, text: str, **named: Any) -> tuple[Any, None]:
        return Annotated[kind | None, typer.Option(help=text, show_default=False, **named)], None

    options = {
        "rerank": option(
            str,
            "Take the best of several candidates: anti-lm (against a language model), backward (by a model "
            "that guesses the turn before), latent (best of n draws of z).",
        ),
        "language_model": option(str, "For anti-lm: a run of --model lm.", metavar="RUN"),
        "backward": option(str, "For backward: a run of --set direction=backward.", metavar="RUN"),
        "candidates": option(int, f"How many are ranked.  [default: {_CANDIDATES}, or the beam size]", min=1),
        "rerank_weight": option(float, "How much the ranker counts.  [default: 0.5, for latent 1]"),
        "anti_tokens": option(int, "For anti-lm: the first tokens that count.  [default: 0, all]"),
        "length_weight": option(float, "Nats that each token of a reply adds.  [default: 0]"),
    }
    return takes_options(command, "ranking", options, Ranking)


def score_table(replies: "list[Reply]", num_chosen: int) -> str:
    """Returns replies with their scores in nats, a line each, those that are chosen marked by a star."""
    rows = [
        {"log_probability": one.log_probability, "tokens": len(one.tokens), **one.scores} for one in replies
    ]
    names = [name for name in _NAMES if any(name in row for row in rows)]
    heads = ["", *(_NAMES[name] for name in names)]
    lines = [
        ["*" if place < num_chosen else "", *(_number(name, row.get(name)) for name in names)]
        for place, row in enumerate(rows)
    ]
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]
    texts = ["reply", *(one.text for one in replies)]
    return "\n".join(
        "  ".join([*(cell.rjust(width) for cell, width in zip(line, widths, strict=True)), text])
        for line, text in zip([heads, *lines], texts, strict=True)
    )


def _number(name: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if name in ("z", "tokens") else f"{value:.2f}"
